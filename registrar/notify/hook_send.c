/* SPDX-License-Identifier: Apache-2.0 */
/* Signing and sending; and which addresses a hook may have. Redirects are not followed: a receiver
 * that moved is told to us by an administrator. */
#include "registrar/notify/hook_send.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/base/rng.h"
#include "common/net/status.h"
#include "common/pki/hmac.h"
#include "common/wire/hex.h"

#define CONNECT_MS    2000
#define TIMESTAMP_MAX 24

static bool is_this_machine(const struct uri *u)
{
	if (!u->host_is_ip)
		return strcasecmp(u->host, "localhost") == 0;
	return u->host_is_ipv6 ? strcmp(u->host, "::1") == 0 : strncmp(u->host, "127.", 4) == 0;
}

bool hook_url_parse(const char *url, struct uri *out, struct err *e)
{
	if (!uri_parse_web(url, out, e))
		return err_tell(e, "This is no https URL.");
	if (out->scheme == URI_HTTPS || is_this_machine(out))
		return true;
	err_set(e, ERR_INPUT, "plain http to another machine");
	return err_tell(e, "Plain http is for receivers on this machine; others need https.");
}

bool hook_secret_new(char out[HOOK_SECRET_LEN + 1], struct err *e)
{
	uint8_t octets[HOOK_SECRET_LEN / 2];

	if (!rng_bytes(octets, sizeof(octets), e))
		return false;
	hex_encode(bytes_of(octets, sizeof(octets)), out);
	explicit_bzero(octets, sizeof(octets));
	return true;
}

bool hook_sign(const char *secret, int64_t at, struct bytes body, char *out, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(TIMESTAMP_MAX + HOOK_BODY_MAX);
	uint8_t mac[SHA256_LEN];

	if (!buf_printf(&text, e, "%lld.", (long long)at) ||
		!buf_append(&text, body.data, body.len, e) ||
		!hmac_sha256(bytes_of_str(secret), buf_bytes(&text), mac, e))
		return false;
	memcpy(out, "sha256=", sizeof("sha256=") - 1);
	hex_encode(bytes_of(mac, sizeof(mac)), out + sizeof("sha256=") - 1);
	return true;
}

bool hook_send(struct http_client *c, const struct hook_target *t, const struct hook_message *m,
	http_done *done, void *arg, struct err *e)
{
	char signature[HOOK_SIGNATURE_LEN + 1], timestamp[TIMESTAMP_MAX];
	const struct http_field_text fields[] = {
		{"X-Brski-Timestamp", timestamp}, {"X-Brski-Signature", signature}};
	const struct http_fetch f = {
		.uri = t->uri,
		.method = "POST",
		.content_type = m->content_type,
		.accept = m->accept,
		.fields = fields,
		.field_count = sizeof(fields) / sizeof(*fields),
		.ca_pem = t->ca_pem,
		.body = m->body,
		.reply_max = m->reply_max,
		.connect_ms = CONNECT_MS,
		.timeout_ms = t->timeout_ms,
		.address_classes = t->uri.scheme == URI_HTTP ? HTTP_ADDR_LOOPBACK : t->addresses,
		.plain_loopback = t->uri.scheme == URI_HTTP,
	};

	snprintf(timestamp, sizeof(timestamp), "%lld", (long long)m->at);
	return hook_sign(t->secret, m->at, m->body, signature, e) &&
	       http_fetch(c, &f, done, arg, e);
}

bool hook_was_taken(const struct http_reply *reply, const struct err *failure, struct err *e)
{
	if (failure) {
		*e = *failure;
		return false;
	}
	if (reply->status >= 200 && reply->status < 300)
		return true;
	return err_set(e, ERR_PEER, "answered %d %s%s", reply->status, status_reason(reply->status),
		reply->status >= 300 && reply->status < 400 ? "; redirects are not followed" : "");
}
