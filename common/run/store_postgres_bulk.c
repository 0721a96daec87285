/* SPDX-License-Identifier: Apache-2.0 */
/* All tables of a store on PostgreSQL: see store_bulk.h. Rows come one at a time, in binary, and go
 * in with COPY. Whoever else writes to the database waits at its lock until the filling is over. */
#include "common/run/store_bulk.h"

#include <endian.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/run/store_postgres.h"

#define SQL_MAX	    16384
#define ROW_MAX	    (64 << 20) /* a row in binary: a device with its voucher takes 70 kB */
#define PIECE_MIN   (1 << 16)  /* octets that are handed to libpq at once */
#define NUMBER_TEXT 24
#define COPY_HEADER "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0" /* flags 0, no extension */

enum { OID_BYTEA = 17, OID_INT8 = 20, OID_INT4 = 23 };

struct bulk_postgres {
	struct bulk bulk;
	struct pg *pg;
	struct pg_link *link;
	struct buf piece; /* of a COPY */
	size_t column_count;
	Oid types[BULK_COLUMNS_MAX]; /* of the table that is filled */
};

static struct bulk_postgres *of(struct bulk *b)
{
	return (struct bulk_postgres *)b;
}

static const struct pg_patience forever = {.until_ms = PG_FOREVER};

static bool execute(struct bulk_postgres *b, const char *sql, struct err *e)
{
	return pg_do(b->pg, b->link, sql, &forever, e);
}

static bool fail(struct bulk_postgres *b, const PGresult *r, const char *doing, struct err *e)
{
	const char *context = r ? PQresultErrorField(r, PG_DIAG_CONTEXT) : NULL;

	pg_fail(b->pg, b->link, r, doing, e);
	return context ? err_prefix(e, "%.120s", context) : false;
}

static void clear_result(PGresult **r)
{
	PQclear(*r);
}
#define RESULT_AUTO __attribute__((cleanup(clear_result)))

/* What is left of an answer; a connection is asked one thing at a time. */
static void drain(struct bulk_postgres *b)
{
	PGresult *r;

	while ((r = pg_next(b->link, &forever)) != NULL)
		PQclear(r);
}

/* ---- reading ---- */

static struct store_value value_of(const PGresult *r, int column)
{
	const char *data = PQgetvalue(r, 0, column);
	struct bytes octets = bytes_of(data, (size_t)PQgetlength(r, 0, column));
	uint64_t wide;
	uint32_t narrow;

	if (PQgetisnull(r, 0, column))
		return (struct store_value){.type = STORE_NULL};
	switch (PQftype(r, column)) {
	case OID_INT8:
		memcpy(&wide, data, sizeof(wide));
		return STORE_I((int64_t)be64toh(wide));
	case OID_INT4:
		memcpy(&narrow, data, sizeof(narrow));
		return STORE_I((int32_t)be32toh(narrow));
	case OID_BYTEA:
		return store_blob(octets);
	default:
		return (struct store_value){.type = STORE_TEXT, .octets = octets};
	}
}

static bool hand_row(const PGresult *r, size_t columns, bulk_row_fn *fn, void *arg, struct err *e)
{
	struct store_value values[BULK_COLUMNS_MAX];

	if ((size_t)PQnfields(r) != columns)
		return err_set(e, ERR_BUG, "store: %d columns and not %zu", PQnfields(r), columns);
	for (size_t i = 0; i < columns; i++)
		values[i] = value_of(r, (int)i);
	return fn(arg, values, e);
}

static bool hand_rows(
	struct bulk_postgres *b, size_t columns, bulk_row_fn *fn, void *arg, struct err *e)
{
	for (;;) {
		RESULT_AUTO PGresult *r = pg_next(b->link, &forever);

		if (!r || !pg_is_good(r))
			return fail(b, r, "reading", e);
		if (PQresultStatus(r) == PGRES_TUPLES_OK)
			return true;
		if (!hand_row(r, columns, fn, arg, e))
			return false;
	}
}

static bool read_rows(struct bulk *bulk, const char *sql, size_t columns, bulk_row_fn *fn,
	void *arg, struct err *e)
{
	struct bulk_postgres *b = of(bulk);
	bool ok;

	if (!PQsendQueryParams(b->link->conn, sql, 0, NULL, NULL, NULL, NULL, 1) ||
		!PQsetSingleRowMode(b->link->conn))
		return fail(b, NULL, "reading", e);
	ok = hand_rows(b, columns, fn, arg, e);
	if (ok)
		drain(b);
	/* an answer nobody wants to the end ends with the connection */
	b->link->lost = b->link->lost || !ok;
	return ok;
}

