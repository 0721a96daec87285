/* SPDX-License-Identifier: Apache-2.0 */
/* Factory work: an IDevID for every serial of a list (IEEE 802.1AR; RFC 8995 §2.3). */
#include "certs/devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certs/make.h"
#include "certs/manifest.h"
#include "common/pki/hierarchy.h"
#include "common/pki/identity_file.h"
#include "common/base/digest_map.h"
#include "common/base/file.h"
#include "common/pki/digest.h"
#include "common/pki/idevid.h"
#include "common/wire/csv.h"

#define SERIAL_MAX	 64 /* ub-serial-number, RFC 5280 A.1 */
#define ORGANIZATION_MAX 64

struct device { /* a row of the list; 0: the command line */
	const char *serial, *model;
	size_t line;
};

struct batch {
	const struct options *o;
	struct identity ca;
	const char *organization;
	int64_t now;
	struct manifest manifest;
	struct digest_map *seen; /* serials of this run */
	size_t made, failed;
};

static void batch_clear(struct batch *b)
{
	identity_clear(&b->ca);
	manifest_clear(&b->manifest);
	digest_map_free(b->seen);
}
#define BATCH_AUTO __attribute__((cleanup(batch_clear)))

static void forget(void *value)
{
}

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

char *devices_file_stem(const char *serial, struct err *e)
{
	BUF_AUTO struct buf stem = BUF_INIT(3 * SERIAL_MAX + 1);

	for (const char *p = serial; *p; p++) {
		bool inside = p > serial; /* ".x" would be hidden, "-x" be taken for an option */
		bool plain = is_plain(*p) || (inside && (*p == '.' || *p == '-'));

		if (!(plain ? buf_append(&stem, p, 1, e)
			    : buf_printf(&stem, e, "%%%02X", (uint8_t)*p)))
			return NULL;
	}
	return str_dup(buf_str(&stem), e);
}

static bool check_serial(const char *serial, struct err *e)
{
	if (!*serial)
		return err_set(e, ERR_INPUT, "the serial is empty");
	if (strlen(serial) > SERIAL_MAX)
		return err_set(e, ERR_INPUT, "the serial is longer than %d characters", SERIAL_MAX);
	return true;
}

/* The same serial twice in one list: two devices would share an identity. */
static bool check_first_time(struct batch *b, const char *serial, struct err *e)
{
	uint8_t digest[SHA256_LEN];

	if (!digest_sha256(bytes_of_str(serial), digest, e))
		return false;
	if (digest_map_get(b->seen, digest))
		return err_set(e, ERR_INPUT, "the serial stands in the list more than once");
	digest_map_put(b->seen, digest, b);
	return true;
}

static struct cert *issue_idevid(
	struct batch *b, const struct device *d, const struct key *key, struct err *e)
{
	BUF_AUTO struct buf spki = BUF_INIT(CERT_DER_MAX);
	struct issue_request r = {.profile = PROFILE_IDEVID,
		.issuer = &b->ca,
		.organization = b->organization,
		.organizational_unit = d->model && *d->model ? d->model : b->o->model,
		.serial_number = d->serial,
		.masa_url = b->o->masa_url,
		.not_before = hierarchy_not_before(b->now),
		.not_after = INT64_MAX};

	if (!key_public_spki(key, &spki, e))
		return NULL;
	r.spki = buf_bytes(&spki);
	return issue_certificate(&r, e);
}

static bool make_device(
	struct batch *b, const struct device *d, const char *stem, struct cert **out, struct err *e)
{
	KEY_AUTO struct key *key = NULL;

	if (!identity_file_is_free(b->o->out, stem, e))
		return false;
	key = key_generate(b->o->key_type, e);
	if (!key)
		return false;
	*out = issue_idevid(b, d, key, e);
	return *out && identity_file_write(b->o->out, stem, key, *out, b->ca.cert, e);
}

/* To a terminal, so without control characters. */
static void complain(const char *serial, size_t line, const char *why)
{
	char shown[SERIAL_MAX + 1];

	snprintf(shown, sizeof(shown), "%s", serial);
	for (char *p = shown; *p; p++)
		if ((uint8_t)*p < 0x20 || *p == 0x7f)
			*p = '?';
	if (line)
		fprintf(stderr, "line %zu: ", line);
	fprintf(stderr, "serial \"%s\": %s\n", shown, why);
}

