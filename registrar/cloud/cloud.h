/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar as a cloud registrar (draft-ietf-anima-brski-cloud §3, §4): a device of the
 * manufacturer that found nobody near it is told where its owner wants it. Its request is checked
 * as by any registrar; whose it is and where it belongs is what the MASA says. Then it is sent to
 * one of the owner's registrars with a 307, or gets a voucher that names the owner's EST server and
 * pins it. It is no EST server itself. */
#ifndef REGISTRAR_CLOUD_CLOUD_H
#define REGISTRAR_CLOUD_CLOUD_H

#include "common/net/http_route.h"
#include "registrar/cloud/allocate.h"
#include "registrar/registrar.h"

extern const struct http_route cloud_routes[];
extern const size_t cloud_route_count;

/* What it has besides: how many requests there were lately. */
struct cloud_rate;
struct cloud_rate *cloud_rate_new(struct err *e) MUST_CHECK;
void cloud_rate_free(struct cloud_rate *r);

/* What an exchange knows of its device; struct onboard has one. */
struct cloud {
	unsigned masas_tried;
	int status; /* of the MASA's answer */
	struct buf answer;
	struct places places;
	bool unclaimed; /* it was told so */
	char region[PLACE_REGION_MAX + 1];
	struct allocated before;
	const struct place *chosen; /* of places; NULL: the EST server */
	char question[EXCHANGE_ID_MAX + 1];
	char by[PLACE_REGION_MAX + 1]; /* how it was decided, for the journal */
};
void cloud_free(struct cloud *c);

#endif
