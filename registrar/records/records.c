/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as structs and back: each function of records.h puts the values of its statements in their
 * order, and the operations of a transaction together. The SQL is in records/sql.c. */
#include "registrar/records/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "registrar/limits.h"
#include "registrar/records/ahead.h"
#include "registrar/records/sql.h"

#define DAY_S 86400

static const char *const claim_names[CLAIM_STATE_COUNT] = {
	"none", "pending", "approved", "rejected", "preapproved", "expired", "announced"};
static const char *const history_names[HISTORY_STATE_COUNT] = {
	"unknown", "good", "warned", "refused"};

const char *claim_state_name(enum claim_state s)
{
	return claim_names[s];
}

bool claim_state_parse(const char *name, enum claim_state *out)
{
	for (size_t i = 0; i < CLAIM_STATE_COUNT; i++)
		if (strcmp(name, claim_names[i]) == 0) {
			*out = (enum claim_state)i;
			return true;
		}
	return false;
}

const char *history_state_name(enum history_state s)
{
	return history_names[s];
}

/* ---- Reading ---- */

static void copy_digest(uint8_t out[SHA256_LEN], struct bytes blob)
{
	if (blob.len == SHA256_LEN)
		memcpy(out, blob.data, SHA256_LEN);
}

static void copy_text(char *out, size_t size, const char *text)
{
	size_t len = text ? strnlen(text, size - 1) : 0;

	if (len)
		memcpy(out, text, len);
	out[len] = '\0';
}

static void fraud_columns(struct device_record *d, const struct store_row *r, int at)
{
	d->marks = store_row_int(r, at);
	copy_digest(d->key_sha256, store_row_blob(r, at + 1));
	copy_text(d->address, sizeof(d->address), store_row_text(r, at + 2));
	copy_text(d->address_before, sizeof(d->address_before), store_row_text(r, at + 3));
	d->moved_at = store_row_int(r, at + 4);
	d->vouched_at = store_row_int(r, at + 5);
	d->renewed_at = store_row_int(r, at + 6);
	d->day = store_row_int(r, at + 7);
	d->joins = store_row_int(r, at + 8);
	d->certificates = store_row_int(r, at + 9);
}

static bool device_row(void *arg, const struct store_row *r, struct err *e)
{
	struct device_record *d = arg;
	const char *type = store_row_text(r, 7), *site = store_row_text(r, 15),
		   *announced = store_row_text(r, 26);

	d->found = true;
	d->id = store_row_int(r, 0);
	d->claim = (enum claim_state)store_row_int(r, 1);
	d->state = (enum device_state)store_row_int(r, 2);
	d->history = (enum history_state)store_row_int(r, 3);
	copy_digest(d->idevid_sha256, store_row_blob(r, 4));
	copy_digest(d->request_sha256, store_row_blob(r, 5));
	copy_digest(d->registrar_sha256, store_row_blob(r, 6));
	if (type && strlen(type) <= MEDIA_TYPE_KEPT)
		memcpy(d->voucher_type, type, strlen(type) + 1);
	d->last_seen = store_row_int(r, 8);
	d->claim_until = store_row_int(r, 9);
	d->quarantined_at = store_row_int(r, 10);
	d->not_after = store_row_int(r, 11);
	d->standing = (enum standing)store_row_int(r, 12);
	d->revision = store_row_int(r, 13);
	d->decided_at = store_row_int(r, 14);
	copy_text(d->site, sizeof(d->site), site);
	fraud_columns(d, r, 16);
	copy_text(d->announced, sizeof(d->announced), announced);
	return true;
}

bool records_device(
	struct store *s, struct device_key key, struct device_record *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	return READ(s, READ_DEVICE, device_row, out, e, store_text(key.manufacturer),
		store_text(key.serial));
}

enum claim_state device_record_claim(const struct device_record *d, int64_t now)
{
	bool approved = d->claim == CLAIM_APPROVED || d->claim == CLAIM_PREAPPROVED;

	return approved && d->claim_until && d->claim_until <= now ? CLAIM_EXPIRED : d->claim;
}

