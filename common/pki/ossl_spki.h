/* SPDX-License-Identifier: Apache-2.0 */
/* A decoder for OpenSSL's providers that reads keys on P-256 out of a SubjectPublicKeyInfo and
 * leaves every other to the decoder it stands in for.
 *
 * libssl parses each certificate it is shown, and half of that is OpenSSL's making the curve of its
 * key anew. Here the curve is made once and copied; the point is checked to be on it as before. */
#ifndef PKI_OSSL_SPKI_H
#define PKI_OSSL_SPKI_H

#include <openssl/core.h>
#include <stdbool.h>

/* stood_in: the functions of the decoder of EC keys; keys: those of the kind of key; both of the
 * provider with this context. core: what OpenSSL gave our provider. False: something that is needed
 * is not among them, or no memory. Once, before the first use. */
bool ossl_spki_prepare(void *provider_context, const OSSL_DISPATCH *stood_in,
	const OSSL_DISPATCH *keys, const OSSL_DISPATCH *core);
/* The functions of the decoder. */
const OSSL_DISPATCH *ossl_spki_decoder(void);

#endif
