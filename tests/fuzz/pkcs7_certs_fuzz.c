/* SPDX-License-Identifier: Apache-2.0 */
/* Certs-only CMS as a pledge gets it: the certificates found, written again, are found again, and
 * OpenSSL can read what we write. */
#include <openssl/cms.h>
#include <openssl/err.h>

#include "common/pki/pkcs7_certs.h"
#include "tests/fuzz/fuzz.h"

static void check_openssl_reads(struct bytes der)
{
	const uint8_t *p = der.data;
	CMS_ContentInfo *theirs = d2i_CMS_ContentInfo(NULL, &p, (long)der.len);

	FUZZ_REQUIRE(theirs);
	CMS_ContentInfo_free(theirs);
	ERR_clear_error();
}

/* Parsing every certificate again is all the work, so that is for some inputs. */
static void check_round_trip(const struct cert_list *certs, bool thorough)
{
	CERT_LIST_AUTO struct cert_list again = CERT_LIST_INIT;
	BUF_AUTO struct buf der = BUF_INIT(2 * PKCS7_CERTS_DER_MAX);
	struct err e = ERR_INIT;

	FUZZ_REQUIRE(pkcs7_certs_format(certs, &der, &e));
	if (der.len > PKCS7_CERTS_DER_MAX || !thorough)
		return;
	FUZZ_REQUIRE(pkcs7_certs_parse(buf_bytes(&der), &again, &e));
	FUZZ_REQUIRE(again.count == certs->count);
	for (size_t i = 0; i < certs->count; i++)
		FUZZ_REQUIRE(cert_list_contains(&again, certs->items[i]));
	check_openssl_reads(buf_bytes(&der));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	CERT_LIST_AUTO struct cert_list certs = CERT_LIST_INIT;
	struct err e = ERR_INIT;
	bool ok = pkcs7_certs_parse(bytes_of(data, len), &certs, &e);

	fuzz_check_promises(ok, &e);
	if (!ok)
		return 0;
	FUZZ_REQUIRE(certs.count > 0 && certs.count <= PKCS7_CERTS_MAX);
	check_round_trip(&certs, len % 4 == 0);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t room, unsigned seed)
{
	return fuzz_mutate_der(data, len, room, seed);
}
