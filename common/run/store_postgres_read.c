/* SPDX-License-Identifier: Apache-2.0 */
/* Reading from PostgreSQL: see store_postgres.h. Connections are lent out of a small pool that the
 * keeper fills; who waits for one, or for an answer, gives up after STORE_READ_WAIT_MS and says so
 * to the others, who then do not even begin. */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/run/store_postgres.h"

#define LEFT_MAX  1000 /* rows nobody wants any more that are read to keep the connection */
#define SECOND_MS 1000
#define NS_OF_MS  1000000

/* ---- the pool ---- */

static struct timespec at_ms(int64_t mono_ms)
{
	return (struct timespec){
		.tv_sec = mono_ms / SECOND_MS, .tv_nsec = mono_ms % SECOND_MS * NS_OF_MS};
}

static bool is_away(const struct pg *p, const char *otherwise, struct err *e)
{
	if (!p->up && p->why.kind != ERR_NONE)
		err_set(e, ERR_RETRY_LATER, "%s", p->why.text);
	else
		err_set(e, ERR_RETRY_LATER, "store: %s: %s", p->shown, otherwise);
	return err_tell(e, STORE_AWAY);
}

static struct pg_link *borrow(struct pg *p, int64_t until_ms, struct err *e)
{
	const struct timespec until = at_ms(until_ms);
	struct pg_link *l = NULL;
	bool late = false;

	pthread_mutex_lock(&p->lock);
	p->waiting++;
	while (p->up && p->idle_count == 0 && !late) {
		pg_keeper_wake(p);
		late = pthread_cond_timedwait(&p->changed, &p->lock, &until) != 0;
	}
	p->waiting--;
	if (p->up && p->idle_count > 0)
		l = p->idle[--p->idle_count];
	else
		is_away(p, "no connection is free", e);
	pthread_mutex_unlock(&p->lock);
	return l;
}

static void give_back(struct pg *p, struct pg_link *l)
{
	bool keep;

	pthread_mutex_lock(&p->lock);
	if (l->lost) {
		p->suspect = true;
		if (p->up && l->generation == p->generation) {
			p->up = false; /* until the keeper knows better */
			err_set(&p->why, ERR_RETRY_LATER, "store: %s: no answer", p->shown);
		}
		pg_keeper_wake(p);
	}
	keep = !l->lost && !l->spoiled && l->generation == p->generation;
	if (keep)
		p->idle[p->idle_count++] = l;
	else
		p->reader_count--;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	if (!keep)
		pg_link_close(l);
}

/* ---- rows ---- */

struct pg_row {
	struct store_row row;
	const PGresult *result; /* of one row */
};

/* The rest of what was asked: unread, the connection could not be asked anything else. */
static void read_off(struct pg_link *l)
{
	const struct pg_patience patience = pg_for_ms(PG_WAIT_MS);
	PGresult *r;

	for (int i = 0; i < LEFT_MAX && (r = pg_next(l, &patience)) != NULL; i++)
		PQclear(r);
	/* not the server's fault: it has more to say than anybody wants to hear */
	l->spoiled = l->spoiled || l->lost || PQtransactionStatus(l->conn) != PQTRANS_IDLE;
	l->lost = l->lost && PQstatus(l->conn) == CONNECTION_BAD;
}

/* True: more rows are wanted. */
static bool tell_row(const PGresult *r, store_row_fn *fn, void *arg, int64_t *rows, struct err *e)
{
	const struct pg_row row = {{&store_postgres}, r};

	(*rows)++;
	return !fn || fn(arg, &row.row, e);
}

static bool each_row(struct pg *p, struct pg_link *l, struct pg_patience patience, store_row_fn *fn,
	void *arg, int64_t *rows, struct err *e)
{
	struct err from_row = ERR_INIT;
	bool ok = true;
	PGresult *r;

	while (ok && (r = pg_next(l, &patience)) != NULL) {
		ok = pg_is_good(r) || pg_fail(p, l, r, "reading", e);
		if (ok && PQntuples(r) > 0 && !tell_row(r, fn, arg, rows, &from_row)) {
			PQclear(r);
			read_off(l);
			if (from_row.kind != ERR_NONE)
				*e = from_row;
			return from_row.kind == ERR_NONE;
		}
		PQclear(r);
		patience = pg_for_ms(STORE_READ_WAIT_MS);
	}
	if (!ok)
		read_off(l);
	return ok && (!l->lost || pg_fail(p, l, NULL, "reading", e));
}

