/* SPDX-License-Identifier: Apache-2.0 */
/* Revoked certificates and the lists made of them, as rows: see records.h. */
#include "registrar/records/records.h"

#include <string.h>

#include "registrar/records/sql.h"

/* ---- Reading ---- */

struct revoked_reader {
	records_revoked_fn *fn;
	void *arg;
};

static bool revoked_row(void *arg, const struct store_row *r, struct err *e)
{
	const struct revoked_reader *reader = arg;
	const struct revoked_row row = {
		.serial_hex = store_row_text(r, 0),
		.revoked_at = store_row_int(r, 1),
		.der = store_row_blob(r, 2),
	};

	return reader->fn(reader->arg, &row, e);
}

bool records_list_revoked(
	struct store *s, int64_t ends, records_revoked_fn *fn, void *arg, struct err *e)
{
	struct revoked_reader reader = {fn, arg};

	return READ(s, LIST_REVOKED, revoked_row, &reader, e, STORE_I(ends));
}

struct standing_reader {
	struct bytes issuer;
	struct issued_standing *out;
};

static bool standing_row(void *arg, const struct store_row *r, struct err *e)
{
	const struct standing_reader *reader = arg;
	struct bytes der = store_row_blob(r, 1);

	if (reader->issuer.len == 0 ||
		!memmem(der.data, der.len, reader->issuer.data, reader->issuer.len))
		return true; /* of another CA, which the site has or had */
	*reader->out = (struct issued_standing){true, store_row_int(r, 0)};
	return true;
}

bool records_issued_standing(struct store *s, const char *serial_hex, struct bytes issuer,
	struct issued_standing *out, struct err *e)
{
	struct standing_reader reader = {issuer, out};

	*out = (struct issued_standing){0};
	return READ(s, READ_BY_NUMBER, standing_row, &reader, e, store_text(serial_hex));
}

struct crl_reader {
	int64_t *number;
	struct buf *der;
};

static bool crl_row(void *arg, const struct store_row *r, struct err *e)
{
	const struct crl_reader *reader = arg;
	struct bytes der = store_row_blob(r, 1);

	*reader->number = store_row_int(r, 0);
	return buf_append(reader->der, der.data, der.len, e);
}

bool records_crl(
	struct store *s, struct bytes issuer, int64_t *number, struct buf *der, struct err *e)
{
	struct crl_reader reader = {number, der};

	*number = 0;
	return READ(s, READ_CRL, crl_row, &reader, e, store_blob(issuer));
}

static bool number_row(void *arg, const struct store_row *r, struct err *e)
{
	*(int64_t *)arg = store_row_int(r, 0);
	return true;
}

bool records_crl_number(struct store *s, struct bytes issuer, int64_t *number, struct err *e)
{
	*number = 0;
	return READ(s, READ_CRL_NUMBER, number_row, number, e, store_blob(issuer));
}

/* ---- Writing ---- */

bool records_keep_crl(const struct records_writer *w, struct bytes issuer, int64_t before,
	int64_t number, struct bytes der, struct err *e)
{
	const struct store_op op = {
		.statement = KEEP_CRL,
		.params = {store_blob(issuer), STORE_I(number), store_blob(der), STORE_I(before)},
		.param_count = 4,
		.must_change = true,
	};

	return records_write(w, &op, 1, e);
}
