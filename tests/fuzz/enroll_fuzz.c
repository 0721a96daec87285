/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate request that proves itself, up to the certificate the site's CA makes of it: the
 * rules of enrolment, the name, the issue. Whatever the device asks for, it gets a certificate of
 * its own key and its own serial-number, for clients and not for CAs. */
#include <string.h>

#include "common/pki/csr.h"
#include "common/pki/issue.h"
#include "common/wire/der.h"
#include "registrar/enroll_rules.h"
#include "registrar/subject.h"
#include "tests/fuzz/fuzz.h"

#define SERIAL	   "FUZZ-1"
#define YEAR_S	   31557600
#define CSR_IN_MAX (2 * CSR_DER_MAX)

static const struct identity *ca(void)
{
	static struct identity made;
	struct issue_request r = {.profile = PROFILE_ROOT_CA,
		.common_name = "CA",
		.not_before = FUZZ_NOW - YEAR_S,
		.not_after = FUZZ_NOW + 10 * (int64_t)YEAR_S};
	struct err e = ERR_INIT;

	if (made.cert)
		return &made;
	FUZZ_REQUIRE((made.key = key_generate(KEY_EC_P256, &e)) != NULL);
	r.self_key = made.key;
	FUZZ_REQUIRE((made.cert = issue_certificate(&r, &e)) != NULL);
	return &made;
}

static const struct csrattrs *wanted(void)
{
	static struct csrattrs attrs;
	BUF_AUTO struct buf der = BUF_INIT(CSRATTRS_DER_MAX);
	struct err e = ERR_INIT;

	if (attrs.der.len)
		return &attrs;
	FUZZ_REQUIRE(csrattrs_format("challengePassword san", &der, &e));
	FUZZ_REQUIRE(csrattrs_parse(buf_bytes(&der), &attrs, &e));
	return &attrs;
}

static void apply_rules(const struct csr *c)
{
	static const struct csrattrs nothing;
	const struct peer bound = {.channel_binding = {1, 2, 3}, .channel_binding_len = 3};
	const struct peer unbound = {.channel_binding_len = 0};
	struct err e = ERR_INIT;
	bool ok = rules_channel_binding(c, wanted(), &bound, &e);

	fuzz_check_promises(ok, &e);
	FUZZ_REQUIRE(!ok || csr_challenge_password(c));
	FUZZ_REQUIRE(!rules_channel_binding(c, wanted(), &unbound, &e));
	e = (struct err)ERR_INIT;
	ok = rules_channel_binding(c, &nothing, &unbound, &e);
	FUZZ_REQUIRE(ok == !csr_challenge_password(c));
	FUZZ_REQUIRE(rules_san_wanted(wanted()) && !rules_san_wanted(&nothing));
	e = (struct err)ERR_INIT;
	fuzz_check_promises(rules_same_names(c, fuzz_site()->device.cert, &e), &e);
}

static void check_issued(const struct cert *made, const struct csr *c)
{
	bool critical;

	FUZZ_REQUIRE(cert_serial_number(made) && strcmp(cert_serial_number(made), SERIAL) == 0);
	FUZZ_REQUIRE(bytes_equal(cert_spki(made), csr_spki(c)));
	FUZZ_REQUIRE(!cert_is_ca(made) && !(cert_eku(made) & CERT_EKU_CMC_RA));
	FUZZ_REQUIRE(cert_eku(made) & CERT_EKU_CLIENT_AUTH);
	FUZZ_REQUIRE(cert_extension(made, "1.3.6.1.5.5.7.1.32", &critical).len == 0);
	FUZZ_REQUIRE(bytes_equal(cert_extension(made, "2.5.29.17", &critical), csr_san(c)));
}

static void issue(const struct csr *c)
{
	BUF_AUTO struct buf subject = BUF_INIT(SUBJECT_DER_MAX);
	struct err e = ERR_INIT;
	bool ok = subject_for_device(csr_subject_der(c), SERIAL, &subject, &e);
	const struct issue_request r = {.profile = PROFILE_LDEVID,
		.issuer = ca(),
		.spki = csr_spki(c),
		.subject_der = buf_bytes(&subject),
		.san_der = csr_san(c),
		.not_before = FUZZ_NOW,
		.not_after = FUZZ_NOW + YEAR_S};
	CERT_AUTO struct cert *made = NULL;

	fuzz_check_promises(ok, &e);
	if (!ok)
		return;
	made = issue_certificate(&r, &e);
	fuzz_check_promises(made != NULL, &e);
	if (made)
		check_issued(made, c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct err e = ERR_INIT;
	CSR_AUTO struct csr *c = csr_parse(bytes_of(data, len), &e);

	if (!c || !csr_verify(c, &e)) {
		fuzz_check_promises(false, &e);
		return 0;
	}
	apply_rules(c);
	issue(c);
	return 0;
}

/* CertificationRequestInfo, changed; ours the key, so that it can be signed. */
static bool resign(struct bytes info, unsigned seed, struct buf *out)
{
	static const uint8_t ecdsa_sha256[] = {
		0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
	BUF_AUTO struct buf changed = BUF_INIT(CSR_IN_MAX), body = BUF_INIT(CSR_IN_MAX),
			    bits = BUF_INIT(CSR_IN_MAX);
	struct err e = ERR_INIT;

	return fuzz_change_der(info, seed, &changed) && buf_append(&bits, "", 1, &e) &&
	       key_sign(fuzz_site()->device.key, buf_bytes(&changed), &bits, &e) &&
	       buf_append(&body, changed.data, changed.len, &e) &&
	       buf_append(&body, ecdsa_sha256, sizeof(ecdsa_sha256), &e) &&
	       der_put(&body, DER_BIT_STRING, buf_bytes(&bits), &e) &&
	       der_put(out, DER_SEQUENCE, buf_bytes(&body), &e);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t room, unsigned seed)
{
	BUF_AUTO struct buf out = BUF_INIT(CSR_IN_MAX);
	struct der d = der_of(bytes_of(data, len));
	struct der_tlv request, info;
	struct err e = ERR_INIT;

	if (seed % 8 == 0 || !der_expect(&d, DER_SEQUENCE, &request, "", &e) ||
		!der_next(&request.content, &info, &e) || !resign(info.whole, seed / 8, &out) ||
		out.len > room)
		return fuzz_mutate_der(data, len, room, seed / 8);
	memcpy(data, out.data, out.len);
	return out.len;
}
