/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which a device wants the certificates of its domain: the CA that issues for it,
 * whoever certified that one, up to the root, then what else is to be trusted
 * (draft-ietf-anima-constrained-voucher §6.7.5). No I/O. */
#ifndef REGISTRAR_CA_ORDER_H
#define REGISTRAR_CA_ORDER_H

#include "common/pki/cert.h"

/* certs    the issuing CA first, the others in any order
 * out      all of them, reordered; those off the path keep their order behind it
 * on_path  how many lead from the issuing CA upwards, itself included */
bool ca_order(const struct cert_list *certs, struct cert_list *out, size_t *on_path,
	struct err *e) MUST_CHECK;
/* Append the first `max` of certs, at most PKCS7_CERTS_MAX, as multipart-core, 287 and the
 * certificate in turn. */
bool ca_order_multipart(
	const struct cert_list *certs, size_t max, struct buf *out, struct err *e) MUST_CHECK;

#endif
