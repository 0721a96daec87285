/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to PostgreSQL: see store_postgres.h. Everything is sent and received without
 * blocking and with an end to the patience, because a host that hangs answers nothing at all. */
#include "common/run/store_postgres.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/text.h"

#define VERSION_MIN  140000 /* the server's: client_connection_check_interval, read-write hosts */
#define SETTINGS_MAX 64	    /* of a connection: libpq knows some 45 */
#define LEARN_MS     30000  /* for all statements of a schema on a busy server */
#define NAME_MAX_LEN 24	    /* of a prepared statement */
#define NUMBER_LEN   24	    /* of an int64 as text */

/* Types as PostgreSQL numbers them, the same in every release. */
enum {
	OID_BYTEA = 17,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_TEXT = 25,
	OID_VARCHAR = 1043
};

/* ---- patience ---- */

struct pg_patience pg_for_ms(int64_t ms)
{
	return (struct pg_patience){.until_ms = clock_mono_ms() + ms};
}

static int64_t slice(const struct pg_patience *patience)
{
	int64_t left = patience->until_ms - clock_mono_ms();

	if (patience->go_on && !patience->go_on(patience->arg))
		return 0;
	return left < PG_SLICE_MS ? left : PG_SLICE_MS;
}

static bool wait_for(struct pg_link *l, short events, const struct pg_patience *patience)
{
	struct pollfd fd = {.fd = PQsocket(l->conn), .events = events};
	int64_t ms;

	while (fd.fd >= 0 && (ms = slice(patience)) > 0) {
		int ready = poll(&fd, 1, (int)ms);

		if (ready > 0)
			return true;
		if (ready < 0 && errno != EINTR)
			break;
	}
	l->lost = true;
	return false;
}

static bool take_in(struct pg_link *l)
{
	if (!PQconsumeInput(l->conn))
		l->lost = true;
	return !l->lost;
}

static bool send_all(struct pg_link *l, const struct pg_patience *patience)
{
	int left;

	while ((left = PQflush(l->conn)) == 1)
		if (!wait_for(l, POLLIN | POLLOUT, patience) || !take_in(l))
			return false;
	l->lost = l->lost || left < 0;
	return !l->lost;
}

PGresult *pg_next(struct pg_link *l, const struct pg_patience *patience)
{
	if (l->lost || !send_all(l, patience))
		return NULL;
	while (PQisBusy(l->conn))
		if (!wait_for(l, POLLIN, patience) || !take_in(l))
			return NULL;
	return PQgetResult(l->conn);
}

/* ---- errors ---- */

bool pg_is_good(const PGresult *r)
{
	ExecStatusType status = PQresultStatus(r);

	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ||
	       status == PGRES_SINGLE_TUPLE;
}

/* What is over with an error. */
enum over {
	STATEMENT,
	TRANSACTION, /* through no fault of its own: it may be run again */
	CONNECTION,
};

/* By the beginning of the SQLSTATE. */
static const struct {
	const char *state;
	enum err_kind kind;
	enum over over;
} states[] = {
	{"23", ERR_CONFLICT, STATEMENT},    /* a constraint */
	{"P0001", ERR_CONFLICT, STATEMENT}, /* a trigger of ours said no */
	{"22021", ERR_INPUT, STATEMENT},    /* text with a zero octet, or no UTF-8 */
	{"40001", ERR_RETRY_LATER, TRANSACTION},
	{"40P01", ERR_RETRY_LATER, TRANSACTION}, /* a deadlock with somebody else's locks */
	{"57014", ERR_RETRY_LATER, STATEMENT},
	{"08", ERR_RETRY_LATER, CONNECTION},
	{"57P", ERR_RETRY_LATER, CONNECTION}, /* the server goes down, or comes up */
	{"53300", ERR_RETRY_LATER, CONNECTION},
};

