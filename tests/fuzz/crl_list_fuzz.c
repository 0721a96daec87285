/* SPDX-License-Identifier: Apache-2.0 */
/* Revocation lists from the network. The input is a tbsCertList, which is signed here by the issuer
 * it has to name, so that what is behind the signature is reached; unsigned it must never be
 * believed. Whom OpenSSL finds on a list we believe, we find, too. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "common/pki/crl_list.h"
#include "common/wire/der.h"
#include "tests/fuzz/fuzz.h"

#define SIGNATURE_MAX 80
#define TBS_MAX	      65536

static const uint8_t ecdsa_sha256[] = {
	0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};

static void sign(struct bytes tbs, struct buf *bits)
{
	uint8_t signature[SIGNATURE_MAX];
	size_t len = sizeof(signature);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct err e = ERR_INIT;

	FUZZ_REQUIRE(EVP_DigestSignInit(
			     ctx, NULL, EVP_sha256(), NULL, key_evp(fuzz_site()->device.key)) == 1);
	FUZZ_REQUIRE(EVP_DigestSign(ctx, signature, &len, tbs.data, tbs.len) == 1);
	FUZZ_REQUIRE(buf_append(bits, "", 1, &e) && buf_append(bits, signature, len, &e));
	EVP_MD_CTX_free(ctx);
}

/* The list around the tbsCertList. */
static void seal(struct bytes tbs, bool truly, struct buf *out)
{
	BUF_AUTO struct buf inside = BUF_INIT(TBS_MAX + 2 * SIGNATURE_MAX);
	BUF_AUTO struct buf bits = BUF_INIT(SIGNATURE_MAX + 1);
	struct err e = ERR_INIT;

	sign(tbs, &bits);
	if (!truly)
		bits.data[bits.len - 1] ^= 1;
	FUZZ_REQUIRE(buf_append(&inside, tbs.data, tbs.len, &e) &&
		     buf_append(&inside, ecdsa_sha256, sizeof(ecdsa_sha256), &e) &&
		     der_put(&inside, DER_BIT_STRING, buf_bytes(&bits), &e) &&
		     der_put(out, DER_SEQUENCE, buf_bytes(&inside), &e));
}

static struct crl_list *read_list(struct bytes der)
{
	struct err e = ERR_INIT;
	struct crl_list *l = crl_list_open(der, fuzz_site()->device.cert, FUZZ_NOW, &e);

	fuzz_check_promises(l != NULL, &e);
	return l;
}

static void compare_with_openssl(const struct crl_list *l, struct bytes der, const struct cert *c)
{
	const uint8_t *p = der.data;
	X509_CRL *theirs = d2i_X509_CRL(NULL, &p, (long)der.len);
	X509_REVOKED *entry;

	if (theirs && X509_CRL_get0_by_cert(theirs, &entry, cert_x509(c)) == 1)
		FUZZ_REQUIRE(crl_list_names(l, c));
	X509_CRL_free(theirs);
	ERR_clear_error();
}

static void ask(const struct crl_list *l, struct bytes der, const struct cert *c)
{
	const struct crl_points points = {
		.named = true, .count = 1, .uri = {"http://crl.example/site.crl"}};
	struct err e = ERR_INIT;

	fuzz_check_promises(crl_list_covers(l, c, &points, &e), &e);
	compare_with_openssl(l, der, c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	BUF_AUTO struct buf der = BUF_INIT(TBS_MAX + 4 * SIGNATURE_MAX);
	BUF_AUTO struct buf forged = BUF_INIT(TBS_MAX + 4 * SIGNATURE_MAX);
	CRL_LIST_AUTO struct crl_list *l = NULL;
	struct fuzz_site *site = fuzz_site();

	crl_list_free(read_list(bytes_of(data, len)));
	if (len > TBS_MAX)
		return 0;
	seal(bytes_of(data, len), true, &der);
	seal(bytes_of(data, len), false, &forged);
	FUZZ_REQUIRE(!read_list(buf_bytes(&forged)));
	l = read_list(buf_bytes(&der));
	if (!l)
		return 0;
	FUZZ_REQUIRE(crl_list_next_update(l) >= FUZZ_NOW);
	ask(l, buf_bytes(&der), site->registrar.cert);
	ask(l, buf_bytes(&der), site->maker_certs.items[0]);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t room, unsigned seed)
{
	return fuzz_mutate_der(data, len, room, seed);
}
