/* SPDX-License-Identifier: Apache-2.0 */
/* What the MASA counts, where it happens, and what it looks up when somebody asks; told at /metrics
 * (run/metrics_listener.h) when an address is configured for it. */
#ifndef MASA_METERS_H
#define MASA_METERS_H

#include "common/net/http_server.h"
#include "masa/masa.h"

enum masa_meter_request { MASA_METER_VOUCHER, MASA_METER_AUDITLOG };
enum masa_meter_limit { MASA_METER_LIMIT_CONNECTIONS, MASA_METER_LIMIT_REGISTRAR };

struct metrics *masa_meters_new(struct err *e) MUST_CHECK;
/* An address that is configured is listened on. public: whose connections are told; borrowed. */
bool masa_meters_start(
	struct masa *m, const struct http_server *public, struct loop *l, struct err *e) MUST_CHECK;
/* The loops have stopped; before the servers go. */
void masa_meters_stop(struct masa *m);

/* A request is answered that began at began_us (clock_mono_us()); failure NULL: it got what
 * it asked for. */
void masa_meter_answer(
	struct masa *m, enum masa_meter_request what, int64_t began_us, const struct err *failure);
void masa_meter_limit(struct masa *m, enum masa_meter_limit which);

#endif