bool pg_fail(struct pg *p, struct pg_link *l, const PGresult *r, const char *doing, struct err *e)
{
	const char *state = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
	const char *text = r ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	const char *severity = r ? PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED) : NULL;
	enum err_kind kind = ERR_STORE;

	for (size_t i = 0; state && i < sizeof(states) / sizeof(*states); i++)
		if (strncmp(state, states[i].state, strlen(states[i].state)) == 0) {
			kind = states[i].kind;
			l->lost = l->lost || states[i].over == CONNECTION;
			l->again = l->again || states[i].over == TRANSACTION;
			break;
		}
	if (severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0))
		l->lost = true;
	if (state && (strcmp(state, "0A000") == 0 || strcmp(state, "26000") == 0))
		l->spoiled = true; /* the tables changed, or somebody pools sessions */
	if (!state && PQstatus(l->conn) == CONNECTION_BAD)
		l->lost = true;
	if (l->lost && !state)
		return err_set(e, ERR_RETRY_LATER, "store: %s: %s: no answer", p->shown, doing);
	return err_set(e, kind, "store: %s: %s", doing, text ? text : "not done");
}

/* ---- asking ---- */

static bool send_sql(struct pg_link *l, const char *sql, int count, const char *const *values)
{
	if (count)
		return PQsendQueryParams(l->conn, sql, count, NULL, values, NULL, NULL, 0) == 1;
	return PQsendQuery(l->conn, sql) == 1;
}

PGresult *pg_ask(struct pg_link *l, const char *sql, int count, const char *const *values,
	const struct pg_patience *patience)
{
	PGresult *kept = NULL, *r;

	l->lost = l->lost || !send_sql(l, sql, count, values);
	while ((r = pg_next(l, patience)) != NULL) {
		if (kept && !pg_is_good(kept)) {
			PQclear(r);
			continue;
		}
		PQclear(kept);
		kept = r;
	}
	/* an answer that came is an answer, whatever came after it */
	return kept;
}

bool pg_do(struct pg *p, struct pg_link *l, const char *sql, const struct pg_patience *patience,
	struct err *e)
{
	PGresult *r = pg_ask(l, sql, 0, NULL, patience);
	bool ok = (r && pg_is_good(r)) || pg_fail(p, l, r, "asking", e);

	PQclear(r);
	return ok;
}

/* ---- connecting ---- */

struct settings {
	const char *key[SETTINGS_MAX + 1], *value[SETTINGS_MAX + 1];
	size_t count;
};

static void set(struct settings *s, const char *key, const char *value)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->key[i], key) == 0) {
			s->value[i] = value;
			return;
		}
	if (s->count < SETTINGS_MAX) {
		s->key[s->count] = key;
		s->value[s->count++] = value;
	}
}

/* Ours first, then the URI's, then what nobody may choose otherwise. */
static void settings_of(const struct pg *p, struct settings *s)
{
	static const char *const ours[][2] = {{"connect_timeout", "2"},
		{"tcp_user_timeout", "5000"}, {"keepalives_idle", "5"},
		{"keepalives_interval", "2"}, {"keepalives_count", "3"},
		{"fallback_application_name", "brski"}};

	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		set(s, ours[i][0], ours[i][1]);
	for (const PQconninfoOption *o = p->options; o->keyword; o++)
		if (o->val)
			set(s, o->keyword, o->val);
	set(s, "target_session_attrs", "read-write");
	set(s, "client_encoding", "UTF8");
}

/* What the administrator may have set for people at a terminal, and how soon the server notices
 * that we are gone: later than we notice that it is, so that there are never two who lead. */
#define SESSION                                                                                    \
	"SET client_min_messages = warning; SET statement_timeout = 0; SET lock_timeout = 0;"      \
	"SET idle_session_timeout = 0; SET idle_in_transaction_session_timeout = 0;"               \
	"SET tcp_keepalives_idle = 6; SET tcp_keepalives_interval = 2;"                            \
	"SET tcp_keepalives_count = 3; SET tcp_user_timeout = 12000;"                              \
	"SET client_connection_check_interval = 2000;"
#define READS_ONLY "SET default_transaction_read_only = on"
/* A commit is on the disk, here and where the database's administrator says, before it is told. */
#define WRITES                                                                                     \
	"SELECT set_config('synchronous_commit', 'on', false)"                                     \
	" WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')"

static void hear_nothing(void *arg, const char *message)
{
}

