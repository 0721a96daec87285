/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of each transaction; the SQL is in records/sql.c. */
#include "registrar/records/devices.h"

#include "registrar/records/claims.h"
#include "registrar/records/sql.h"

/* One statement whose last three parameters are the device and its revision, and the line. */
static bool change(const struct records_writer *w, struct store_op op, int64_t revision,
	const struct journal_entry *j, struct err *e)
{
	struct store_op ops[2];

	op.params[op.param_count++] = store_text(j->device.manufacturer);
	op.params[op.param_count++] = store_text(j->device.serial);
	op.params[op.param_count++] = STORE_I(revision);
	op.must_change = true;
	ops[0] = op;
	ops[1] = journal_op(j);
	return records_write(w, ops, 2, e);
}

bool records_quarantine(const struct records_writer *w, int64_t revision, const char *reason,
	const struct journal_entry *j, struct err *e)
{
	const struct store_op op = {
		.statement = QUARANTINE_DEVICE,
		.params = {STORE_I(j->at), store_text(reason)},
		.param_count = 2,
	};

	return change(w, op, revision, j, e);
}

bool records_release(const struct records_writer *w, int64_t revision,
	const struct journal_entry *j, struct err *e)
{
	return change(w, (struct store_op){.statement = RELEASE_DEVICE}, revision, j, e);
}

bool records_clear_marks(const struct records_writer *w, int64_t revision,
	const struct journal_entry *j, struct err *e)
{
	return change(w, (struct store_op){.statement = CLEAR_MARKS}, revision, j, e);
}

bool records_move(const struct records_writer *w, int64_t revision, const char *site,
	const struct journal_entry *j, struct err *e)
{
	const struct store_op op = {
		.statement = MOVE_DEVICE, .params = {store_text(site)}, .param_count = 1};

	return change(w, op, revision, j, e);
}

bool records_label(const struct records_writer *w, int64_t revision, const char *labels,
	const struct journal_entry *j, struct err *e)
{
	const struct store_op op = {
		.statement = LABEL_DEVICE, .params = {store_text(labels)}, .param_count = 1};

	return change(w, op, revision, j, e);
}

static struct store_op revoke_certificates(const struct journal_entry *j)
{
	return (struct store_op){
		.statement = REVOKE_CERTIFICATES,
		.params = {STORE_I(j->at), store_text(j->device.manufacturer),
			store_text(j->device.serial)},
		.param_count = 3,
	};
}

bool records_retire(const struct records_writer *w, enum standing as, int64_t revision,
	const struct journal_entry *j, struct err *e)
{
	const struct store_op ops[] = {
		{.statement = RETIRE_DEVICE,
			.params = {STORE_I(j->at), STORE_I(as), store_text(j->device.manufacturer),
				store_text(j->device.serial), STORE_I(revision)},
			.param_count = 5,
			.must_change = true},
		revoke_certificates(j),
		journal_op(j),
	};

	return records_write(w, ops, sizeof(ops) / sizeof(*ops), e);
}

bool records_replace(const struct records_writer *w, const struct replacement *p,
	const struct journal_entry *j, struct err *e)
{
	const struct journal_entry approval = {
		.at = j->at,
		.exchange = j->exchange,
		.device = p->by,
		.actor = j->actor,
		.step = "claim",
		.outcome = claim_state_name(p->by_seen ? CLAIM_APPROVED : CLAIM_PREAPPROVED),
		.reason = p->reason,
	};
	const struct store_op ops[] = {
		{.statement = ADD_REPLACEMENT,
			.params = {store_text(p->by.manufacturer), store_text(p->by.serial),
				STORE_I(j->at), STORE_I(p->until), store_text(p->reason),
				store_text(j->actor), store_text(j->device.manufacturer),
				store_text(j->device.serial), STORE_I(p->by_revision)},
			.param_count = 9,
			.must_change = true},
		{.statement = REPLACE_DEVICE,
			.params = {STORE_I(j->at), store_text(p->by.manufacturer),
				store_text(p->by.serial), store_text(j->device.manufacturer),
				store_text(j->device.serial), STORE_I(p->revision)},
			.param_count = 6,
			.must_change = true},
		revoke_certificates(j),
		journal_op(j),
		journal_op(&approval),
	};

	return records_write(w, ops, sizeof(ops) / sizeof(*ops), e);
}

/* ---- Finding ---- */

struct finder {
	records_claim_fn *fn;
	void *arg;
	int64_t rows, last;
};

static bool on_found(void *arg, const struct claim_row *row, struct err *e)
{
	struct finder *f = arg;

	f->rows++;
	f->last = row->id;
	return f->fn(f->arg, row, e);
}

static bool last_row(void *arg, const struct store_row *r, struct err *e)
{
	*(int64_t *)arg = store_row_int(r, 0);
	return true;
}

static bool find_anywhere(struct store *s, const char *text, int64_t after, int64_t limit,
	struct finder *f, int64_t *next, struct err *e)
{
	struct claim_reader reader = {on_found, f};
	int64_t last = 0, to = after + SEARCH_ROWS_MAX;

	if (!store_read(s, LAST_DEVICE, NULL, 0, last_row, &last, NULL, e) ||
		!READ(s, FIND_ANYWHERE, records_claim_row, &reader, e, STORE_I(after), STORE_I(to),
			store_text(text), STORE_I(limit)))
		return false;
	if (f->rows == limit)
		*next = f->last;
	else
		*next = to < last ? to : 0;
	return true;
}

static bool find_by_prefix(struct store *s, const char *text, int64_t after, int64_t limit,
	struct finder *f, int64_t *next, struct err *e)
{
	struct claim_reader reader = {on_found, f};
	FREE_AUTO char *end = str_printf(e, "%s%s", text, RANGE_END);

	if (!end || !READ(s, FIND_BY_PREFIX, records_claim_row, &reader, e, store_text(text),
			    store_text(end), STORE_I(after), STORE_I(limit)))
		return false;
	*next = f->rows == limit ? f->last : 0;
	return true;
}

bool records_find_devices(struct store *s, const char *text, bool anywhere, int64_t after,
	int64_t limit, records_claim_fn *fn, void *arg, int64_t *next, struct err *e)
{
	struct finder f = {.fn = fn, .arg = arg};

	return anywhere ? find_anywhere(s, text, after, limit, &f, next, e)
			: find_by_prefix(s, text, after, limit, &f, next, e);
}
