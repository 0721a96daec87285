/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of records_reports.h out of their statements. */
#include "registrar/records/reports.h"

#include "registrar/records/sql.h"

struct reader {
	union {
		records_certificate_row_fn *certificate;
		records_voucher_row_fn *voucher;
		records_hour_fn *hour;
		records_day_fn *day;
	};
	void *arg;
};

static bool certificate_row(void *arg, const struct store_row *r, struct err *e)
{
	const struct reader *reader = arg;
	struct bytes sha256 = store_row_blob(r, 0);
	const struct certificate_row row = {
		.sha256 = sha256.data,
		.serial_hex = store_row_text(r, 1),
		.manufacturer = store_row_text(r, 2),
		.serial = store_row_text(r, 3),
		.subject = store_row_text(r, 4),
		.issued_at = store_row_int(r, 5),
		.not_after = store_row_int(r, 6),
		.revoked_at = store_row_int(r, 7),
		.device = store_row_int(r, 8),
		.site = store_row_text(r, 9),
		.current = store_row_int(r, 10) != 0,
	};

	if (sha256.len != SHA256_LEN)
		return err_set(e, ERR_STORE, "a certificate's digest is damaged");
	return reader->certificate(reader->arg, &row, e);
}

bool records_list_by_end(struct store *s, const struct certificate_place *after, int64_t until,
	int64_t limit, records_certificate_row_fn *fn, void *arg, struct err *e)
{
	struct reader reader = {.certificate = fn, .arg = arg};

	return READ(s, LIST_BY_END, certificate_row, &reader, e, STORE_I(after->not_after),
		store_blob(bytes_of(after->sha256, after->sha256_len)), STORE_I(until),
		STORE_I(limit));
}

static bool voucher_row(void *arg, const struct store_row *r, struct err *e)
{
	const struct reader *reader = arg;
	const struct voucher_row row = {
		.device = store_row_int(r, 0),
		.manufacturer = store_row_text(r, 1),
		.serial = store_row_text(r, 2),
		.vouched_at = store_row_int(r, 3),
		.type = store_row_text(r, 4),
		.site = store_row_text(r, 5),
	};

	return reader->voucher(reader->arg, &row, e);
}

bool records_list_vouchers(struct store *s, int64_t after, int64_t limit,
	records_voucher_row_fn *fn, void *arg, struct err *e)
{
	struct reader reader = {.voucher = fn, .arg = arg};

	return READ(s, LIST_VOUCHERS, voucher_row, &reader, e, STORE_I(after), STORE_I(limit));
}

static bool hour_row(void *arg, const struct store_row *r, struct err *e)
{
	const struct reader *reader = arg;
	const struct hour_row row = {
		.hour = store_row_int(r, 0),
		.step = store_row_text(r, 1),
		.outcome = store_row_text(r, 2),
		.manufacturer = store_row_text(r, 3),
		.count = store_row_int(r, 4),
	};

	return reader->hour(reader->arg, &row, e);
}

bool records_list_hours(
	struct store *s, int64_t from, records_hour_fn *fn, void *arg, struct err *e)
{
	struct reader reader = {.hour = fn, .arg = arg};

	return READ(s, LIST_HOURS, hour_row, &reader, e, STORE_I(from));
}

static bool day_row(void *arg, const struct store_row *r, struct err *e)
{
	const struct reader *reader = arg;
	const struct day_row row = {
		.day = store_row_int(r, 0),
		.manufacturer = store_row_text(r, 1),
		.count = store_row_int(r, 2),
	};

	return reader->day(reader->arg, &row, e);
}

bool records_list_ends(struct store *s, int64_t from_day, int64_t to_day, records_day_fn *fn,
	void *arg, struct err *e)
{
	struct reader reader = {.day = fn, .arg = arg};

	return READ(s, LIST_ENDS, day_row, &reader, e, STORE_I(from_day), STORE_I(to_day));
}

static bool take_count(void *arg, const struct store_row *r, struct err *e)
{
	int64_t *count = arg;

	*count = store_row_int(r, 0);
	return true;
}

bool records_count_devices_of(struct store *s, const char *manufacturer, int64_t max,
	int64_t *devices, int64_t *pending, struct err *e)
{
	return READ(s, COUNT_DEVICES_OF, take_count, devices, e, store_text(manufacturer),
		       STORE_I(max)) &&
	       READ(s, COUNT_PENDING_OF, take_count, pending, e, store_text(manufacturer),
		       STORE_I(max));
}
