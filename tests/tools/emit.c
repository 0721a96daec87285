/* SPDX-License-Identifier: Apache-2.0 */
/* What our libraries write and read, from the command line, for tests in other languages:
 *
 *   emit cms KEY CERTS    < payload   a CMS signed by the first certificate, carrying them all
 *   emit csr KEY WORDS    < subject   a request of a DER subject, with csrattrs WORDS honoured
 *   emit certs CERTS                  certs-only CMS of a PEM file
 *   emit read-csr         < DER       exit 0: a request that proves itself; its challengePassword
 *   emit cose KEY CERTS   < payload   a COSE_Sign1 with all certificates in its bag
 *   emit cose-bare KEY CERTS < payload   ... and with none
 *   emit strip            < COSE      without the certificates of its unprotected header
 *   emit content FORMAT   < JSON      the content of a voucher as "cms" or "cose" has it
 *   emit voucher FORMAT KEY CERTS < JSON   ... and signed
 *   emit report           < JSON      telemetry in CBOR
 *   emit read-report      < CBOR      ... and back
 *   emit parts            < CBOR      a multipart-core of up to 4 parts, read and written again
 *
 * Output is binary on stdout; exit 1 with the reason on stderr. Not installed.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/message/status_report.h"
#include "common/message/voucher_format.h"
#include "common/pki/cms.h"
#include "common/pki/cose.h"
#include "common/pki/csr.h"
#include "common/pki/pkcs7_certs.h"
#include "common/wire/multipart_core.h"

#define INPUT_MAX     65536
#define TEST_PASSWORD "dGVzdCBiaW5kaW5n" /* what goes in when challengePassword is asked for */

static bool read_input(struct buf *out, struct err *e)
{
	return file_read("/dev/stdin", out, e);
}

static bool emit_cms(char **argv, struct buf *out, struct err *e)
{
	IDENTITY_AUTO struct identity id = {.key = NULL};
	BUF_AUTO struct buf payload = BUF_INIT(INPUT_MAX);

	return identity_load(&id, argv[0], argv[1], e) && read_input(&payload, e) &&
	       cms_seal(buf_bytes(&payload), &id, &id.chain, clock_unix_s(NULL), out, e);
}

static bool emit_csr(char **argv, struct buf *out, struct err *e)
{
	KEY_AUTO struct key *key = key_load(argv[0], e);
	BUF_AUTO struct buf subject = BUF_INIT(INPUT_MAX);
	BUF_AUTO struct buf words = BUF_INIT(CSRATTRS_DER_MAX);
	CSRATTRS_AUTO struct csrattrs attrs = {.key_bits = 0};
	struct csr_wish wish = {.key = key, .attrs = &attrs};

	if (!key || !read_input(&subject, e) || !csrattrs_format(argv[1], &words, e) ||
		!csrattrs_parse(buf_bytes(&words), &attrs, e))
		return false;
	wish.subject_der = buf_bytes(&subject);
	if (attrs.wants_challenge_password)
		wish.challenge_password = TEST_PASSWORD;
	return csr_make(&wish, out, e);
}

static bool emit_certs(char **argv, struct buf *out, struct err *e)
{
	CERT_LIST_AUTO struct cert_list certs = CERT_LIST_INIT;

	return cert_list_load(argv[0], &certs, e) && pkcs7_certs_format(&certs, out, e);
}

static bool read_csr(char **argv, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf der = BUF_INIT(INPUT_MAX);
	CSR_AUTO struct csr *c = NULL;
	const char *password;

	if (!read_input(&der, e))
		return false;
	c = csr_parse(buf_bytes(&der), e);
	if (!c || !csr_verify(c, e))
		return false;
	password = csr_challenge_password(c);
	return buf_append_str(out, password ? password : "", e);
}

static bool seal_cose(char **argv, bool with_certs, struct buf *out, struct err *e)
{
	IDENTITY_AUTO struct identity id = {.key = NULL};
	CERT_LIST_AUTO struct cert_list bag = CERT_LIST_INIT;
	BUF_AUTO struct buf payload = BUF_INIT(INPUT_MAX);

	if (!identity_load(&id, argv[0], argv[1], e) || !read_input(&payload, e) ||
		!cert_list_add(&bag, id.cert, e))
		return false;
	for (size_t i = 0; i < id.chain.count; i++)
		if (!cert_list_add(&bag, id.chain.items[i], e))
			return false;
	return cose_seal(buf_bytes(&payload), &id, with_certs ? &bag : NULL, out, e);
}

