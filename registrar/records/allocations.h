/* SPDX-License-Identifier: Apache-2.0 */
/* Where a cloud registrar sent its devices: one row each, with a line in the journal for each
 * decision and each report. */
#ifndef REGISTRAR_RECORDS_ALLOCATIONS_H
#define REGISTRAR_RECORDS_ALLOCATIONS_H

#include "registrar/cloud/allocate.h"
#include "registrar/records/records.h"

bool records_allocation(
	struct store *s, struct device_key key, struct allocated *out, struct err *e) MUST_CHECK;

struct allocation_record {
	const char *owner, *url, *region; /* region NULL: none */
	bool est;			  /* an EST server that the voucher names */
	int64_t first_at, moves;
};
/* It is about to be told so; j names the device and the moment. */
bool records_allocate(const struct records_writer *w, const struct allocation_record *a,
	const struct journal_entry *j, struct err *e) MUST_CHECK;

#endif
