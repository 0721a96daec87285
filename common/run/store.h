/* SPDX-License-Identifier: Apache-2.0 */
/* Durable records behind one interface, with two engines: SQLite, which needs nothing installed or
 * started, and PostgreSQL, which several machines can share. Where the records are chooses:
 * "postgresql://…" and "postgres://…" are libpq's URIs, all else is the path of an SQLite file.
 * Parameters are $1 $2 …; SQL that only one of the two understands has an override.
 *
 * SQL may call chain_hash(previous, field, …): the hash of pki/hash_chain.h over the fields as
 * text. (PostgreSQL's has 16 fields at most, all of type text: CAST(x AS TEXT).)
 *
 * Writes: any thread hands a small transaction to the one writer thread, which takes all that is
 * queued, runs each under its own savepoint inside one BEGIN … COMMIT, and only then calls back,
 * each on its loop. A transaction that fails rolls back alone. What was reported done survives a
 * power cut. One writer at a time holds over all processes on one database, too: what a step reads
 * (max(id), the end of a hash chain) is so until the end of its transaction.
 * Reads: on the calling thread, from a small pool of read connections (waiting for one when all are
 * taken); they see committed data only. No store_read() inside a row function: it could wait for
 * itself.
 * A database that is away: reads fail with ERR_RETRY_LATER, at first within STORE_READ_WAIT_MS, at
 * once when that is known; writes wait for it up to STORE_WRITE_WAIT_MS and then fail alike. A
 * transaction whose COMMIT got no answer waits until it is known: never lost, never run twice.
 */
#ifndef RUN_STORE_H
#define RUN_STORE_H

#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/net/loop.h"

struct store;

enum store_type { STORE_NULL, STORE_INT, STORE_TEXT, STORE_BLOB };

struct store_value {
	enum store_type type;
	int64_t integer;
	struct bytes octets; /* text or blob; borrowed */
};
#define STORE_I(n) ((struct store_value){.type = STORE_INT, .integer = (n)})
struct store_value store_text(const char *s);  /* NULL → STORE_NULL */
struct store_value store_blob(struct bytes b); /* empty data pointer → STORE_NULL */

#define STORE_PARAMS_MAX 20
#define STORE_OPS_MAX	 16   /* steps of a request's transaction: they fit on a stack */
#define STORE_IMPORT_MAX 1024 /* steps of an import's transaction: the most store_write() takes */

/* One step of a transaction: a statement of the schema's table with its values. */
struct store_op {
	int statement;				     /* index into schema->statements */
	struct store_value params[STORE_PARAMS_MAX]; /* copied when handed over */
	size_t param_count;
	bool must_change; /* when no row changes, roll this transaction back with ERR_CONFLICT */
	int64_t rows;	  /* not 0: the same when not exactly so many change */
};

struct store_schema {
	const char *name; /* "registrar", "masa": a file of another kind is refused */
	const char *const
		*migrations; /* [0] makes version 1, [1] leads from 1 to 2, …; NULL-ended */
	const char *const *statements; /* SQL by index; NULL-ended */
	/* The same for PostgreSQL. All NULL: there are no tables for it. */
	struct {
		/* [0] makes version first_version in an empty database, [1] leads to the next, …,
		 * each to what SQLite's of the same number leads to; NULL-ended */
		const char *const *migrations;
		int64_t first_version;
		/* by index, as many as above; NULL: SQLite's is understood. NULL: all are. */
		const char *const *statements;
	} postgres;
	/* For moving a store (store_move.h), in words both engines understand: a query each */
	struct {
		const char *used;   /* 0 while nothing was ever recorded */
		const char *broken; /* the first line of the log whose hash does not follow from
				       that of the one before; 0: there is none */
	} moving;
};

/* Open or create, migrate forward (a newer version than ours is refused), start the writer thread.
 * A second process on one SQLite file is refused with a clear text; on one PostgreSQL database it
 * is welcome. Waits for a database that cannot be reached up to STORE_START_WAIT_MS; SIGTERM and
 * SIGINT end the process meanwhile, though they be blocked. */
#define STORE_START_WAIT_MS 30000
struct store *store_open(
	const char *where, const struct store_schema *schema, struct err *e) MUST_CHECK;
/* The same, telling the log when the database is away and back, and who leads. */
struct store *store_open_logging(const char *where, const struct store_schema *schema,
	const struct log *log, struct err *e) MUST_CHECK;
/* Is it a database elsewhere, not a file? */
bool store_is_remote(const char *where);
/* ERR_INPUT for what looks like the URI of something else. It is not repeated: a password may be in
 * it. */
bool store_where_check(const char *where, struct err *e) MUST_CHECK;

#define STORE_AWAY "The store cannot be reached now; try again later." /* for peers */
/* Have fn(arg) called after each commit, by us or by another process: on a thread of the store, one
 * at a time. It must be quick, and may post to loops. Once, before anything is written. */
void store_watch(struct store *s, void (*fn)(void *arg), void *arg);
/* Waits until all that is queued is durable and called back (loops permitting), then closes. */
void store_close(struct store *s);

/* changed: rows changed by each op, in order. e: NULL when durable, else why not (nothing was
 * kept). */
typedef void store_done(void *arg, const int64_t *changed, const struct err *e);

/* Queue a transaction; done is called once on l's thread. False: it was not queued and done will
 * not be called (ERR_RETRY_LATER: the queue is full at STORE_QUEUE_MAX; ERR_NO_MEMORY). */
#define STORE_QUEUE_MAX	    10000
#define STORE_WRITE_WAIT_MS 30000 /* for a database that is away, or hangs */
bool store_write(struct store *s, const struct store_op *ops, size_t op_count, struct loop *l,
	store_done *done, void *arg, struct err *e) MUST_CHECK;
/* The same, waiting here: for start-up, tools and tests. Never on a loop thread. */
bool store_write_wait(struct store *s, const struct store_op *ops, size_t op_count,
	int64_t *changed, struct err *e) MUST_CHECK;

/* For the watchdog: has the writer thread done anything since *seen (first 0), or nothing to do? */
bool store_moves(struct store *s, uint64_t *seen);

/* Can it be read and written now, as far as is known? */
bool store_ready(struct store *s);
/* Is this the one process, of all on this database, that does what must be done once (sweeps,
 * deliveries, seals)? It may change at any time: ask before each piece of work. When a database
 * ends the session of the one that leads, another may lead a moment before that one has heard of
 * it. */
bool store_leads(struct store *s);

/* What the database and its log take on the disk, and what is left there for us; -1: not known.
 * Any thread. */
struct store_space {
	int64_t bytes, free_bytes;
};
bool store_space(struct store *s, struct store_space *out, struct err *e) MUST_CHECK;

/* A row while reading; borrowed for the call of the row function. */
struct store_row;
int64_t store_row_int(const struct store_row *r, int column);	    /* 0 for NULL */
const char *store_row_text(const struct store_row *r, int column);  /* NULL for NULL */
struct bytes store_row_blob(const struct store_row *r, int column); /* len 0 for NULL */
/* Return false to stop early; set *e (kind other than ERR_NONE) to make the read fail. */
typedef bool store_row_fn(void *arg, const struct store_row *r, struct err *e);
#define STORE_READ_WAIT_MS 2000
/* Run a query; each row goes to fn. *rows (may be NULL) counts them. */
bool store_read(struct store *s, int statement, const struct store_value *params,
	size_t param_count, store_row_fn *fn, void *arg, int64_t *rows, struct err *e) MUST_CHECK;

#endif