static bool set_up(struct pg *p, struct pg_link *l, bool reads_only, struct err *e)
{
	const struct pg_patience soon = pg_for_ms(PG_WAIT_MS);

	PQsetNoticeProcessor(l->conn, hear_nothing, NULL);
	if (PQsetnonblocking(l->conn, 1) != 0)
		return err_set(e, ERR_STORE, "store: %s: cannot be asked", p->shown);
	if (PQserverVersion(l->conn) < VERSION_MIN)
		return err_set(e, ERR_STORE, "store: %s: PostgreSQL %d or later is needed",
			p->shown, VERSION_MIN / 10000);
	return pg_do(p, l, reads_only ? SESSION READS_ONLY : SESSION WRITES, &soon, e);
}

#define SAID_MAX 400 /* of libpq's words; the reason takes no more in all than 600 */
#define ADVICE_PASSWORD                                                                            \
	"; its password belongs into ~/.pgpass of the service's user, or a file that passfile= "   \
	"of the URI names"

/* One line of several. */
static void join_lines(const char *text, char *out, size_t size)
{
	size_t len = 0;

	for (const char *c = text; *c && len + 1 < size; c++) {
		bool blank = strchr(" \t\r\n", *c) != NULL;

		if (!blank)
			out[len++] = *c;
		else if (len && out[len - 1] != ' ')
			out[len++] = ' ';
	}
	if (len && out[len - 1] == ' ')
		len--;
	out[len] = '\0';
}

/* libpq's text has hosts and users in it, several lines, never the password. Waiting does not make
 * a wrong password right. */
static bool no_connection(const struct pg *p, const struct pg_link *l, struct err *e)
{
	const char *said = l->conn ? PQerrorMessage(l->conn) : "no memory";
	bool refused = l->conn && (PQconnectionNeedsPassword(l->conn) ||
					  strstr(said, "authentication failed"));
	char text[SAID_MAX];

	join_lines(said, text, sizeof(text));
	if (refused)
		return err_set(e, ERR_REFUSED, "store: %s: %s" ADVICE_PASSWORD, p->shown, text);
	err_set(e, ERR_RETRY_LATER, "store: %s: %s", p->shown, text);
	return err_tell(e, STORE_AWAY);
}

struct pg_link *pg_link_open(struct pg *p, bool reads_only, struct err *e)
{
	struct settings s = {.count = 0};
	struct pg_link *l = mem_new(sizeof(*l), e);

	if (!l)
		return NULL;
	settings_of(p, &s);
	l->conn = PQconnectdbParams(s.key, s.value, 0);
	if (PQstatus(l->conn) != CONNECTION_OK)
		no_connection(p, l, e);
	else if (set_up(p, l, reads_only, e))
		return l;
	pg_link_close(l);
	return NULL;
}

void pg_link_close(struct pg_link *l)
{
	if (!l)
		return;
	PQfinish(l->conn);
	free(l);
}

/* ---- statements ---- */

const char *pg_sql(const struct pg *p, size_t statement)
{
	const struct store_schema *schema = p->store->schema;
	const char *own =
		schema->postgres.statements ? schema->postgres.statements[statement] : NULL;

	return own ? own : schema->statements[statement];
}

static void name_of(size_t statement, char name[NAME_MAX_LEN])
{
	snprintf(name, NAME_MAX_LEN, "s%zu", statement);
}

static PGresult *to_the_end(struct pg_link *l, const struct pg_patience *patience)
{
	PGresult *r = pg_next(l, patience), *more;

	while ((more = pg_next(l, patience)) != NULL)
		PQclear(more);
	return r;
}

static bool prepare_as(struct pg *p, struct pg_link *l, size_t statement,
	const struct pg_types *types, const struct pg_patience *patience, struct err *e)
{
	const char *sql = pg_sql(p, statement);
	char name[NAME_MAX_LEN];
	PGresult *r;
	bool ok;

	name_of(statement, name);
	l->lost = l->lost || !PQsendPrepare(l->conn, name, sql, types ? types->count : 0,
				     types ? types->oid : NULL);
	r = to_the_end(l, patience);
	ok = (r && pg_is_good(r)) || (pg_fail(p, l, r, "preparing", e), err_prefix(e, "%s", sql));
	PQclear(r);
	return ok;
}

bool pg_prepare(struct pg *p, struct pg_link *l, size_t statement,
	const struct pg_patience *patience, struct err *e)
{
	if (!l->prepared[statement])
		l->prepared[statement] =
			prepare_as(p, l, statement, &p->types[statement], patience, e);
	return l->prepared[statement];
}

