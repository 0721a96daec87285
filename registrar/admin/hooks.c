/* SPDX-License-Identifier: Apache-2.0 */
/* A change is durable, with its line in the audit log, before it is answered; then the deliverer
 * reads it. */
#include "registrar/admin/hooks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registrar/admin/answer.h"
#include "registrar/admin/guard.h"
#include "registrar/admin/scope.h"
#include "registrar/notify/event.h"
#include "registrar/notify/hook_send.h"
#include "registrar/notify/hooks.h"
#include "registrar/records/hooks.h"

#define HOOK_URL_MAX	 700 /* host and path of a struct uri, and what is around them */
#define HOOK_ANCHORS_MAX 32768

/* ---- Showing ---- */

static bool add_hook(void *arg, const struct hook_row *h, struct err *e)
{
	return admin_append(arg,
		json_pack("{sI ss so sb so so so sI so so sI sI sb}", "id", (json_int_t)h->id,
			"url", h->url, "types", admin_text(h->types), "enabled", h->enabled, "by",
			admin_text(h->by), "added", admin_moment(h->added_at), "delivered",
			admin_moment(h->delivered_at), "sequence", (json_int_t)h->cursor,
			"failing_since", admin_moment(h->failing_at), "failure",
			admin_text(h->failure), "dead", (json_int_t)h->dead, "dropped",
			(json_int_t)h->dropped, "own_anchors", h->anchors != NULL),
		e);
}

void hooks_list(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	JSON_AUTO json_t *items = json_array();
	JSON_AUTO json_t *answer = NULL;
	struct err e = ERR_INIT;

	if (items && !(admin_may_everywhere(c, MAY_ADMIN, &e) &&
			     records_list_hooks(r->store, add_hook, items, &e))) {
		call_reply_err(c, &r->log, "admin-failed", &e);
		return;
	}
	answer = items ? json_pack("{sO sn}", "items", items, "next") : NULL;
	admin_reply(c, r, answer);
}

static bool add_dead(void *arg, const struct dead_letter *d, struct err *e)
{
	struct admin_page *p = arg;

	p->last_id = d->sequence;
	return admin_append(p->items,
		json_pack("{sI so sI so sb}", "sequence", (json_int_t)d->sequence, "time",
			admin_moment(d->at), "tries", (json_int_t)d->tries, "reason",
			admin_text(d->reason), "retrying", d->wanted),
		e);
}

/* The ID in …/hooks/ID/VERB; verb points behind it. */
static bool read_path(const struct call *c, int64_t *id, const char **verb, struct err *e)
{
	const char *rest = call_path(c) + strlen(HOOKS_PATH "/");
	size_t len = strcspn(rest, "/");
	char number[24];

	snprintf(number, sizeof(number), "%.*s", (int)(len < 20 ? len : 20), rest);
	*verb = rest + len;
	if (admin_parse_number(number, id))
		return true;
	err_set(e, ERR_NOT_FOUND, "no hook \"%s\"", number);
	return err_tell(e, "There is no hook with this number.");
}

struct hook_sought {
	int64_t id;
	bool found;
	size_t count;
};

static bool seek_hook(void *arg, const struct hook_row *h, struct err *e)
{
	struct hook_sought *s = arg;

	s->count++;
	s->found |= h->id == s->id;
	return true;
}

static bool hook_exists(struct registrar *r, int64_t id, struct err *e)
{
	struct hook_sought s = {.id = id};

	if (!records_list_hooks(r->store, seek_hook, &s, e))
		return false;
	if (s.found)
		return true;
	err_set(e, ERR_NOT_FOUND, "no hook %lld", (long long)id);
	return err_tell(e, "There is no hook with this number.");
}

void hooks_dead(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	struct admin_page p = {.items = NULL};
	struct err e = ERR_INIT;
	const char *verb;
	int64_t after, id;

	if (!admin_may_everywhere(c, MAY_ADMIN, &e) || !read_path(c, &id, &verb, &e) ||
		!hook_exists(r, id, &e))
		call_reply_err(c, &r->log, "admin-failed", &e);
	else if (strcmp(verb, "/dead") != 0) {
		err_set(&e, ERR_NOT_FOUND, "no such resource");
		call_reply_err(c, &r->log, "admin-failed", &e);
	} else if (admin_page_init(&p, c, &after, &e) &&
		   records_list_dead(r->store, id, after, p.limit, add_dead, &p, &e))
		admin_page_reply(c, r, &p);
	else
		call_reply_err(c, &r->log, "admin-failed", &e);
	json_decref(p.items);
}

