/* SPDX-License-Identifier: Apache-2.0 */
/* Where an owner wants its devices: at one of its registrars, or at an EST server that the voucher
 * names and pins; besides, where there is additional configuration for them. Cloud registrars look
 * it up (draft-ietf-anima-brski-cloud §3.2, §9.4). */
#ifndef MASA_DESTINATION_H
#define MASA_DESTINATION_H

#include "common/pki/cert.h"
#include "common/run/store.h"

#define DESTINATIONS_MAX       64 /* of one owner: a registrar per region and data centre */
#define DESTINATION_URL_MAX    512
#define DESTINATION_REGION_MAX 32
#define DESTINATION_WEIGHT_MAX 1000

enum destination_kind {
	DESTINATION_REGISTRAR,
	DESTINATION_EST,
	DESTINATION_CONFIGURATION,
	DESTINATION_KIND_COUNT
};
/* "registrar", "est", "configuration". */
const char *destination_kind_name(enum destination_kind k);

struct destination {
	enum destination_kind kind;
	char url[DESTINATION_URL_MAX + 1];
	int64_t weight;				 /* registrars: the share of devices */
	char region[DESTINATION_REGION_MAX + 1]; /* registrars: "" is none */
	struct buf pin;				 /* est: DER of its certificate or its CA's */
};

struct destinations {
	struct destination items[DESTINATIONS_MAX];
	size_t count;
};
void destinations_clear(struct destinations *d);
#define DESTINATIONS_AUTO __attribute__((cleanup(destinations_clear)))

/* All of an owner, registrars first. */
bool destinations_find(
	struct store *s, const char *owner, struct destinations *out, struct err *e) MUST_CHECK;
/* The one of this kind that an owner has at most once; NULL: none. */
const struct destination *destinations_only(
	const struct destinations *d, enum destination_kind kind);

/* Is it one? An absolute https URI; a registrar's with its path, which is the well-known one where
 * none was given; an EST server's with none (T-22). Writes the URI as it will be handed out. */
bool destination_check_url(enum destination_kind kind, const char *text,
	char out[DESTINATION_URL_MAX + 1], struct err *e) MUST_CHECK;

/* The steps that add or change one; of EST servers and configurations there is one. */
#define DESTINATION_PUT_OPS 2
size_t destination_put(
	const char *owner, const struct destination *d, struct store_op ops[DESTINATION_PUT_OPS]);
struct store_op destination_remove(const char *owner, const char *url);

#endif
