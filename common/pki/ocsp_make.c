/* SPDX-License-Identifier: Apache-2.0 */
/* Making OCSP answers (RFC 6960 §4.2): written by us, read back by OpenSSL: see ocsp.h. No reason
 * stands with a revocation, as in our lists. */
#include "common/pki/ocsp.h"

#include <openssl/ocsp.h>
#include <string.h>
#include <time.h>

#include "common/pki/cms_parts.h"
#include "common/pki/digest.h"
#include "common/pki/oid.h"
#include "common/pki/ossl.h"
#include "common/wire/der.h"

#define DER_ENUMERATED	   0x0a
#define TIME_LEN	   15			      /* 20261122103000Z */
#define KEY_HASH_TAG	   DER_CONTEXT_CONSTRUCTED(2) /* of ResponderID */
#define NEXT_UPDATE_TAG	   DER_CONTEXT_CONSTRUCTED(0)
#define EXTENSIONS_TAG	   DER_CONTEXT_CONSTRUCTED(1)
#define RESPONSE_BYTES_TAG DER_CONTEXT_CONSTRUCTED(0)
#define GOOD_TAG	   DER_CONTEXT(0)
#define REVOKED_TAG	   DER_CONTEXT_CONSTRUCTED(1)
#define UNKNOWN_TAG	   DER_CONTEXT(2)
#define SUCCESSFUL	   0

static const struct bytes oid_basic = OID_OCSP_BASIC, oid_nonce = OID_OCSP_NONCE;

/* ---- Its pieces ---- */

/* One element in another one. */
static bool put_within(
	struct buf *out, uint8_t outer, uint8_t tag, struct bytes content, struct err *e)
{
	BUF_AUTO struct buf inner = BUF_INIT(OCSP_ANSWER_DER_MAX);

	return der_put(&inner, tag, content, e) && der_put(out, outer, buf_bytes(&inner), e);
}

static bool put_time(struct buf *out, int64_t at, struct err *e)
{
	const time_t t = (time_t)at;
	char text[TIME_LEN + 1];
	struct tm tm;

	if (at < 0 || !gmtime_r(&t, &tm) || !strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &tm))
		return err_set(e, ERR_INPUT, "time outside of what an answer can say");
	return der_put(out, DER_GENERALIZED_TIME, bytes_of_str(text), e);
}

static bool put_status(struct buf *out, const struct ocsp_standing *s, struct err *e)
{
	BUF_AUTO struct buf at = BUF_INIT(2 * TIME_LEN);

	switch (s->status) {
	case OCSP_GOOD:
		return der_put(out, GOOD_TAG, bytes_of(NULL, 0), e);
	case OCSP_REVOKED:
		return put_time(&at, s->revoked_at, e) &&
		       der_put(out, REVOKED_TAG, buf_bytes(&at), e);
	case OCSP_UNKNOWN:
	case OCSP_STATUS_COUNT:
		break;
	}
	return der_put(out, UNKNOWN_TAG, bytes_of(NULL, 0), e);
}

static bool put_single(struct buf *out, const struct ocsp_answer *a, size_t i, struct err *e)
{
	BUF_AUTO struct buf content = BUF_INIT(OCSP_ANSWER_DER_MAX);
	BUF_AUTO struct buf until = BUF_INIT(2 * TIME_LEN);
	struct bytes id = a->request->asked[i].id;

	return buf_append(&content, id.data, id.len, e) &&
	       put_status(&content, &a->standings[i], e) && put_time(&content, a->this_update, e) &&
	       put_time(&until, a->next_update, e) &&
	       der_put(&content, NEXT_UPDATE_TAG, buf_bytes(&until), e) &&
	       der_put(out, DER_SEQUENCE, buf_bytes(&content), e);
}

static bool put_responses(struct buf *out, const struct ocsp_answer *a, struct err *e)
{
	BUF_AUTO struct buf content = BUF_INIT(OCSP_ANSWER_DER_MAX);

	for (size_t i = 0; i < a->request->count; i++)
		if (!put_single(&content, a, i, e))
			return false;
	return der_put(out, DER_SEQUENCE, buf_bytes(&content), e);
}

static bool put_responder(struct buf *out, const struct cert *signer, struct err *e)
{
	uint8_t key_hash[SHA1_LEN];

	return digest_sha1(cert_key_bits(signer), key_hash, e) &&
	       put_within(out, KEY_HASH_TAG, DER_OCTET_STRING, bytes_of(key_hash, sizeof(key_hash)),
		       e);
}

static bool put_nonce(struct buf *out, struct bytes nonce, struct err *e)
{
	BUF_AUTO struct buf extension = BUF_INIT(OCSP_ANSWER_DER_MAX);
	BUF_AUTO struct buf list = BUF_INIT(OCSP_ANSWER_DER_MAX);

	if (nonce.len == 0)
		return true;
	return der_put(&extension, DER_OID, oid_nonce, e) &&
	       put_within(&extension, DER_OCTET_STRING, DER_OCTET_STRING, nonce, e) &&
	       der_put(&list, DER_SEQUENCE, buf_bytes(&extension), e) &&
	       put_within(out, EXTENSIONS_TAG, DER_SEQUENCE, buf_bytes(&list), e);
}

/* ---- The whole ---- */

/* ResponseData, version 1 by default. */
static bool put_data(struct buf *out, const struct ocsp_answer *a, struct err *e)
{
	BUF_AUTO struct buf content = BUF_INIT(OCSP_ANSWER_DER_MAX);

	return put_responder(&content, a->signer->cert, e) &&
	       put_time(&content, a->this_update, e) && put_responses(&content, a, e) &&
	       put_nonce(&content, a->request->nonce, e) &&
	       der_put(out, DER_SEQUENCE, buf_bytes(&content), e);
}

