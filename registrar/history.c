/* SPDX-License-Identifier: Apache-2.0 */
/* Asking for and judging audit logs. An event that names another domain says that somebody else
 * got, or could still use, a voucher for this device; one without a nonce can be replayed for ever.
 * Both are refused unless the administrator said otherwise: a nonceless one whoever asked for it,
 * but ourselves where vouchers are fetched ahead (R8995-REG-042, -049).
 *
 * The MASA may answer with the log (200) or with where it is (201 and Location): one hop, and
 * without our credentials when it leaves the MASA's origin (R8995-REG-041). */
#include "registrar/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registrar/masa_watch.h"
#include "registrar/meters.h"

static void worsen(struct history_verdict *v, enum audit_judgement policy, const char *what,
	const struct audit_event *event)
{
	enum history_state state = policy == AUDIT_REFUSE ? HISTORY_REFUSED : HISTORY_WARNED;

	if (state <= v->state)
		return;
	v->state = state;
	snprintf(v->reason, sizeof(v->reason), "%s (domainID %.64s, %s)", what,
		event->domain_id ? event->domain_id : "-",
		voucher_assertion_name(event->assertion) ? voucher_assertion_name(event->assertion)
							 : "no assertion");
}

/* When we got our first voucher; INT64_MAX: never. */
static bool first_own(
	const struct audit_log *log, const struct domain *own, int64_t *date, struct err *e)
{
	*date = INT64_MAX;
	for (size_t i = 0; i < log->event_count; i++) {
		const struct audit_event *event = &log->events[i];
		bool is_own = false;

		if (event->domain_id && !domain_is_own(own, event->domain_id, &is_own, e))
			return false;
		if (is_own && event->date < *date)
			*date = event->date;
	}
	return true;
}

bool history_judge(const struct audit_log *log, const struct domain *own,
	const struct history_policy *policy, struct history_verdict *out, struct err *e)
{
	int64_t ours;

	*out = (struct history_verdict){.state = HISTORY_GOOD};
	if (!first_own(log, own, &ours, e))
		return false;
	snprintf(out->reason, sizeof(out->reason), "%zu event%s, all ours", log->event_count,
		log->event_count == 1 ? "" : "s");
	for (size_t i = 0; i < log->event_count; i++) {
		const struct audit_event *event = &log->events[i];
		bool is_own = false;

		if (event->domain_id && !domain_is_own(own, event->domain_id, &is_own, e))
			return false;
		out->foreign_since = out->foreign_since || (!is_own && event->date > ours);
		if (!is_own)
			worsen(out, policy->foreign_domain, "voucher for another domain", event);
		if (!event->nonce && !(is_own && policy->fetches_ahead))
			worsen(out, policy->nonceless, "voucher without a nonce", event);
	}
	if (log->arbitrary > 0 && out->state == HISTORY_GOOD) {
		out->state = HISTORY_WARNED;
		snprintf(out->reason, sizeof(out->reason), "the MASA has dropped %u events",
			log->arbitrary);
	}
	return true;
}

struct inquiry {
	struct registrar *r;
	struct registrar_setup *setup;
	struct registrar_face *face;
	struct loop *loop;
	const struct manufacturer *manufacturer;
	struct uri masa;
	char *exchange;
	bool redirected;
	int64_t asked_us;
	history_done *done;
	void *arg;
};

static void inquiry_free(struct inquiry *q)
{
	registrar_setup_free(q->setup);
	registrar_face_free(q->face);
	free(q->exchange);
	registrar_work_end(q->r);
	free(q);
}

static void inquiry_end(struct inquiry *q, const struct history_verdict *v, const struct err *e)
{
	meter_history(q->r, v);
	q->done(q->arg, v, e);
	inquiry_free(q);
}

static void on_reply(void *arg, const struct http_reply *reply, const struct err *failure);

static bool follow(struct inquiry *q, const char *location, struct err *e)
{
	struct masa_request request = {
		.setup = q->setup,
		.face = q->face,
		.manufacturer = q->manufacturer,
		.accept = "application/json",
		.exchange = q->exchange,
		.reply_max = AUDIT_LOG_MAX,
	};

	if (!location || q->redirected)
		return err_set(e, ERR_PEER, "audit log: 201 without a usable Location");
	if (!uri_resolve(&q->masa, location, &request.uri, e)) {
		e->kind = ERR_PEER;
		return err_prefix(e, "audit log: Location");
	}
	q->redirected = true;
	q->asked_us = clock_mono_us();
	request.foreign_origin = !uri_same_origin(&q->masa, &request.uri);
	return masa_send(q->r, q->loop, &request, on_reply, q, e);
}

