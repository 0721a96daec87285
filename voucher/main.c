/* SPDX-License-Identifier: Apache-2.0 */
/* brski-voucher: looks at a voucher or voucher-request as `openssl x509 -text` looks at a
 * certificate, and says whether it is good.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/wire/datetime.h"
#include "voucher/input.h"
#include "voucher/inspect.h"

enum exit_code {
	EXIT_VALID = 0,
	EXIT_NOT_VALID = 1,
	EXIT_NOT_READABLE = 2, /* and wrong usage, so that scripts take neither for a verdict */
};

static const char usage[] =
	"usage: brski-voucher inspect [OPTION]... FILE\n"
	"Print a voucher or voucher-request in CMS or COSE (binary, PEM, base64 or hexadecimal;\n"
	"\"-\": standard input) as JSON and verify it.\n"
	"\n"
	"  --signer FILE   certificate that must have signed it, if not the one it carries\n"
	"  --anchor FILE   trust anchors; without them the chain is not checked\n"
	"  --at TIME       judge chain and expiry at this moment (2026-11-21T10:00:00Z), not now\n"
	"  --nonce NONCE   the nonce it must have\n"
	"  --serial TEXT   the serial-number it must have\n"
	"  -h, --help      this text\n"
	"  -V, --version   the release\n"
	"\n"
	"Exit status: 0 valid, 1 not valid, 2 not readable or wrong usage; a line on stderr says "
	"why.\n";

struct arguments {
	const char *file, *signer, *anchor, *at, *nonce, *serial;
};

/* Long options, and where each value goes. */
static const struct option options[] = {
	{"signer", required_argument, NULL, 's'},
	{"anchor", required_argument, NULL, 'a'},
	{"at", required_argument, NULL, 't'},
	{"nonce", required_argument, NULL, 'n'},
	{"serial", required_argument, NULL, 'e'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

static const char **value_of(struct arguments *a, int option)
{
	switch (option) {
	case 's':
		return &a->signer;
	case 'a':
		return &a->anchor;
	case 't':
		return &a->at;
	case 'n':
		return &a->nonce;
	case 'e':
		return &a->serial;
	default: /* not an enum: whatever getopt made of an unknown option */
		return NULL;
	}
}

/* True: go on. False: *code is what to exit with. */
static bool parse_arguments(int argc, char **argv, struct arguments *out, int *code)
{
	int option;
	*code = EXIT_NOT_READABLE;
	while ((option = getopt_long(argc, argv, "hV", options, NULL)) != -1) {
		const char **value = value_of(out, option);
		if (option == 'h' || option == 'V') {
			printf("%s", option == 'h' ? usage : "brski-voucher " BRSKI_VERSION "\n");
			*code = EXIT_VALID;
			return false;
		}
		if (!value) {
			fputs("Try 'brski-voucher --help'.\n", stderr);
			return false;
		}
		*value = optarg;
	}
	if (argc - optind != 2 || strcmp(argv[optind], "inspect") != 0) {
		fputs(usage, stderr);
		return false;
	}
	out->file = argv[optind + 1];
	return true;
}

/* Everything that was asked for, loaded. */
struct wish_files {
	struct cert_list signers;
	struct cert_list anchors;
	struct anchors *prepared;
	struct inspect_wish wish;
};

static void wish_files_clear(struct wish_files *w)
{
	cert_list_clear(&w->signers);
	cert_list_clear(&w->anchors);
	anchors_free(w->prepared);
}
#define WISH_FILES_AUTO __attribute__((cleanup(wish_files_clear)))

static bool load_wish(const struct arguments *a, struct wish_files *w, struct err *e)
{
	w->wish.nonce = a->nonce;
	w->wish.serial = a->serial;
	w->wish.has_at = a->at || a->anchor;
	w->wish.at = clock_unix_s(NULL);
	if (a->at && !datetime_parse(a->at, &w->wish.at, e))
		return err_prefix(e, "--at");
	if (a->signer) {
		if (!input_load_certs(a->signer, &w->signers, e))
			return err_prefix(e, "--signer");
		w->wish.signers = &w->signers;
	}
	if (a->anchor) {
		if (!input_load_certs(a->anchor, &w->anchors, e))
			return err_prefix(e, "--anchor");
		w->prepared = anchors_new(&w->anchors, e);
		w->wish.anchors = w->prepared;
		return w->prepared != NULL;
	}
	return true;
}

static bool print_report(const json_t *report, struct err *e)
{
	if (json_dumpf(report, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) != 0 ||
		putchar('\n') == EOF || fflush(stdout) != 0)
		return err_set_errno(e, ERR_IO, "standard output");
	return true;
}

static bool run(const struct arguments *a, struct err *why, struct err *e)
{
	struct wish_files WISH_FILES_AUTO w = {.prepared = NULL};
	struct buf BUF_AUTO octets = BUF_INIT(INPUT_MAX);
	const struct voucher_format *format;
	json_t *JSON_AUTO report = NULL;
	return load_wish(a, &w, e) && input_load(a->file, &octets, &format, e) &&
	       inspect(buf_bytes(&octets), format, &w.wish, &report, why, e) &&
	       print_report(report, e);
}

int main(int argc, char **argv)
{
	struct arguments a = {.file = NULL};
	struct err why = ERR_INIT, e = ERR_INIT;
	int code;
	if (!parse_arguments(argc, argv, &a, &code))
		return code;
	if (!run(&a, &why, &e)) {
		text_make_safe(e.text, '?');
		fprintf(stderr, "brski-voucher: %s: not readable: %s\n", a.file, e.text);
		return EXIT_NOT_READABLE;
	}
	if (why.kind != ERR_NONE) {
		text_make_safe(why.text, '?');
		fprintf(stderr, "brski-voucher: %s: not valid: %s\n", a.file, why.text);
		return EXIT_NOT_VALID;
	}
	return EXIT_VALID;
}