static bool types_of(struct pg *p, size_t statement, const PGresult *r, struct err *e)
{
	struct pg_types *types = &p->types[statement];

	types->count = PQnparams(r);
	if (types->count > STORE_PARAMS_MAX)
		return err_set(
			e, ERR_BUG, "store: %d values for: %s", types->count, pg_sql(p, statement));
	for (int i = 0; i < types->count; i++)
		types->oid[i] = PQparamtype(r, i);
	return true;
}

/* One answer in a pipeline, which is then at the next. */
static PGresult *one_answer(struct pg_link *l, const struct pg_patience *patience)
{
	PGresult *r = pg_next(l, patience);

	PQclear(pg_next(l, patience));
	return r;
}

static bool send_questions(struct pg *p, struct pg_link *l)
{
	char name[NAME_MAX_LEN];

	for (size_t i = 0; i < p->store->statement_count && !l->lost; i++) {
		name_of(i, name);
		l->lost = !PQsendPrepare(l->conn, name, pg_sql(p, i), 0, NULL) ||
			  !PQsendDescribePrepared(l->conn, name);
	}
	l->lost = l->lost || !PQpipelineSync(l->conn);
	return !l->lost;
}

static bool take_answers(struct pg *p, struct pg_link *l, size_t statement,
	const struct pg_patience *patience, struct err *e)
{
	PGresult *prepared = one_answer(l, patience), *described = one_answer(l, patience);
	bool ok = false;

	if (!prepared || !pg_is_good(prepared)) {
		pg_fail(p, l, prepared, "preparing", e);
		err_prefix(e, "%s", pg_sql(p, statement));
	} else if (!described || !pg_is_good(described)) {
		pg_fail(p, l, described, "describing", e);
	} else {
		ok = types_of(p, statement, described, e);
	}
	PQclear(prepared);
	PQclear(described);
	return ok;
}

/* All of them in one go: there are hundreds. When one is wrong, the connection is of no more use.
 */
static bool prepare_and_describe(struct pg *p, struct pg_link *l, struct err *e)
{
	const struct pg_patience patience = pg_for_ms(LEARN_MS);
	bool ok = PQenterPipelineMode(l->conn) && send_questions(p, l);

	if (!ok)
		return pg_fail(p, l, NULL, "preparing", e);
	for (size_t i = 0; i < p->store->statement_count && ok; i++)
		ok = take_answers(p, l, i, &patience, e);
	if (ok)
		PQclear(pg_next(l, &patience)); /* the end of the pipeline */
	return ok && (PQexitPipelineMode(l->conn) || pg_fail(p, l, NULL, "preparing", e));
}

/* "$1 + 1" makes it think of numbers that are too small. */
static bool widen(struct pg_types *types)
{
	bool some = false;

	for (int i = 0; i < types->count; i++)
		if (types->oid[i] == OID_INT4 || types->oid[i] == OID_INT2) {
			types->oid[i] = OID_INT8;
			some = true;
		}
	return some;
}

static bool forget(struct pg *p, struct pg_link *l, size_t statement, struct err *e)
{
	const struct pg_patience patience = pg_for_ms(PG_WAIT_MS);
	char sql[NAME_MAX_LEN + 16];

	snprintf(sql, sizeof(sql), "DEALLOCATE s%zu", statement);
	return pg_do(p, l, sql, &patience, e);
}

/* Once more with wider numbers, where that is understood: substr() and the like want just those. */
static bool widen_one(struct pg *p, struct pg_link *l, size_t statement, struct err *e)
{
	const struct pg_patience patience = pg_for_ms(PG_WAIT_MS);
	struct pg_types *types = &p->types[statement], wide = *types;
	struct err ignored = ERR_INIT;

	if (!widen(&wide))
		return true;
	if (!forget(p, l, statement, e))
		return false;
	if (!prepare_as(p, l, statement, &wide, &patience, &ignored))
		return prepare_as(p, l, statement, types, &patience, e);
	*types = wide;
	return true;
}

