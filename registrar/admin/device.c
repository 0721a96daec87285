/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs as a table. Each looks at the device, says what is in the way, and queues its
 * transaction; the answer comes when that is durable. What was looked at has to be what is changed:
 * the transaction asks for the revision. */
#include "registrar/admin/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/wire/percent.h"
#include "registrar/admin/answer.h"
#include "registrar/admin/guard.h"
#include "registrar/admin/object.h"
#include "registrar/admin/scope.h"
#include "registrar/admin/sites.h"
#include "registrar/records/devices.h"
#include "registrar/records/sites.h"
#include "registrar/revoked.h"

struct act;

struct verb {
	const char *name;
	const char *done;  /* the line in the journal: device/done */
	const char *event; /* in the log */
	enum standing as;  /* where the device is retired */
	bool (*check)(struct act *a, struct err *e);
	bool (*write)(struct act *a, const struct records_writer *w, struct journal_entry *j,
		struct err *e);
};

struct act {
	struct registrar *r;
	struct call *call;
	const struct verb *verb;
	json_t *body;
	struct device_facts device;
	const char *reason; /* the body's; or NULL */
	bool nothing_to_do;

	/* what the verbs found out */
	const char *site; /* move: the body's */
	struct buf labels;
	struct device_facts by; /* replace */
	char what[JOURNAL_REASON_MAX + 1];
};

static void act_free(struct act *a)
{
	json_decref(a->body);
	device_facts_clear(&a->device);
	device_facts_clear(&a->by);
	buf_clear(&a->labels);
	free(a);
}

/* What stands in the way, for log, program and person. */
static bool in_the_way(struct err *e, const char *code, const char *sentence)
{
	err_set(e, ERR_CONFLICT, "%s", sentence);
	err_code(e, code);
	return err_tell(e, "%s", sentence);
}

/* ---- Which device? ---- */

void device_facts_clear(struct device_facts *d)
{
	free(d->manufacturer);
	free(d->serial);
	free(d->labels);
	memset(d, 0, sizeof(*d));
}

/* An approval that is over at the moment `now` counts no longer. */
static bool take_facts(
	struct device_facts *d, const struct claim_row *row, int64_t now, struct err *e)
{
	d->id = row->id;
	d->revision = row->revision;
	d->claim = row->until && row->until <= now ? CLAIM_EXPIRED : row->claim;
	d->state = row->state;
	d->standing = row->standing;
	d->replaced_by = row->replaced_by;
	d->marks = row->marks;
	d->seen = row->first_seen != 0;
	snprintf(d->site, sizeof(d->site), "%s", row->site);
	d->manufacturer = str_dup(row->manufacturer, e);
	d->serial = d->manufacturer ? str_dup(row->serial, e) : NULL;
	if (row->labels && d->serial && !(d->labels = str_dup(row->labels, e)))
		return false;
	return d->serial != NULL;
}

struct search {
	const struct call *call;
	const char *manufacturer;
	struct device_facts *out;
	int64_t now;
	size_t count; /* of different devices */
};

static bool note_device(void *arg, const struct claim_row *row, struct err *e)
{
	struct search *s = arg;

	if ((s->manufacturer && strcmp(s->manufacturer, row->manufacturer) != 0) ||
		!admin_sees(s->call, row->manufacturer, row->site) ||
		(s->count > 0 && s->out->id == row->id))
		return true;
	return s->count++ > 0 || take_facts(s->out, row, s->now, e);
}

bool device_find(struct registrar *r, const struct call *c, const char *name,
	const char *manufacturer, struct device_facts *out, struct err *e)
{
	struct search s = {c, manufacturer, out, registrar_now(r), 0};
	int64_t number;

	memset(out, 0, sizeof(*out));
	if (!records_find_by_serial(r->store, name, note_device, &s, e) ||
		(admin_parse_number(name, &number) &&
			!records_find_by_id(r->store, number, note_device, &s, e)))
		return false;
	if (s.count == 1)
		return true;
	if (s.count > 1)
		return in_the_way(e, "ambiguous",
			"Several devices go by this name: say the manufacturer or the number.");
	err_set(e, ERR_NOT_FOUND, "no device \"%s\"", name);
	return err_tell(e, "No such device was seen here.");
}

