/* SPDX-License-Identifier: Apache-2.0 */
/* The table of signed containers. Today it has one row, JSON in CMS (RFC 8366 §5.4); a further
 * encoding is a further row, and nothing that handles vouchers notices.
 */
#include "common/message/voucher_format.h"

#include <string.h>

#include "common/pki/cms.h"
#include "common/wire/media_type.h"

#define FORMATS_MAX 8 /* rows the negotiation below has room for */

/* Limits nest: a pledge's request in base64 leaves room for the registrar's own leaves, signature
 * and chain. */
_Static_assert(PLEDGE_REQUEST_MAX / 3 * 4 + 16384 <= VOUCHER_JSON_MAX,
	"the largest request of a pledge does not fit into a registrar's");
_Static_assert(VOUCHER_JSON_MAX <= CMS_DER_MAX, "JSON that no container could hold");

void signed_voucher_init(struct signed_voucher *s)
{
	*s = (struct signed_voucher){.certs = CERT_LIST_INIT};
	voucher_init(&s->fields, VOUCHER);
	buf_init(&s->payload, VOUCHER_JSON_MAX);
}

void signed_voucher_clear(struct signed_voucher *s)
{
	voucher_clear(&s->fields);
	cert_free(s->signer);
	cert_list_clear(&s->certs);
	buf_clear(&s->payload);
	signed_voucher_init(s);
}

/* Move what the container held; the CMS keeps nothing that out now owns. */
static bool take_cms(
	struct cms *cms, const struct cert_list *hint, struct signed_voucher *out, struct err *e)
{
	struct cert *signer = cms->signer ? cms->signer : cms_signer_cert(cms, hint);
	if (!voucher_parse_json(buf_bytes(&cms->payload), &out->fields, e))
		return false;
	if (!buf_append(&out->payload, cms->payload.data, cms->payload.len, e))
		return false;
	out->signer = signer ? cert_ref(signer) : NULL;
	out->certs = cms->certs;
	cms->certs = (struct cert_list)CERT_LIST_INIT;
	out->has_signing_time = cms->has_signing_time;
	out->signing_time = cms->signing_time;
	return true;
}

static bool cms_voucher_read(struct bytes octets, struct cert_cache *cache,
	const struct cert_list *signer_hint, struct signed_voucher *out, struct err *verdict,
	struct err *e)
{
	struct cms CMS_AUTO cms;
	cms_init(&cms);
	signed_voucher_init(out);
	*verdict = (struct err)ERR_INIT;
	if (!cms_parse(octets, cache, &cms, e))
		return false;
	if (cms_verify(&cms, signer_hint, verdict))
		*verdict = (struct err)ERR_INIT;
	if (take_cms(&cms, signer_hint, out, e))
		return true;
	signed_voucher_clear(out);
	return false;
}

static bool cms_voucher_open(struct bytes octets, struct cert_cache *cache,
	const struct cert_list *signer_hint, struct signed_voucher *out, struct err *e)
{
	struct cms CMS_AUTO cms;
	cms_init(&cms);
	signed_voucher_init(out);
	if (!cms_open(octets, cache, signer_hint, &cms, e))
		return false;
	if (take_cms(&cms, signer_hint, out, e))
		return true;
	signed_voucher_clear(out);
	return false;
}

static bool cms_voucher_parse(
	struct bytes octets, struct cert_cache *cache, struct signed_voucher *out, struct err *e)
{
	struct cms CMS_AUTO cms;

	cms_init(&cms);
	signed_voucher_init(out);
	if (!cms_parse(octets, cache, &cms, e))
		return false;
	if (take_cms(&cms, NULL, out, e))
		return true;
	signed_voucher_clear(out);
	return false;
}

static bool cms_voucher_seal(const struct voucher *v, const struct identity *signer,
	const struct cert_list *extra, int64_t now_unix_s, struct buf *out, struct err *e)
{
	struct buf BUF_AUTO payload = BUF_INIT(VOUCHER_JSON_MAX);
	return voucher_format_json(v, &payload, e) &&
	       cms_seal(buf_bytes(&payload), signer, extra, now_unix_s, out, e);
}

const struct voucher_format voucher_formats[] = {
	{
		.name = "cms",
		.media_type = "application/voucher-cms+json",
		.open = cms_voucher_open,
		.read = cms_voucher_read,
		.parse = cms_voucher_parse,
		.seal = cms_voucher_seal,
	},
};
const size_t voucher_format_count = sizeof(voucher_formats) / sizeof(voucher_formats[0]);
_Static_assert(sizeof(voucher_formats) / sizeof(voucher_formats[0]) <= FORMATS_MAX,
	"voucher_format_by_accept() has room for fewer formats");

const struct voucher_format *voucher_format_by_media_type(const char *content_type)
{
	for (size_t i = 0; i < voucher_format_count; i++)
		if (media_type_is(content_type, voucher_formats[i].media_type))
			return &voucher_formats[i];
	return NULL;
}

const struct voucher_format *voucher_format_by_accept(
	const char *accept, const struct voucher_format *preferred)
{
	const struct voucher_format *candidates[FORMATS_MAX + 1];
	const char *types[FORMATS_MAX + 1];
	size_t count = 0;
	if (preferred)
		candidates[count++] = preferred;
	for (size_t i = 0; i < voucher_format_count; i++)
		if (&voucher_formats[i] != preferred)
			candidates[count++] = &voucher_formats[i];
	for (size_t i = 0; i < count; i++)
		types[i] = candidates[i]->media_type;
	int chosen = media_type_negotiate(accept, types, count);
	return chosen < 0 ? NULL : candidates[chosen];
}
