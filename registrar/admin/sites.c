/* SPDX-License-Identifier: Apache-2.0 */
/* A change of a site is made on the JSON object it is shown as, and written if nobody else was
 * faster. */
#include "registrar/admin/sites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/percent.h"
#include "registrar/admin/answer.h"
#include "registrar/admin/guard.h"
#include "registrar/admin/scope.h"
#include "registrar/records/sites.h"
#include "registrar/site.h"

#define SITE_TEXT_MAX 200 /* octets of a name or note */
#define APPROVERS_MAX 2
#define LIST_DEFAULT  200

static json_t *site_object(const struct site_row *row)
{
	return json_pack("{ss so so sI ss sI sI sI}", "path", row->path, "name",
		admin_text(row->name), "note", admin_text(row->note), "approvers",
		(json_int_t)row->approvers, "unknown", row->rejects_unknown ? "reject" : "hold",
		"revision", (json_int_t)row->revision, "devices", (json_int_t)row->devices, "below",
		(json_int_t)row->below);
}

/* ---- Is it there? ---- */

bool admin_no_site(struct err *e, const char *site)
{
	err_set(e, ERR_INPUT, "no site \"%s\"", site);
	err_code(e, "no-such-site");
	return err_tell(e, "There is no such site; an administrator adds it with sites add.");
}

bool admin_site_check(struct registrar *r, const char *site, struct err *e)
{
	bool exists;

	if (!site)
		return true;
	if (!site_check(site, e) || !records_site_exists(r->store, site, &exists, e))
		return false;
	return exists || admin_no_site(e, site);
}

/* ---- The list ---- */

struct listing {
	const struct call *call;
	json_t *items;
	int64_t limit;
	char last[SITE_LEN_MAX + 1]; /* of those that are shown: others are not told of */
};

/* How many devices are there is for who may see those of all manufacturers. */
static json_t *seen_object(const struct call *c, const struct site_row *row)
{
	json_t *site = site_object(row);

	if (site && !admin_sees(c, NULL, row->path)) {
		json_object_del(site, "devices");
		json_object_del(site, "below");
	}
	return site;
}

static bool add_site(void *arg, const struct site_row *row, struct err *e)
{
	struct listing *l = arg;
	const struct principal *p = admin_who(l->call);

	if (!principal_may(p, MAY_VIEW, NULL, row->path, p->asked_at))
		return true;
	snprintf(l->last, sizeof(l->last), "%s", row->path);
	return admin_append(l->items, seen_object(l->call, row), e) &&
	       (int64_t)json_array_size(l->items) < l->limit;
}

static bool query_limit(const struct call *c, int64_t *limit, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(16);
	bool given;

	*limit = LIST_DEFAULT;
	if (!percent_query(call_query(c), "limit", &text, &given, e))
		return err_prefix(e, "limit");
	if (given && (!admin_parse_number(buf_str(&text), limit) || *limit < 1 ||
			     *limit > ADMIN_LIST_MAX))
		return err_set(e, ERR_INPUT, "limit is 1 to %d", ADMIN_LIST_MAX);
	return true;
}

void sites_list(struct call *c, void *app)
{
	struct registrar *r = app;
	BUF_AUTO struct buf after = BUF_INIT(SITE_LEN_MAX + 1);
	JSON_AUTO json_t *items = json_array(), *answer = NULL;
	struct listing l = {.call = c, .items = items};
	struct err e = ERR_INIT;
	bool given;

	if (!percent_query(call_query(c), "after", &after, &given, &e) ||
		!query_limit(c, &l.limit, &e) ||
		!records_list_sites(r->store, buf_str(&after),
			admin_sees_all(c) ? l.limit : INT64_MAX, add_site, &l, &e)) {
		call_reply_err(c, &r->log, "admin-failed", &e);
		return;
	}
	answer = json_pack("{sO so}", "items", items, "next",
		(int64_t)json_array_size(items) == l.limit ? json_string(l.last) : json_null());
	admin_reply(c, r, answer);
}

/* ---- Changing one ---- */

struct change {
	struct registrar *r;
	struct call *call;
	json_t *site; /* as it will be; NULL once it is removed */
	int64_t revision;
	const char *done; /* what the journal calls it */
};

static void change_free(struct change *g)
{
	json_decref(g->site);
	free(g);
}

