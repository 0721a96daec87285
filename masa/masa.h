/* SPDX-License-Identifier: Apache-2.0 */
/* Everything one MASA has: made once in main.c, handed to every handler. */
#ifndef MASA_MASA_H
#define MASA_MASA_H

#include <pthread.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/run/metrics_listener.h"
#include "masa/authenticate.h"
#include "masa/rate.h"
#include "masa/records.h"
#include "masa/revocation.h"
#include "masa/setup.h"

struct backup;
struct follow;
struct seal;

struct masa {
	const struct log *log; /* borrowed */
	struct clock clock;
	struct clock_watch clock_watch;
	pthread_mutex_t setup_lock; /* guards the pointer */
	struct masa_setup *setup;
	struct cert_cache *certs;
	struct domain_cache *domains;
	struct revocation *revocation;
	struct rate *rate;
	struct owners *owners;
	struct store *store; /* set by masa_open_store() */
	struct metrics *metrics;
	struct metrics_listener *watched; /* NULL: nobody may ask for them */
	const struct http_server *public; /* for them; borrowed */
	_Atomic int64_t tls_not_after;	  /* of the TLS server's certificate */
	_Atomic bool draining;
	struct backup *backup;
	struct follow *follow; /* of other MASAs; NULL: the database is ours alone */
	struct seal *seal;     /* of the audit log */
	int64_t started_at;
};

/* setup: taken over, also when this fails; NULL: *e says why already. clock: NULL is the system's.
 * Nothing is opened for writing. */
struct masa *masa_new(struct masa_setup *setup, const struct log *l, const struct clock *clock,
	struct err *e) MUST_CHECK;
/* Open the store and read the owners. */
bool masa_open_store(struct masa *m, struct err *e) MUST_CHECK;
void masa_free(struct masa *m);

/* The time, UTC seconds. Says so in the log when the clock was set meanwhile. */
int64_t masa_now(struct masa *m);
/* The setup that is in force; the caller's reference. Any thread. */
struct masa_setup *masa_setup_take(struct masa *m);
/* Put another one in its place, which is taken over; the old one is the caller's. Any thread. */
struct masa_setup *masa_setup_replace(struct masa *m, struct masa_setup *fresh) MUST_CHECK;
/* What checks requests by this setup; borrows from both. */
struct authenticator masa_authenticator(const struct masa *m, const struct masa_setup *s);

#endif