/* ---- A change under way ---- */

struct change {
	struct registrar *r;
	struct call *call;
	int64_t id;
	bool counts; /* dead letters: how many */
	char secret[HOOK_SECRET_LEN + 1];
	char by[PRINCIPAL_NAME_MAX];
};

static void change_free(struct change *g)
{
	if (g)
		explicit_bzero(g->secret, sizeof(g->secret));
	free(g);
}

static struct change *change_new(struct registrar *r, struct call *c, struct err *e)
{
	struct change *g = mem_new(sizeof(*g), e);

	if (g) {
		g->r = r;
		g->call = c;
		snprintf(g->by, sizeof(g->by), "%s", admin_by(c));
	}
	return g;
}

static void on_changed(void *arg, const int64_t *changed, const struct err *e)
{
	struct change *g = arg;
	JSON_AUTO json_t *answer = NULL;

	if (e) {
		call_reply_err(g->call, &g->r->log, "admin-failed", e);
		change_free(g);
		return;
	}
	hooks_changed(g->r);
	answer = json_pack(
		"{sI ss*}", "id", (json_int_t)g->id, "secret", g->secret[0] ? g->secret : NULL);
	if (answer && g->counts)
		json_object_set_new(answer, "changed", json_integer((json_int_t)changed[0]));
	admin_reply(g->call, g->r, answer);
	change_free(g);
}

static struct records_writer writer(struct change *g)
{
	return (struct records_writer){g->r->store, call_loop(g->call), on_changed, g};
}

static struct journal_entry change_line(
	const struct change *g, const char *outcome, const char *reason)
{
	return (struct journal_entry){
		.at = registrar_now(g->r),
		.exchange = call_exchange(g->call),
		.actor = g->by,
		.step = "hook",
		.outcome = outcome,
		.reason = reason,
	};
}

/* ---- Adding ---- */

static bool check_anchors(const char *pem, struct err *e)
{
	CERT_LIST_AUTO struct cert_list list = CERT_LIST_INIT;

	if (strlen(pem) > HOOK_ANCHORS_MAX)
		return admin_bad(e, "The anchors are too long.");
	if (cert_list_parse_pem(bytes_of_str(pem), &list, e) && list.count > 0)
		return true;
	return e->kind == ERR_NO_MEMORY ? false
					: admin_bad(e, "The anchors are no certificates in PEM.");
}

static bool read_hook(const json_t *body, struct hook_row *h, struct uri *uri, struct err *e)
{
	if (!json_get_string(body, "url", &h->url, e) ||
		!json_get_string(body, "types", &h->types, e) ||
		!json_get_string(body, "anchors", &h->anchors, e))
		return false;
	if (!h->url)
		return admin_bad(e, "A hook needs a url.");
	if (strlen(h->url) > HOOK_URL_MAX)
		return admin_bad(e, "The URL is too long.");
	return hook_url_parse(h->url, uri, e) && (!h->types || event_types_check(h->types, e)) &&
	       (!h->anchors || check_anchors(h->anchors, e));
}

static bool find_number(struct change *g, struct err *e)
{
	struct hook_sought s = {.id = 0};

	if (!records_list_hooks(g->r->store, seek_hook, &s, e) ||
		!records_last_number(g->r->store, "hook", &g->id, e))
		return false;
	g->id++;
	return s.count < HOOKS_MAX || admin_bad(e, "There are too many hooks.");
}

static bool start_add(struct change *g, struct err *e)
{
	const struct records_writer w = writer(g);
	JSON_AUTO json_t *body = json_parse_object(call_body(g->call), e);
	char what[JOURNAL_REASON_MAX + 1];
	struct hook_row h = {.by = g->by};
	struct journal_entry line;
	struct uri uri;

	if (!body || !read_hook(body, &h, &uri, e) || !find_number(g, e) ||
		!hook_secret_new(g->secret, e))
		return false;
	h.id = g->id;
	h.secret = g->secret;
	h.added_at = registrar_now(g->r);
	snprintf(what, sizeof(what), "hook %lld to %s: %s", (long long)g->id, uri.host,
		h.types ? h.types : "all events");
	line = change_line(g, "added", what);
	return records_add_hook(&w, &h, &line, e);
}

void hooks_add(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	struct err e = ERR_INIT;
	struct change *g = NULL;

	if (admin_may_everywhere(c, MAY_ADMIN, &e) && (g = change_new(r, c, &e)) &&
		start_add(g, &e))
		return;
	call_reply_err(c, &r->log, "admin-failed", &e);
	change_free(g);
}

/* ---- Trying ---- */

