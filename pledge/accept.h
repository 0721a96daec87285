/* SPDX-License-Identifier: Apache-2.0 */
/* Is this voucher ours, from our manufacturer, and does it name the registrar we talk to?
 * (RFC 8995 §5.6.1, §5.6.2; RFC 8366 §5.3.) Pure: octets and a time in, a verdict out. */
#ifndef PLEDGE_ACCEPT_H
#define PLEDGE_ACCEPT_H

#include "common/message/voucher_format.h"
#include "common/pki/chain.h"
#include "common/wire/uri.h"
#include "pledge/config.h"
#include "pledge/pin.h"

struct accept_input { /* all borrowed */
	struct bytes octets;
	const char *content_type;
	struct anchors *masa_anchors;
	const struct cert *idevid;
	const char *serial_number; /* ours */
	const char *nonce;	   /* that we sent on this attempt */
	enum pin_form asked_with;  /* how our request named the registrar */
	bool server_verified; /* by the implicit anchors: it may name an EST server (CLOUD-PLG-008)
			       */
	const struct cert_list *server_chain; /* of the TLS handshake, end entity first */
	int64_t now_unix_s;		      /* CHAIN_NO_TIME without a trusted clock */
	enum nonceless_policy nonceless;
	enum assertion_policy assertion;
};

struct accepted {
	struct signed_voucher voucher;
	enum pin_form form;    /* of the pin that counts */
	struct cert *pinned;   /* the pinned-domain-cert; NULL when a key is pinned */
	struct cert_list path; /* of the registrar: its certificate first, the pin last */
	bool has_est;	       /* enrolment is at the server of est-domain, which the pin knows: */
	struct uri est;
};

/* One check; the first that fails decides. */
struct accept_check {
	const char *name;
	const char *clause;
	bool (*holds)(const struct accept_input *in, struct accepted *out, struct err *e);
};
extern const struct accept_check accept_checks[];
extern const size_t accept_check_count;

/* All checks in order but one that needs the network: with domain-cert-revocation-checks true the
 * caller goes on to revocation_check() before it believes anything. False: *e names the check and
 * its clause; *out is empty. */
bool accept_voucher(const struct accept_input *in, struct accepted *out, struct err *e) MUST_CHECK;
void accepted_init(struct accepted *a);
void accepted_clear(struct accepted *a);
#define ACCEPTED_AUTO __attribute__((cleanup(accepted_clear)))

#endif
