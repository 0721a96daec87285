/* SPDX-License-Identifier: Apache-2.0 */
/* Claims that are approved before their devices ask, as records.h has them: a list goes to the
 * store as one JSON text, so that any number of rows is two statements. */
#include "registrar/records/records.h"
#include "registrar/records/sql.h"

struct known_reader {
	records_known_fn *fn;
	void *arg;
};

static bool known_row(void *arg, const struct store_row *r, struct err *e)
{
	const struct known_reader *reader = arg;
	const struct known_claim claim = {
		.said = (enum claim_state)store_row_int(r, 1),
		.state = (enum device_state)store_row_int(r, 2),
		.seen = store_row_int(r, 3) != 0,
		.site = store_row_text(r, 4),
		.idevid = store_row_text(r, 5),
	};

	return reader->fn(reader->arg, store_row_int(r, 0), &claim, e);
}

static struct store_value list_value(struct bytes list)
{
	return (struct store_value){.type = STORE_TEXT, .octets = list};
}

bool records_look_up(struct store *s, struct bytes list, int64_t now, records_known_fn *fn,
	void *arg, struct err *e)
{
	struct known_reader reader = {fn, arg};

	return READ(s, READ_LISTED, known_row, &reader, e, list_value(list), STORE_I(now));
}

/* Nothing where there are none of a kind. */
static void add_claims(struct store_op *ops, size_t *n, int statement, struct bytes list,
	int64_t count, const struct import_record *i)
{
	if (count == 0)
		return;
	ops[(*n)++] = (struct store_op){
		.statement = statement,
		.params = {store_text(i->by), STORE_I(i->at), STORE_I(i->until), list_value(list)},
		.param_count = 4,
		.rows = count,
	};
}

bool records_import(const struct records_writer *w, const struct import_record *i, struct err *e)
{
	const struct journal_entry line = {
		.at = i->at,
		.exchange = i->exchange,
		.actor = i->by,
		.step = "import",
		.outcome = "done",
		.reason = i->summary,
	};
	struct store_op ops[STORE_OPS_MAX];
	size_t n = 0;

	add_claims(ops, &n, IMPORT_CLAIMS, i->approved, i->approved_count, i);
	add_claims(ops, &n, ANNOUNCE_CLAIMS, i->announced, i->announced_count, i);
	ops[n++] = journal_op(&line);
	ops[n++] = (struct store_op){
		.statement = NOTE_IMPORTED,
		.params = {STORE_I(i->at), store_text(i->exchange), store_text(i->by),
			list_value(i->list)},
		.param_count = 4,
		.rows = i->count,
	};
	return records_write(w, ops, n, e);
}
