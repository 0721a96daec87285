/* SPDX-License-Identifier: Apache-2.0 */
/* Sites as rows and back; the SQL is in records/sql.c. */
#include "registrar/records/sites.h"

#include "registrar/records/sql.h"
#include "registrar/site.h"

struct site_reader {
	records_site_fn *fn;
	void *arg;
};

static bool site_row(void *arg, const struct store_row *r, struct err *e)
{
	const struct site_reader *reader = arg;
	const struct site_row row = {
		.path = store_row_text(r, 0),
		.name = store_row_text(r, 1),
		.note = store_row_text(r, 2),
		.approvers = store_row_int(r, 3),
		.rejects_unknown = store_row_int(r, 4) != 0,
		.revision = store_row_int(r, 5),
		.devices = store_row_int(r, 6),
		.below = store_row_int(r, 7),
		.has_sites = store_row_int(r, 8) != 0,
	};

	return reader->fn(reader->arg, &row, e);
}

bool records_list_sites(struct store *s, const char *after, int64_t limit, records_site_fn *fn,
	void *arg, struct err *e)
{
	struct site_reader reader = {fn, arg};

	return READ(s, LIST_SITES, site_row, &reader, e, store_text(after), STORE_I(limit));
}

bool records_site(struct store *s, const char *path, records_site_fn *fn, void *arg, struct err *e)
{
	struct site_reader reader = {fn, arg};

	return READ(s, READ_SITE, site_row, &reader, e, store_text(path));
}

static bool note_found(void *arg, const struct site_row *row, struct err *e)
{
	*(bool *)arg = true;
	return true;
}

bool records_site_exists(struct store *s, const char *path, bool *exists, struct err *e)
{
	*exists = false;
	return records_site(s, path, note_found, exists, e);
}

static bool policy_row(void *arg, const struct store_row *r, struct err *e)
{
	struct site_policy *p = arg;

	p->approvers = store_row_int(r, 0);
	p->rejects_unknown = store_row_int(r, 1) != 0;
	return true;
}

bool records_site_policy(struct store *s, const char *path, struct site_policy *out, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT((SITE_DEPTH_MAX + 1) * (SITE_LEN_MAX + 4));
	JSON_AUTO json_t *chain = site_chain(path, e);

	return chain && json_format(chain, &text, e) &&
	       READ(s, READ_SITE_POLICY, policy_row, out, e, store_text(buf_str(&text)));
}

static bool uses_row(void *arg, const struct store_row *r, struct err *e)
{
	struct site_uses *uses = arg;

	uses->rules = store_row_int(r, 0) != 0;
	uses->roles = store_row_int(r, 1) != 0;
	return true;
}

bool records_site_uses(struct store *s, const char *path, struct site_uses *out, struct err *e)
{
	return READ(s, READ_SITE_USES, uses_row, out, e, store_text(path));
}

static struct store_op add_op(const struct site_row *site, bool must_change)
{
	return (struct store_op){
		.statement = ADD_SITE,
		.params = {store_text(site->path), store_text(site->name), store_text(site->note),
			STORE_I(site->approvers), STORE_I(site->rejects_unknown)},
		.param_count = 5,
		.must_change = must_change,
	};
}

bool records_add_site(const struct records_writer *w, const struct site_row *site,
	const struct journal_entry *j, struct err *e)
{
	struct store_op ops[SITE_DEPTH_MAX + 2];
	JSON_AUTO json_t *chain = site_chain(site->path, e);
	size_t count = 0;

	for (size_t i = 1; chain && i + 1 < json_array_size(chain) && count < SITE_DEPTH_MAX; i++) {
		const struct site_row plain = {
			.path = json_string_value(json_array_get(chain, i)), .approvers = 1};

		ops[count++] = add_op(&plain, false);
	}
	ops[count++] = add_op(site, true);
	ops[count++] = journal_op(j);
	return chain && records_write(w, ops, count, e);
}

bool records_set_site(const struct records_writer *w, const struct site_row *site,
	const struct journal_entry *j, struct err *e)
{
	const struct store_op ops[] = {
		{.statement = SET_SITE,
			.params = {store_text(site->name), store_text(site->note),
				STORE_I(site->approvers), STORE_I(site->rejects_unknown),
				store_text(site->path), STORE_I(site->revision)},
			.param_count = 6,
			.must_change = true},
		journal_op(j),
	};

	return records_write(w, ops, 2, e);
}

bool records_remove_site(const struct records_writer *w, const char *path, int64_t revision,
	const struct journal_entry *j, struct err *e)
{
	const struct store_op ops[] = {
		{.statement = REMOVE_SITE,
			.params = {store_text(path), STORE_I(revision)},
			.param_count = 2,
			.must_change = true},
		journal_op(j),
	};

	return records_write(w, ops, 2, e);
}