static bool read_log(struct inquiry *q, struct bytes body, struct history_verdict *v, struct err *e)
{
	AUDIT_LOG_AUTO struct audit_log log = {0};
	const struct history_policy policy = {
		(enum audit_judgement)q->setup->config.audit_foreign,
		(enum audit_judgement)q->setup->config.audit_nonceless,
		q->setup->config.stored_vouchers != STORED_OFF,
	};

	if (!audit_log_parse(body, &log, e)) {
		if (e->kind == ERR_INPUT || e->kind == ERR_TOO_LARGE)
			e->kind = ERR_PEER;
		return err_prefix(e, "audit log");
	}
	if (log.version > 1)
		log_event(&q->r->log, LOG_LEVEL_WARNING, "audit-log-version-unknown", q->exchange,
			NULL);
	return history_judge(&log, &q->face->domain, &policy, v, e);
}

/* False with e->kind ERR_NONE: not finished, another request is under way. */
static bool judge_reply(
	struct inquiry *q, const struct http_reply *reply, struct history_verdict *v, struct err *e)
{
	if (reply->status == 201) {
		if (follow(q, reply->location, e))
			e->kind = ERR_NONE;
		return false;
	}
	if (reply->status == 404) {
		v->state = HISTORY_WARNED;
		snprintf(v->reason, sizeof(v->reason), "the MASA has no audit log of the device");
		return true;
	}
	if (reply->status != 200) {
		masa_status_error(&q->masa, reply->status, reply->body, e);
		return err_prefix(e, "audit log");
	}
	return read_log(q, reply->body, v, e);
}

static void on_reply(void *arg, const struct http_reply *reply, const struct err *failure)
{
	struct inquiry *q = arg;
	struct history_verdict v = {.state = HISTORY_UNKNOWN};
	struct err e = ERR_INIT;

	meter_masa(q->r, METER_REQUESTAUDITLOG, q->asked_us, reply);
	masa_watch_tell(q->r, q->loop, q->manufacturer->config->name, q->exchange, failure);
	if (failure) {
		masa_transport_error(&q->masa, failure, &e);
		inquiry_end(q, NULL, &e);
	} else if (judge_reply(q, reply, &v, &e)) {
		inquiry_end(q, &v, NULL);
	} else if (e.kind != ERR_NONE) {
		inquiry_end(q, NULL, &e);
	}
}

bool history_ask(struct registrar *r, struct loop *l, const struct history_question *w,
	history_done *done, void *arg, struct err *e)
{
	struct inquiry *q = mem_new(sizeof(*q), e);
	const struct masa_request request = {
		.setup = w->setup,
		.face = w->face,
		.manufacturer = w->manufacturer,
		.uri = w->masa,
		.resource = "requestauditlog",
		.media_type = w->media_type,
		.accept = "application/json",
		.exchange = w->exchange,
		.body = w->registrar_request,
		.reply_max = AUDIT_LOG_MAX,
	};

	if (!q)
		return false;
	q->r = r;
	registrar_work_begin(r);
	q->setup = registrar_setup_ref(w->setup);
	q->face = registrar_face_ref(w->face);
	q->loop = l;
	q->manufacturer = w->manufacturer;
	q->masa = w->masa;
	q->done = done;
	q->arg = arg;
	q->asked_us = clock_mono_us();
	q->exchange = str_dup(w->exchange, e);
	if (q->exchange && masa_send(r, l, &request, on_reply, q, e))
		return true;
	inquiry_free(q);
	return false;
}

void history_alarm(const struct registrar *r, const char *exchange, struct device_key device,
	const struct history_verdict *v)
{
	if (v->state != HISTORY_REFUSED && v->state != HISTORY_WARNED)
		return;
	log_event(&r->log, v->state == HISTORY_REFUSED ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING,
		v->state == HISTORY_REFUSED ? "alert-history-refused" : "history-warning", exchange,
		"manufacturer", device.manufacturer, "serial", device.serial, "reason", v->reason,
		NULL);
}
