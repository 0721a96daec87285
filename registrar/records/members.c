/* SPDX-License-Identifier: Apache-2.0 */
/* Members and their reservations as rows: see members.h. */
#include "registrar/records/members.h"

#include "registrar/records/sql.h"

static struct store_op join_op(const struct member_row *m)
{
	return (struct store_op){
		.statement = JOIN_MEMBER,
		.params = {store_text(m->id), store_text(m->host), STORE_I(m->started_at)},
		.param_count = 3,
	};
}

bool records_join_wait(struct store *s, const struct member_row *m, struct err *e)
{
	const struct store_op op = join_op(m);

	return store_write_wait(s, &op, 1, NULL, e);
}

bool records_join(const struct records_writer *w, const struct member_row *m, struct err *e)
{
	const struct store_op op = join_op(m);

	return records_write(w, &op, 1, e);
}

bool records_beat(const struct records_writer *w, const char *id, struct err *e)
{
	const struct store_op op = {.statement = BEAT_MEMBER,
		.params = {store_text(id)},
		.param_count = 1,
		.must_change = true};

	return records_write(w, &op, 1, e);
}

#define LEAVE_OPS 4
static void leave_ops(const char *id, int64_t now, struct store_op ops[LEAVE_OPS])
{
	ops[0] = (struct store_op){
		.statement = DROP_MEMBER, .params = {store_text(id)}, .param_count = 1};
	ops[1] = (struct store_op){.statement = DROP_RESERVATIONS};
	ops[2] = (struct store_op){
		.statement = NOTE_INTERRUPTED, .params = {STORE_I(now)}, .param_count = 1};
	ops[3] = (struct store_op){
		.statement = INTERRUPT_JOBS, .params = {STORE_I(now)}, .param_count = 1};
}

bool records_leave_wait(struct store *s, const char *id, int64_t now, struct err *e)
{
	struct store_op ops[LEAVE_OPS];

	leave_ops(id, now, ops);
	return store_write_wait(s, ops, LEAVE_OPS, NULL, e);
}

bool records_bury_member(const struct records_writer *w, const char *id, int64_t now, struct err *e)
{
	struct store_op ops[LEAVE_OPS];

	leave_ops(id, now, ops);
	return records_write(w, ops, LEAVE_OPS, e);
}

struct member_reader {
	records_member_fn *fn;
	void *arg;
};

static bool member_row(void *arg, const struct store_row *r, struct err *e)
{
	const struct member_reader *reader = arg;
	const struct member_row row = {
		.id = store_row_text(r, 0),
		.host = store_row_text(r, 1),
		.started_at = store_row_int(r, 2),
		.beat = store_row_int(r, 3),
	};

	return reader->fn(reader->arg, &row, e);
}

bool records_list_members(struct store *s, records_member_fn *fn, void *arg, struct err *e)
{
	struct member_reader reader = {fn, arg};

	return store_read(s, LIST_MEMBERS, NULL, 0, member_row, &reader, NULL, e);
}

/* ---- Reservations ---- */

bool records_reserve(const struct records_writer *w, const uint8_t idevid_sha256[SHA256_LEN],
	const char *member, int64_t now, int64_t until, struct err *e)
{
	const struct store_op op = {.statement = RESERVE,
		.params = {store_blob(bytes_of(idevid_sha256, SHA256_LEN)), store_text(member),
			STORE_I(until), STORE_I(now)},
		.param_count = 4,
		.must_change = true};

	return records_write(w, &op, 1, e);
}

bool records_unreserve(const struct records_writer *w, const uint8_t idevid_sha256[SHA256_LEN],
	const char *member, struct err *e)
{
	const struct store_op op = {.statement = UNRESERVE,
		.params = {store_blob(bytes_of(idevid_sha256, SHA256_LEN)), store_text(member)},
		.param_count = 2};

	return records_write(w, &op, 1, e);
}

/* ---- News ---- */

static bool news_row(void *arg, const struct store_row *r, struct err *e)
{
	struct records_news *out = arg;

	*out = (struct records_news){store_row_int(r, 0), store_row_int(r, 1), store_row_int(r, 2)};
	return true;
}

bool records_news(struct store *s, int64_t after, struct records_news *out, struct err *e)
{
	*out = (struct records_news){.last = 0};
	return READ(s, READ_NEWS, news_row, out, e, STORE_I(after));
}
