/* SPDX-License-Identifier: Apache-2.0 */
/* The store seen from afar: certificates by their end, vouchers, and sums that are kept as things
 * happen (triggers in records/migrations.c), so that none of it is counted when somebody looks. */
#ifndef REGISTRAR_RECORDS_REPORTS_H
#define REGISTRAR_RECORDS_REPORTS_H

#include "registrar/records/records.h"

/* Where a list of certificates goes on: behind this one. */
struct certificate_place {
	int64_t not_after;
	uint8_t sha256[SHA256_LEN];
	size_t sha256_len; /* 0: before all that end then */
};
struct certificate_row { /* borrowed */
	const uint8_t *sha256;
	const char *serial_hex, *subject, *manufacturer, *serial, *site;
	int64_t device, issued_at, not_after, revoked_at; /* device 0: it is gone */
	bool current; /* the newest of a device that is in service */
};
typedef bool records_certificate_row_fn(
	void *arg, const struct certificate_row *row, struct err *e);
/* In the order of their end; before `until`. */
bool records_list_by_end(struct store *s, const struct certificate_place *after, int64_t until,
	int64_t limit, records_certificate_row_fn *fn, void *arg, struct err *e) MUST_CHECK;

struct voucher_row {
	int64_t device, vouched_at;
	const char *manufacturer, *serial, *site;
	const char *type; /* NULL: this device has none */
};
typedef bool records_voucher_row_fn(void *arg, const struct voucher_row *row, struct err *e);
/* Devices in the order of their numbers, with or without a voucher. */
bool records_list_vouchers(struct store *s, int64_t after, int64_t limit,
	records_voucher_row_fn *fn, void *arg, struct err *e) MUST_CHECK;

/* What happened since `from` by hour: step and outcome of the journal. */
struct hour_row {
	int64_t hour, count;
	const char *step, *outcome, *manufacturer;
};
typedef bool records_hour_fn(void *arg, const struct hour_row *row, struct err *e);
bool records_list_hours(
	struct store *s, int64_t from, records_hour_fn *fn, void *arg, struct err *e) MUST_CHECK;

/* How many devices in service have a certificate that ends on a day, a number of days since 1970.
 */
struct day_row {
	int64_t day, count;
	const char *manufacturer;
};
typedef bool records_day_fn(void *arg, const struct day_row *row, struct err *e);
bool records_list_ends(struct store *s, int64_t from_day, int64_t to_day, records_day_fn *fn,
	void *arg, struct err *e) MUST_CHECK;

/* Devices of a manufacturer, and those whose claim is open; `max`: so many or more. */
bool records_count_devices_of(struct store *s, const char *manufacturer, int64_t max,
	int64_t *devices, int64_t *pending, struct err *e) MUST_CHECK;

#endif
