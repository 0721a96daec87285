/* SPDX-License-Identifier: Apache-2.0 */
/* The deliverer: its thread, and which hooks there are. Everything but hooks_wake(),
 * hooks_changed(), hooks_try() and hooks_backlog() is on its thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registrar/notify/hooks_impl.h"

#define GATHER_MS   50 /* commits of this long are one look */
#define ROOTS_MAX   (2 << 20)
#define ANCHORS_MAX 65536

/* ---- All of them ---- */

void hooks_note_slowest(struct hooks *x)
{
	int64_t slowest = INT64_MAX;

	for (const struct hook *h = x->first; h; h = h->next)
		if (h->enabled && !h->gone && h->cursor < slowest)
			slowest = h->cursor;
	atomic_store(&x->slowest, slowest);
	atomic_store(&x->wanted, slowest != INT64_MAX);
}

void hook_free(struct hook *h)
{
	if (h->again.ev)
		loop_timer_clear(&h->again);
	explicit_bzero(h->secret, sizeof(h->secret));
	buf_clear(&h->anchors);
	free(h);
}

void hooks_unlink(struct hook *h)
{
	struct hook **at = &h->all->first;

	while (*at != h)
		at = &(*at)->next;
	*at = h->next;
}

static void all_go(struct hooks *x)
{
	for (struct hook *h = x->first; h; h = h->next)
		hook_go(h);
}

static void on_gathered(void *arg)
{
	struct hooks *x = arg;

	x->gathering = false;
	all_go(x);
}

static void on_news(void *arg)
{
	struct hooks *x = arg;

	atomic_store(&x->posted, false);
	if (x->gathering)
		return;
	x->gathering = true;
	loop_timer_arm(&x->gather, GATHER_MS);
}

/* ---- What the store says ---- */

struct reading {
	struct hooks *all;
	struct hook *kept; /* those that are still there, in any order */
};

static struct hook *take_hook(struct hooks *x, int64_t id)
{
	for (struct hook **at = &x->first; *at; at = &(*at)->next)
		if ((*at)->id == id && !(*at)->gone) {
			struct hook *h = *at;

			*at = h->next;
			return h;
		}
	return NULL;
}

struct hook *hook_new(struct hooks *x, const struct hook_row *row, struct err *e)
{
	struct hook *h = mem_new(sizeof(*h), e);

	if (!h)
		return NULL;
	h->all = x;
	h->id = row->id;
	h->cursor = h->saved = row->cursor;
	h->failing_at = row->failing_at;
	buf_init(&h->anchors, ANCHORS_MAX);
	snprintf(h->secret, sizeof(h->secret), "%s", row->secret);
	snprintf(h->types, sizeof(h->types), "%s", row->types ? row->types : "");
	if (hook_url_parse(row->url, &h->uri, e) &&
		(!row->anchors || buf_append_str(&h->anchors, row->anchors, e)) &&
		loop_timer_init(&h->again, x->loop, hook_go_again, h, e))
		return h;
	hook_free(h);
	return NULL;
}

static bool read_hook(void *arg, const struct hook_row *row, struct err *e)
{
	struct reading *g = arg;
	struct hook *h = take_hook(g->all, row->id);

	if (!h)
		h = hook_new(g->all, row, e);
	if (!h && e->kind == ERR_INPUT) { /* one that is damaged holds up no other */
		log_err(&g->all->r->log, "hook-not-read", NULL, e);
		*e = (struct err)ERR_INIT;
		return true;
	}
	if (!h)
		return false;
	h->enabled = row->enabled;
	if (row->failing_at)
		h->failing_at = row->failing_at; /* noted by a registrar that led before */
	h->look_dead = true;
	h->last_dead = 0;
	if (row->cursor > h->cursor)
		h->cursor = h->saved = row->cursor; /* an administrator skipped */
	h->next = g->kept;
	g->kept = h;
	return true;
}

