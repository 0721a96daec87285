/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of each transaction; the SQL is in records_sql.c. */
#include "registrar/records_devices.h"

#include "registrar/records_sql.h"

static struct store_op journal_op(const struct journal_entry *j)
{
	return (struct store_op){
		.statement = ADD_JOURNAL,
		.params = {STORE_I(j->at), store_text(j->exchange),
			store_text(j->device.manufacturer), store_text(j->device.serial),
			store_text(j->actor), store_text(j->step), store_text(j->outcome),
			store_text(j->reason)},
		.param_count = 8,
	};
}

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
	return store_write(w->store, ops, 2, w->loop, w->done, w->arg, e);
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

	return store_write(w->store, ops, sizeof(ops) / sizeof(*ops), w->loop, w->done, w->arg, e);
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

	return store_write(w->store, ops, sizeof(ops) / sizeof(*ops), w->loop, w->done, w->arg, e);
}
