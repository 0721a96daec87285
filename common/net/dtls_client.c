/* SPDX-License-Identifier: Apache-2.0 */
/* The client's end: a context for one association, which judges the server's certificates in the
 * handshake (provisionally, RFC 8995 §5.1, or under anchors) and asks for a fragment length that
 * the link can carry (row D-07). */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/net/dtls_impl.h"
#include "common/net/tls_judge.h"
#include "common/pki/ossl.h"

struct dtls_client {
	struct tls_expectation expected;
	SSL_CTX *ctx;
	struct cert_list chain; /* as the server sent it */
	struct err verdict;	/* why it was refused; ERR_NONE when it was not */
};

bool dtls_client_verdict(const struct dtls *d, struct err *e)
{
	if (!d->client || d->client->verdict.kind == ERR_NONE)
		return false;
	*e = d->client->verdict;
	ossl_forget();
	return true;
}

void dtls_client_free(struct dtls_client *c)
{
	if (!c)
		return;
	cert_list_clear(&c->chain);
	SSL_CTX_free(c->ctx);
	free(c);
}

static int on_verify(X509_STORE_CTX *store, void *arg)
{
	struct dtls_client *c = arg;
	bool verified;
	bool ok = tls_judge_chain(store, &c->chain, &c->verdict) &&
		  tls_judge_server(&c->expected, &c->chain, &verified, &c->verdict);

	X509_STORE_CTX_set_error(store, ok ? X509_V_OK : X509_V_ERR_CERT_REJECTED);
	return ok;
}

static bool is_ip(const char *host)
{
	char address[INET6_ADDRSTRLEN]; /* without a zone */
	uint8_t octets[16];

	snprintf(address, sizeof(address), "%.*s", (int)strcspn(host, "%"), host);
	return inet_pton(AF_INET, address, octets) == 1 ||
	       inet_pton(AF_INET6, address, octets) == 1;
}

static struct dtls_client *client_new(const struct dtls_client_config *config, struct err *e)
{
	struct dtls_client *c = mem_new(sizeof(*c), e);

	if (!c)
		return NULL;
	c->expected = (struct tls_expectation){
		.anchors = config->anchors,
		.now_unix_s = config->now_unix_s,
		.same_server = config->same_server,
		.host = config->host ? config->host : "",
		.host_is_ip = config->host && is_ip(config->host),
	};
	c->ctx = SSL_CTX_new(DTLS_client_method());
	if (!c->ctx)
		ossl_fail(e, ERR_NO_MEMORY, "DTLS: context");
	if (!c->ctx || !dtls_configure(c->ctx, config->identity, e)) {
		dtls_client_free(c);
		return NULL;
	}
	SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL); /* so that a refusal counts */
	SSL_CTX_set_cert_verify_callback(c->ctx, on_verify, c);
	return c;
}

static bool offer_fragment_length(SSL *ssl, unsigned octets, struct err *e)
{
	uint8_t code = TLSEXT_max_fragment_length_512;

	if (octets == 0)
		return true;
	while (octets > 256u << code && code < TLSEXT_max_fragment_length_4096)
		code++;
	return SSL_set_tlsext_max_fragment_length(ssl, code) == 1 ||
	       ossl_fail(e, ERR_BUG, "DTLS: fragment length %u", octets);
}

static bool start(struct dtls *d, const struct dtls_client_config *config, struct err *e)
{
	if (!offer_fragment_length(d->ssl, config->max_fragment, e))
		return false;
	SSL_set_connect_state(d->ssl);
	return dtls_advance(d, e);
}

struct dtls *dtls_connect(const struct dtls_client_config *config, const struct dtls_events *events,
	void *arg, struct err *e)
{
	struct dtls_client *c;
	struct dtls *d;

	ossl_begin();
	c = client_new(config, e);
	d = c ? dtls_new(c->ctx, config->mtu, config->retransmit_ms, e) : NULL;
	if (!d) {
		dtls_client_free(c);
		return NULL;
	}
	d->client = c;
	d->events = events;
	d->arg = arg;
	if (!start(d, config, e)) {
		dtls_free(d);
		d = NULL;
	}
	ossl_forget();
	return d;
}
