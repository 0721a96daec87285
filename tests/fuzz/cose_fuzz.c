/* SPDX-License-Identifier: Apache-2.0 */
/* COSE_Sign1 as anybody may send it. What is not verified gives nothing; taking the certificates
 * out changes neither content nor verdict. */
#include "common/pki/cose.h"
#include "tests/fuzz/fuzz.h"

static void check_stripped(struct bytes octets, const struct cose *whole)
{
	BUF_AUTO struct buf stripped = BUF_INIT(COSE_MAX), again = BUF_INIT(COSE_MAX);
	COSE_AUTO struct cose c;
	struct err e = ERR_INIT;

	FUZZ_REQUIRE(cose_strip_certs(octets, &stripped, &e));
	FUZZ_REQUIRE(stripped.len <= octets.len + 8); /* the map's head may have been shorter */
	FUZZ_REQUIRE(cose_parse(buf_bytes(&stripped), fuzz_site()->certs, &c, &e));
	FUZZ_REQUIRE(c.alg == whole->alg && c.tagged == whole->tagged);
	FUZZ_REQUIRE(bytes_equal(buf_bytes(&c.payload), buf_bytes(&whole->payload)));
	FUZZ_REQUIRE(bytes_equal(buf_bytes(&c.signature), buf_bytes(&whole->signature)));
	FUZZ_REQUIRE(bytes_equal(buf_bytes(&c.kid), buf_bytes(&whole->kid)));
	FUZZ_REQUIRE(c.certs.count == c.protected_certs);
	if (whole->signer)
		FUZZ_REQUIRE(cose_verify(&c, &whole->certs, &e) ||
			     cose_verify(&c, &fuzz_site()->masa.chain, &e));
	FUZZ_REQUIRE(cose_strip_certs(buf_bytes(&stripped), &again, &e));
	FUZZ_REQUIRE(bytes_equal(buf_bytes(&stripped), buf_bytes(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	COSE_AUTO struct cose c;
	struct err e = ERR_INIT;
	bool ok = cose_parse(bytes_of(data, len), fuzz_site()->certs, &c, &e);

	fuzz_check_promises(ok, &e);
	FUZZ_REQUIRE(!c.signer);
	if (!ok)
		return 0;
	FUZZ_REQUIRE(c.certs.count + c.certs_unreadable <= COSE_CERTS_MAX);
	FUZZ_REQUIRE(c.protected_certs <= c.certs.count);
	ok = cose_verify(&c, &fuzz_site()->masa.chain, &e);
	fuzz_check_promises(ok, &e);
	FUZZ_REQUIRE(ok == (c.signer != NULL));
	FUZZ_REQUIRE(!ok || cose_alg_name(c.alg));
	check_stripped(bytes_of(data, len), &c);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t room, unsigned seed)
{
	struct cert_list bag = fuzz_site()->masa.chain;

	/* mostly structure here: every fourth is signed again */
	if (seed % 4)
		return fuzz_mutate_cbor(data, len, room, seed / 4);
	return fuzz_mutate_cose(data, len, room, seed / 4, &fuzz_site()->masa, NULL, &bag);
}
