/* SPDX-License-Identifier: Apache-2.0 */
/* A signature and the key it is said to be of, two elements of DER one after the other; without a
 * second one the key is the MASA's. The key we read is the one OpenSSL reads, and what we say about
 * the signature, with multiples of the key's point and without, is what OpenSSL says. */
#include <openssl/err.h>
#include <openssl/x509.h>

#include "common/pki/key.h"
#include "common/pki/p256.h"
#include "common/wire/der.h"
#include "tests/fuzz/fuzz.h"

#define SPKI_MAX 1024

static const struct bytes message = {(const uint8_t *)"what is signed", 14};
static const struct bytes ecdsa_sha256 = {
	(const uint8_t *)"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02", 12};

/* The MASA's key, as one that signs again and again. */
static const struct known {
	struct buf spki;
	EC_GROUP *multiples;
} * known(void)
{
	static struct known k = {.spki = BUF_INIT(SPKI_MAX)};
	struct err e = ERR_INIT;
	EC_POINT *point;

	if (k.multiples)
		return &k;
	FUZZ_REQUIRE(key_public_spki(fuzz_site()->masa.key, &k.spki, &e));
	point = p256_point(buf_bytes(&k.spki));
	FUZZ_REQUIRE(point);
	k.multiples = p256_multiples(point);
	FUZZ_REQUIRE(k.multiples);
	EC_POINT_free(point);
	return &k;
}

/* OpenSSL's general decoder; NULL when we do not read the key either. */
static EVP_PKEY *read_key(struct bytes spki)
{
	const uint8_t *p = spki.data;
	struct err e = ERR_INIT;
	EVP_PKEY *ours = key_parse_spki(spki, &e), *theirs;

	fuzz_check_promises(ours != NULL, &e);
	if (!ours)
		return NULL;
	theirs = d2i_PUBKEY(NULL, &p, (long)spki.len);
	FUZZ_REQUIRE(theirs && p == spki.data + spki.len && EVP_PKEY_eq(ours, theirs) == 1);
	EVP_PKEY_free(ours);
	return theirs;
}

static bool openssl_accepts(EVP_PKEY *key, struct bytes signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
		  EVP_DigestVerify(ctx, signature.data, signature.len, message.data, message.len) ==
			  1;

	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

static void check_signature(struct bytes spki, EVP_PKEY *theirs, struct bytes signature)
{
	const struct known *k = known();
	EC_POINT *point = p256_point(spki);
	struct err none = ERR_INIT;
	bool ours;

	fuzz_check_promises(true, &none);
	FUZZ_REQUIRE(!point || theirs);
	if (!point)
		return;
	ours = p256_accepts_spki(spki, ecdsa_sha256, message, signature);
	fuzz_check_promises(true, &none);
	FUZZ_REQUIRE(ours == openssl_accepts(theirs, signature));
	if (bytes_equal(spki, buf_bytes(&k->spki)))
		FUZZ_REQUIRE(ours ==
			     p256_accepts(point, k->multiples, ecdsa_sha256, message, signature));
	EC_POINT_free(point);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes signature = bytes_of(data, len), spki = buf_bytes(&known()->spki);
	struct der d = der_of(signature);
	struct err e = ERR_INIT;
	struct der_tlv first;
	EVP_PKEY *theirs;

	if (der_next(&d, &first, &e) && !der_at_end(&d)) {
		signature = first.whole;
		spki = bytes_of(data + first.whole.len, len - first.whole.len);
	}
	theirs = read_key(spki);
	check_signature(spki, theirs, signature);
	EVP_PKEY_free(theirs);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t room, unsigned seed)
{
	return fuzz_mutate_der(data, len, room, seed);
}
