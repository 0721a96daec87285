/* SPDX-License-Identifier: Apache-2.0 */
/* The SQL is in records/sql.c. */
#include "registrar/records/allocations.h"

#include <stdio.h>

#include "registrar/records/sql.h"

static bool keep(void *arg, const struct store_row *r, struct err *e)
{
	struct allocated *a = arg;

	a->found = true;
	snprintf(a->owner, sizeof(a->owner), "%s", store_row_text(r, 0));
	snprintf(a->url, sizeof(a->url), "%s", store_row_text(r, 1));
	a->first_at = store_row_int(r, 2);
	a->moves = store_row_int(r, 3);
	return true;
}

bool records_allocation(
	struct store *s, struct device_key key, struct allocated *out, struct err *e)
{
	*out = (struct allocated){.found = false};
	return READ(s, READ_ALLOCATION, keep, out, e, store_text(key.manufacturer),
		store_text(key.serial));
}

bool records_allocate(const struct records_writer *w, const struct allocation_record *a,
	const struct journal_entry *j, struct err *e)
{
	const struct store_op ops[] = {
		{.statement = PUT_ALLOCATION,
			.params = {store_text(j->device.manufacturer), store_text(j->device.serial),
				store_text(a->owner), store_text(a->url), STORE_I(a->est),
				store_text(a->region), STORE_I(a->first_at), STORE_I(j->at),
				STORE_I(a->moves)},
			.param_count = 9},
		journal_op(j),
	};

	return records_write(w, ops, sizeof(ops) / sizeof(*ops), e);
}
