/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/tls_slot.h"

void tls_slot_init(struct tls_slot *s, struct tls_server *tls)
{
	pthread_mutex_init(&s->lock, NULL);
	s->tls = tls ? tls_server_ref(tls) : NULL;
}

void tls_slot_set(struct tls_slot *s, struct tls_server *tls)
{
	struct tls_server *old;

	pthread_mutex_lock(&s->lock);
	old = s->tls;
	s->tls = tls_server_ref(tls);
	pthread_mutex_unlock(&s->lock);
	tls_server_free(old);
}

struct tls_server *tls_slot_take(struct tls_slot *s, const struct tls_server *known)
{
	struct tls_server *tls;

	pthread_mutex_lock(&s->lock);
	tls = s->tls == known ? NULL : tls_server_ref(s->tls);
	pthread_mutex_unlock(&s->lock);
	return tls;
}

void tls_slot_clear(struct tls_slot *s)
{
	tls_server_free(s->tls);
	pthread_mutex_destroy(&s->lock);
}