/* Those that are no more there; one with a request under way goes when that has ended. */
static void drop_rest(struct hooks *x, struct reading *g)
{
	struct hook *next;

	for (struct hook *h = x->first; h; h = next) {
		next = h->next;
		if (!h->busy) {
			hook_free(h);
			continue;
		}
		h->gone = true;
		h->next = g->kept;
		g->kept = h;
	}
	x->first = g->kept;
}

static void put_back(struct hooks *x, struct reading *g)
{
	struct hook *next;

	for (struct hook *h = g->kept; h; h = next) {
		next = h->next;
		h->next = x->first;
		x->first = h;
	}
}

static void read_hooks(struct hooks *x)
{
	struct reading g = {x, NULL};
	struct err e = ERR_INIT;

	if (records_list_hooks(x->r->store, read_hook, &g, &e)) {
		drop_rest(x, &g);
	} else {
		log_err(&x->r->log, "hook-not-read", NULL, &e);
		put_back(x, &g);
	}
	hooks_note_slowest(x);
	all_go(x);
}

static void on_change(void *arg)
{
	struct hooks *x = arg;

	atomic_store(&x->change_posted, false);
	read_hooks(x);
}

/* ---- From other threads ---- */

static void post_once(struct hooks *x, atomic_bool *posted, loop_fn *fn)
{
	struct err ignored = ERR_INIT;

	if (!atomic_exchange(posted, true) && !loop_post(x->loop, fn, x, &ignored))
		atomic_store(posted, false); /* no memory: the next commit says it again */
}

void hooks_wake(struct registrar *r)
{
	if (r->hooks && atomic_load(&r->hooks->wanted))
		post_once(r->hooks, &r->hooks->posted, on_news);
}

void hooks_changed(struct registrar *r)
{
	if (r->hooks)
		post_once(r->hooks, &r->hooks->change_posted, on_change);
}

int64_t hooks_backlog(const struct registrar *r, int64_t last)
{
	int64_t slowest = atomic_load(&r->hooks->slowest);

	return slowest < last ? last - slowest : 0;
}

/* ---- Life ---- */

static void *deliver(void *arg)
{
	struct hooks *x = arg;

	read_hooks(x);
	loop_run(x->loop);
	return NULL;
}

bool hooks_start(struct registrar *r, struct err *e)
{
	struct hooks *x = r->hooks = mem_new(sizeof(*x), e);

	if (!x)
		return false;
	x->r = r;
	atomic_store(&x->slowest, INT64_MAX);
	buf_init(&x->roots, ROOTS_MAX);
	event_source(x->source);
	x->loop = loop_new(e);
	x->client = x->loop ? http_client_new(x->loop, e) : NULL;
	if (!x->client || !loop_timer_init(&x->gather, x->loop, on_gathered, x, e) ||
		!loop_timer_init(&x->save, x->loop, hooks_save, x, e))
		return false;
	x->thread_runs = pthread_create(&x->thread, NULL, deliver, x) == 0;
	if (x->thread_runs)
		pthread_setname_np(x->thread, "hooks");
	return x->thread_runs || err_set(e, ERR_NO_MEMORY, "no thread for hooks");
}

void hooks_stop(struct registrar *r)
{
	struct hooks *x = r->hooks;

	if (!x || !x->thread_runs)
		return;
	loop_stop(x->loop);
	pthread_join(x->thread, NULL);
	x->thread_runs = false;
	for (const struct hook *h = x->first; h; h = h->next) {
		struct err e = ERR_INIT;

		if (h->cursor > h->saved && !h->gone &&
			!records_save_hook_wait(r->store, h->id, h->cursor, h->delivered_at, &e))
			log_err(&r->log, "hook-not-noted", NULL, &e);
	}
}

void hooks_end(struct registrar *r)
{
	struct hooks *x = r->hooks;
	struct hook *next;

	if (!x)
		return;
	http_client_free(x->client);
	for (struct hook *h = x->first; h; h = next) {
		next = h->next;
		hook_free(h);
	}
	hook_trials_free(x);
	if (x->gather.ev)
		loop_timer_clear(&x->gather);
	if (x->save.ev)
		loop_timer_clear(&x->save);
	loop_free(x->loop);
	buf_clear(&x->roots);
	free(x);
	r->hooks = NULL;
}
