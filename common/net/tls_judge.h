/* SPDX-License-Identifier: Apache-2.0 */
/* Judging the server at the other end of a pledge's session, whatever carries it (TLS or DTLS):
 * provisionally (RFC 8995 §5.1) or under anchors (RFC 7030 §3.6.1, RFC 9525). */
#ifndef NET_TLS_JUDGE_H
#define NET_TLS_JUDGE_H

#include <openssl/x509.h>

#include "common/net/session.h"

struct tls_expectation {	 /* all borrowed */
	struct anchors *anchors; /* NULL: provisional, any certificate */
	int64_t now_unix_s;	 /* for anchors; CHAIN_NO_TIME without a clock */
	enum server_name named;
	bool else_provisional;		/* what the anchors do not know is provisional */
	const struct cert *same_server; /* must be this one again; NULL: any */
	const char *host;		/* for anchors: the name it was called by */
	bool host_is_ip;
};

/* All that the server sent, end entity first, appended to `chain`; for a verify callback. */
bool tls_judge_chain(X509_STORE_CTX *store, struct cert_list *chain, struct err *e) MUST_CHECK;
/* ERR_UNAUTHENTICATED with the reason. verified: out, was it the anchors that knew it? */
bool tls_judge_server(const struct tls_expectation *x, const struct cert_list *chain,
	bool *verified, struct err *e) MUST_CHECK;

#endif
