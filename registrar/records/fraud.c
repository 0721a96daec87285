/* SPDX-License-Identifier: Apache-2.0 */
/* Signals of fraud as rows: operations that others put into their transactions, and the one write
 * that is about nothing else. A line comes before the mark, because it is written only when the
 * mark is not there. */
#include "registrar/fraud.h"
#include "registrar/records/sql.h"

static struct store_op note_signal(
	const struct fraud *f, const struct journal_entry *j, enum fraud_signal signal)
{
	return (struct store_op){
		.statement = NOTE_SIGNAL,
		.params = {STORE_I(j->at), store_text(j->exchange),
			store_text(fraud_signal_names[signal]), store_text(f->reason[signal]),
			store_text(j->device.manufacturer), store_text(j->device.serial),
			STORE_I(FRAUD_BIT(signal))},
		.param_count = 7,
	};
}

/* The first of the signals that quarantine. */
static const char *quarantine_reason(const struct fraud *f)
{
	for (int i = 0; i < FRAUD_SIGNAL_COUNT; i++)
		if (f->found & f->quarantine_on & FRAUD_BIT(i))
			return fraud_signal_names[i];
	return NULL;
}

static struct store_op note_quarantine(const struct journal_entry *j, const char *reason)
{
	return (struct store_op){
		.statement = NOTE_FRAUD_QUARANTINE,
		.params = {STORE_I(j->at), store_text(j->exchange), store_text(reason),
			store_text(j->device.manufacturer), store_text(j->device.serial)},
		.param_count = 5,
	};
}

static struct store_op mark(
	const struct fraud *f, const struct journal_entry *j, const char *quarantine)
{
	return (struct store_op){
		.statement = MARK_DEVICE,
		.params = {STORE_I(f->found), STORE_I(quarantine != NULL), STORE_I(j->at),
			store_text(quarantine), store_text(j->device.manufacturer),
			store_text(j->device.serial)},
		.param_count = 6,
	};
}

_Static_assert(FRAUD_SIGNAL_COUNT + 2 == FRAUD_OPS_MAX, "a line each, the quarantine, the mark");

size_t fraud_ops(const struct fraud *f, const struct journal_entry *j, struct store_op *ops)
{
	const char *quarantine = quarantine_reason(f);
	size_t n = 0;

	if (f->found == 0)
		return 0;
	for (int i = 0; i < FRAUD_SIGNAL_COUNT; i++)
		if (f->found & FRAUD_BIT(i))
			ops[n++] = note_signal(f, j, (enum fraud_signal)i);
	if (quarantine)
		ops[n++] = note_quarantine(j, quarantine);
	ops[n++] = mark(f, j, quarantine);
	return n;
}

bool records_fraud(const struct records_writer *w, const struct fraud *f,
	const struct journal_entry *j, struct err *e)
{
	struct store_op ops[FRAUD_OPS_MAX];
	size_t n = fraud_ops(f, j, ops);

	return records_write(w, ops, n, e);
}