static void on_changed(void *arg, const int64_t *changed, const struct err *e)
{
	struct change *g = arg;
	struct err stale = ERR_INIT;

	if (e && e->kind == ERR_CONFLICT) {
		err_set(&stale, ERR_STALE, "somebody else was faster");
		e = &stale;
	}
	if (e) {
		call_reply_err(g->call, &g->r->log, "admin-failed", e);
	} else {
		json_object_set_new(g->site, "revision", json_integer(g->revision));
		log_event(&g->r->log, LOG_LEVEL_INFO, "site-changed", call_exchange(g->call),
			"site", json_string_value(json_object_get(g->site, "path")), "what",
			g->done, "by", admin_by(g->call), NULL);
		admin_reply_tagged(g->call, g->r, g->site, g->revision);
	}
	change_free(g);
}

static bool take_text(json_t *site, const json_t *body, const char *name, struct err *e)
{
	json_t *value = json_object_get(body, name);

	if (!value)
		return true;
	if (json_is_string(value) && json_string_length(value) > SITE_TEXT_MAX)
		return admin_bad(e, "The text is too long.");
	if (!json_is_string(value) && !json_is_null(value))
		return admin_bad(e, "A site's name and note are texts.");
	if (json_is_string(value) && json_string_length(value) == 0)
		value = json_null();
	return json_object_set(site, name, value) == 0 ||
	       err_set(e, ERR_NO_MEMORY, "no memory for a site");
}

/* What the body says, over what the site is. */
static bool take_wishes(json_t *site, const json_t *body, struct err *e)
{
	json_t *approvers = json_object_get(body, "approvers");
	json_t *unknown = json_object_get(body, "unknown");
	const char *name = json_string_value(unknown);

	if (!take_text(site, body, "name", e) || !take_text(site, body, "note", e))
		return false;
	if (approvers && (!json_is_integer(approvers) || json_integer_value(approvers) < 1 ||
				 json_integer_value(approvers) > APPROVERS_MAX))
		return admin_bad(e, "A site has 1 or 2 approvers.");
	if (unknown && (!name || (strcmp(name, "hold") != 0 && strcmp(name, "reject") != 0)))
		return admin_bad(
			e, "Unknown devices are held or rejected: unknown is hold or reject.");
	if ((approvers && json_object_set(site, "approvers", approvers) != 0) ||
		(unknown && json_object_set(site, "unknown", unknown) != 0))
		return err_set(e, ERR_NO_MEMORY, "no memory for a site");
	return true;
}

static struct site_row row_of(const struct change *g)
{
	const json_t *s = g->site;

	return (struct site_row){
		.path = json_string_value(json_object_get(s, "path")),
		.name = json_string_value(json_object_get(s, "name")),
		.note = json_string_value(json_object_get(s, "note")),
		.approvers = json_integer_value(json_object_get(s, "approvers")),
		.rejects_unknown =
			strcmp(json_string_value(json_object_get(s, "unknown")), "reject") == 0,
		.revision = g->revision,
	};
}

struct reading {
	json_t *site;
	bool has_sites;
};

static bool take_site(void *arg, const struct site_row *row, struct err *e)
{
	struct reading *read = arg;

	read->site = site_object(row);
	read->has_sites = row->has_sites;
	return read->site || err_set(e, ERR_NO_MEMORY, "no memory for a site");
}

/* The site as it is, with the revision that was expected of it. */
static bool read_site(struct change *g, const char *path, bool *has_sites, struct err *e)
{
	struct reading read = {NULL, false};

	if (!records_site(g->r->store, path, take_site, &read, e))
		return false;
	g->site = read.site;
	*has_sites = read.has_sites;
	if (!g->site) {
		err_set(e, ERR_NOT_FOUND, "no site \"%s\"", path);
		return err_tell(e, "There is no such site.");
	}
	g->revision = json_integer_value(json_object_get(g->site, "revision"));
	return admin_check_revision(g->call, g->revision, e);
}

/* The journal's words: what the site is from now on. */
static void describe(const struct site_row *row, char *out, size_t size)
{
	snprintf(out, size, "%s: %lld approver%s, unknown devices are %s%s%s", row->path,
		(long long)row->approvers, row->approvers == 1 ? "" : "s",
		row->rejects_unknown ? "rejected" : "held", row->name ? ", " : "",
		row->name ? row->name : "");
}

