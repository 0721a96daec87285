/* SPDX-License-Identifier: Apache-2.0 */
/* The listener for who watches a daemon: GET /metrics for Prometheus, /healthz (its loop turns) and
 * /readyz (it takes requests) for whatever starts and stops it, and nothing else.
 *
 * Plain HTTP, and anybody who reaches it may ask: it belongs on loopback or a network of the
 * administrators, is off unless an address is configured, and tells nothing of a device. */
#ifndef RUN_METRICS_LISTENER_H
#define RUN_METRICS_LISTENER_H

#include "common/net/http_server.h"
#include "common/run/metrics.h"

struct metrics_listener;

struct metrics_listener_config {
	const char *listen; /* "127.0.0.1:9464" */
	const struct log *log;
	struct metrics *metrics;
	/* Set the gauges: before each answer, on the listener's loop, so one at a time. */
	void (*refresh)(void *app);
	bool (*is_ready)(void *app); /* any thread */
	void *app;
};

/* On one loop that does not run yet. What the config points to is borrowed. */
struct metrics_listener *metrics_listener_new(
	const struct metrics_listener_config *config, struct loop *l, struct err *e) MUST_CHECK;
uint16_t metrics_listener_port(const struct metrics_listener *l);
/* Its loop must have stopped: it answers to the end, also while the daemon drains. */
void metrics_listener_free(struct metrics_listener *l);

#endif
