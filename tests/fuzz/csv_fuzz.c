/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a device import, as `masactl devices import` reads them: every row that is taken,
 * written again, is the same row; reading always ends. */
#include <string.h>

#include "common/pki/idevid.h"
#include "common/wire/base64.h"
#include "common/wire/csv.h"
#include "registrar/import.h"
#include "tests/fuzz/fuzz.h"

static void check_round_trip(const struct csv_row *row)
{
	BUF_AUTO struct buf text = BUF_INIT(4 * CSV_ROW_MAX);
	CSV_ROW_AUTO struct csv_row again = CSV_ROW_INIT;
	struct err e = ERR_INIT;
	struct csv reader;
	bool end = false;

	FUZZ_REQUIRE(csv_put(row->fields, row->count, &text, &e));
	if (text.len > CSV_ROW_MAX)
		return;
	reader = csv_of(buf_bytes(&text));
	FUZZ_REQUIRE(csv_next(&reader, &again, &end, &e));
	if (end) /* one empty field is an empty row */
		return;
	FUZZ_REQUIRE(again.count == row->count);
	for (size_t i = 0; i < row->count; i++)
		FUZZ_REQUIRE(strcmp(again.fields[i], row->fields[i]) == 0);
}

static void check_issuer(const char *text)
{
	BUF_AUTO struct buf octets = BUF_INIT(CSV_ROW_MAX);
	struct err e = ERR_INIT;
	struct bytes id;

	if (!base64_decode(bytes_of_str(text), &octets, &e))
		return;
	id = idevid_issuer_key_id(buf_bytes(&octets));
	if (id.len)
		FUZZ_REQUIRE(
			id.data >= octets.data && id.data + id.len <= octets.data + octets.len);
}

static bool is_acme(const void *arg, const char *name)
{
	return strcmp(name, "acme") == 0;
}

/* `registrarctl claims import`: whatever is taken has what a claim needs. */
static void check_import(const char *type, struct bytes text)
{
	IMPORT_AUTO struct import in;
	struct err e = ERR_INIT;
	bool ok = import_read(&in, type, text, FUZZ_NOW, is_acme, NULL, &e);

	fuzz_check_promises(ok, &e);
	for (size_t i = 0; ok && i < in.count; i++)
		if (in.rows[i].result == IMPORT_BAD)
			FUZZ_REQUIRE(in.rows[i].why);
		else
			FUZZ_REQUIRE(is_acme(NULL, in.rows[i].manufacturer) && *in.rows[i].serial);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct csv reader = csv_of(bytes_of(data, len));
	int issuer = -1;
	bool end = false, first = true;

	check_import(IMPORT_CSV, bytes_of(data, len));
	check_import(IMPORT_NDJSON, bytes_of(data, len));
	while (!end) {
		CSV_ROW_AUTO struct csv_row row = CSV_ROW_INIT;
		struct err e = ERR_INIT;
		size_t before = reader.rest.len;
		bool ok = csv_next(&reader, &row, &end, &e);

		fuzz_check_promises(ok, &e);
		FUZZ_REQUIRE(end || reader.rest.len < before);
		if (!ok || end)
			continue;
		if (first)
			issuer = csv_column(&row, "idevid_issuer");
		first = false;
		check_issuer(csv_field(&row, issuer));
		check_round_trip(&row);
	}
	return 0;
}