struct blob_reader {
	struct buf *out;
	bool found;
};

static bool blob_row(void *arg, const struct store_row *r, struct err *e)
{
	struct blob_reader *b = arg;
	struct bytes blob = store_row_blob(r, 0);

	b->found = true;
	return buf_append(b->out, blob.data, blob.len, e);
}

bool records_voucher(struct store *s, struct device_key key, struct buf *out, struct err *e)
{
	struct blob_reader b = {out, false};

	if (!READ(s, READ_VOUCHER, blob_row, &b, e, store_text(key.manufacturer),
		    store_text(key.serial)))
		return false;
	return b.found || err_set(e, ERR_NOT_FOUND, "no voucher of \"%s\"", key.serial);
}

bool records_registrar_request(
	struct store *s, struct device_key key, struct buf *out, struct err *e)
{
	struct blob_reader b = {out, false};

	if (!READ(s, READ_REGISTRAR_REQUEST, blob_row, &b, e, store_text(key.manufacturer),
		    store_text(key.serial)))
		return false;
	return b.found || err_set(e, ERR_NOT_FOUND, "no registrar request of \"%s\"", key.serial);
}

void certificate_record_clear(struct certificate_record *c)
{
	free(c->manufacturer);
	free(c->serial);
	memset(c, 0, sizeof(*c));
}

static bool certificate_row(void *arg, const struct store_row *r, struct err *e)
{
	struct certificate_record *c = arg;
	const char *manufacturer = store_row_text(r, 0), *serial = store_row_text(r, 1);

	if (!manufacturer || !serial)
		return err_set(e, ERR_STORE, "certificate without a device");
	c->manufacturer = str_dup(manufacturer, e);
	c->serial = c->manufacturer ? str_dup(serial, e) : NULL;
	if (!c->serial)
		return false;
	c->not_after = store_row_int(r, 2);
	c->revoked_at = store_row_int(r, 3);
	c->issued_at = store_row_int(r, 4);
	c->found = true;
	return true;
}

bool records_certificate(struct store *s, const uint8_t sha256[SHA256_LEN],
	struct certificate_record *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	if (READ(s, READ_CERTIFICATE, certificate_row, out, e,
		    store_blob(bytes_of(sha256, SHA256_LEN))))
		return true;
	certificate_record_clear(out);
	return false;
}

bool records_certificate_for(struct store *s, const uint8_t csr_sha256[SHA256_LEN],
	const uint8_t client_sha256[SHA256_LEN], int64_t since, struct buf *der, struct err *e)
{
	struct blob_reader b = {der, false};

	if (!READ(s, READ_CERTIFICATE_FOR, blob_row, &b, e,
		    store_blob(bytes_of(csr_sha256, SHA256_LEN)),
		    store_blob(bytes_of(client_sha256, SHA256_LEN)), STORE_I(since)))
		return false;
	return b.found || err_set(e, ERR_NOT_FOUND, "no certificate for this request");
}

static bool count_row(void *arg, const struct store_row *r, struct err *e)
{
	int64_t *out = arg;

	*out = store_row_int(r, 0);
	return true;
}

bool records_count_claims(struct store *s, enum claim_state state, int64_t *out, struct err *e)
{
	*out = 0;
	return READ(s, READ_TALLY, count_row, out, e, store_text("claim"), STORE_I(state));
}

bool records_count_devices(struct store *s, enum standing standing, int64_t *out, struct err *e)
{
	*out = 0;
	return READ(s, READ_TALLY, count_row, out, e, store_text("device"), STORE_I(standing));
}

bool records_count_ending(struct store *s, int64_t from, int64_t to, int64_t *out, struct err *e)
{
	*out = 0;
	return READ(s, COUNT_ENDING, count_row, out, e, STORE_I(from / DAY_S), STORE_I(to / DAY_S));
}

bool records_oldest_pending(struct store *s, int64_t *first_seen, struct err *e)
{
	*first_seen = 0;
	return store_read(s, OLDEST_PENDING, NULL, 0, count_row, first_seen, NULL, e);
}

/* ---- Writing ---- */

