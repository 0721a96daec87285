/* SPDX-License-Identifier: Apache-2.0 */
/* A counter by the minute. */
#include "registrar/access/denials.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/text.h"
#include "registrar/access/access.h"
#include "registrar/admin/guard.h"
#include "registrar/records/records.h"

struct denials {
	pthread_mutex_t lock;
	int64_t since_ms;
	int64_t written, left_out;
};

struct denials *denials_new(struct err *e)
{
	struct denials *d = mem_new(sizeof(*d), e);

	if (d)
		pthread_mutex_init(&d->lock, NULL);
	return d;
}

void denials_free(struct denials *d)
{
	if (!d)
		return;
	pthread_mutex_destroy(&d->lock);
	free(d);
}

/* How many were left out of the minute that is over: told once. */
static int64_t turn(struct denials *d, int64_t now_ms)
{
	int64_t left_out;

	if (d->since_ms && now_ms - d->since_ms < DENIALS_WINDOW_MS)
		return 0;
	left_out = d->left_out;
	d->since_ms = now_ms;
	d->written = d->left_out = 0;
	return left_out;
}

bool denials_admit(struct denials *d, int64_t now_ms, int64_t *left_out)
{
	bool room;

	pthread_mutex_lock(&d->lock);
	*left_out = turn(d, now_ms);
	room = d->written < DENIALS_PER_MINUTE;
	if (room)
		d->written++;
	else
		d->left_out++;
	pthread_mutex_unlock(&d->lock);
	return room;
}

int64_t denials_collect(struct denials *d, int64_t now_ms)
{
	int64_t left_out;

	pthread_mutex_lock(&d->lock);
	left_out = turn(d, now_ms);
	pthread_mutex_unlock(&d->lock);
	return left_out;
}

static void on_noted(void *arg, const int64_t *changed, const struct err *e)
{
	struct registrar *r = arg;

	if (e)
		log_err(&r->log, "admin-failed", NULL, e);
}

static void note(struct registrar *r, struct loop *l, const char *exchange, const char *actor,
	const char *what)
{
	const struct records_writer w = {r->store, l, on_noted, r};
	const struct journal_entry j = {
		.at = registrar_now(r),
		.exchange = exchange,
		.actor = actor,
		.step = "session",
		.outcome = "denied",
		.reason = what,
	};
	struct err e = ERR_INIT;

	if (!records_journal(&w, &j, &e))
		on_noted(r, NULL, &e);
}

static void note_left_out(struct registrar *r, struct loop *l, int64_t left_out)
{
	char what[80];

	if (left_out == 0)
		return;
	snprintf(what, sizeof(what), "%lld more within a minute", (long long)left_out);
	note(r, l, NULL, NULL, what);
}

void admin_denied(struct registrar *r, const struct call *c, const char *code, const char *about)
{
	const struct principal *p = admin_who(c);
	char what[JOURNAL_REASON_MAX + 1];
	int64_t left_out;
	bool room;

	if (about)
		snprintf(what, sizeof(what), "%s from %s: %s", code, call_peer(c)->address, about);
	else
		snprintf(what, sizeof(what), "%s from %s: %s %s", code, call_peer(c)->address,
			call_method(c), call_path(c));
	text_make_utf8(what, '?');
	text_make_safe(what, '?');
	log_event(&r->log, LOG_LEVEL_WARNING, "admin-denied", call_exchange(c), "peer",
		call_peer(c)->address, "by", p ? p->name : "nobody", "reason", what, NULL);
	room = denials_admit(
		p ? r->access->insiders : r->access->denials, clock_mono_ms(), &left_out);
	note_left_out(r, call_loop(c), left_out);
	if (room)
		note(r, call_loop(c), call_exchange(c), p ? p->name : NULL, what);
}

void denials_flush(struct registrar *r)
{
	const int64_t now = clock_mono_ms();

	note_left_out(r, r->workers[0].loop, denials_collect(r->access->denials, now));
	note_left_out(r, r->workers[0].loop, denials_collect(r->access->insiders, now));
}
