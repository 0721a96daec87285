/* SPDX-License-Identifier: Apache-2.0 */
/* Avahi's deadlines are moments of the wall clock; it looks at the clock itself when it is called
 * and copes with one that was set. A deadline that is never called would leave a name unprobed, so
 * memory that lacks for one is told by the NULL that Avahi understands. */
#include "common/net/avahi_poll.h"

#include <avahi-common/timeval.h>
#include <stdlib.h>
#include <sys/time.h>

struct AvahiWatch {
	struct event_base *base;
	struct event *ev;
	int fd;
	AvahiWatchEvent happened;
	AvahiWatchCallback callback;
	void *userdata;
};

struct AvahiTimeout {
	struct loop_timer timer;
	AvahiTimeoutCallback callback;
	void *userdata;
};

static struct loop *loop_of(const AvahiPoll *api)
{
	return api->userdata;
}

/* ---- Descriptors ---------------------------------------------------------------------------- */

/* w may be gone when the callback returns. */
static void on_event(evutil_socket_t fd, short what, void *arg)
{
	AvahiWatch *w = arg;

	w->happened =
		(what & EV_READ ? AVAHI_WATCH_IN : 0) | (what & EV_WRITE ? AVAHI_WATCH_OUT : 0);
	w->callback(w, fd, w->happened, w->userdata);
}

static void watch_update(AvahiWatch *w, AvahiWatchEvent event)
{
	short what = (short)((event & AVAHI_WATCH_IN ? EV_READ : 0) |
			     (event & AVAHI_WATCH_OUT ? EV_WRITE : 0) | EV_PERSIST);

	event_del(w->ev);
	/* not in a use that epoll could refuse, and memory for it is there already */
	if (event_assign(w->ev, w->base, w->fd, what, on_event, w) == 0)
		event_add(w->ev, NULL);
}

static void watch_free(AvahiWatch *w)
{
	if (w->ev)
		event_free(w->ev);
	free(w);
}

static AvahiWatch *watch_new(const AvahiPoll *api, int fd, AvahiWatchEvent event,
	AvahiWatchCallback callback, void *userdata)
{
	AvahiWatch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->base = loop_base(loop_of(api));
	w->fd = fd;
	w->callback = callback;
	w->userdata = userdata;
	w->ev = event_new(w->base, fd, EV_READ | EV_PERSIST, on_event, w);
	if (!w->ev) {
		watch_free(w);
		return NULL;
	}
	watch_update(w, event);
	return w;
}

static AvahiWatchEvent watch_get_events(AvahiWatch *w)
{
	return w->happened;
}

/* ---- Deadlines ------------------------------------------------------------------------------ */

static void on_timeout(void *arg)
{
	AvahiTimeout *t = arg;

	t->callback(t, t->userdata);
}

static void timeout_update(AvahiTimeout *t, const struct timeval *tv)
{
	AvahiUsec age_us;

	loop_timer_disarm(&t->timer);
	if (!tv)
		return;
	age_us = avahi_age(tv);
	loop_timer_arm(&t->timer, age_us < 0 ? (-age_us + 999) / 1000 : 0);
}

static AvahiTimeout *timeout_new(const AvahiPoll *api, const struct timeval *tv,
	AvahiTimeoutCallback callback, void *userdata)
{
	struct err ignored = ERR_INIT;
	AvahiTimeout *t = calloc(1, sizeof(*t));

	if (!t || !loop_timer_init(&t->timer, loop_of(api), on_timeout, t, &ignored)) {
		free(t);
		return NULL;
	}
	t->callback = callback;
	t->userdata = userdata;
	timeout_update(t, tv);
	return t;
}

static void timeout_free(AvahiTimeout *t)
{
	loop_timer_clear(&t->timer);
	free(t);
}

AvahiPoll avahi_poll_of(struct loop *l)
{
	return (AvahiPoll){.userdata = l,
		.watch_new = watch_new,
		.watch_update = watch_update,
		.watch_get_events = watch_get_events,
		.watch_free = watch_free,
		.timeout_new = timeout_new,
		.timeout_update = timeout_update,
		.timeout_free = timeout_free};
}
