/* SPDX-License-Identifier: Apache-2.0 */
/* Vouchers fetched ahead, as a job: its thread hands a few devices at a time to a loop, which asks
 * their MASAs, and counts what came back. A MASA that cannot be reached ends the job; begun again,
 * it goes on with those that are missing. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/pki/idevid.h"
#include "registrar/admin/answer.h"
#include "registrar/admin/claims_decide.h"
#include "registrar/admin/guard.h"
#include "registrar/admin/jobs.h"
#include "registrar/admin/match.h"
#include "registrar/admin/scope.h"
#include "registrar/admin/vouchers.h"
#include "registrar/ahead.h"
#include "registrar/records/ahead.h"

#define WAIT_MS 200 /* for answers, before quick tasks have their turn */

struct item {
	char *manufacturer,
		*serial; /* manufacturer NULL: the only one, or as its device is known */
	char *failure;	 /* a sentence */
	enum err_kind kind;
	bool ended, noted;
};

struct order {
	struct registrar *r;
	struct registrar_setup *setup;
	char *manufacturer, *masa, *match_text, *by, *exchange;
	bool constrained, again, has_match;
	struct match match;
	struct item *items;
	size_t count, room, next;
	size_t settled; /* all before it are noted */

	pthread_mutex_t lock; /* guards what follows, and items that were begun */
	pthread_cond_t wake;
	size_t first, to_begin,
		running; /* items handed to the loop: from first on, not yet taken */
	bool dropped;
};

static void order_free(void *arg)
{
	struct order *o = arg;

	for (size_t i = 0; i < o->count; i++) {
		free(o->items[i].manufacturer);
		free(o->items[i].serial);
		free(o->items[i].failure);
	}
	free(o->items);
	free(o->manufacturer);
	free(o->masa);
	free(o->match_text);
	free(o->by);
	free(o->exchange);
	match_clear(&o->match);
	registrar_setup_free(o->setup);
	pthread_cond_destroy(&o->wake);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

/* ---- On the loop ---- */

struct task {
	struct order *order;
	size_t item;
};

/* The order goes with the last one that needs it. */
static void give_back(struct order *o)
{
	bool last;

	pthread_mutex_lock(&o->lock);
	o->running--;
	last = o->dropped && o->running == 0;
	pthread_cond_signal(&o->wake);
	pthread_mutex_unlock(&o->lock);
	if (last)
		order_free(o);
}

static void end_item(struct order *o, size_t i, const struct err *e)
{
	struct registrar *r = o->r;
	struct err ignored = ERR_INIT;

	pthread_mutex_lock(&o->lock);
	o->items[i].ended = true;
	o->items[i].kind = e ? e->kind : ERR_NONE;
	o->items[i].failure = e ? str_dup(err_sentence(e), &ignored) : NULL;
	pthread_mutex_unlock(&o->lock);
	give_back(o);
	registrar_work_end(r);
}

static void on_fetched(void *arg, const struct err *e)
{
	struct task *t = arg;

	end_item(t->order, t->item, e);
	free(t);
}

static bool begin_item(struct order *o, size_t i, struct err *e)
{
	struct task *t = mem_new(sizeof(*t), e);
	const struct ahead_wish w = {
		.setup = o->setup,
		.manufacturer = registrar_setup_manufacturer(o->setup, o->items[i].manufacturer),
		.serial = o->items[i].serial,
		.by = o->by,
		.exchange = o->exchange,
		.masa = o->masa,
		.constrained = o->constrained,
	};

	if (!t)
		return false;
	*t = (struct task){o, i};
	if (!w.manufacturer)
		err_set(e, ERR_NOT_FOUND, "no manufacturer \"%s\"", o->items[i].manufacturer);
	else if (ahead_fetch(o->r, o->r->workers[0].loop, &w, on_fetched, t, e))
		return true;
	free(t);
	return false;
}

static void begin(void *arg)
{
	struct order *o = arg;
	struct err e = ERR_INIT;
	size_t i;

	pthread_mutex_lock(&o->lock);
	i = o->first++;
	pthread_mutex_unlock(&o->lock);
	if (!begin_item(o, i, &e))
		end_item(o, i, &e);
}

/* ---- On the thread of jobs ---- */

static bool note_fresh(void *arg, const struct ahead_row *row, struct err *e)
{
	struct order *o = arg;

	o->items[o->next].ended =
		!row->until || row->renew_at > registrar_now(o->r); /* nothing to fetch */
	return true;
}

static bool is_fresh(struct order *o, struct err *e)
{
	const struct item *i = &o->items[o->next];

	if (o->again)
		return false;
	return records_read_ahead(o->r->store, (struct device_key){i->manufacturer, i->serial},
		       ahead_type(o->constrained), note_fresh, o, e) &&
	       i->ended;
}

static bool hand_over(struct order *o, struct err *e)
{
	bool ok;

	registrar_work_begin(o->r);
	pthread_mutex_lock(&o->lock);
	o->running++;
	pthread_mutex_unlock(&o->lock);
	ok = loop_post(o->r->workers[0].loop, begin, o, e);
	if (!ok) {
		pthread_mutex_lock(&o->lock);
		o->running--;
		pthread_mutex_unlock(&o->lock);
		registrar_work_end(o->r);
	}
	return ok;
}

/* What is fresh is behind us at once; `first` of the loop follows, as nothing runs then. */
static bool begin_more(struct order *o, struct job *job, struct err *e)
{
	size_t running;

	pthread_mutex_lock(&o->lock);
	running = o->running;
	pthread_mutex_unlock(&o->lock);
	while (running < AHEAD_AT_ONCE && o->next < o->count) {
		if (is_fresh(o, e)) {
			if (running) /* its turn comes when those before it are done */
				break;
			o->items[o->next].noted = true;
			job_count(job, 1, 0);
			o->next++;
			pthread_mutex_lock(&o->lock);
			o->first = o->next;
			pthread_mutex_unlock(&o->lock);
			continue;
		}
		if (e->kind != ERR_NONE || !hand_over(o, e))
			return false;
		o->next++;
		running++;
	}
	return true;
}

static void wait_a_little(struct order *o)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += WAIT_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_mutex_lock(&o->lock);
	if (o->running)
		pthread_cond_timedwait(&o->wake, &o->lock, &until);
	pthread_mutex_unlock(&o->lock);
}

