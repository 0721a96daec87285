/* SPDX-License-Identifier: Apache-2.0 */
/* Manufacturers, certificates, vouchers: lists of admin/reports.h. A page looks at a bounded number
 * of rows, so it may be short and still have a next one. */
#include "registrar/admin/reports.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/hex.h"
#include "common/wire/percent.h"
#include "registrar/admin/answer.h"
#include "registrar/admin/guard.h"
#include "registrar/admin/scope.h"
#include "registrar/masa_watch.h"
#include "registrar/records/reports.h"
#include "registrar/strangers.h"

#define DAY_S	  86400
#define PLACE_MAX 96 /* "1790000000-" and a digest */
#define DAYS_MAX  3650
#define COUNT_MAX 200000 /* index entries looked at for an answer, of all manufacturers: 15 ms */

static void failed(struct call *c, struct registrar *r, const struct err *e)
{
	call_reply_err(c, &r->log, "admin-failed", e);
}

/* ---- Manufacturers ---- */

static json_t *anchor_list(struct anchors *anchors)
{
	const struct cert_list *certs = anchors_certs(anchors);
	json_t *list = json_array();
	struct err e = ERR_INIT;
	bool ok = list != NULL;

	for (size_t i = 0; ok && i < certs->count; i++) {
		const struct cert *a = certs->items[i];
		char id[2 * SHA256_LEN + 1];

		hex_encode(bytes_of(cert_sha256(a), SHA256_LEN), id);
		ok = admin_append(list,
			json_pack("{ss so ss}", "subject", cert_subject(a), "not_after",
				admin_moment(cert_not_after(a)), "sha256", id),
			&e);
	}
	if (ok)
		return list;
	json_decref(list);
	return NULL;
}

/* true, false, or null where nothing was asked of it yet. */
static json_t *masa_up(struct registrar *r, const char *manufacturer)
{
	switch (masa_watch_state(r->masa_watch, manufacturer)) {
	case MASA_UP:
		return json_true();
	case MASA_GONE:
		return json_false();
	case MASA_NOT_ASKED:
		break;
	}
	return json_null();
}

static bool add_counts(
	struct registrar *r, const char *name, int64_t max, json_t *object, struct err *e)
{
	int64_t devices, pending;

	if (!records_count_devices_of(r->store, name, max, &devices, &pending, e))
		return false;
	if (json_object_set_new(object, "devices", json_integer(devices)) == 0 &&
		json_object_set_new(object, "devices_more", json_boolean(devices == max)) == 0 &&
		json_object_set_new(object, "pending", json_integer(pending)) == 0)
		return true;
	return err_set(e, ERR_NO_MEMORY, "no memory for counts");
}

static bool add_manufacturer(struct registrar *r, const struct call *c,
	const struct manufacturer *m, int64_t count_max, json_t *items, struct err *e)
{
	static const char *const admits[] = {
		[ADMIT_HOLD] = "hold", [ADMIT_LISTED] = "listed", [ADMIT_ALL] = "all"};
	const char *name = m->config->name;
	const struct principal *p = admin_who(c);
	json_t *object;

	if (!principal_may(p, MAY_VIEW, name, NULL, p ? p->asked_at : 0))
		return true;
	object = json_pack("{ss ss ss? so so so}", "name", name, "admit", admits[m->config->admit],
		"masa_url", m->config->masa_url, "masa_up", masa_up(r, name), "anchors",
		anchor_list(m->anchors), "masa_anchors", anchor_list(m->masa_anchors));
	return admin_append(items, object, e) &&
	       (!admin_sees(c, name, NULL) || add_counts(r, name, count_max, object, e));
}

/* Who asks with a certificate of their own making is here, too: for people to look at. */
static json_t *unknown_list(struct registrar *r)
{
	struct stranger rows[STRANGERS_MAX];
	size_t count = strangers_list(r->strangers, rows);
	json_t *list = json_array();
	struct err e = ERR_INIT;
	bool ok = list != NULL;

	for (size_t i = 0; ok && i < count; i++)
		ok = admin_append(list,
			json_pack("{ss ss ss so so sI}", "issuer", rows[i].issuer, "subject",
				rows[i].subject, "address", rows[i].address, "first_seen",
				admin_moment(rows[i].first_seen), "last_seen",
				admin_moment(rows[i].last_seen), "count",
				(json_int_t)rows[i].count),
			&e);
	if (ok)
		return list;
	json_decref(list);
	return NULL;
}

void manufacturers_list(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	struct registrar_setup *s = registrar_setup_take(r);
	JSON_AUTO json_t *items = json_array();
	struct err e = ERR_INIT;
	bool ok = items || err_set(&e, ERR_NO_MEMORY, "no memory for a list");

	for (size_t i = 0; ok && i < s->manufacturer_count; i++)
		ok = add_manufacturer(r, c, &s->manufacturers[i],
			COUNT_MAX / (int64_t)s->manufacturer_count, items, &e);
	registrar_setup_free(s);
	if (ok) {
		JSON_AUTO json_t *answer = json_pack("{sO sn so}", "items", items, "next",
			"unknown", admin_sees_all(c) ? unknown_list(r) : json_array());

		admin_reply(c, r, answer);
	} else {
		failed(c, r, &e);
	}
}

/* ---- Lists that stop after a number of rows looked at ---- */

