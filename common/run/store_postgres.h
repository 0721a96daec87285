/* SPDX-License-Identifier: Apache-2.0 */
/* The PostgreSQL engine of the store, among its own files:
 *   store_postgres.c         where the database is, what is in it, opening and closing
 *   store_postgres_link.c    one connection: asking with an end to the patience, values, errors
 *   store_postgres_read.c    queries, on connections that are lent out
 *   store_postgres_write.c   batches of the writer thread, and what became of a lost COMMIT
 *   store_postgres_keeper.c  the thread that connects, watches the server and leads
 *   store_postgres_bulk.c    all tables at once (store_bulk.h)
 *
 * Only the keeper connects: a host that hangs costs its time, nobody else's. It knows whether the
 * database can be reached (`up`); each time it could not, a new generation begins and the
 * connections of the one before are dropped by whoever has them. */
#ifndef RUN_STORE_POSTGRES_H
#define RUN_STORE_POSTGRES_H

#include <libpq-fe.h>
#include <stdatomic.h>

#include "common/base/log.h"
#include "common/base/rng.h"
#include "common/run/store_engine.h"

#define PG_READERS_MAX                                                                             \
	8 /* read connections: more than any sensible number of worker threads waits for */
#define PG_WAIT_MS  2000 /* for an answer that costs a server nothing */
#define PG_SLICE_MS 250	 /* how soon a waiting writer sees that there is no use in it */
/* Who has not seen the server for so long leads no more, whatever it believes: below what it takes
 * the server to give the lock of a lost connection away (SESSION in store_postgres_link.c). */
#define PG_LEAD_MS   8000
#define PG_FOREVER   INT64_MAX
#define PG_SHOWN_MAX 400

struct pg_link {
	PGconn *conn;
	uint64_t generation;
	bool lost;    /* it ended, or did not answer in time */
	bool spoiled; /* works, but not for what was prepared in it */
	bool again;   /* the server gave a transaction up that may be run again */
	bool prepared[STORE_STATEMENTS_MAX];
};

/* Of what type a statement wants its values. */
struct pg_types {
	int count;
	Oid oid[STORE_PARAMS_MAX];
};

struct pg {
	struct store *store;
	PQconninfoOption *options; /* of the URI: with the password */
	char *shown;		   /* hosts and database, for texts */
	char id[EXCHANGE_ID_MAX + 1];
	struct pg_types *types; /* by statement; made before there are threads */

	pthread_t keeper;
	bool keeper_runs;
	int wake_fd; /* eventfd: something for the keeper to do */
	atomic_bool leads;
	atomic_llong looked_ms; /* when it last saw the server */
	bool lacks;		/* a connection could not be made: said once */

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	bool stop;
	bool up;
	bool suspect; /* somebody waited in vain: the keeper shall look */
	uint64_t generation;
	struct err why; /* it is not up */
	struct pg_link *idle[PG_READERS_MAX];
	size_t idle_count, reader_count, waiting; /* threads without a connection */
	struct pg_link *next_writer;
	bool writer_wanted;

	struct pg_link *writer; /* the writer thread's, as what follows */
	int64_t batch;
	atomic_llong busy_since_ms; /* 0: has nothing to do */
};

/* ---- one connection ---- */

/* Until when to wait, and whether there is still use in it (NULL: there is). */
struct pg_patience {
	int64_t until_ms;
	bool (*go_on)(void *arg);
	void *arg;
};
struct pg_patience pg_for_ms(int64_t ms);

/* Connect and set the session up; waits up to PG_WAIT_MS for each host. */
struct pg_link *pg_link_open(struct pg *p, bool reads_only, struct err *e) MUST_CHECK;
void pg_link_close(struct pg_link *l);

/* The next result, the caller's. NULL: there is none more, or l->lost. */
PGresult *pg_next(struct pg_link *l, const struct pg_patience *patience);
/* Run SQL (several statements when there are no values; values as text) to its end. The last
 * result or the first that failed; NULL: lost. */
PGresult *pg_ask(struct pg_link *l, const char *sql, int count, const char *const *values,
	const struct pg_patience *patience);
/* ... and nothing but success will do. */
bool pg_do(struct pg *p, struct pg_link *l, const char *sql, const struct pg_patience *patience,
	struct err *e) MUST_CHECK;
/* What a result (NULL: the connection) says, as one of our kinds; sees what ends a connection. */
bool pg_fail(struct pg *p, struct pg_link *l, const PGresult *r, const char *doing, struct err *e);
bool pg_is_good(const PGresult *r);

const char *pg_sql(const struct pg *p, size_t statement);
/* Learn of what types the values of all statements are, which prepares them: a slip in the table
 * stops the start, not a request. */
bool pg_learn(struct pg *p, struct pg_link *l, struct err *e) MUST_CHECK;
bool pg_prepare(struct pg *p, struct pg_link *l, size_t statement,
	const struct pg_patience *patience, struct err *e) MUST_CHECK;
/* Send a prepared statement with its values; answers come in binary. */
bool pg_send(struct pg *p, struct pg_link *l, size_t statement, const struct store_value *params,
	size_t count, struct err *e) MUST_CHECK;

/* SQL: the key of a lock. They are the database's, so the schema's name is in it. */
#define PG_LOCK_WRITE "1"
#define PG_LOCK_LEAD  "2"
/* "SELECT <function>(<key>)" */
char *pg_lock_sql(
	const struct pg *p, const char *function, const char *which, struct err *e) MUST_CHECK;
/* The channel of notifications: "store_" and the schema's name. */
char *pg_channel(const struct pg *p, struct err *e) MUST_CHECK;

/* ---- reading ---- */

bool pg_read(struct store *s, int statement, const struct store_value *params, size_t param_count,
	store_row_fn *fn, void *arg, int64_t *rows, struct err *e);
bool pg_space(struct store *s, struct store_space *out, struct err *e);
int64_t pg_row_int(const struct store_row *r, int column);
const char *pg_row_text(const struct store_row *r, int column);
struct bytes pg_row_blob(const struct store_row *r, int column);

/* ---- writing ---- */

bool pg_run(struct store *s, struct store_job *batch);
/* Has the writer been busy with one batch for so long that something must be wrong? */
bool pg_writer_hangs(struct pg *p);

/* ---- the keeper ---- */

bool pg_keeper_start(struct pg *p, struct err *e) MUST_CHECK;
/* Wait until it has found the database up, at most until then. */
bool pg_is_up_by(struct pg *p, int64_t until_ms, struct err *e) MUST_CHECK;
void pg_keeper_stop(struct pg *p);
/* Something to do: connections are wanted, one was lost. */
void pg_keeper_wake(struct pg *p);
/* A moment later and a bit, more with each try. */
int64_t pg_pause_ms(unsigned tries);

#endif
