/* SPDX-License-Identifier: Apache-2.0 */
/* The command line as two tables: the commands, and the options with the commands they belong to.
 */
#include "certs/options.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define C(name) (1u << COMMAND_##name)
#define ALL	((1u << COMMAND_COUNT) - 1)

const char options_help[] =
	"Usage: brski-certs COMMAND --out DIR [OPTION]...\n"
	"Makes the certificates that a manufacturer and a site need for BRSKI (RFC 8995).\n"
	"\n"
	"Commands\n"
	"  manufacturer   root and issuing CA of a manufacturer: root.key root.crt issuing.key\n"
	"                 issuing.crt. root.crt is the anchor registrars and pledges trust.\n"
	"  domain         the same four files for the site that devices join\n"
	"  masa           --ca DIR of the manufacturer: masa-signer.key/.crt, which signs "
	"vouchers,\n"
	"                 and masa-tls.key/.crt for the MASA's HTTPS server\n"
	"  registrar      --ca DIR of the domain: registrar.key/.crt (cmcRA, serverAuth, "
	"clientAuth)\n"
	"  standby        --ca DIR of the domain, with its root.key: standby.key/.crt, a second "
	"issuing\n"
	"                 CA that the registrar can be switched to\n"
	"  idevid         --ca DIR of the manufacturer, --masa-url URL and --serial SN or --csv "
	"FILE:\n"
	"                 SN.key/SN.crt for every device, and manifest.csv\n"
	"\n"
	"Options\n"
	"  --out DIR           where the files go; made when it is not there\n"
	"  --ca DIR            the directory that `manufacturer` or `domain` made\n"
	"  --name ORG          organization in the names of the CA\n"
	"  --key-type TYPE     ec-p256 (default), ec-p384, rsa-3072, ed25519. Ed25519 is for CAs "
	"only:\n"
	"                      IDevIDs, voucher signers and registrars sign CMS that others must\n"
	"                      read, and most cannot read Ed25519 there\n"
	"  --days N            validity in days; default: manufacturer without end, domain 3650,\n"
	"                      MASA signer 3650, TLS and registrar 825, never beyond the issuer's\n"
	"  --san LIST          names of the server; default " DEFAULT_SAN "\n"
	"  --masa-url URL      where the MASA is, e.g. masa.example:9443\n"
	"  --serial SN         one device\n"
	"  --csv FILE          many: a header row with a column `serial`, a row each; a column\n"
	"                      `model` stands for --model\n"
	"  --organization ORG  organization in the subject of IDevIDs; default: that of the CA\n"
	"  --model TEXT        model in the subject of IDevIDs (organizational unit)\n"
	"  -h, --help          this text\n"
	"  -V, --version       the release\n"
	"\n"
	"Existing files are never overwritten. Certificate files of end entities hold the issuing "
	"CA\n"
	"behind them, as servers want them.\n"
	"Exit status: 0 all made, 1 something was not made, 2 the command line is wrong.\n";

static const struct {
	const char *name;
	const char *required[3]; /* options without which there is nothing to do */
	int days;
} commands[COMMAND_COUNT] = {
	[COMMAND_MANUFACTURER] = {"manufacturer", {"--out"}, DAYS_FOREVER},
	[COMMAND_DOMAIN] = {"domain", {"--out"}, HIERARCHY_DOMAIN_DAYS},
	[COMMAND_MASA] = {"masa", {"--out", "--ca"}, DAYS_FOREVER},
	[COMMAND_REGISTRAR] = {"registrar", {"--out", "--ca"}, HIERARCHY_SERVER_DAYS},
	[COMMAND_STANDBY] = {"standby", {"--out", "--ca"}, HIERARCHY_DOMAIN_DAYS},
	[COMMAND_IDEVID] = {"idevid", {"--out", "--ca", "--masa-url"}, DAYS_FOREVER},
};

/* Everything as text first; numbers and names of types are looked at when all is there. */
struct texts {
	const char *out, *ca, *name, *san, *masa_url, *serial, *csv, *organization, *model,
		*key_type, *days;
};

