/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/rounds.h"

#include <unistd.h>

#include "pledge/cloud.h"
#include "pledge/discover.h"
#include "pledge/race.h"
#include "pledge/retry.h"

struct round_result {
	bool cloud_again; /* it sent the device where it could not join: that is where to begin */
	enum outcome outcome;
	struct err why;
	bool over; /* joined, or nobody else would help */
};

static bool is_over(const struct round_result *result)
{
	return result->over;
}

/* ---- One candidate -------------------------------------------------------------------------- */

/* How an exchange with it ended. */
struct ending {
	enum outcome outcome;
	enum setback setback;
	int64_t retry_after_s;
};

/* Is there anybody to try instead of the one that is being tried? */
static bool others_wait(const void *arg)
{
	const struct rounds *r = arg;
	struct pledge *p = r->pledge;
	struct candidate *ranked[CANDIDATES_MAX];

	if (p->discover)
		discover_wait(p->discover, 0);
	return candidates_rank(&p->candidates, pledge_now_ms(p), ranked) > 0;
}

static bool is_stranger(const struct candidate *c)
{
	return c->source != CANDIDATE_CONFIG && c->source != CANDIDATE_CLOUD;
}

/* connected: a TCP connection to it, taken; or -1. */
static struct ending run_one(const struct rounds *r, struct candidate *c, int connected,
	struct round_result *result, struct err *e)
{
	EXCHANGE_AUTO struct exchange x;
	struct ending end = {.outcome = OUTCOME_LOCAL, .setback = SETBACK_LOCAL};

	exchange_init(&x, r->pledge, c);
	x.connected = connected;
	x.others_wait = is_stranger(c) ? others_wait : NULL;
	x.others_arg = r;
	if (r->prepare && !r->prepare(&x, r->arg, e))
		return end;
	end.outcome = exchange_run(&x, r->steps, r->step_count, e);
	end.setback = x.setback;
	end.retry_after_s = x.retry_after_s;
	if (x.cloud.begun)
		result->cloud_again = cloud_starts_over(&x);
	if (x.cloud.looped) /* whoever is near is where to begin again (CLOUD-PLG-015) */
		candidates_forgive(&r->pledge->candidates);
	return end;
}

/* Each has a back-off of its own: nobody waits for another's Retry-After (R8995-PLG-008). */
static void note_failure(const struct rounds *r, struct candidate *c, const struct ending *end)
{
	struct pledge *p = r->pledge;
	int64_t pause_ms =
		retry_pause_ms(retry_rule(end->setback), c->failures + 1, end->retry_after_s,
			p->config.backoff_min_s, p->config.backoff_max_s, p->candidates.draw);

	candidate_failed(c, pledge_now_ms(p) + pause_ms);
}

static void take_outcome(struct round_result *result, enum outcome o, const struct err *e)
{
	if (o == OUTCOME_DONE || o == OUTCOME_LOCAL || result->outcome == OUTCOME_NONE ||
		outcome_worse(result->outcome, o) != result->outcome) {
		result->outcome = o;
		result->why = *e;
	}
	result->over = o == OUTCOME_DONE;
}

static void try_one(
	const struct rounds *r, struct candidate *c, int connected, struct round_result *result)
{
	struct err e = ERR_INIT;
	struct ending end;

	c->tried = c->held = true;
	end = run_one(r, c, connected, result, &e);
	c->held = false;

	take_outcome(result, end.outcome, &e);
	if (end.outcome == OUTCOME_DONE)
		candidate_worked(c);
	else if (retry_rule(end.setback)->next == RETRY_GIVE_UP)
		result->over = true;
	else
		note_failure(r, c, &end);
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
	const struct ending end = {.setback = SETBACK_UNREACHABLE};
	struct err e = ERR_INIT;

	err_set(&e, ERR_RETRY_LATER, "no connection");
	uri_blame(&c->uri, &e);
	log_err(&r->pledge->log, "connect", NULL, &e);
	pledge_say(r->pledge, "connect: failed: %s", e.text);
	take_outcome(result, OUTCOME_UNREACHABLE, &e);
	note_failure(r, c, &end);
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

	/* new ones without end do not keep us from the cloud's */
	for (int i = 0; i < CANDIDATES_MAX && !is_over(result) &&
			(count = candidates_rank(set, pledge_now_ms(r->pledge), ranked)) > 0;
		i++) {
		int connected;
		struct candidate *c = choose(r, ranked, count, &connected, result);

		if (c)
			try_one(r, c, connected, result);
		/* many in vain take their time: whoever is better is heard, and asked, meanwhile */
		if (r->pledge->discover && !is_over(result))
			discover_wait(r->pledge->discover, 0);
	}
}

/* ---- Rounds --------------------------------------------------------------------------------- */

static size_t count_found(const struct candidates *s)
{
	size_t count = 0;

	for (size_t i = 0; i < s->count; i++)
		count += s->all[i].source != CANDIDATE_CONFIG;
	return count;
}

static void say_found(const struct pledge *p, size_t count)
{
	if (count)
		pledge_say(p, "discovery: %zu place%s to join at", count, count == 1 ? "" : "s");
	else
		pledge_say(p, "discovery: nobody answers yet");
}