/* Made or not, there is a row in the manifest; false only when that could not be written. */
static bool do_device(struct batch *b, const struct device *d, struct err *e)
{
	struct err why = ERR_INIT;
	CERT_AUTO struct cert *idevid = NULL;
	FREE_AUTO char *stem = NULL;
	FREE_AUTO char *file = NULL;

	if (check_serial(d->serial, &why) && check_first_time(b, d->serial, &why))
		stem = devices_file_stem(d->serial, &why);
	if (stem && make_device(b, d, stem, &idevid, &why)) {
		b->made++;
		file = str_printf(e, "%s.crt", stem);
		return file && manifest_add(&b->manifest, d->serial, idevid, file, MANIFEST_OK, e);
	}
	b->failed++;
	complain(d->serial, d->line, why.text);
	return manifest_add(&b->manifest, d->serial, NULL, "", why.text, e);
}

/* ---- the list ---- */

struct columns {
	int serial, model; /* -1: no such column */
};

static bool read_header(struct csv *c, struct csv_row *row, struct columns *at, struct err *e)
{
	bool end;

	if (!csv_next(c, row, &end, e))
		return false;
	at->serial = end ? -1 : csv_column(row, "serial");
	at->model = end ? -1 : csv_column(row, "model");
	return at->serial >= 0 || err_set(e, ERR_INPUT, "no header row with a column \"serial\"");
}

static bool do_rows(struct batch *b, struct csv *c, const struct columns *at, struct csv_row *row,
	struct err *e)
{
	for (;;) {
		struct device d;
		struct err why = ERR_INIT;
		bool end = false;

		if (!csv_next(c, row, &end, &why)) {
			b->failed++;
			fprintf(stderr, "%s\n", why.text);
			if (!manifest_add(&b->manifest, "", NULL, "", why.text, e))
				return false;
			continue;
		}
		if (end)
			return true;
		d = (struct device){
			csv_field(row, at->serial), csv_field(row, at->model), row->line};
		if (!do_device(b, &d, e))
			return false;
	}
}

static size_t count_lines(struct bytes text)
{
	size_t lines = 1;

	for (size_t i = 0; i < text.len; i++)
		lines += text.data[i] == '\n';
	return lines;
}

static bool do_csv(struct batch *b, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(DEVICES_CSV_MAX);
	CSV_ROW_AUTO struct csv_row row = CSV_ROW_INIT;
	struct csv c;
	struct columns at = {-1, -1};

	if (!file_read(b->o->csv, &text, e))
		return false;
	c = csv_of(buf_bytes(&text));
	b->seen = digest_map_new(count_lines(buf_bytes(&text)), forget, e);
	if (!b->seen)
		return false;
	return (read_header(&c, &row, &at, e) || err_prefix(e, "%s", b->o->csv)) &&
	       do_rows(b, &c, &at, &row, e);
}

static bool do_one(struct batch *b, struct err *e)
{
	const struct device d = {.serial = b->o->serial};

	b->seen = digest_map_new(1, forget, e);
	return b->seen && do_device(b, &d, e);
}

bool devices_make(const struct options *o, int64_t now_unix_s, struct err *e)
{
	BATCH_AUTO struct batch b = {.o = o, .now = now_unix_s};
	char organization[ORGANIZATION_MAX + 1];
	struct uri masa;

	if (!idevid_masa_uri_parse(o->masa_url, &masa, e) || !file_make_dir(o->out, 0755, e) ||
		!make_load_ca(o->ca, &b.ca, e) || !manifest_open(o->out, &b.manifest, e))
		return false;
	b.organization = o->organization;
	if (!b.organization && cert_organization(b.ca.cert, organization, sizeof(organization)))
		b.organization = organization;
	if (!(o->csv ? do_csv : do_one)(&b, e) || !manifest_save(&b.manifest, e))
		return false;
	printf("%s: %zu made, %zu not made; see manifest.csv\n", o->out, b.made, b.failed);
	return b.failed == 0 || err_set(e, ERR_INPUT, "%zu of %zu devices were not made", b.failed,
					b.failed + b.made);
}
