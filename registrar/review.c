/* SPDX-License-Identifier: Apache-2.0 */
/* The history of a device that has its voucher already (RFC 8995 §5.8: after voucher telemetry, or
 * when telemetry never came, before the first certificate). What was delivered cannot be taken
 * back; what follows can be refused (R8995-REG-057). */
#include "registrar/review.h"

#include <stdlib.h>
#include <string.h>

#include "common/pki/cms.h"
#include "registrar/fraud.h"

struct review {
	struct registrar *r;
	struct loop *loop;
	char *manufacturer, *serial, *exchange, *subject;
	uint8_t idevid_sha256[SHA256_LEN];
	unsigned quarantine_on;
	struct history_verdict verdict;
	history_done *done;
	void *arg;
};

static void review_end(struct review *v, const struct history_verdict *verdict, const struct err *e)
{
	if (e)
		log_err(&v->r->log, "history-review-failed", v->exchange, e);
	if (v->done)
		v->done(v->arg, verdict, e);
	free(v->manufacturer);
	free(v->serial);
	free(v->exchange);
	free(v->subject);
	registrar_work_end(v->r);
	free(v);
}

static void on_review_recorded(void *arg, const int64_t *changed, const struct err *e)
{
	struct review *v = arg;

	/* Two reviews may have run at once; one alarm is enough. */
	if (!e && changed[1] > 0)
		history_alarm(v->r, v->exchange, (struct device_key){v->manufacturer, v->serial},
			&v->verdict);
	review_end(v, e ? NULL : &v->verdict, e);
}

static bool record_review(struct review *v, struct err *e)
{
	const struct device_key key = {v->manufacturer, v->serial};
	const struct records_writer w = {v->r->store, v->loop, on_review_recorded, v};
	const int64_t now = clock_unix_s(&v->r->clock);
	const struct device_record unmarked = {.found = true}; /* its marks: the store looks */
	struct fraud fraud = {.quarantine_on = v->quarantine_on};
	const struct request_record request = {.device = key,
		.subject = v->subject,
		.idevid_sha256 = v->idevid_sha256,
		.at = now,
		.fraud = &fraud};
	const struct journal_entry entry = {
		.at = now,
		.exchange = v->exchange,
		.device = key,
		.step = "history",
		.outcome = history_state_name(v->verdict.state),
		.reason = v->verdict.reason,
	};

	if (v->verdict.foreign_since) {
		fraud_add(&fraud, &unmarked, FRAUD_FOREIGN_DOMAIN, "%.*s", FRAUD_REASON_MAX,
			v->verdict.reason);
		fraud_tell(v->r, v->exchange, key, &fraud);
	}
	return records_judge_history(&w, &request, v->verdict.state, &entry, e);
}

static void on_review_answer(
	void *arg, const struct history_verdict *verdict, const struct err *failure)
{
	struct review *v = arg;
	struct err e = ERR_INIT;

	if (failure) {
		review_end(v, NULL, failure);
		return;
	}
	v->verdict = *verdict;
	if (!record_review(v, &e))
		review_end(v, NULL, &e);
}

static struct review *review_new(struct registrar *r, struct loop *l, const struct review_case *c,
	history_done *done, void *arg, struct err *e)
{
	struct review *v = mem_new(sizeof(*v), e);

	if (!v)
		return NULL;
	v->r = r;
	registrar_work_begin(r);
	v->loop = l;
	v->done = done;
	v->arg = arg;
	v->quarantine_on = c->setup->config.quarantine_on;
	memcpy(v->idevid_sha256, cert_sha256(c->idevid), SHA256_LEN);
	if ((v->manufacturer = str_dup(c->device.manufacturer, e)) &&
		(v->serial = str_dup(c->device.serial, e)) &&
		(v->exchange = str_dup(c->exchange, e)) &&
		(v->subject = str_dup(cert_subject(c->idevid), e)))
		return v;
	v->done = NULL;
	review_end(v, NULL, NULL);
	return NULL;
}

static bool start_review(
	struct review *v, const struct review_case *c, struct bytes request, struct err *e)
{
	struct history_question q = {
		.setup = c->setup,
		.face = c->setup->face,
		.manufacturer = c->manufacturer,
		.media_type = c->media_type,
		.exchange = c->exchange,
		.registrar_request = request,
	};
	unsigned tried = 0;

	return masa_address(v->r, c->manufacturer, c->idevid, &tried, &q.masa, e) &&
	       history_ask(v->r, v->loop, &q, on_review_answer, v, e);
}

bool review_device(struct registrar *r, struct loop *l, const struct review_case *c,
	history_done *done, void *arg, bool *asked, struct err *e)
{
	BUF_AUTO struct buf request = BUF_INIT(CMS_DER_MAX);
	struct review *v;

	*asked = false;
	if (!records_registrar_request(r->store, c->device, &request, e)) {
		if (e->kind != ERR_NOT_FOUND)
			return false;
		*e = (struct err)ERR_INIT;
		return true;
	}
	v = review_new(r, l, c, done, arg, e);
	if (!v)
		return false;
	if (start_review(v, c, buf_bytes(&request), e)) {
		*asked = true;
		return true;
	}
	v->done = NULL;
	review_end(v, NULL, NULL);
	return false;
}