/* BasicOCSPResponse; its `certs` are left out: who asks has the issuer's certificate. */
static bool put_basic(struct buf *out, const struct ocsp_answer *a, struct err *e)
{
	BUF_AUTO struct buf content = BUF_INIT(OCSP_ANSWER_DER_MAX);
	BUF_AUTO struct buf data = BUF_INIT(OCSP_ANSWER_DER_MAX);

	return put_data(&data, a, e) && buf_append(&content, data.data, data.len, e) &&
	       cms_alg_sign(a->signer->key, buf_bytes(&data), &content, e) &&
	       der_put(out, DER_SEQUENCE, buf_bytes(&content), e);
}

static bool put_answer(struct buf *out, const struct ocsp_answer *a, struct err *e)
{
	static const uint8_t successful = SUCCESSFUL;
	BUF_AUTO struct buf content = BUF_INIT(OCSP_ANSWER_DER_MAX);
	BUF_AUTO struct buf typed = BUF_INIT(OCSP_ANSWER_DER_MAX);
	BUF_AUTO struct buf basic = BUF_INIT(OCSP_ANSWER_DER_MAX);

	return put_basic(&basic, a, e) && der_put(&typed, DER_OID, oid_basic, e) &&
	       der_put(&typed, DER_OCTET_STRING, buf_bytes(&basic), e) &&
	       der_put(&content, DER_ENUMERATED, bytes_of(&successful, 1), e) &&
	       put_within(&content, RESPONSE_BYTES_TAG, DER_SEQUENCE, buf_bytes(&typed), e) &&
	       der_put(out, DER_SEQUENCE, buf_bytes(&content), e);
}

/* ---- Read back ---- */

static OCSP_BASICRESP *read_basic(struct bytes der)
{
	const uint8_t *p = der.data;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &p, (long)der.len);
	OCSP_BASICRESP *basic = NULL;

	if (response && p == der.data + der.len &&
		OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL)
		basic = OCSP_response_get1_basic(response);
	OCSP_RESPONSE_free(response);
	return basic;
}

static bool is_signed_by(OCSP_BASICRESP *basic, const struct cert *signer)
{
	STACK_OF(X509) *signers = sk_X509_new_null();
	bool ok = signers && cert_x509(signer) && sk_X509_push(signers, cert_x509(signer)) > 0 &&
		  OCSP_basic_verify(basic, signers, NULL, OCSP_TRUSTOTHER | OCSP_NOINTERN) == 1;

	sk_X509_free(signers);
	return ok;
}

static bool is_time(const ASN1_GENERALIZEDTIME *t, int64_t at)
{
	return t && ASN1_TIME_cmp_time_t(t, (time_t)at) == 0;
}

static bool says(OCSP_BASICRESP *basic, const struct ocsp_answer *a, size_t i)
{
	static const int statuses[OCSP_STATUS_COUNT] = {
		[OCSP_GOOD] = V_OCSP_CERTSTATUS_GOOD,
		[OCSP_REVOKED] = V_OCSP_CERTSTATUS_REVOKED,
		[OCSP_UNKNOWN] = V_OCSP_CERTSTATUS_UNKNOWN,
	};
	const struct ocsp_standing *s = &a->standings[i];
	const uint8_t *p = a->request->asked[i].id.data;
	OCSP_CERTID *id = d2i_OCSP_CERTID(NULL, &p, (long)a->request->asked[i].id.len);
	ASN1_GENERALIZEDTIME *revoked, *from, *until;
	OCSP_SINGLERESP *single = OCSP_resp_get0(basic, (int)i);
	bool ok = id && single && OCSP_id_cmp(OCSP_SINGLERESP_get0_id(single), id) == 0 &&
		  OCSP_single_get0_status(single, NULL, &revoked, &from, &until) ==
			  statuses[s->status] &&
		  is_time(from, a->this_update) && is_time(until, a->next_update) &&
		  (s->status != OCSP_REVOKED || is_time(revoked, s->revoked_at));

	OCSP_CERTID_free(id);
	return ok;
}

/* What leaves is what was verified, and it says of everybody what it should. */
static bool read_back(const struct ocsp_answer *a, struct bytes der, struct err *e)
{
	OCSP_BASICRESP *basic = read_basic(der);
	bool whole = basic && is_signed_by(basic, a->signer->cert) &&
		     OCSP_resp_count(basic) == (int)a->request->count;

	for (size_t i = 0; whole && i < a->request->count; i++)
		whole = says(basic, a, i);
	OCSP_BASICRESP_free(basic);
	return whole || ossl_fail(e, ERR_BUG, "the answer does not say what it is to say");
}

bool ocsp_answer_check(const struct ocsp_answer *a, struct bytes der, struct err *e)
{
	bool ok;

	ossl_begin();
	ok = read_back(a, der, e);
	ossl_forget();
	return ok;
}

bool ocsp_answer_make(const struct ocsp_answer *a, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf der = BUF_INIT(OCSP_ANSWER_DER_MAX);
	bool ok;

	ossl_begin();
	ok = (a->next_update > a->this_update ||
		     err_set(e, ERR_INPUT, "nextUpdate is not after thisUpdate")) &&
	     put_answer(&der, a, e) && read_back(a, buf_bytes(&der), e) &&
	     buf_append(out, der.data, der.len, e);
	ossl_forget();
	return ok || err_prefix(e, "OCSP answer not made");
}

bool ocsp_refusal_make(enum ocsp_refusal why, struct buf *out, struct err *e)
{
	const uint8_t status = (uint8_t)why;

	return put_within(out, DER_SEQUENCE, DER_ENUMERATED, bytes_of(&status, 1), e);
}