/* The operations of one transaction, put together step by step. Ten kilobytes of which most have a
 * tenth: only what counts is ever set. */
struct transaction {
	size_t count;
	struct store_op ops[STORE_OPS_MAX];
	char reason[JOURNAL_REASON_MAX + 1]; /* of its line in the journal */
};

static void add_op(struct transaction *t, enum statement statement, bool must_change,
	const struct store_value *params, size_t param_count)
{
	struct store_op *op = &t->ops[t->count++];

	op->statement = (int)statement;
	op->must_change = must_change;
	op->rows = 0;
	op->param_count = param_count;
	if (param_count)
		memcpy(op->params, params, param_count * sizeof(*params));
}

#define ADD(t, statement, must_change, ...)                                                        \
	add_op(t, statement, must_change, (const struct store_value[]){__VA_ARGS__},               \
		sizeof((const struct store_value[]){__VA_ARGS__}) / sizeof(struct store_value))

static struct store_value digest_value(const uint8_t *sha256)
{
	return store_blob(bytes_of(sha256, SHA256_LEN));
}

static struct store_value moment(int64_t at)
{
	return at ? STORE_I(at) : (struct store_value){.type = STORE_NULL};
}

static struct store_value key_value(const struct request_record *r)
{
	return r->key_sha256 ? digest_value(r->key_sha256)
			     : (struct store_value){.type = STORE_NULL};
}

/* What is read as JSON later has to be UTF-8; a peer's words in a reason need not be. */
static const char *clean_reason(struct transaction *t, const char *reason)
{
	if (!reason)
		return NULL;
	snprintf(t->reason, sizeof(t->reason), "%s", reason);
	text_make_utf8(t->reason, '?');
	return t->reason;
}

static void add_journal(struct transaction *t, const struct journal_entry *j)
{
	ADD(t, ADD_JOURNAL, false, STORE_I(j->at), store_text(j->exchange),
		store_text(j->device.manufacturer), store_text(j->device.serial),
		store_text(j->actor), store_text(j->step), store_text(j->outcome),
		store_text(clean_reason(t, j->reason)));
}

static void add_failure(struct transaction *t, const struct journal_entry *j, int64_t lines_max)
{
	add_journal(t, j);
	t->ops[t->count - 1].statement = ADD_FAILURE;
	t->ops[t->count - 1].params[t->ops[t->count - 1].param_count++] = STORE_I(lines_max - 1);
}

static void add_device(struct transaction *t, const struct request_record *r)
{
	ADD(t, ADD_DEVICE, false, store_text(r->device.manufacturer), store_text(r->device.serial),
		STORE_I(r->at), STORE_I(r->at), store_text(r->subject));
}

static void add_fraud(struct transaction *t, const struct fraud *f, const struct journal_entry *j)
{
	if (f)
		t->count += fraud_ops(f, j, &t->ops[t->count]);
}

static bool write_transaction(
	const struct records_writer *w, const struct transaction *t, struct err *e)
{
	return records_write(w, t->ops, t->count, e);
}

bool records_hold(const struct records_writer *w, const struct request_record *r,
	const struct journal_entry *j, struct err *e)
{
	struct transaction t;

	t.count = 0;
	add_device(&t, r);
	add_fraud(&t, r->fraud, j);
	ADD(&t, HOLD_DEVICE, false, digest_value(r->idevid_sha256), digest_value(r->request_sha256),
		digest_value(r->registrar_sha256), STORE_I(r->at),
		store_text(r->device.manufacturer), store_text(r->device.serial),
		store_text(r->address), store_text(r->model), STORE_I(r->spent), key_value(r),
		store_text(r->address_before), moment(r->moved_at));
	if (r->rule && (r->rule->site || r->rule->labels))
		ADD(&t, PLACE_BY_RULE, false, store_text(r->rule->site),
			store_text(r->rule->labels), store_text(r->device.manufacturer),
			store_text(r->device.serial));
	if (!r->waits)
		add_journal(&t, j);
	return write_transaction(w, &t, e);
}

