/* SPDX-License-Identifier: Apache-2.0 */
/* The SQL is in records_sql.c. */
#include "registrar/records/ask.h"

#include "registrar/records/sql.h"

bool records_decide_asked(const struct records_writer *w, const struct asked_record *d,
	const struct journal_entry *j, struct err *e)
{
	const struct store_value none = {.type = STORE_NULL};
	const struct store_op ops[] = {
		{.statement = DECIDE_ASKED,
			.params = {STORE_I(d->to), store_text(j->reason), store_text(j->actor),
				STORE_I(j->at), d->until ? STORE_I(d->until) : none,
				store_text(j->device.manufacturer), store_text(j->device.serial),
				store_text(d->site), store_text(d->labels)},
			.param_count = 9,
			.rows = 1},
		{.statement = ADD_JOURNAL,
			.params = {STORE_I(j->at), store_text(j->exchange),
				store_text(j->device.manufacturer), store_text(j->device.serial),
				store_text(j->actor), store_text(j->step), store_text(j->outcome),
				store_text(j->reason)},
			.param_count = 8},
	};

	return store_write(w->store, ops, sizeof(ops) / sizeof(*ops), w->loop, w->done, w->arg, e);
}
