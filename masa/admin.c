/* SPDX-License-Identifier: Apache-2.0 */
/* Admin routes: see admin.h. Lists are {"items": […], "next": "ID" or null}, continued with
 * ?after=ID. */
#include "masa/admin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/base64.h"
#include "common/wire/datetime.h"
#include "common/wire/json.h"
#include "common/wire/percent.h"
#include "masa/audit.h"
#include "masa/care.h"
#include "masa/destination_admin.h"
#include "masa/guard.h"

#define JSON_TYPE   "application/json"
#define REFUSED	    "admin-refused"
#define ISSUER_MAX  256 /* octets of an idevid-issuer: real ones have 26 */
#define DEVICES_DIR "/api/v1/devices/"
#define AUDIT_DIR   "/api/v1/audit/"

_Static_assert(MASA_IMPORT_ROWS *DEVICE_IMPORT_OPS <= STORE_IMPORT_MAX,
	"an import request does not fit into one transaction");

/* ---- answers ---- */

static void refuse(struct call *c, struct masa *m, const struct err *e)
{
	struct err told = *e;

	/* the administrator may read what is wrong with the input */
	if (!told.sentence[0] && (told.kind == ERR_INPUT || told.kind == ERR_NOT_FOUND))
		err_tell(&told, "%.190s", told.text);
	call_reply_err(c, m->log, REFUSED, &told);
}

static void answer(struct call *c, struct masa *m, const json_t *value)
{
	BUF_AUTO struct buf text = BUF_INIT(MASA_ADMIN_REPLY_MAX);
	struct err e = ERR_INIT;

	if (json_format(value, &text, &e))
		call_reply(c, 200, JSON_TYPE, buf_bytes(&text));
	else
		refuse(c, m, &e);
}

/* Takes the member; NULL stands for a failed allocation. */
static bool put(json_t *object, const char *name, json_t *member, struct err *e)
{
	if (member && json_object_set_new(object, name, member) == 0)
		return true;
	return err_set(e, ERR_NO_MEMORY, "no memory for an answer");
}

static json_t *text_or_null(const char *s)
{
	return s ? json_string(s) : json_null();
}

static json_t *date_or_null(int64_t unix_s)
{
	char text[DATETIME_LEN + 1];
	struct err ignored = ERR_INIT;

	if (unix_s == 0 || !datetime_format(unix_s, text, &ignored))
		return json_null();
	return json_string(text);
}

static json_t *base64_or_null(struct bytes octets)
{
	BUF_AUTO struct buf text = BUF_INIT(2 * ISSUER_MAX);
	struct err ignored = ERR_INIT;

	if (!octets.len || !base64_encode(octets, &text, &ignored))
		return json_null();
	return json_string(buf_str(&text));
}

/* ---- lists ---- */

struct list {
	json_t *items;
	int64_t last; /* id of the last row */
};

static bool list_add(struct list *l, json_t *item, int64_t id, struct err *e)
{
	l->last = id;
	if (json_array_append_new(l->items, item) == 0)
		return true;
	return err_set(e, ERR_NO_MEMORY, "no memory for an answer");
}

/* A full page may have a successor. */
static void answer_list(struct call *c, struct masa *m, const struct list *l)
{
	JSON_AUTO json_t *reply = json_object();
	struct err e = ERR_INIT;
	char next[24];
	bool more = json_array_size(l->items) == MASA_PAGE_ROWS;

	snprintf(next, sizeof(next), "%" PRId64, l->last);
	if (put(reply, "items", json_incref(l->items), &e) &&
		put(reply, "next", more ? json_string(next) : json_null(), &e))
		answer(c, m, reply);
	else
		refuse(c, m, &e);
}

static bool read_after(struct call *c, int64_t *after, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(20);
	bool found;
	char *end;

	*after = 0;
	if (!percent_query(call_query(c), "after", &text, &found, e) || !found)
		return e->kind == ERR_NONE;
	*after = strtoll(buf_str(&text), &end, 10);
	return (text.len > 0 && !*end) || err_set(e, ERR_INPUT, "after is not a number");
}

/* What follows dir in the path, decoded. */
static bool read_serial(struct call *c, const char *dir, struct buf *out, struct err *e)
{
	return percent_decode(bytes_of_str(call_path(c) + strlen(dir)), out, e);
}

