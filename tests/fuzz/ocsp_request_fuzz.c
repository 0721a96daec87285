/* SPDX-License-Identifier: Apache-2.0 */
/* OCSP requests of strangers. What both we and OpenSSL can read says the same to both (it looks
 * into what we pass over: names, signatures); and whatever is about our certificates can be
 * answered, for the answer is read back by OpenSSL before it leaves. */
#include <openssl/err.h>
#include <openssl/ocsp.h>

#include "common/pki/ocsp.h"
#include "tests/fuzz/fuzz.h"

#define HOUR 3600

static bool same_serial(const struct ocsp_asked *a, OCSP_CERTID *id)
{
	uint8_t *der = NULL;
	ASN1_INTEGER *serial;
	bool same;
	int len;

	FUZZ_REQUIRE(OCSP_id_get0_info(NULL, NULL, NULL, &serial, id) == 1);
	len = i2d_ASN1_INTEGER(serial, &der);
	same = len == (int)a->serial.len + 2 &&
	       bytes_equal(a->serial, bytes_of(der + 2, a->serial.len));
	OPENSSL_free(der);
	return same;
}

static void compare_with_openssl(const struct ocsp_request *r, struct bytes der)
{
	const uint8_t *p = der.data;
	OCSP_REQUEST *theirs = d2i_OCSP_REQUEST(NULL, &p, (long)der.len);

	if (!theirs) {
		ERR_clear_error();
		return;
	}
	FUZZ_REQUIRE(p == der.data + der.len);
	FUZZ_REQUIRE(OCSP_request_onereq_count(theirs) == (int)r->count);
	for (size_t i = 0; i < r->count; i++)
		FUZZ_REQUIRE(same_serial(&r->asked[i],
			OCSP_onereq_get0_id(OCSP_request_onereq_get0(theirs, (int)i))));
	FUZZ_REQUIRE((r->nonce.len > 0) ==
		     (OCSP_REQUEST_get_ext_by_NID(theirs, NID_id_pkix_OCSP_Nonce, -1) >= 0));
	OCSP_REQUEST_free(theirs);
	ERR_clear_error();
}

static void answer(const struct ocsp_request *r)
{
	static const struct ocsp_standing standings[OCSP_ASKED_MAX] = {
		{OCSP_GOOD, 0}, {OCSP_REVOKED, FUZZ_NOW - HOUR}, {OCSP_UNKNOWN, 0}};
	const struct ocsp_answer a = {.request = r,
		.standings = standings,
		.signer = &fuzz_site()->device,
		.this_update = FUZZ_NOW,
		.next_update = FUZZ_NOW + HOUR};
	BUF_AUTO struct buf out = BUF_INIT(OCSP_ANSWER_DER_MAX);
	struct err e = ERR_INIT;

	fuzz_check_promises(ocsp_answer_make(&a, &out, &e), &e);
	FUZZ_REQUIRE(out.len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	OCSP_REQUEST_AUTO struct ocsp_request r = OCSP_REQUEST_INIT;
	struct err e = ERR_INIT;
	bool ok = ocsp_request_parse(bytes_of(data, len), &r, &e), is;

	fuzz_check_promises(ok, &e);
	FUZZ_REQUIRE(ok == (r.count > 0));
	if (!ok)
		return 0;
	compare_with_openssl(&r, bytes_of(data, len));
	FUZZ_REQUIRE(ocsp_request_is_of(&r, fuzz_site()->device.cert, &is, &e));
	if (is)
		answer(&r);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t room, unsigned seed)
{
	return fuzz_mutate_der(data, len, room, seed);
}
