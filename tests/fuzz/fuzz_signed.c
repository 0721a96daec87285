/* SPDX-License-Identifier: Apache-2.0 */
/* The mutator for signed vouchers: take the container apart, change the JSON, sign it again. What
 * is changed is either octets (by libFuzzer, so what it learnt counts) or a whole leaf. */
#include <stdlib.h>
#include <string.h>

#include "common/message/voucher_cbor.h"
#include "common/pki/cms.h"
#include "common/pki/cose.h"
#include "common/wire/base64.h"
#include "tests/fuzz/fuzz.h"

#define PRIOR "\"prior-signed-voucher-request\":\""

/* A small generator of its own: the seed is libFuzzer's, the result must depend on nothing else. */
static unsigned draw(unsigned *seed, unsigned below)
{
	*seed = *seed * 1103515245u + 12345u;
	return (*seed >> 16) % below;
}

static const char *const words[] = {"ietf-voucher:voucher", "ietf-voucher-request:voucher",
	"serial-number", "nonce", "created-on", "expires-on", "last-renewal-date", "assertion",
	"idevid-issuer", "pinned-domain-cert", "pinned-domain-pubk", "pinned-domain-pubk-sha256",
	"domain-cert-revocation-checks", "proximity-registrar-cert", "proximity-registrar-pubk",
	"proximity-registrar-pubk-sha256", "prior-signed-voucher-request", "est-domain",
	"additional-configuration-url", "proximity", "logged", "verified", "agent-proximity",
	"2026-11-30T00:00:00Z", "2026-12-01T10:00:00.5+01:00", "1969-12-31T23:59:59Z", FUZZ_NONCE,
	"AAECAwQFBgcICQoLDA0ODw", "FUZZ-1", "true", "false", "null", "1", "[]", "{}", "\\u0000",
	"BBgwFoAU"};
#define WORD_COUNT (sizeof(words) / sizeof(*words))

/* Position of the n-th quoted string's first character; *end is that of its closing quote. */
static bool find_string(const struct buf *json, unsigned n, size_t *start, size_t *end)
{
	const uint8_t *p = json->data, *stop = json->data + json->len, *q;

	while (p && p < stop) {
		p = memchr(p, '"', (size_t)(stop - p));
		q = p ? memchr(p + 1, '"', (size_t)(stop - p - 1)) : NULL;
		if (!q)
			return false;
		if (n-- == 0) {
			*start = (size_t)(p + 1 - json->data);
			*end = (size_t)(q - json->data);
			return true;
		}
		p = q + 1;
	}
	return false;
}

static bool replace(
	struct buf *b, size_t start, size_t end, const char *with, size_t with_len, struct err *e)
{
	BUF_AUTO struct buf tail = BUF_INIT(b->max);

	if (!buf_append(&tail, b->data + end, b->len - end, e))
		return false;
	b->len = start;
	return buf_append(b, with, with_len, e) && buf_append(b, tail.data, tail.len, e);
}

static bool mutate_leaf(struct buf *json, unsigned *seed)
{
	const char *word = words[draw(seed, WORD_COUNT)];
	struct err e = ERR_INIT;
	size_t start, end;

	if (!find_string(json, draw(seed, 24), &start, &end))
		return false;
	if (draw(seed, 8) == 0 && start > 0) { /* the quotes, too: another type */
		start--;
		end++;
	}
	return replace(json, start, end, word, strlen(word), &e);
}

static bool mutate_octets(struct buf *json)
{
	size_t room = json->len + 256;
	uint8_t *octets = malloc(room);
	struct err e = ERR_INIT;
	bool ok;

	FUZZ_REQUIRE(octets);
	if (json->len)
		memcpy(octets, json->data, json->len);
	room = LLVMFuzzerMutate(octets, json->len, room);
	json->len = 0;
	ok = buf_append(json, octets, room, &e);
	free(octets);
	return ok;
}

static bool mutate_json(struct buf *json, unsigned *seed)
{
	if (json->len && draw(seed, 2) && mutate_leaf(json, seed))
		return true;
	return mutate_octets(json);
}

static bool take_apart(struct bytes der, struct buf *payload)
{
	CMS_AUTO struct cms c;
	struct err e = ERR_INIT;

	return cms_parse(der, fuzz_site()->certs, &c, &e) &&
	       buf_append(payload, c.payload.data, c.payload.len, &e);
}

