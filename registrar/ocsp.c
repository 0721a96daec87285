/* SPDX-License-Identifier: Apache-2.0 */
/* Answering OCSP (RFC 6960, RFC 9919): read the question, then a table of steps on the strangers'
 * thread: find the CA it is about, look the certificates up, sign. Each has the refusal it ends in.
 */
#include "registrar/ocsp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/net/http_date.h"
#include "common/pki/digest.h"
#include "common/pki/ocsp.h"
#include "common/wire/base64.h"
#include "common/wire/hex.h"
#include "common/wire/percent.h"
#include "registrar/meters.h"
#include "registrar/published.h"
#include "registrar/records/records.h"

#define PATH_MAX_LEN (4 * OCSP_REQUEST_DER_MAX) /* in base64, every character of it encoded */
#define FIELD_LEN    (2 * SHA256_LEN + 64)

struct question {
	struct registrar *r;
	struct registrar_setup *setup;
	struct call *call;
	bool in_path; /* GET */
	int64_t now, next_update;
	struct ocsp_request request;
	struct ca *ca;
	struct ocsp_standing standings[OCSP_ASKED_MAX];
	struct buf answer;
	enum ocsp_refusal refusal; /* for err */
	struct err err;
};

/* ---- The steps ---- */

/* Base64 of DER never begins with a slash: those in front are the asker's way to join a path. */
static bool read_path(const struct call *c, struct buf *der, struct err *e)
{
	const char *path = call_path(c) + strlen(OCSP_PATH);
	BUF_AUTO struct buf text = BUF_INIT(PATH_MAX_LEN);

	path += strspn(path, "/");
	return percent_decode(bytes_of_str(path), &text, e) &&
	       base64_decode(buf_bytes(&text), der, e);
}

static bool read_question(struct question *q, struct err *e)
{
	BUF_AUTO struct buf der = BUF_INIT(OCSP_REQUEST_DER_MAX);

	if (!q->in_path)
		return ocsp_request_parse(call_body(q->call), &q->request, e);
	return read_path(q->call, &der, e) && ocsp_request_parse(buf_bytes(&der), &q->request, e);
}

/* Only what we sign for today: certificates of a CA of before are not ours to speak about. */
static bool find_ca(struct question *q, struct err *e)
{
	bool is = false;

	for (size_t i = 0; i < CA_SLOT_COUNT; i++) {
		struct ca *ca = q->setup->cas[i];

		if (ca && !ocsp_request_is_of(&q->request, ca_cert(ca), &is, e))
			return false;
		if (ca && is) {
			q->ca = ca;
			return true;
		}
	}
	return err_set(e, ERR_REFUSED, "about certificates that are not of one issuing CA of ours");
}

static bool look_up(struct question *q, struct err *e)
{
	const struct bytes issuer = cert_ski(ca_cert(q->ca));
	char number[2 * CERT_SERIAL_MAX + 1];
	struct issued_standing found;

	for (size_t i = 0; i < q->request.count; i++) {
		hex_encode(q->request.asked[i].serial, number);
		if (!records_issued_standing(q->r->store, number, issuer, &found, e))
			return false;
		q->standings[i].revoked_at = found.revoked_at;
		q->standings[i].status = !found.found	    ? OCSP_UNKNOWN
					 : found.revoked_at ? OCSP_REVOKED
							    : OCSP_GOOD;
	}
	return true;
}

static bool sign(struct question *q, struct err *e)
{
	return ca_answer_ocsp(
		q->ca, &q->request, q->standings, q->now, &q->answer, &q->next_update, e);
}

static const struct {
	bool (*take)(struct question *q, struct err *e);
	enum ocsp_refusal refusal;
} steps[] = {
	{find_ca, OCSP_UNAUTHORIZED},
	{look_up, OCSP_TRY_LATER},
	{sign, OCSP_INTERNAL_ERROR},
};

/* ---- The answer ---- */

/* RFC 9919 §7.2. Caches ask again at half of an answer's time, so that what they give out is never
 * about to end. */
static void let_caches_keep(const struct question *q, const uint8_t digest[SHA256_LEN])
{
	char field[FIELD_LEN], hex[2 * SHA256_LEN + 1];

	hex_encode(bytes_of(digest, SHA256_LEN), hex);
	snprintf(field, sizeof(field), "\"%s\"", hex);
	call_set_header(q->call, "ETag", field);
	snprintf(field, sizeof(field), "max-age=%lld, public, no-transform, must-revalidate",
		(long long)(q->next_update - q->now) / 2);
	call_set_header(q->call, "Cache-Control", field);
	http_date_format(q->now, field);
	call_set_header(q->call, "Last-Modified", field);
	http_date_format(q->next_update, field);
	call_set_header(q->call, "Expires", field);
}

