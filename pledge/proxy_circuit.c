/* SPDX-License-Identifier: Apache-2.0 */
/* See proxy_circuit.h. A circuit has two ends, the neighbour and the registrar, and two pipes, one
 * for each direction. A pipe holds at most PIPE_MAX octets: when they cannot be written, nothing
 * more is read, so that a slow reader holds up its own sender and nobody else (R8995-JP-010).
 *
 * Nothing is freed in the middle of an event: what has ended goes on a list and is freed when the
 * loop comes round. */
#include "pledge/proxy_circuit.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fair_rate.h"
#include "pledge/proxy_share.h"

#define PIPE_MAX    16384 /* octets held a direction: one TLS record */
#define BACKLOG	    64	  /* more than a neighbourhood opens at once */
#define ACCEPTS_MAX 16	  /* from one listener before the loop goes on */
#define PAUSE_MS    500	  /* out of descriptors: nothing is accepted for so long */
#define SETTLED_MS  10000 /* who says nothing for longer makes room for others when all is taken */

struct neighbour {
	struct share_flow flow;
	struct neighbour *next;
	uint8_t key[ADDRESS_KEY_LEN];
	size_t connections;
};

struct circuit;
struct pipe {
	struct share_item item; /* first: the scheduler knows no more */
	struct circuit *circuit;
	int from, to;
	struct event *readable, *writable;
	size_t at, len; /* of what could not be written yet */
	bool ended;	/* its sender is done, and its receiver has been told */
	uint8_t octets[PIPE_MAX];
};

struct circuit {
	struct circuits *all;
	struct circuit *next, **prev;
	struct neighbour *neighbour;
	int near, far;
	struct address peer, registrar;
	uint32_t tried; /* registrars, by their place in the list */
	struct event *connected;
	struct loop_timer limit;
	int64_t born_ms, moved_ms, connect_by_ms;
	bool up, over;
	struct pipe in, out; /* to the registrar, from it */
};

struct listener {
	struct circuits *all;
	struct address at;
	int fd;
	struct event *acceptable;
};

struct circuits {
	struct circuits_config config;
	struct listener listeners[CIRCUIT_LISTENERS_MAX];
	size_t listener_count;
	struct share share;
	struct fair_rate opens;
	struct neighbour *neighbours;
	struct circuit *first, *dead;
	size_t count;
	struct loop_timer reap, resume;
	loop_fn *drained;
	void *drained_arg;
	bool draining;
};

/* ---- The end of a circuit ------------------------------------------------------------------- */

static void free_event(struct event **ev)
{
	if (*ev)
		event_free(*ev);
	*ev = NULL;
}

