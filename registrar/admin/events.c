/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of events, and who waits for the next one. Each loop has its own list, touched by its
 * thread only. A commit tells the lists that are not empty; each looks into the journal once for
 * all commits of a moment. */
#include "registrar/admin/events.h"

#include <stdlib.h>
#include <string.h>

#include "common/wire/percent.h"
#include "registrar/admin/answer.h"
#include "registrar/admin/guard.h"
#include "registrar/notify/event.h"

#define SCAN_MAX     5000 /* lines looked at for one page, whatever matches: some 10 ms */
#define PAGE	     200
#define WAIT_MAX_S   50	 /* below what a call may take (http_limits.request_ms) */
#define WAITERS_MAX  64	 /* browsers and tails; each costs a look at the journal when it grows */
#define WAITERS_EACH 16	 /* of them for one who came over the network */
#define GATHER_MS    100 /* commits of this long are one look */

struct query {
	int64_t after, limit, wait_s;
	char types[EVENT_TYPES_MAX + 1];
};

struct waiter {
	struct waiter *next;
	struct call *call;
	struct query q;
	int64_t until_ms;
};

struct waiting { /* of one loop */
	struct events *events;
	struct loop *loop;
	struct loop_timer timer;
	struct waiter *first;
	bool soon;	    /* the timer is set to GATHER_MS */
	atomic_int count;   /* of who waits or is about to */
	atomic_bool posted; /* a commit is on its way to the loop */
};

struct events {
	struct registrar *r;
	atomic_int count;
	atomic_bool ending;
	char source[EVENT_SOURCE_MAX + 1];
	struct waiting lists[WORKERS_MAX];
	size_t list_count;
};

/* ---- A page ---- */

struct page {
	const struct events *events;
	const struct principal *who;
	int64_t now;
	struct query *q;
	json_t *items;
	int64_t scanned;
	bool full;
};

/* Of a device: who may see it. Of anything else: who sees everything, and of the administration
 * itself: who audits it. */
static bool may_hear(const struct page *p, const struct journal_entry *j, const char *site)
{
	const struct event_row *row = event_row_of(j->step, j->outcome);
	enum permission need = row && row->inner ? MAY_AUDIT : MAY_VIEW;

	if (principal_may_everywhere(p->who, need, p->now))
		return true;
	return j->device.serial &&
	       principal_may(p->who, MAY_VIEW, j->device.manufacturer ? j->device.manufacturer : "",
		       site ? site : "/", p->now);
}

static bool add_event(void *arg, const struct journal_line *line, struct err *e)
{
	struct page *p = arg;
	char type[EVENT_TYPE_MAX + 1];

	p->scanned++;
	p->q->after = line->sequence;
	event_type(line->entry.step, line->entry.outcome, type);
	if (!event_types_have(p->q->types, type) || !may_hear(p, &line->entry, line->site))
		return true;
	if (!admin_append(p->items, event_json(line, p->events->source), e))
		return false;
	p->full = (int64_t)json_array_size(p->items) == p->q->limit;
	return !p->full;
}

/* Moves q->after on. *end: there is nothing behind it. */
static json_t *read_page(
	const struct events *x, const struct call *c, struct query *q, bool *end, struct err *e)
{
	struct page p = {.events = x,
		.who = admin_who(c),
		.now = registrar_now(x->r),
		.q = q,
		.items = json_array()};
	bool all = principal_may_everywhere(p.who, MAY_VIEW, p.now);
	bool (*list)(struct store *, int64_t, int64_t, records_journal_fn *, void *, struct err *) =
		all ? records_list_journal : records_list_events;

	if (!p.items) {
		err_set(e, ERR_NO_MEMORY, "no memory for events");
		return NULL;
	}
	if (!list(x->r->store, q->after, SCAN_MAX, add_event, &p, e)) {
		json_decref(p.items);
		return NULL;
	}
	*end = !p.full && p.scanned < SCAN_MAX;
	return p.items;
}

/* Takes items. */
static void reply(struct call *c, const struct events *x, const struct query *q, json_t *items)
{
	JSON_AUTO json_t *next = json_sprintf("%lld", (long long)q->after);
	JSON_AUTO json_t *answer = next ? json_pack("{sO sO}", "items", items, "next", next) : NULL;

	json_decref(items);
	admin_reply(c, x->r, answer);
}

