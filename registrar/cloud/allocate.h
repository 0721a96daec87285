/* SPDX-License-Identifier: Apache-2.0 */
/* Which of an owner's registrars a device is sent to, and whether that is decided anew when it
 * comes again. Pure: the same device, the same registrars and the same region give the same answer
 * on every machine, so that several cloud registrars agree without talking to each other. */
#ifndef REGISTRAR_CLOUD_ALLOCATE_H
#define REGISTRAR_CLOUD_ALLOCATE_H

#include "registrar/cloud/places.h"

enum allocation {
	ALLOCATE_STATIC,  /* the registrar with the greatest weight; of equals the first */
	ALLOCATE_HASHED,  /* weighted rendezvous hashing: each its share, few move when one is
			     added or goes */
	ALLOCATE_LATENCY, /* those of the device's region, hashed among them; else all of them */
	ALLOCATE_WEBHOOK, /* a program says which */
};

enum reprovision {
	REPROVISION_NEVER,	/* where it was sent first, as long as the owner has that one */
	REPROVISION_MOVE_KEEP,	/* decided anew; what is known of the device stays */
	REPROVISION_MOVE_RESET, /* decided anew, as if it had never been here */
};

/* What was decided before. */
struct allocated {
	bool found;
	char owner[PLACE_OWNER_MAX + 1], url[PLACE_URL_MAX + 1];
	int64_t first_at, moves;
};

/* Does the former decision stand? One about another owner never does. */
const struct place *allocate_again(
	enum reprovision policy, const struct allocated *before, const struct places *places);

/* Decide; count is not 0. device: what names it over all manufacturers. ERR_NO_MEMORY alone. */
const struct place *allocate(enum allocation policy, const struct places *places,
	const char *device, const char *region, struct err *e) MUST_CHECK;

/* The place with this address, or NULL. */
const struct place *allocate_find(const struct places *places, const char *url);

#endif
