/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/rounds.h"

#include "pledge/find.h"
#include "pledge/retry.h"

struct round_result {
	enum outcome outcome;
	struct err why;
	int64_t retry_after_s; /* the longest a registrar asked for */
};

static enum outcome run_one(
	const struct rounds *r, const struct uri *registrar, int64_t *retry_after_s, struct err *e)
{
	EXCHANGE_AUTO struct exchange x;
	enum outcome o;

	exchange_init(&x, r->pledge, registrar);
	if (r->prepare && !r->prepare(&x, r->arg, e))
		return OUTCOME_LOCAL;
	o = exchange_run(&x, r->steps, r->step_count, e);
	if (x.retry_after_s > *retry_after_s)
		*retry_after_s = x.retry_after_s;
	return o;
}

static bool is_over(const struct round_result *result)
{
	return result->outcome == OUTCOME_DONE || result->outcome == OUTCOME_LOCAL;
}

static void try_each(const struct rounds *r, const struct uri *registrars, size_t count,
	struct round_result *result)
{
	for (size_t i = 0; i < count && !is_over(result); i++) {
		struct err e = ERR_INIT;
		enum outcome o = run_one(r, &registrars[i], &result->retry_after_s, &e);

		if (o == OUTCOME_DONE || o == OUTCOME_LOCAL || result->outcome == OUTCOME_NONE ||
			outcome_worse(result->outcome, o) != result->outcome) {
			result->outcome = o;
			result->why = e;
		}
	}
}

/* Those that are known were in vain. */
static void try_found(const struct rounds *r, struct round_result *result)
{
	const struct pledge *p = r->pledge;
	struct uri found[FOUND_MAX];
	struct err e = ERR_INIT;
	size_t count;

	if (!find_registrars(
		    p->config.discover, (uint16_t)p->config.discovery_port, found, &count, &e))
		log_err(&p->log, "discovery", NULL, &e);
	pledge_say(p, "discovery: %zu place%s to join at", count, count == 1 ? "" : "s");
	try_each(r, found, count, result);
	if (result->outcome != OUTCOME_NONE)
		return;
	result->outcome = OUTCOME_UNREACHABLE;
	if (e.kind == ERR_NONE)
		err_set(&e, ERR_RETRY_LATER, "discovery: nobody answered");
	result->why = e;
}

static struct round_result run_round(const struct rounds *r)
{
	struct round_result result = {.outcome = OUTCOME_NONE, .why = ERR_INIT};
	const struct pledge *p = r->pledge;

	try_each(r, p->registrars, p->registrar_count, &result);
	if (p->discovers && !is_over(&result))
		try_found(r, &result);
	return result;
}

static void rest(const struct rounds *r, unsigned round, int64_t retry_after_s)
{
	const struct pledge *p = r->pledge;
	int64_t pause_ms = retry_backoff_ms(
		round, p->config.backoff_min_s, p->config.backoff_max_s, rng_below);

	if (pause_ms < retry_after_s * 1000)
		pause_ms = retry_after_s * 1000;
	pledge_say(p, "trying again in %lld.%lld s", (long long)(pause_ms / 1000),
		(long long)(pause_ms % 1000 / 100));
	p->pause(p->pause_arg, pause_ms);
}

enum outcome rounds_run(const struct rounds *r, struct err *e)
{
	for (unsigned round = 0;; round++) {
		struct round_result result = run_round(r);
		bool last = r->attempts && (int64_t)round + 1 >= r->attempts;

		*e = result.why;
		if (is_over(&result) || last)
			return result.outcome;
		rest(r, round, result.retry_after_s);
	}
}
