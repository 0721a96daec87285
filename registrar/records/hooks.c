/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks and dead letters as rows and back; the SQL is in records/sql.c. */
#include "registrar/records/hooks.h"

#include "registrar/records/sql.h"

/* ---- Reading ---- */

struct hook_reader {
	records_hook_fn *fn;
	void *arg;
};

static bool hook_row(void *arg, const struct store_row *r, struct err *e)
{
	const struct hook_reader *reader = arg;
	const struct hook_row row = {
		.id = store_row_int(r, 0),
		.url = store_row_text(r, 1),
		.secret = store_row_text(r, 2),
		.types = store_row_text(r, 3),
		.anchors = store_row_text(r, 4),
		.enabled = store_row_int(r, 5) != 0,
		.by = store_row_text(r, 6),
		.added_at = store_row_int(r, 7),
		.delivered_at = store_row_int(r, 8),
		.cursor = store_row_int(r, 9),
		.failing_at = store_row_int(r, 10),
		.failure = store_row_text(r, 11),
		.dropped = store_row_int(r, 12),
		.dead = store_row_int(r, 13),
	};

	if (!row.url || !row.secret)
		return err_set(e, ERR_STORE, "hook %lld is damaged", (long long)row.id);
	return reader->fn(reader->arg, &row, e);
}

bool records_list_hooks(struct store *s, records_hook_fn *fn, void *arg, struct err *e)
{
	struct hook_reader reader = {fn, arg};

	return store_read(s, LIST_HOOKS, NULL, 0, hook_row, &reader, NULL, e);
}

static bool number_row(void *arg, const struct store_row *r, struct err *e)
{
	int64_t *out = arg;

	*out = store_row_int(r, 0);
	return true;
}

bool records_last_number(struct store *s, const char *kind, int64_t *out, struct err *e)
{
	*out = 0;
	return READ(s, LAST_NUMBER, number_row, out, e, store_text(kind));
}

/* ---- Hooks ---- */

bool records_add_hook(const struct records_writer *w, const struct hook_row *h,
	const struct journal_entry *j, struct err *e)
{
	const struct store_op ops[] = {
		{.statement = TAKE_NUMBER,
			.params = {STORE_I(h->id), store_text("hook")},
			.param_count = 2,
			.rows = 1},
		journal_op(j),
		{.statement = ADD_HOOK,
			.params = {STORE_I(h->id), store_text(h->url), store_text(h->secret),
				store_text(h->types), store_text(h->anchors), store_text(h->by),
				STORE_I(h->added_at)},
			.param_count = 7,
			.rows = 1},
	};

	return records_write(w, ops, sizeof(ops) / sizeof(*ops), e);
}

bool records_remove_hook(
	const struct records_writer *w, int64_t id, const struct journal_entry *j, struct err *e)
{
	const struct store_op ops[] = {
		{.statement = REMOVE_HOOK, .params = {STORE_I(id)}, .param_count = 1, .rows = 1},
		{.statement = DROP_DEAD, .params = {STORE_I(id), STORE_I(0)}, .param_count = 2},
		journal_op(j),
	};

	return records_write(w, ops, sizeof(ops) / sizeof(*ops), e);
}

bool records_enable_hook(const struct records_writer *w, int64_t id, bool enabled, bool skip,
	const struct journal_entry *j, struct err *e)
{
	const struct store_op ops[] = {
		{.statement = ENABLE_HOOK,
			.params = {STORE_I(id), STORE_I(enabled), STORE_I(skip)},
			.param_count = 3,
			.rows = 1},
		journal_op(j),
	};

	return records_write(w, ops, sizeof(ops) / sizeof(*ops), e);
}

static struct store_op save_op(int64_t id, int64_t cursor, int64_t delivered_at)
{
	return (struct store_op){
		.statement = SAVE_HOOK,
		.params = {STORE_I(id), STORE_I(cursor), STORE_I(delivered_at)},
		.param_count = 3,
	};
}

bool records_save_hook(const struct records_writer *w, int64_t id, int64_t cursor,
	int64_t delivered_at, struct err *e)
{
	const struct store_op op = save_op(id, cursor, delivered_at);

	return records_write(w, &op, 1, e);
}

