/* SPDX-License-Identifier: Apache-2.0 */
/* Moving stores: see store_move.h. A database is filled in one transaction; a file under a name of
 * its own, which it loses at the end. */
#include "common/run/store_move.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/run/store_bulk.h"
#include "common/run/store_lock.h"

#define SQL_MAX	      16384
#define LINE_MAX_LEN  160
#define TELL_EVERY    1000 /* rows between two looks at the clock and at `stop` */
#define TELL_AFTER_MS 2000
/* a process that works with a database holds its lock within a second or two */
#define ALONE_PAUSE_US 20000
#define ALONE_TRIES    200

struct tables {
	size_t count;
	struct bulk_table item[BULK_TABLES_MAX];
};

struct move {
	const struct store_move *how;
	struct bulk *from, *to;
	struct bulk_table *table; /* under way */
	int64_t total, told_ms;
};

static void close_bulk(struct bulk **b)
{
	bulk_close(*b);
}
#define BULK_AUTO __attribute__((cleanup(close_bulk)))

static void close_store(struct store **s)
{
	store_close(*s);
}
#define STORE_AUTO __attribute__((cleanup(close_store)))

/* ---- tables ---- */

static bool copy_name(char to[BULK_NAME_MAX], const struct store_value *v, struct err *e)
{
	if (v->type != STORE_TEXT || v->octets.len >= BULK_NAME_MAX)
		return err_set(e, ERR_BUG, "store: a table whose name is too long");
	memcpy(to, v->octets.data, v->octets.len);
	to[v->octets.len] = '\0';
	return true;
}

static bool add_column(void *arg, const struct store_value *values, struct err *e)
{
	struct tables *all = arg;
	struct bulk_table *t = all->count ? &all->item[all->count - 1] : NULL;
	char name[BULK_NAME_MAX];

	if (!copy_name(name, &values[0], e))
		return false;
	if (!t || strcmp(t->name, name) != 0) {
		if (all->count == BULK_TABLES_MAX)
			return err_set(e, ERR_BUG, "store: more than %d tables", BULK_TABLES_MAX);
		t = &all->item[all->count++];
		memcpy(t->name, name, sizeof(name));
	}
	if (t->column_count == BULK_COLUMNS_MAX)
		return err_set(e, ERR_BUG, "store: more than %d columns", BULK_COLUMNS_MAX);
	return copy_name(t->columns[t->column_count++], &values[1], e);
}

static struct tables *tables_of(struct bulk *b, struct err *e)
{
	struct tables *all = mem_new(sizeof(*all), e);

	if (all && b->engine->read(b, b->engine->catalog, 2, add_column, all, e))
		return all;
	free(all);
	return NULL;
}

static size_t columns_of(const struct tables *all)
{
	size_t n = 0;

	for (size_t i = 0; i < all->count; i++)
		n += all->item[i].column_count;
	return n;
}

static bool has_column(const struct tables *all, const char *table, const char *column)
{
	for (size_t i = 0; i < all->count; i++)
		for (size_t k = 0;
			strcmp(all->item[i].name, table) == 0 && k < all->item[i].column_count; k++)
			if (strcmp(all->item[i].columns[k], column) == 0)
				return true;
	return false;
}

/* Both have the same tables with the same columns, in whatever order. */
static bool check_twins(struct bulk *from, const struct tables *to, struct err *e)
{
	FREE_AUTO struct tables *all = tables_of(from, e);

	if (!all)
		return false;
	for (size_t i = 0; i < to->count; i++)
		for (size_t k = 0; k < to->item[i].column_count; k++)
			if (!has_column(all, to->item[i].name, to->item[i].columns[k]))
				return err_set(e, ERR_STORE, "store: %s.%s is not in both",
					to->item[i].name, to->item[i].columns[k]);
	return columns_of(all) == columns_of(to) ||
	       err_set(e, ERR_STORE, "store: the tables are not the same in both");
}

/* ---- questions with one number for an answer ---- */

