/* SPDX-License-Identifier: Apache-2.0 */
/* The signed containers a voucher travels in, as a const table by media type. Handlers see the
 * struct and never the encoding. */
#ifndef MESSAGE_VOUCHER_FORMAT_H
#define MESSAGE_VOUCHER_FORMAT_H

#include "common/message/voucher.h"
#include "common/pki/cert_cache.h"
#include "common/pki/identity.h"

/* A voucher with the proof that somebody signed it. */
struct signed_voucher {
	struct voucher fields;
	struct cert *signer;      /* its signature verified; whether to trust it is the caller's to judge */
	struct cert_list certs;   /* what the container carried */
	struct buf payload;       /* the signed JSON (or CBOR) octets */
	bool has_signing_time;
	int64_t signing_time;
};
void signed_voucher_init(struct signed_voucher *s);
void signed_voucher_clear(struct signed_voucher *s);
#define SIGNED_VOUCHER_AUTO __attribute__((cleanup(signed_voucher_clear)))

struct voucher_format {
	const char *name;        /* "cms" */
	const char *media_type;  /* "application/voucher-cms+json" */
	bool (*open)(struct bytes octets, struct cert_cache *cache, const struct cert_list *signer_hint,
		struct signed_voucher *out, struct err *e);
	bool (*seal)(const struct voucher *v, const struct identity *signer,
		const struct cert_list *extra, int64_t now_unix_s, struct buf *out, struct err *e);
};

extern const struct voucher_format voucher_formats[];
extern const size_t voucher_format_count;

/* By Content-Type (parameters ignored), or NULL. */
const struct voucher_format *voucher_format_by_media_type(const char *content_type);
/* The best format the Accept header takes; missing or a bare wildcard: `preferred` (T-19). NULL: none (406). */
const struct voucher_format *voucher_format_by_accept(const char *accept,
	const struct voucher_format *preferred);

#endif
