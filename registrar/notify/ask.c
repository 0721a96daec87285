/* SPDX-License-Identifier: Apache-2.0 */
/* Questions: made on the loop of the device, sent and answered on the hooks' thread. */
#include "registrar/notify/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/digest_map.h"
#include "common/base/rng.h"
#include "common/wire/hex.h"
#include "registrar/admin/answer.h"
#include "registrar/notify/ask_answer.h"
#include "registrar/notify/hooks_impl.h"
#include "registrar/meters.h"
#include "registrar/records/ask.h"
#include "registrar/records/sites.h"

#define UNDER_WAY_MAX 64    /* questions at one time; who finds no room asks at the next poll */
#define REMEMBERED    10000 /* devices that were asked about lately; 100 octets each */
#define ACTOR_MAX     (URI_HOST_MAX + 16)

struct asker {
	pthread_mutex_t lock;	  /* guards the next */
	struct digest_map *asked; /* int64_t: when, of clock_mono_ms() */
	atomic_int under_way;
	struct question *first; /* sent and not answered; the hooks' thread only */
};

struct question {
	struct question *next;
	struct registrar *r;
	struct registrar_setup *setup;
	bool sent;
	char id[EXCHANGE_ID_MAX + 1], exchange[EXCHANGE_ID_MAX + 1];
	char *manufacturer, *serial;
	char by[ACTOR_MAX];
	char reason[REASON_LEN_MAX + 1];
	struct buf body;
};

static void question_free(void *arg)
{
	struct question *q = arg;

	atomic_fetch_sub(&q->r->asker->under_way, 1);
	registrar_setup_free(q->setup);
	buf_clear(&q->body);
	free(q->manufacturer);
	free(q->serial);
	free(q);
}

static void question_end(struct question *q)
{
	struct question **at = &q->r->asker->first;

	while (q->sent && *at != q)
		at = &(*at)->next;
	if (q->sent)
		*at = q->next;
	question_free(q);
}

/* ---- The answer ---- */

static void failed(struct question *q, const struct err *e)
{
	meter_ask(q->r, METER_ASK_FAILED);
	log_err(&q->r->log, "decision-failed", q->exchange, e);
}

static void on_decided(void *arg, const int64_t *changed, const struct err *e)
{
	struct question *q = arg;

	if (e && e->kind != ERR_CONFLICT)
		failed(q, e);
	else if (e)
		log_event(&q->r->log, LOG_LEVEL_INFO, "decision-too-late", q->exchange,
			"manufacturer", q->manufacturer, "serial", q->serial, NULL);
	else
		registrar_count_claims(q->r);
	question_end(q);
}

static bool site_is_there(struct registrar *r, const char *site, struct err *e)
{
	bool exists;

	if (!site[0])
		return true;
	return records_site_exists(r->store, site, &exists, e) &&
	       (exists || err_set(e, ERR_PEER, "there is no site \"%s\"", site));
}

static bool decide(struct question *q, const struct ask_answer *a, struct err *e)
{
	const struct records_writer w = {q->r->store, q->r->hooks->loop, on_decided, q};
	const bool approve = a->decision == ASK_APPROVE;
	const int64_t now = registrar_now(q->r);
	const struct asked_record record = {
		.to = approve ? CLAIM_APPROVED : CLAIM_REJECTED,
		.until = approve ? registrar_approval_end(q->r, now) : 0,
		.site = a->site[0] ? a->site : NULL,
		.labels = a->labels.len ? buf_str(&a->labels) : NULL,
	};
	const struct journal_entry line = {
		.at = now,
		.exchange = q->exchange,
		.device = {q->manufacturer, q->serial},
		.actor = q->by,
		.step = "claim",
		.outcome = approve ? "approved" : "rejected",
		.reason = a->reason[0] ? a->reason : NULL,
	};

	return site_is_there(q->r, a->site, e) && records_decide_asked(&w, &record, &line, e);
}

static bool read_answer(
	struct question *q, const struct http_reply *reply, struct ask_answer *a, struct err *e)
{
	if (reply->status != 200)
		return err_set(e, ERR_PEER, "answered %d", reply->status);
	return ask_answer_verify(reply->body, reply->brski_timestamp, reply->brski_signature,
		       buf_str(&q->setup->decision_secret), registrar_now(q->r), e) &&
	       ask_answer_parse(reply->body, q->id, a, e);
}

static void on_answer(void *arg, const struct http_reply *reply, const struct err *failure)
{
	static const enum meter_ask meters[ASK_DECISION_COUNT] = {
		METER_ASK_APPROVED, METER_ASK_HELD, METER_ASK_REJECTED};
	ASK_ANSWER_AUTO struct ask_answer a = {.decision = ASK_HOLD};
	struct question *q = arg;
	struct err e = ERR_INIT;

	if (failure)
		e = *failure;
	if (failure || !read_answer(q, reply, &a, &e)) {
		err_prefix(&e, "%s", q->by);
		failed(q, &e);
		question_end(q);
		return;
	}
	log_event(&q->r->log, LOG_LEVEL_INFO, "decision", q->exchange, "manufacturer",
		q->manufacturer, "serial", q->serial, "decision", ask_decision_names[a.decision],
		"by", q->by, "reason", a.reason[0] ? a.reason : NULL, NULL);
	if (a.decision != ASK_HOLD && !decide(q, &a, &e)) {
		err_prefix(&e, "%s", q->by);
		failed(q, &e);
		question_end(q);
		return;
	}
	meter_ask(q->r, meters[a.decision]);
	if (a.decision == ASK_HOLD)
		question_end(q);
}