static bool keep_number(void *arg, const struct store_value *values, struct err *e)
{
	if (values[0].type != STORE_INT)
		return err_set(e, ERR_STORE, "store: no number where one was asked for");
	*(int64_t *)arg = values[0].integer;
	return true;
}

static bool ask(struct bulk *b, const char *sql, int64_t *out, struct err *e)
{
	*out = 0;
	return b->engine->read(b, sql, 1, keep_number, out, e);
}

static bool count_rows(struct bulk *b, const char *table, int64_t *out, struct err *e)
{
	char sql[BULK_NAME_MAX + sizeof("SELECT count(*) FROM \"\"")];

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM \"%s\"", table);
	return ask(b, sql, out, e);
}

static bool check_unused(const struct store_schema *schema, struct bulk *b, struct err *e)
{
	int64_t used;

	if (!ask(b, schema->moving.used, &used, e))
		return false;
	return used == 0 || err_set(e, ERR_CONFLICT,
				    "the store there has been used: one is put only where there "
				    "is none yet; name a new file or an empty database");
}

/* The log's chain is as whole there as it is here. One that somebody broke is evidence, and moves
 * as it is. */
static bool check_chain(
	const struct store_move *m, struct bulk *from, struct bulk *to, struct err *e)
{
	char line[LINE_MAX_LEN];
	int64_t broken, before = 0;

	if (!ask(to, m->schema->moving.broken, &broken, e) ||
		(broken && !ask(from, m->schema->moving.broken, &before, e)))
		return false;
	if (broken != before)
		return err_set(e, ERR_STORE,
			"store: line %lld of the log does not follow from the "
			"one before it, as it did",
			(long long)broken);
	snprintf(line, sizeof(line), "line %lld of the log does not follow from the one before it",
		(long long)broken);
	if (broken && m->tell)
		m->tell(m->arg, line);
	return true;
}

/* ---- rows ---- */

static void tell(const struct store_move *m, const struct bulk_table *t, int64_t total)
{
	char line[LINE_MAX_LEN];

	if (!m->tell)
		return;
	snprintf(line, sizeof(line), "%s: %lld of %lld", t->name, (long long)t->rows,
		(long long)total);
	m->tell(m->arg, line);
}

static bool put_row(void *arg, const struct store_value *values, struct err *e)
{
	struct move *m = arg;

	if (!m->to->engine->put(m->to, values, e))
		return false;
	if (++m->table->rows % TELL_EVERY != 0)
		return true;
	if (m->how->stop && atomic_load(m->how->stop))
		return err_set(e, ERR_RETRY_LATER, "store: told to stop");
	if (clock_mono_ms() - m->told_ms >= TELL_AFTER_MS) {
		m->told_ms = clock_mono_ms();
		tell(m->how, m->table, m->total);
	}
	return true;
}

static bool select_all(
	const struct bulk *from, const struct bulk_table *t, struct buf *sql, struct err *e)
{
	bool ok = buf_append_str(sql, "SELECT ", e);

	for (size_t i = 0; i < t->column_count && ok; i++)
		ok = buf_printf(sql, e, "%s\"%s\"", i ? ", " : "", t->columns[i]);
	return ok && buf_printf(sql, e, " FROM \"%s\"%s", t->name, from->engine->order);
}

/* What was put is there, as often as it is at the source. */
static bool check_count(struct move *m, const struct bulk_table *t, struct err *e)
{
	int64_t there;

	if (!count_rows(m->to, t->name, &there, e))
		return false;
	return (t->rows == m->total && there == m->total) ||
	       err_set(e, ERR_STORE, "store: %s has %lld rows and not %lld", t->name,
		       (long long)there, (long long)m->total);
}