static bool emit_cose(char **argv, struct buf *out, struct err *e)
{
	return seal_cose(argv, true, out, e);
}

static bool emit_cose_bare(char **argv, struct buf *out, struct err *e)
{
	return seal_cose(argv, false, out, e);
}

static bool emit_strip(char **argv, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf octets = BUF_INIT(INPUT_MAX);

	return read_input(&octets, e) && cose_strip_certs(buf_bytes(&octets), out, e);
}

static bool read_voucher(const char *format_name, const struct voucher_format **format,
	struct voucher *out, struct err *e)
{
	BUF_AUTO struct buf json = BUF_INIT(INPUT_MAX);

	*format = strcmp(format_name, "cose") == 0
			  ? voucher_format_by_media_type("application/voucher+cose")
			  : voucher_format_by_media_type("application/voucher-cms+json");
	return read_input(&json, e) && voucher_parse_json(buf_bytes(&json), out, e);
}

static bool emit_content(char **argv, struct buf *out, struct err *e)
{
	VOUCHER_AUTO struct voucher v;
	const struct voucher_format *format;

	voucher_init(&v, VOUCHER);
	return read_voucher(argv[0], &format, &v, e) && format->format_content(&v, out, e);
}

static bool emit_voucher(char **argv, struct buf *out, struct err *e)
{
	IDENTITY_AUTO struct identity id = {.key = NULL};
	VOUCHER_AUTO struct voucher v;
	const struct voucher_format *format;

	voucher_init(&v, VOUCHER);
	return read_voucher(argv[0], &format, &v, e) && identity_load(&id, argv[1], argv[2], e) &&
	       format->seal(&v, &id, &id.chain, clock_unix_s(NULL), out, e);
}

static bool emit_report(char **argv, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf json = BUF_INIT(INPUT_MAX);
	STATUS_REPORT_AUTO struct status_report r = {.version = 1};

	return read_input(&json, e) && status_report_parse(buf_bytes(&json), &r, e) &&
	       status_report_format_cbor(&r, out, e);
}

static bool emit_read_report(char **argv, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf cbor = BUF_INIT(INPUT_MAX);
	STATUS_REPORT_AUTO struct status_report r = {.version = 1};

	return read_input(&cbor, e) && status_report_parse_cbor(buf_bytes(&cbor), &r, e) &&
	       status_report_format(&r, out, e);
}

static bool emit_parts(char **argv, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf cbor = BUF_INIT(INPUT_MAX);
	struct multipart_part parts[4];
	size_t count;

	return read_input(&cbor, e) && multipart_core_read(buf_bytes(&cbor), parts, 4, &count, e) &&
	       multipart_core_put(out, parts, count, e);
}

static const struct command {
	const char *name;
	int arguments;
	bool (*run)(char **argv, struct buf *out, struct err *e);
} commands[] = {
	{"cms", 2, emit_cms},
	{"csr", 2, emit_csr},
	{"certs", 1, emit_certs},
	{"read-csr", 0, read_csr},
	{"cose", 2, emit_cose},
	{"cose-bare", 2, emit_cose_bare},
	{"strip", 0, emit_strip},
	{"content", 1, emit_content},
	{"voucher", 3, emit_voucher},
	{"report", 0, emit_report},
	{"read-report", 0, emit_read_report},
	{"parts", 0, emit_parts},
};

int main(int argc, char **argv)
{
	BUF_AUTO struct buf out = BUF_INIT(PKCS7_CERTS_DER_MAX);
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct command *c = &commands[i];

		if (argc != c->arguments + 2 || strcmp(argv[1], c->name) != 0)
			continue;
		if (!c->run(argv + 2, &out, &e)) {
			fprintf(stderr, "emit %s: %s: %s\n", c->name, err_kind_name(e.kind),
				e.text);
			return 1;
		}
		return out.len == 0 || fwrite(out.data, out.len, 1, stdout) == 1 ? 0 : 1;
	}
	fprintf(stderr, "usage: emit COMMAND ..., see tests/tools/emit.c\n");
	return 2;
}
