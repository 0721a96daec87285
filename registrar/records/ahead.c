/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of vouchers fetched ahead out of their statements, and back. */
#include "registrar/records/ahead.h"

#include "registrar/records/sql.h"

struct reader {
	records_ahead_fn *fn;
	void *arg;
};

static bool read_row(void *arg, const struct store_row *r, struct err *e)
{
	const struct reader *reader = arg;
	const struct ahead_row row = {
		.id = store_row_int(r, 0),
		.device = {store_row_text(r, 1), store_row_text(r, 2)},
		.type = store_row_text(r, 3),
		.masa = store_row_text(r, 4),
		.by = store_row_text(r, 5),
		.fetched_at = store_row_int(r, 6),
		.until = store_row_int(r, 7),
		.renew_at = store_row_int(r, 8),
		.used_at = store_row_int(r, 9),
		.checked_at = store_row_int(r, 10),
		.site = store_row_text(r, 11),
		.voucher = store_row_blob(r, 12),
		.request = store_row_blob(r, 13),
	};

	return reader->fn(reader->arg, &row, e);
}

bool records_list_ahead(struct store *s, int64_t after, int64_t limit, records_ahead_fn *fn,
	void *arg, struct err *e)
{
	struct reader reader = {fn, arg};

	return READ(s, LIST_AHEAD, read_row, &reader, e, STORE_I(after), STORE_I(limit));
}

bool records_read_ahead(struct store *s, struct device_key device, const char *type,
	records_ahead_fn *fn, void *arg, struct err *e)
{
	struct reader reader = {fn, arg};

	return READ(s, READ_AHEAD, read_row, &reader, e, store_text(device.manufacturer),
		store_text(device.serial), store_text(type));
}

bool records_find_ahead(struct store *s, const char *name, int64_t limit, records_ahead_fn *fn,
	void *arg, struct err *e)
{
	struct reader reader = {fn, arg};

	return READ(s, FIND_AHEAD, read_row, &reader, e, store_text(name), STORE_I(limit));
}

bool records_due_ahead(
	struct store *s, int64_t now, int64_t limit, records_ahead_fn *fn, void *arg, struct err *e)
{
	struct reader reader = {fn, arg};

	return READ(s, DUE_AHEAD, read_row, &reader, e, STORE_I(now), STORE_I(limit));
}

bool records_unchecked_ahead(struct store *s, int64_t after, int64_t limit, records_ahead_fn *fn,
	void *arg, struct err *e)
{
	struct reader reader = {fn, arg};

	return READ(s, UNCHECKED_AHEAD, read_row, &reader, e, STORE_I(after), STORE_I(limit));
}

static bool count_row(void *arg, const struct store_row *r, struct err *e)
{
	*(int64_t *)arg = store_row_int(r, 0);
	return true;
}

bool records_count_ahead(struct store *s, int64_t *out, struct err *e)
{
	*out = 0;
	return store_read(s, COUNT_AHEAD, NULL, 0, count_row, out, NULL, e);
}

bool records_keep_ahead(const struct records_writer *w, const struct ahead_row *row,
	const struct journal_entry *j, struct err *e)
{
	const struct store_op ops[] = {
		{.statement = KEEP_AHEAD,
			.params = {store_text(row->device.manufacturer),
				store_text(row->device.serial), store_text(row->type),
				store_text(row->masa), store_text(row->by),
				STORE_I(row->fetched_at), STORE_I(row->until),
				STORE_I(row->renew_at), store_blob(row->voucher),
				store_blob(row->request)},
			.param_count = 10},
		journal_op(j),
	};

	return records_write(w, ops, sizeof(ops) / sizeof(*ops), e);
}

bool records_delay_ahead(
	const struct records_writer *w, int64_t id, int64_t renew_at, struct err *e)
{
	const struct store_op op = {.statement = DELAY_AHEAD,
		.params = {STORE_I(renew_at), STORE_I(id)},
		.param_count = 2};

	return records_write(w, &op, 1, e);
}

bool records_drop_ahead(const struct records_writer *w, const int64_t *ids,
	const struct journal_entry *lines, size_t count, struct err *e)
{
	struct store_op ops[3 * AHEAD_DROP_MAX];

	for (size_t i = 0; i < count && i < AHEAD_DROP_MAX; i++) {
		ops[3 * i] = (struct store_op){.statement = END_AHEAD,
			.params = {STORE_I(lines[i].at), STORE_I(ids[i])},
			.param_count = 2,
			.must_change = true};
		ops[3 * i + 1] = (struct store_op){
			.statement = DROP_AHEAD, .params = {STORE_I(ids[i])}, .param_count = 1};
		ops[3 * i + 2] = journal_op(&lines[i]);
	}
	return records_write(w, ops, 3 * count, e);
}

bool records_pass_ahead(const struct records_writer *w, int64_t id, int64_t at, struct err *e)
{
	const struct store_op op = {
		.statement = CHECK_AHEAD, .params = {STORE_I(at), STORE_I(id)}, .param_count = 2};

	return records_write(w, &op, 1, e);
}

bool records_sweep_ahead(const struct records_writer *w, int64_t ended_before, struct err *e)
{
	const struct store_op op = {
		.statement = SWEEP_AHEAD, .params = {STORE_I(ended_before)}, .param_count = 1};

	return records_write(w, &op, 1, e);
}