/* ---- devices ---- */

static json_t *device_json(const struct device_row *row, struct err *e)
{
	json_t *o = json_object();

	if (put(o, "serial", json_string(row->serial), e) &&
		put(o, "owner", text_or_null(row->owner), e) &&
		put(o, "idevid_issuer", base64_or_null(row->idevid_issuer), e) &&
		put(o, "imported", date_or_null(row->created), e))
		return o;
	json_decref(o);
	return NULL;
}

static bool list_device(void *arg, const struct device_row *row, struct err *e)
{
	json_t *item = device_json(row, e);

	return item && list_add(arg, item, row->id, e);
}

static void on_devices_list(struct call *c, void *app)
{
	struct masa *m = app;
	JSON_AUTO json_t *items = json_array();
	struct list l = {.items = items};
	struct err e = ERR_INIT;
	int64_t after;

	if (read_after(c, &after, &e) && records_devices_list(m->store, after, list_device, &l, &e))
		answer_list(c, m, &l);
	else
		refuse(c, m, &e);
}

static bool show_devices(struct masa *m, const char *serial, json_t *items, struct err *e)
{
	DEVICE_LIST_AUTO struct device_list found;

	if (!records_devices_find(m->store, serial, &found, e))
		return false;
	if (found.count == 0)
		return err_set(e, ERR_NOT_FOUND, "no device %s", serial);
	for (size_t i = 0; i < found.count; i++) {
		struct device_row row = {.serial = found.items[i].serial,
			.owner = found.items[i].owner,
			.idevid_issuer = buf_bytes(&found.items[i].idevid_issuer),
			.created = found.items[i].created};
		json_t *item = device_json(&row, e);

		if (!item)
			return false;
		if (json_array_append_new(items, item) != 0)
			return err_set(e, ERR_NO_MEMORY, "no memory for an answer");
	}
	return true;
}

/* One device, or {"items": […]} when several share the serial number. */
static void on_device_show(struct call *c, void *app)
{
	struct masa *m = app;
	BUF_AUTO struct buf serial = BUF_INIT(VOUCHER_SERIAL_MAX);
	JSON_AUTO json_t *items = json_array();
	struct list l = {.items = items};
	struct err e = ERR_INIT;

	if (!read_serial(c, DEVICES_DIR, &serial, &e) ||
		!show_devices(m, buf_str(&serial), items, &e))
		refuse(c, m, &e);
	else if (json_array_size(items) == 1)
		answer(c, m, json_array_get(items, 0));
	else
		answer_list(c, m, &l);
}

/* ---- import ---- */

struct import {
	struct masa *m;
	struct call *call;
	json_t *body; /* the rows' texts live here */
	size_t row_count;
	size_t bad_count;
	struct buf issuers; /* the rows' octets */
	struct device_row rows[MASA_IMPORT_ROWS];
	struct store_op ops[MASA_IMPORT_ROWS * DEVICE_IMPORT_OPS];
	json_t *results; /* one object per row */
};

static void import_free(struct import *in)
{
	json_decref(in->body);
	json_decref(in->results);
	buf_clear(&in->issuers);
	free(in);
}

static bool read_issuer(struct import *in, struct device_row *row, const char *text, struct err *e)
{
	size_t start = in->issuers.len;

	if (!base64_decode(bytes_of_str(text), &in->issuers, e))
		return err_prefix(e, "idevid_issuer");
	row->idevid_issuer = bytes_of(in->issuers.data + start, in->issuers.len - start);
	row->issuer_key = idevid_issuer_key_id(row->idevid_issuer);
	return row->issuer_key.len > 0 ||
	       err_set(e, ERR_INPUT, "idevid_issuer is no authority key identifier");
}

static bool read_row(struct import *in, const json_t *item, struct device_row *row, struct err *e)
{
	const char *issuer;

	if (!json_is_object(item))
		return err_set(e, ERR_INPUT, "not an object");
	if (!json_get_string(item, "serial", &row->serial, e) ||
		!json_get_string(item, "idevid_issuer", &issuer, e) ||
		!json_get_string(item, "owner", &row->owner, e))
		return false;
	if (!row->serial || !*row->serial || strlen(row->serial) > VOUCHER_SERIAL_MAX)
		return err_set(e, ERR_INPUT, "a serial has 1 to %d octets", VOUCHER_SERIAL_MAX);
	if (row->owner && !*row->owner)
		row->owner = NULL;
	if (row->owner && !owners_exist(in->m->owners, row->owner))
		return err_set(e, ERR_INPUT, "no owner %s", row->owner);
	return !issuer || !*issuer || read_issuer(in, row, issuer, e);
}