/* Change the request inside the JSON of the one outside, and sign it. */
static bool mutate_inner(struct buf *json, unsigned *seed, const struct identity *inner)
{
	BUF_AUTO struct buf der = BUF_INIT(CMS_DER_MAX), payload = BUF_INIT(CMS_DER_MAX),
			    sealed = BUF_INIT(CMS_DER_MAX), text = BUF_INIT(2 * CMS_DER_MAX);
	const uint8_t *at = memmem(json->data, json->len, PRIOR, strlen(PRIOR)), *quote;
	struct err e = ERR_INIT;
	size_t start;

	if (!at)
		return false;
	start = (size_t)(at - json->data) + strlen(PRIOR);
	quote = memchr(json->data + start, '"', json->len - start);
	if (!quote ||
		!base64_decode(bytes_of(json->data + start, (size_t)(quote - json->data) - start),
			&der, &e) ||
		!take_apart(buf_bytes(&der), &payload) || !mutate_json(&payload, seed) ||
		!cms_seal(buf_bytes(&payload), inner, &inner->chain, FUZZ_NOW, &sealed, &e) ||
		!base64_encode(buf_bytes(&sealed), &text, &e))
		return false;
	return replace(json, start, (size_t)(quote - json->data), buf_str(&text), text.len, &e);
}

static bool mutate_outer(struct buf *json, unsigned *seed, const struct identity *inner)
{
	if (inner && json->len && draw(seed, 2) && mutate_inner(json, seed, inner))
		return true;
	return mutate_json(json, seed);
}

size_t fuzz_mutate_signed(uint8_t *data, size_t len, size_t room, unsigned seed,
	const struct identity *signer, const struct identity *inner, bool alone)
{
	BUF_AUTO struct buf json = BUF_INIT(CMS_DER_MAX);
	BUF_AUTO struct buf sealed = BUF_INIT(CMS_DER_MAX);
	struct err e = ERR_INIT;

	if (draw(&seed, 10) == 0 || !take_apart(bytes_of(data, len), &json) ||
		!mutate_outer(&json, &seed, inner) ||
		!cms_seal(buf_bytes(&json), signer, alone ? NULL : &signer->chain, FUZZ_NOW,
			&sealed, &e) ||
		sealed.len > room)
		return LLVMFuzzerMutate(data, len, room);
	memcpy(data, sealed.data, sealed.len);
	return sealed.len;
}

/* ---- COSE ---- */

static bool take_cose_apart(struct bytes octets, struct buf *payload)
{
	COSE_AUTO struct cose c;
	struct err e = ERR_INIT;

	return cose_parse(octets, fuzz_site()->certs, &c, &e) &&
	       buf_append(payload, c.payload.data, c.payload.len, &e);
}

/* One item, or octets anywhere. */
static bool change_content(struct buf *cbor, unsigned *seed)
{
	BUF_AUTO struct buf changed = BUF_INIT(2 * COSE_MAX);
	struct err e = ERR_INIT;

	if (draw(seed, 8) == 0 || !fuzz_change_cbor(buf_bytes(cbor), draw(seed, 1 << 15), &changed))
		return mutate_octets(cbor);
	cbor->len = 0;
	return buf_append(cbor, changed.data, changed.len, &e);
}

/* Change the request inside, sign it, and put it back: the leaf is found by reading the voucher. */
static bool change_inner(struct buf *cbor, unsigned *seed, const struct identity *inner)
{
	BUF_AUTO struct buf payload = BUF_INIT(COSE_MAX), sealed = BUF_INIT(COSE_MAX);
	VOUCHER_AUTO struct voucher v;
	struct err e = ERR_INIT;

	voucher_init(&v, VOUCHER);
	if (!voucher_parse_cbor(buf_bytes(cbor), &v, &e) ||
		!take_cose_apart(buf_bytes(&v.prior_signed_voucher_request), &payload) ||
		!change_content(&payload, seed) ||
		!cose_seal(buf_bytes(&payload), inner, NULL, &sealed, &e))
		return false;
	buf_clear(&v.prior_signed_voucher_request);
	cbor->len = 0;
	return buf_append(&v.prior_signed_voucher_request, sealed.data, sealed.len, &e) &&
	       voucher_format_cbor(&v, cbor, &e);
}

size_t fuzz_mutate_cose(uint8_t *data, size_t len, size_t room, unsigned seed,
	const struct identity *signer, const struct identity *inner, const struct cert_list *certs)
{
	BUF_AUTO struct buf cbor = BUF_INIT(COSE_MAX);
	BUF_AUTO struct buf sealed = BUF_INIT(COSE_MAX);
	struct err e = ERR_INIT;

	if (draw(&seed, 10) == 0 || !take_cose_apart(bytes_of(data, len), &cbor))
		return fuzz_mutate_cbor(data, len, room, seed);
	if (!(inner && draw(&seed, 2) && change_inner(&cbor, &seed, inner)) &&
		!change_content(&cbor, &seed))
		return LLVMFuzzerMutate(data, len, room);
	if (!cose_seal(buf_bytes(&cbor), signer, certs, &sealed, &e) || sealed.len > room)
		return LLVMFuzzerMutate(data, len, room);
	memcpy(data, sealed.data, sealed.len);
	return sealed.len;
}
