/* SPDX-License-Identifier: Apache-2.0 */
/* The table of signed containers: JSON in CMS (RFC 8366 §5.4) and CBOR in COSE (rfc8366bis,
 * draft-ietf-anima-constrained-voucher §9). A further encoding is a further row, and nothing that
 * handles vouchers notices.
 */
#include "common/message/voucher_format.h"

#include <string.h>

#include "common/message/voucher_cbor.h"
#include "common/pki/cms.h"
#include "common/pki/cose.h"
#include "common/wire/media_type.h"

#define FORMATS_MAX 4 /* rows the negotiation below has room for */
#define NAMES_MAX   (FORMATS_MAX * (1 + VOUCHER_FORMAT_ALIASES))

/* Limits nest: a pledge's request in base64 leaves room for the registrar's own leaves, signature
 * and chain. */
_Static_assert(PLEDGE_REQUEST_MAX / 3 * 4 + 16384 <= VOUCHER_JSON_MAX,
	"the largest request of a pledge does not fit into a registrar's");
_Static_assert(VOUCHER_JSON_MAX <= CMS_DER_MAX, "JSON that no container could hold");
_Static_assert(VOUCHER_CBOR_MAX <= COSE_MAX, "CBOR that no container could hold");

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

/* ---- COSE ---- */

/* Move what the container held. */
static bool take_cose(struct cose *cose, struct signed_voucher *out, struct err *e)
{
	if (!voucher_parse_cbor(buf_bytes(&cose->payload), &out->fields, e) ||
		!buf_append(&out->payload, cose->payload.data, cose->payload.len, e)) {
		signed_voucher_clear(out);
		return false;
	}
	out->signer = cose->signer;
	cose->signer = NULL;
	out->certs = cose->certs;
	cose->certs = (struct cert_list)CERT_LIST_INIT;
	return true;
}

/* Who it may have been, for tools only: COSE names nobody. */
static struct cert *likely_signer(const struct cert_list *certs)
{
	for (size_t i = 0; i < certs->count; i++)
		if (cert_eku(certs->items[i]) & CERT_EKU_CMC_RA)
			return certs->items[i];
	for (size_t i = 0; i < certs->count; i++)
		if (!cert_is_ca(certs->items[i]))
			return certs->items[i];
	return certs->count > 0 ? certs->items[0] : NULL;
}

static bool cose_voucher_read(struct bytes octets, struct cert_cache *cache,
	const struct cert_list *signer_hint, struct signed_voucher *out, struct err *verdict,
	struct err *e)
{
	struct cose COSE_AUTO cose;
	cose_init(&cose);
	signed_voucher_init(out);
	*verdict = (struct err)ERR_INIT;
	if (!cose_parse(octets, cache, &cose, e))
		return false;
	if (cose_verify(&cose, signer_hint, verdict))
		*verdict = (struct err)ERR_INIT;
	if (!take_cose(&cose, out, e))
		return false;
	struct cert *likely = likely_signer(&out->certs);
	if (!out->signer && likely)
		out->signer = cert_ref(likely);
	return true;
}

static bool cose_voucher_open(struct bytes octets, struct cert_cache *cache,
	const struct cert_list *signer_hint, struct signed_voucher *out, struct err *e)
{
	struct cose COSE_AUTO cose;
	cose_init(&cose);
	signed_voucher_init(out);
	return cose_open(octets, cache, signer_hint, &cose, e) && take_cose(&cose, out, e);
}

/* The signature has to be tried to know whose it is; one that is nobody's leaves no signer. */
static bool cose_voucher_parse(
	struct bytes octets, struct cert_cache *cache, struct signed_voucher *out, struct err *e)
{
	struct cose COSE_AUTO cose;
	struct err why = ERR_INIT;
	cose_init(&cose);
	signed_voucher_init(out);
	if (!cose_parse(octets, cache, &cose, e))
		return false;
	if (!cose_verify(&cose, NULL, &why) && why.kind == ERR_NO_MEMORY) {
		*e = why;
		return false;
	}
	return take_cose(&cose, out, e);
}

/* A pledge's request is as short as it can be (draft-ietf-anima-constrained-voucher §9.2.2). */
static bool is_a_pledges(const struct voucher *v, const struct identity *signer)
{
	return v->kind == VOUCHER_REQUEST && v->prior_signed_voucher_request.len == 0 &&
	       !(cert_eku(signer->cert) & CERT_EKU_CMC_RA);
}

