/* SPDX-License-Identifier: Apache-2.0 */
/* A PostgreSQL server of a test's: asked directly, and schemas of it as places of stores. */
#ifndef TESTS_UNIT_STORE_SERVER_H
#define TESTS_UNIT_STORE_SERVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STORE_PLACE_MAX 400

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

#endif
