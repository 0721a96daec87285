/* SPDX-License-Identifier: Apache-2.0 */
/* One hook: which event is next, sending it, and what follows from the answer. Wanted dead letters
 * come before what is new. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/file.h"
#include "common/base/rng.h"
#include "registrar/notify/hooks_impl.h"
#include "registrar/meters.h"

#define CONTENT_TYPE  "application/cloudevents+json"
#define REPLY_MAX     4096 /* of what a receiver says nothing is used */
#define SCAN	      1000 /* lines looked at in one reading */
#define SAVE_MS	      1000 /* between an event that was taken and its cursor in the store */
#define PASSED_OVER   1000 /* lines that are worth a write although none was sent */
#define RETRY_MS      1000
#define RETRY_MAX_MS  300000
#define FAILING_AFTER 3 /* tries in vain, then somebody is told */
#define REASON_MAX    200

/* ---- Books ---- */

static void on_written(void *arg, const int64_t *changed, const struct err *e)
{
	struct hooks *x = arg;

	if (e && e->kind != ERR_CONFLICT) /* that one was removed meanwhile */
		log_err(&x->r->log, "hook-not-noted", NULL, e);
}

static struct records_writer writer(struct hooks *x)
{
	return (struct records_writer){x->r->store, x->loop, on_written, x};
}

static bool is_worth_saving(const struct hook *h)
{
	return h->delivered_at ? h->cursor > h->saved : h->cursor - h->saved > PASSED_OVER;
}

void hooks_save(void *arg)
{
	struct hooks *x = arg;
	const struct records_writer w = writer(x);

	x->saving = false;
	for (struct hook *h = x->first; h; h = h->next) {
		struct err e = ERR_INIT;

		if (!is_worth_saving(h))
			continue;
		if (records_save_hook(&w, h->id, h->cursor, h->delivered_at, &e)) {
			h->saved = h->cursor;
			h->delivered_at = 0;
		} else {
			log_err(&x->r->log, "hook-not-noted", NULL, &e);
		}
	}
}

static void move_cursor(struct hook *h, int64_t sequence)
{
	struct hooks *x = h->all;

	if (sequence > h->cursor)
		h->cursor = sequence;
	hooks_note_slowest(x);
	if (!x->saving && is_worth_saving(h)) {
		x->saving = true;
		loop_timer_arm(&x->save, SAVE_MS);
	}
}

/* Its address may hold a secret: who it is, is its number and its host. */
static void note_failing(struct hook *h, int64_t at, const char *why)
{
	struct hooks *x = h->all;
	const struct records_writer w = writer(x);
	char text[REASON_MAX + URI_HOST_MAX + 64], id[24];
	struct err e = ERR_INIT;
	const struct journal_entry line = {
		.at = registrar_now(x->r),
		.step = "hook",
		.outcome = at ? "failing" : "recovered",
		.reason = text,
	};

	h->failing_at = at;
	snprintf(id, sizeof(id), "%lld", (long long)h->id);
	snprintf(text, sizeof(text), "hook %s at %s%s%.*s", id, h->uri.host, why ? ": " : "",
		REASON_MAX, why ? why : "");
	log_event(&x->r->log, at ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
		at ? "alert-hook-failing" : "hook-recovered", NULL, "hook", id, "host", h->uri.host,
		"reason", why, NULL);
	if (!records_fail_hook(&w, h->id, at, why, &line, &e))
		on_written(x, NULL, &e);
}

/* ---- One event ---- */

bool hooks_anchors(struct hooks *x, const struct uri *uri, struct bytes *out, struct err *e)
{
	struct registrar_setup *s;
	bool ok = true;

	if (uri->scheme == URI_HTTPS && !x->roots.len) {
		s = registrar_setup_take(x->r);
		ok = file_read(s->config.hook_anchors, &x->roots, e) ||
		     err_prefix(e, "[hooks] anchors");
		registrar_setup_free(s);
	}
	*out = buf_bytes(&x->roots);
	return ok;
}

static bool anchors_of(struct hook *h, struct bytes *out, struct err *e)
{
	if (!h->anchors.len)
		return hooks_anchors(h->all, &h->uri, out, e);
	*out = buf_bytes(&h->anchors);
	return true;
}

bool hook_send_event(struct hook *h, struct bytes body, http_done *done, void *arg, struct err *e)
{
	struct registrar *r = h->all->r;
	struct registrar_setup *s = registrar_setup_take(r);
	struct hook_target t = {
		.uri = h->uri,
		.secret = h->secret,
		.addresses = s->config.hook_addresses,
		.timeout_ms = s->config.hook_timeout * 1000,
	};
	const struct hook_message m = {
		.content_type = CONTENT_TYPE,
		.body = body,
		.at = registrar_now(r),
		.reply_max = REPLY_MAX,
	};

	registrar_setup_free(s);
	return anchors_of(h, &t.ca_pem, e) && hook_send(h->all->client, &t, &m, done, arg, e);
}

static void bury(struct hook *h, const char *why)
{
	struct hooks *x = h->all;
	const struct records_writer w = writer(x);
	char reason[REASON_MAX + 1];
	struct err e = ERR_INIT;
	const struct dead_letter d = {
		.hook = h->id,
		.sequence = h->sequence,
		.at = registrar_now(x->r),
		.tries = h->tries,
		.reason = reason,
	};

	snprintf(reason, sizeof(reason), "%s", why);
	if (h->dead ? !records_bury_again(&w, &d, &e) : !records_bury(&w, &d, &e))
		on_written(x, NULL, &e);
	meter_hook(x->r, METER_HOOK_DEAD);
}

