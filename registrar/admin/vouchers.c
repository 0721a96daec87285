/* SPDX-License-Identifier: Apache-2.0 */
/* Stored vouchers, listed and dropped. */
#include "registrar/admin/vouchers.h"

#include <stdlib.h>
#include <string.h>

#include "common/wire/percent.h"
#include "registrar/admin/answer.h"
#include "registrar/admin/guard.h"
#include "registrar/admin/scope.h"
#include "registrar/records/ahead.h"

#define NAME_LEN_MAX 256

/* ---- The list ---- */

struct shown {
	const struct call *call;
	struct admin_page page;
	int64_t seen, now;
};

static bool add_row(void *arg, const struct ahead_row *row, struct err *e)
{
	struct shown *s = arg;

	s->seen++;
	s->page.last_id = row->id;
	if (!admin_sees(s->call, row->device.manufacturer, row->site))
		return true;
	return admin_append(s->page.items,
		       json_pack("{sI ss ss ss so so so sb so so so}", "id", (json_int_t)row->id,
			       "manufacturer", row->device.manufacturer, "device_serial",
			       row->device.serial, "type", row->type, "fetched",
			       admin_moment(row->fetched_at), "until", admin_moment(row->until),
			       "renewed_from", admin_moment(row->renew_at), "expired",
			       row->until && row->until <= s->now, "used",
			       admin_moment(row->used_at), "history_checked",
			       admin_moment(row->checked_at), "by", admin_text(row->by)),
		       e) &&
	       (int64_t)json_array_size(s->page.items) < s->page.limit;
}

void vouchers_ahead_list(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	struct shown s = {.call = c, .now = registrar_now(r)};
	JSON_AUTO json_t *next = NULL, *list = NULL;
	struct err e = ERR_INIT;
	int64_t after;

	if (!admin_page_init(&s.page, c, &after, &e) ||
		!records_list_ahead(r->store, after, ADMIN_SCAN_MAX, add_row, &s, &e)) {
		json_decref(s.page.items);
		call_reply_err(c, &r->log, "admin-failed", &e);
		return;
	}
	next = (int64_t)json_array_size(s.page.items) == s.page.limit || s.seen == ADMIN_SCAN_MAX
		       ? json_sprintf("%lld", (long long)s.page.last_id)
		       : json_null();
	list = json_pack("{sO sO}", "items", s.page.items, "next", next);
	json_decref(s.page.items);
	admin_reply(c, r, list);
}

/* ---- Dropping ---- */

struct drop {
	struct registrar *r;
	struct call *call;
	size_t count;
	int64_t ids[AHEAD_DROP_MAX];
	char *makers[AHEAD_DROP_MAX], *serials[AHEAD_DROP_MAX];
};

static void drop_free(struct drop *d)
{
	for (size_t i = 0; i < d->count; i++) {
		free(d->makers[i]);
		free(d->serials[i]);
	}
	free(d);
}

static bool add_sought(void *arg, const struct ahead_row *row, struct err *e)
{
	struct drop *d = arg;
	const size_t i = d->count;

	if (!admin_sees(d->call, row->device.manufacturer, row->site))
		return true;
	if (!admin_may_or(d->call, MAY_OPERATE, row->device.manufacturer, row->site, e))
		return false;
	d->ids[i] = row->id;
	d->count++;
	return (d->makers[i] = str_dup(row->device.manufacturer, e)) &&
	       (d->serials[i] = str_dup(row->device.serial, e));
}

static void on_dropped(void *arg, const int64_t *changed, const struct err *e)
{
	struct drop *d = arg;
	JSON_AUTO json_t *answer = NULL;

	if (e) {
		call_reply_err(d->call, &d->r->log, "admin-failed", e);
	} else {
		answer = json_pack("{sI}", "dropped", (json_int_t)d->count);
		admin_reply(d->call, d->r, answer);
	}
	drop_free(d);
}

static bool write_drop(struct drop *d, struct err *e)
{
	const struct records_writer w = {d->r->store, call_loop(d->call), on_dropped, d};
	struct journal_entry lines[AHEAD_DROP_MAX];

	for (size_t i = 0; i < d->count; i++)
		lines[i] = (struct journal_entry){.at = registrar_now(d->r),
			.exchange = call_exchange(d->call),
			.device = {d->makers[i], d->serials[i]},
			.actor = admin_by(d->call),
			.step = "ahead",
			.outcome = "dropped"};
	return records_drop_ahead(&w, d->ids, lines, d->count, e);
}

/* …/ahead/NAME/drop */
static bool read_name(const struct call *c, struct buf *name, struct err *e)
{
	const char *rest = call_path(c) + strlen(AHEAD_PATH "/");
	const size_t len = strcspn(rest, "/");

	if (strcmp(rest + len, "/drop") != 0)
		return err_set(e, ERR_NOT_FOUND, "no such action");
	return percent_decode(bytes_of(rest, len), name, e);
}

static bool find(struct drop *d, struct err *e)
{
	BUF_AUTO struct buf name = BUF_INIT(NAME_LEN_MAX);

	if (!read_name(d->call, &name, e) ||
		!records_find_ahead(d->r->store, buf_str(&name), AHEAD_DROP_MAX, add_sought, d, e))
		return false;
	if (d->count)
		return true;
	err_set(e, ERR_NOT_FOUND, "no stored voucher \"%.64s\"", buf_str(&name));
	return err_tell(e, "There is no stored voucher with this number or serial-number.");
}

void vouchers_ahead_drop(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	struct err e = ERR_INIT;
	struct drop *d = mem_new(sizeof(*d), &e);

	if (d) {
		d->r = r;
		d->call = c;
		if (find(d, &e) && write_drop(d, &e))
			return;
		drop_free(d);
	}
	call_reply_err(c, &r->log, "admin-failed", &e);
}
