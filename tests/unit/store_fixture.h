/* SPDX-License-Identifier: Apache-2.0 */
/* Where a test's store is: a file in its folder, or, with BRSKI_TEST_POSTGRES (a URI of a server
 * where schemas may be made), a new schema of that server. scripts/run-tests runs the programs that
 * have this in them a second time with it. */
#ifndef TESTS_UNIT_STORE_FIXTURE_H
#define TESTS_UNIT_STORE_FIXTURE_H

#include <ctype.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STORE_PLACE_MAX 400

static inline const char *store_server(void)
{
	return getenv("BRSKI_TEST_POSTGRES");
}

static inline bool store_is_on_a_server(void)
{
	return store_server() != NULL;
}

/* Have the server run SQL. */
static inline void store_server_do(const char *uri, const char *sql)
{
	PGconn *c = PQconnectdb(uri);
	PGresult *r = PQexec(c, sql);
	ExecStatusType status = PQresultStatus(r);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(c));
	PQclear(r);
	PQfinish(c);
}

/* The first column of the first row of a query, as a number. */
static inline long long store_server_number(const char *uri, const char *sql)
{
	PGconn *c = PQconnectdb(uri);
	PGresult *r = PQexec(c, sql);
	long long n;

	if (PQresultStatus(r) != PGRES_TUPLES_OK || PQntuples(r) == 0)
		fail_msg("%s: %s", sql, PQerrorMessage(c));
	n = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
	PQclear(r);
	PQfinish(c);
	return n;
}

/* A schema of its own on a server, by name. */
static inline void store_place_on(const char *server, const char *name, char where[STORE_PLACE_MAX])
{
	char schema[60], sql[128];
	size_t len = strlen(name), skip = len < sizeof(schema) ? 0 : len - sizeof(schema) + 1;

	snprintf(schema, sizeof(schema), "%.59s", name + skip); /* folders differ at their end */
	for (char *c = schema; *c; c++)
		if (!isalnum((unsigned char)*c))
			*c = '_';
	snprintf(sql, sizeof(sql), "CREATE SCHEMA IF NOT EXISTS \"%s\"", schema);
	store_server_do(server, sql);
	if (snprintf(where, STORE_PLACE_MAX, "%s%coptions=-csearch_path%%3D%%22%s%%22", server,
		    strchr(server, '?') ? '&' : '?', schema) >= STORE_PLACE_MAX)
		fail_msg("%s: too long", server);
}

/* The place of a new store: dir/name.db, or a schema that is named so. */
static inline void store_place(const char *dir, const char *name, char where[STORE_PLACE_MAX])
{
	char file[STORE_PLACE_MAX];

	snprintf(file, sizeof(file), "%s/%s.db", dir, name);
	if (store_is_on_a_server())
		store_place_on(store_server(), file, where);
	else
		snprintf(where, STORE_PLACE_MAX, "%s", file);
}

#endif