/* ---- The verbs ---- */

static void put_reason(struct act *a, const char *what)
{
	snprintf(a->what, sizeof(a->what), "%s%s%s", what, a->reason && *what ? ": " : "",
		a->reason ? a->reason : "");
	text_make_utf8(a->what, '?');
}

static bool check_quarantine(struct act *a, struct err *e)
{
	if (a->device.standing == STANDING_QUARANTINED)
		return in_the_way(e, "quarantined", "This device is quarantined already.");
	if (a->device.state == DEVICE_REVOKED)
		return in_the_way(e, "retired",
			"The certificates of this device are revoked: there is nothing to shut "
			"out.");
	put_reason(a, "");
	return true;
}

static bool write_quarantine(
	struct act *a, const struct records_writer *w, struct journal_entry *j, struct err *e)
{
	return records_quarantine(w, a->device.revision, a->reason, j, e);
}

static bool check_release(struct act *a, struct err *e)
{
	put_reason(a, "");
	return a->device.standing == STANDING_QUARANTINED ||
	       in_the_way(e, "not-quarantined", "This device is not quarantined.");
}

static bool write_release(
	struct act *a, const struct records_writer *w, struct journal_entry *j, struct err *e)
{
	return records_release(w, a->device.revision, j, e);
}

static bool check_clear(struct act *a, struct err *e)
{
	if (a->device.marks == 0)
		return in_the_way(e, "not-marked", "This device bears no marks.");
	if (!a->reason)
		return admin_bad(e, "Say as the reason why the marks may go.");
	put_reason(a, "");
	return true;
}

static bool write_clear(
	struct act *a, const struct records_writer *w, struct journal_entry *j, struct err *e)
{
	return records_clear_marks(w, a->device.revision, j, e);
}

static bool check_retire(struct act *a, struct err *e)
{
	const struct device_facts *d = &a->device;

	put_reason(a, "");
	if (d->state == DEVICE_NEW)
		return in_the_way(
			e, "not-joined", "This device has not joined: reject its claim instead.");
	if (d->state == DEVICE_REVOKED && d->claim != CLAIM_APPROVED && d->standing >= a->verb->as)
		return in_the_way(e, "retired",
			"This device is revoked already, and was not approved since.");
	return true;
}

static bool write_retire(
	struct act *a, const struct records_writer *w, struct journal_entry *j, struct err *e)
{
	return records_retire(w, a->verb->as, a->device.revision, j, e);
}

/* Nobody goes round a site that asks for two approvers by its neighbour. */
static bool is_approved_enough(const struct act *a, struct err *e)
{
	struct site_policy here, there;

	if (a->device.state == DEVICE_VOUCHED || a->device.state == DEVICE_ENROLLED ||
		(a->device.claim != CLAIM_APPROVED && a->device.claim != CLAIM_PREAPPROVED))
		return true; /* it is in already, or needs them all still */
	if (!records_site_policy(a->r->store, a->device.site, &here, e) ||
		!records_site_policy(a->r->store, a->site, &there, e))
		return false;
	return there.approvers <= here.approvers ||
	       in_the_way(e, "needs-approval",
		       "Two administrators approve devices of that site: have it approved there.");
}

static bool check_move(struct act *a, struct err *e)
{
	if (!json_get_string(a->body, "site", &a->site, e))
		return false;
	if (!a->site)
		return admin_bad(e, "A site is missing.");
	if (!admin_site_check(a->r, a->site, e))
		return false;
	if (!admin_sees(a->call, a->device.manufacturer, a->site))
		return admin_no_site(e, a->site);
	if (!admin_may_or(a->call, MAY_OPERATE, a->device.manufacturer, a->site, e))
		return false;
	if (!is_approved_enough(a, e))
		return false;
	a->nothing_to_do = strcmp(a->site, a->device.site) == 0;
	snprintf(a->what, sizeof(a->what), "from %s to %s%s%s", a->device.site, a->site,
		a->reason ? ": " : "", a->reason ? a->reason : "");
	text_make_utf8(a->what, '?');
	return true;
}

