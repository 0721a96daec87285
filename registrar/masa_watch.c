/* SPDX-License-Identifier: Apache-2.0 */
/* One place for each manufacturer's name, of which the configuration has MANUFACTURERS_MAX at most;
 * names of before a reload that fill the table up are forgotten with it. */
#include "registrar/masa_watch.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registrar/registrar.h"

struct place {
	char *name;
	bool gone;
	int64_t since_ms; /* of the last change; 0: there was none */
};

struct masa_watch {
	pthread_mutex_t lock;
	struct place places[MANUFACTURERS_MAX];
	size_t count;
};

struct masa_watch *masa_watch_new(struct err *e)
{
	struct masa_watch *w = mem_new(sizeof(*w), e);

	if (w)
		pthread_mutex_init(&w->lock, NULL);
	return w;
}

static void forget_all(struct masa_watch *w)
{
	for (size_t i = 0; i < w->count; i++)
		free(w->places[i].name);
	memset(w->places, 0, sizeof(w->places));
	w->count = 0;
}

void masa_watch_free(struct masa_watch *w)
{
	if (!w)
		return;
	forget_all(w);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

/* NULL: no memory, and nothing is noted this time. */
static struct place *find(struct masa_watch *w, const char *name)
{
	struct place *p;

	for (size_t i = 0; i < w->count; i++)
		if (strcmp(w->places[i].name, name) == 0)
			return &w->places[i];
	if (w->count == MANUFACTURERS_MAX)
		forget_all(w);
	p = &w->places[w->count];
	p->name = strdup(name);
	w->count += p->name != NULL;
	return p->name ? p : NULL;
}

static enum masa_change change(struct place *p, bool answered, int64_t now_ms, int64_t *for_ms)
{
	bool wavers = p->since_ms && now_ms - p->since_ms < MASA_WAVERS_MS;

	if (p->gone == !answered || (!answered && wavers))
		return MASA_AS_BEFORE;
	*for_ms = now_ms - p->since_ms;
	p->gone = !answered;
	p->since_ms = now_ms;
	return answered ? MASA_RECOVERED : MASA_UNREACHABLE;
}

enum masa_change masa_watch_note(struct masa_watch *w, const char *manufacturer, bool answered,
	int64_t now_ms, int64_t *for_ms)
{
	enum masa_change what = MASA_AS_BEFORE;
	struct place *p;

	pthread_mutex_lock(&w->lock);
	p = find(w, manufacturer);
	if (p)
		what = change(p, answered, now_ms, for_ms);
	pthread_mutex_unlock(&w->lock);
	return what;
}

enum masa_state masa_watch_state(struct masa_watch *w, const char *manufacturer)
{
	enum masa_state state = MASA_NOT_ASKED;

	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->count; i++)
		if (strcmp(w->places[i].name, manufacturer) == 0)
			state = w->places[i].gone ? MASA_GONE : MASA_UP;
	pthread_mutex_unlock(&w->lock);
	return state;
}

size_t masa_watch_gone(struct masa_watch *w)
{
	size_t gone = 0;

	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->count; i++)
		gone += w->places[i].gone;
	pthread_mutex_unlock(&w->lock);
	return gone;
}

static void on_journaled(void *arg, const int64_t *changed, const struct err *e)
{
	struct registrar *r = arg;

	if (e)
		log_err(&r->log, "journal-failed", NULL, e);
	registrar_work_end(r);
}

static void write_line(struct registrar *r, struct loop *l, const struct journal_entry *line)
{
	const struct records_writer w = {r->store, l, on_journaled, r};
	struct err e = ERR_INIT;

	registrar_work_begin(r);
	if (records_journal(&w, line, &e))
		return;
	log_err(&r->log, "journal-failed", line->exchange, &e);
	registrar_work_end(r);
}

void masa_watch_tell(struct registrar *r, struct loop *l, const char *manufacturer,
	const char *exchange, const struct err *failure)
{
	int64_t for_ms = 0;
	enum masa_change what;
	char recovered[64];
	struct journal_entry line = {
		.at = registrar_now(r),
		.exchange = exchange,
		.device = {manufacturer, NULL},
		.step = "masa",
		.outcome = "unreachable",
		.reason = failure ? failure->text : recovered,
	};

	if (failure && failure->kind == ERR_NO_MEMORY)
		return; /* ours */
	what = masa_watch_note(r->masa_watch, manufacturer, !failure, clock_mono_ms(), &for_ms);
	if (what == MASA_AS_BEFORE)
		return;
	if (what == MASA_RECOVERED) {
		snprintf(recovered, sizeof(recovered), "after %lld s", (long long)(for_ms / 1000));
		line.outcome = "recovered";
	}
	log_event(&r->log, failure ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
		failure ? "alert-masa-unreachable" : "masa-recovered", exchange, "manufacturer",
		manufacturer, "reason", line.reason, NULL);
	write_line(r, l, &line);
}
