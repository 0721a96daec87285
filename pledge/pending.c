/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/pending.h"

#include <string.h>

#include "common/pki/digest.h"
#include "pledge/limits.h"
#include "pledge/lines.h"

void pending_init(struct pending *p)
{
	memset(p, 0, sizeof(*p));
	buf_init(&p->request, CMS_DER_MAX);
	buf_init(&p->server_cert, CERT_DER_MAX);
}

void pending_clear(struct pending *p)
{
	buf_clear(&p->request);
	buf_clear(&p->server_cert);
}

/* The last line is the digest of all before it. */
#define SEAL "sha256"

static bool put_seal(struct buf *text, struct err *e)
{
	uint8_t digest[SHA256_LEN];

	return digest_sha256(buf_bytes(text), digest, e) &&
	       lines_put_octets(text, SEAL, bytes_of(digest, sizeof(digest)), e);
}

static bool has_seal(const struct buf *text, struct err *e)
{
	BUF_AUTO struct buf sealed = BUF_INIT(STATE_FILE_MAX);
	const char *line = strstr(buf_str(text), "\n" SEAL " ");

	return line && buf_append(&sealed, buf_str(text), (size_t)(line + 1 - buf_str(text)), e) &&
	       put_seal(&sealed, e) && bytes_equal(buf_bytes(&sealed), buf_bytes(text));
}

bool pending_parse(const struct buf *text, struct pending *out, struct err *e)
{
	return has_seal(text, e) &&
	       lines_get_text(text, "registrar", out->registrar, sizeof(out->registrar)) &&
	       lines_get_text(text, "server", out->server, sizeof(out->server)) &&
	       lines_get_text(text, "nonce", out->nonce, sizeof(out->nonce)) &&
	       lines_get_number(text, "waited", &out->waited_s) &&
	       lines_get_octets(text, "request", &out->request, e) &&
	       lines_get_octets(text, "server-cert", &out->server_cert, e);
}

bool pending_format(const struct pending *p, struct buf *text, struct err *e)
{
	return buf_printf(text, e, "registrar %s\nserver %s\nnonce %s\nwaited %lld\n", p->registrar,
		       p->server, p->nonce, (long long)p->waited_s) &&
	       lines_put_octets(text, "request", buf_bytes(&p->request), e) &&
	       lines_put_octets(text, "server-cert", buf_bytes(&p->server_cert), e) &&
	       put_seal(text, e);
}
