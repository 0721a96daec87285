/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate requests as clients post them: the body's dialect, the DER, proof of possession, and
 * whether the request has what was asked for. What we believe to be signed OpenSSL reads and
 * believes, too. */
#include <openssl/err.h>
#include <openssl/x509.h>

#include "common/pki/csr.h"
#include "registrar/est_body.h"
#include "registrar/limits.h"
#include "tests/fuzz/fuzz.h"

#define WANTED "challengePassword ec-p256 san 1.3.6.1.5.5.7.3.2"

/* What the registrar of these tests asks for. */
static const struct csrattrs *wanted(void)
{
	static struct csrattrs attrs;
	BUF_AUTO struct buf der = BUF_INIT(CSRATTRS_DER_MAX);
	struct err e = ERR_INIT;

	if (!attrs.der.len) {
		FUZZ_REQUIRE(csrattrs_format(WANTED, &der, &e));
		FUZZ_REQUIRE(csrattrs_parse(buf_bytes(&der), &attrs, &e));
	}
	return &attrs;
}

static void check_openssl_agrees(struct bytes der)
{
	const uint8_t *p = der.data;
	X509_REQ *theirs = d2i_X509_REQ(NULL, &p, (long)der.len);
	EVP_PKEY *key = theirs ? X509_REQ_get0_pubkey(theirs) : NULL;

	FUZZ_REQUIRE(theirs && p == der.data + der.len);
	FUZZ_REQUIRE(key && X509_REQ_verify(theirs, key) == 1);
	X509_REQ_free(theirs);
	ERR_clear_error();
}

static void look(const struct csr *c)
{
	static const uint8_t eku[] = {0x55, 0x1d, 0x25};
	struct err e = ERR_INIT;
	struct bytes value;
	bool proven = csr_verify(c, &e);

	fuzz_check_promises(proven, &e);
	if (proven) /* the key of others is not looked at (EK-02) */
		check_openssl_agrees(csr_der(c));
	e = (struct err)ERR_INIT;
	fuzz_check_promises(csr_satisfies(c, wanted(), &e), &e);
	if (csr_extension(c, bytes_of(eku, sizeof(eku)), &value))
		FUZZ_REQUIRE(value.data);
	FUZZ_REQUIRE(csr_spki(c).len && csr_subject_der(c).len);
	(void)csr_san(c);
	(void)csr_serial_number(c);
	(void)csr_challenge_password(c);
	(void)csr_has_change_subject_name(c);
	(void)csr_asks_key_encryption(c);
}

static void read_der(struct bytes der)
{
	struct err e = ERR_INIT;
	CSR_AUTO struct csr *c = csr_parse(der, &e);

	fuzz_check_promises(c != NULL, &e);
	if (!c)
		return;
	FUZZ_REQUIRE(bytes_equal(csr_der(c), der));
	look(c);
}

/* Written in either dialect, it reads the same. */
static void check_round_trip(struct bytes der)
{
	for (int i = 0; i < 2; i++) {
		BUF_AUTO struct buf text = BUF_INIT(2 * ENROLL_BODY_MAX);
		BUF_AUTO struct buf again = BUF_INIT(ENROLL_BODY_MAX);
		enum est_wrapping w;
		struct err e = ERR_INIT;

		FUZZ_REQUIRE(est_body_write(der, i ? EST_WRAPPED : EST_UNWRAPPED, &text, &e));
		FUZZ_REQUIRE(est_body_read(buf_bytes(&text), &again, &w, &e));
		FUZZ_REQUIRE(bytes_equal(buf_bytes(&again), der));
	}
}

/* As it comes over CoAP: DER it is, or nothing. */
static void read_der_body(struct bytes body)
{
	BUF_AUTO struct buf der = BUF_INIT(ENROLL_BODY_MAX);
	struct err e = ERR_INIT;
	bool ok = est_body_read_der(body, &der, &e);

	fuzz_check_promises(ok, &e);
	FUZZ_REQUIRE(!ok || bytes_equal(buf_bytes(&der), body));
}

static void read_body(struct bytes body)
{
	BUF_AUTO struct buf der = BUF_INIT(ENROLL_BODY_MAX);
	enum est_wrapping wrapping;
	struct err e = ERR_INIT;
	bool ok = est_body_read(body, &der, &wrapping, &e);

	read_der_body(body);
	fuzz_check_promises(ok, &e);
	if (!ok)
		return;
	if (der.len && der.data[0] == 0x30) /* no base64 of a SEQUENCE begins with this octet */
		check_round_trip(buf_bytes(&der));
	read_der(buf_bytes(&der));
}

/* 'a', the length of what is asked for in one octet, CsrAttrs, CSR: any two of them compared. */
static void compare(struct bytes attrs, struct bytes request)
{
	CSRATTRS_AUTO struct csrattrs a = {.key_bits = 0};
	struct err e = ERR_INIT;
	CSR_AUTO struct csr *c = csr_parse(request, &e);

	if (!c || !csrattrs_parse(attrs, &a, &e))
		return;
	e = (struct err)ERR_INIT;
	fuzz_check_promises(csr_satisfies(c, &a, &e), &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len > 2 && data[0] == 'a' && data[1] <= len - 2)
		compare(bytes_of(data + 2, data[1]),
			bytes_of(data + 2 + data[1], len - 2 - data[1]));
	else
		read_body(bytes_of(data, len));
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t room, unsigned seed)
{
	return fuzz_mutate_der(data, len, room, seed);
}