/* ---- Waiting ---- */

static void set_timer(struct waiting *w)
{
	int64_t now = clock_mono_ms(), until = INT64_MAX;

	for (const struct waiter *x = w->first; x; x = x->next)
		if (x->until_ms < until)
			until = x->until_ms;
	if (w->first && !w->soon)
		loop_timer_arm(&w->timer, until > now ? until - now : 0);
}

/* True: it is answered. Where more came than is looked at for a page, with how far that was: who
 * asks goes on from there. */
static bool look(const struct events *x, struct waiter *w)
{
	bool over = clock_mono_ms() >= w->until_ms || atomic_load(&x->ending), end = false;
	struct err e = ERR_INIT;
	json_t *items =
		admin_ask_again(x->r, w->call, &e) ? read_page(x, w->call, &w->q, &end, &e) : NULL;

	if (!items) {
		call_reply_err(w->call, &x->r->log, "admin-failed", &e);
		return true;
	}
	if (json_array_size(items) == 0 && !over && end) {
		json_decref(items);
		return false;
	}
	reply(w->call, x, &w->q, items);
	return true;
}

static void wait_no_more(struct waiting *list)
{
	atomic_fetch_sub(&list->count, 1);
	atomic_fetch_sub(&list->events->count, 1);
}

static void on_timer(void *arg)
{
	struct waiting *list = arg;
	struct waiter **at = &list->first;

	list->soon = false;
	while (*at) {
		struct waiter *w = *at;

		if (!look(list->events, w)) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		free(w);
		wait_no_more(list);
	}
	set_timer(list);
}

static void on_news(void *arg)
{
	struct waiting *list = arg;
	int64_t delay = atomic_load(&list->events->ending) ? 0 : GATHER_MS;

	atomic_store(&list->posted, false);
	if (list->soon || !list->first)
		return;
	list->soon = true;
	loop_timer_arm(&list->timer, delay);
}

static void tell(struct waiting *list)
{
	struct err ignored = ERR_INIT;

	if (atomic_load(&list->count) > 0 && !atomic_exchange(&list->posted, true) &&
		!loop_post(list->loop, on_news, list, &ignored))
		atomic_store(&list->posted, false); /* no memory: the next commit tells it */
}

void events_wake(struct registrar *r)
{
	for (size_t i = 0; i < r->events->list_count; i++)
		tell(&r->events->lists[i]);
}

static struct waiting *list_of(struct events *x, const struct loop *l)
{
	for (size_t i = 0; i < x->list_count; i++)
		if (x->lists[i].loop == l)
			return &x->lists[i];
	return NULL;
}

static void wait(struct waiting *list, struct call *c, const struct query *q)
{
	struct err e = ERR_INIT;
	struct waiter *w = mem_new(sizeof(*w), &e);

	if (!w) {
		wait_no_more(list);
		call_reply_err(c, &list->events->r->log, "admin-failed", &e);
		return;
	}
	*w = (struct waiter){list->first, c, *q, clock_mono_ms() + 1000 * q->wait_s};
	list->first = w;
	set_timer(list);
}

/* ---- The request ---- */

static bool query_number(
	const struct call *c, const char *name, int64_t max, int64_t *out, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(20);
	bool found;

	if (!percent_query(call_query(c), name, &text, &found, e))
		return err_prefix(e, "%s", name);
	if (found && (!admin_parse_number(buf_str(&text), out) || *out > max)) {
		err_set(e, ERR_INPUT, "%s is no number up to %lld", name, (long long)max);
		return err_tell(e, "%s is a number up to %lld.", name, (long long)max);
	}
	return true;
}

static bool take_sequence(void *arg, const struct journal_line *line, struct err *e)
{
	int64_t *sequence = arg;

	*sequence = line->sequence;
	return true;
}

static bool query_after(struct registrar *r, const struct call *c, int64_t *out, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(20);
	bool found;

	if (percent_query(call_query(c), "after", &text, &found, e) && found &&
		strcmp(buf_str(&text), "end") == 0)
		return records_last_journal(r->store, take_sequence, out, e);
	*e = (struct err)ERR_INIT;
	return query_number(c, "after", INT64_MAX, out, e);
}

