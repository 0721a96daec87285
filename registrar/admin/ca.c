/* SPDX-License-Identifier: Apache-2.0 */
/* A switch is durable, with its line in the audit log, before it is answered; the other registrars
 * of the site follow the store. */
#include "registrar/admin/ca.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/wire/hex.h"
#include "registrar/admin/answer.h"
#include "registrar/admin/guard.h"
#include "registrar/admin/scope.h"
#include "registrar/issuing.h"
#include "registrar/records/issuing.h"
#include "registrar/revoked.h"

/* ---- Showing ---- */

static json_t *ca_object(struct registrar *r, const struct registrar_setup *s, enum ca_slot slot)
{
	const struct ca *ca = s->cas[slot];
	char id[2 * SHA256_LEN + 1];

	hex_encode(bytes_of(cert_sha256(ca_cert(ca)), SHA256_LEN), id);
	return json_pack("{ss ss ss so sb so so}", "name", ca_slot_name(slot), "subject",
		cert_subject(ca_cert(ca)), "sha256", id, "not_after",
		admin_moment(ca_not_after(ca)), "issues", slot == issuing_slot(s), "fault",
		admin_text(ca_fault(ca)), "crl_next_update",
		admin_moment(revoked_next_update(r, slot)));
}

static json_t *show(struct registrar *r, const struct registrar_setup *s)
{
	json_t *items = json_array();
	struct err ignored = ERR_INIT;

	for (enum ca_slot i = CA_PRIMARY; i < CA_SLOT_COUNT; i++)
		if (s->cas[i] && !admin_append(items, ca_object(r, s, i), &ignored)) {
			json_decref(items);
			return NULL;
		}
	return json_pack("{so sn}", "items", items, "next");
}

void ca_show(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	struct registrar_setup *s = registrar_setup_take(r);
	JSON_AUTO json_t *answer = show(r, s);

	registrar_setup_free(s);
	admin_reply(c, r, answer);
}

/* ---- Switching ---- */

struct change {
	struct registrar *r;
	struct call *call;
	struct registrar_setup *setup;
	enum ca_slot from, to;
	char reason[REASON_LEN_MAX + 1];
};

static void change_free(struct change *s)
{
	registrar_setup_free(s->setup);
	free(s);
}

static void answer(struct change *s, bool changed)
{
	JSON_AUTO json_t *object =
		json_pack("{ss sb}", "issues", ca_slot_name(s->to), "changed", changed);

	admin_reply(s->call, s->r, object);
	change_free(s);
}

static void on_chosen(void *arg, const int64_t *changed, const struct err *e)
{
	struct change *s = arg;
	struct err failed = ERR_INIT;

	if (e || !issuing_follow(s->r, &failed)) {
		call_reply_err(s->call, &s->r->log, "admin-failed", e ? e : &failed);
		change_free(s);
		return;
	}
	revoked_reload(s->r); /* lists of both, as of now */
	answer(s, true);
}

static bool read_slot(struct change *s, const char *to, struct err *e)
{
	s->to = s->from == CA_PRIMARY ? CA_STANDBY : CA_PRIMARY;
	if (!to)
		return true;
	for (enum ca_slot i = CA_PRIMARY; i < CA_SLOT_COUNT; i++)
		if (strcmp(to, ca_slot_name(i)) == 0) {
			s->to = i;
			return true;
		}
	return admin_bad(e, "to is primary or standby.");
}

static bool read_wish(struct change *s, struct err *e)
{
	JSON_AUTO json_t *body = admin_body(s->call, e);
	const char *to = NULL, *reason = NULL;

	if (!body || !json_get_string(body, "to", &to, e) ||
		!json_get_string(body, "reason", &reason, e) || !read_slot(s, to, e))
		return false;
	snprintf(s->reason, sizeof(s->reason), "from %s to %s%s%.*s", ca_slot_name(s->from),
		ca_slot_name(s->to), reason ? ": " : "", REASON_LEN_MAX / 2, reason ? reason : "");
	text_make_utf8(s->reason, '?');
	return true;
}

static bool check_target(const struct change *s, struct err *e)
{
	const struct ca *to = s->setup->cas[s->to];

	if (!to) {
		err_set(e, ERR_CONFLICT, "no standby CA is configured");
		return err_tell(e, "There is no second issuing CA: make one with brski-certs "
				   "standby, name it in [ca] standby_key and "
				   "standby_certificate, and reload.");
	}
	if (!ca_fault(to))
		return true;
	err_set(e, ERR_CONFLICT, "%s", ca_fault(to));
	return err_tell(e, "The %s CA cannot be used: %s", ca_slot_name(s->to), ca_fault(to));
}

static bool choose(struct change *s, struct err *e)
{
	const struct records_writer w = {s->r->store, call_loop(s->call), on_chosen, s};
	const struct journal_entry line = {
		.at = registrar_now(s->r),
		.exchange = call_exchange(s->call),
		.actor = admin_by(s->call),
		.step = "ca",
		.outcome = "switched",
		.reason = s->reason,
	};

	return records_choose_issuing(&w, ca_key_sha256(s->setup->cas[s->to]), &line, e);
}

/* The CA that issues for want of the one that was chosen is a choice, too. */
static bool changes(const struct change *s, bool *out, struct err *e)
{
	struct issuing_choice choice;

	if (!records_issuing(s->r->store, &choice, e))
		return false;
	*out = s->to != s->from || !issuing_is_chosen(&choice, s->setup->cas[s->to]);
	return true;
}

/* True: it is under way, or answered. */
static bool begin(struct change *s, struct err *e)
{
	bool some;

	if (!admin_may_everywhere(s->call, MAY_ADMIN, e) || !read_wish(s, e) ||
		!check_target(s, e) || !changes(s, &some, e))
		return false;
	if (some)
		return choose(s, e);
	answer(s, false);
	return true;
}

void ca_switch(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	struct err e = ERR_INIT;
	struct change *s = mem_new(sizeof(*s), &e);

	if (s) {
		s->r = r;
		s->call = c;
		s->setup = registrar_setup_take(r);
		s->from = issuing_slot(s->setup);
		if (begin(s, &e))
			return;
		change_free(s);
	}
	call_reply_err(c, &r->log, "admin-failed", &e);
}
