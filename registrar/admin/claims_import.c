/* SPDX-License-Identifier: Apache-2.0 */
/* A supplier's list on its way into the store: read (import.c), compared with what is known, then
 * all of it written in one transaction or nothing. */
#include "registrar/admin/claims_import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/net/status.h"
#include "common/wire/hex.h"
#include "common/wire/json.h"
#include "common/wire/percent.h"
#include "registrar/admin/answer.h"
#include "registrar/admin/guard.h"
#include "registrar/admin/scope.h"
#include "registrar/import.h"
#include "registrar/meters.h"
#include "registrar/records/claims.h"
#include "registrar/records/sites.h"

#define LIST_MAX  (2 * IMPORT_BODY_MAX) /* the rows as JSON: quotes, escapes, places */
#define REPLY_MAX (3 * IMPORT_BODY_MAX) /* the same with the names of the members */

struct job {
	struct registrar *r;
	struct call *call;
	bool dry_run;
	struct import list;
	struct careful_sites careful;
	size_t counts[IMPORT_RESULT_COUNT];
	char by[PRINCIPAL_NAME_MAX];
	int64_t now;
};

static void job_free(struct job *j)
{
	import_clear(&j->list);
	careful_sites_clear(&j->careful);
	free(j);
}

/* ---- The answer ---- */

static bool add_json(struct buf *out, json_t *value, struct err *e)
{
	bool ok = value ? json_format(value, out, e)
			: err_set(e, ERR_NO_MEMORY, "no memory for an answer");

	json_decref(value);
	return ok;
}

static bool add_result(struct buf *out, const struct import_row *row, struct err *e)
{
	return add_json(out,
		json_pack("{sI ss ss ss ss*}", "line", (json_int_t)row->line, "manufacturer",
			row->manufacturer, "serial", row->serial, "result",
			import_result_name(row->result), "reason", row->why),
		e);
}

static bool add_results(struct buf *out, const struct import *list, struct err *e)
{
	const char *separator = "";

	for (size_t i = 0; i < list->count; i++) {
		const struct import_row *row = &list->rows[i];

		if (list->bad && row->result != IMPORT_BAD)
			continue;
		if (!buf_append_str(out, separator, e) || !add_result(out, row, e))
			return false;
		separator = ",";
	}
	return true;
}

static json_t *summary(const struct job *j)
{
	json_t *s = json_pack("{sb sI}", "imported", !j->dry_run && !j->list.bad, "rows",
		(json_int_t)j->list.count);
	json_t *unknown = json_array();

	for (size_t i = 0; i < IMPORT_RESULT_COUNT; i++)
		json_object_set_new(s, import_result_name((enum import_result)i),
			json_integer((json_int_t)j->counts[i]));
	for (size_t i = 0; i < j->list.unknown_count; i++)
		json_array_append_new(unknown, json_string(j->list.unknown[i]));
	json_object_set_new(s, "label_columns", unknown);
	json_object_set_new(s, "ignored_columns", json_array()); /* what a release before did */
	return s;
}

static bool format_answer(const struct job *j, struct buf *out, struct err *e)
{
	return buf_append_str(out, "{\"results\":[", e) && add_results(out, &j->list, e) &&
	       buf_append_str(out, "],\"summary\":", e) && add_json(out, summary(j), e) &&
	       buf_append_str(out, "}", e);
}

static void answer(struct job *j)
{
	BUF_AUTO struct buf text = BUF_INIT(REPLY_MAX);
	struct err e = ERR_INIT;
	int status = status_of(j->list.bad ? ERR_INPUT : ERR_NONE);

	if (format_answer(j, &text, &e))
		call_reply(j->call, status, "application/json", buf_bytes(&text));
	else
		call_reply_err(j->call, &j->r->log, "admin-failed", &e);
	job_free(j);
}

/* ---- What is known ---- */