/* ---- filling in ---- */

static bool clear(struct bulk *bulk, const struct bulk_table *tables, size_t count, struct err *e)
{
	BUF_AUTO struct buf sql = BUF_INIT(SQL_MAX);

	for (size_t i = 0; i < count; i++)
		if (!buf_printf(
			    &sql, e, "ALTER TABLE \"%s\" DISABLE TRIGGER USER;", tables[i].name))
			return false;
	for (size_t i = count; i > 0; i--) /* what refers before what is referred to */
		if (!buf_printf(&sql, e, "DELETE FROM \"%s\";", tables[i - 1].name))
			return false;
	return execute(of(bulk), buf_str(&sql), e);
}

static bool list_columns(const struct bulk_table *t, struct buf *sql, struct err *e)
{
	bool ok = true;

	for (size_t i = 0; i < t->column_count && ok; i++)
		ok = buf_printf(sql, e, "%s\"%s\"", i ? ", " : "", t->columns[i]);
	return ok;
}

static bool learn_types(struct bulk_postgres *b, const struct bulk_table *t, struct err *e)
{
	BUF_AUTO struct buf sql = BUF_INIT(SQL_MAX);
	RESULT_AUTO PGresult *r = NULL;

	if (!buf_append_str(&sql, "SELECT ", e) || !list_columns(t, &sql, e) ||
		!buf_printf(&sql, e, " FROM \"%s\" LIMIT 0", t->name))
		return false;
	r = pg_ask(b->link, buf_str(&sql), 0, NULL, &forever);
	if (!r || !pg_is_good(r))
		return fail(b, r, "asking", e);
	b->column_count = t->column_count;
	for (size_t i = 0; i < t->column_count; i++)
		b->types[i] = PQftype(r, (int)i);
	return true;
}

static bool begin_copy(struct bulk_postgres *b, const char *sql, struct err *e)
{
	RESULT_AUTO PGresult *r = PQexec(b->link->conn, sql);

	return PQresultStatus(r) == PGRES_COPY_IN || fail(b, r, "copying", e);
}

static bool fill(struct bulk *bulk, const struct bulk_table *t, struct err *e)
{
	BUF_AUTO struct buf sql = BUF_INIT(SQL_MAX);
	struct bulk_postgres *b = of(bulk);

	buf_clear(&b->piece);
	buf_init(&b->piece, ROW_MAX);
	return learn_types(b, t, e) && buf_printf(&sql, e, "COPY \"%s\" (", t->name) &&
	       list_columns(t, &sql, e) &&
	       buf_append_str(&sql, ") FROM STDIN (FORMAT binary)", e) &&
	       begin_copy(b, buf_str(&sql), e) &&
	       buf_append(&b->piece, COPY_HEADER, sizeof(COPY_HEADER) - 1, e);
}

static bool put_int(struct buf *out, uint64_t value, size_t octets, struct err *e)
{
	uint64_t big = htobe64(value);

	return buf_append(out, (const uint8_t *)&big + sizeof(big) - octets, octets, e);
}

static bool put_octets(struct buf *out, struct bytes octets, struct err *e)
{
	return put_int(out, octets.len, 4, e) && buf_append(out, octets.data, octets.len, e);
}

/* Text and octets go into each other's columns, numbers into one of text as their digits. */
static bool put_value(struct buf *out, Oid type, const struct store_value *v, struct err *e)
{
	char digits[NUMBER_TEXT];

	switch (v->type) {
	case STORE_NULL:
		return put_int(out, UINT32_MAX, 4, e);
	case STORE_INT:
		if (type == OID_INT8)
			return put_int(out, 8, 4, e) && put_int(out, (uint64_t)v->integer, 8, e);
		snprintf(digits, sizeof(digits), "%lld", (long long)v->integer);
		return put_octets(out, bytes_of_str(digits), e);
	case STORE_TEXT:
	case STORE_BLOB:
		if (type == OID_INT8)
			return err_set(e, ERR_STORE, "store: text where a number should be");
		return put_octets(out, v->octets, e);
	}
	return err_set(e, ERR_BUG, "store: no such type");
}