struct scan {
	const struct call *call;
	json_t *items;
	int64_t limit, seen;
	bool current_only;
	char last[PLACE_MAX]; /* the row looked at last */
};

/* A page that is neither full nor at its end goes on in the next one. */
static void reply_scan(struct call *c, struct registrar *r, const struct scan *s)
{
	bool more = (int64_t)json_array_size(s->items) == s->limit || s->seen == ADMIN_SCAN_MAX;

	admin_reply_list(c, r, s->items, more ? s->last : "");
}

/* Returns whether to go on. */
static bool keep(struct scan *s, json_t *item, struct err *e)
{
	return admin_append(s->items, item, e) && (int64_t)json_array_size(s->items) < s->limit;
}

/* ---- Certificates ---- */

static bool add_certificate(void *arg, const struct certificate_row *row, struct err *e)
{
	struct scan *s = arg;
	char id[2 * SHA256_LEN + 1];

	hex_encode(bytes_of(row->sha256, SHA256_LEN), id);
	snprintf(s->last, sizeof(s->last), "%lld-%s", (long long)row->not_after, id);
	s->seen++;
	if ((s->current_only && !row->current) ||
		!admin_sees(s->call, row->manufacturer, row->site))
		return true;
	return keep(s,
		json_pack("{ss ss so so so so sb so ss ss so}", "sha256", id, "serial",
			row->serial_hex, "subject", admin_text(row->subject), "issued",
			admin_moment(row->issued_at), "not_after", admin_moment(row->not_after),
			"revoked", admin_moment(row->revoked_at), "current", row->current,
			"device_id", row->device ? json_integer(row->device) : json_null(),
			"manufacturer", row->manufacturer, "device_serial", row->serial, "site",
			admin_text(row->site)),
		e);
}

static bool bad_place(struct err *e)
{
	err_set(e, ERR_INPUT, "after is no place in this list");
	return err_tell(e, "after is the `next` of the page before.");
}

static bool read_digest(const char *hex, uint8_t out[SHA256_LEN])
{
	if (strlen(hex) != 2 * SHA256_LEN)
		return false;
	for (size_t i = 0; i < SHA256_LEN; i++) {
		int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* "END-DIGEST" */
static bool read_place(const struct call *c, struct certificate_place *out, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(PLACE_MAX);
	char *dash;
	bool found;

	if (!percent_query(call_query(c), "after", &text, &found, e))
		return err_prefix(e, "after");
	if (!found)
		return true;
	dash = text.len ? strchr((char *)text.data, '-') : NULL;
	if (!dash)
		return bad_place(e);
	*dash = '\0';
	if (!admin_parse_number(buf_str(&text), &out->not_after) ||
		!read_digest(dash + 1, out->sha256))
		return bad_place(e);
	out->sha256_len = SHA256_LEN;
	return true;
}

/* ?expiring=30d */
static bool read_expiring(const struct call *c, int64_t *days, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(16);
	bool found;

	*days = 0;
	if (!percent_query(call_query(c), "expiring", &text, &found, e))
		return err_prefix(e, "expiring");
	if (!found)
		return true;
	if (text.len && text.data[text.len - 1] == 'd')
		text.data[--text.len] = '\0';
	if (admin_parse_number(buf_str(&text), days) && *days >= 1 && *days <= DAYS_MAX)
		return true;
	err_set(e, ERR_INPUT, "expiring is no number of days");
	return err_tell(e, "expiring is a number of days such as 30d.");
}

void certificates_list(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	struct scan s = {.call = c, .items = json_array()};
	struct certificate_place after = {.not_after = 0};
	const int64_t now = registrar_now(r);
	struct err e = ERR_INIT;
	int64_t days;

	if (read_expiring(c, &days, &e)) {
		after.not_after = days ? now : 0;
		s.current_only = days != 0;
	}
	if (e.kind == ERR_NONE && read_place(c, &after, &e) && admin_query_limit(c, &s.limit, &e) &&
		records_list_by_end(r->store, &after, days ? now + days * DAY_S : INT64_MAX,
			ADMIN_SCAN_MAX, add_certificate, &s, &e))
		reply_scan(c, r, &s);
	else
		failed(c, r, &e);
	json_decref(s.items);
}

/* ---- Vouchers ---- */

static bool add_voucher(void *arg, const struct voucher_row *row, struct err *e)
{
	struct scan *s = arg;

	snprintf(s->last, sizeof(s->last), "%lld", (long long)row->device);
	s->seen++;
	if (!row->type || !admin_sees(s->call, row->manufacturer, row->site))
		return true;
	return keep(s,
		json_pack("{sI ss ss ss so so}", "device_id", (json_int_t)row->device,
			"manufacturer", row->manufacturer, "device_serial", row->serial, "type",
			row->type, "issued", admin_moment(row->vouched_at), "site",
			admin_text(row->site)),
		e);
}

void vouchers_list(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	struct scan s = {.call = c, .items = json_array()};
	struct err e = ERR_INIT;
	int64_t after = 0;

	if (admin_query_number(c, "after", &after, &e) && admin_query_limit(c, &s.limit, &e) &&
		records_list_vouchers(r->store, after, ADMIN_SCAN_MAX, add_voucher, &s, &e))
		reply_scan(c, r, &s);
	else
		failed(c, r, &e);
	json_decref(s.items);
}
