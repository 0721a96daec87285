/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar: everything its handlers hang off. Made once in registrar_open(), read by every
 * loop thread; what changes afterwards (store, outstanding, counters) is safe between threads. */
#ifndef REGISTRAR_REGISTRAR_H
#define REGISTRAR_REGISTRAR_H

#include <stdatomic.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/net/http_client.h"
#include "common/net/http_server.h"
#include "common/run/store.h"
#include "registrar/ca.h"
#include "registrar/config.h"
#include "registrar/domain.h"
#include "registrar/manufacturer.h"
#include "registrar/outstanding.h"

struct worker {
	struct loop *loop;
	struct http_client *masa;
};

struct registrar {
	struct registrar_config config;
	struct log log;
	struct clock clock;
	struct identity identity; /* TLS server, RVR signer, TLS client of the MASA */
	struct domain domain;
	struct ca *ca;
	struct manufacturer manufacturers[MANUFACTURERS_MAX];
	size_t manufacturer_count;
	struct cert_cache *cert_cache;
	struct outstanding *outstanding;
	struct store *store;
	_Atomic int64_t pending_claims; /* close to the truth; counted again by each sweep */

	struct worker workers[WORKERS_MAX];
	size_t worker_count;
	struct tls_server *tls;
	struct http_server *server, *admin;
	struct loop_timer sweep;
	_Atomic int draining; /* servers that are not yet empty */
	void (*drained)(void *arg);
	void *drained_arg;
	int64_t started_at;
};

/* Load and check everything the configuration names; nothing is listening yet. The error names the
 * one thing that is wrong. With `r->store` left closed: that is registrar_start()'s. */
bool registrar_open(struct registrar *r, const char *config_path, struct err *e) MUST_CHECK;
/* Open the store, listen. The loops are not running yet. */
bool registrar_start(
	struct registrar *r, struct loop **loops, size_t loop_count, struct err *e) MUST_CHECK;
/* Stop accepting, finish what runs; drained(arg) is called once when that is done. Any thread. */
void registrar_drain(struct registrar *r, void (*drained)(void *arg), void *arg);
/* After the loops have stopped; also what registrar_open() or _start() left behind. */
void registrar_close(struct registrar *r);

struct http_client *registrar_masa_client(struct registrar *r, const struct loop *l);
/* Ask again for the number of open claims and age out what is old; from a loop, every SWEEP_MS. */
void registrar_sweep(void *registrar);

#endif
