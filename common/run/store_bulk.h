/* SPDX-License-Identifier: Apache-2.0 */
/* All of a store's tables at once, next to the store itself: read in one snapshot, or filled in one
 * transaction with triggers off. For store_move.c; an engine has a file each. */
#ifndef RUN_STORE_BULK_H
#define RUN_STORE_BULK_H

#include "common/run/store.h"

#define BULK_TABLES_MAX	 48 /* a registrar has 20 */
#define BULK_COLUMNS_MAX 64 /* its devices have 52 */
#define BULK_NAME_MAX	 64 /* PostgreSQL's own limit */

struct bulk_table {
	char name[BULK_NAME_MAX];
	size_t column_count;
	char columns[BULK_COLUMNS_MAX][BULK_NAME_MAX];
	int64_t rows; /* put so far */
};

struct bulk {
	const struct bulk_engine *engine;
};

/* A row of a query; borrowed. False with *e set: stop, and fail. */
typedef bool bulk_row_fn(void *arg, const struct store_value *values, struct err *e);

struct bulk_engine {
	/* SQL for (table, column) of all that is kept in tables, in an order in which what is
	 * referred to comes first */
	const char *catalog;
	/* SQL behind "SELECT … FROM table": rows in an order that suits who puts them away */
	const char *order;
	/* Run a query of so many columns; each row goes to fn. */
	bool (*read)(struct bulk *b, const char *sql, size_t columns, bulk_row_fn *fn, void *arg,
		struct err *e);
	/* For filling in: empty all tables, with no trigger to hear of it, now and in what
	 * follows. */
	bool (*clear)(struct bulk *b, const struct bulk_table *tables, size_t count, struct err *e);
	bool (*fill)(struct bulk *b, const struct bulk_table *t, struct err *e);
	bool (*put)(struct bulk *b, const struct store_value *values, struct err *e);
	bool (*filled)(struct bulk *b, struct err *e);
	bool (*commit)(struct bulk *b, struct err *e);
	void (*close)(struct bulk *b); /* without commit(), nothing has happened */
};

/* Of the SQLite file at path, which nobody else uses when it is filled: then what is left of it
 * when it was not committed is of no use. */
struct bulk *bulk_sqlite_open(const char *path, bool fill, struct err *e) MUST_CHECK;
/* Of the database that s is in. */
struct bulk *bulk_postgres_open(struct store *s, bool fill, struct err *e) MUST_CHECK;
/* NULL is fine. */
void bulk_close(struct bulk *b);

#endif