bool records_save_hook_wait(
	struct store *s, int64_t id, int64_t cursor, int64_t delivered_at, struct err *e)
{
	const struct store_op op = save_op(id, cursor, delivered_at);
	int64_t changed;

	return store_write_wait(s, &op, 1, &changed, e);
}

bool records_fail_hook(const struct records_writer *w, int64_t id, int64_t failing_at,
	const char *failure, const struct journal_entry *j, struct err *e)
{
	const struct store_op ops[] = {
		{.statement = FAIL_HOOK,
			.params = {STORE_I(id), STORE_I(failing_at), store_text(failure)},
			.param_count = 3,
			.rows = 1},
		journal_op(j),
	};

	return records_write(w, ops, sizeof(ops) / sizeof(*ops), e);
}

/* ---- Dead letters ---- */

struct dead_reader {
	records_dead_fn *fn;
	void *arg;
	int64_t hook;
};

static bool dead_row(void *arg, const struct store_row *r, struct err *e)
{
	const struct dead_reader *reader = arg;
	const struct dead_letter d = {
		.hook = reader->hook,
		.sequence = store_row_int(r, 0),
		.at = store_row_int(r, 1),
		.tries = store_row_int(r, 2),
		.reason = store_row_text(r, 3),
		.wanted = store_row_int(r, 4) != 0,
	};

	return reader->fn(reader->arg, &d, e);
}

bool records_list_dead(struct store *s, int64_t hook, int64_t after, int64_t limit,
	records_dead_fn *fn, void *arg, struct err *e)
{
	struct dead_reader reader = {fn, arg, hook};

	return READ(
		s, LIST_DEAD, dead_row, &reader, e, STORE_I(hook), STORE_I(after), STORE_I(limit));
}

bool records_wanted_dead(
	struct store *s, int64_t hook, int64_t after, int64_t *sequence, struct err *e)
{
	*sequence = 0;
	return READ(s, WANTED_DEAD, number_row, sequence, e, STORE_I(hook), STORE_I(after));
}

bool records_bury(const struct records_writer *w, const struct dead_letter *d, struct err *e)
{
	const struct store_op ops[] = {
		{.statement = ADD_DEAD,
			.params = {STORE_I(d->hook), STORE_I(d->sequence), STORE_I(d->at),
				STORE_I(d->tries), store_text(d->reason)},
			.param_count = 5},
		{.statement = COUNT_DROPPED,
			.params = {STORE_I(d->hook), STORE_I(DEAD_LETTERS_MAX)},
			.param_count = 2},
		{.statement = TRIM_DEAD,
			.params = {STORE_I(d->hook), STORE_I(DEAD_LETTERS_MAX)},
			.param_count = 2},
		save_op(d->hook, d->sequence, 0),
	};

	return records_write(w, ops, sizeof(ops) / sizeof(*ops), e);
}

bool records_bury_again(const struct records_writer *w, const struct dead_letter *d, struct err *e)
{
	const struct store_op op = {
		.statement = BURY_AGAIN,
		.params = {STORE_I(d->hook), STORE_I(d->sequence), STORE_I(d->at),
			store_text(d->reason)},
		.param_count = 4,
	};

	return records_write(w, &op, 1, e);
}

static bool change_dead(const struct records_writer *w, int statement, int64_t hook,
	int64_t sequence, const struct journal_entry *j, struct err *e)
{
	struct store_op ops[2] = {
		{.statement = statement,
			.params = {STORE_I(hook), STORE_I(sequence)},
			.param_count = 2,
			.must_change = j != NULL},
	};

	if (j)
		ops[1] = journal_op(j);
	return records_write(w, ops, j ? 2 : 1, e);
}

bool records_want_dead(const struct records_writer *w, int64_t hook, int64_t sequence,
	const struct journal_entry *j, struct err *e)
{
	return change_dead(w, WANT_DEAD, hook, sequence, j, e);
}

bool records_drop_dead(const struct records_writer *w, int64_t hook, int64_t sequence,
	const struct journal_entry *j, struct err *e)
{
	return change_dead(w, DROP_DEAD, hook, sequence, j, e);
}