static bool write_move(
	struct act *a, const struct records_writer *w, struct journal_entry *j, struct err *e)
{
	return records_move(w, a->device.revision, a->site, j, e);
}

/* The labels it has, less those to remove, with those to set. */
static json_t *new_labels(struct act *a, struct err *e)
{
	json_t *set = json_object_get(a->body, "set"), *gone = json_object_get(a->body, "remove");
	json_t *labels, *name;
	size_t i;

	if ((!set && !gone) || (set && !labels_check(set, e)) || (gone && !json_is_array(gone))) {
		if (e->kind == ERR_NONE)
			admin_bad(e, "Say what to set, an object, or what to remove, an array of "
				     "names.");
		return NULL;
	}
	labels = a->device.labels ? json_parse_object(bytes_of_str(a->device.labels), e)
				  : json_object();
	json_array_foreach(gone, i, name) if (json_is_string(name))
		json_object_del(labels, json_string_value(name));
	if (labels && set && json_object_update(labels, set) != 0) {
		json_decref(labels);
		labels = NULL;
	}
	if (!labels && e->kind == ERR_NONE)
		err_set(e, ERR_NO_MEMORY, "no memory for labels");
	return labels;
}

static bool check_label(struct act *a, struct err *e)
{
	JSON_AUTO json_t *labels = new_labels(a, e);

	if (!labels || !labels_check(labels, e) || !json_format(labels, &a->labels, e))
		return false;
	put_reason(a, buf_str(&a->labels));
	a->nothing_to_do =
		strcmp(buf_str(&a->labels), a->device.labels ? a->device.labels : "{}") == 0;
	return true;
}

static bool write_label(
	struct act *a, const struct records_writer *w, struct journal_entry *j, struct err *e)
{
	return records_label(w, a->device.revision, buf_str(&a->labels), j, e);
}

/* ---- One device in place of another ---- */

static bool note_exact(void *arg, const struct claim_row *row, struct err *e)
{
	struct search *s = arg;

	return strcmp(s->manufacturer, row->manufacturer) != 0 ||
	       take_facts(s->out, row, s->now, e);
}

/* The new device, by its serial-number; one that nobody has seen is as good. */
static bool find_other(struct act *a, struct err *e)
{
	const char *serial = NULL, *manufacturer = NULL;
	struct search s = {a->call, NULL, &a->by, registrar_now(a->r), 0};

	if (!json_get_string(a->body, "with", &serial, e) ||
		!json_get_string(a->body, "with_manufacturer", &manufacturer, e))
		return false;
	if (!serial || !*serial || strlen(serial) > DEVICE_NAME_MAX)
		return admin_bad(e, "The serial-number of the new device is missing.");
	s.manufacturer = manufacturer ? manufacturer : a->device.manufacturer;
	if (!registrar_knows_manufacturer(a->r, s.manufacturer))
		return admin_bad(e, "No manufacturer of this name is configured.");
	if (!records_find_by_serial(a->r->store, serial, note_exact, &s, e))
		return false;
	if (a->by.id)
		return true;
	a->by.manufacturer = str_dup(s.manufacturer, e);
	a->by.serial = a->by.manufacturer ? str_dup(serial, e) : NULL;
	return a->by.serial != NULL;
}

