/* SPDX-License-Identifier: Apache-2.0 */
/* CMS SignedData around a voucher, as anybody may send it. Where OpenSSL reads it,
 * too, it finds the same content; what is not verified gives nothing. */
#include <openssl/cms.h>
#include <openssl/err.h>

#include "common/pki/cms.h"
#include "tests/fuzz/fuzz.h"

/* OpenSSL is stricter where nothing depends on it (unsigned attributes, names nobody looks up). */
static void check_openssl_agrees(const struct cms *c)
{
	const uint8_t *p = c->der.data;
	CMS_ContentInfo *theirs = d2i_CMS_ContentInfo(NULL, &p, (long)c->der.len);
	ASN1_OCTET_STRING **content = theirs ? CMS_get0_content(theirs) : NULL;

	FUZZ_REQUIRE(!theirs || (p == c->der.data + c->der.len && content && *content));
	FUZZ_REQUIRE(!theirs || bytes_equal(buf_bytes(&c->payload),
					bytes_of(ASN1_STRING_get0_data(*content),
						(size_t)ASN1_STRING_length(*content))));
	CMS_ContentInfo_free(theirs);
	ERR_clear_error();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	CMS_AUTO struct cms c;
	struct err e = ERR_INIT;
	bool ok = cms_parse(bytes_of(data, len), fuzz_site()->certs, &c, &e);

	fuzz_check_promises(ok, &e);
	FUZZ_REQUIRE(!c.signer);
	if (!ok)
		return 0;
	FUZZ_REQUIRE(bytes_equal(buf_bytes(&c.der), bytes_of(data, len)));
	FUZZ_REQUIRE(c.certs.count <= CMS_CERTS_MAX);
	check_openssl_agrees(&c);
	ok = cms_verify(&c, &fuzz_site()->masa.chain, &e);
	fuzz_check_promises(ok, &e);
	FUZZ_REQUIRE(ok == (c.signer != NULL));
	FUZZ_REQUIRE(!ok || c.info.present);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t room, unsigned seed)
{
	/* mostly structure here: every fourth is signed again */
	if (seed % 4)
		return fuzz_mutate_der(data, len, room, seed / 4);
	return fuzz_mutate_signed(data, len, room, seed / 4, &fuzz_site()->masa, NULL, false);
}