bool pg_learn(struct pg *p, struct pg_link *l, struct err *e)
{
	bool ok = prepare_and_describe(p, l, e);

	for (size_t i = 0; i < p->store->statement_count && ok; i++)
		l->prepared[i] = ok = widen_one(p, l, i, e);
	return ok;
}

/* ---- values ---- */

struct bound {
	const char *value[STORE_PARAMS_MAX];
	int length[STORE_PARAMS_MAX], format[STORE_PARAMS_MAX];
	union {
		uint64_t binary;
		char text[NUMBER_LEN];
	} number[STORE_PARAMS_MAX];
	char *copy[STORE_PARAMS_MAX];
};

static void bound_clear(struct bound *b)
{
	for (size_t i = 0; i < STORE_PARAMS_MAX; i++)
		free(b->copy[i]);
}

static void bind_int(struct bound *b, size_t i, Oid type, int64_t n)
{
	b->value[i] = (const char *)&b->number[i];
	b->format[i] = type == OID_INT8;
	b->length[i] = sizeof(uint64_t);
	if (type == OID_INT8)
		b->number[i].binary = htobe64((uint64_t)n);
	else
		snprintf(b->number[i].text, NUMBER_LEN, "%lld", (long long)n);
}

static bool is_ascii(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] >= 0x80)
			return false;
	return true;
}

/* A peer's words may have been cut within a character: that is no reason to refuse a device.
 * SQLite takes them as they are. */
static bool make_utf8(struct bound *b, size_t i, const struct store_value *v, struct err *e)
{
	b->copy[i] = str_dup_n(v->octets.data, v->octets.len, e);
	b->value[i] = b->copy[i];
	if (b->copy[i])
		text_make_utf8(b->copy[i], '?');
	return b->copy[i] != NULL;
}

/* Where its octets are the value as it is; other types read it as text. */
static bool bind_octets(
	struct bound *b, size_t i, Oid type, const struct store_value *v, struct err *e)
{
	b->format[i] = v->type == STORE_BLOB || type == OID_TEXT || type == OID_BYTEA ||
		       type == OID_VARCHAR;
	b->length[i] = (int)v->octets.len;
	b->value[i] = v->octets.len ? (const char *)v->octets.data : "";
	if (v->type == STORE_TEXT && type != OID_BYTEA && !is_ascii(v->octets))
		return make_utf8(b, i, v, e);
	if (b->format[i] || v->octets.len == 0)
		return true;
	b->copy[i] = str_dup_n(v->octets.data, v->octets.len, e);
	b->value[i] = b->copy[i];
	return b->copy[i] != NULL;
}

static bool bind_one(
	struct bound *b, size_t i, Oid type, const struct store_value *v, struct err *e)
{
	switch (v->type) {
	case STORE_NULL:
		b->value[i] = NULL;
		return true;
	case STORE_INT:
		bind_int(b, i, type, v->integer);
		return true;
	case STORE_TEXT:
	case STORE_BLOB:
		return bind_octets(b, i, type, v, e);
	}
	return err_set(e, ERR_BUG, "store: a value of an unknown type");
}

bool pg_send(struct pg *p, struct pg_link *l, size_t statement, const struct store_value *params,
	size_t count, struct err *e)
{
	struct bound b = {.value = {NULL}};
	char name[NAME_MAX_LEN];
	bool ok = true;

	if ((int)count != p->types[statement].count)
		return err_set(
			e, ERR_BUG, "store: %zu values for: %s", count, pg_sql(p, statement));
	for (size_t i = 0; i < count && ok; i++)
		ok = bind_one(&b, i, p->types[statement].oid[i], &params[i], e);
	name_of(statement, name);
	if (ok && !PQsendQueryPrepared(l->conn, name, (int)count, b.value, b.length, b.format, 1)) {
		l->lost = true;
		ok = err_set(e, ERR_RETRY_LATER, "store: %s: cannot be sent to", p->shown);
	}
	bound_clear(&b);
	return ok;
}

/* ---- names ---- */

char *pg_lock_sql(const struct pg *p, const char *function, const char *which, struct err *e)
{
	return str_printf(e, "SELECT %s(hashtext(current_schema() || '/brski/%s'), %s)", function,
		p->store->schema->name, which);
}

char *pg_channel(const struct pg *p, struct err *e)
{
	return str_printf(e, "store_%s", p->store->schema->name);
}