static bool copy_table(struct move *m, struct bulk_table *t, struct err *e)
{
	BUF_AUTO struct buf sql = BUF_INIT(SQL_MAX);

	m->table = t;
	m->told_ms = clock_mono_ms();
	if (!select_all(m->from, t, &sql, e) || !count_rows(m->from, t->name, &m->total, e) ||
		!m->to->engine->fill(m->to, t, e) ||
		!m->from->engine->read(m->from, buf_str(&sql), t->column_count, put_row, m, e) ||
		!m->to->engine->filled(m->to, e) || !check_count(m, t, e))
		return err_prefix(e, "%s", t->name);
	if (m->total > 0)
		tell(m->how, t, m->total);
	return true;
}

/* All of `from` into `to`, which has the tables. */
static bool copy_all(
	const struct store_move *how, struct bulk *from, struct bulk *to, struct err *e)
{
	FREE_AUTO struct tables *all = tables_of(to, e);
	struct move m = {.how = how, .from = from, .to = to};

	if (!all || !check_twins(from, all, e) || !check_unused(how->schema, to, e) ||
		!to->engine->clear(to, all->item, all->count, e))
		return false;
	for (size_t i = 0; i < all->count; i++)
		if (!copy_table(&m, &all->item[i], e))
			return false;
	return check_chain(how, from, to, e) && to->engine->commit(to, e);
}

/* ---- a file as the target ---- */

static bool remove_all_of(const char *path, struct err *e)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".lock"};

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		FREE_AUTO char *name = str_printf(e, "%s%s", path, suffixes[i]);

		if (!name || !file_remove(name, e))
			return false;
	}
	return true;
}

/* A store with nothing in it. */
static bool make_empty(const char *where, const struct store_schema *schema, struct err *e)
{
	struct store *s = store_open(where, schema, e);

	store_close(s);
	return s != NULL;
}

static bool fill_file(
	const struct store_move *m, struct bulk *from, const char *path, struct err *e)
{
	BULK_AUTO struct bulk *to = NULL;

	return make_empty(path, m->schema, e) && (to = bulk_sqlite_open(path, true, e)) != NULL &&
	       copy_all(m, from, to, e);
}

static bool make_durable(const char *path, int64_t *octets, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	bool ok = fd >= 0 && fsync(fd) == 0 && fstat(fd, &st) == 0;

	if (!ok)
		err_set_errno(e, ERR_STORE, "%s", path);
	else
		*octets = st.st_size;
	if (fd >= 0)
		close(fd);
	return ok;
}

/* Never over a file that is there: its owner may mean something by it. */
static bool give_name(const char *tmp, const char *to, struct err *e)
{
	return link(tmp, to) == 0 ||
	       err_set_errno(e, errno == EEXIST ? ERR_CONFLICT : ERR_STORE, "%s", to);
}

static bool copy_to_file(const struct store_move *m, struct bulk *from, const char *to,
	int64_t *octets, struct err *e)
{
	FREE_AUTO char *tmp = str_printf(e, "%s.new", to);
	struct err ignored = ERR_INIT;
	bool ok;

	if (!tmp)
		return false;
	if (access(to, F_OK) == 0) /* said before the work, and made sure of after it */
		return err_set(e, ERR_CONFLICT, "%s: there is such a file already", to);
	/* one that was interrupted may have left something */
	ok = remove_all_of(tmp, e) && fill_file(m, from, tmp, e) && make_durable(tmp, octets, e) &&
	     give_name(tmp, to, e);
	if (ok)
		return remove_all_of(tmp, e); /* which makes the new name durable, too */
	(void)!remove_all_of(tmp, &ignored);
	return false;
}

/* A store that nobody ever used gives way. */
static bool make_way(const struct store_move *m, const char *to, struct err *e)
{
	STORE_AUTO struct store *s = NULL;
	BULK_AUTO struct bulk *b = NULL;

	if (access(to, F_OK) != 0)
		return true;
	s = store_open(to, m->schema, e);
	if (!s || !(b = bulk_sqlite_open(to, false, e)) || !check_unused(m->schema, b, e))
		return err_prefix(e, "%s", to);
	return true;
}

static bool move_to_file(
	const struct store_move *m, struct bulk *from, const char *to, struct err *e)
{
	int64_t octets;

	return make_way(m, to, e) && (access(to, F_OK) != 0 || remove_all_of(to, e)) &&
	       copy_to_file(m, from, to, &octets, e);
}