/* False: the MASA is away, and the others would learn no more than that. */
static bool note_results(struct order *o, struct job *job, struct err *e)
{
	bool away = false;

	pthread_mutex_lock(&o->lock);
	for (size_t n = o->settled; n < o->next; n++) {
		struct item *i = &o->items[n];

		if (!i->ended || i->noted)
			continue;
		i->noted = true;
		job_count(job, i->kind == ERR_NONE, i->kind != ERR_NONE);
		if (i->kind == ERR_NONE)
			continue;
		job_note_failure(job, json_pack("{ss ss ss}", "serial", i->serial, "result",
					      "failed", "detail", i->failure ? i->failure : ""));
		away = away || i->kind == ERR_RETRY_LATER || i->kind == ERR_PEER_TIMEOUT;
	}
	while (o->settled < o->next && o->items[o->settled].noted)
		o->settled++;
	pthread_mutex_unlock(&o->lock);
	if (!away)
		return true;
	err_set(e, ERR_RETRY_LATER, "the MASA cannot be reached");
	return err_tell(
		e, "The MASA cannot be reached now; begin again for those that are missing.");
}

static bool step(void *arg, struct job *job, bool *more, struct err *e)
{
	struct order *o = arg;
	bool runs;

	if (!begin_more(o, job, e))
		return false;
	wait_a_little(o);
	if (!note_results(o, job, e))
		return false;
	pthread_mutex_lock(&o->lock);
	runs = o->running > 0;
	pthread_mutex_unlock(&o->lock);
	*more = runs || o->next < o->count;
	return *more || note_results(o, job, e);
}

