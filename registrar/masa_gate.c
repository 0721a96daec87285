/* SPDX-License-Identifier: Apache-2.0 */
/* A small table under one lock, held for a few comparisons. Each change of state begins a turn, and
 * a failure of a turn that is over says nothing about this one: of a hundred requests that were
 * under way when a MASA died, the last to time out must not double the pause. */
#include "registrar/masa_gate.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"
#include "registrar/limits.h"

struct gate {
	char name[sizeof(((struct masa_pass *)0)->name)]; /* "": free */
	enum masa_gate_state state;
	uint64_t turn;
	unsigned failures;
	int64_t pause_ms, until_ms, used_ms;
};

struct masa_gates {
	pthread_mutex_t lock;
	struct gate gates[MASA_GATES_MAX];
};

struct masa_gates *masa_gates_new(struct err *e)
{
	struct masa_gates *g = mem_new(sizeof(*g), e);

	if (g)
		pthread_mutex_init(&g->lock, NULL);
	return g;
}

void masa_gates_free(struct masa_gates *g)
{
	if (!g)
		return;
	pthread_mutex_destroy(&g->lock);
	free(g);
}

const char *masa_gate_state_name(enum masa_gate_state s)
{
	static const char *const names[] = {[MASA_GATE_CLOSED] = "closed",
		[MASA_GATE_OPEN] = "open",
		[MASA_GATE_PROBING] = "half-open"};

	return names[s];
}

static struct gate *find(struct masa_gates *g, const char *name)
{
	for (size_t i = 0; i < MASA_GATES_MAX; i++)
		if (g->gates[i].name[0] && strcmp(g->gates[i].name, name) == 0)
			return &g->gates[i];
	return NULL;
}

/* In a table that is full, the one that was longest not asked makes room. */
static struct gate *find_or_make(struct masa_gates *g, const char *name)
{
	struct gate *at = find(g, name);

	if (at)
		return at;
	at = &g->gates[0];
	for (size_t i = 0; i < MASA_GATES_MAX; i++)
		if (!g->gates[i].name[0] || g->gates[i].used_ms < at->used_ms) {
			at = &g->gates[i];
			if (!at->name[0])
				break;
		}
	*at = (struct gate){.turn = at->turn + 1};
	snprintf(at->name, sizeof(at->name), "%s", name);
	return at;
}

static void turn_to(struct gate *at, enum masa_gate_state state)
{
	at->state = state;
	at->turn++;
}

/* Several registrars that lost the same MASA do not all come back to it at one moment. */
static void pause_it(struct gate *at, int64_t longest_ms, int64_t now_ms)
{
	const int64_t first = MASA_PAUSE_MS < longest_ms ? MASA_PAUSE_MS : longest_ms;

	at->pause_ms = at->pause_ms ? 2 * at->pause_ms : first;
	if (at->pause_ms > longest_ms)
		at->pause_ms = longest_ms;
	at->until_ms = now_ms + at->pause_ms - rng_below((uint32_t)at->pause_ms / 4 + 1);
	turn_to(at, MASA_GATE_OPEN);
}

/* A probe of which nothing is heard, longer than any request lasts, has been lost. */
static bool is_due(const struct gate *at, int64_t now_ms)
{
	return at->state == MASA_GATE_CLOSED || now_ms >= at->until_ms;
}

bool masa_gate_enter(struct masa_gates *g, const char *name, int64_t now_ms, struct masa_pass *pass,
	int64_t *wait_ms)
{
	struct gate *at;
	bool passes;

	pthread_mutex_lock(&g->lock);
	at = find_or_make(g, name);
	at->used_ms = now_ms;
	passes = is_due(at, now_ms);
	pass->probe = passes && at->state != MASA_GATE_CLOSED;
	*wait_ms = at->state == MASA_GATE_PROBING ? MASA_PAUSE_MS : at->until_ms - now_ms;
	if (pass->probe) {
		turn_to(at, MASA_GATE_PROBING);
		at->until_ms = now_ms + MASA_PROBE_LOST_MS;
	}
	pass->turn = at->turn;
	memcpy(pass->name, at->name, sizeof(pass->name));
	pthread_mutex_unlock(&g->lock);
	return passes;
}

static void note_failure(
	struct gate *at, const struct masa_gate_limits *limits, uint64_t turn, int64_t now_ms)
{
	if (turn != at->turn)
		return;
	at->failures++;
	if (at->state == MASA_GATE_PROBING || at->failures >= limits->failures)
		pause_it(at, limits->pause_ms, now_ms);
}

static void note_answer(struct gate *at)
{
	at->failures = 0;
	at->pause_ms = 0;
	if (at->state != MASA_GATE_CLOSED)
		turn_to(at, MASA_GATE_CLOSED);
}

/* The next may be the probe at once. */
static void note_nothing(struct gate *at, const struct masa_pass *pass, int64_t now_ms)
{
	if (!pass->probe || pass->turn != at->turn)
		return;
	at->until_ms = now_ms;
	turn_to(at, MASA_GATE_OPEN);
}

bool masa_gate_leave(struct masa_gates *g, const struct masa_pass *pass, enum masa_outcome outcome,
	const struct masa_gate_limits *limits, int64_t now_ms, enum masa_gate_state *now_is)
{
	enum masa_gate_state before;
	struct gate *at;

	*now_is = MASA_GATE_CLOSED;
	pthread_mutex_lock(&g->lock);
	at = find(g, pass->name);
	if (!at) { /* it made room for another */
		pthread_mutex_unlock(&g->lock);
		return false;
	}
	before = at->state;
	switch (outcome) {
	case MASA_ANSWERED:
		note_answer(at);
		break;
	case MASA_FAILED:
		note_failure(at, limits, pass->turn, now_ms);
		break;
	case MASA_NOT_TRIED:
		note_nothing(at, pass, now_ms);
		break;
	}
	*now_is = at->state;
	pthread_mutex_unlock(&g->lock);
	return *now_is != before;
}

bool masa_gate_passes(struct masa_gates *g, const char *name, int64_t now_ms)
{
	const struct gate *at;
	bool passes;

	pthread_mutex_lock(&g->lock);
	at = find(g, name);
	passes = !at || is_due(at, now_ms);
	pthread_mutex_unlock(&g->lock);
	return passes;
}

void masa_gates_each(struct masa_gates *g, int64_t now_ms,
	void (*fn)(void *arg, const struct masa_gate_sight *s), void *arg)
{
	pthread_mutex_lock(&g->lock);
	for (size_t i = 0; i < MASA_GATES_MAX; i++) {
		const struct gate *at = &g->gates[i];
		const int64_t left = at->state == MASA_GATE_OPEN ? at->until_ms - now_ms : 0;

		if (at->name[0])
			fn(arg, &(struct masa_gate_sight){
					at->name, at->state, at->failures, left > 0 ? left : 0});
	}
	pthread_mutex_unlock(&g->lock);
}

size_t masa_gates_open(struct masa_gates *g)
{
	size_t count = 0;

	pthread_mutex_lock(&g->lock);
	for (size_t i = 0; i < MASA_GATES_MAX; i++)
		count += g->gates[i].name[0] && g->gates[i].state != MASA_GATE_CLOSED;
	pthread_mutex_unlock(&g->lock);
	return count;
}