static bool add_place(struct buf *out, const struct import *list, size_t place, struct err *e)
{
	const struct import_row *row = &list->rows[place];

	return (out->len == 1 || buf_append_str(out, ",", e)) &&
	       add_json(out,
		       json_pack("[sss?Is?s?s?s?o]", row->manufacturer, row->serial, row->note,
			       (json_int_t)place, row->site, row->model, row->labels, row->idevid,
			       row->until ? json_integer(row->until) : json_null()),
		       e);
}

#define BIT(result) (1u << (result))
#define APPROVED    (BIT(IMPORT_PREAPPROVED) | BIT(IMPORT_APPROVED))
#define CHANGED	    (APPROVED | BIT(IMPORT_ANNOUNCED))

/* The rows with one of these results, as records.h has them. */
static bool format_list(const struct import *list, unsigned results, struct buf *out, struct err *e)
{
	if (!buf_append_str(out, "[", e))
		return false;
	for (size_t i = 0; i < list->count; i++)
		if ((BIT(list->rows[i].result) & results) && !add_place(out, list, i, e))
			return false;
	return buf_append_str(out, "]", e);
}

/* Who may not decide about a device may at most announce it. */
static bool judge_place(struct job *j, struct import_row *row, struct err *e)
{
	if (admin_may(j->call, MAY_DECIDE, row->manufacturer, row->site))
		return careful_sites_approvers(&j->careful, row->site) < 2 ||
		       import_spoil(&j->list, row,
			       "its site asks for several approvers: a list is one", e);
	row->result = IMPORT_ANNOUNCED;
	return admin_may(j->call, MAY_ANNOUNCE, row->manufacturer, row->site) ||
	       import_spoil(&j->list, row, "you may not announce such devices there", e);
}

static bool judge_scope(struct job *j, struct err *e)
{
	for (size_t i = 0; i < j->list.count; i++)
		if (j->list.rows[i].result == IMPORT_PREAPPROVED &&
			!judge_place(j, &j->list.rows[i], e))
			return false;
	return true;
}

static enum import_result result_of(const struct known_claim *claim, bool announced)
{
	switch (claim->said) {
	case CLAIM_NONE:
	case CLAIM_PENDING:
	case CLAIM_EXPIRED:
	case CLAIM_ANNOUNCED:
		if (announced)
			return IMPORT_UNCHANGED;
		if (claim->state == DEVICE_REVOKED)
			return IMPORT_REVOKED;
		return claim->seen ? IMPORT_APPROVED : IMPORT_PREAPPROVED;
	case CLAIM_APPROVED:
	case CLAIM_PREAPPROVED:
		return IMPORT_UNCHANGED;
	case CLAIM_REJECTED:
		return IMPORT_REJECTED;
	case CLAIM_STATE_COUNT:
		break;
	}
	return IMPORT_RESULT_COUNT;
}

/* What a list may not say of a device that is known and would be approved; NULL: nothing. */
static const char *known_fault(
	const struct job *j, const struct import_row *row, const struct known_claim *claim)
{
	if (!admin_may(j->call, MAY_DECIDE, row->manufacturer, claim->site))
		return "it is at a site where you may not decide";
	if (row->idevid && claim->idevid && *claim->idevid &&
		strcmp(row->idevid, claim->idevid) != 0)
		return "it has asked with another IDevID than this one";
	return careful_sites_approvers(&j->careful, claim->site) > 1
		       ? "its site asks for several approvers: a list is one"
		       : NULL;
}

static bool note_known(void *arg, int64_t place, const struct known_claim *claim, struct err *e)
{
	struct job *j = arg;
	struct import_row *row = &j->list.rows[place];
	bool announced = row->result == IMPORT_ANNOUNCED;
	const char *why = announced ? NULL : known_fault(j, row, claim);
	enum import_result result = result_of(claim, announced);

	if (result == IMPORT_RESULT_COUNT)
		return err_set(e, ERR_BUG, "a claim without a state");
	if (why && (result == IMPORT_PREAPPROVED || result == IMPORT_APPROVED ||
			   !admin_may(j->call, MAY_DECIDE, row->manufacturer, claim->site)))
		return import_spoil(&j->list, row, why, e);
	row->result = result;
	return true;
}

