/* SPDX-License-Identifier: Apache-2.0 */
/* The administrators' pages: a directory read once into a table, and served from the table. What
 * is not in it cannot be reached, whatever a path says. Immutable; part of a setup. */
#ifndef REGISTRAR_ADMIN_WEB_FILES_H
#define REGISTRAR_ADMIN_WEB_FILES_H

#include "common/base/buf.h"

#define WEB_FILES_MAX 512	/* the pages are some fifty files */
#define WEB_FILE_MAX  (4 << 20) /* octets of one: a font or a picture */
#define WEB_TOTAL_MAX (16 << 20)
#define WEB_DEPTH_MAX 6	 /* directories below the first */
#define WEB_ETAG_LEN  34 /* a quoted number of 32 digits */

struct web_file {
	char *path;	  /* as it is asked for: "/pages/claims.js" */
	const char *type; /* Content-Type */
	char etag[WEB_ETAG_LEN + 1];
	struct buf content;
};

struct web_files;

/* All regular files below `directory` with an extension that browsers know; no symbolic links, and
 * nothing whose name begins with a dot. ERR_INPUT without an index.html; ERR_TOO_LARGE; ERR_IO. */
struct web_files *web_files_load(const char *directory, struct err *e) MUST_CHECK;
void web_files_free(struct web_files *w);
/* "/" is "/index.html"; NULL: there is no such file. */
const struct web_file *web_files_find(const struct web_files *w, const char *path);

#endif