static bool add_result(struct import *in, const char *result, const char *reason, struct err *e)
{
	json_t *o = json_object();

	if (put(o, "result", json_string(result), e) &&
		(!reason || put(o, "reason", json_string(reason), e)) &&
		json_array_append_new(in->results, json_incref(o)) == 0) {
		json_decref(o);
		return true;
	}
	json_decref(o);
	return err_set(e, ERR_NO_MEMORY, "no memory for an answer");
}

/* All rows are looked at before any is written. */
static bool check_rows(struct import *in, const json_t *items, struct err *e)
{
	for (size_t i = 0; i < json_array_size(items); i++) {
		struct err why = ERR_INIT;
		bool good = read_row(in, json_array_get(items, i), &in->rows[i], &why);

		if (!good && why.kind == ERR_NO_MEMORY) {
			*e = why;
			return false;
		}
		in->bad_count += !good;
		if (!add_result(in, good ? "ok" : "bad", good ? NULL : why.text, e))
			return false;
	}
	in->row_count = json_array_size(items);
	return true;
}

static bool read_import(struct import *in, struct err *e)
{
	const json_t *items;

	in->body = json_parse_object(call_body(in->call), e);
	if (!in->body)
		return false;
	items = json_object_get(in->body, "items");
	if (!json_is_array(items) || json_array_size(items) == 0)
		return err_set(e, ERR_INPUT, "items is not a list of rows");
	if (json_array_size(items) > MASA_IMPORT_ROWS)
		return err_set(e, ERR_INPUT, "more than %d rows", MASA_IMPORT_ROWS);
	buf_init(&in->issuers, json_array_size(items) * ISSUER_MAX);
	if (!buf_append(&in->issuers, "", 0, e))
		return false;
	return check_rows(in, items, e);
}

/* issuers may have moved while it grew: the rows' views are made again from their lengths. */
static void rebase_issuers(struct import *in)
{
	const uint8_t *p = in->issuers.data;

	for (size_t i = 0; i < in->row_count; i++) {
		struct device_row *row = &in->rows[i];

		if (!row->idevid_issuer.len)
			continue;
		row->idevid_issuer.data = p;
		row->issuer_key = idevid_issuer_key_id(row->idevid_issuer);
		p += row->idevid_issuer.len;
	}
}

static void import_answer(struct import *in, const char *state, int64_t changed)
{
	JSON_AUTO json_t *reply = json_object();
	struct err e = ERR_INIT;

	if (put(reply, "state", json_string(state), &e) &&
		put(reply, "changed", json_integer(changed), &e) &&
		put(reply, "results", json_incref(in->results), &e))
		answer(in->call, in->m, reply);
	else
		refuse(in->call, in->m, &e);
	import_free(in);
}

static void on_imported(void *arg, const int64_t *changed, const struct err *e)
{
	struct import *in = arg;
	int64_t rows_changed = 0;

	if (e) {
		refuse(in->call, in->m, e);
		import_free(in);
		return;
	}
	for (size_t i = 0; i < in->row_count; i++) {
		const int64_t *of_row = changed + i * DEVICE_IMPORT_OPS;

		rows_changed += of_row[0] + of_row[1] + of_row[2] > 0;
	}
	log_event(in->m->log, LOG_LEVEL_INFO, "devices-imported", call_exchange(in->call), "peer",
		call_peer(in->call)->address, "by", masa_asked_by(in->call), NULL);
	import_answer(in, "imported", rows_changed);
}

static bool write_import(struct import *in, struct err *e)
{
	int64_t now = clock_unix_s(&in->m->clock);

	rebase_issuers(in);
	for (size_t i = 0; i < in->row_count; i++)
		records_device_import(&in->rows[i], now, in->ops + i * DEVICE_IMPORT_OPS);
	return store_write(in->m->store, in->ops, in->row_count * DEVICE_IMPORT_OPS,
		call_loop(in->call), on_imported, in, e);
}

