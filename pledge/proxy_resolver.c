/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/proxy_resolver.h"

#include <pthread.h>
#include <stdlib.h>

struct resolver {
	struct loop *loop;
	const struct uri *registrars;
	size_t count;
	struct upstreams *out;
	pthread_t thread;
	bool at_work;		/* from the start of the thread to its end having been waited for */
	struct upstreams found; /* the thread's until it has posted */
	bool complete;
};

struct resolver *resolver_new(struct loop *l, const struct uri *registrars, size_t count,
	struct upstreams *out, struct err *e)
{
	struct resolver *r = mem_new(sizeof(*r), e);

	if (!r)
		return NULL;
	r->loop = l;
	r->registrars = registrars;
	r->count = count;
	r->out = out;
	return r;
}

bool resolver_is_needed(const struct resolver *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->registrars[i].scheme == URI_HTTPS && !r->registrars[i].host_is_ip)
			return true;
	return false;
}

static void on_done(void *arg)
{
	struct resolver *r = arg;

	pthread_join(r->thread, NULL);
	r->at_work = false;
	if (!r->complete)
		return; /* a name server that is away takes no registrar from us */
	upstreams_remember(r->out, &r->found);
	*r->out = r->found;
}

static void *look_up(void *arg)
{
	struct resolver *r = arg;
	struct err ignored = ERR_INIT;

	for (size_t i = 0; r->complete && i < r->count; i++)
		r->complete = r->registrars[i].scheme != URI_HTTPS ||
			      upstreams_resolve(&r->found, &r->registrars[i], &ignored);
	/* out of memory for that: it stays as it is until the end */
	(void)!loop_post(r->loop, on_done, r, &ignored);
	return NULL;
}

void resolver_start(struct resolver *r)
{
	if (r->at_work)
		return;
	r->found.count = 0;
	r->complete = true;
	r->at_work = pthread_create(&r->thread, NULL, look_up, r) == 0;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	if (r->at_work)
		pthread_join(r->thread, NULL);
	free(r);
}
