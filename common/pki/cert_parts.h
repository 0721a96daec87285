/* SPDX-License-Identifier: Apache-2.0 */
/* What a certificate is made of, for the files that read one: cert.c in general, cert_plain.c those
 * of a simple kind. */
#ifndef PKI_CERT_PARTS_H
#define PKI_CERT_PARTS_H

#include <stdatomic.h>

#include "common/pki/cert.h"
#include "common/pki/digest.h"
#include "common/pki/known_key.h"
#include "common/pki/name.h"

struct cert_ext {
	struct bytes oid;   /* content octets */
	struct bytes tlv;   /* extnValue as it stood */
	struct bytes value; /* content of extnValue */
	bool critical;
	bool odd_critical; /* FALSE spelled out, or a TRUE that is not DER's */
};

struct cert {
	atomic_uint refs;
	_Atomic(X509 *) x509;	 /* NULL until somebody needs it */
	_Atomic(EVP_PKEY *) key; /* likewise, of a plain one */
	struct known_key known;	 /* the same key */
	uint8_t *der;
	size_t der_len;
	uint8_t sha256[SHA256_LEN];
	struct bytes tbs, signature_alg, signature; /* signature: whole octets; len 0: it is none */
	struct bytes version, inner_alg, validity;  /* as they stood; version: len 0 when absent */
	struct bytes spki, key_bits, subject_der, issuer_der, serial;
	struct bytes ski, aki, aki_tlv;
	char subject[NAME_TEXT_MAX + 1];
	char issuer[NAME_TEXT_MAX + 1];
	char serial_number[CERT_SERIAL_NUMBER_MAX + 1];
	const char *serial_number_fault;
	int64_t not_before, not_after;
	bool is_ca, is_self_signed, is_plain;
	bool has_unique_ids;
	unsigned eku;
	struct cert_ext *extensions;
	size_t extension_count;
};

const struct cert_ext *cert_ext_find(const struct cert *c, struct bytes oid);

/* Fill in everything of c that follows from its parts. False: it is not of the simple kind, and is
 * for OpenSSL to judge; what was filled in until then does not count. */
bool cert_plain_read(struct cert *c);

#endif
