/* SPDX-License-Identifier: Apache-2.0 */
/* One signed POST to a program of the site: an event to a hook, a question to who decides.
 *
 *   X-Brski-Timestamp: seconds since 1970, decimal
 *   X-Brski-Signature: sha256=HEX
 *
 * HEX is HMAC-SHA256 over the timestamp's digits, a dot and the octets of the body, in lower case;
 * its key is the secret as it was shown, its characters and not what they might stand for. */
#ifndef REGISTRAR_NOTIFY_HOOK_SEND_H
#define REGISTRAR_NOTIFY_HOOK_SEND_H

#include "common/net/http_client.h"
#include "common/pki/digest.h"

#define HOOK_BODY_MAX	   16384
#define HOOK_SECRET_LEN	   64 /* hexadecimal digits of 32 random octets */
#define HOOK_SECRET_MAX	   255
#define HOOK_SIGNATURE_LEN (sizeof("sha256=") - 1 + 2 * SHA256_LEN)

struct hook_target {
	struct uri uri;
	const char *secret;
	struct bytes ca_pem; /* until done */
	unsigned addresses;  /* bits of enum http_address_class */
	int64_t timeout_ms;
};

/* https, or http to this very machine (localhost, 127.0.0.0/8, ::1). ERR_INPUT. */
bool hook_url_parse(const char *url, struct uri *out, struct err *e) MUST_CHECK;
/* out: HOOK_SIGNATURE_LEN characters and a NUL. */
bool hook_sign(
	const char *secret, int64_t at, struct bytes body, char *out, struct err *e) MUST_CHECK;
bool hook_secret_new(char out[HOOK_SECRET_LEN + 1], struct err *e) MUST_CHECK;

struct hook_message {
	const char *content_type;
	const char *accept; /* or NULL */
	struct bytes body;
	int64_t at;
	size_t reply_max;
};
/* done as in http_client.h. */
bool hook_send(struct http_client *c, const struct hook_target *t, const struct hook_message *m,
	http_done *done, void *arg, struct err *e) MUST_CHECK;
/* Was it taken? Only a status of 2xx says so; *e says what else came. */
bool hook_was_taken(const struct http_reply *reply, const struct err *failure, struct err *e);

#endif
