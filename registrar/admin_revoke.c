/* SPDX-License-Identifier: Apache-2.0 */
/* Revoking a device. The answer comes when the revocation is durable; the list that tells others
 * is made at once after it. */
#include "registrar/admin_revoke.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/percent.h"
#include "registrar/admin_answer.h"
#include "registrar/admin_guard.h"
#include "registrar/records.h"
#include "registrar/revoked.h"

#define SERIAL_TEXT_MAX 1024

struct revocation {
	struct registrar *r;
	struct call *call;
	struct buf serial;
	char *manufacturer; /* of the device; before it is found, the one asked for or NULL */
	bool was_pending;
	char by[CALL_PEER_MAX];
	char *reason; /* or NULL */
};

static void revocation_free(struct revocation *v)
{
	buf_clear(&v->serial);
	free(v->manufacturer);
	free(v->reason);
	free(v);
}

/* ---- The request ---- */

static bool read_serial(struct revocation *v, struct err *e)
{
	const char *rest = call_path(v->call) + strlen(DEVICES_PATH);
	const char *slash = strrchr(rest, '/');

	if (!slash || strcmp(slash, "/revoke") != 0)
		return err_set(e, ERR_NOT_FOUND, "no such action");
	return percent_decode(bytes_of(rest, (size_t)(slash - rest)), &v->serial, e);
}

static bool read_body(struct revocation *v, struct err *e)
{
	JSON_AUTO json_t *body = NULL;
	const char *reason = NULL, *manufacturer = NULL;
	struct bytes cut;

	if (call_body(v->call).len == 0)
		return true;
	body = json_parse_object(call_body(v->call), e);
	if (!body || !json_get_string(body, "reason", &reason, e) ||
		!json_get_string(body, "manufacturer", &manufacturer, e))
		return false;
	cut = bytes_cut_text(bytes_of_str(reason ? reason : ""), REASON_LEN_MAX);
	if (cut.len > 0 && !(v->reason = str_dup_n(cut.data, cut.len, e)))
		return false;
	return !manufacturer || (v->manufacturer = str_dup(manufacturer, e)) != NULL;
}

/* ---- The device ---- */

struct found {
	const char *wanted; /* manufacturer, or NULL: any */
	size_t count;
	char *manufacturer;
	enum claim_state claim;
	enum device_state state;
};

static bool note_found(void *arg, const struct claim_row *row, struct err *e)
{
	struct found *f = arg;

	if (f->wanted && strcmp(f->wanted, row->manufacturer) != 0)
		return true;
	f->claim = row->claim;
	f->state = row->state;
	if (f->count++ == 0)
		f->manufacturer = str_dup(row->manufacturer, e);
	return f->manufacturer != NULL;
}

static bool judge_found(const struct found *f, const char *serial, struct err *e)
{
	if (f->count == 0) {
		err_set(e, ERR_NOT_FOUND, "no device \"%s\"", serial);
		return err_tell(e, "No such device was seen here.");
	}
	if (f->count > 1) {
		err_set(e, ERR_CONFLICT, "\"%s\" names %zu devices", serial, f->count);
		return err_tell(e, "Several manufacturers use this serial-number: name one.");
	}
	if (f->state == DEVICE_NEW) {
		err_set(e, ERR_CONFLICT, "\"%s\" has nothing to revoke", serial);
		return err_tell(e, "This device has not joined: reject its claim instead.");
	}
	return true;
}

static bool find_device(struct revocation *v, struct err *e)
{
	struct found f = {.wanted = v->manufacturer};
	bool ok = records_find_by_serial(v->r->store, buf_str(&v->serial), note_found, &f, e) &&
		  judge_found(&f, buf_str(&v->serial), e);

	free(v->manufacturer);
	v->manufacturer = f.manufacturer;
	v->was_pending = f.claim == CLAIM_PENDING;
	return ok;
}

/* ---- The revocation ---- */

static void tell(struct revocation *v, int64_t certificates)
{
	JSON_AUTO json_t *answer = json_pack("{ss ss ss sI}", "manufacturer", v->manufacturer,
		"serial", buf_str(&v->serial), "state", device_state_name(DEVICE_REVOKED),
		"certificates", (json_int_t)certificates);
	char count[24];

	snprintf(count, sizeof(count), "%lld", (long long)certificates);
	log_event(&v->r->log, LOG_LEVEL_INFO, "device-revoked", call_exchange(v->call),
		"manufacturer", v->manufacturer, "serial", buf_str(&v->serial), "certificates",
		count, "by", v->by, "reason", v->reason, NULL);
	admin_reply(v->call, v->r, answer);
}

static void on_revoked(void *arg, const int64_t *changed, const struct err *e)
{
	struct revocation *v = arg;
	struct err twice = ERR_INIT;

	if (e && e->kind == ERR_CONFLICT) {
		twice = *e;
		err_tell(&twice, "This device is revoked already, and was not approved since.");
		e = &twice;
	}
	if (e) {
		call_reply_err(v->call, &v->r->log, "admin-failed", e);
	} else {
		if (v->was_pending)
			atomic_fetch_sub(&v->r->pending_claims, 1);
		revoked_publish(v->r);
		tell(v, changed[1]);
	}
	revocation_free(v);
}

static bool revoke(struct revocation *v, struct err *e)
{
	const struct records_writer w = {v->r->store, call_loop(v->call), on_revoked, v};
	const struct journal_entry j = {
		.at = registrar_now(v->r),
		.exchange = call_exchange(v->call),
		.device = {v->manufacturer, buf_str(&v->serial)},
		.actor = v->by,
		.step = "device",
		.outcome = device_state_name(DEVICE_REVOKED),
		.reason = v->reason,
	};

	return records_revoke(&w, STANDING_REVOKED, &j, e);
}

void devices_revoke(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	struct err e = ERR_INIT;
	struct revocation *v = mem_new(sizeof(*v), &e);

	if (v) {
		v->r = r;
		v->call = c;
		buf_init(&v->serial, SERIAL_TEXT_MAX);
		snprintf(v->by, sizeof(v->by), "%s", admin_by(c));
		if (read_serial(v, &e) && read_body(v, &e) && find_device(v, &e) && revoke(v, &e))
			return;
		revocation_free(v);
	}
	call_reply_err(c, &r->log, "admin-failed", &e);
}
