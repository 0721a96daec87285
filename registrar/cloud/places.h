/* SPDX-License-Identifier: Apache-2.0 */
/* What a MASA says of a device: whose it is, and where the owner wants it (LOOKUP in brski-masa(8);
 * draft-ietf-anima-brski-cloud §3.2). */
#ifndef REGISTRAR_CLOUD_PLACES_H
#define REGISTRAR_CLOUD_PLACES_H

#include "common/base/buf.h"

#define PLACES_MAX	  64 /* registrars of one owner */
#define PLACE_URL_MAX	  512
#define PLACE_REGION_MAX  32
#define PLACE_WEIGHT_MAX  1000
#define PLACE_OWNER_MAX	  128
#define PLACES_ANSWER_MAX 65536 /* PLACES_MAX of the longest */

struct place {
	char url[PLACE_URL_MAX + 1];
	int64_t weight;
	char region[PLACE_REGION_MAX + 1]; /* "" is none */
};

struct places {
	char owner[PLACE_OWNER_MAX + 1]; /* "": nobody has claimed the device */
	struct place items[PLACES_MAX];	 /* the owner's registrars */
	size_t count;
	bool has_est; /* the owner has an EST server that a voucher can name */
	char est[PLACE_URL_MAX + 1];
};

/* The answer's body. Every address is an absolute https URI, or it is ERR_PEER. */
bool cloud_places_parse(struct bytes json, struct places *out, struct err *e) MUST_CHECK;

#endif
