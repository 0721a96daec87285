/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/rounds.h"

#include <unistd.h>

#include "pledge/cloud.h"
#include "pledge/find.h"
#include "pledge/race.h"
#include "pledge/retry.h"

struct round_result {
	bool cloud_again; /* it sent the device where it could not join: that is where to begin */
	enum outcome outcome;
	struct err why;
	int64_t retry_after_s; /* the longest a registrar asked for */
};

static bool is_over(const struct round_result *result)
{
	return result->outcome == OUTCOME_DONE || result->outcome == OUTCOME_LOCAL;
}

/* ---- One candidate -------------------------------------------------------------------------- */

/* connected: a TCP connection to it, taken; or -1. */
static enum outcome run_one(const struct rounds *r, struct candidate *c, int connected,
	struct round_result *result, int64_t *retry_after_s, struct err *e)
{
	EXCHANGE_AUTO struct exchange x;
	enum outcome o;

	exchange_init(&x, r->pledge, c);
	x.connected = connected;
	if (r->prepare && !r->prepare(&x, r->arg, e))
		return OUTCOME_LOCAL;
	o = exchange_run(&x, r->steps, r->step_count, e);
	*retry_after_s = x.retry_after_s;
	if (x.cloud.begun)
		result->cloud_again = cloud_starts_over(&x);
	return o;
}

/* Configured ones are tried in each round, whatever happened in the one before, and so is the
 * cloud's unless it named a time; each of the others has a back-off of its own (R8995-PLG-008). */
static void note_failure(const struct rounds *r, struct candidate *c, int64_t retry_after_s)
{
	const struct pledge_config *k = &r->pledge->config;
	int64_t pause_ms = retry_backoff_ms(
		c->failures, k->backoff_min_s, k->backoff_max_s, r->pledge->candidates.draw);

	if (pause_ms < retry_after_s * 1000)
		pause_ms = retry_after_s * 1000;
	if (c->source == CANDIDATE_CONFIG || (c->source == CANDIDATE_CLOUD && !retry_after_s))
		candidate_failed(c, 0);
	else
		candidate_failed(c, clock_mono_ms() + pause_ms);
}

static void take_outcome(struct round_result *result, enum outcome o, const struct err *e)
{
	if (o == OUTCOME_DONE || o == OUTCOME_LOCAL || result->outcome == OUTCOME_NONE ||
		outcome_worse(result->outcome, o) != result->outcome) {
		result->outcome = o;
		result->why = *e;
	}
}

static void try_one(
	const struct rounds *r, struct candidate *c, int connected, struct round_result *result)
{
	struct err e = ERR_INIT;
	int64_t retry_after_s = 0;
	enum outcome o = run_one(r, c, connected, result, &retry_after_s, &e);

	take_outcome(result, o, &e);
	if (retry_after_s > result->retry_after_s && c->source != CANDIDATE_CLOUD)
		result->retry_after_s = retry_after_s;
	if (o == OUTCOME_DONE)
		candidate_worked(c);
	else if (o != OUTCOME_LOCAL)
		note_failure(r, c, retry_after_s);
}

/* ---- Whoever answers first ------------------------------------------------------------------ */

/* Names are left to whoever resolves them, datagrams have no connection, and the cloud's is asked
 * when nobody else is there. */
static bool can_race(const struct candidate *c)
{
	return c->uri.scheme == URI_HTTPS && c->uri.host_is_ip && c->source != CANDIDATE_CLOUD;
}

static size_t runners_of(
	struct candidate *const *ranked, size_t count, struct runner runners[RACE_MAX])
{
	size_t n = 0;

	while (n < count && n < RACE_MAX && can_race(ranked[n])) {
		runners[n] = (struct runner){.to = &ranked[n]->uri};
		n++;
	}
	return n;
}

static void note_unreachable(
	const struct rounds *r, struct candidate *c, struct round_result *result)
{
	struct err e = ERR_INIT;

	err_set(&e, ERR_RETRY_LATER, "no connection");
	uri_blame(&c->uri, &e);
	log_err(&r->pledge->log, "connect", NULL, &e);
	pledge_say(r->pledge, "connect: failed: %s", e.text);
	take_outcome(result, OUTCOME_UNREACHABLE, &e);
	note_failure(r, c, 0);
}

