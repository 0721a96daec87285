/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar: everything its handlers hang off. Made once in registrar_open(), read by every
 * loop thread; what changes afterwards (setup, store, outstanding, counters) is safe between
 * threads. */
#ifndef REGISTRAR_REGISTRAR_H
#define REGISTRAR_REGISTRAR_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/net/coap_discovery.h"
#include "common/net/coap_server.h"
#include "common/net/http_client.h"
#include "common/net/http_server.h"
#include "common/pki/hash_chain.h"
#include "common/run/daemon.h"
#include "common/run/metrics_listener.h"
#include "common/run/store.h"
#include "registrar/outstanding.h"
#include "registrar/rules.h"
#include "registrar/setup.h"

struct access;
struct cloud_rate;
struct revoked;
struct masa_watch;
struct masa_gates;
struct ahead;
struct backup;
struct seal;
struct idempotency;
struct strangers;
struct jobs;
struct events;
struct hooks;
struct asker;
struct announce;
struct fellows;
struct published;

struct worker {
	struct loop *loop;
	struct http_client *masa;
};

struct registrar {
	char *config_path;
	struct log log;
	struct clock clock;
	struct clock_watch clock_watch;
	pthread_mutex_t setup_lock; /* guards the next two pointers */
	struct registrar_setup *setup;
	struct rule_set *rules;
	pthread_mutex_t reload_lock; /* one at a time */
	struct buf started_list;     /* the options at the start: what sockets and store are */
	struct cert_cache *cert_cache;
	struct outstanding *outstanding;
	struct store *store;
	uint64_t store_turns;		/* that the watchdog has seen */
	_Atomic int64_t pending_claims; /* close to the truth; counted again by each sweep */
	struct metrics *metrics;
	struct metrics_listener *watched; /* NULL: nobody may ask for them */

	struct worker workers[WORKERS_MAX];
	size_t worker_count;
	struct http_server *server;
	struct fellows *fellows; /* with whom it shares its database */
	struct idempotency *idempotency;
	struct strangers *strangers;
	struct cloud_rate *cloud_rate;		 /* of a cloud registrar */
	struct access *access;			 /* passwords, failed log-ins, denials */
	struct http_server *admin, *admin_https; /* by Unix socket and by TCP; or NULL */
	struct published *published;		 /* what the CA says, to strangers */
	struct coap_server *coap;		 /* NULL: no constrained devices are served */
	struct coap_responder *responders[DISCOVERY_MAX];
	size_t responder_count;
	struct announce *announce; /* NULL: nothing has ever been announced */
	struct loop_timer sweep;
	struct masa_watch *masa_watch;
	struct masa_gates *masa_gates;
	struct ahead *ahead;	 /* vouchers fetched ahead */
	struct revoked *revoked; /* the list of revoked certificates */
	struct backup *backup;
	struct jobs *jobs;
	struct events *events;		 /* who waits for some */
	struct asker *asker;		 /* who asks about devices where a rule says so */
	struct hooks *hooks;		 /* whom they are sent to */
	struct seal *seal;		 /* of the journal */
	_Atomic int64_t sweep_from_ms;	 /* of clock_mono_ms(): nothing is aged out before */
	_Atomic int64_t space_looked_ms; /* see space.h */
	_Atomic bool space_lacks;
	_Atomic int running; /* works, and when draining servers that are not yet empty */
	_Atomic bool draining, drain_reported;
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
/* The setup that is in force; the caller's reference. Any thread. */
struct registrar_setup *registrar_setup_take(struct registrar *r);
/* Is a manufacturer of this name configured now? Any thread. */
bool registrar_knows_manufacturer(struct registrar *r, const char *name);
/* Load the configuration and all it names again; from now on it is in force, or nothing has
 * changed, and the log says why as e does. Any thread. */
bool registrar_reload(struct registrar *r, struct err *e) MUST_CHECK;
/* For daemon_watch(). */
bool registrar_moves(void *registrar);
/* Something begins that a drain has to wait for, whether or not its client does. Any thread. */
void registrar_work_begin(struct registrar *r);
void registrar_work_end(struct registrar *r);
/* Stop accepting, finish what runs; drained(arg) is called once when that is done. Any thread. */
void registrar_drain(struct registrar *r, void (*drained)(void *arg), void *arg);
/* After the loops have stopped; also what registrar_open() or _start() left behind. */
void registrar_close(struct registrar *r);

/* The time, UTC seconds. Says so in the log when the clock was set meanwhile, and then lets nothing
 * be aged out for a while: what a wrong clock threw away would not come back with the right one. */
int64_t registrar_now(struct registrar *r);
struct http_client *registrar_masa_client(struct registrar *r, const struct loop *l);
/* The rules that are in force; the caller's reference. Any thread. */
struct rule_set *registrar_rules_take(struct registrar *r);
/* Read them from the store again; ERR_STORE and others leave the old ones in force. Any thread. */
bool registrar_load_rules(struct registrar *r, struct err *e) MUST_CHECK;
/* When an approval that is given now ends, unless a device uses it. */
int64_t registrar_approval_end(struct registrar *r, int64_t now);
/* Ask the store how many claims are open, after many were decided at once. Any thread. */
void registrar_count_claims(struct registrar *r);
/* Ask again for the number of open claims and age out what is old; from a loop, every SWEEP_MS. */
void registrar_sweep(void *registrar);

#endif
