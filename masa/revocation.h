/* SPDX-License-Identifier: Apache-2.0 */
/* Revocation lists that registrars' certificates point to, consulted before a voucher is made (RFC
 * 8995 §5.5.3; RFC 5280 §6.3). Who wants to know looks first; when a list is missing it is fetched
 * on the asker's loop, and the asker looks again. Lists are kept until their next update, fetches
 * that failed for a while, both bounded: the addresses are a stranger's words.
 *
 * Every certificate below the anchor counts. The anchor itself does not, as anywhere in PKIX,
 * unless it is the signer's own certificate and an issuer it does not show made it. */
#ifndef MASA_REVOCATION_H
#define MASA_REVOCATION_H

#include "common/base/log.h"
#include "common/net/http_client.h"
#include "common/pki/crl_list.h"
#include "common/pki/digest.h"

enum revocation_policy {
	REVOCATION_REQUIRE, /* a list that is named must be had */
	REVOCATION_PREFER,  /* without it when it cannot be had; logged */
	REVOCATION_OFF,	    /* nothing is fetched */
};

struct revocation_rules { /* in force for one request */
	enum revocation_policy policy;
	unsigned address_classes; /* bits of enum http_address_class */
};

struct revocation; /* shared between workers */

/* log: borrowed */
struct revocation *revocation_new(const struct log *log, struct err *e) MUST_CHECK;
/* Once, before the first look: requests on these loops can fetch. */
bool revocation_use_loops(
	struct revocation *r, struct loop **loops, size_t n, struct err *e) MUST_CHECK;
/* Before the loops are freed. Who still waits for a fetch is not called. */
void revocation_free(struct revocation *r);

struct revocation_gap { /* a list to fetch; valid as long as the path it was found in */
	char uri[CRL_URI_MAX + 1];
	struct cert *issuer;
	unsigned address_classes;
	uint8_t key[SHA256_LEN];
};

enum revocation_state {
	REVOCATION_CLEAR,
	REVOCATION_UNKNOWN, /* fetch *gap and look again */
	REVOCATION_REFUSED, /* revoked, or not known and policy wants to: ERR_UNAUTHENTICATED */
};

/* path: a verified chain, signer first, anchor last. gap: out; NULL when there is no time to fetch
 * anything any more: what is missing then counts as not to be had. */
enum revocation_state revocation_look(struct revocation *r, const struct revocation_rules *rules,
	const struct cert_list *path, int64_t now, const char *exchange, struct revocation_gap *gap,
	struct err *e) MUST_CHECK;

/* done is called once, later, on this loop's thread, whatever came of it, unless false came back.
 * One fetch at a time for a list and worker; others wait for the same one. ERR_RETRY_LATER: too
 * many at a time. */
bool revocation_fetch(struct revocation *r, struct loop *l, const struct revocation_gap *gap,
	int64_t now, loop_fn *done, void *arg, struct err *e) MUST_CHECK;

#endif
