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
	struct cert
		*signer; /* its signature verified; whether to trust it is the caller's to judge */
	struct cert_list certs; /* what the container carried */
	struct buf payload;	/* the signed octets: JSON in a CMS, CBOR in a COSE */
	bool has_signing_time;
	int64_t signing_time;
};
void signed_voucher_init(struct signed_voucher *s);
void signed_voucher_clear(struct signed_voucher *s);
#define SIGNED_VOUCHER_AUTO __attribute__((cleanup(signed_voucher_clear)))

#define VOUCHER_FORMAT_ALIASES 3

struct voucher_format {
	const char *name;	/* "cms" */
	const char *media_type; /* "application/voucher-cms+json" */
	/* Other names peers have for the same octets; up to the first NULL. They are read, and
	 * written to whoever used them. */
	const char *aliases[VOUCHER_FORMAT_ALIASES];
	/* Parse and verify. signer_hint: certificates to search for the signer when the container
	 * does not carry it; may be NULL, as cache. out need not be initialised.
	 * ERR_INPUT not such a voucher · ERR_TOO_LARGE · ERR_UNAUTHENTICATED · ERR_NO_MEMORY */
	bool (*open)(struct bytes octets, struct cert_cache *cache,
		const struct cert_list *signer_hint, struct signed_voucher *out, struct err *e);
	/* As open, for tools that show what nobody may trust: a signature that does not verify is
	 * no failure but stands in *verdict (ERR_NONE: it is good), and signer is then whom the
	 * container names, NULL when that certificate is nowhere to be found. */
	bool (*read)(struct bytes octets, struct cert_cache *cache,
		const struct cert_list *signer_hint, struct signed_voucher *out,
		struct err *verdict, struct err *e);
	/* Parse octets whose signature was verified before, here or in an earlier request: whether
	 * it is good is not judged. signer is whom the container names, out of the certificates in
	 * it. */
	bool (*parse)(struct bytes octets, struct cert_cache *cache, struct signed_voucher *out,
		struct err *e);
	/* What the container is around. ERR_INPUT ... as voucher_parse_json() */
	bool (*parse_content)(struct bytes content, struct voucher *out, struct err *e);
	bool (*format_content)(const struct voucher *v, struct buf *out, struct err *e);
	/* Is there a signature of this container for the signer's type of key? ERR_INPUT. */
	bool (*can_seal)(const struct identity *signer, struct err *e);
	/* Sign and verify what was signed; extra: certificates to carry besides the signer, may be
	 * NULL. A pledge's request in COSE carries none at all: whoever has it, has the IDevID from
	 * the session or the registrar's request. Appends to out. */
	bool (*seal)(const struct voucher *v, const struct identity *signer,
		const struct cert_list *extra, int64_t now_unix_s, struct buf *out, struct err *e);
	/* The same of a voucher that format_content() wrote. */
	bool (*seal_content)(struct bytes content, const struct identity *signer,
		const struct cert_list *extra, int64_t now_unix_s, struct buf *out, struct err *e);
};

extern const struct voucher_format voucher_formats[];
extern const size_t voucher_format_count;

/* By Content-Type (parameters ignored), aliases included, or NULL. */
const struct voucher_format *voucher_format_by_media_type(const char *content_type);
/* The best format the Accept header takes; missing or a bare wildcard: `preferred` (T-19). NULL:
 * none (406). */
const struct voucher_format *voucher_format_by_accept(
	const char *accept, const struct voucher_format *preferred);
/* Which of the format's names to write in an answer: one that Accept takes, and among those the one
 * the peer's own Content-Type has; either may be NULL. NULL: Accept takes none of them (406). */
const char *voucher_format_answer_type(
	const struct voucher_format *format, const char *accept, const char *content_type);

#endif
