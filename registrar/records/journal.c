/* SPDX-License-Identifier: Apache-2.0 */
/* The journal of records.h as it is read, and its signed heads. Lines are written with what they
 * tell of. */
#include <string.h>

#include "registrar/records/records.h"
#include "registrar/records/sql.h"

struct store_op journal_op(const struct journal_entry *j)
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

bool records_write(
	const struct records_writer *w, const struct store_op *ops, size_t count, struct err *e)
{
	return store_write(w->store, ops, count, w->loop, w->done, w->arg, e);
}

struct journal_reader {
	records_journal_fn *fn;
	void *arg;
	bool sites;
};

static bool journal_row(void *arg, const struct store_row *r, struct err *e)
{
	const struct journal_reader *reader = arg;
	struct bytes hash = store_row_blob(r, 9);
	const struct journal_line line = {
		.entry = {.at = store_row_int(r, 1),
			.exchange = store_row_text(r, 2),
			.device = {store_row_text(r, 3), store_row_text(r, 4)},
			.actor = store_row_text(r, 5),
			.step = store_row_text(r, 6),
			.outcome = store_row_text(r, 7),
			.reason = store_row_text(r, 8)},
		.sequence = store_row_int(r, 0),
		.hash = hash.len == SHA256_LEN ? hash.data : NULL,
		.site = reader->sites ? store_row_text(r, 10) : NULL,
	};

	return reader->fn(reader->arg, &line, e);
}

bool records_read_journal(struct store *s, const char *serial, int64_t limit,
	records_journal_fn *fn, void *arg, struct err *e)
{
	struct journal_reader reader = {fn, arg, .sites = false};

	return READ(s, READ_JOURNAL, journal_row, &reader, e, store_text(serial), STORE_I(limit));
}

bool records_history(struct store *s, struct device_key key, int64_t after, int64_t limit,
	records_journal_fn *fn, void *arg, struct err *e)
{
	struct journal_reader reader = {fn, arg};

	return READ(s, READ_HISTORY, journal_row, &reader, e, store_text(key.serial),
		store_text(key.manufacturer), STORE_I(after), STORE_I(limit));
}

bool records_list_journal(struct store *s, int64_t after, int64_t limit, records_journal_fn *fn,
	void *arg, struct err *e)
{
	struct journal_reader reader = {fn, arg, .sites = false};

	return READ(s, LIST_JOURNAL, journal_row, &reader, e, STORE_I(after), STORE_I(limit));
}

bool records_list_events(struct store *s, int64_t after, int64_t limit, records_journal_fn *fn,
	void *arg, struct err *e)
{
	struct journal_reader reader = {fn, arg, .sites = true};

	return READ(s, LIST_EVENTS, journal_row, &reader, e, STORE_I(after), STORE_I(limit));
}

bool records_last_journal(struct store *s, records_journal_fn *fn, void *arg, struct err *e)
{
	struct journal_reader reader = {fn, arg, .sites = false};

	return store_read(s, LAST_JOURNAL, NULL, 0, journal_row, &reader, NULL, e);
}

struct head_reader {
	records_head_fn *fn;
	void *arg;
};

static bool head_row(void *arg, const struct store_row *r, struct err *e)
{
	const struct head_reader *reader = arg;
	struct bytes hash = store_row_blob(r, 2);
	struct head_record h = {
		.head = {.sequence = store_row_int(r, 0), .at = store_row_int(r, 1)},
		.signature = store_row_blob(r, 3),
		.certificates = store_row_text(r, 4),
	};

	if (hash.len != SHA256_LEN || !h.certificates)
		return err_set(e, ERR_STORE, "head %lld of the journal is damaged",
			(long long)h.head.sequence);
	memcpy(h.head.hash, hash.data, SHA256_LEN);
	return reader->fn(reader->arg, &h, e);
}

bool records_list_heads(struct store *s, int64_t after, int64_t limit, records_head_fn *fn,
	void *arg, struct err *e)
{
	struct head_reader reader = {fn, arg};

	return READ(s, LIST_HEADS, head_row, &reader, e, STORE_I(after), STORE_I(limit));
}

bool records_last_head(struct store *s, records_head_fn *fn, void *arg, struct err *e)
{
	struct head_reader reader = {fn, arg};

	return store_read(s, LAST_HEAD, NULL, 0, head_row, &reader, NULL, e);
}

static struct store_op add_head(const struct head_record *h)
{
	return (struct store_op){
		.statement = ADD_HEAD,
		.params = {STORE_I(h->head.sequence), STORE_I(h->head.at),
			store_blob(bytes_of(h->head.hash, SHA256_LEN)), store_blob(h->signature),
			store_text(h->certificates)},
		.param_count = 5,
	};
}

bool records_add_head(const struct records_writer *w, const struct head_record *h, struct err *e)
{
	const struct store_op op = add_head(h);

	return store_write(w->store, &op, 1, w->loop, w->done, w->arg, e);
}