bool records_touch(const struct records_writer *w, struct device_key key, int64_t at, struct err *e)
{
	struct transaction t;

	t.count = 0;
	ADD(&t, TOUCH_DEVICE, false, STORE_I(at), store_text(key.manufacturer),
		store_text(key.serial));
	return write_transaction(w, &t, e);
}

/* A claim that is still open, or none; and the rule has to have something left. */
static void approve_by_rule(
	struct transaction *t, const struct request_record *r, const struct journal_entry *j)
{
	const struct rule_use *u = r->rule;

	ADD(t, APPROVE_BY_RULE, true, store_text(u->reason), store_text(u->name), STORE_I(r->at),
		store_text(r->device.manufacturer), store_text(r->device.serial),
		store_text(u->site), store_text(u->labels));
	if (u->limited)
		ADD(t, USE_RULE, true, STORE_I(u->id));
	ADD(t, ADD_JOURNAL, false, STORE_I(j->at), store_text(j->exchange),
		store_text(r->device.manufacturer), store_text(r->device.serial),
		store_text(u->name), store_text("claim"), store_text("approved"),
		store_text(u->reason));
}

static void note_rejoined(struct transaction *t, const struct journal_entry *j)
{
	ADD(t, ADD_JOURNAL, false, STORE_I(j->at), store_text(j->exchange),
		store_text(j->device.manufacturer), store_text(j->device.serial), store_text(NULL),
		store_text("device"), store_text("rejoined"),
		store_text("its certificate had ended"));
}

bool records_keep_voucher(const struct records_writer *w, const struct request_record *r,
	struct bytes voucher, const char *voucher_type, struct bytes registrar_request,
	enum history_state history, const struct journal_entry *j, struct err *e)
{
	struct transaction t;

	t.count = 0;
	ADD(&t, SETTLE_CLAIM, false, store_text(r->device.manufacturer),
		store_text(r->device.serial), STORE_I(r->at));
	add_device(&t, r);
	if (r->rule)
		approve_by_rule(&t, r, j);
	ADD(&t, KEEP_VOUCHER, true, digest_value(r->idevid_sha256), digest_value(r->request_sha256),
		digest_value(r->registrar_sha256), STORE_I(r->at), STORE_I(r->at),
		store_blob(voucher), store_text(voucher_type),
		store_blob(registrar_request.len ? registrar_request : (struct bytes){0}),
		STORE_I(history), store_text(j->reason), store_text(r->device.manufacturer),
		store_text(r->device.serial), store_text(r->address), store_text(r->model),
		moment(r->rejoined ? r->at : 0), key_value(r), store_text(r->address_before),
		moment(r->moved_at), STORE_I(r->at / DAY_S));
	if (r->rejoined)
		note_rejoined(&t, j);
	if (r->ahead)
		ADD(&t, USE_AHEAD, false, STORE_I(r->at), store_text(r->device.manufacturer),
			store_text(r->device.serial), store_text(voucher_type));
	add_fraud(&t, r->fraud, j);
	add_journal(&t, j);
	return write_transaction(w, &t, e);
}

static void add_verdict(struct transaction *t, const struct request_record *r,
	enum history_state history, const struct journal_entry *j)
{
	add_device(t, r);
	if (history == HISTORY_REFUSED)
		ADD(t, REFUSE_DEVICE, false, STORE_I(history), store_text(j->reason),
			digest_value(r->idevid_sha256), STORE_I(r->at),
			store_text(r->device.manufacturer), store_text(r->device.serial));
	else
		ADD(t, JUDGE_HISTORY, true, STORE_I(history), store_text(j->reason),
			store_text(r->device.manufacturer), store_text(r->device.serial));
	add_fraud(t, r->fraud, j);
	add_journal(t, j);
}

bool records_judge_history(const struct records_writer *w, const struct request_record *r,
	enum history_state history, const struct journal_entry *j, struct err *e)
{
	struct transaction t;

	t.count = 0;
	add_verdict(&t, r, history, j);
	return write_transaction(w, &t, e);
}

bool records_check_ahead(const struct records_writer *w, int64_t id, const struct request_record *r,
	enum history_state history, const struct journal_entry *j, struct err *e)
{
	struct transaction t;