static bool may_take_over(const struct act *a, struct err *e)
{
	const struct device_facts *d = &a->by;
	bool in_use = d->state == DEVICE_VOUCHED || d->state == DEVICE_ENROLLED ||
		      d->state == DEVICE_REFUSED || d->state == DEVICE_REVOKED;

	if (d->id == a->device.id)
		return admin_bad(e, "A device does not replace itself.");
	if (d->id && !admin_may_or(a->call, MAY_OPERATE, d->manufacturer, d->site, e))
		return false;
	if (!admin_may_or(a->call, MAY_OPERATE, d->manufacturer, a->device.site, e))
		return false; /* where it will be; nobody has seen it there */
	if (d->claim == CLAIM_REJECTED)
		return in_the_way(e, "rejected", "The new device was rejected.");
	if (d->standing == STANDING_QUARANTINED)
		return in_the_way(e, "quarantined", "The new device is quarantined.");
	if (in_use && !json_is_true(json_object_get(a->body, "force")))
		return in_the_way(e, "in-use",
			"The new device has joined already, or was refused or revoked: say force "
			"if it is meant.");
	return true;
}

/* The approval that comes with it is one administrator's. */
static bool one_is_enough(const struct act *a, struct err *e)
{
	struct site_policy policy;

	if (!records_site_policy(a->r->store, a->device.site, &policy, e))
		return false;
	return policy.approvers < 2 || a->by.claim == CLAIM_APPROVED ||
	       a->by.claim == CLAIM_PREAPPROVED ||
	       in_the_way(e, "needs-approval",
		       "Two administrators approve devices of this site: have the new one approved "
		       "first.");
}

static bool check_replace(struct act *a, struct err *e)
{
	char what[JOURNAL_REASON_MAX + 1];

	if (a->device.standing == STANDING_REPLACED && a->device.replaced_by)
		return in_the_way(e, "retired", "This device was replaced already.");
	if (!find_other(a, e) || !may_take_over(a, e) || !one_is_enough(a, e))
		return false;
	snprintf(what, sizeof(what), "by %s %s", a->by.manufacturer, a->by.serial);
	put_reason(a, what);
	return true;
}

static bool write_replace(
	struct act *a, const struct records_writer *w, struct journal_entry *j, struct err *e)
{
	FREE_AUTO char *reason = str_printf(e, "replaces %s %s%s%s", a->device.manufacturer,
		a->device.serial, a->reason ? ": " : "", a->reason ? a->reason : "");
	const struct replacement p = {
		.by = {a->by.manufacturer, a->by.serial},
		.revision = a->device.revision,
		.by_revision = a->by.revision,
		.by_seen = a->by.seen,
		.until = registrar_approval_end(a->r, j->at),
		.reason = reason,
	};

	return reason && records_replace(w, &p, j, e);
}

static const struct verb verbs[] = {
	{"quarantine", "quarantined", "device-quarantined", STANDING_NONE, check_quarantine,
		write_quarantine},
	{"release", "released", "device-released", STANDING_NONE, check_release, write_release},
	{"clear", "cleared", "device-cleared", STANDING_NONE, check_clear, write_clear},
	{"revoke", "revoked", "device-revoked", STANDING_REVOKED, check_retire, write_retire},
	{"decommission", "decommissioned", "device-decommissioned", STANDING_DECOMMISSIONED,
		check_retire, write_retire},
	{"replace", "replaced", "device-replaced", STANDING_REPLACED, check_replace, write_replace},
	{"move", "moved", "device-moved", STANDING_NONE, check_move, write_move},
	{"label", "labelled", "device-labelled", STANDING_NONE, check_label, write_label},
};

/* ---- The answer ---- */

struct shown {
	struct standing_rule rule;
	json_t *object;
	int64_t revision;
};

static bool take_object(void *arg, const struct claim_row *row, struct err *e)
{
	struct shown *s = arg;

	s->object = admin_claim_object(row, &s->rule);
	s->revision = row->revision;
	return s->object || err_set(e, ERR_NO_MEMORY, "no memory for a device");
}

static void answer(struct act *a, int64_t certificates)
{
	struct shown s = {.rule = standing_rule_of(a->r)};
	struct err e = ERR_INIT;

	if (!records_find_by_id(a->r->store, a->device.id, take_object, &s, &e)) {
		call_reply_err(a->call, &a->r->log, "admin-failed", &e);
		return;
	}
	if (s.object && a->verb->as != STANDING_NONE)
		json_object_set_new(s.object, "certificates", json_integer(certificates));
	admin_reply_tagged(a->call, a->r, s.object, s.revision);
	json_decref(s.object);
}

