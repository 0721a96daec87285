/* SPDX-License-Identifier: Apache-2.0 */
/* Rules as rows and back; the SQL is in records/sql.c. */
#include "registrar/records/rules.h"

#include "registrar/records/sql.h"

struct rule_reader {
	records_rule_fn *fn;
	void *arg;
};

static bool rule_row(void *arg, const struct store_row *r, struct err *e)
{
	const struct rule_reader *reader = arg;
	const struct rule_text text = {
		.action = (enum rule_action)store_row_int(r, 1),
		.manufacturer = store_row_text(r, 2),
		.serials = store_row_text(r, 3),
		.network = store_row_text(r, 4),
		.not_before = store_row_int(r, 5),
		.not_after = store_row_int(r, 6),
		.limited = store_row_int(r, 7) >= 0,
		.remaining = store_row_int(r, 7),
		.reason = store_row_text(r, 8),
		.model = store_row_text(r, 9),
		.site = store_row_text(r, 10),
		.labels = store_row_text(r, 11),
		.disabled = store_row_int(r, 12) == 0,
	};

	return reader->fn(reader->arg, store_row_int(r, 0), &text, e);
}

bool records_list_rules(struct store *s, records_rule_fn *fn, void *arg, struct err *e)
{
	struct rule_reader reader = {fn, arg};

	return store_read(s, LIST_RULES, NULL, 0, rule_row, &reader, NULL, e);
}

bool records_add_rule(const struct records_writer *w, int64_t id, int64_t place,
	const struct rule_text *t, const struct journal_entry *j, struct err *e)
{
	const struct store_op ops[] = {
		{.statement = TAKE_NUMBER,
			.params = {STORE_I(id), store_text("rule")},
			.param_count = 2,
			.rows = 1},
		{.statement = SHIFT_RULES, .params = {STORE_I(place)}, .param_count = 1},
		{.statement = ADD_RULE,
			.params = {STORE_I(id), STORE_I(place), STORE_I(t->action),
				store_text(t->manufacturer), store_text(t->serials),
				store_text(t->network), STORE_I(t->not_before),
				STORE_I(t->not_after), STORE_I(t->limited ? t->remaining : -1),
				store_text(t->reason), store_text(t->model), store_text(t->site),
				store_text(t->labels)},
			.param_count = 13,
			.rows = 1},
		journal_op(j),
	};

	return records_write(w, ops, sizeof(ops) / sizeof(*ops), e);
}

bool records_remove_rule(const struct records_writer *w, int64_t id, int64_t place,
	const struct journal_entry *j, struct err *e)
{
	const struct store_op ops[] = {
		{.statement = REMOVE_RULE,
			.params = {STORE_I(id), STORE_I(place)},
			.param_count = 2,
			.rows = 1},
		{.statement = CLOSE_RULES, .params = {STORE_I(place)}, .param_count = 1},
		journal_op(j),
	};

	return records_write(w, ops, sizeof(ops) / sizeof(*ops), e);
}

bool records_move_rule(const struct records_writer *w, int64_t id, int64_t from, int64_t to,
	const struct journal_entry *j, struct err *e)
{
	const struct store_op ops[] = {
		{.statement = PLACE_RULE,
			.params = {STORE_I(0), STORE_I(id), STORE_I(from)},
			.param_count = 3,
			.rows = 1},
		{.statement = CLOSE_RULES, .params = {STORE_I(from)}, .param_count = 1},
		{.statement = SHIFT_RULES, .params = {STORE_I(to)}, .param_count = 1},
		{.statement = PLACE_RULE,
			.params = {STORE_I(to), STORE_I(id), STORE_I(0)},
			.param_count = 3,
			.rows = 1},
		journal_op(j),
	};

	return records_write(w, ops, sizeof(ops) / sizeof(*ops), e);
}

bool records_enable_rule(const struct records_writer *w, int64_t id, int64_t place, bool enabled,
	const struct journal_entry *j, struct err *e)
{
	const struct store_op ops[] = {
		{.statement = ENABLE_RULE,
			.params = {STORE_I(id), STORE_I(place), STORE_I(enabled)},
			.param_count = 3,
			.rows = 1},
		journal_op(j),
	};

	return records_write(w, ops, sizeof(ops) / sizeof(*ops), e);
}