static bool read_query(struct registrar *r, const struct call *c, struct query *q, struct err *e)
{
	BUF_AUTO struct buf types = BUF_INIT(EVENT_TYPES_MAX);
	bool found;

	*q = (struct query){.limit = PAGE};
	if (!query_after(r, c, &q->after, e) ||
		!query_number(c, "wait", WAIT_MAX_S, &q->wait_s, e) ||
		!query_number(c, "limit", ADMIN_LIST_MAX, &q->limit, e) ||
		!percent_query(call_query(c), "type", &types, &found, e))
		return false;
	if (q->limit < 1)
		return err_set(e, ERR_INPUT, "limit is 1 to %d", ADMIN_LIST_MAX);
	if (found && !event_types_check(buf_str(&types), e))
		return false;
	memcpy(q->types, buf_str(&types), types.len + 1);
	return true;
}

/* Nobody keeps the others from waiting. */
static bool waits_enough(const struct waiting *list, const struct call *c)
{
	size_t count = 0;

	if (admin_who(c)->local)
		return false;
	for (const struct waiter *w = list->first; w; w = w->next)
		count += strcmp(admin_by(w->call), admin_by(c)) == 0;
	return count >= WAITERS_EACH;
}

/* Counted before the journal is read: a commit in between finds somebody to tell. */
static bool may_wait(struct waiting *list, const struct call *c, struct err *e)
{
	if (waits_enough(list, c)) {
		err_set(e, ERR_RETRY_LATER, "%s waits %d times already", admin_by(c), WAITERS_EACH);
		return err_tell(e, "You wait for events %d times already.", WAITERS_EACH);
	}
	if (atomic_fetch_add(&list->events->count, 1) < WAITERS_MAX) {
		atomic_fetch_add(&list->count, 1);
		return true;
	}
	atomic_fetch_sub(&list->events->count, 1);
	err_set(e, ERR_RETRY_LATER, "%d wait for events already", WAITERS_MAX);
	return err_tell(e, "Too many wait for events.");
}

static bool answer(struct waiting *list, struct call *c, struct query *q, struct err *e)
{
	struct events *x = list->events;
	bool end = false;
	json_t *items;

	if (q->wait_s > 0 && !may_wait(list, c, e))
		return false;
	items = read_page(x, c, q, &end, e);
	if (items && q->wait_s > 0 && end && json_array_size(items) == 0 &&
		!atomic_load(&x->ending)) {
		json_decref(items);
		wait(list, c, q);
		return true;
	}
	if (q->wait_s > 0)
		wait_no_more(list);
	if (items)
		reply(c, x, q, items);
	return items != NULL;
}

void events_list(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	struct waiting *list = list_of(r->events, call_loop(c));
	struct err e = ERR_INIT;
	struct query q;

	if (!list)
		err_set(&e, ERR_BUG, "events asked for on a loop of nobody");
	else if (read_query(r, c, &q, &e) && answer(list, c, &q, &e))
		return;
	call_reply_err(c, &r->log, "admin-failed", &e);
}

/* ---- Life ---- */

bool events_start(struct registrar *r, struct err *e)
{
	struct events *x = r->events = mem_new(sizeof(*x), e);

	if (!x)
		return false;
	x->r = r;
	event_source(x->source);
	for (size_t i = 0; i < r->worker_count; i++) {
		struct waiting *list = &x->lists[i];

		list->events = x;
		list->loop = r->workers[i].loop;
		if (!loop_timer_init(&list->timer, list->loop, on_timer, list, e))
			return false;
		x->list_count++;
	}
	return true;
}

void events_drain(struct registrar *r)
{
	if (!r->events)
		return;
	atomic_store(&r->events->ending, true);
	events_wake(r);
}

void events_end(struct registrar *r)
{
	struct events *x = r->events;

	for (size_t i = 0; x && i < x->list_count; i++) {
		loop_timer_clear(&x->lists[i].timer);
		for (struct waiter *w = x->lists[i].first, *next; w; w = next) {
			next = w->next;
			free(w);
		}
	}
	free(x);
	r->events = NULL;
}
