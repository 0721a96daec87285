/* SPDX-License-Identifier: Apache-2.0 */
/* What a pledge reads out of EST's answers. The first octet says as which media type, in base64 or
 * not, and whether a key is expected; the rest is the body. */
#include <stdio.h>

#include "pledge/est_reply.h"
#include "tests/fuzz/fuzz.h"

static const char *const types[] = {"application/pkcs7-mime; smime-type=certs-only",
	"application/pkix-cert", "application/multipart-core", "text/plain"};
#define TYPE_COUNT (sizeof(types) / sizeof(*types))

static void read_certs(const struct session_reply *reply, bool base64)
{
	CERT_LIST_AUTO struct cert_list certs = CERT_LIST_INIT;
	struct err e = ERR_INIT;
	bool ok = est_reply_certs(reply, base64, &certs, &e);

	fuzz_check_promises(ok, &e);
	FUZZ_REQUIRE(!ok || certs.count > 0);
}

static void read_key(const struct session_reply *reply)
{
	CERT_LIST_AUTO struct cert_list certs = CERT_LIST_INIT;
	KEY_AUTO struct key *key = NULL;
	struct err e = ERR_INIT;
	bool ok = est_reply_key(reply, &key, &certs, &e);

	fuzz_check_promises(ok, &e);
	FUZZ_REQUIRE(ok == (key != NULL) && ok == (certs.count > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct session_reply reply = {.status = 200};
	struct err e = ERR_INIT;

	if (len == 0)
		return 0;
	snprintf(reply.content_type, sizeof(reply.content_type), "%s", types[data[0] % TYPE_COUNT]);
	buf_init(&reply.body, len);
	FUZZ_REQUIRE(buf_append(&reply.body, data + 1, len - 1, &e));
	if (data[0] & 0x80)
		read_key(&reply);
	else
		read_certs(&reply, data[0] & 0x40);
	session_reply_clear(&reply);
	return 0;
}
