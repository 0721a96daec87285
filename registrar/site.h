/* SPDX-License-Identifier: Apache-2.0 */
/* Names of sites: "/" is the whole of it, "/eu/de/berlin-3/dock" a place within places. And labels,
 * which a device has beside its place. No I/O. */
#ifndef REGISTRAR_SITE_H
#define REGISTRAR_SITE_H

#include "common/base/err.h"
#include "common/wire/json.h"

#define SITE_LEN_MAX	255
#define SITE_DEPTH_MAX	8
#define LABELS_MAX	16 /* of one device */
#define LABEL_NAME_MAX	63
#define LABEL_VALUE_MAX 255
#define LABELS_TEXT_MAX                                                                            \
	(LABELS_MAX * (LABEL_NAME_MAX + 6 * LABEL_VALUE_MAX + 8)) /* as JSON, all of it escaped */

/* Lower-case segments of [a-z0-9._-]; ERR_INPUT with the sentence for who wrote it. */
bool site_check(const char *path, struct err *e) MUST_CHECK;
/* The site and all it is in, "/" first, a JSON array. NULL: ERR_NO_MEMORY. */
json_t *site_chain(const char *path, struct err *e) MUST_CHECK;

/* One label that is set: a name of [a-z0-9._/-], a short line of text. */
bool label_check(const char *name, const char *value, struct err *e) MUST_CHECK;
/* labels: an object of texts. ERR_INPUT. */
bool labels_check(const json_t *labels, struct err *e) MUST_CHECK;

#endif