static void drop(void *arg)
{
	struct order *o = arg;
	bool last;

	pthread_mutex_lock(&o->lock);
	o->dropped = true;
	last = o->running == 0;
	pthread_mutex_unlock(&o->lock);
	if (last)
		order_free(o);
}

/* ---- Which devices ---- */

static bool add_item(struct order *o, const char *manufacturer, const char *serial, struct err *e)
{
	struct item *i;

	if (o->count == AHEAD_MAX) {
		err_set(e, ERR_TOO_LARGE, "more than %d devices", AHEAD_MAX);
		return err_tell(e, "More than %d devices are meant.", AHEAD_MAX);
	}
	if (o->count == o->room) {
		const size_t room = o->room ? 2 * o->room : 64;
		struct item *items = realloc(o->items, room * sizeof(*items));

		if (!items)
			return err_set(e, ERR_NO_MEMORY, "no memory for %zu devices", room);
		o->items = items;
		o->room = room;
	}
	i = &o->items[o->count++];
	*i = (struct item){0};
	return (i->manufacturer = str_dup(manufacturer, e)) && (i->serial = str_dup(serial, e));
}

static bool on_match(void *arg, const struct claim_row *row, struct err *e)
{
	struct order *o = arg;

	if (o->manufacturer && strcmp(row->manufacturer, o->manufacturer) != 0)
		return true;
	return add_item(o, row->manufacturer, row->serial, e);
}

static bool find_matching(struct order *o, struct err *e)
{
	struct claim_search q = {.of = MATCH_CLAIMS,
		.match = &o->match,
		.limit = SEARCH_ROWS_MAX,
		.rule = standing_rule_of(o->r)};

	do {
		if (!records_search(o->r->store, &q, on_match, o, &q.after, e))
			return false;
	} while (q.after);
	return true;
}

static bool has_room(const struct order *o, struct err *e)
{
	int64_t stored;

	if (!records_count_ahead(o->r->store, &stored, e))
		return false;
	if (stored + (int64_t)o->count <= 2 * (int64_t)AHEAD_MAX && stored < AHEAD_MAX)
		return true;
	err_set(e, ERR_TOO_LARGE, "%lld vouchers are stored", (long long)stored);
	return err_tell(e, "No more than %d vouchers are stored ahead.", AHEAD_MAX);
}

static bool become_job(struct order *o, int64_t *id, struct err *e)
{
	const struct jobs_order j = {
		.kind = "fetch",
		.by = o->by,
		.exchange = o->exchange,
		.what = o->has_match ? o->match_text : "by their serial numbers",
		.total = (int64_t)o->count,
		.step = step,
		.drop = drop,
		.arg = o,
	};

	return jobs_add(o->r, &j, id, e);
}

/* ---- The request and its answer ---- */

struct reply {
	struct registrar *r;
	struct call *call;
	struct order *order; /* NULL: the job has it */
	int64_t job, total;
	struct err e;
};

static void reply_free(void *arg)
{
	struct reply *p = arg;

	if (p->order)
		order_free(p->order);
	free(p);
}

static bool nobody(struct err *e)
{
	err_set(e, ERR_NOT_FOUND, "no device is meant");
	return err_tell(e, "No device is meant.");
}

static void work(void *arg)
{
	struct reply *p = arg;
	struct order *o = p->order;

	if (o->has_match && !find_matching(o, &p->e))
		return;
	p->total = (int64_t)o->count;
	if ((o->count || nobody(&p->e)) && has_room(o, &p->e) && become_job(o, &p->job, &p->e))
		p->order = NULL;
}

