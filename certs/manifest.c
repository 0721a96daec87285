/* SPDX-License-Identifier: Apache-2.0 */
/* The manifest as CSV text that grows row by row and is written once, atomically. */
#include "certs/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/file.h"
#include "common/pki/idevid.h"
#include "common/wire/base64.h"
#include "common/wire/csv.h"
#include "common/wire/hex.h"

#define COLUMNS	     5
#define MANIFEST_MAX ((size_t)512 * 1024 * 1024) /* 250 octets a row: two million devices */
#define SHA256_HEX   65

static const char *const header[COLUMNS] = {
	"serial", "idevid_sha256", "idevid_issuer", "certificate", "result"};

static bool keep_good_rows(struct manifest *m, struct bytes old, struct err *e)
{
	CSV_ROW_AUTO struct csv_row row = CSV_ROW_INIT;
	struct csv c = csv_of(old);
	bool end, first = true;

	for (;;) {
		if (!csv_next(&c, &row, &end, e))
			return err_prefix(e, "%s", m->path);
		if (end)
			return true;
		if (!first && row.count == COLUMNS && strcmp(row.fields[4], MANIFEST_OK) == 0 &&
			!csv_put(row.fields, COLUMNS, &m->text, e))
			return false;
		first = false;
	}
}

bool manifest_open(const char *dir, struct manifest *out, struct err *e)
{
	BUF_AUTO struct buf old = BUF_INIT(MANIFEST_MAX);
	bool exists;

	*out = (struct manifest){.text = BUF_INIT(MANIFEST_MAX)};
	out->path = str_printf(e, "%s/manifest.csv", dir);
	return out->path && csv_put(header, COLUMNS, &out->text, e) &&
	       file_read_if_exists(out->path, &old, &exists, e) &&
	       keep_good_rows(out, buf_bytes(&old), e);
}

bool manifest_add(struct manifest *m, const char *serial, const struct cert *idevid,
	const char *file, const char *result, struct err *e)
{
	BUF_AUTO struct buf aki = BUF_INIT(CERT_DER_MAX);
	BUF_AUTO struct buf issuer = BUF_INIT((size_t)2 * CERT_DER_MAX);
	char sha256[SHA256_HEX] = "";
	const char *row[COLUMNS] = {serial, sha256, "", file, result};

	if (idevid) {
		hex_encode(bytes_of(cert_sha256(idevid), 32), sha256);
		if (!idevid_issuer(idevid, &aki, e) || !base64_encode(buf_bytes(&aki), &issuer, e))
			return false;
		row[2] = buf_str(&issuer);
	}
	return csv_put(row, COLUMNS, &m->text, e);
}

bool manifest_save(const struct manifest *m, struct err *e)
{
	return file_write_atomic(m->path, buf_bytes(&m->text), 0644, e);
}

void manifest_clear(struct manifest *m)
{
	free(m->path);
	buf_clear(&m->text);
	m->path = NULL;
}
