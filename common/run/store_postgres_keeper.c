/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper of the connections to PostgreSQL: see store_postgres.h. A thread with a connection of
 * its own, on which it hears of other processes' commits, holds the lock of the one that leads, and
 * asks every second whether the server is there. It alone connects: for itself, for the writer and
 * for readers. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/run/store_postgres.h"

#define TICK_MS	      1000 /* between two looks at a server that says nothing */
#define PAUSE_MIN_MS  100
#define PAUSE_MAX_MS  2000
#define PAUSE_DOUBLES 5

int64_t pg_pause_ms(unsigned tries)
{
	int64_t most = PAUSE_MIN_MS << (tries < PAUSE_DOUBLES ? tries : PAUSE_DOUBLES);

	if (most > PAUSE_MAX_MS)
		most = PAUSE_MAX_MS;
	return most / 2 + rng_below((uint32_t)(most / 2) + 1);
}

void pg_keeper_wake(struct pg *p)
{
	const uint64_t one = 1;

	while (write(p->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static bool is_stopped(struct pg *p)
{
	bool stop;

	pthread_mutex_lock(&p->lock);
	stop = p->stop;
	pthread_mutex_unlock(&p->lock);
	return stop;
}

/* Until the server says something, somebody wants something, or the time is over. */
static void wait_a_while(struct pg *p, const struct pg_link *own, int64_t ms)
{
	struct pollfd fds[2] = {{.fd = p->wake_fd, .events = POLLIN},
		{.fd = own ? PQsocket(own->conn) : -1, .events = POLLIN}};
	uint64_t count;

	if (poll(fds, 2, (int)ms) > 0 && fds[0].revents)
		(void)!read(p->wake_fd, &count, sizeof(count));
}

/* ---- up and down ---- */

static void tell_leads(struct pg *p, bool leads)
{
	if (atomic_exchange(&p->leads, leads) != leads && p->store->log)
		log_event(p->store->log, LOG_LEVEL_INFO, leads ? "store-leads" : "store-follows",
			NULL, "store", p->shown, NULL);
}

/* A new generation: what connections there are may be to a server that is no more. */
static void go_down(struct pg *p, struct pg_link **own, const struct err *why)
{
	struct pg_link *idle[PG_READERS_MAX + 1];
	size_t count;
	bool first;

	tell_leads(p, false);
	pthread_mutex_lock(&p->lock);
	first = p->up || p->suspect || p->generation == 0;
	p->up = p->suspect = false;
	p->why = *why;
	p->generation++;
	count = p->idle_count;
	memcpy(idle, p->idle, count * sizeof(*idle));
	p->reader_count -= count;
	p->idle_count = 0;
	if (p->next_writer)
		idle[count++] = p->next_writer;
	p->next_writer = NULL;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < count; i++)
		pg_link_close(idle[i]);
	pg_link_close(*own);
	*own = NULL;
	if (first && p->store->log)
		log_err(p->store->log, "store-away", NULL, why);
}

static void go_up(struct pg *p)
{
	bool was, missed;

	pthread_mutex_lock(&p->lock);
	was = p->up;
	missed = p->generation > 0; /* before the first time nobody has read anything */
	p->up = true;
	p->suspect = false;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	if (was)
		return;
	if (p->store->log)
		log_event(p->store->log, LOG_LEVEL_INFO, "store-reached", NULL, "store", p->shown,
			NULL);
	if (missed)
		store_committed(p->store); /* others may have while nothing was heard */
}

static bool listen_to(struct pg *p, struct pg_link *l, struct err *e)
{
	const struct pg_patience soon = pg_for_ms(PG_WAIT_MS);
	FREE_AUTO char *channel = pg_channel(p, e);
	FREE_AUTO char *sql = channel ? str_printf(e, "LISTEN %s", channel) : NULL;

	return sql && pg_do(p, l, sql, &soon, e);
}

static bool come_up(struct pg *p, struct pg_link **own)
{
	struct err e = ERR_INIT;

	*own = pg_link_open(p, false, &e);
	if (*own && listen_to(p, *own, &e))
		return true;
	go_down(p, own, &e);
	return false;
}

/* ---- watching ---- */

static void hear(struct pg *p, struct pg_link *own)
{
	PGnotify *n;
	bool others = false;

	if (!PQconsumeInput(own->conn))
		own->lost = true;
	while ((n = PQnotifies(own->conn)) != NULL) {
		others = others || strcmp(n->extra, p->id) != 0;
		PQfreemem(n);
	}
	if (others)
		store_committed(p->store);
}

/* Is it there, can it be written to, and do we lead? */
static bool look(struct pg *p, struct pg_link *own, struct err *e)
{
	const struct pg_patience soon = pg_for_ms(PG_WAIT_MS);
	FREE_AUTO char *lock = pg_lock_sql(p, "pg_try_advisory_lock", PG_LOCK_LEAD, e);
	FREE_AUTO char *sql = NULL;
	const int64_t begun_ms = clock_mono_ms();
	PGresult *r;
	bool ok;

	if (lock)
		sql = str_printf(e, "SELECT current_setting('transaction_read_only'), (%s)",
			atomic_load(&p->leads) ? "true" : lock);
	if (!sql)
		return false;
	r = pg_ask(own, sql, 0, NULL, &soon);
	ok = (r && pg_is_good(r) && !own->lost) || pg_fail(p, own, r, "looking", e);
	if (ok && strcmp(PQgetvalue(r, 0, 0), "off") != 0)
		ok = err_set(e, ERR_RETRY_LATER, "store: %s: can only be read", p->shown);
	if (ok)
		atomic_store(&p->looked_ms, begun_ms);
	if (ok)
		tell_leads(p, *PQgetvalue(r, 0, 1) == 't');
	PQclear(r);
	return ok;
}

/* ---- supplying ---- */

static bool wants_writer(struct pg *p)
{
	bool wants;

	pthread_mutex_lock(&p->lock);
	wants = p->writer_wanted && !p->next_writer;
	pthread_mutex_unlock(&p->lock);
	return wants;
}

static bool wants_reader(struct pg *p)
{
	bool wants;

	pthread_mutex_lock(&p->lock);
	wants = p->reader_count < PG_READERS_MAX &&
		(p->reader_count == 0 || p->waiting > p->idle_count);
	p->reader_count += wants;
	pthread_mutex_unlock(&p->lock);
	return wants;
}

static bool supply_writer(struct pg *p, struct err *e)
{
	struct pg_link *l = pg_link_open(p, false, e);

	pthread_mutex_lock(&p->lock);
	if (l) {
		l->generation = p->generation;
		p->writer_wanted = false;
	}
	p->next_writer = l;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	return l != NULL;
}

static bool supply_reader(struct pg *p, struct err *e)
{
	struct pg_link *l = pg_link_open(p, true, e);

	pthread_mutex_lock(&p->lock);
	if (l) {
		l->generation = p->generation;
		p->idle[p->idle_count++] = l;
	} else {
		p->reader_count--;
	}
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	return l != NULL;
}

/* Those who wait in vain say so themselves; too few connections are no reason to drop the others.
 */
static void supply(struct pg *p)
{
	struct err e = ERR_INIT;
	bool ok = true;

	while (ok && wants_writer(p))
		ok = supply_writer(p, &e);
	while (ok && wants_reader(p))
		ok = supply_reader(p, &e);
	if (!ok && !p->lacks && p->store->log)
		log_err(p->store->log, "store-connection", NULL, &e);
	p->lacks = !ok;
}

/* ---- the thread ---- */

static bool is_suspect(struct pg *p)
{
	bool suspect;

	pthread_mutex_lock(&p->lock);
	suspect = p->suspect || !p->up;
	pthread_mutex_unlock(&p->lock);
	return suspect;
}

static bool watch(struct pg *p, struct pg_link *own, struct err *e)
{
	if (is_suspect(p) || clock_mono_ms() - atomic_load(&p->looked_ms) >= TICK_MS) {
		if (!look(p, own, e))
			return false;
		go_up(p);
		hear(p, own); /* what came with the answer */
	}
	supply(p);
	wait_a_while(p, own, TICK_MS);
	hear(p, own);
	return !own->lost || pg_fail(p, own, NULL, "listening", e);
}

static void *keeper_main(void *arg)
{
	struct pg *p = arg;
	struct pg_link *own = NULL;
	unsigned tries = 0;

	while (!is_stopped(p)) {
		struct err e = ERR_INIT;

		if (!own && !come_up(p, &own)) {
			wait_a_while(p, NULL, pg_pause_ms(tries++));
		} else if (watch(p, own, &e)) {
			tries = 0;
		} else {
			go_down(p, &own, &e);
		}
	}
	atomic_store(&p->leads, false); /* the end of the program says so itself */
	pg_link_close(own);
	return NULL;
}

bool pg_is_up_by(struct pg *p, int64_t until_ms, struct err *e)
{
	const struct timespec until = {
		.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
	bool up;

	pthread_mutex_lock(&p->lock);
	while (!p->up && pthread_cond_timedwait(&p->changed, &p->lock, &until) == 0)
		;
	up = p->up;
	if (!up && p->why.kind != ERR_NONE)
		*e = p->why;
	else if (!up)
		err_set(e, ERR_RETRY_LATER, "store: %s: no answer", p->shown);
	pthread_mutex_unlock(&p->lock);
	return up;
}

bool pg_keeper_start(struct pg *p, struct err *e)
{
	p->keeper_runs = pthread_create(&p->keeper, NULL, keeper_main, p) == 0;
	if (!p->keeper_runs)
		return err_set(e, ERR_NO_MEMORY, "store: no thread");
	pthread_setname_np(p->keeper, "store-keeper");
	return true;
}

void pg_keeper_stop(struct pg *p)
{
	if (!p->keeper_runs)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_mutex_unlock(&p->lock);
	pg_keeper_wake(p);
	pthread_join(p->keeper, NULL);
	p->keeper_runs = false;
}
