/* SPDX-License-Identifier: Apache-2.0 */
/* What has to be done with stored vouchers from time to time: those that end are fetched again (RFC
 * 8995 §5.5.1), and when the MASA is back, the history of each device that joined with one is
 * looked at, as it would have been before (§5.8). A few at a time, by the registrar that leads. */
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/pki/idevid.h"
#include "registrar/ahead.h"
#include "registrar/history.h"
#include "registrar/masa.h"
#include "registrar/records/ahead.h"

#define TICK_MS	     3000	 /* a device that joined offline is looked at soon */
#define SWEEP_TICKS  1200	 /* an hour */
#define AGAIN_S	     300	 /* after a renewal that failed */
#define KEPT_ENDED_S (7 * 86400) /* so long an expired one is there to be looked at */

struct ahead {
	struct registrar *r;
	struct loop_timer timer;
	size_t running; /* of one round; the next begins when it is over */
	unsigned ticks;
	int64_t looked_to; /* the histories of these were asked for: a MASA that stays away does
			      not keep the others from their turn */
};

/* One stored voucher that is worked on. */
struct chore {
	struct ahead *a;
	struct registrar_setup *setup;
	const struct manufacturer *manufacturer; /* NULL: it is no longer configured */
	int64_t id;
	bool check; /* the history; else the renewal */
	bool constrained, device_known;
	char *maker, *serial, *masa, *by;
	struct buf request;
	struct device_record device;
	struct history_verdict verdict;
	char exchange[EXCHANGE_ID_MAX + 1];
};

static void chore_end(struct chore *c)
{
	c->a->running--;
	registrar_setup_free(c->setup);
	free(c->maker);
	free(c->serial);
	free(c->masa);
	free(c->by);
	buf_clear(&c->request);
	registrar_work_end(c->a->r);
	free(c);
}

static void note_failure(const struct chore *c, const char *event, const struct err *e)
{
	log_err(&c->a->r->log, event, c->exchange, e);
}

/* ---- Renewals ---- */

static void on_delayed(void *arg, const int64_t *changed, const struct err *e)
{
	struct chore *c = arg;

	if (e)
		note_failure(c, "stored-voucher-not-renewed", e);
	chore_end(c);
}

static void delay(struct chore *c)
{
	struct registrar *r = c->a->r;
	const struct records_writer w = {r->store, r->workers[0].loop, on_delayed, c};
	struct err e = ERR_INIT;

	if (!records_delay_ahead(&w, c->id, registrar_now(r) + AGAIN_S, &e))
		on_delayed(c, NULL, &e);
}

static void on_renewed(void *arg, const struct err *e)
{
	struct chore *c = arg;

	if (!e) {
		chore_end(c);
		return;
	}
	note_failure(c, "stored-voucher-not-renewed", e);
	delay(c);
}

static void renew(struct chore *c)
{
	struct registrar *r = c->a->r;
	struct err e = ERR_INIT;
	const struct ahead_wish w = {
		.setup = c->setup,
		.manufacturer = c->manufacturer,
		.serial = c->serial,
		.by = c->by,
		.exchange = c->exchange,
		.masa = c->masa,
		.constrained = c->constrained,
		.again = true,
	};

	if (!ahead_fetch(r, r->workers[0].loop, &w, on_renewed, c, &e))
		on_renewed(c, &e);
}

/* ---- Histories ---- */

static void on_checked(void *arg, const int64_t *changed, const struct err *e)
{
	struct chore *c = arg;

	if (e)
		note_failure(c, "history-review-failed", e);
	else
		history_alarm(c->a->r, c->exchange, (struct device_key){c->maker, c->serial},
			&c->verdict);
	chore_end(c);
}

static bool record_verdict(struct chore *c, struct err *e)
{
	struct registrar *r = c->a->r;
	const struct records_writer w = {r->store, r->workers[0].loop, on_checked, c};
	const struct device_key key = {c->maker, c->serial};
	struct fraud fraud = {.quarantine_on = c->setup->config.quarantine_on};
	const struct request_record request = {.device = key,
		.idevid_sha256 = c->device.idevid_sha256,
		.at = registrar_now(r),
		.fraud = &fraud};
	const struct journal_entry line = {
		.at = request.at,
		.exchange = c->exchange,
		.device = key,
		.step = "history",
		.outcome = history_state_name(c->verdict.state),
		.reason = c->verdict.reason,
	};

	if (c->verdict.foreign_since) {
		fraud_add(&fraud, &c->device, FRAUD_FOREIGN_DOMAIN, "%.*s", FRAUD_REASON_MAX,
			c->verdict.reason);
		fraud_tell(r, c->exchange, key, &fraud);
	}
	return records_check_ahead(&w, c->id, &request, c->verdict.state, &line, e);
}

static void on_history(void *arg, const struct history_verdict *v, const struct err *e)
{
	struct chore *c = arg;
	struct err failure = ERR_INIT;

	if (e) { /* the next round asks again */
		on_checked(c, NULL, e);
		return;
	}
	c->verdict = *v;
	if (!record_verdict(c, &failure))
		on_checked(c, NULL, &failure);
}