static void answer(void *arg)
{
	struct reply *p = arg;
	BUF_AUTO struct buf text = BUF_INIT(ADMIN_BODY_MAX);
	JSON_AUTO json_t *object = NULL;

	if (p->e.kind == ERR_NONE) {
		object = json_pack("{sI ss so sI}", "id", (json_int_t)p->job, "state",
			job_state_name(JOB_RUNNING), "job",
			json_sprintf(JOBS_PATH "/%lld", (long long)p->job), "total",
			(json_int_t)p->total);
		if (!object)
			err_set(&p->e, ERR_NO_MEMORY, "no memory for an answer");
	}
	if (p->e.kind == ERR_NONE && json_format(object, &text, &p->e)) {
		call_set_header(
			p->call, "Location", json_string_value(json_object_get(object, "job")));
		call_reply(p->call, 202, "application/json", buf_bytes(&text));
	} else {
		call_reply_err(p->call, &p->r->log, "admin-failed", &p->e);
	}
	reply_free(p);
}

static bool is_only_one(const struct order *o)
{
	return o->manufacturer || o->setup->manufacturer_count == 1;
}

static bool read_serials(struct order *o, const json_t *serials, struct err *e)
{
	const json_t *serial;
	size_t i;

	if (!json_is_array(serials))
		return admin_bad(e, "serials is a list of serial-numbers.");
	if (!is_only_one(o))
		return admin_bad(e, "There are several manufacturers: name one.");
	json_array_foreach(serials, i, serial)
	{
		if (!json_is_string(serial) || !*json_string_value(serial))
			return admin_bad(e, "serials is a list of serial-numbers.");
		if (!add_item(o,
			    o->manufacturer ? o->manufacturer
					    : o->setup->manufacturers[0].config->name,
			    json_string_value(serial), e))
			return false;
	}
	return true;
}

static bool keep_text(char **to, const char *from, struct err *e)
{
	*to = from ? str_dup(from, e) : NULL;
	return !from || *to;
}

static bool read_which(struct order *o, const json_t *body, struct err *e)
{
	const json_t *serials = json_object_get(body, "serials");
	const char *match = NULL;

	if (!json_get_string(body, "match", &match, e))
		return false;
	if ((serials != NULL) + (match != NULL) != 1)
		return admin_bad(e, "Say which devices: serials, or match.");
	if (serials)
		return read_serials(o, serials, e);
	o->has_match = true;
	return keep_text(&o->match_text, match, e) &&
	       match_parse(match, MATCH_CLAIMS, &o->match, e);
}

static bool read_body(struct order *o, struct call *c, struct err *e)
{
	JSON_AUTO json_t *body = admin_body(c, e);
	const char *manufacturer = NULL, *masa = NULL;
	struct uri uri;

	if (!body || !json_get_string(body, "manufacturer", &manufacturer, e) ||
		!json_get_string(body, "masa_url", &masa, e))
		return false;
	o->constrained = json_is_true(json_object_get(body, "constrained"));
	o->again = json_is_true(json_object_get(body, "again"));
	if (masa && !idevid_masa_uri_parse(masa, &uri, e))
		return admin_bad(e, "masa_url is no address of a MASA.");
	if (!keep_text(&o->manufacturer, manufacturer, e) || !keep_text(&o->masa, masa, e) ||
		!keep_text(&o->by, admin_by(c), e) || !keep_text(&o->exchange, call_exchange(c), e))
		return false;
	if (manufacturer && !registrar_setup_manufacturer(o->setup, manufacturer))
		return admin_bad(e, "There is no such manufacturer.");
	return read_which(o, body, e);
}

static struct order *order_new(struct registrar *r, struct err *e)
{
	struct order *o = mem_new(sizeof(*o), e);

	if (!o)
		return NULL;
	o->r = r;
	o->setup = registrar_setup_take(r);
	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->wake, NULL);
	return o;
}

void vouchers_ahead_fetch(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	struct err e = ERR_INIT;
	struct reply *p = mem_new(sizeof(*p), &e);

	if (p) {
		*p = (struct reply){.r = r, .call = c, .order = order_new(r, &e), .e = ERR_INIT};
		if (p->order && admin_may_everywhere(c, MAY_OPERATE, &e) &&
			read_body(p->order, c, &e) &&
			jobs_do(r, &(struct jobs_task){work, answer, reply_free, call_loop(c), p},
				&e))
			return;
		reply_free(p);
	}
	call_reply_err(c, &r->log, "admin-failed", &e);
}