static void on_tried(void *arg, const struct hook_trial_result *result)
{
	struct change *g = arg;
	JSON_AUTO json_t *answer = NULL;

	if (!result->found && result->why.kind == ERR_NONE) { /* removed meanwhile */
		struct err e = ERR_INIT;

		err_set(&e, ERR_NOT_FOUND, "hook %lld is gone", (long long)g->id);
		call_reply_err(g->call, &g->r->log, "admin-failed", &e);
	} else {
		answer = json_pack("{sI sb sI so}", "id", (json_int_t)g->id, "taken", result->taken,
			"took_ms", (json_int_t)result->took_ms, "reason",
			admin_text(result->taken ? NULL : result->why.text));
		admin_reply(g->call, g->r, answer);
	}
	change_free(g);
}

static bool start_test(struct change *g, struct err *e)
{
	return hook_exists(g->r, g->id, e) &&
	       hooks_try(g->r, g->id, call_loop(g->call), on_tried, g, e);
}

/* ---- Changing ---- */

static bool start_remove(struct change *g, struct err *e)
{
	const struct records_writer w = writer(g);
	char what[64];
	const struct journal_entry line = change_line(g, "removed", what);

	snprintf(what, sizeof(what), "hook %lld", (long long)g->id);
	return records_remove_hook(&w, g->id, &line, e);
}

static bool enable(struct change *g, bool enabled, bool skip, struct err *e)
{
	const struct records_writer w = writer(g);
	char what[96];
	const struct journal_entry line = change_line(g, enabled ? "enabled" : "disabled", what);

	snprintf(what, sizeof(what), "hook %lld%s", (long long)g->id,
		skip ? ", without what happened until now" : "");
	return records_enable_hook(&w, g->id, enabled, skip, &line, e);
}

static bool start_enable(struct change *g, struct err *e)
{
	JSON_AUTO json_t *body = admin_body(g->call, e);

	return body && enable(g, true, json_is_true(json_object_get(body, "skip")), e);
}

static bool start_disable(struct change *g, struct err *e)
{
	return enable(g, false, false, e);
}

/* {"sequence": N} or {"all": true} */
static bool read_letters(const struct change *g, int64_t *sequence, struct err *e)
{
	JSON_AUTO json_t *body = json_parse_object(call_body(g->call), e);
	const json_t *number;

	if (!body)
		return false;
	number = json_object_get(body, "sequence");
	*sequence = json_integer_value(number);
	if (json_is_true(json_object_get(body, "all")) ? number == NULL : *sequence > 0)
		return true;
	return admin_bad(e, "Name one dead letter by its sequence, or send {\"all\": true}.");
}

static bool start_letters(struct change *g, bool retry, struct err *e)
{
	const struct records_writer w = writer(g);
	char what[96];
	const struct journal_entry line = change_line(g, retry ? "retried" : "dropped", what);
	int64_t sequence;

	if (!read_letters(g, &sequence, e))
		return false;
	if (sequence)
		snprintf(what, sizeof(what), "hook %lld, event %lld", (long long)g->id,
			(long long)sequence);
	else
		snprintf(what, sizeof(what), "hook %lld, all dead letters", (long long)g->id);
	g->counts = true;
	return retry ? records_want_dead(&w, g->id, sequence, &line, e)
		     : records_drop_dead(&w, g->id, sequence, &line, e);
}

static bool start_retry(struct change *g, struct err *e)
{
	return start_letters(g, true, e);
}

static bool start_drop(struct change *g, struct err *e)
{
	return start_letters(g, false, e);
}

static const struct {
	const char *verb;
	bool (*start)(struct change *g, struct err *e);
} verbs[] = {
	{"/test", start_test},
	{"/remove", start_remove},
	{"/enable", start_enable},
	{"/disable", start_disable},
	{"/dead/retry", start_retry},
	{"/dead/drop", start_drop},
};

static bool start_change(struct change *g, struct err *e)
{
	const char *verb;

	if (!read_path(g->call, &g->id, &verb, e) || !hook_exists(g->r, g->id, e))
		return false;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (strcmp(verbs[i].verb, verb) == 0)
			return verbs[i].start(g, e);
	return err_set(e, ERR_NOT_FOUND, "no such action");
}

void hooks_change(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	struct err e = ERR_INIT;
	struct change *g = NULL;

	if (admin_may_everywhere(c, MAY_ADMIN, &e) && (g = change_new(r, c, &e)) &&
		start_change(g, &e))
		return;
	call_reply_err(c, &r->log, "admin-failed", &e);
	change_free(g);
}