static const struct {
	const char *name;
	size_t offset;
	unsigned commands;
} rows[] = {
	{"--out", offsetof(struct texts, out), ALL},
	{"--ca", offsetof(struct texts, ca), C(MASA) | C(REGISTRAR) | C(STANDBY) | C(IDEVID)},
	{"--name", offsetof(struct texts, name), C(MANUFACTURER) | C(DOMAIN)},
	{"--key-type", offsetof(struct texts, key_type), ALL},
	{"--days", offsetof(struct texts, days), ALL & ~C(IDEVID)},
	{"--san", offsetof(struct texts, san), C(MASA) | C(REGISTRAR)},
	{"--masa-url", offsetof(struct texts, masa_url), C(IDEVID)},
	{"--serial", offsetof(struct texts, serial), C(IDEVID)},
	{"--csv", offsetof(struct texts, csv), C(IDEVID)},
	{"--organization", offsetof(struct texts, organization), C(IDEVID)},
	{"--model", offsetof(struct texts, model), C(IDEVID)},
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static const char **field(struct texts *t, size_t row)
{
	return (const char **)(void *)((char *)t + rows[row].offset);
}

/* "--name value" or "--name=value"; *used says how many words that was. */
static bool take_option(
	char **argv, enum command command, struct texts *t, int *used, struct err *e)
{
	size_t len = strcspn(argv[0], "=");
	bool joined = argv[0][len] == '=';
	const char *value = joined ? argv[0] + len + 1 : argv[1];

	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (strlen(rows[i].name) != len || strncmp(argv[0], rows[i].name, len) != 0)
			continue;
		if (!(rows[i].commands & 1u << command))
			return err_set(e, ERR_INPUT, "%s is no option of %s", rows[i].name,
				commands[command].name);
		if (!value || !*value)
			return err_set(e, ERR_INPUT, "%s wants a value", rows[i].name);
		if (*field(t, i))
			return err_set(e, ERR_INPUT, "%s is given twice", rows[i].name);
		*field(t, i) = value;
		*used = joined ? 1 : 2;
		return true;
	}
	return err_set(e, ERR_INPUT, "unknown option %s", argv[0]);
}

static bool find_command(const char *word, enum command *out, struct err *e)
{
	for (int i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(word, commands[i].name) == 0) {
			*out = (enum command)i;
			return true;
		}
	}
	return err_set(e, ERR_INPUT, "unknown command %s", word);
}

static bool check_required(enum command command, struct texts *t, struct err *e)
{
	for (int i = 0; i < 3 && commands[command].required[i]; i++)
		for (size_t k = 0; k < ROW_COUNT; k++)
			if (strcmp(rows[k].name, commands[command].required[i]) == 0 &&
				!*field(t, k))
				return err_set(e, ERR_INPUT, "%s needs %s", commands[command].name,
					rows[k].name);
	if (command == COMMAND_IDEVID && !t->serial == !t->csv)
		return err_set(e, ERR_INPUT, "idevid needs either --serial or --csv");
	return true;
}

static bool read_days(const char *text, int *out, struct err *e)
{
	char *end;
	long n;

	if (!text)
		return true;
	n = strtol(text, &end, 10);
	if (*end || end == text || n < 1 || n > DAYS_MAX)
		return err_set(e, ERR_INPUT, "--days is a number from 1 to %d", DAYS_MAX);
	*out = (int)n;
	return true;
}

static bool settle(const struct texts *t, struct options *out, struct err *e)
{
	out->out = t->out;
	out->ca = t->ca;
	out->name = t->name;
	out->san = t->san ? t->san : DEFAULT_SAN;
	out->masa_url = t->masa_url;
	out->serial = t->serial;
	out->csv = t->csv;
	out->organization = t->organization;
	out->model = t->model;
	out->days = commands[out->command].days;
	out->key_type = KEY_EC_P256;
	return read_days(t->days, &out->days, e) &&
	       (!t->key_type || key_type_parse(t->key_type, &out->key_type, e));
}

/* --help and --version win wherever they stand. */
static bool asks_to_be_told(int argc, char **argv, struct options *out)
{
	for (int i = 1; i < argc; i++) {
		out->help = out->help || !strcmp(argv[i], "--help") || !strcmp(argv[i], "-h");
		out->version =
			out->version || !strcmp(argv[i], "--version") || !strcmp(argv[i], "-V");
	}
	return out->help || out->version;
}

bool options_parse(int argc, char **argv, struct options *out, struct err *e)
{
	struct texts t = {0};
	int used = 0;

	*out = (struct options){0};
	if (asks_to_be_told(argc, argv, out))
		return true;
	if (argc < 2)
		return err_set(e, ERR_INPUT, "no command");
	if (!find_command(argv[1], &out->command, e))
		return false;
	for (int i = 2; i < argc; i += used)
		if (!take_option(&argv[i], out->command, &t, &used, e))
			return false;
	return check_required(out->command, &t, e) && settle(&t, out, e);
}
