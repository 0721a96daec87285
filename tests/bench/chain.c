/* SPDX-License-Identifier: Apache-2.0 */
/* What it costs a MASA that its audit log is a hash chain (masa/audit.h): its own statement that
 * writes an event, with the hash and with zeros in its place, in turns, on a copy of its store.
 * Prints one JSON object with µs of CPU per event. The signature of the log's head, one a minute
 * whatever comes in, is not in it.
 *
 *    build/bench/chain masa.db */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/run/store.h"
#include "common/run/store_sqlite.h"
#include "masa/records.h"

#define ROUNDS	      21 /* the one in the middle counts */
#define EVENTS	      400
#define STATEMENT_MAX 2048

/* The parameters of the statement, in its order. */
#define LAST_EVENT                                                                                 \
	"SELECT device, date, domain_id, domain_key, nonce, assertion, digest, expires_on,"        \
	" content, registrar FROM events ORDER BY id DESC LIMIT 1"
enum { NONCE = 5, DIGEST = 7, PARAMETERS = 10 };
#define DIGEST_LEN 32

static void must(sqlite3 *db, int ok)
{
	if (!ok) {
		fprintf(stderr, "chain: %s\n", sqlite3_errmsg(db));
		exit(1);
	}
}

static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static const char *adding(void)
{
	static const char begin[] = "INSERT INTO events";

	for (const char *const *s = masa_schema.statements; *s; s++)
		if (strncmp(*s, begin, strlen(begin)) == 0 && strstr(*s, "chain_hash("))
			return *s;
	fprintf(stderr, "chain: no statement adds to a chain\n");
	exit(1);
}

/* The same statement with 32 zeros for its hash, which is its last value: that after the last
 * event's, or that of the first. */
static const char *without_hash(const char *sql, char out[STATEMENT_MAX])
{
	const char *hash = strstr(sql, "coalesce("), *rest = strstr(sql, " ON CONFLICT");

	snprintf(out, STATEMENT_MAX, "%.*szeroblob(32))%s", (int)(hash - sql), sql, rest);
	return out;
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *s;

	must(db, sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK);
	return s;
}

/* An event like the last one, but for what is there once. */
static void bind_event(sqlite3 *db, sqlite3_stmt *add, sqlite3_stmt *last, uint64_t number)
{
	uint8_t digest[DIGEST_LEN] = {0};
	char nonce[25];

	for (int i = 1; i <= PARAMETERS; i++)
		must(db,
			sqlite3_bind_value(add, i, sqlite3_column_value(last, i - 1)) == SQLITE_OK);
	memcpy(digest, &number, sizeof(number));
	snprintf(nonce, sizeof(nonce), "%022llu==", (unsigned long long)number);
	must(db, sqlite3_bind_blob(add, DIGEST, digest, DIGEST_LEN, SQLITE_TRANSIENT) == SQLITE_OK);
	must(db, sqlite3_bind_text(add, NONCE, nonce, -1, SQLITE_TRANSIENT) == SQLITE_OK);
}

static double cost_us(sqlite3 *db, sqlite3_stmt *add, sqlite3_stmt *last)
{
	double spent = 0, start;

	must(db, sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK);
	for (uint64_t i = 1; i <= EVENTS; i++) {
		bind_event(db, add, last, i);
		start = cpu_us();
		must(db, sqlite3_step(add) == SQLITE_DONE && sqlite3_changes(db) == 1);
		sqlite3_reset(add);
		spent += cpu_us() - start;
	}
	must(db, sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK);
	return spent / EVENTS;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	double chained[ROUNDS], plain[ROUNDS];
	sqlite3_stmt *with, *without, *last;
	char sql[STATEMENT_MAX];
	struct err e = ERR_INIT;
	sqlite3 *db;

	if (argc != 2 || sqlite3_open(argv[1], &db) != SQLITE_OK || !store_sqlite_functions(db, &e))
		return 1;
	with = prepare(db, adding());
	without = prepare(db, without_hash(adding(), sql));
	last = prepare(db, LAST_EVENT);
	must(db, sqlite3_step(last) == SQLITE_ROW);
	for (int i = 0; i < ROUNDS; i++) {
		plain[i] = cost_us(db, without, last);
		chained[i] = cost_us(db, with, last);
	}
	qsort(plain, ROUNDS, sizeof(*plain), by_size);
	qsort(chained, ROUNDS, sizeof(*chained), by_size);
	printf("{\"masa_event_us\": %.2f, \"masa_chain_us\": %.2f}\n", chained[ROUNDS / 2],
		chained[ROUNDS / 2] - plain[ROUNDS / 2]);
	sqlite3_finalize(with);
	sqlite3_finalize(without);
	sqlite3_finalize(last);
	sqlite3_close(db);
	return 0;
}