static int64_t tries_max(struct registrar *r)
{
	struct registrar_setup *s = registrar_setup_take(r);
	int64_t max = s->config.hook_tries;

	registrar_setup_free(s);
	return max;
}

/* Between half and all of a time that doubles. */
static int64_t pause_ms(int64_t tries)
{
	int64_t ms = RETRY_MS;

	for (int64_t i = 1; i < tries && ms < RETRY_MAX_MS; i++)
		ms *= 2;
	if (ms > RETRY_MAX_MS)
		ms = RETRY_MAX_MS;
	return ms / 2 + rng_below((uint32_t)(ms / 2) + 1);
}

static void not_taken(struct hook *h, const struct err *why)
{
	struct registrar *r = h->all->r;
	int64_t max = tries_max(r);

	meter_hook(r, METER_HOOK_FAILED);
	if (h->dead) {
		bury(h, why->text);
		return;
	}
	h->tries++;
	if (!h->failing_at && (h->tries >= FAILING_AFTER || h->tries >= max))
		note_failing(h, registrar_now(r), why->text);
	if (h->tries < max) {
		h->waiting = true;
		loop_timer_arm(&h->again, pause_ms(h->tries));
		return;
	}
	bury(h, why->text);
	h->tries = 0;
	move_cursor(h, h->sequence);
}

static void taken(struct hook *h)
{
	struct hooks *x = h->all;
	const struct records_writer w = writer(x);
	struct err e = ERR_INIT;

	meter_hook(x->r, METER_HOOK_DELIVERED);
	h->delivered_at = registrar_now(x->r);
	if (h->failing_at)
		note_failing(h, 0, NULL);
	if (h->dead) {
		if (!records_drop_dead(&w, h->id, h->sequence, NULL, &e))
			on_written(x, NULL, &e);
		return;
	}
	h->tries = 0;
	move_cursor(h, h->sequence);
}

static void on_reply(void *arg, const struct http_reply *reply, const struct err *failure)
{
	struct hook *h = arg;
	struct err why = ERR_INIT;

	h->busy = false;
	if (h->gone) {
		hooks_unlink(h);
		hook_free(h);
		return;
	}
	if (hook_was_taken(reply, failure, &why))
		taken(h);
	else
		not_taken(h, &why);
	hook_go(h);
}

/* ---- The next one ---- */

struct search {
	const struct hook *hook;
	json_t *event;
	int64_t sequence, scanned;
	bool any; /* whatever its type */
};

static bool look_at_line(void *arg, const struct journal_line *line, struct err *e)
{
	struct search *s = arg;
	char type[EVENT_TYPE_MAX + 1];

	s->scanned++;
	s->sequence = line->sequence;
	event_type(line->entry.step, line->entry.outcome, type);
	if (!s->any && !event_types_have(s->hook->types, type))
		return true;
	s->event = event_json(line, s->hook->all->source);
	if (!s->event)
		return err_set(e, ERR_NO_MEMORY, "no memory for an event");
	return false;
}

static bool next_dead(struct hook *h, struct search *s, struct err *e)
{
	int64_t sequence;

	if (!records_wanted_dead(h->all->r->store, h->id, h->last_dead, &sequence, e))
		return false;
	h->look_dead = sequence != 0;
	if (sequence == 0)
		return true;
	h->last_dead = sequence;
	s->any = true;
	if (!records_list_journal(h->all->r->store, sequence - 1, 1, look_at_line, s, e))
		return false;
	if (s->event && s->sequence == sequence)
		return true;
	json_decref(s->event); /* the journal has aged: there is nothing left to tell */
	s->event = NULL;
	h->sequence = sequence;
	h->dead = true;
	bury(h, "the line has aged out of the audit log");
	return true;
}

static bool next_live(struct hook *h, struct search *s, struct err *e)
{
	s->any = false;
	do {
		s->scanned = 0;
		s->sequence = h->cursor;
		if (!records_list_journal(h->all->r->store, h->cursor, SCAN, look_at_line, s, e))
			return false;
		if (!s->event)
			move_cursor(h, s->sequence);
	} while (!s->event && s->scanned == SCAN);
	return true;
}

/* One who failed is asked again after a pause, with the same event. */
static void start(struct hook *h, struct search *s)
{
	BUF_AUTO struct buf body = BUF_INIT(HOOK_BODY_MAX);
	struct err e = ERR_INIT;

	h->sequence = s->sequence;
	h->dead = s->any;
	h->busy = json_format(s->event, &body, &e) &&
		  hook_send_event(h, buf_bytes(&body), on_reply, h, &e);
	if (!h->busy)
		not_taken(h, &e);
}

void hook_go(struct hook *h)
{
	while (h->enabled && !h->gone && !h->busy && !h->waiting && store_leads(h->all->r->store)) {
		struct search s = {.hook = h};
		struct err e = ERR_INIT;

		if ((h->look_dead && !next_dead(h, &s, &e)) ||
			(!s.event && !next_live(h, &s, &e))) {
			json_decref(s.event);
			log_err(&h->all->r->log, "hook-not-read", NULL, &e);
			h->waiting = true;
			loop_timer_arm(&h->again, RETRY_MAX_MS);
			return;
		}
		if (!s.event)
			return;
		start(h, &s);
		json_decref(s.event);
	}
}

void hook_go_again(void *arg)
{
	struct hook *h = arg;

	h->waiting = false;
	hook_go(h);
}
