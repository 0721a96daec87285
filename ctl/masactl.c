/* SPDX-License-Identifier: Apache-2.0 */
/* masactl: the manufacturer's hands on a MASA. */
#include <stdlib.h>
#include <string.h>

#include "common/base/file.h"
#include "common/wire/csv.h"
#include "ctl/audit.h"
#include "ctl/backup.h"
#include "ctl/restore.h"
#include "ctl/ctl.h"
#include "ctl/destinations.h"
#include "ctl/doctor.h"
#include "ctl/setup_ca.h"
#include "ctl/setup_masa.h"
#include "ctl/status.h"
#include "ctl/tokens_new.h"

#define CSV_FILE_MAX (256 * 1024 * 1024) /* a few million devices */
#define PEM_FILE_MAX 65536
#define BATCH_ROWS   256 /* rows of one import request: what the daemon takes */
#define PATH_MAX_LEN 1024

/* ---- devices import ---- */

static const char *const columns_known[] = {"serial", "idevid_issuer", "owner"};
#define COLUMN_COUNT (sizeof(columns_known) / sizeof(*columns_known))

struct import {
	struct ctl *c;
	const char *path;
	struct csv csv;
	int at[COLUMN_COUNT]; /* where each known column stands in the file; -1: nowhere */
	int result_at;	      /* brski-certs' manifest says here what became of the device */
	json_t *items;	      /* rows of the batch */
	size_t lines[BATCH_ROWS];
	size_t rows, bad;
	json_int_t changed;
	bool check_only;
	int passes; /* 1: look at the rows only */
};

static const struct ctl_option import_options[] = {{"dry-run", NULL}, {NULL, NULL}};

static enum ctl_exit complain(struct import *in, size_t line, const char *why)
{
	in->bad++;
	return ctl_fail(in->c, "%s:%zu: %s", in->path, line, why);
}

/* Columns brski-certs' manifest has for others than the MASA: nothing to warn of. */
static const char *const columns_of_manifest[] = {"idevid_sha256", "certificate", "result"};

static bool is_one_of(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(names[i], name) == 0)
			return true;
	return false;
}

static bool is_known(const char *name)
{
	return is_one_of(columns_known, COLUMN_COUNT, name) ||
	       is_one_of(columns_of_manifest,
		       sizeof(columns_of_manifest) / sizeof(*columns_of_manifest), name);
}

static enum ctl_exit read_header(struct import *in, bool warn)
{
	CSV_ROW_AUTO struct csv_row header = CSV_ROW_INIT;
	struct err e = ERR_INIT;
	bool end;

	if (!csv_next(&in->csv, &header, &end, &e) || end)
		return ctl_fail(in->c, "%s: %s", in->path, end ? "the file is empty" : e.text);
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		in->at[i] = csv_column(&header, columns_known[i]);
	if (in->at[0] < 0)
		return ctl_fail(in->c, "%s: the first row names no column 'serial'", in->path);
	in->result_at = csv_column(&header, "result");
	for (size_t i = 0; i < header.count && warn; i++)
		if (!is_known(header.fields[i]))
			ctl_fail(in->c, "%s: column '%s' is ignored", in->path, header.fields[i]);
	return CTL_DONE;
}

static bool add_row(struct import *in, const struct csv_row *row)
{
	json_t *item = json_object();

	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		const char *value = csv_field(row, in->at[i]);

		if (*value &&
			json_object_set_new(item, columns_known[i], json_string(value)) != 0) {
			json_decref(item);
			return false; /* not UTF-8 */
		}
	}
	in->lines[json_array_size(in->items)] = row->line;
	return json_array_append_new(in->items, item) == 0;
}

/* A row of a manifest about a device that could not be made. */
static bool was_not_made(const struct import *in, const struct csv_row *row)
{
	return in->result_at >= 0 && strcmp(csv_field(row, in->result_at), "ok") != 0;
}

static void report(struct import *in, const json_t *reply)
{
	const json_t *results = json_object_get(reply, "results");

	for (size_t i = 0; i < json_array_size(results) && i < BATCH_ROWS; i++) {
		const json_t *result = json_array_get(results, i);
		const char *reason = json_string_value(json_object_get(result, "reason"));

		if (reason)
			complain(in, in->lines[i], reason);
	}
	in->changed += json_integer_value(json_object_get(reply, "changed"));
}

static enum ctl_exit send_batch(struct import *in)
{
	json_t *body, *reply = NULL;
	enum ctl_exit code;

