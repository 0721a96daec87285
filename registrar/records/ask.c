/* SPDX-License-Identifier: Apache-2.0 */
/* The SQL is in records/sql.c. */
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
		journal_op(j),
	};

	return records_write(w, ops, sizeof(ops) / sizeof(*ops), e);
}