/* ---- The question ---- */

static void on_question(void *arg)
{
	struct question *q = arg;
	struct hooks *x = q->r->hooks;
	const struct registrar_config *c = &q->setup->config;
	struct hook_target t = {
		.uri = q->setup->decision_uri,
		.secret = buf_str(&q->setup->decision_secret),
		.addresses = c->hook_addresses,
		.timeout_ms = c->decision_timeout * 1000,
	};
	const struct hook_message m = {
		.content_type = "application/json",
		.accept = "application/json",
		.body = buf_bytes(&q->body),
		.at = registrar_now(q->r),
		.reply_max = ASK_ANSWER_MAX,
	};
	struct err e = ERR_INIT;

	if (hooks_anchors(x, &t.uri, &t.ca_pem, &e) &&
		hook_send(x->client, &t, &m, on_answer, q, &e)) {
		q->sent = true;
		q->next = q->r->asker->first;
		q->r->asker->first = q;
		return;
	}
	failed(q, &e);
	question_end(q);
}

static bool write_question(struct question *q, const struct onboard *o, struct err *e)
{
	char idevid[2 * SHA256_LEN + 1];
	JSON_AUTO json_t *body = NULL;

	hex_encode(bytes_of(o->idevid_sha256, SHA256_LEN), idevid);
	body = json_pack("{ss so ss ss so so so ss so sI so}", "id", q->id, "time",
		admin_moment(o->now), "manufacturer", q->manufacturer, "serial", q->serial, "model",
		admin_text(o->model[0] ? o->model : NULL), "subject",
		admin_text(cert_subject(call_peer(o->call)->cert)), "address",
		admin_text(call_peer(o->call)->address), "idevid_sha256", idevid, "site",
		admin_text(o->known.found ? o->known.site : "/"), "rule", (json_int_t)o->rule->id,
		"reason", admin_text(o->rule->text.reason));
	if (!body)
		return err_set(e, ERR_NO_MEMORY, "no memory for a question");
	return json_format(body, &q->body, e);
}

static struct question *question_new(struct onboard *o, struct err *e)
{
	struct question *q = mem_new(sizeof(*q), e);

	if (!q)
		return NULL;
	q->r = o->r;
	q->setup = registrar_setup_ref(o->setup);
	atomic_fetch_add(&o->r->asker->under_way, 1);
	buf_init(&q->body, HOOK_BODY_MAX);
	snprintf(q->exchange, sizeof(q->exchange), "%s", call_exchange(o->call));
	snprintf(q->by, sizeof(q->by), "decision %s", q->setup->decision_uri.host);
	q->manufacturer = str_dup(o->manufacturer->config->name, e);
	q->serial = q->manufacturer ? str_dup(o->serial, e) : NULL;
	if (q->serial && rng_exchange_id(q->id, e) && write_question(q, o, e))
		return q;
	question_free(q);
	return NULL;
}

/* It was not asked about lately; from now on it was. */
static bool is_due(struct onboard *o, struct err *e)
{
	struct asker *a = o->r->asker;
	BUF_AUTO struct buf name = BUF_INIT(4096);
	uint8_t key[SHA256_LEN];
	int64_t *at, *before, now = clock_mono_ms();
	bool due;

	if (!buf_printf(&name, e, "%s/%s", o->manufacturer->config->name, o->serial) ||
		!digest_sha256(buf_bytes(&name), key, e))
		return false;
	at = mem_new(sizeof(*at), e);
	if (!at)
		return false;
	*at = now;
	pthread_mutex_lock(&a->lock);
	before = digest_map_get(a->asked, key);
	due = !before || now - *before >= o->setup->config.decision_again * 1000;
	if (due)
		digest_map_put(a->asked, key, at);
	pthread_mutex_unlock(&a->lock);
	if (!due)
		free(at);
	return due;
}

void ask_about(struct onboard *o)
{
	struct err e = ERR_INIT;
	struct question *q;

	if (!o->setup->has_decision || atomic_load(&o->r->draining) ||
		atomic_load(&o->r->asker->under_way) >= UNDER_WAY_MAX)
		return;
	if (is_due(o, &e)) {
		q = question_new(o, &e);
		if (q && loop_post_or_drop(o->r->hooks->loop, on_question, question_free, q, &e))
			return;
		if (q)
			question_free(q);
	}
	if (e.kind != ERR_NONE)
		log_err(&o->r->log, "decision-failed", call_exchange(o->call), &e);
}

/* ---- Life ---- */

bool ask_start(struct registrar *r, struct err *e)
{
	struct asker *a = r->asker = mem_new(sizeof(*a), e);

	if (!a)
		return false;
	pthread_mutex_init(&a->lock, NULL);
	a->asked = digest_map_new(REMEMBERED, free, e);
	return a->asked != NULL;
}

/* What was sent or waits for the store when the thread ended. */
void ask_end(struct registrar *r)
{
	struct asker *a = r->asker;
	struct question *next;

	if (!a)
		return;
	for (struct question *q = a->first; q; q = next) {
		next = q->next;
		question_free(q);
	}
	digest_map_free(a->asked);
	pthread_mutex_destroy(&a->lock);
	free(a);
	r->asker = NULL;
}
