/* SPDX-License-Identifier: Apache-2.0 */
/* Is a registrar's voucher-request what it claims to be? First the registrar: its signature, its
 * chain, its right to speak for a domain. Then the pledge inside: its signature, and that it speaks
 * of the same device, the same nonce and this very registrar. The MASA trusts nobody's word; what
 * is established here is all that later steps may build on. RFC 8995 §5.5.2 to §5.5.6. */
#ifndef MASA_AUTHENTICATE_H
#define MASA_AUTHENTICATE_H

#include "common/message/voucher_format.h"
#include "common/pki/chain.h"
#include "common/pki/crl.h"
#include "common/pki/idevid.h"
#include "masa/domain.h"

struct authenticator { /* what the checks know; shared between threads, never changed by them */
	struct cert_cache *certs;
	struct domain_cache *domains;
	struct anchors *devices; /* IDevIDs must be under one of these */
	struct crl_set *crls;	 /* for domain chains; NULL: none given */
	enum idevid_serial_source serial_from;
	bool require_prior; /* a nonced request must carry the pledge's own */
};

struct authentic { /* what was found to be true */
	struct signed_voucher rvr;
	struct cert_list domain; /* chain of the registrar, signer first, temporary anchor last */
	bool has_pvr;
	struct signed_voucher pvr; /* its signer is the IDevID */
	bool proximity;		   /* the pledge saw this registrar's certificate in its own TLS */
};
void authentic_init(struct authentic *a);
void authentic_clear(struct authentic *a);

/* octets of the request in the format its media type names.
 * ERR_INPUT not a voucher-request · ERR_TOO_LARGE · ERR_UNAUTHENTICATED · ERR_NO_MEMORY */
bool authenticate_registrar(const struct authenticator *by, const struct voucher_format *format,
	struct bytes octets, int64_t now, struct authentic *a, struct err *e) MUST_CHECK;
/* As above for octets that were authenticated before, as their digest shows: everything but the
 * signature is checked again, certificates may have expired or been revoked meanwhile. */
bool authenticate_registrar_again(const struct authenticator *by,
	const struct voucher_format *format, struct bytes octets, int64_t now, struct authentic *a,
	struct err *e) MUST_CHECK;
/* After one of these only. ERR_UNAUTHENTICATED names what differs. A request without a
 * pledge's request passes when it is nonceless or when none is required: whoever goes on then asks
 * owner.c whether this registrar is entitled. */
bool authenticate_pledge(const struct authenticator *by, const struct voucher_format *format,
	int64_t now, struct authentic *a, struct err *e) MUST_CHECK;

#endif
