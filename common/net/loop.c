/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop of a worker: libevent_core for sockets and timers, an eventfd and a locked queue
 * for work from other threads, absolute one-shot deadlines. The queue is the only thing that two
 * threads touch. */
#include "common/net/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/buf.h"

struct post {
	loop_fn *fn, *drop;
	void *arg;
	struct post *next;
};

struct loop {
	struct event_base *base;
	struct event *wake;
	int wake_fd;
	pthread_mutex_t lock; /* guards what follows */
	struct post *first, **last;
	bool stopping;
};

static void wake_up(struct loop *l)
{
	const uint64_t one = 1;

	/* EAGAIN means the counter is full, which wakes the loop just as well */
	while (write(l->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static struct post *take_all(struct loop *l, bool *stopping)
{
	struct post *taken;

	pthread_mutex_lock(&l->lock);
	taken = l->first;
	l->first = NULL;
	l->last = &l->first;
	*stopping = l->stopping;
	l->stopping = false;
	pthread_mutex_unlock(&l->lock);
	return taken;
}

/* Work posted while this runs waits for the next turn, so that a poster cannot starve the sockets.
 */
static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;
	uint64_t count;
	bool stopping;
	struct post *p;

	(void)what;
	while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
	p = take_all(l, &stopping);
	while (p) {
		struct post *next = p->next;

		p->fn(p->arg);
		free(p);
		p = next;
	}
	if (stopping)
		event_base_loopbreak(l->base);
}

static struct event_base *base_new(struct err *e)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	/* what other threads need goes through the eventfd: libevent's own locks stay off. Its
	 * precise timer would set a timerfd in each turn, for deadlines that may be 4 ms off. */
	if (config && event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0)
		base = event_base_new_with_config(config);
	if (config)
		event_config_free(config);
	if (!base)
		err_set(e, ERR_NO_MEMORY, "event loop: cannot be made");
	return base;
}

struct loop *loop_new(struct err *e)
{
	struct loop *l = mem_new(sizeof(*l), e);

	if (!l)
		return NULL;
	pthread_mutex_init(&l->lock, NULL);
	l->last = &l->first;
	l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (l->wake_fd < 0) {
		err_set_errno(e, ERR_IO, "event loop: eventfd");
		loop_free(l);
		return NULL;
	}
	l->base = base_new(e);
	if (l->base)
		l->wake = event_new(l->base, l->wake_fd, EV_READ | EV_PERSIST, on_wake, l);
	if (!l->wake || event_add(l->wake, NULL) != 0) {
		err_set(e, ERR_NO_MEMORY, "event loop: cannot be made");
		loop_free(l);
		return NULL;
	}
	return l;
}

/* Work still queued is dropped, not run: what it would touch may be gone. */
void loop_free(struct loop *l)
{
	bool stopping;
	struct post *p;

	if (!l)
		return;
	for (p = take_all(l, &stopping); p;) {
		struct post *next = p->next;

		if (p->drop)
			p->drop(p->arg);
		free(p);
		p = next;
	}
	if (l->wake)
		event_free(l->wake);
	if (l->base)
		event_base_free(l->base);
	if (l->wake_fd >= 0)
		close(l->wake_fd);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

void loop_run(struct loop *l)
{
	event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

void loop_stop(struct loop *l)
{
	pthread_mutex_lock(&l->lock);
	l->stopping = true;
	pthread_mutex_unlock(&l->lock);
	wake_up(l);
}

bool loop_post(struct loop *l, loop_fn *fn, void *arg, struct err *e)
{
	return loop_post_or_drop(l, fn, NULL, arg, e);
}

bool loop_post_or_drop(struct loop *l, loop_fn *fn, loop_fn *drop, void *arg, struct err *e)
{
	struct post *p = mem_new(sizeof(*p), e);
	bool was_empty;

	if (!p)
		return err_prefix(e, "event loop");
	p->fn = fn;
	p->drop = drop;
	p->arg = arg;
	pthread_mutex_lock(&l->lock);
	was_empty = !l->first;
	*l->last = p;
	l->last = &p->next;
	pthread_mutex_unlock(&l->lock);
	if (was_empty)
		wake_up(l);
	return true;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *t = arg;

	(void)fd;
	(void)what;
	t->fn(t->arg);
}

bool loop_timer_init(struct loop_timer *t, struct loop *l, loop_fn *fn, void *arg, struct err *e)
{
	t->fn = fn;
	t->arg = arg;
	t->ev = evtimer_new(l->base, on_timer, t);
	if (!t->ev)
		return err_set(e, ERR_NO_MEMORY, "event loop: no memory for a timer");
	return true;
}

void loop_timer_arm(struct loop_timer *t, int64_t delay_ms)
{
	struct timeval tv;

	if (delay_ms < 0)
		delay_ms = 0;
	tv.tv_sec = delay_ms / 1000;
	tv.tv_usec = (delay_ms % 1000) * 1000;
	event_add(t->ev, &tv);
}

void loop_timer_disarm(struct loop_timer *t)
{
	if (t->ev)
		event_del(t->ev);
}

void loop_timer_clear(struct loop_timer *t)
{
	if (t->ev)
		event_free(t->ev);
	t->ev = NULL;
}

struct event_base *loop_base(struct loop *l)
{
	return l->base;
}
