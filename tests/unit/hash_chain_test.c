/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/pki/hash_chain.h"
#include "common/wire/hex.h"
#include "tests/unit/identity_fixture.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static void next(const uint8_t *previous, const struct bytes *fields, size_t count, uint8_t *out)
{
	struct err e = ERR_INIT;

	MUST(hash_chain_next(previous, fields, count, out, &e));
}

/* The expected values were computed with another language's SHA-256 over the octets of the header.
 */
static void hash_chain_next__two_entries__have_the_hashes_the_header_promises(void **state)
{
	const struct bytes first[] = {
		bytes_of_str("1"), bytes_of_str("SN-1"), {0}, bytes_of_str("")};
	const struct bytes second[] = {bytes_of_str("2")};
	uint8_t hash[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];

	next(NULL, first, COUNT(first), hash);
	hex_encode(bytes_of(hash, sizeof(hash)), hex);
	assert_string_equal(
		hex, "259f8331e4903107eda6b7745378642323fb61f8f5639985ac513742d11a5656");
	next(hash, second, COUNT(second), hash);
	hex_encode(bytes_of(hash, sizeof(hash)), hex);
	assert_string_equal(
		hex, "1433b88ab60cb329f12b6329ac33e909cc65b35e120ffc6698cdc6dfcb50a8b7");
}

static void hash_chain_next__octets_moved_between_fields__hash_otherwise(void **state)
{
	const struct bytes rows[][2] = {
		{bytes_of_str("ab"), bytes_of_str("c")},
		{bytes_of_str("a"), bytes_of_str("bc")},
		{bytes_of_str("abc"), bytes_of_str("")},
		{bytes_of_str("abc"), {0}},
		{{0}, bytes_of_str("abc")},
		{bytes_of_str("-"), bytes_of_str("abc")},
	};
	uint8_t hashes[COUNT(rows)][SHA256_LEN];

	for (size_t i = 0; i < COUNT(rows); i++) {
		next(NULL, rows[i], 2, hashes[i]);
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(hashes[i], hashes[k], SHA256_LEN);
	}
}

static void hash_chain_head_verify__what_was_signed__is_good_and_nothing_else(void **state)
{
	const enum key_type types[] = {KEY_EC_P256, KEY_EC_P384, KEY_RSA_3072};
	struct err e = ERR_INIT;

	for (size_t i = 0; i < COUNT(types); i++) {
		struct hash_chain_head h = {"registrar", 7, 1700000000, {1, 2, 3}}, other;
		struct identity signer, stranger;
		BUF_AUTO struct buf signature = BUF_INIT(1024);

		fixture_identity(types[i], "registrar", &signer);
		fixture_identity(types[i], "stranger", &stranger);
		MUST(hash_chain_head_sign(&h, &signer, &signature, &e));
		MUST(hash_chain_head_verify(&h, signer.cert, buf_bytes(&signature), &e));
		REFUSED(hash_chain_head_verify(&h, stranger.cert, buf_bytes(&signature), &e),
			ERR_UNAUTHENTICATED);
		other = h;
		other.log = "masa";
		REFUSED(hash_chain_head_verify(&other, signer.cert, buf_bytes(&signature), &e),
			ERR_UNAUTHENTICATED);
		other = h;
		other.sequence++;
		REFUSED(hash_chain_head_verify(&other, signer.cert, buf_bytes(&signature), &e),
			ERR_UNAUTHENTICATED);
		other = h;
		other.at++;
		REFUSED(hash_chain_head_verify(&other, signer.cert, buf_bytes(&signature), &e),
			ERR_UNAUTHENTICATED);
		other = h;
		other.hash[31] ^= 1;
		REFUSED(hash_chain_head_verify(&other, signer.cert, buf_bytes(&signature), &e),
			ERR_UNAUTHENTICATED);
		identity_clear(&signer);
		identity_clear(&stranger);
	}
}

static void hash_chain_head_sign__a_certificate_of_another_key__gives_no_signature(void **state)
{
	const struct hash_chain_head h = {"registrar", 7, 1700000000, {1, 2, 3}};
	struct identity signer, other, mixed;
	BUF_AUTO struct buf signature = BUF_INIT(1024);
	struct err e = ERR_INIT;

	fixture_identity(KEY_EC_P256, "registrar", &signer);
	fixture_identity(KEY_EC_P256, "registrar", &other);
	mixed = (struct identity){.key = signer.key, .cert = other.cert};
	REFUSED(hash_chain_head_sign(&h, &mixed, &signature, &e), ERR_UNAUTHENTICATED);
	identity_clear(&signer);
	identity_clear(&other);
}

int main(void)
{
#define T(f) cmocka_unit_test(f)
	const struct CMUnitTest tests[] = {
		T(hash_chain_next__two_entries__have_the_hashes_the_header_promises),
		T(hash_chain_next__octets_moved_between_fields__hash_otherwise),
		T(hash_chain_head_verify__what_was_signed__is_good_and_nothing_else),
		T(hash_chain_head_sign__a_certificate_of_another_key__gives_no_signature),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