	if (json_array_size(in->items) == 0)
		return CTL_DONE;
	body = json_pack("{s:O}", "items", in->items);
	code = ctl_request_json(in->c, in->path, "POST",
		in->check_only ? "/api/v1/devices?check=1" : "/api/v1/devices", body, &reply);
	if (code == CTL_DONE)
		report(in, reply);
	json_decref(reply);
	json_decref(body);
	json_array_clear(in->items);
	return code;
}

static enum ctl_exit send_rows(struct import *in)
{
	CSV_ROW_AUTO struct csv_row row = CSV_ROW_INIT;
	enum ctl_exit code = CTL_DONE;
	bool end = false;

	while (code == CTL_DONE && !end) {
		struct err e = ERR_INIT;

		if (!csv_next(&in->csv, &row, &end, &e))
			complain(in, in->csv.line, e.text);
		else if (!end && was_not_made(in, &row))
			continue;
		else if (!end && !add_row(in, &row))
			complain(in, row.line, "not UTF-8");
		in->rows += !end;
		if (end || json_array_size(in->items) == BATCH_ROWS)
			code = send_batch(in);
	}
	return code;
}

/* The file twice: first every row is looked at and nothing written, then, when all are good,
 * written in batches. Rows that are there already change nothing, so an import cut short is simply
 * repeated. */
static enum ctl_exit import(struct import *in, struct bytes text)
{
	enum ctl_exit code = CTL_DONE;

	for (int pass = 0; pass < in->passes && code == CTL_DONE; pass++) {
		in->check_only = pass == 0;
		in->csv = csv_of(text);
		in->rows = 0;
		code = read_header(in, pass == 0);
		if (code == CTL_DONE)
			code = send_rows(in);
		if (code == CTL_DONE && in->bad && in->check_only)
			code = ctl_fail(in->c, "%s: %zu of %zu rows are bad; nothing was imported",
				in->path, in->bad, in->rows);
	}
	if (code == CTL_DONE && in->bad) /* good a moment ago: an owner has gone meanwhile */
		return CTL_PARTLY;
	return code;
}

static enum ctl_exit devices_import(struct ctl *c, int argc, char **argv)
{
	BUF_AUTO struct buf text = BUF_INIT(CSV_FILE_MAX);
	struct import in = {.c = c, .path = argv[0], .items = json_array()};
	const bool dry_run = ctl_option(c, "dry-run");
	struct err e = ERR_INIT;
	enum ctl_exit code;

	in.passes = dry_run ? 1 : 2;
	if (!in.items || !file_read(argv[0], &text, &e))
		code = ctl_fail(c, "%s", in.items ? e.text : "no memory");
	else
		code = import(&in, buf_bytes(&text));
	json_decref(in.items);
	if (code == CTL_DONE && dry_run)
		printf("%zu devices, all good; nothing was imported\n", in.rows);
	else if (code == CTL_DONE)
		printf("%zu devices, %lld new or changed\n", in.rows, (long long)in.changed);
	return code;
}

/* ---- lists and objects ---- */

static enum ctl_exit devices_list(struct ctl *c, int argc, char **argv)
{
	static const struct ctl_column columns[] = {{"SERIAL", "serial"}, {"OWNER", "owner"},
		{"IDEVID ISSUER", "idevid_issuer"}, {"IMPORTED", "imported"}, {NULL, NULL}};

	return ctl_list(c, "/api/v1/devices", columns);
}

static enum ctl_exit owners_list(struct ctl *c, int argc, char **argv)
{
	static const struct ctl_column columns[] = {{"NAME", "name"}, {"ANCHOR", "anchor"},
		{"ANCHORS", "anchors"}, {"CREATED", "created"}, {NULL, NULL}};

	return ctl_list(c, "/api/v1/owners", columns);
}

/* dir and the serial as a path. */
static bool path_of(struct buf *path, const char *dir, const char *serial)
{
	struct err e = ERR_INIT;

	return buf_append_str(path, dir, &e) && ctl_path_add(path, serial, &e);
}

static enum ctl_exit devices_show(struct ctl *c, int argc, char **argv)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_MAX_LEN);
	json_t *device = NULL;
	enum ctl_exit code;

	if (!path_of(&path, "/api/v1/devices", argv[0]))
		return ctl_fail(c, "%s: serial too long", argv[0]);
	code = ctl_request(c, NULL, "GET", buf_str(&path), NULL, (struct bytes){NULL, 0}, &device);
	if (code == CTL_DONE)
		code = ctl_print_object(c, device);
	json_decref(device);
	return code;
}