static bool add(struct change *g, const char *path, const json_t *body,
	const struct records_writer *w, struct journal_entry *j, struct err *e)
{
	const struct site_row plain = {.path = path, .approvers = 1, .revision = 1};
	char what[JOURNAL_REASON_MAX + 1];
	struct site_row row;
	bool exists;

	if (!records_site_exists(g->r->store, path, &exists, e))
		return false;
	if (exists) {
		err_set(e, ERR_CONFLICT, "site \"%s\" is there", path);
		return err_tell(e, "There is such a site already.");
	}
	g->site = site_object(&plain);
	if (!g->site)
		return err_set(e, ERR_NO_MEMORY, "no memory for a site");
	if (!take_wishes(g->site, body, e))
		return false;
	g->revision = 1;
	row = row_of(g);
	describe(&row, what, sizeof(what));
	j->reason = what;
	return records_add_site(w, &row, j, e);
}

static bool set(struct change *g, const char *path, const json_t *body,
	const struct records_writer *w, struct journal_entry *j, struct err *e)
{
	char what[JOURNAL_REASON_MAX + 1];
	struct site_row row;
	bool ignored;

	if (!read_site(g, path, &ignored, e) || !take_wishes(g->site, body, e))
		return false;
	row = row_of(g);
	describe(&row, what, sizeof(what));
	j->reason = what;
	g->revision++;
	return records_set_site(w, &row, j, e);
}

static bool refuse_removal(struct err *e, const char *path, const char *why)
{
	err_set(e, ERR_CONFLICT, "site \"%s\": %s", path, why);
	err_code(e, "site-in-use");
	return err_tell(e, "%s", why);
}

/* Somebody who made it anew would bring to life what was said of the old one. */
static bool is_unnamed(struct change *g, const char *path, struct err *e)
{
	struct site_uses uses;

	if (!records_site_uses(g->r->store, path, &uses, e))
		return false;
	if (uses.rules)
		return refuse_removal(
			e, path, "Rules put devices in it: change or remove them first.");
	return !uses.roles ||
	       refuse_removal(
		       e, path, "Roles of users or tokens are bound to it: take them away first.");
}

static bool remove_site(struct change *g, const char *path, const json_t *body,
	const struct records_writer *w, struct journal_entry *j, struct err *e)
{
	bool has_sites;

	if (!read_site(g, path, &has_sites, e))
		return false;
	if (strcmp(path, "/") == 0)
		return refuse_removal(e, path, "The whole site is not removed.");
	if (has_sites)
		return refuse_removal(e, path, "There are sites in it: remove them first.");
	if (json_integer_value(json_object_get(g->site, "devices")) > 0)
		return refuse_removal(
			e, path, "There are devices or claims in it: move them first.");
	if (!is_unnamed(g, path, e))
		return false;
	j->reason = path;
	return records_remove_site(w, path, g->revision, j, e);
}

typedef bool change_fn(struct change *g, const char *path, const json_t *body,
	const struct records_writer *w, struct journal_entry *j, struct err *e);

static bool start(struct change *g, change_fn *fn, struct err *e)
{
	const struct records_writer w = {g->r->store, call_loop(g->call), on_changed, g};
	JSON_AUTO json_t *body = json_parse_object(call_body(g->call), e);
	const char *path = NULL;
	struct journal_entry j = {
		.at = registrar_now(g->r),
		.exchange = call_exchange(g->call),
		.actor = admin_by(g->call),
		.step = "site",
		.outcome = g->done,
	};

	if (!body || !json_get_string(body, "path", &path, e))
		return false;
	if (!path)
		return admin_bad(e, "A path is missing.");
	return site_check(path, e) && admin_may_or(g->call, MAY_ADMIN, NULL, path, e) &&
	       fn(g, path, body, &w, &j, e);
}

static void change(struct call *c, struct registrar *r, const char *done, change_fn *fn)
{
	struct err e = ERR_INIT;
	struct change *g = mem_new(sizeof(*g), &e);

	if (g) {
		g->r = r;
		g->call = c;
		g->done = done;
		if (start(g, fn, &e))
			return;
		change_free(g);
	}
	call_reply_err(c, &r->log, "admin-failed", &e);
}

void sites_add(struct call *c, void *app)
{
	change(c, app, "added", add);
}

void sites_set(struct call *c, void *app)
{
	change(c, app, "changed", set);
}

void sites_remove(struct call *c, void *app)
{
	change(c, app, "removed", remove_site);
}