/* Those that are known were in vain. Whoever announces himself later is heard while we rest. */
static void try_found(const struct rounds *r, struct round_result *result)
{
	struct pledge *p = r->pledge;
	size_t before = count_found(&p->candidates), after;
	struct err e = ERR_INIT;

	discover_wait(p->discover, before ? 0 : clock_mono_ms() + GATHER_MS);
	after = count_found(&p->candidates);
	if (after != before || !after)
		say_found(p, after);
	try_known(r, result);
	if (result->outcome != OUTCOME_NONE)
		return;
	err_set(&e, ERR_RETRY_LATER,
		after ? "discovery: nobody new" : "discovery: nobody answered");
	take_outcome(result, OUTCOME_UNREACHABLE, &e);
}

/* Nobody else let the device in: its manufacturer may know where it belongs. */
static void try_cloud(const struct rounds *r, struct round_result *result)
{
	struct candidate *c = &r->pledge->cloud;
	struct err e = ERR_INIT;

	if (!r->pledge->has_cloud || r->prepare || c->tried || is_over(result))
		return;
	if (c->penalised_until_ms <= pledge_now_ms(r->pledge)) {
		try_one(r, c, -1, result);
	} else if (result->outcome == OUTCOME_NONE) {
		err_set(&e, ERR_REFUSED, "the cloud registrar is not to be asked yet");
		take_outcome(result, OUTCOME_REFUSED, &e);
	}
}

static void say_where(const struct pledge *p)
{
	char where[DISCOVER_PLACES_MAX];

	if (*discover_where(p->discover, where))
		pledge_say(p, "discovery: looking for registrars and join proxies on %s", where);
	else
		pledge_say(p, "discovery: no interface is up, is the cable in?");
}

/* Not before the configured ones were in vain; from then on it listens. */
static bool begin_discovery(const struct rounds *r, struct round_result *result)
{
	struct pledge *p = r->pledge;
	struct err e = ERR_INIT;

	if (p->discover)
		return true;
	p->discover = discover_new(&p->config, &p->candidates, &p->log, &e);
	if (!p->discover) {
		take_outcome(result, OUTCOME_LOCAL, &e);
		result->over = true;
		return false;
	}
	say_where(p);
	return true;
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
	if (r->pledge->discovers && !is_over(&result) && begin_discovery(r, &result))
		try_found(r, &result);
	try_cloud(r, &result);
	return result;
}

static int64_t sooner(int64_t a_ms, int64_t b_ms)
{
	return a_ms < b_ms ? a_ms : b_ms;
}

/* Until the first of them may be asked again. Whoever listens needs no other reason to wake up,
 * unless he counts his rounds. INT64_MAX: for ever. */
static int64_t rest_ms(const struct rounds *r, unsigned round)
{
	struct pledge *p = r->pledge;
	int64_t now_ms = pledge_now_ms(p), next_ms = candidates_next_ms(&p->candidates, now_ms);
	int64_t look_ms = now_ms + retry_backoff_ms(round, p->config.backoff_min_s,
					   p->config.backoff_max_s, p->candidates.draw);

	if (p->has_cloud && !r->prepare && p->cloud.penalised_until_ms > now_ms)
		next_ms = sooner(next_ms, p->cloud.penalised_until_ms);
	if (p->discovers ? r->attempts > 0 : next_ms == INT64_MAX)
		next_ms = sooner(next_ms, look_ms);
	return next_ms == INT64_MAX ? INT64_MAX : next_ms - now_ms;
}

static void say_rest(const struct pledge *p, int64_t pause_ms)
{
	if (pause_ms == INT64_MAX)
		pledge_say(p, "waiting until a registrar or join proxy announces itself, asking "
			      "now and then");
	else
		pledge_say(p, "trying again in %lld.%lld s", (long long)(pause_ms / 1000),
			(long long)(pause_ms % 1000 / 100));
}

/* A new announcement ends the rest (R8995-PLG-011). True when there was one. */
static bool rest_listening(struct discover *d, int64_t pause_ms)
{
	int64_t now_ms = clock_mono_ms();

	return discover_wait(d, pause_ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + pause_ms);
}

/* False when the budget does not last that long. */
static bool rest(const struct rounds *r, unsigned round)
{
	struct pledge *p = r->pledge;
	struct discover *d = p->discover;
	int64_t pause_ms = rest_ms(r, round), left_ms = pledge_time_left_ms(p);
	bool too_long = pause_ms >= left_ms && left_ms != INT64_MAX;

	if (!too_long || d)
		say_rest(p, pause_ms);
	if (d && rest_listening(d, sooner(pause_ms, left_ms))) {
		say_found(p, count_found(&p->candidates));
		return true;
	}
	if (too_long) {
		pledge_say(p, "giving up: [retry] budget is spent");
		return false;
	}
	if (!d)
		pledge_pause(p, pause_ms);
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
		if (is_over(&result) || last || !rest(r, round))
			return result.outcome;
		cloud_first = result.cloud_again || (cloud_first && !p->cloud.tried);
	}
}
