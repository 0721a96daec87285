/* SPDX-License-Identifier: Apache-2.0 */
/* What pki/ writes and reads, from the command line, for tests in other languages:
 *
 *   emit cms KEY CERTS    < payload   a CMS signed by the first certificate, carrying them all
 *   emit csr KEY WORDS    < subject   a request of a DER subject, with csrattrs WORDS honoured
 *   emit certs CERTS                  certs-only CMS of a PEM file
 *   emit read-csr         < DER       exit 0: a request that proves itself; its challengePassword
 *
 * Output is DER on stdout; exit 1 with the reason on stderr. Not installed.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/pki/cms.h"
#include "common/pki/csr.h"
#include "common/pki/pkcs7_certs.h"

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

static const struct command {
	const char *name;
	int arguments;
	bool (*run)(char **argv, struct buf *out, struct err *e);
} commands[] = {
	{"cms", 2, emit_cms},
	{"csr", 2, emit_csr},
	{"certs", 1, emit_certs},
	{"read-csr", 0, read_csr},
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
	fprintf(stderr, "usage: emit cms|csr|certs|read-csr ...\n");
	return 2;
}
