/* SPDX-License-Identifier: Apache-2.0 */
/* One device with its certificates and what happened to it, its whole timeline in pages, and
 * devices by a part of their serial-number. Who may not see a device is not told that there is one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/percent.h"
#include "registrar/admin/claims.h"
#include "registrar/admin/device.h"
#include "registrar/admin/object.h"
#include "registrar/admin/scope.h"
#include "registrar/records/claims.h"
#include "registrar/records/devices.h"

#define ADMIN_HISTORY_MAX 200 /* lines of a device's journal that are shown with it */
#define ADMIN_CERTS_MAX	  50
#define HISTORY_SUFFIX	  "/history"
#define FIND_TEXT_MAX	  256

/* ---- Values ---- */

static json_t *line_object(const struct journal_line *line)
{
	const struct journal_entry *j = &line->entry;

	return json_pack("{sI so so so so so so so}", "sequence", (json_int_t)line->sequence,
		"time", admin_moment(j->at), "exchange", admin_text(j->exchange), "manufacturer",
		admin_text(j->device.manufacturer), "by", admin_text(j->actor), "step",
		admin_text(j->step), "outcome", admin_text(j->outcome), "reason",
		admin_text(j->reason));
}

static bool add_certificate(void *arg, const char *serial_hex, const char *subject,
	int64_t issued_at, int64_t not_after, int64_t revoked_at, struct err *e)
{
	return admin_append(arg,
		json_pack("{ss so so so so}", "serial", serial_hex, "subject", admin_text(subject),
			"issued", admin_moment(issued_at), "not_after", admin_moment(not_after),
			"revoked", admin_moment(revoked_at)),
		e);
}

/* ---- One device ---- */

struct view {
	struct registrar *r;
	const struct call *call;
	struct admin_page page; /* its items: devices of the name */
	json_t *journal;
	int64_t revision;
	bool unbounded; /* who asks sees everything */
};

static bool knows(const struct view *v, const char *member, const json_t *value)
{
	const json_t *device;
	size_t i;

	json_array_foreach(v->page.items, i,
		device) if (json_equal(json_object_get(device, member), value)) return true;
	return false;
}

static bool add_device(void *arg, const struct claim_row *row, struct err *e)
{
	struct view *v = arg;
	JSON_AUTO json_t *id = json_integer(row->id);

	if (!admin_sees(v->call, row->manufacturer, row->site) || knows(v, "id", id))
		return true;
	v->revision = row->revision;
	return admin_add_claim(&v->page, row, e);
}

/* Lines of before a device was stored are those of no manufacturer's device in particular. */
static bool add_line(void *arg, const struct journal_line *line, struct err *e)
{
	struct view *v = arg;
	JSON_AUTO json_t *manufacturer = admin_text(line->entry.device.manufacturer);

	if (!v->unbounded && !knows(v, "manufacturer", manufacturer))
		return true;
	return admin_append(v->journal, line_object(line), e);
}

static bool add_certificates(struct view *v, struct err *e)
{
	json_t *device;
	size_t i;

	json_array_foreach(v->page.items, i, device)
	{
		const struct device_key key = {
			json_string_value(json_object_get(device, "manufacturer")),
			json_string_value(json_object_get(device, "serial"))};
		json_t *certificates = json_array();

		if (!certificates || json_object_set_new(device, "certificates", certificates) != 0)
			return err_set(e, ERR_NO_MEMORY, "no memory for a device");
		if (!records_list_certificates(
			    v->r->store, key, ADMIN_CERTS_MAX, add_certificate, certificates, e))
			return false;
	}
	return true;
}

/* The serial-number of a device that was named by its number. */
static const char *serial_of(const struct view *v, const char *name)
{
	const json_t *first = json_array_get(v->page.items, 0);

	return first ? json_string_value(json_object_get(first, "serial")) : name;
}

static bool look(struct view *v, const char *name, struct err *e)
{
	int64_t number;

	if (!records_find_by_serial(v->r->store, name, add_device, v, e) ||
		(admin_parse_number(name, &number) &&
			!records_find_by_id(v->r->store, number, add_device, v, e)) ||
		!records_read_journal(
			v->r->store, serial_of(v, name), ADMIN_HISTORY_MAX, add_line, v, e) ||
		!add_certificates(v, e))
		return false;
	if (json_array_size(v->page.items) == 0 && json_array_size(v->journal) == 0) {
		err_set(e, ERR_UNKNOWN_DEVICE, "no device \"%s\"", name);
		return err_tell(e, "No device with this serial-number was seen here.");
	}
	return true;
}

