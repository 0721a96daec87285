/* SPDX-License-Identifier: Apache-2.0 */
/* IDevIDs, one or a batch, with a manifest of what became of each. */
#ifndef CERTS_DEVICES_H
#define CERTS_DEVICES_H

#include "certs/options.h"

#define DEVICES_CSV_MAX (64 * 1024 * 1024) /* some million serials */

/* One row that cannot be made does not stop the others; ERR_INPUT then says how many there were.
 * manifest.csv keeps the devices of earlier runs into the same directory. */
bool devices_make(const struct options *o, int64_t now_unix_s, struct err *e) MUST_CHECK;

/* A file name for the serial: what is not a letter, digit, '_' or an inner '.' or '-'
 * becomes %XX. */
char *devices_file_stem(const char *serial, struct err *e) MUST_CHECK;

#endif