static bool site_is_there(struct job *j, json_t *asked, const char *site, bool *is, struct err *e)
{
	const json_t *known = json_object_get(asked, site);

	*is = json_is_true(known);
	if (known)
		return true;
	return records_site_exists(j->r->store, site, is, e) &&
	       (json_object_set_new(asked, site, json_boolean(*is)) == 0 ||
		       err_set(e, ERR_NO_MEMORY, "no memory for sites"));
}

/* A list adds the sites it names; one that was mistyped is to be seen, before that if tried. */
static bool note_new_sites(struct job *j, struct err *e)
{
	JSON_AUTO json_t *asked = json_object();

	for (size_t i = 0; !j->list.bad && i < j->list.count; i++) {
		struct import_row *row = &j->list.rows[i];
		bool is;

		if (!row->site || !(BIT(row->result) & CHANGED))
			continue;
		if (!site_is_there(j, asked, row->site, &is, e))
			return false;
		if (!is && !(row->why = str_dup("its site was not there before", e)))
			return false;
	}
	return true;
}

static bool look_up(struct job *j, struct err *e)
{
	BUF_AUTO struct buf rows = BUF_INIT(LIST_MAX);

	if (!records_careful_sites(j->r->store, &j->careful, e) || !judge_scope(j, e) ||
		!format_list(&j->list, CHANGED, &rows, e) ||
		!records_look_up(j->r->store, buf_bytes(&rows), j->now, note_known, j, e) ||
		!note_new_sites(j, e))
		return false;
	for (size_t i = 0; i < j->list.count; i++)
		j->counts[j->list.rows[i].result]++;
	return true;
}

/* Announcing is for those who are trusted with little: there is an end to it. */
static bool has_room(const struct job *j, struct err *e)
{
	int64_t announced;

	if (j->counts[IMPORT_ANNOUNCED] == 0)
		return true;
	if (!records_count_claims(j->r->store, CLAIM_ANNOUNCED, &announced, e))
		return false;
	if (announced + (int64_t)j->counts[IMPORT_ANNOUNCED] <= ANNOUNCED_MAX)
		return true;
	err_set(e, ERR_TOO_LARGE, "%lld devices are announced", (long long)announced);
	return err_tell(e, "Too many devices are announced that nobody has decided about.");
}

/* ---- Writing ---- */

static void log_import(const struct job *j)
{
	char rows[24], changed[24];

	snprintf(rows, sizeof(rows), "%zu", j->list.count);
	snprintf(changed, sizeof(changed), "%zu",
		j->counts[IMPORT_PREAPPROVED] + j->counts[IMPORT_APPROVED] +
			j->counts[IMPORT_ANNOUNCED]);
	meter_decision(j->r, CLAIM_PREAPPROVED, (int64_t)j->counts[IMPORT_PREAPPROVED]);
	meter_decision(j->r, CLAIM_APPROVED, (int64_t)j->counts[IMPORT_APPROVED]);
	log_event(&j->r->log, LOG_LEVEL_INFO, "claims-imported", call_exchange(j->call), "rows",
		rows, "changed", changed, "by", j->by, NULL);
}

static void on_imported(void *arg, const int64_t *changed, const struct err *e)
{
	struct job *j = arg;
	struct err why;

	if (!e) {
		log_import(j);
		registrar_count_claims(j->r);
		answer(j);
		return;
	}
	why = *e;
	if (why.kind == ERR_CONFLICT)
		err_tell(&why, "Claims were decided about meanwhile; nothing was imported.");
	call_reply_err(j->call, &j->r->log, "admin-failed", &why);
	job_free(j);
}