	t.count = 0;
	add_verdict(&t, r, history, j);
	ADD(&t, CHECK_AHEAD, false, STORE_I(r->at), STORE_I(id));
	return write_transaction(w, &t, e);
}

bool records_issue(const struct records_writer *w, const struct issued_record *c,
	const struct journal_entry *j, struct err *e)
{
	struct transaction t;

	t.count = 0;
	ADD(&t, ADD_CERTIFICATE, true, digest_value(c->sha256), store_text(c->serial_hex),
		store_text(c->device.manufacturer), store_text(c->device.serial),
		store_text(c->subject), STORE_I(c->at), STORE_I(c->not_after),
		digest_value(c->csr_sha256), digest_value(c->client_sha256), store_blob(c->der),
		STORE_I(c->repeat_since));
	ADD(&t, ENROLL_DEVICE, true, STORE_I(c->at), STORE_I(c->at),
		store_text(c->device.manufacturer), store_text(c->device.serial),
		STORE_I(c->not_after), moment(c->renewal ? c->at : 0), STORE_I(c->at / DAY_S));
	ADD(&t, DROP_OLD_CERTIFICATES, false, store_text(c->device.manufacturer),
		store_text(c->device.serial), STORE_I(c->at), STORE_I(c->keep - 1));
	add_fraud(&t, c->fraud, j);
	add_journal(&t, j);
	return write_transaction(w, &t, e);
}

bool records_status(const struct records_writer *w, struct device_key key, bool of_voucher,
	const char *text, const struct journal_entry *j, struct err *e)
{
	struct transaction t;

	t.count = 0;
	ADD(&t, of_voucher ? NOTE_VOUCHER_STATUS : NOTE_ENROLL_STATUS, false, store_text(text),
		STORE_I(j->at), store_text(key.manufacturer), store_text(key.serial));
	add_journal(&t, j);
	return write_transaction(w, &t, e);
}

bool records_journal(const struct records_writer *w, const struct journal_entry *j, struct err *e)
{
	struct transaction t;

	t.count = 0;
	add_journal(&t, j);
	return write_transaction(w, &t, e);
}

bool records_failure(const struct records_writer *w, const struct journal_entry *j,
	int64_t lines_max, struct err *e)
{
	struct transaction t;

	t.count = 0;
	add_failure(&t, j, lines_max);
	return write_transaction(w, &t, e);
}

bool records_journal_wait(struct store *s, const struct journal_entry *j, struct err *e)
{
	struct transaction t;

	t.count = 0;
	add_journal(&t, j);
	return store_write_wait(s, t.ops, t.count, NULL, e);
}

/* What ended, or will before long, since they were last looked at: at first nothing is told. */
static void ends_ops(struct transaction *t, const char *kind, int64_t until, int64_t now)
{
	ADD(t, BEGIN_ENDS, false, store_text(kind), STORE_I(until));
	ADD(t, NOTE_ENDS, false, store_text(kind), STORE_I(until), STORE_I(now));
	ADD(t, PASS_ENDS, false, store_text(kind), STORE_I(until));
}

bool records_sweep(const struct records_writer *w, const struct sweep_limits *l, struct err *e)
{
	struct transaction t;

	t.count = 0;
	ADD(&t, NOTE_EXPIRED, false, STORE_I(l->now));
	ADD(&t, EXPIRE_CLAIMS, false, STORE_I(l->now));
	ADD(&t, SWEEP_CLAIMS, false, STORE_I(l->claims_before));
	ADD(&t, SWEEP_JOURNAL_AGE, false, STORE_I(l->journal_before));
	ADD(&t, SWEEP_JOURNAL_ROWS, false, STORE_I(l->journal_rows));
	add_op(&t, SWEEP_HEADS, false, NULL, 0);
	ADD(&t, THIN_HEADS, false, STORE_I(l->heads_before));
	ADD(&t, SWEEP_CERTIFICATES, false, STORE_I(l->certificates_before));
	ends_ops(&t, "expiring", l->expiring, l->now);
	ends_ops(&t, "expired", l->now, l->now);
	return write_transaction(w, &t, e);
}

