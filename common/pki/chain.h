/* SPDX-License-Identifier: Apache-2.0 */
/* Is this certificate under one of these anchors? Purpose is never judged here (T-11): callers
 * check the extended key usages they need themselves. An anchor may be a root, an intermediate or
 * the end-entity certificate itself (T-15, partial chains).
 * Anchors come from configuration or a pin, never from a message (ENC-ALL-027). */
#ifndef PKI_CHAIN_H
#define PKI_CHAIN_H

#include "common/pki/cert.h"

#define CHAIN_DEPTH_MAX	   6	     /* certificates from leaf to anchor; real chains have 2 to 4 */
#define CHAIN_NO_TIME	   INT64_MIN /* do not look at validity periods */
#define CHAIN_VERDICTS_MAX 1024	     /* remembered per anchors: devices in the middle of joining */

struct anchors; /* prepared once, shared between threads */

/* Every certificate of the list becomes an anchor (its own references are taken). */
struct anchors *anchors_new(const struct cert_list *certs, struct err *e) MUST_CHECK;
struct anchors *anchors_load(const char *pem_path, struct err *e) MUST_CHECK;
void anchors_free(struct anchors *a);
void anchors_unref(struct anchors **a);
#define ANCHORS_AUTO __attribute__((cleanup(anchors_unref)))
const struct cert_list *anchors_certs(const struct anchors *a);

/* leaf       the certificate in question
 * untrusted  intermediates the peer supplied; may be NULL or empty
 * now_unix_s the moment to judge at, or CHAIN_NO_TIME
 * path       out, may be NULL: leaf first, anchor last; set to an empty list when there is none
 * ERR_UNAUTHENTICATED with OpenSSL's reason when there is no path; ERR_NO_MEMORY.
 *
 * Every certificate of the path counts, the anchor like the others: with a time given an anchor
 * that has expired, or that is the leaf itself and has expired, gives no path (R8995-PLG-037).
 * Whoever wants to look past the expiry of one certificate asks with CHAIN_NO_TIME (REG-007).
 * Between leaf and anchor only certificates with CA:TRUE may stand. Signatures with SHA-1 or MD5,
 * RSA below 2048 bits and curves below 224 bits are refused (OpenSSL's security level 2).
 * An EE with the key of a pinned EE but other octets has no path: a caller for whom the key alone
 * decides asks cert_same_key() besides (R8995-PLG-041).
 * Revocation is not looked at: RFC 8995 asks for none, and no CRL is fetched here.
 *
 * A positive verdict for a leaf is remembered with its path and used again as long as the time
 * asked about lies within all validity periods of that path, so repeated calls cost a look-up. It
 * stays right whatever intermediates come with the leaf later. Refusals are never remembered.
 *
 * The path above a leaf is remembered, too. Another leaf below it that is plain (cert_is_plain())
 * is judged without OpenSSL: its signature, time, names and key identifiers; all others by OpenSSL.
 */
bool chain_verify(struct anchors *a, struct cert *leaf, const struct cert_list *untrusted,
	int64_t now_unix_s, struct cert_list *path, struct err *e) MUST_CHECK;

/* Check the signatures that can be checked inside a presented chain without any anchor: each
 * certificate by its issuer if that is present, the self-signed by itself (R8995-PLG-017). */
bool chain_links_intact(const struct cert_list *presented, struct err *e) MUST_CHECK;

#endif