static bool read_with(struct pg *p, struct pg_link *l, int64_t until_ms, int statement,
	const struct store_value *params, size_t count, store_row_fn *fn, void *arg, int64_t *rows,
	struct err *e)
{
	const struct pg_patience patience = {.until_ms = until_ms};

	if (!pg_prepare(p, l, (size_t)statement, &patience, e) ||
		!pg_send(p, l, (size_t)statement, params, count, e))
		return false;
	PQsetSingleRowMode(l->conn);
	return each_row(p, l, patience, fn, arg, rows, e);
}

bool pg_read(struct store *s, int statement, const struct store_value *params, size_t param_count,
	store_row_fn *fn, void *arg, int64_t *rows, struct err *e)
{
	const int64_t until_ms = clock_mono_ms() + STORE_READ_WAIT_MS;
	struct pg *p = s->own;
	struct pg_link *l = borrow(p, until_ms, e);
	bool ok;

	if (!l)
		return false;
	ok = read_with(p, l, until_ms, statement, params, param_count, fn, arg, rows, e);
	give_back(p, l);
	return ok;
}

/* ---- values of a row ---- */

static const PGresult *result_of(const struct store_row *r)
{
	return ((const struct pg_row *)r)->result;
}

enum { OID_BOOL = 16, OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23, OID_NUMERIC = 1700 };

static uint16_t u16_at(const char *octets)
{
	uint16_t n;

	memcpy(&n, octets, sizeof(n));
	return be16toh(n);
}

/* What sum() gives: digits to the base of 10000, of which only the whole ones count here. */
static int64_t whole_number(const char *octets, size_t len)
{
	int digits, weight;
	uint64_t sum = 0;

	if (len < 8)
		return 0;
	digits = u16_at(octets);
	weight = (int16_t)u16_at(octets + 2);
	for (int i = 0; i <= weight; i++)
		sum = sum * 10000 + (i < digits && len >= 10 + 2 * (size_t)i
						    ? u16_at(octets + 8 + 2 * (ptrdiff_t)i)
						    : 0);
	return (int64_t)(u16_at(octets + 4) == 0x4000 ? 0 - sum : sum);
}

static int64_t big_endian(const char *octets, size_t len)
{
	uint64_t n = octets[0] & 0x80 ? UINT64_MAX : 0;

	for (size_t i = 0; i < len; i++)
		n = n << 8 | (uint8_t)octets[i];
	return (int64_t)n;
}

int64_t pg_row_int(const struct store_row *row, int column)
{
	const PGresult *r = result_of(row);
	const char *octets = PQgetvalue(r, 0, column);
	size_t len = (size_t)PQgetlength(r, 0, column);

	if (PQgetisnull(r, 0, column) || len == 0)
		return 0;
	switch (PQftype(r, column)) {
	case OID_BOOL:
	case OID_INT2:
	case OID_INT4:
	case OID_INT8:
		return big_endian(octets, len);
	case OID_NUMERIC:
		return whole_number(octets, len);
	default:
		return strtoll(octets, NULL, 10);
	}
}

const char *pg_row_text(const struct store_row *row, int column)
{
	const PGresult *r = result_of(row);

	return PQgetisnull(r, 0, column) ? NULL : PQgetvalue(r, 0, column);
}

struct bytes pg_row_blob(const struct store_row *row, int column)
{
	const PGresult *r = result_of(row);

	if (PQgetisnull(r, 0, column))
		return bytes_of(NULL, 0);
	return bytes_of(PQgetvalue(r, 0, column), (size_t)PQgetlength(r, 0, column));
}

/* ---- space ---- */

bool pg_space(struct store *s, struct store_space *out, struct err *e)
{
	const struct pg_patience patience = pg_for_ms(STORE_READ_WAIT_MS);
	struct pg *p = s->own;
	struct pg_link *l = borrow(p, patience.until_ms, e);
	PGresult *r;
	bool ok;

	if (!l)
		return false;
	r = pg_ask(l, "SELECT pg_database_size(current_database())", 0, NULL, &patience);
	ok = (r && pg_is_good(r)) || pg_fail(p, l, r, "its size", e);
	if (ok)
		*out = (struct store_space){strtoll(PQgetvalue(r, 0, 0), NULL, 10), -1};
	PQclear(r);
	give_back(p, l);
	return ok;
}
