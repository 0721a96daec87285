/* SPDX-License-Identifier: Apache-2.0 */
/* The MASA's statements by name, and its tables and statements on PostgreSQL: between records.c,
 * records_sql.c and records_postgres.c. */
#ifndef MASA_RECORDS_SQL_H
#define MASA_RECORDS_SQL_H

enum masa_statement {
	DEVICES_BY_SERIAL,
	DEVICES_AFTER,
	DEVICE_SET_ISSUER,
	DEVICE_ADD,
	DEVICE_SET_OWNER,
	OWNERS_ALL,
	OWNER_PUT,
	OWNERS_REVISION,
	EVENT_RELEASE_DIGEST,
	EVENT_RELEASE_NONCE,
	EVENT_ADD,
	ISSUED_BY_DIGEST,
	ISSUED_BY_NONCE,
	WAS_OWNER,
	EVENTS_OF_ONE,
	EVENTS_FULL,
	EVENTS_ABRIDGED,
	EVENTS_BY_SERIAL,
	LAST_EVENT,
	LAST_DEVICE,
	AUDIT_LINES,
	AUDIT_HEADS,
	AUDIT_LINE,
	AUDIT_LAST_LINE,
	AUDIT_LAST_HEAD,
	AUDIT_ADD_HEAD,
	DESTINATIONS_OF,
	DESTINATION_REPLACED,
	DESTINATION_PUT,
	DESTINATION_REMOVE,
	STATEMENT_COUNT,
};

/* What SQLite's migrations had come to when this began: the first one makes that. */
#define MASA_POSTGRES_FIRST 2

extern const char *const masa_postgres_migrations[]; /* NULL-ended */
extern const char *const masa_postgres_statements[]; /* NULL: the text of SQLite's */

#endif