/* RST instead of FIN: the other side was reset, or is not wanted here. */
static void make_reset(int fd)
{
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void log_end_of(const struct circuit *x, const char *why)
{
	char peer[ADDRESS_TEXT_MAX], registrar[ADDRESS_TEXT_MAX];

	log_event(x->all->config.log, LOG_LEVEL_INFO, "circuit-closed", NULL, "peer",
		address_format(&x->peer, peer), "registrar",
		x->registrar.len ? address_format(&x->registrar, registrar) : NULL, "reason", why,
		NULL);
}

static void clear_pipe(struct circuit *x, struct pipe *p)
{
	share_forget(&x->all->share, &p->item);
	free_event(&p->readable);
	free_event(&p->writable);
}

/* Its descriptors are free at once, its memory when the loop comes round. */
static void finish(struct circuit *x, bool reset, const char *why)
{
	struct circuits *all = x->all;

	if (x->over)
		return;
	x->over = true;
	log_end_of(x, why);
	clear_pipe(x, &x->in);
	clear_pipe(x, &x->out);
	free_event(&x->connected);
	loop_timer_clear(&x->limit);
	if (reset) {
		make_reset(x->near);
		make_reset(x->far);
	}
	close_fd(&x->near);
	close_fd(&x->far);
	x->neighbour->connections--;
	all->count--;
	*x->prev = x->next;
	if (x->next)
		x->next->prev = x->prev;
	x->next = all->dead;
	all->dead = x;
	loop_timer_arm(&all->reap, 0);
}

static void forget_idle_neighbours(struct circuits *all)
{
	struct neighbour **at = &all->neighbours;

	while (*at) {
		struct neighbour *n = *at;

		if (n->connections) {
			at = &n->next;
			continue;
		}
		*at = n->next;
		share_forget_flow(&all->share, &n->flow);
		free(n);
	}
}

static void on_reap(void *arg)
{
	struct circuits *all = arg;

	while (all->dead) {
		struct circuit *x = all->dead;

		all->dead = x->next;
		free(x);
	}
	forget_idle_neighbours(all);
	if (all->draining && all->count == 0 && all->drained) {
		loop_fn *done = all->drained;

		all->drained = NULL;
		done(all->drained_arg);
	}
}

/* ---- Octets --------------------------------------------------------------------------------- */

static void wait_for(struct event *ev)
{
	if (event_add(ev, NULL) != 0)
		event_active(ev, EV_TIMEOUT, 0); /* no memory: look again at once */
}

/* The sender is done and all it sent has gone on: its receiver hears so, too. */
static void end_pipe(struct pipe *p)
{
	struct circuit *x = p->circuit;

	p->ended = true;
	shutdown(p->to, SHUT_WR);
	if (x->in.ended && x->out.ended)
		finish(x, false, "done");
}

static void write_rest(struct pipe *p)
{
	ssize_t n = send(p->to, p->octets + p->at, p->len, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		finish(p->circuit, true, "reset");
		return;
	}
	if (n > 0) {
		p->at += (size_t)n;
		p->len -= (size_t)n;
		p->circuit->moved_ms = clock_mono_ms();
	}
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct pipe *p = arg;

	write_rest(p);
	if (p->circuit->over)
		return;
	wait_for(p->len ? p->writable : p->readable);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct pipe *p = arg;

	share_ready(&p->circuit->all->share, &p->item);
}

static size_t move(struct share_item *item, size_t max, bool *more)
{
	struct pipe *p = (struct pipe *)item;
	ssize_t n = recv(p->from, p->octets, max < PIPE_MAX ? max : PIPE_MAX, 0);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		finish(p->circuit, true, "reset");
		return 0;
	}
	if (n == 0)
		end_pipe(p);
	if (n < 0)
		wait_for(p->readable);
	if (n <= 0)
		return 0;
	p->at = 0;
	p->len = (size_t)n;
	write_rest(p);
	if (p->circuit->over)
		return (size_t)n;
	if (p->len)
		wait_for(p->writable);
	else
		*more = true;
	return (size_t)n;
}

/* ---- Limits --------------------------------------------------------------------------------- */

static void on_limit(void *arg);
static void try_next(struct circuit *x);

static void arm_limit(struct circuit *x, int64_t now)
{
	const struct circuit_limits *l = &x->all->config.limits;
	int64_t until = x->born_ms + l->lifetime_ms, idle = x->moved_ms + l->idle_ms;

	if (idle < until)
		until = idle;
	if (!x->up && x->connect_by_ms < until)
		until = x->connect_by_ms;
	loop_timer_arm(&x->limit, until - now);
}

static void on_limit(void *arg)
{
	struct circuit *x = arg;
	const struct circuit_limits *l = &x->all->config.limits;
	int64_t now = clock_mono_ms();

	if (now >= x->born_ms + l->lifetime_ms)
		finish(x, true, "too long");
	else if (!x->up && now >= x->connect_by_ms)
		try_next(x);
	else if (now >= x->moved_ms + l->idle_ms)
		finish(x, true, "idle");
	else
		arm_limit(x, now);
}

/* ---- Towards the registrar ------------------------------------------------------------------ */

static bool open_pipe(struct circuit *x, struct pipe *p, int from, int to, struct event_base *base)
{
	p->circuit = x;
	p->item.flow = &x->neighbour->flow;
	p->from = from;
	p->to = to;
	p->readable = event_new(base, from, EV_READ, on_readable, p);
	p->writable = event_new(base, to, EV_WRITE, on_writable, p);
	return p->readable && p->writable;
}

static void bring_up(struct circuit *x)
{
	struct event_base *base = loop_base(x->all->config.loop);
	const int on = 1;

	x->up = true;
	x->moved_ms = clock_mono_ms();
	upstreams_works(x->all->config.upstreams, &x->registrar);
	setsockopt(x->far, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	free_event(&x->connected);
	if (!open_pipe(x, &x->in, x->near, x->far, base) ||
		!open_pipe(x, &x->out, x->far, x->near, base)) {
		finish(x, true, "no memory");
		return;
	}
	wait_for(x->in.readable);
	wait_for(x->out.readable);
	arm_limit(x, x->moved_ms);
}

static void give_up_on(struct circuit *x, int why)
{
	char peer[ADDRESS_TEXT_MAX], registrar[ADDRESS_TEXT_MAX];
	struct err e = ERR_INIT;

	errno = why;
	err_set_errno(&e, ERR_PEER, "registrar cannot be reached");
	log_event(x->all->config.log, LOG_LEVEL_WARNING, "registrar-away", NULL, "peer",
		address_format(&x->peer, peer), "registrar",
		address_format(&x->registrar, registrar), "reason", e.text, NULL);
	upstreams_failed(x->all->config.upstreams, &x->registrar, clock_mono_ms());
}

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
	struct circuit *x = arg;
	int why = 0;
	socklen_t len = sizeof(why);

	if (getsockopt(x->far, SOL_SOCKET, SO_ERROR, &why, &len) != 0)
		why = errno;
	if (why == 0) {
		bring_up(x);
		return;
	}
	give_up_on(x, why);
	x->connect_by_ms = INT64_MAX; /* said already */
	try_next(x);
}