/* {"items": [{"serial", "idevid_issuer"?, "owner"?}, …]}; one bad row and none is written.
 * ?check=1: look at the rows and write nothing. */
static void on_devices_import(struct call *c, void *app)
{
	struct err e = ERR_INIT;
	struct import *in = mem_new(sizeof(*in), &e);
	bool check_only = strcmp(call_query(c), "check=1") == 0;

	if (!in) {
		refuse(c, app, &e);
		return;
	}
	in->m = app;
	in->call = c;
	in->results = json_array();
	if (!read_import(in, &e)) {
		refuse(c, app, &e);
		import_free(in);
	} else if (in->bad_count || check_only) {
		import_answer(in, in->bad_count ? "bad" : "checked", 0);
	} else if (!write_import(in, &e)) {
		refuse(c, app, &e);
		import_free(in);
	}
}

/* ---- owners ---- */

static bool list_owner(void *arg, const char *name, const char *pem, int64_t created, struct err *e)
{
	struct list *l = arg;
	CERT_LIST_AUTO struct cert_list anchors = CERT_LIST_INIT;
	json_t *o = json_object();

	if (cert_list_parse_pem(bytes_of_str(pem), &anchors, e) &&
		put(o, "name", json_string(name), e) &&
		put(o, "anchor", json_string(cert_subject(anchors.items[0])), e) &&
		put(o, "anchors", json_integer((json_int_t)anchors.count), e) &&
		put(o, "created", date_or_null(created), e))
		return list_add(l, o, 0, e);
	json_decref(o);
	return false;
}

static void on_owners_list(struct call *c, void *app)
{
	struct masa *m = app;
	JSON_AUTO json_t *reply = json_object();
	struct list l = {.items = json_array()};
	struct err e = ERR_INIT;

	if (put(reply, "items", l.items, &e) && put(reply, "next", json_null(), &e) &&
		records_owners_list(m->store, list_owner, &l, &e))
		answer(c, m, reply);
	else
		refuse(c, m, &e);
}

struct owner_change {
	struct masa *m;
	struct call *call;
	json_t *body;
};

static void owner_change_free(struct owner_change *oc)
{
	json_decref(oc->body);
	free(oc);
}

static void on_owner_written(void *arg, const int64_t *changed, const struct err *e)
{
	struct owner_change *oc = arg;
	struct err failed = ERR_INIT;
	const char *name = json_string_value(json_object_get(oc->body, "name"));

	if (!e && !owners_load(oc->m->owners, oc->m->store, &failed))
		e = &failed;
	if (e) {
		refuse(oc->call, oc->m, e);
	} else {
		log_event(oc->m->log, LOG_LEVEL_INFO, "owner-changed", call_exchange(oc->call),
			"owner", name, "peer", call_peer(oc->call)->address, "by",
			masa_asked_by(oc->call), NULL);
		call_reply(oc->call, 200, JSON_TYPE, bytes_of_str("{}"));
	}
	owner_change_free(oc);
}

static bool check_owner(const char *name, const char *pem, struct err *e)
{
	CERT_LIST_AUTO struct cert_list anchors = CERT_LIST_INIT;

	if (!name || !*name || strlen(name) > MASA_OWNER_NAME_MAX)
		return err_set(e, ERR_INPUT, "a name has 1 to %d octets", MASA_OWNER_NAME_MAX);
	if (!pem || strlen(pem) > MASA_OWNER_PEM_MAX)
		return err_set(e, ERR_INPUT, "anchors have at most %d octets", MASA_OWNER_PEM_MAX);
	return cert_list_parse_pem(bytes_of_str(pem), &anchors, e) || err_prefix(e, "anchors");
}

static bool write_owner(struct owner_change *oc, struct err *e)
{
	const char *name, *pem;
	struct store_op op;

	oc->body = json_parse_object(call_body(oc->call), e);
	if (!oc->body || !json_get_string(oc->body, "name", &name, e) ||
		!json_get_string(oc->body, "anchors", &pem, e) || !check_owner(name, pem, e))
		return false;
	if (!owners_exist(oc->m->owners, name) && owners_count(oc->m->owners) >= MASA_OWNERS_MAX)
		return err_set(e, ERR_INPUT, "there are %d owners already", MASA_OWNERS_MAX);
	op = records_owner_put(name, pem, clock_unix_s(&oc->m->clock));
	return store_write(oc->m->store, &op, 1, call_loop(oc->call), on_owner_written, oc, e);
}

