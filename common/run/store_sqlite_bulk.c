/* SPDX-License-Identifier: Apache-2.0 */
/* All tables of an SQLite store: see store_bulk.h. */
#include "common/run/store_bulk.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "common/run/store_sqlite.h"

#define BUSY_MS	     5000
#define SQL_MAX	     16384
#define TRIGGERS_MAX 65536 /* octets of SQL: a registrar's take 6 kB */
#define NUMBER_LEN   20	   /* of an int64 */

struct bulk_sqlite {
	struct bulk bulk;
	sqlite3 *db;
	char *path;
	struct buf triggers; /* SQL that makes them again, when all is filled in */
	sqlite3_stmt *insert;
	bool untyped[BULK_COLUMNS_MAX]; /* columns of the table that is filled */
};

static struct bulk_sqlite *of(struct bulk *b)
{
	return (struct bulk_sqlite *)b;
}

static bool fail(struct bulk_sqlite *b, struct err *e)
{
	int code = b->db ? sqlite3_errcode(b->db) : SQLITE_NOMEM;

	return err_set(e, code == SQLITE_NOMEM ? ERR_NO_MEMORY : ERR_STORE, "store: %s: %s",
		b->path, b->db ? sqlite3_errmsg(b->db) : "no memory");
}

static bool execute(struct bulk_sqlite *b, const char *sql, struct err *e)
{
	return sqlite3_exec(b->db, sql, NULL, NULL, NULL) == SQLITE_OK || fail(b, e);
}

static void finalize(sqlite3_stmt **stmt)
{
	sqlite3_finalize(*stmt);
}
#define STMT_AUTO __attribute__((cleanup(finalize)))

/* ---- reading ---- */

static struct store_value value_of(sqlite3_stmt *stmt, int column)
{
	const void *data;

	switch (sqlite3_column_type(stmt, column)) {
	case SQLITE_NULL:
		return (struct store_value){.type = STORE_NULL};
	case SQLITE_INTEGER:
		return STORE_I(sqlite3_column_int64(stmt, column));
	case SQLITE_BLOB:
		data = sqlite3_column_blob(stmt, column);
		return store_blob(
			bytes_of(data ? data : "", (size_t)sqlite3_column_bytes(stmt, column)));
	default: /* text; nobody writes a float */
		data = sqlite3_column_text(stmt, column);
		return (struct store_value){.type = STORE_TEXT,
			.octets = bytes_of(
				data ? data : "", (size_t)sqlite3_column_bytes(stmt, column))};
	}
}

static bool read_rows(struct bulk *bulk, const char *sql, size_t columns, bulk_row_fn *fn,
	void *arg, struct err *e)
{
	struct bulk_sqlite *b = of(bulk);
	struct store_value values[BULK_COLUMNS_MAX];
	STMT_AUTO sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(b->db, sql, -1, &stmt, NULL);

	if (rc != SQLITE_OK)
		return fail(b, e);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		for (size_t i = 0; i < columns; i++)
			values[i] = value_of(stmt, (int)i);
		if (!fn(arg, values, e))
			return false;
	}
	return rc == SQLITE_DONE || fail(b, e);
}

/* ---- filling in ---- */

static bool keep_trigger(void *arg, const struct store_value *values, struct err *e)
{
	struct bulk_sqlite *b = arg;

	return buf_append(&b->triggers, values[0].octets.data, values[0].octets.len, e) &&
	       buf_append_str(&b->triggers, ";", e);
}

static bool append_drop(void *arg, const struct store_value *values, struct err *e)
{
	return buf_printf(arg, e, "DROP TRIGGER \"%.*s\";", (int)values[0].octets.len,
		(const char *)values[0].octets.data);
}

static bool clear(struct bulk *bulk, const struct bulk_table *tables, size_t count, struct err *e)
{
	BUF_AUTO struct buf sql = BUF_INIT(SQL_MAX);
	struct bulk_sqlite *b = of(bulk);

	if (!read_rows(bulk, "SELECT sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY rowid",
		    1, keep_trigger, b, e) ||
		!read_rows(bulk, "SELECT name FROM sqlite_schema WHERE type = 'trigger'", 1,
			append_drop, &sql, e))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!buf_printf(&sql, e, "DELETE FROM \"%s\";", tables[i].name))
			return false;
	return execute(b, buf_str(&sql), e);
}

static bool keep_typing(void *arg, const struct store_value *values, struct err *e)
{
	struct bulk_sqlite *b = arg;

	b->untyped[values[0].integer] = values[1].octets.len == 0;
	return true;
}

/* Which of the columns, in the order in which their values come, were declared without a type. */
static bool learn_typing(struct bulk_sqlite *b, const struct bulk_table *t, struct err *e)
{
	BUF_AUTO struct buf sql = BUF_INIT(SQL_MAX);

	memset(b->untyped, 0, sizeof(b->untyped));
	for (size_t i = 0; i < t->column_count; i++)
		if (!buf_printf(&sql, e,
			    "%sSELECT %zu, type FROM pragma_table_xinfo('%s') WHERE name = '%s'",
			    i ? " UNION ALL " : "", i, t->name, t->columns[i]))
			return false;
	return read_rows(&b->bulk, buf_str(&sql), 2, keep_typing, b, e);
}