static bool begin_connect(struct circuit *x)
{
	x->far = socket(x->registrar.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (x->far < 0 ||
		(connect(x->far, &x->registrar.sa, x->registrar.len) != 0 && errno != EINPROGRESS))
		return false;
	x->connected = event_new(loop_base(x->all->config.loop), x->far, EV_WRITE, on_connected, x);
	return x->connected && event_add(x->connected, NULL) == 0;
}

/* The registrars one after the other, until one takes the connection. */
static void try_next(struct circuit *x)
{
	const struct circuits_config *c = &x->all->config;
	int64_t now = clock_mono_ms();
	int pick;

	if (x->connected && x->connect_by_ms <= now)
		give_up_on(x, ETIMEDOUT);
	free_event(&x->connected);
	close_fd(&x->far);
	while ((pick = upstreams_pick(c->upstreams, x->tried, now)) >= 0) {
		x->tried |= 1u << pick;
		x->registrar = c->upstreams->list[pick].at;
		if (begin_connect(x)) {
			x->connect_by_ms = now + c->limits.connect_ms;
			arm_limit(x, now);
			return;
		}
		give_up_on(x, errno);
		free_event(&x->connected);
		close_fd(&x->far);
	}
	finish(x, true, "no registrar");
}

/* ---- Neighbours ----------------------------------------------------------------------------- */

static struct neighbour *neighbour_of(struct circuits *all, const struct address *peer)
{
	uint8_t key[ADDRESS_KEY_LEN];
	struct neighbour *n = all->neighbours;

	address_key(peer, key);
	while (n && memcmp(n->key, key, sizeof(key)) != 0)
		n = n->next;
	if (n)
		return n;
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	memcpy(n->key, key, sizeof(key));
	n->next = all->neighbours;
	all->neighbours = n;
	return n;
}

static bool is_better_victim(const struct circuit *x, const struct circuit *than)
{
	if (!than || x->neighbour->connections != than->neighbour->connections)
		return !than || x->neighbour->connections > than->neighbour->connections;
	return x->moved_ms < than->moved_ms;
}

/* All is taken: whoever has most gives one up for whoever has fewer, the one that was quiet for
 * longest. Among equals only one that has been quiet for a while. */
static bool make_room(struct circuits *all, const struct neighbour *newcomer)
{
	struct circuit *victim = NULL;

	for (struct circuit *x = all->first; x; x = x->next)
		if (is_better_victim(x, victim))
			victim = x;
	if (!victim || (victim->neighbour->connections <= newcomer->connections + 1 &&
			       clock_mono_ms() - victim->moved_ms < SETTLED_MS))
		return false;
	finish(victim, true, "made room");
	return true;
}

/* NULL: it may have one more. */
static const char *refuse(struct circuits *all, const struct neighbour *n)
{
	const struct circuit_limits *l = &all->config.limits;

	if (n->connections >= l->per_neighbour_max)
		return "too many of this neighbour";
	if (!fair_rate_admit(&all->opens, n->key, sizeof(n->key), 1, clock_mono_ms()))
		return "too fast";
	if (all->count >= l->connections_max && !make_room(all, n))
		return "too many of all";
	return NULL;
}

static void log_refused(struct circuits *all, const struct address *peer, const char *why)
{
	char text[ADDRESS_TEXT_MAX];

	log_event(all->config.log, LOG_LEVEL_WARNING, "circuit-refused", NULL, "peer",
		address_format(peer, text), "reason", why, NULL);
}

static bool open_circuit(
	struct circuits *all, struct neighbour *n, int fd, const struct address *peer)
{
	struct circuit *x = calloc(1, sizeof(*x));
	struct err e = ERR_INIT;
	const int on = 1;

	if (!x || !loop_timer_init(&x->limit, all->config.loop, on_limit, x, &e)) {
		free(x);
		return false;
	}
	x->all = all;
	x->neighbour = n;
	x->near = fd;
	x->far = -1;
	x->peer = *peer;
	x->born_ms = x->moved_ms = clock_mono_ms();
	x->connect_by_ms = INT64_MAX;
	x->prev = &all->first;
	x->next = all->first;
	if (x->next)
		x->next->prev = &x->next;
	all->first = x;
	all->count++;
	n->connections++;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	try_next(x);
	return true;
}

static void take(struct circuits *all, int fd, const struct address *peer)
{
	struct neighbour *n = neighbour_of(all, peer);
	const char *why = n ? refuse(all, n) : "no memory";

	if (!why && open_circuit(all, n, fd, peer))
		return;
	log_refused(all, peer, why ? why : "no memory");
	make_reset(fd);
	close(fd);
	loop_timer_arm(&all->reap, 0); /* a neighbour without a connection is forgotten */
}

/* ---- Listening ------------------------------------------------------------------------------ */

static void listen_all(struct circuits *all, bool on)
{
	for (size_t i = 0; i < all->listener_count; i++)
		if (on)
			event_add(all->listeners[i].acceptable, NULL);
		else
			event_del(all->listeners[i].acceptable);
}

static void on_resume(void *arg)
{
	struct circuits *all = arg;

	if (!all->draining)
		listen_all(all, true);
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;

	for (int i = 0; i < ACCEPTS_MAX; i++) {
		struct address peer = {.len = sizeof(peer.any)};
		int accepted = accept4(fd, &peer.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (accepted >= 0) {
			take(l->all, accepted, &peer);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			listen_all(l->all, false);
			loop_timer_arm(&l->all->resume, PAUSE_MS);
		}
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

static bool open_listener(struct circuits *all, const struct address *at, struct err *e)
{
	struct listener *l = &all->listeners[all->listener_count];
	char text[ADDRESS_TEXT_MAX];
	const int on = 1;

	l->all = all;
	l->fd = socket(at->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	all->listener_count++;
	if (l->fd < 0 || setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
		bind(l->fd, &at->sa, at->len) != 0 || listen(l->fd, BACKLOG) != 0)
		return err_set_errno(e, ERR_IO, "cannot listen on %s", address_format(at, text));
	if (!address_of_socket(l->fd, &l->at, e))
		return false;
	l->acceptable = event_new(
		loop_base(all->config.loop), l->fd, EV_READ | EV_PERSIST, on_acceptable, l);
	return (l->acceptable && event_add(l->acceptable, NULL) == 0) ||
	       err_set(e, ERR_NO_MEMORY, "no memory for a listener");
}

static bool open_all(struct circuits *all, struct err *e)
{
	const struct circuits_config *c = &all->config;

	if (c->listen_count > CIRCUIT_LISTENERS_MAX)
		return err_set(e, ERR_INPUT, "more than %d addresses", CIRCUIT_LISTENERS_MAX);
	if (!fair_rate_init(&all->opens, c->limits.opens_per_second, clock_mono_ms(), e) ||
		!share_init(&all->share, c->loop, move, c->limits.octets_per_second, e) ||
		!loop_timer_init(&all->reap, c->loop, on_reap, all, e) ||
		!loop_timer_init(&all->resume, c->loop, on_resume, all, e))
		return false;
	for (size_t i = 0; i < c->listen_count; i++)
		if (!open_listener(all, &c->listen[i], e))
			return false;
	return true;
}

struct circuits *circuits_new(const struct circuits_config *config, struct err *e)
{
	struct circuits *all = mem_new(sizeof(*all), e);

	if (!all)
		return NULL;
	all->config = *config;
	if (open_all(all, e))
		return all;
	circuits_free(all);
	err_prefix(e, "circuit proxy");
	return NULL;
}

const struct address *circuits_address(const struct circuits *c, size_t i)
{
	return &c->listeners[i].at;
}

static void close_listeners(struct circuits *all)
{
	for (size_t i = 0; i < all->listener_count; i++) {
		free_event(&all->listeners[i].acceptable);
		close_fd(&all->listeners[i].fd);
	}
	all->listener_count = 0;
}

void circuits_drain(struct circuits *c, loop_fn *done, void *arg)
{
	c->draining = true;
	c->drained = done;
	c->drained_arg = arg;
	close_listeners(c);
	loop_timer_arm(&c->reap, 0);
}

void circuits_free(struct circuits *c)
{
	if (!c)
		return;
	close_listeners(c);
	c->drained = NULL;
	while (c->first)
		finish(c->first, true, "stopped");
	if (c->reap.ev)
		on_reap(c);
	loop_timer_clear(&c->reap);
	loop_timer_clear(&c->resume);
	share_clear(&c->share);
	free(c);
}