static enum ctl_exit audit_show(struct ctl *c, int argc, char **argv)
{
	static const struct ctl_column columns[] = {{"DATE", "date"}, {"ASSERTION", "assertion"},
		{"NONCE", "nonce"}, {"DOMAIN ID", "domainID"}, {"REGISTRAR", "registrar"},
		{"EXPIRES", "expires_on"}, {NULL, NULL}};
	BUF_AUTO struct buf path = BUF_INIT(PATH_MAX_LEN);

	if (!path_of(&path, "/api/v1/audit", argv[0]))
		return ctl_fail(c, "%s: serial too long", argv[0]);
	return ctl_list(c, buf_str(&path), columns);
}

static enum ctl_exit owners_add(struct ctl *c, int argc, char **argv)
{
	BUF_AUTO struct buf pem = BUF_INIT(PEM_FILE_MAX);
	struct err e = ERR_INIT;
	enum ctl_exit code;
	json_t *body;

	if (!file_read(argv[1], &pem, &e))
		return ctl_fail(c, "%s", e.text);
	body = json_pack("{s:s, s:s}", "name", argv[0], "anchors", buf_str(&pem));
	if (!body)
		return ctl_fail(c, "%s: name or file is not text", argv[0]);
	code = ctl_request_json(c, argv[0], "POST", "/api/v1/owners", body, NULL);
	json_decref(body);
	return code;
}

static const struct ctl_command commands[] = {
	{"setup", "", "",
		"Make a MASA: the manufacturer's CA, the voucher signer, the configuration.", 0, 0,
		setup_options, setup_masa},
	{"devices", "import", "FILE.csv",
		"Add devices: a header row with the columns serial and, where wanted, "
		"idevid_issuer and"
		" owner.",
		1, 1, import_options, devices_import},
	{"devices", "list", "", "List all devices.", 0, 0, NULL, devices_list},
	{"devices", "show", "SERIAL", "Show one device.", 1, 1, NULL, devices_show},
	{"owners", "add", "NAME ANCHOR.pem",
		"Add an owner by the CA certificate of its domain, or replace the certificate.", 2,
		2, NULL, owners_add},
	{"owners", "list", "", "List all owners.", 0, 0, NULL, owners_list},
	{"destinations", "list", "OWNER", "Where an owner wants its devices.", 1, 1, NULL,
		destinations_list},
	{"destinations", "registrar", "OWNER URL",
		"The owner has a registrar there: cloud registrars send its devices to it.", 2, 2,
		destinations_registrar_options, destinations_registrar},
	{"destinations", "est", "OWNER URL PIN.pem",
		"The owner has an EST server there; vouchers name it and pin this certificate, its "
		"own or a CA's.",
		3, 3, NULL, destinations_est},
	{"destinations", "configuration", "OWNER URL",
		"Vouchers that name the EST server name this, too, for more configuration.", 2, 2,
		NULL, destinations_configuration},
	{"destinations", "remove", "OWNER URL", "Forget one of them.", 2, 2, NULL,
		destinations_remove},
	{"audit", "show", "SERIAL", "Show every voucher issued for a device.", 1, 1, NULL,
		audit_show},
	{"audit", "list", "", "Vouchers that were issued, the newest last.", 0, 0,
		audit_list_options, audit_list},
	{"audit", "export", "", "All of it, a JSON object a line: signed heads, then entries.", 0,
		0, NULL, audit_export},
	{"audit", "verify", "[EXPORT]",
		"Was it changed? Follow its hashes and signatures, here or in an export.", 0, 1,
		audit_verify_options, audit_verify},
	{"tokens", "new", "NAME",
		"Make a token for --token-file, and its line for the MASA; --read: it may change "
		"nothing; --lookup: for a cloud registrar.",
		1, 1, tokens_new_options, tokens_new},
	{"backup", "", "FILE", "Copy the store into a new file while the MASA runs.", 1, 1, NULL,
		backup},
	{"restore", "", "FILE", "Put a backup in place of the store; the MASA is stopped.", 1, 1,
		restore_options, restore_masa},
	{"doctor", "", "", "What may be wrong, and what to do next.", 0, 0, NULL, doctor},
	{"status", "", "", "How the MASA is, at one glance.", 0, 0, status_options, status},
	{.noun = NULL},
};

static const struct ctl_program program = {
	.name = "masactl",
	.what_it_is = "administer a brski-masa",
	.default_socket = "/run/brski-masa/admin.sock",
	.commands = commands,
	.audit = &audit_log_of_masa,
	.environment = "MASACTL",
	.token_command = "tokens new",
};

int main(int argc, char **argv)
{
	return ctl_main(argc, argv, &program);
}
