/* SPDX-License-Identifier: Apache-2.0 */
/* One look at the file system in a while, whoever asks first. A disk that cannot be asked is not
 * taken for a full one: the store says soon enough. */
#include "registrar/space.h"

#include <stdio.h>

#include "registrar/meters.h"
#include "registrar/records/records.h"

#define MB	      (INT64_C(1) << 20)
#define AGAIN_PART    8 /* so much of the floor more is enough again */
#define LOOK_MS	      250
#define RETRY_AFTER   "60" /* a person has to make room; a pledge waits no longer (T-20) */
#define MEGABYTES_LEN 32

bool space_lacks(int64_t free_bytes, int64_t floor_bytes, bool lacked)
{
	return free_bytes >= 0 && /* else it is not known: the database is on another machine */
	       free_bytes < floor_bytes + (lacked ? floor_bytes / AGAIN_PART : 0);
}

static void on_journaled(void *arg, const int64_t *changed, const struct err *e)
{
	struct registrar *r = arg;

	if (e)
		log_err(&r->log, "journal-failed", NULL, e);
	registrar_work_end(r);
}

static void tell(struct registrar *r, struct call *c, bool lacks, int64_t free_bytes)
{
	const struct records_writer w = {r->store, call_loop(c), on_journaled, r};
	char text[MEGABYTES_LEN];
	const struct journal_entry line = {
		.at = registrar_now(r),
		.exchange = call_exchange(c),
		.step = "store",
		.outcome = lacks ? "low-space" : "space-recovered",
		.reason = text,
	};
	struct err e = ERR_INIT;

	snprintf(text, sizeof(text), "%lld MB are free", (long long)(free_bytes / MB));
	log_event(&r->log, lacks ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO,
		lacks ? "alert-low-space" : "space-recovered", line.exchange, "reason", text, NULL);
	registrar_work_begin(r);
	if (records_journal(&w, &line, &e))
		return;
	log_err(&r->log, "journal-failed", line.exchange, &e);
	registrar_work_end(r);
}

static void look(struct registrar *r, const struct registrar_setup *s, struct call *c)
{
	int64_t now_ms = clock_mono_ms(), looked_ms = atomic_load(&r->space_looked_ms);
	bool lacked = atomic_load(&r->space_lacks), lacks;
	struct store_space space;
	struct err ignored = ERR_INIT;

	if ((looked_ms && now_ms - looked_ms < LOOK_MS) ||
		!atomic_compare_exchange_strong(&r->space_looked_ms, &looked_ms, now_ms) ||
		!store_space(r->store, &space, &ignored))
		return;
	lacks = space_lacks(space.free_bytes, s->config.free_floor * MB, lacked);
	if (lacks == lacked)
		return;
	atomic_store(&r->space_lacks, lacks);
	tell(r, c, lacks, space.free_bytes);
}

bool space_left(struct registrar *r, const struct registrar_setup *s, struct call *c, struct err *e)
{
	look(r, s, c);
	if (!atomic_load(&r->space_lacks))
		return true;
	meter_limit(r, METER_LIMIT_SPACE);
	call_set_header(c, "Retry-After", RETRY_AFTER);
	return err_set(e, ERR_RETRY_LATER, "the disk is nearly full");
}