/* Which octets came, so that the list can be found again. */
static bool describe(const struct job *j, char out[REASON_LEN_MAX + 1], struct err *e)
{
	uint8_t sha256[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];

	if (!digest_sha256(call_body(j->call), sha256, e))
		return false;
	hex_encode(bytes_of(sha256, SHA256_LEN), hex);
	snprintf(out, REASON_LEN_MAX + 1,
		"%zu preapproved, %zu approved, %zu announced, of %zu rows; SHA-256 %s",
		j->counts[IMPORT_PREAPPROVED], j->counts[IMPORT_APPROVED],
		j->counts[IMPORT_ANNOUNCED], j->list.count, hex);
	return true;
}

static bool write_claims(struct job *j, size_t changes, struct err *e)
{
	const struct records_writer w = {j->r->store, call_loop(j->call), on_imported, j};
	BUF_AUTO struct buf rows = BUF_INIT(LIST_MAX), approved = BUF_INIT(LIST_MAX),
			    announced = BUF_INIT(LIST_MAX);
	const size_t to_announce = j->counts[IMPORT_ANNOUNCED];
	char text[REASON_LEN_MAX + 1];

	snprintf(j->by, sizeof(j->by), "%s", admin_by(j->call));
	return has_room(j, e) && describe(j, text, e) && format_list(&j->list, CHANGED, &rows, e) &&
	       (!to_announce ||
		       (format_list(&j->list, APPROVED, &approved, e) &&
			       format_list(&j->list, BIT(IMPORT_ANNOUNCED), &announced, e))) &&
	       records_import(&w,
		       &(struct import_record){
			       .list = buf_bytes(&rows),
			       .count = (int64_t)changes,
			       .approved = buf_bytes(to_announce ? &approved : &rows),
			       .approved_count = (int64_t)(changes - to_announce),
			       .announced = buf_bytes(&announced),
			       .announced_count = (int64_t)to_announce,
			       .at = j->now,
			       .until = registrar_approval_end(j->r, j->now),
			       .exchange = call_exchange(j->call),
			       .by = j->by,
			       .summary = text,
		       },
		       e);
}

/* ---- The request ---- */

static bool is_manufacturer(const void *arg, const char *name)
{
	return registrar_setup_manufacturer(arg, name) != NULL;
}

static bool read_request(struct job *j, struct err *e)
{
	BUF_AUTO struct buf dry_run = BUF_INIT(8);
	struct registrar_setup *s;
	bool ok;

	if (!percent_query(call_query(j->call), "dry_run", &dry_run, &j->dry_run, e))
		return err_prefix(e, "dry_run");
	if (j->dry_run && strcmp(buf_str(&dry_run), "1") != 0)
		return err_set(e, ERR_INPUT, "dry_run is 1 or not there");
	s = registrar_setup_take(j->r);
	ok = import_read(&j->list, call_header(j->call, "Content-Type"), call_body(j->call), j->now,
		is_manufacturer, s, e);
	registrar_setup_free(s);
	return ok && look_up(j, e);
}

void claims_import(struct call *c, void *app)
{
	struct err e = ERR_INIT;
	struct job *j = mem_new(sizeof(*j), &e);
	size_t changes;

	if (!j) {
		call_reply_err(c, &((struct registrar *)app)->log, "admin-failed", &e);
		return;
	}
	j->r = app;
	j->call = c;
	j->now = registrar_now(j->r);
	if (read_request(j, &e)) {
		changes = j->counts[IMPORT_PREAPPROVED] + j->counts[IMPORT_APPROVED] +
			  j->counts[IMPORT_ANNOUNCED];
		if (j->list.bad || j->dry_run || changes == 0) {
			answer(j);
			return;
		}
		if (write_claims(j, changes, &e))
			return;
	}
	call_reply_err(c, &j->r->log, "admin-failed", &e);
	job_free(j);
}
