/* SPDX-License-Identifier: Apache-2.0 */
/* What a pledge asks of a server's certificates. The library's own verification knows neither
 * provisional servers nor cmcRA, so it is replaced as a whole. */
#include "common/net/tls_judge.h"

#include <netinet/in.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

bool tls_judge_chain(X509_STORE_CTX *store, struct cert_list *chain, struct err *e)
{
	STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store); /* the end entity included */

	if (chain->count > 0)
		return err_set(e, ERR_UNAUTHENTICATED, "a second handshake on the connection");
	for (int i = 0; i < sk_X509_num(sent); i++) {
		CERT_AUTO struct cert *c = cert_from_x509(sk_X509_value(sent, i), e);

		if (!c || !cert_list_add(chain, c, e))
			return err_prefix(e, "certificate %d of the server", i + 1);
	}
	return chain->count > 0 ||
	       err_set(e, ERR_UNAUTHENTICATED, "the server sent no certificate");
}

static bool is_the_same(
	const struct tls_expectation *x, const struct cert_list *chain, struct err *e)
{
	if (!x->same_server || cert_same(x->same_server, chain->items[0]))
		return true;
	err_set(e, ERR_UNAUTHENTICATED, "the server shows another certificate than before");
	return err_code(e, SESSION_OTHER_SERVER);
}

/* Provisional: no anchor, no name, no dates. Only what can be checked by itself is (T-30). */
static bool accept_provisionally(
	const struct tls_expectation *x, const struct cert_list *chain, struct err *e)
{
	if (!chain_links_intact(chain, e))
		return err_prefix(e, "certificate of the server");
	return is_the_same(x, chain, e);
}

static bool name_matches(const struct tls_expectation *x, const struct cert *ee)
{
	char address[INET6_ADDRSTRLEN];

	if (x->host_is_ip) { /* which may have a zone behind it */
		snprintf(address, sizeof(address), "%.*s", (int)strcspn(x->host, "%"), x->host);
		return X509_check_ip_asc(cert_x509(ee), address, 0) == 1;
	}
	return X509_check_host(cert_x509(ee), x->host, 0,
		       X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
		       NULL) == 1;
}

/* A device may have got a name into its certificate, but not the use. */
static bool is_called_so(const struct tls_expectation *x, const struct cert *ee)
{
	bool serves = cert_may_serve(ee);

	switch (x->named) {
	case SERVER_NAME_OR_RA:
		return (cert_eku(ee) & CERT_EKU_CMC_RA) || (serves && name_matches(x, ee));
	case SERVER_NAME:
		return serves && name_matches(x, ee);
	case SERVER_ANY_NAME:
		return serves || cert_list_contains(anchors_certs(x->anchors), ee);
	}
	return false;
}

/* Under our anchors, and what it has to be beside that (TA-01; CLOUD-PLG-001, CLOUD-PLG-008). */
static bool accept_under_anchors(
	const struct tls_expectation *x, const struct cert_list *chain, struct err *e)
{
	struct cert *ee = chain->items[0];

	if (!chain_verify(x->anchors, ee, chain, x->now_unix_s, NULL, e))
		return err_prefix(e, "certificate of the server");
	return is_called_so(x, ee) ||
	       err_set(e, ERR_UNAUTHENTICATED, "the server's certificate has %s",
		       x->named == SERVER_NAME_OR_RA ? "neither its name nor the cmcRA usage"
		       : x->named == SERVER_NAME     ? "another name"
						     : "no usage for a server");
}

bool tls_judge_server(const struct tls_expectation *x, const struct cert_list *chain,
	bool *verified, struct err *e)
{
	struct err why = ERR_INIT;

	*verified = x->anchors && accept_under_anchors(x, chain, &why);
	if (*verified) /* a request that is repeated names the certificate it was made for */
		return x->named == SERVER_NAME_OR_RA || is_the_same(x, chain, e);
	if (x->anchors && (!x->else_provisional || why.kind == ERR_NO_MEMORY)) {
		*e = why;
		return false;
	}
	return accept_provisionally(x, chain, e);
}