/* ---- a database ---- */

/* Of a file, opening it has made sure of that. */
static bool wait_alone(struct store *s, struct err *e)
{
	for (int i = 0; i < ALONE_TRIES; i++) {
		if (store_leads(s))
			return true;
		usleep(ALONE_PAUSE_US);
	}
	return err_set(e, ERR_STORE, "store: somebody else works with the database");
}

/* Open it, with nobody else there. */
static struct store *open_alone(const char *where, const struct store_schema *schema, struct err *e)
{
	struct store *s = store_open(where, schema, e);

	if (!s || wait_alone(s, e))
		return s;
	store_close(s);
	return NULL;
}

static bool move_to_database(
	const struct store_move *m, struct bulk *from, const char *to, struct err *e)
{
	STORE_AUTO struct store *s = open_alone(to, m->schema, e);
	BULK_AUTO struct bulk *b = NULL;

	if (!s || !(b = bulk_postgres_open(s, true, e)))
		return false;
	return copy_all(m, from, b, e);
}

/* ---- from one to the other ---- */

static struct bulk *bulk_of(struct store *s, const char *where, struct err *e)
{
	return store_is_remote(where) ? bulk_postgres_open(s, false, e)
				      : bulk_sqlite_open(where, false, e);
}

bool store_move(const struct store_move *m, const char *from, const char *to, struct err *e)
{
	STORE_AUTO struct store *s = NULL;
	BULK_AUTO struct bulk *b = NULL;
	bool ok;

	if (!store_where_check(from, e))
		return err_prefix(e, "from");
	if (!store_where_check(to, e))
		return err_prefix(e, "to");
	if (!store_is_remote(from) && access(from, F_OK) != 0)
		return err_set_errno(e, ERR_STORE, "%s", from);
	s = open_alone(from, m->schema, e);
	if (!s || !(b = bulk_of(s, from, e)))
		return err_prefix(e, "from");
	ok = store_is_remote(to) ? move_to_database(m, b, to, e) : move_to_file(m, b, to, e);
	return ok || err_prefix(e, "to");
}

static void say(void *arg, const char *line)
{
	printf("%s\n", line);
	fflush(stdout);
}

bool store_move_told(
	const struct store_schema *schema, const char *from, const char *to, struct err *e)
{
	const struct store_move m = {.schema = schema, .tell = say};

	if (!store_move(&m, from, to, e))
		return false;
	say(NULL, "copied; every table has as many rows, the log's chain is as it was");
	return true;
}

bool store_save(
	const struct store_move *m, struct store *s, const char *to, int64_t *octets, struct err *e)
{
	BULK_AUTO struct bulk *b = bulk_postgres_open(s, false, e);

	return b && copy_to_file(m, b, to, octets, e);
}

/* ---- a backup into a database ---- */

static bool load_copy(const struct store_move *m, const char *from, const char *copy,
	const char *to, store_adopt_fn *adopt, void *arg, struct err *e)
{
	int64_t octets;

	return store_check_whole(from, e) && store_copy(from, copy, m->stop, &octets, e) &&
	       adopt(arg, copy, e) && store_move(m, copy, to, e);
}

bool store_load(const struct store_move *m, const char *from, const char *to, store_adopt_fn *adopt,
	void *arg, struct err *e)
{
	char dir[] = "/var/tmp/brski-restore.XXXXXX"; /* mode 0700; may be large */
	FREE_AUTO char *copy = NULL;
	struct err ignored = ERR_INIT;
	bool ok;

	if (!mkdtemp(dir))
		return err_set_errno(e, ERR_STORE, "%s", dir);
	copy = str_printf(e, "%s/store", dir);
	ok = copy && load_copy(m, from, copy, to, adopt, arg, e);
	if (copy)
		(void)!remove_all_of(copy, &ignored);
	rmdir(dir);
	return ok;
}