static void deliver(struct question *q)
{
	uint8_t digest[SHA256_LEN];
	struct err ignored = ERR_INIT;

	for (size_t i = 0; i < q->request.count; i++)
		meter_ocsp(q->r, (enum meter_ocsp)q->standings[i].status);
	if (q->in_path && q->request.nonce.len == 0 &&
		digest_sha256(buf_bytes(&q->answer), digest, &ignored))
		let_caches_keep(q, digest);
	else
		call_set_header(q->call, "Cache-Control", "no-store");
	call_reply(q->call, 200, OCSP_ANSWER_TYPE, buf_bytes(&q->answer));
}

static enum meter_ocsp meter_of(enum ocsp_refusal why)
{
	switch (why) {
	case OCSP_MALFORMED_REQUEST:
		return METER_OCSP_MALFORMED;
	case OCSP_INTERNAL_ERROR:
		return METER_OCSP_INTERNAL_ERROR;
	case OCSP_TRY_LATER:
		return METER_OCSP_TRY_LATER;
	case OCSP_UNAUTHORIZED:
		break;
	}
	return METER_OCSP_UNAUTHORIZED;
}

static void refuse(struct question *q, enum ocsp_refusal why, const struct err *e)
{
	BUF_AUTO struct buf der = BUF_INIT(OCSP_ANSWER_DER_MAX);
	struct err failure = *e;

	if (e->kind == ERR_NO_MEMORY)
		why = OCSP_TRY_LATER;
	meter_ocsp(q->r, meter_of(why));
	if (!ocsp_refusal_make(why, &der, &failure)) {
		call_reply_err(q->call, &q->r->log, "ocsp-refused", &failure);
		return;
	}
	/* never as an error, of which none is left out: anybody may ask as often as they like */
	log_event(&q->r->log, LOG_LEVEL_WARNING, "ocsp-refused", call_exchange(q->call), "peer",
		call_peer(q->call)->address, "kind", err_kind_name(e->kind), "reason", e->text,
		NULL);
	call_set_header(q->call, "Cache-Control", "no-store");
	call_reply(q->call, 200, OCSP_ANSWER_TYPE, buf_bytes(&der));
}

/* ---- From the call's loop to the strangers' thread, and back ---- */

static void question_free(void *question)
{
	struct question *q = question;

	ocsp_request_clear(&q->request);
	buf_clear(&q->answer);
	registrar_setup_free(q->setup);
	free(q);
}

static struct question *question_new(
	struct registrar *r, struct call *c, bool in_path, struct err *e)
{
	struct question *q = mem_new(sizeof(*q), e);

	if (q)
		*q = (struct question){
			.r = r,
			.setup = registrar_setup_take(r),
			.call = c,
			.in_path = in_path,
			.request = OCSP_REQUEST_INIT,
			.answer = BUF_INIT(OCSP_ANSWER_DER_MAX),
		};
	return q;
}

/* Without the call, which is its loop's. */
static void answer(void *question)
{
	struct question *q = question;

	q->now = registrar_now(q->r);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		if (!steps[i].take(q, &q->err)) {
			q->refusal = steps[i].refusal;
			return;
		}
}

static void finish(void *question)
{
	struct question *q = question;

	if (q->err.kind == ERR_NONE)
		deliver(q);
	else
		refuse(q, q->refusal, &q->err);
	question_free(q);
}

static const struct errand errand = {answer, finish, question_free};

/* Reading costs nothing; what costs a signature is not done on the devices' loops. */
static void serve(struct call *c, struct registrar *r, bool in_path)
{
	struct err e = ERR_INIT;
	struct question *q = question_new(r, c, in_path, &e);

	if (!q) {
		call_reply_err(c, &r->log, "ocsp-refused", &e);
		return;
	}
	q->refusal = OCSP_MALFORMED_REQUEST;
	if (!read_question(q, &q->err)) {
		finish(q);
		return;
	}
	q->refusal = OCSP_TRY_LATER;
	if (!published_run(r, call_loop(c), &errand, q, &q->err))
		finish(q);
}

void ocsp_serve(struct call *c, void *registrar)
{
	serve(c, registrar, false);
}

void ocsp_serve_get(struct call *c, void *registrar)
{
	serve(c, registrar, true);
}