static bool fill(struct bulk *bulk, const struct bulk_table *t, struct err *e)
{
	BUF_AUTO struct buf sql = BUF_INIT(SQL_MAX);
	struct bulk_sqlite *b = of(bulk);
	bool ok = learn_typing(b, t, e) && buf_printf(&sql, e, "INSERT INTO \"%s\" (", t->name);

	for (size_t i = 0; i < t->column_count && ok; i++)
		ok = buf_printf(&sql, e, "%s\"%s\"", i ? ", " : "", t->columns[i]);
	ok = ok && buf_append_str(&sql, ") VALUES (", e);
	for (size_t i = 0; i < t->column_count && ok; i++)
		ok = buf_append_str(&sql, i ? ", ?" : "?", e);
	ok = ok && buf_append_str(&sql, ")", e);
	return ok && (sqlite3_prepare_v2(b->db, buf_str(&sql), -1, &b->insert, NULL) == SQLITE_OK ||
			     fail(b, e));
}

/* Text of a column that keeps numbers and text, each as what it is: a number again? */
static bool is_number(struct bytes text, int64_t *out)
{
	char digits[NUMBER_LEN + 1], again[NUMBER_LEN + 2];

	if (text.len == 0 || text.len > NUMBER_LEN)
		return false;
	memcpy(digits, text.data, text.len);
	digits[text.len] = '\0';
	*out = strtoll(digits, NULL, 10);
	sqlite3_snprintf(sizeof(again), again, "%lld", (long long)*out);
	return strcmp(again, digits) == 0;
}

static int bind_value(struct bulk_sqlite *b, int column, const struct store_value *v)
{
	int64_t number;

	switch (v->type) {
	case STORE_NULL:
		return sqlite3_bind_null(b->insert, column + 1);
	case STORE_INT:
		return sqlite3_bind_int64(b->insert, column + 1, v->integer);
	case STORE_TEXT:
		if (b->untyped[column] && is_number(v->octets, &number))
			return sqlite3_bind_int64(b->insert, column + 1, number);
		return sqlite3_bind_text64(b->insert, column + 1, (const char *)v->octets.data,
			v->octets.len, SQLITE_STATIC, SQLITE_UTF8);
	case STORE_BLOB:
		return sqlite3_bind_blob64(
			b->insert, column + 1, v->octets.data, v->octets.len, SQLITE_STATIC);
	}
	return SQLITE_MISUSE;
}

static bool put(struct bulk *bulk, const struct store_value *values, struct err *e)
{
	struct bulk_sqlite *b = of(bulk);
	int columns = sqlite3_bind_parameter_count(b->insert);
	bool ok;

	for (int i = 0; i < columns; i++)
		if (bind_value(b, i, &values[i]) != SQLITE_OK)
			return fail(b, e);
	ok = sqlite3_step(b->insert) == SQLITE_DONE || fail(b, e);
	sqlite3_reset(b->insert);
	return ok;
}

static bool filled(struct bulk *bulk, struct err *e)
{
	struct bulk_sqlite *b = of(bulk);

	sqlite3_finalize(b->insert);
	b->insert = NULL;
	return true;
}

static bool dangles(void *arg, const struct store_value *values, struct err *e)
{
	return err_set(e, ERR_STORE, "store: a row of %.*s belongs to one that is not there",
		(int)values[0].octets.len, (const char *)values[0].octets.data);
}

static bool commit(struct bulk *bulk, struct err *e)
{
	struct bulk_sqlite *b = of(bulk);

	return execute(b, buf_str(&b->triggers), e) &&
	       read_rows(bulk, "SELECT \"table\" FROM pragma_foreign_key_check", 1, dangles, NULL,
		       e) &&
	       execute(b, "COMMIT; ANALYZE", e);
}

/* ---- life ---- */

static void close_it(struct bulk *bulk)
{
	struct bulk_sqlite *b = of(bulk);

	sqlite3_finalize(b->insert);
	sqlite3_close(b->db);
	buf_clear(&b->triggers);
	free(b->path);
	free(b);
}

static const struct bulk_engine sqlite = {
	.catalog = "SELECT m.name, c.name FROM sqlite_schema AS m JOIN pragma_table_xinfo(m.name) "
		   "AS c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND c.hidden = 0 "
		   "ORDER BY m.rowid, c.cid",
	.order = "",
	.read = read_rows,
	.clear = clear,
	.fill = fill,
	.put = put,
	.filled = filled,
	.commit = commit,
	.close = close_it,
};

/* A file that is filled is thrown away when that ends early: it needs no journal. */
#define TO_FILL "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN IMMEDIATE"
#define TO_READ "PRAGMA query_only=ON; BEGIN"

struct bulk *bulk_sqlite_open(const char *path, bool fills, struct err *e)
{
	struct bulk_sqlite *b = mem_new(sizeof(*b), e);

	if (!b)
		return NULL;
	b->bulk.engine = &sqlite;
	buf_init(&b->triggers, TRIGGERS_MAX);
	b->path = str_dup(path, e);
	if (b->path && sqlite3_open_v2(path, &b->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
			       NULL) != SQLITE_OK)
		fail(b, e);
	else if (b->path && sqlite3_busy_timeout(b->db, BUSY_MS) == SQLITE_OK &&
		 store_sqlite_functions(b->db, e) && execute(b, fills ? TO_FILL : TO_READ, e))
		return &b->bulk;
	close_it(&b->bulk);
	return NULL;
}

void bulk_close(struct bulk *b)
{
	if (b)
		b->engine->close(b);
}
