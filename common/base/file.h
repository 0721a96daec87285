/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files: bounded reads, and writes that a power cut leaves either old or new, never torn. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <sys/types.h>

#include "common/base/buf.h"

/* Append the file's content to out; ERR_IO when it cannot be read, ERR_TOO_LARGE beyond out->max.
 */
bool file_read(const char *path, struct buf *out, struct err *e) MUST_CHECK;
/* As file_read(), but a file that is not there is no error: *exists says which. */
bool file_read_if_exists(const char *path, struct buf *out, bool *exists, struct err *e) MUST_CHECK;

/* Write to a temporary file beside path, fsync, rename over path, fsync the directory.
 * mode is the file's permission, e.g. 0600 for keys. */
bool file_write_atomic(
	const char *path, struct bytes content, mode_t mode, struct err *e) MUST_CHECK;

/* Make the directory and its parents (mode for the new ones), durably; fine when it is there. */
bool file_make_dir(const char *path, mode_t mode, struct err *e) MUST_CHECK;

/* Remove; fine when it is not there. The directory is fsynced. */
bool file_remove(const char *path, struct err *e) MUST_CHECK;

#endif
