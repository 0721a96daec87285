/* SPDX-License-Identifier: Apache-2.0 */
/* The algorithms of COSE that are believed, and their spelling of a signature: ECDSA's r and s side
 * by side, each as long as the curve's order, where X.509 has DER (RFC 9053 §2.1, §2.2). One curve
 * goes with one digest, so that the algorithm says how long both are. secp256k1 has no row: no
 * certificate with such a key is believed either (signature.h). */
#include <string.h>

#include "common/pki/cose_parts.h"
#include "common/pki/oid.h"
#include "common/wire/der.h"

#define ECDSA(n) OCTETS(0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, (n))
#define ED25519	 OCTETS(0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70)
#define HALF_MAX 66 /* octets of the order of P-521 */

static const struct cose_alg algorithms[] = {
	{COSE_ES256, "ES256", EVP_PKEY_EC, 256, 64, 32, ECDSA(2)},
	{COSE_ES384, "ES384", EVP_PKEY_EC, 384, 96, 48, ECDSA(3)},
	{COSE_ES512, "ES512", EVP_PKEY_EC, 521, 132, 66, ECDSA(4)},
	{COSE_EDDSA, "EdDSA", EVP_PKEY_ED25519, 256, 64, 0, ED25519},
};
#define ALGORITHMS (sizeof(algorithms) / sizeof(algorithms[0]))

const struct cose_alg *cose_alg_find(int64_t alg)
{
	for (size_t i = 0; i < ALGORITHMS; i++)
		if (algorithms[i].alg == alg)
			return &algorithms[i];
	return NULL;
}

const char *cose_alg_name(int64_t alg)
{
	const struct cose_alg *found = cose_alg_find(alg);

	return found ? found->name : NULL;
}

bool cose_alg_fits(const struct cose_alg *alg, EVP_PKEY *key)
{
	return EVP_PKEY_get_base_id(key) == alg->key_type &&
	       (alg->half_len == 0 || EVP_PKEY_get_bits(key) == alg->key_bits);
}

const struct cose_alg *cose_alg_of_key(EVP_PKEY *key, struct err *e)
{
	for (size_t i = 0; i < ALGORITHMS; i++)
		if (cose_alg_fits(&algorithms[i], key))
			return &algorithms[i];
	err_set(e, ERR_INPUT, "no COSE signature is made with this type of key");
	return NULL;
}

/* INTEGER of an unsigned number: no zeros in front but the one that keeps it positive. */
static bool put_integer(struct bytes number, struct buf *out, struct err *e)
{
	uint8_t octets[HALF_MAX + 1] = {0};
	size_t skip = 0;

	while (skip < number.len && number.data[skip] == 0)
		skip++;
	if (skip == number.len)
		return err_set(e, ERR_UNAUTHENTICATED, "a signature of zero");
	memcpy(octets + 1, number.data + skip, number.len - skip);
	bool sign = octets[1] >= 0x80;
	return der_put(out, DER_INTEGER,
		bytes_of(octets + (sign ? 0 : 1), number.len - skip + (sign ? 1 : 0)), e);
}

bool cose_alg_to_der(
	const struct cose_alg *alg, struct bytes signature, struct buf *der, struct err *e)
{
	BUF_AUTO struct buf pair = BUF_INIT(2 * COSE_SIGNATURE_MAX);

	if (signature.len != alg->signature_len)
		return err_set(e, ERR_UNAUTHENTICATED,
			"signature of %zu octets where %s has %zu, raw and not in DER",
			signature.len, alg->name, alg->signature_len);
	if (alg->half_len == 0)
		return buf_append(der, signature.data, signature.len, e);
	return put_integer(bytes_of(signature.data, alg->half_len), &pair, e) &&
	       put_integer(bytes_of(signature.data + alg->half_len, alg->half_len), &pair, e) &&
	       der_put(der, DER_SEQUENCE, buf_bytes(&pair), e);
}

/* The number right-aligned in its half. */
static bool take_integer(struct der *d, size_t half_len, uint8_t *half, struct err *e)
{
	struct der_tlv t;

	if (!der_expect(d, DER_INTEGER, &t, "signature", e))
		return false;
	while (t.content.len > 0 && t.content.p[0] == 0) {
		t.content.p++;
		t.content.len--;
	}
	if (t.content.len > half_len)
		return err_set(e, ERR_BUG, "half a signature of %zu octets", t.content.len);
	memcpy(half + half_len - t.content.len, t.content.p, t.content.len);
	return true;
}

bool cose_alg_from_der(
	const struct cose_alg *alg, struct bytes der, struct buf *signature, struct err *e)
{
	uint8_t raw[COSE_SIGNATURE_MAX] = {0};
	struct der d = der_of(der);
	struct der_tlv pair;

	if (alg->half_len == 0)
		return buf_append(signature, der.data, der.len, e);
	return der_expect(&d, DER_SEQUENCE, &pair, "signature", e) &&
	       take_integer(&pair.content, alg->half_len, raw, e) &&
	       take_integer(&pair.content, alg->half_len, raw + alg->half_len, e) &&
	       buf_append(signature, raw, alg->signature_len, e);
}
