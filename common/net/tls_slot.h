/* SPDX-License-Identifier: Apache-2.0 */
/* Where a server keeps the context that new connections are made with, so that a reload on one
 * thread can replace it for the loops of the others. */
#ifndef NET_TLS_SLOT_H
#define NET_TLS_SLOT_H

#include <pthread.h>

#include "common/net/tls.h"

struct tls_slot {
	pthread_mutex_t lock;
	struct tls_server *tls; /* under lock; NULL without TLS */
};

/* A reference to tls, which may be NULL, is taken. */
void tls_slot_init(struct tls_slot *s, struct tls_server *tls);
/* Replace it (any thread). */
void tls_slot_set(struct tls_slot *s, struct tls_server *tls);
/* A reference to what is there, for the caller; NULL when that is `known` (any thread). */
struct tls_server *tls_slot_take(struct tls_slot *s, const struct tls_server *known);
void tls_slot_clear(struct tls_slot *s);

#endif
