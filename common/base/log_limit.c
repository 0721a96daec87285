/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of log lines: see log_limit.h. A table of small sets: what hashes to a full set takes
 * the place of the counter whose window began first, so that memory and time are bounded whatever
 * sources there are. */
#include "common/base/log_limit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"

#define SETS 64 /* 256 counters, 30 kB: sources beyond that have the limits of their event only */
#define WAYS 4

struct counter {
	char event[LOG_LIMIT_EVENT_MAX];
	char source[LOG_LIMIT_SOURCE_MAX];
	int64_t since_ms;
	unsigned lines;
	uint64_t left_out;
};

struct log_limits {
	pthread_mutex_t lock;
	struct table {
		struct counter sets[SETS][WAYS];
	} sources, events; /* apart, so that no number of sources displaces an event */
};

struct log_limits *log_limits_new(struct err *e)
{
	struct log_limits *x = mem_new(sizeof(*x), e);

	if (x)
		pthread_mutex_init(&x->lock, NULL);
	return x;
}

void log_limits_free(struct log_limits *x)
{
	if (!x)
		return;
	pthread_mutex_destroy(&x->lock);
	free(x);
}

/* FNV-1a: no secret is needed, a collision costs somebody a few lines. */
static uint32_t hash(uint32_t h, const char *s)
{
	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	return h;
}

static struct log_left_out take_left_out(struct counter *c)
{
	struct log_left_out told = {.lines = c->left_out};

	memcpy(told.event, c->event, sizeof(told.event));
	memcpy(told.source, c->source, sizeof(told.source));
	c->left_out = 0;
	return told;
}

static struct counter *find(struct table *t, const char *event, const char *source)
{
	struct counter *set = t->sets[hash(hash(2166136261u, event), source) % SETS];
	struct counter *oldest = set;

	for (size_t i = 0; i < WAYS; i++) {
		if (strcmp(set[i].event, event) == 0 && strcmp(set[i].source, source) == 0)
			return &set[i];
		if (set[i].since_ms < oldest->since_ms)
			oldest = &set[i];
	}
	return oldest;
}

static bool count(struct table *t, const char *event, const char *source, unsigned limit,
	int64_t now_ms, struct log_left_out *told)
{
	struct counter *c = find(t, event, source);
	bool same = strcmp(c->event, event) == 0 && strcmp(c->source, source) == 0;

	told->lines = 0;
	if (!same || now_ms - c->since_ms >= LOG_LIMIT_WINDOW_MS) {
		*told = take_left_out(c);
		*c = (struct counter){.since_ms = now_ms};
		snprintf(c->event, sizeof(c->event), "%s", event);
		snprintf(c->source, sizeof(c->source), "%s", source);
	}
	if (c->lines < limit) {
		c->lines++;
		return true;
	}
	c->left_out++;
	return false;
}

bool log_limits_admit(struct log_limits *x, const char *event, const char *source, int64_t now_ms,
	struct log_left_out told[LOG_LEFT_OUT_MAX])
{
	char name[LOG_LIMIT_EVENT_MAX], from[LOG_LIMIT_SOURCE_MAX];
	bool ok = true;

	snprintf(name, sizeof(name), "%s", event);
	snprintf(from, sizeof(from), "%s", source ? source : "");
	told[0].lines = told[1].lines = 0;
	pthread_mutex_lock(&x->lock);
	if (from[0])
		ok = count(&x->sources, name, from, LOG_LIMIT_PER_SOURCE, now_ms, &told[0]);
	ok = ok && count(&x->events, name, "", LOG_LIMIT_PER_EVENT, now_ms, &told[1]);
	pthread_mutex_unlock(&x->lock);
	return ok;
}

static struct log_left_out collect(struct table *t, int64_t now_ms, bool all)
{
	for (size_t i = 0; i < SETS * WAYS; i++) {
		struct counter *c = &t->sets[i / WAYS][i % WAYS];

		if (c->left_out && (all || now_ms - c->since_ms >= LOG_LIMIT_WINDOW_MS))
			return take_left_out(c);
	}
	return (struct log_left_out){.lines = 0};
}

struct log_left_out log_limits_collect(struct log_limits *x, int64_t now_ms, bool all)
{
	struct log_left_out told;

	pthread_mutex_lock(&x->lock);
	told = collect(&x->sources, now_ms, all);
	if (told.lines == 0)
		told = collect(&x->events, now_ms, all);
	pthread_mutex_unlock(&x->lock);
	return told;
}