static bool hand_over(struct bulk_postgres *b, struct err *e)
{
	if (PQputCopyData(b->link->conn, (const char *)b->piece.data, (int)b->piece.len) != 1)
		return fail(b, NULL, "copying", e);
	buf_consume(&b->piece, b->piece.len);
	return true;
}

static bool put(struct bulk *bulk, const struct store_value *values, struct err *e)
{
	struct bulk_postgres *b = of(bulk);
	bool ok = put_int(&b->piece, b->column_count, 2, e);

	for (size_t i = 0; i < b->column_count && ok; i++)
		ok = put_value(&b->piece, b->types[i], &values[i], e);
	return ok && (b->piece.len < PIECE_MIN || hand_over(b, e));
}

static bool filled(struct bulk *bulk, struct err *e)
{
	struct bulk_postgres *b = of(bulk);
	RESULT_AUTO PGresult *r = NULL;

	if (!put_int(&b->piece, UINT16_MAX, 2, e) || !hand_over(b, e))
		return false;
	if (PQputCopyEnd(b->link->conn, NULL) != 1)
		return fail(b, NULL, "copying", e);
	r = pg_next(b->link, &forever);
	if (!r || !pg_is_good(r))
		return fail(b, r, "copying", e);
	drain(b);
	return true;
}

struct for_each {
	const char *before, *after; /* the name of a table */
	struct buf sql;
};

static bool append_one(void *arg, const struct store_value *values, struct err *e)
{
	struct for_each *each = arg;

	return buf_printf(&each->sql, e, "%s \"%.*s\" %s;", each->before, (int)values[0].octets.len,
		(const char *)values[0].octets.data, each->after);
}

#define TABLES                                                                                     \
	"FROM pg_class AS c WHERE c.relkind = 'r' AND c.relname NOT LIKE 'store\\_%' "             \
	"AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())"

static bool with_each_table(
	struct bulk_postgres *b, const char *before, const char *after, struct err *e)
{
	struct for_each each = {before, after, BUF_INIT(SQL_MAX)};
	bool ok = read_rows(&b->bulk, "SELECT CAST(c.relname AS text) " TABLES, 1, append_one,
			  &each, e) &&
		  execute(b, buf_str(&each.sql), e);

	buf_clear(&each.sql);
	return ok;
}

static bool commit(struct bulk *bulk, struct err *e)
{
	struct bulk_postgres *b = of(bulk);

	return with_each_table(b, "ALTER TABLE", "ENABLE TRIGGER USER", e) &&
	       execute(b, "COMMIT", e) && with_each_table(b, "ANALYZE", "", e);
}

/* ---- life ---- */

static void close_it(struct bulk *bulk)
{
	struct bulk_postgres *b = of(bulk);

	pg_link_close(b->link); /* which undoes what was not committed */
	buf_clear(&b->piece);
	free(b);
}

static const struct bulk_engine postgres = {
	.catalog = "SELECT CAST(c.relname AS text), CAST(a.attname AS text) FROM pg_attribute AS a "
		   "JOIN (SELECT c.oid, c.relname " TABLES ") AS c ON c.oid = a.attrelid "
		   "WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' "
		   "ORDER BY c.oid, a.attnum",
	.order = " ORDER BY 1",
	.read = read_rows,
	.clear = clear,
	.fill = fill,
	.put = put,
	.filled = filled,
	.commit = commit,
	.close = close_it,
};

/* The tables' writers wait until it is over. */
static bool begin_filling(struct bulk_postgres *b, struct err *e)
{
	FREE_AUTO char *lock = pg_lock_sql(b->pg, "pg_advisory_xact_lock", PG_LOCK_WRITE, e);

	return lock && execute(b, "BEGIN", e) && execute(b, lock, e);
}

struct bulk *bulk_postgres_open(struct store *s, bool fills, struct err *e)
{
	struct bulk_postgres *b = mem_new(sizeof(*b), e);

	if (!b)
		return NULL;
	b->bulk.engine = &postgres;
	b->pg = s->own;
	buf_init(&b->piece, ROW_MAX);
	b->link = pg_link_open(b->pg, !fills, e);
	if (b->link && PQsetnonblocking(b->link->conn, 0) == 0 &&
		(fills ? begin_filling(b, e)
		       : execute(b, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", e)))
		return &b->bulk;
	close_it(&b->bulk);
	return NULL;
}