/* {"name", "anchors": PEM}: a new owner, or other anchors for one that is there. */
static void on_owner_put(struct call *c, void *app)
{
	struct err e = ERR_INIT;
	struct owner_change *oc = mem_new(sizeof(*oc), &e);

	if (!oc) {
		refuse(c, app, &e);
		return;
	}
	oc->m = app;
	oc->call = c;
	if (!write_owner(oc, &e)) {
		refuse(c, app, &e);
		owner_change_free(oc);
	}
}

/* ---- audit ---- */

static bool list_event(void *arg, const struct event_row *row, struct err *e)
{
	json_t *o = json_object();

	if (put(o, "date", date_or_null(row->date), e) &&
		put(o, "serial", json_string(row->serial), e) &&
		put(o, "assertion", json_string(row->assertion), e) &&
		put(o, "nonce", text_or_null(row->nonce), e) &&
		put(o, "domainID", json_string(row->domain_id), e) &&
		put(o, "registrar", json_string(row->registrar), e) &&
		put(o, "expires_on", date_or_null(row->expires_on), e))
		return list_add(arg, o, row->id, e);
	json_decref(o);
	return false;
}

static bool device_exists(struct masa *m, const char *serial, struct err *e)
{
	DEVICE_LIST_AUTO struct device_list found;

	return records_devices_find(m->store, serial, &found, e) &&
	       (found.count > 0 || err_set(e, ERR_NOT_FOUND, "no device %s", serial));
}

static void on_audit_show(struct call *c, void *app)
{
	struct masa *m = app;
	BUF_AUTO struct buf serial = BUF_INIT(VOUCHER_SERIAL_MAX);
	JSON_AUTO json_t *items = json_array();
	struct list l = {.items = items};
	struct err e = ERR_INIT;
	int64_t after;

	if (read_after(c, &after, &e) && read_serial(c, AUDIT_DIR, &serial, &e) &&
		device_exists(m, buf_str(&serial), &e) &&
		records_events_list(m->store, buf_str(&serial), after, list_event, &l, &e))
		answer_list(c, m, &l);
	else
		refuse(c, m, &e);
}

const struct http_route masa_admin_routes[] = {
	{"GET", "/api/v1/devices", on_devices_list, 0, NULL},
	{"POST", "/api/v1/devices", on_devices_import, MASA_ADMIN_BODY_MAX, JSON_TYPE},
	{"GET", DEVICES_DIR "*", on_device_show, 0, NULL},
	{"GET", "/api/v1/owners", on_owners_list, 0, NULL},
	{"POST", "/api/v1/owners", on_owner_put, MASA_ADMIN_BODY_MAX, JSON_TYPE},
	{"GET", DESTINATIONS_DIR "*", destination_list, 0, NULL},
	{"POST", DESTINATIONS_DIR "*", destination_set, MASA_ADMIN_BODY_MAX, JSON_TYPE},
	{"DELETE", DESTINATIONS_DIR "*", destination_drop, 0, NULL},
	{"GET", "/api/v1/audit-log", audit_lines, 0, NULL},
	{"GET", "/api/v1/audit-log/heads", audit_heads, 0, NULL},
	{"POST", "/api/v1/audit-log/seal", audit_seal, MASA_ADMIN_BODY_MAX, NULL},
	{"GET", "/api/v1/audit-log/anchors", audit_anchors, 0, NULL},
	{"GET", AUDIT_DIR "*", on_audit_show, 0, NULL},
	{"GET", "/api/v1/status", care_status, 0, NULL},
	{"GET", "/api/v1/doctor", care_doctor, 0, NULL},
	{"GET", "/api/v1/backups", care_backup_show, 0, NULL},
	{"POST", "/api/v1/backups", care_backup_begin, MASA_ADMIN_BODY_MAX, JSON_TYPE},
};
const size_t masa_admin_route_count = sizeof(masa_admin_routes) / sizeof(*masa_admin_routes);