/* One device as one object; several of the same name under "devices". */
static json_t *view_object(const struct view *v, const char *name)
{
	json_t *answer;

	if (json_array_size(v->page.items) == 1)
		answer = json_incref(json_array_get(v->page.items, 0));
	else if (json_array_size(v->page.items) == 0)
		answer = json_pack("{ss}", "serial", name);
	else
		answer = json_pack("{ss sO}", "serial", name, "devices", v->page.items);
	if (answer && json_object_set(answer, "journal", v->journal) != 0) {
		json_decref(answer);
		return NULL;
	}
	return answer;
}

static void show(struct call *c, struct registrar *r, const char *name)
{
	JSON_AUTO json_t *items = json_array(), *journal = json_array(), *answer = NULL;
	struct view v = {
		.r = r,
		.call = c,
		.page = {.items = items, .rule = standing_rule_of(r)},
		.journal = journal,
		.unbounded = admin_sees_all(c),
	};
	struct err e = ERR_INIT;

	if (!items || !journal) {
		admin_reply(c, r, NULL);
		return;
	}
	if (!look(&v, name, &e)) {
		call_reply_err(c, &r->log, "admin-failed", &e);
		return;
	}
	answer = view_object(&v, name);
	if (json_array_size(items) == 1)
		admin_reply_tagged(c, r, answer, v.revision);
	else
		admin_reply(c, r, answer);
}

/* ---- Its timeline ---- */

static bool add_event(void *arg, const struct journal_line *line, struct err *e)
{
	struct admin_page *p = arg;

	p->last_id = line->sequence;
	return admin_append(p->items, line_object(line), e);
}

static void history(struct call *c, struct registrar *r, const char *name)
{
	struct admin_page p = {.items = NULL};
	struct device_facts device = {.id = 0};
	struct err e = ERR_INIT;
	int64_t after;

	if (admin_page_init(&p, c, &after, &e) && device_find(r, c, name, NULL, &device, &e) &&
		records_history(r->store, (struct device_key){device.manufacturer, device.serial},
			after, p.limit, add_event, &p, &e))
		admin_page_reply(c, r, &p);
	else
		call_reply_err(c, &r->log, "admin-failed", &e);
	device_facts_clear(&device);
	json_decref(p.items);
}

void devices_show(struct call *c, void *app)
{
	struct registrar *r = app;
	BUF_AUTO struct buf name = BUF_INIT(DEVICE_NAME_MAX);
	const char *path = call_path(c) + strlen(DEVICES_PATH);
	const char *slash = strrchr(path, '/');
	size_t len =
		slash && strcmp(slash, HISTORY_SUFFIX) == 0 ? (size_t)(slash - path) : strlen(path);
	struct err e = ERR_INIT;

	if (!percent_decode(bytes_of(path, len), &name, &e))
		call_reply_err(c, &r->log, "admin-failed", &e);
	else if (path[len])
		history(c, r, buf_str(&name));
	else
		show(c, r, buf_str(&name));
}

/* ---- By a part of the serial-number ---- */

struct finding {
	const struct call *call;
	struct admin_page page;
};

static bool add_found(void *arg, const struct claim_row *row, struct err *e)
{
	struct finding *f = arg;

	if (admin_sees(f->call, row->manufacturer, row->site))
		return admin_add_claim(&f->page, row, e);
	f->page.last_id = row->id;
	return true;
}

static bool read_flag(const struct call *c, const char *name, bool *out, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(8);
	bool given;

	if (!percent_query(call_query(c), name, &text, &given, e))
		return err_prefix(e, "%s", name);
	*out = given && strcmp(buf_str(&text), "true") == 0;
	return !given || *out || err_set(e, ERR_INPUT, "%s is true or not there", name);
}

static bool find(struct finding *f, struct registrar *r, int64_t *next, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(FIND_TEXT_MAX);
	int64_t after;
	bool given, anywhere = false;

	if (!admin_page_init(&f->page, f->call, &after, e) ||
		!percent_query(call_query(f->call), "text", &text, &given, e) ||
		!read_flag(f->call, "anywhere", &anywhere, e))
		return false;
	if (text.len == 0) {
		err_set(e, ERR_INPUT, "nothing to find");
		return err_tell(e, "Say which text to find in serial-numbers.");
	}
	return records_find_devices(
		r->store, buf_str(&text), anywhere, after, f->page.limit, add_found, f, next, e);
}

void devices_find(struct call *c, void *app)
{
	struct registrar *r = app;
	struct finding f = {.call = c, .page = {.rule = standing_rule_of(r)}};
	JSON_AUTO json_t *answer = NULL;
	struct err e = ERR_INIT;
	int64_t next;

	if (find(&f, r, &next, &e)) {
		answer = json_pack("{sO so}", "items", f.page.items, "next",
			next ? json_sprintf("%lld", (long long)next) : json_null());
		admin_reply(c, r, answer);
	} else {
		call_reply_err(c, &r->log, "admin-failed", &e);
	}
	json_decref(f.page.items);
}

void devices_list(struct call *c, void *app)
{
	admin_search(c, app, MATCH_DEVICES);
}