/* The one to try next, with a connection when there was a race; NULL: all that ran have failed. */
static struct candidate *choose(const struct rounds *r, struct candidate *const *ranked,
	size_t count, int *connected, struct round_result *result)
{
	struct runner runners[RACE_MAX];
	size_t n = runners_of(ranked, count, runners), first;
	int64_t latency_ms = 0;

	*connected = -1;
	if (n < 2)
		return ranked[0];
	first = race_run(
		runners, n, r->pledge->config.connect_timeout_s * 1000, connected, &latency_ms);
	for (size_t i = 0; i < n; i++)
		if (runners[i].failed)
			note_unreachable(r, ranked[i], result);
	if (first == n)
		return NULL;
	ranked[first]->latency_ms = latency_ms;
	return ranked[first];
}

static void try_known(const struct rounds *r, struct round_result *result)
{
	struct candidates *set = &r->pledge->candidates;
	struct candidate *ranked[CANDIDATES_MAX];
	size_t count;

	while (!is_over(result) && (count = candidates_rank(set, clock_mono_ms(), ranked)) > 0) {
		int connected;
		struct candidate *c = choose(r, ranked, count, &connected, result);

		if (c)
			try_one(r, c, connected, result);
	}
}

/* ---- Rounds --------------------------------------------------------------------------------- */

/* Those that are known were in vain. */
static void try_found(const struct rounds *r, struct round_result *result)
{
	struct pledge *p = r->pledge;
	struct uri found[FOUND_MAX];
	struct err e = ERR_INIT;
	size_t count;

	if (!find_registrars(
		    p->config.discover, (uint16_t)p->config.discovery_port, found, &count, &e))
		log_err(&p->log, "discovery", NULL, &e);
	pledge_say(p, "discovery: %zu place%s to join at", count, count == 1 ? "" : "s");
	for (size_t i = 0; i < count; i++) {
		struct candidate c = candidate_of(&found[i], CANDIDATE_CORE);

		c.priority = (unsigned)i;
		candidates_add(&p->candidates, &c);
	}
	try_known(r, result);
	if (result->outcome != OUTCOME_NONE)
		return;
	result->outcome = OUTCOME_UNREACHABLE;
	if (e.kind == ERR_NONE)
		err_set(&e, ERR_RETRY_LATER, "discovery: nobody answered");
	result->why = e;
}

/* Nobody else let the device in: its manufacturer may know where it belongs. */
static void try_cloud(const struct rounds *r, struct round_result *result)
{
	struct candidate *c = &r->pledge->cloud;
	struct err e = ERR_INIT;

	if (!r->pledge->has_cloud || r->prepare || c->tried || is_over(result))
		return;
	if (c->penalised_until_ms <= clock_mono_ms()) {
		try_one(r, c, -1, result);
	} else if (result->outcome == OUTCOME_NONE) {
		err_set(&e, ERR_REFUSED, "the cloud registrar is not to be asked yet");
		take_outcome(result, OUTCOME_REFUSED, &e);
	}
}

/* The manufacturer's comes last (RFC 8995 §4.1), or first when it is where to begin again. */
static struct round_result run_round(const struct rounds *r, bool cloud_first)
{
	struct round_result result = {.outcome = OUTCOME_NONE, .why = ERR_INIT};

	candidates_begin_round(&r->pledge->candidates);
	r->pledge->cloud.tried = false;
	if (cloud_first)
		try_cloud(r, &result);
	if (!is_over(&result))
		try_known(r, &result);
	if (r->pledge->discovers && !is_over(&result))
		try_found(r, &result);
	try_cloud(r, &result);
	return result;
}

/* False when the budget does not last that long. */
static bool rest(const struct rounds *r, unsigned round, int64_t retry_after_s)
{
	const struct pledge *p = r->pledge;
	int64_t pause_ms = retry_backoff_ms(
		round, p->config.backoff_min_s, p->config.backoff_max_s, rng_below);

	pause_ms += retry_after_s * 1000; /* all of them were told the same */
	if (pause_ms >= pledge_time_left_ms(p)) {
		pledge_say(p, "giving up: [retry] budget is spent");
		return false;
	}
	pledge_say(p, "trying again in %lld.%lld s", (long long)(pause_ms / 1000),
		(long long)(pause_ms % 1000 / 100));
	p->pause(p->pause_arg, pause_ms);
	return true;
}

enum outcome rounds_run(const struct rounds *r, struct err *e)
{
	struct pledge *p = r->pledge;
	bool cloud_first = false;

	candidates_set_configured(&p->candidates, p->registrars, p->registrar_count);
	for (unsigned round = 0;; round++) {
		struct round_result result = run_round(r, cloud_first);
		bool last = r->attempts && (int64_t)round + 1 >= r->attempts;

		*e = result.why;
		if (is_over(&result) || last || !rest(r, round, result.retry_after_s))
			return result.outcome;
		cloud_first = result.cloud_again;
	}
}