/* ---- The administrator ---- */

bool records_claim_row(void *arg, const struct store_row *r, struct err *e)
{
	const struct claim_reader *reader = arg;
	const struct claim_row row = {
		.id = store_row_int(r, 0),
		.manufacturer = store_row_text(r, 1),
		.serial = store_row_text(r, 2),
		.subject = store_row_text(r, 3),
		.claim = (enum claim_state)store_row_int(r, 4),
		.reason = store_row_text(r, 5),
		.by = store_row_text(r, 6),
		.state = (enum device_state)store_row_int(r, 7),
		.history = (enum history_state)store_row_int(r, 8),
		.history_reason = store_row_text(r, 9),
		.voucher_status = store_row_text(r, 10),
		.enroll_status = store_row_text(r, 11),
		.first_seen = store_row_int(r, 12),
		.last_seen = store_row_int(r, 13),
		.decided_at = store_row_int(r, 14),
		.vouched_at = store_row_int(r, 15),
		.enrolled_at = store_row_int(r, 16),
		.until = store_row_int(r, 17),
		.site = store_row_text(r, 18),
		.labels = store_row_text(r, 19),
		.model = store_row_text(r, 20),
		.address = store_row_text(r, 21),
		.revision = store_row_int(r, 22),
		.quarantined_at = store_row_int(r, 23),
		.quarantine_reason = store_row_text(r, 24),
		.retired_at = store_row_int(r, 25),
		.not_after = store_row_int(r, 26),
		.rejoined_at = store_row_int(r, 27),
		.replaces = store_row_int(r, 28),
		.replaced_by = store_row_int(r, 29),
		.marks = store_row_int(r, 30),
		.approvals = store_row_text(r, 31),
		.standing = (enum standing)store_row_int(r, 32),
	};

	return reader->fn(reader->arg, &row, e);
}

bool records_list_claims(struct store *s, enum claim_state state, int64_t after, int64_t limit,
	records_claim_fn *fn, void *arg, struct err *e)
{
	struct claim_reader reader = {fn, arg};

	if (state == CLAIM_STATE_COUNT)
		return READ(s, LIST_CLAIMS, records_claim_row, &reader, e, STORE_I(after),
			STORE_I(limit));
	return READ(s, LIST_CLAIMS_IN, records_claim_row, &reader, e, STORE_I(state),
		STORE_I(after), STORE_I(limit));
}

bool records_list_devices(struct store *s, int64_t after, int64_t limit, records_claim_fn *fn,
	void *arg, struct err *e)
{
	struct claim_reader reader = {fn, arg};

	return READ(s, LIST_DEVICES, records_claim_row, &reader, e, STORE_I(after), STORE_I(limit));
}

bool records_find_by_serial(
	struct store *s, const char *serial, records_claim_fn *fn, void *arg, struct err *e)
{
	struct claim_reader reader = {fn, arg};

	return READ(s, FIND_BY_SERIAL, records_claim_row, &reader, e, store_text(serial),
		STORE_I(MANUFACTURERS_MAX));
}

bool records_find_by_id(struct store *s, int64_t id, records_claim_fn *fn, void *arg, struct err *e)
{
	struct claim_reader reader = {fn, arg};

	return READ(s, FIND_BY_ID, records_claim_row, &reader, e, STORE_I(id));
}

struct certificate_reader {
	records_certificate_fn *fn;
	void *arg;
};

static bool listed_certificate_row(void *arg, const struct store_row *r, struct err *e)
{
	const struct certificate_reader *reader = arg;

	return reader->fn(reader->arg, store_row_text(r, 0), store_row_text(r, 1),
		store_row_int(r, 2), store_row_int(r, 3), store_row_int(r, 4), e);
}

bool records_list_certificates(struct store *s, struct device_key key, int64_t limit,
	records_certificate_fn *fn, void *arg, struct err *e)
{
	struct certificate_reader reader = {fn, arg};

	return READ(s, LIST_CERTIFICATES, listed_certificate_row, &reader, e,
		store_text(key.manufacturer), store_text(key.serial), STORE_I(limit));
}