static void on_changed(void *arg, const int64_t *changed, const struct err *e)
{
	struct act *a = arg;
	struct err stale = ERR_INIT;
	bool retires = a->verb->as != STANDING_NONE;

	if (e && e->kind == ERR_CONFLICT) {
		err_set(&stale, ERR_STALE, "device %s was changed meanwhile", a->device.serial);
		e = &stale;
	}
	if (e) {
		call_reply_err(a->call, &a->r->log, "admin-failed", e);
	} else {
		log_event(&a->r->log, LOG_LEVEL_INFO, a->verb->event, call_exchange(a->call),
			"manufacturer", a->device.manufacturer, "serial", a->device.serial, "by",
			admin_by(a->call), "reason", a->what[0] ? a->what : NULL, NULL);
		if (retires)
			registrar_count_claims(a->r);
		if (retires)
			revoked_publish(a->r);
		answer(a, changed[a->verb->as == STANDING_REPLACED ? 2 : 1]);
	}
	act_free(a);
}

/* ---- The request ---- */

static bool read_path(struct act *a, struct buf *name, struct err *e)
{
	const char *rest = call_path(a->call) + strlen(DEVICES_PATH);
	const char *slash = strrchr(rest, '/');

	for (size_t i = 0; slash && i < sizeof(verbs) / sizeof(*verbs); i++)
		if (strcmp(slash + 1, verbs[i].name) == 0)
			a->verb = &verbs[i];
	if (!a->verb)
		return err_set(e, ERR_NOT_FOUND, "no such action");
	return percent_decode(bytes_of(rest, (size_t)(slash - rest)), name, e);
}

static bool read_body(struct act *a, const char **manufacturer, struct err *e)
{
	*manufacturer = NULL;
	a->body = admin_body(a->call, e);
	if (!a->body || !json_get_string(a->body, "manufacturer", manufacturer, e) ||
		!json_get_string(a->body, "reason", &a->reason, e))
		return false;
	if (a->reason && strlen(a->reason) > REASON_LEN_MAX)
		return admin_bad(e, "The reason is too long.");
	if (a->reason && !*a->reason)
		a->reason = NULL;
	return true;
}

/* All that can be said before anything is written. */
static bool look(struct act *a, struct err *e)
{
	BUF_AUTO struct buf name = BUF_INIT(DEVICE_NAME_MAX);
	const char *manufacturer;

	return read_path(a, &name, e) && read_body(a, &manufacturer, e) &&
	       device_find(a->r, a->call, buf_str(&name), manufacturer, &a->device, e) &&
	       admin_may_or(a->call, MAY_OPERATE, a->device.manufacturer, a->device.site, e) &&
	       admin_check_revision(a->call, a->device.revision, e) && a->verb->check(a, e);
}

static bool start(struct act *a, struct err *e)
{
	const struct records_writer w = {a->r->store, call_loop(a->call), on_changed, a};
	struct journal_entry j = {
		.at = registrar_now(a->r),
		.exchange = call_exchange(a->call),
		.device = {a->device.manufacturer, a->device.serial},
		.actor = admin_by(a->call),
		.step = "device",
		.outcome = a->verb->done,
		.reason = a->what[0] ? a->what : NULL,
	};

	return a->verb->write(a, &w, &j, e);
}

void devices_change(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	struct err e = ERR_INIT;
	struct act *a = mem_new(sizeof(*a), &e);

	if (a) {
		a->r = r;
		a->call = c;
		buf_init(&a->labels, LABELS_TEXT_MAX);
		if (look(a, &e)) {
			if (a->nothing_to_do || json_is_true(json_object_get(a->body, "dry_run"))) {
				answer(a, 0);
				act_free(a);
				return;
			}
			if (start(a, &e))
				return;
		}
		act_free(a);
	}
	call_reply_err(c, &r->log, "admin-failed", &e);
}