static bool cose_content_seal(struct bytes content, const struct identity *signer,
	const struct cert_list *extra, int64_t now_unix_s, struct buf *out, struct err *e)
{
	struct cert_list CERT_LIST_AUTO bag = CERT_LIST_INIT;
	return cert_list_add(&bag, signer->cert, e) &&
	       (!extra || cert_list_append(&bag, extra, e)) &&
	       cose_seal(content, signer, &bag, out, e);
}

static bool cose_voucher_seal(const struct voucher *v, const struct identity *signer,
	const struct cert_list *extra, int64_t now_unix_s, struct buf *out, struct err *e)
{
	struct buf BUF_AUTO payload = BUF_INIT(VOUCHER_CBOR_MAX);
	if (!voucher_format_cbor(v, &payload, e))
		return false;
	if (is_a_pledges(v, signer))
		return cose_seal(buf_bytes(&payload), signer, NULL, out, e);
	return cose_content_seal(buf_bytes(&payload), signer, extra, now_unix_s, out, e);
}

/* ---- the table ---- */

const struct voucher_format voucher_formats[] = {
	{
		.name = "cms",
		.media_type = "application/voucher-cms+json",
		.open = cms_voucher_open,
		.read = cms_voucher_read,
		.parse = cms_voucher_parse,
		.parse_content = voucher_parse_json,
		.format_content = voucher_format_json,
		.can_seal = cms_can_seal,
		.seal = cms_voucher_seal,
		.seal_content = cms_seal,
	},
	{
		.name = "cose",
		.media_type = "application/voucher+cose",
		/* its name in drafts before -23, and COSE's own, which old registrars send */
		.aliases = {"application/voucher-cose+cbor", "application/cose"},
		.open = cose_voucher_open,
		.read = cose_voucher_read,
		.parse = cose_voucher_parse,
		.parse_content = voucher_parse_cbor,
		.format_content = voucher_format_cbor,
		.can_seal = cose_can_seal,
		.seal = cose_voucher_seal,
		.seal_content = cose_content_seal,
	},
};
const size_t voucher_format_count = sizeof(voucher_formats) / sizeof(voucher_formats[0]);
_Static_assert(sizeof(voucher_formats) / sizeof(voucher_formats[0]) <= FORMATS_MAX,
	"voucher_format_by_accept() has room for fewer formats");

/* The format's names, its own first; how many. */
static size_t names_of(const struct voucher_format *f, const char *names[])
{
	size_t count = 0;
	names[count++] = f->media_type;
	for (size_t i = 0; i < VOUCHER_FORMAT_ALIASES && f->aliases[i]; i++)
		names[count++] = f->aliases[i];
	return count;
}

/* The one of the format's names that the header has, or NULL. */
static const char *name_in(const struct voucher_format *f, const char *content_type)
{
	const char *names[1 + VOUCHER_FORMAT_ALIASES];
	size_t count = names_of(f, names);
	for (size_t i = 0; i < count; i++)
		if (media_type_is(content_type, names[i]))
			return names[i];
	return NULL;
}

const struct voucher_format *voucher_format_by_media_type(const char *content_type)
{
	for (size_t i = 0; i < voucher_format_count; i++)
		if (name_in(&voucher_formats[i], content_type))
			return &voucher_formats[i];
	return NULL;
}

const struct voucher_format *voucher_format_by_accept(
	const char *accept, const struct voucher_format *preferred)
{
	const struct voucher_format *formats[NAMES_MAX];
	const char *names[NAMES_MAX];
	size_t count = 0;
	for (size_t i = 0; i <= voucher_format_count; i++) {
		const struct voucher_format *f = i == 0 ? preferred : &voucher_formats[i - 1];
		if (!f || (i > 0 && f == preferred))
			continue;
		for (size_t end = count + names_of(f, names + count); count < end; count++)
			formats[count] = f;
	}
	int chosen = media_type_negotiate(accept, names, count);
	return chosen < 0 ? NULL : formats[chosen];
}

const char *voucher_format_answer_type(
	const struct voucher_format *format, const char *accept, const char *content_type)
{
	const char *names[2 + VOUCHER_FORMAT_ALIASES];
	const char *theirs = name_in(format, content_type);
	size_t count = 0;
	if (theirs)
		names[count++] = theirs;
	count += names_of(format, names + count);
	int chosen = media_type_negotiate(accept, names, count);
	return chosen < 0 ? NULL : names[chosen];
}
