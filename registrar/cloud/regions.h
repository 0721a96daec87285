/* SPDX-License-Identifier: Apache-2.0 */
/* Which region a device is in, by the network it asks from: a file with a line for each,
 *   PREFIX/BITS REGION
 * where # begins a comment. The longest prefix that fits counts. */
#ifndef REGISTRAR_CLOUD_REGIONS_H
#define REGISTRAR_CLOUD_REGIONS_H

#include "registrar/cloud/places.h"

#define REGIONS_MAX	 10000
#define REGIONS_FILE_MAX (1 << 20)

struct regions;

/* ERR_INPUT with the line, ERR_IO. */
struct regions *regions_load(const char *path, struct err *e) MUST_CHECK;
/* The same of a text, which is changed. */
struct regions *regions_parse(char *text, struct err *e) MUST_CHECK;
void regions_free(struct regions *r);

/* Of a literal address without a port; "" when none fits. r may be NULL. */
const char *regions_find(const struct regions *r, const char *host);

#endif