static bool ask_history(struct chore *c, struct err *e)
{
	struct registrar *r = c->a->r;
	struct history_question q = {
		.setup = c->setup,
		.face = c->setup->face,
		.manufacturer = c->manufacturer,
		.media_type = ahead_type(c->constrained),
		.exchange = c->exchange,
		.registrar_request = buf_bytes(&c->request),
	};

	return idevid_masa_uri_parse(c->masa, &q.masa, e) &&
	       history_ask(r, r->workers[0].loop, &q, on_history, c, e);
}

/* Where nothing is looked at, or there is no such device any more, that is the end of it. */
static void check(struct chore *c)
{
	struct registrar *r = c->a->r;
	const struct records_writer w = {r->store, r->workers[0].loop, on_delayed, c};
	struct err e = ERR_INIT;

	if (c->setup->config.audit_check == AUDIT_OFF || !c->device_known) {
		if (!records_pass_ahead(&w, c->id, registrar_now(r), &e))
			on_delayed(c, NULL, &e);
	} else if (!ask_history(c, &e)) {
		on_checked(c, NULL, &e);
	}
}

/* ---- A round ---- */

struct round {
	struct ahead *a;
	struct chore *chores[2 * AHEAD_AT_ONCE];
	size_t count;
	bool check;
};

static bool add_chore(void *arg, const struct ahead_row *row, struct err *e)
{
	struct round *round = arg;
	struct chore *c = mem_new(sizeof(*c), e);

	if (!c)
		return false;
	c->a = round->a;
	c->a->running++;
	registrar_work_begin(c->a->r);
	round->chores[round->count++] = c;
	c->setup = registrar_setup_take(c->a->r);
	c->manufacturer = registrar_setup_manufacturer(c->setup, row->device.manufacturer);
	c->id = row->id;
	c->check = round->check;
	c->constrained = strcmp(row->type, VOUCHER_COSE) == 0;
	buf_init(&c->request, row->request.len);
	return rng_exchange_id(c->exchange, e) &&
	       (c->maker = str_dup(row->device.manufacturer, e)) &&
	       (c->serial = str_dup(row->device.serial, e)) && (c->masa = str_dup(row->masa, e)) &&
	       (c->by = str_dup(row->by ? row->by : "", e)) &&
	       buf_append(&c->request, row->request.data, row->request.len, e);
}

static void do_chore(struct chore *c)
{
	struct err e = ERR_INIT;

	if (!c->manufacturer) {
		err_set(&e, ERR_NOT_FOUND, "manufacturer \"%s\" is not configured", c->maker);
		if (c->check)
			on_checked(c, NULL, &e);
		else
			on_renewed(c, &e);
		return;
	}
	if (!records_device(
		    c->a->r->store, (struct device_key){c->maker, c->serial}, &c->device, &e)) {
		on_checked(c, NULL, &e);
		return;
	}
	c->device_known = c->device.found;
	if (c->check)
		check(c);
	else
		renew(c);
}

static void begin_round(struct ahead *a, bool renewals)
{
	struct registrar *r = a->r;
	struct round round = {.a = a, .check = true};
	struct err e = ERR_INIT;
	bool ok = records_unchecked_ahead(
		r->store, a->looked_to, AHEAD_AT_ONCE, add_chore, &round, &e);

	a->looked_to = round.count == AHEAD_AT_ONCE ? round.chores[round.count - 1]->id : 0;
	round.check = false;
	if (ok && renewals)
		ok = records_due_ahead(
			r->store, registrar_now(r), AHEAD_AT_ONCE, add_chore, &round, &e);
	if (!ok)
		log_err(&r->log, "stored-vouchers-failed", NULL, &e);
	for (size_t i = 0; i < round.count; i++)
		if (ok)
			do_chore(round.chores[i]);
		else
			chore_end(round.chores[i]);
}

static void on_swept(void *arg, const int64_t *changed, const struct err *e)
{
	struct registrar *r = arg;

	if (e)
		log_err(&r->log, "stored-vouchers-failed", NULL, e);
}

static void sweep(struct registrar *r)
{
	const struct records_writer w = {r->store, r->workers[0].loop, on_swept, r};
	struct err e = ERR_INIT;

	if (clock_mono_ms() >= atomic_load(&r->sweep_from_ms) &&
		!records_sweep_ahead(&w, registrar_now(r) - KEPT_ENDED_S, &e))
		log_err(&r->log, "stored-vouchers-failed", NULL, &e);
}

static void on_tick(void *arg)
{
	struct ahead *a = arg;
	struct registrar_setup *s = registrar_setup_take(a->r);
	const bool renewals = s->config.stored_vouchers != STORED_OFF;

	registrar_setup_free(s);
	if (store_leads(a->r->store) && !atomic_load(&a->r->draining)) {
		if (a->running == 0)
			begin_round(a, renewals);
		if (++a->ticks % SWEEP_TICKS == 0)
			sweep(a->r);
	}
	loop_timer_arm(&a->timer, TICK_MS);
}

bool ahead_start(struct registrar *r, struct err *e)
{
	struct ahead *a = mem_new(sizeof(*a), e);

	if (!a)
		return false;
	r->ahead = a;
	a->r = r;
	if (!loop_timer_init(&a->timer, r->workers[0].loop, on_tick, a, e))
		return false;
	loop_timer_arm(&a->timer, TICK_MS);
	return true;
}

void ahead_end(struct registrar *r)
{
	if (!r->ahead)
		return;
	loop_timer_clear(&r->ahead->timer);
	free(r->ahead);
	r->ahead = NULL;
}
