/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of SQLite stores: see store_copy.h. VACUUM INTO reads one committed state, next to a
 * writer, and makes every page and index anew. */
#include "common/run/store_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/run/store_lock.h"

#define BUSY_MS	   5000
#define STOP_EVERY 10000 /* steps of SQLite's between two looks at `stop`: below a millisecond */

/* ---- The database ---- */

static bool fail(struct err *e, sqlite3 *db, const char *path)
{
	int code = db ? sqlite3_errcode(db) : SQLITE_NOMEM;
	enum err_kind kind = ERR_STORE;

	if (code == SQLITE_NOMEM)
		kind = ERR_NO_MEMORY;
	if (code == SQLITE_INTERRUPT)
		kind = ERR_RETRY_LATER;
	return err_set(e, kind, "store: %s: %s", path, db ? sqlite3_errmsg(db) : "no memory");
}

static void close_db(sqlite3 **db)
{
	sqlite3_close(*db);
}
#define DB_AUTO __attribute__((cleanup(close_db)))

static int is_stopped(void *arg)
{
	const atomic_bool *stop = arg;

	return atomic_load(stop);
}

static bool open_db(const char *path, const atomic_bool *stop, sqlite3 **db, struct err *e)
{
	if (sqlite3_open_v2(path, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
		SQLITE_OK)
		return fail(e, *db, path);
	sqlite3_busy_timeout(*db, BUSY_MS);
	if (stop)
		sqlite3_progress_handler(*db, STOP_EVERY, is_stopped, (void *)(uintptr_t)stop);
	return true;
}

/* Run one statement with at most one value; the first column of its first row, when asked for. */
static bool query(sqlite3 *db, const char *path, const char *sql, const char *value,
	struct buf *answer, struct err *e)
{
	sqlite3_stmt *stmt = NULL;
	const char *text;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	bool ok = true;

	if (rc == SQLITE_OK && value)
		rc = sqlite3_bind_text(stmt, 1, value, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW && answer) {
		text = (const char *)sqlite3_column_text(stmt, 0);
		ok = buf_append_str(answer, text ? text : "", e);
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		ok = fail(e, db, path);
	sqlite3_finalize(stmt);
	return ok;
}

/* ---- A copy ---- */

static bool make_durable(int fd, const char *path, int64_t *octets, struct err *e)
{
	struct stat st;

	if (fsync(fd) != 0 || fstat(fd, &st) != 0)
		return err_set_errno(e, ERR_STORE, "%s", path);
	*octets = st.st_size;
	return true;
}

static bool copy_to(const char *from, const char *tmp, int fd, const atomic_bool *stop,
	int64_t *octets, struct err *e)
{
	DB_AUTO sqlite3 *db = NULL;

	return open_db(from, stop, &db, e) && query(db, from, "VACUUM INTO ?", tmp, NULL, e) &&
	       make_durable(fd, tmp, octets, e);
}

/* Never over a file that is there: its owner may mean something by it. */
static bool give_name(const char *tmp, const char *to, struct err *e)
{
	if (link(tmp, to) == 0)
		return true;
	return err_set_errno(e, errno == EEXIST ? ERR_CONFLICT : ERR_STORE, "%s", to);
}

bool store_copy(
	const char *from, const char *to, const atomic_bool *stop, int64_t *octets, struct err *e)
{
	FREE_AUTO char *tmp = str_printf(e, "%s.new.XXXXXX", to);
	struct err ignored = ERR_INIT;
	bool ok;
	int fd;

	if (!tmp)
		return false;
	if (access(to, F_OK) == 0) /* said before the work, and made sure of after it */
		return err_set(e, ERR_CONFLICT, "%s: there is such a file already", to);
	fd = mkostemp(tmp, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return err_set_errno(e, ERR_STORE, "%s", to);
	ok = copy_to(from, tmp, fd, stop, octets, e) && give_name(tmp, to, e);
	close(fd);
	if (ok)
		return file_remove(tmp, e); /* which makes the new name durable, too */
	(void)!file_remove(tmp, &ignored);
	return false;
}

/* ---- Putting one in place ---- */

bool store_check_whole(const char *path, struct err *e)
{
	BUF_AUTO struct buf answer = BUF_INIT(65536);
	DB_AUTO sqlite3 *db = NULL;

	if (!open_db(path, NULL, &db, e) ||
		!query(db, path, "PRAGMA integrity_check(1)", NULL, &answer, e))
		return false;
	return strcmp(buf_str(&answer), "ok") == 0 ||
	       err_set(e, ERR_STORE, "%s: damaged: %.200s", path, buf_str(&answer));
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static char *kept_name(const char *path, struct err *e)
{
	time_t now = time(NULL);
	char text[32] = "";
	struct tm tm;

	if (gmtime_r(&now, &tm))
		strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &tm);
	return str_printf(e, "%s.replaced-%s", path, text);
}

static bool keep(const char *path, const char *suffix, const char *as, struct err *e)
{
	FREE_AUTO char *from = str_printf(e, "%s%s", path, suffix);
	FREE_AUTO char *to = str_printf(e, "%s%s", as, suffix);

	if (!from || !to)
		return false;
	return !exists(from) || link(from, to) == 0 || err_set_errno(e, ERR_STORE, "%s", to);
}

static bool drop(const char *path, const char *suffix, struct err *e)
{
	FREE_AUTO char *name = str_printf(e, "%s%s", path, suffix);

	return name && file_remove(name, e);
}

/* A write-ahead log does not say which file it belongs to: that of the old store must be gone
 * before the new one has its name. */
static bool take_place(const char *tmp, const char *path, const char *as, struct err *e)
{
	if (as && (!keep(path, "", as, e) || !keep(path, "-wal", as, e)))
		return false;
	if (!drop(path, "-wal", e) || !drop(path, "-shm", e))
		return false;
	if (rename(tmp, path) != 0)
		return err_set_errno(e, ERR_STORE, "%s", path);
	return true;
}

static bool swap(const char *tmp, const char *path, char **kept, struct err *e)
{
	if (exists(path) && !(*kept = kept_name(path, e)))
		return false;
	return take_place(tmp, path, *kept, e);
}

static bool replace(const char *from, const char *path, store_adopt_fn *adopt, void *arg,
	char **kept, struct err *e)
{
	FREE_AUTO char *tmp = str_printf(e, "%s.restore", path);
	int64_t octets;
	bool ok;

	/* one that was interrupted may have left something */
	if (!tmp || !drop(tmp, "", e) || !drop(tmp, "-wal", e) || !drop(tmp, "-shm", e))
		return false;
	ok = store_copy(from, tmp, NULL, &octets, e) && adopt(arg, tmp, e) &&
	     swap(tmp, path, kept, e);
	if (!ok) {
		unlink(tmp);
		free(*kept);
		*kept = NULL;
	}
	/* removing something makes the directory durable, too */
	return drop(tmp, ".lock", e) && ok;
}

bool store_restore(const char *from, const char *path, store_adopt_fn *adopt, void *arg,
	char **kept, struct err *e)
{
	int lock;
	bool ok;

	*kept = NULL;
	if (!store_check_whole(from, e))
		return false;
	lock = store_lock(path, e);
	if (lock < 0)
		return false;
	ok = replace(from, path, adopt, arg, kept, e);
	close(lock);
	return ok;
}
