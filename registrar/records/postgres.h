/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's tables and statements on PostgreSQL (run/store.h: struct store_schema). */
#ifndef REGISTRAR_RECORDS_POSTGRES_H
#define REGISTRAR_RECORDS_POSTGRES_H

/* What SQLite's migrations had come to when this began: the first one makes that. */
#define RECORDS_POSTGRES_FIRST 16

extern const char *const records_postgres_migrations[]; /* NULL-ended */
extern const char *const records_postgres_statements[]; /* by enum statement; NULL: as SQLite's */

#endif
