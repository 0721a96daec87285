/* SPDX-License-Identifier: Apache-2.0 */
/* A client certificate and all that BRSKI reads out of it: serial-number, issuer, MASA URL, key
 * identifiers. The certificate we keep is octet by octet the one that came, and one with a path to
 * nobody's anchor stays a stranger. What we read of it without OpenSSL is what OpenSSL reads. */
#include <stdlib.h>
#include <string.h>

#include "common/pki/idevid.h"
#include "common/pki/lint.h"
#include "tests/cert_reference.h"
#include "tests/fuzz/fuzz.h"

static void look_for_serials(const struct cert *c)
{
	for (int from = IDEVID_SERIAL_SUBJECT; from <= IDEVID_SERIAL_CN; from++) {
		struct err e = ERR_INIT;
		char *serial = idevid_serial_number(c, (enum idevid_serial_source)from, &e);

		fuzz_check_promises(serial != NULL, &e);
		FUZZ_REQUIRE(!serial || serial[0]);
		free(serial);
	}
}

static void look_for_masa(const struct cert *c)
{
	BUF_AUTO struct buf text = BUF_INIT(2048);
	struct err e = ERR_INIT;
	struct uri masa, again;
	bool ok = idevid_masa_uri(c, &masa, &e);

	fuzz_check_promises(ok, &e);
	if (!ok)
		return;
	FUZZ_REQUIRE(uri_format(&masa, &text, &e));
	FUZZ_REQUIRE(uri_parse(buf_str(&text), &again, &e));
	FUZZ_REQUIRE(uri_same_origin(&masa, &again) && strcmp(masa.path, again.path) == 0);
}

static void look_for_issuer(const struct cert *c)
{
	BUF_AUTO struct buf issuer = BUF_INIT(CERT_DER_MAX);
	struct err e = ERR_INIT;
	bool ok = idevid_issuer(c, &issuer, &e);

	fuzz_check_promises(ok, &e);
	if (ok && idevid_issuer_key_id(buf_bytes(&issuer)).len)
		FUZZ_REQUIRE(idevid_issuer_matches(c, buf_bytes(&issuer)));
}

static void check_pem(const struct cert *c)
{
	BUF_AUTO struct buf pem = BUF_INIT(4 * CERT_DER_MAX);
	CERT_LIST_AUTO struct cert_list certs = CERT_LIST_INIT;
	struct err e = ERR_INIT;

	FUZZ_REQUIRE(cert_format_pem(c, &pem, &e));
	FUZZ_REQUIRE(cert_list_parse_pem(buf_bytes(&pem), &certs, &e));
	FUZZ_REQUIRE(certs.count == 1 && cert_same(certs.items[0], c));
}

static void look_at_facts(const struct cert *c)
{
	BUF_AUTO struct buf id = BUF_INIT(CERT_DER_MAX);
	char organization[65];
	bool critical;
	struct err e = ERR_INIT;

	FUZZ_REQUIRE(cert_subject(c) && cert_issuer(c));
	FUZZ_REQUIRE(!cert_serial_number(c) != !cert_serial_number_fault(c));
	(void)cert_organization(c, organization, sizeof(organization));
	(void)cert_extension(c, "2.5.29.17", &critical);
	(void)cert_is_self_signed(c);
	FUZZ_REQUIRE(cert_domain_id(c, &id, &e) && id.len > 0);
	(void)cert_is_ca(c);
	(void)idevid_is_sibling(c, fuzz_site()->device.cert);
	(void)idevid_is_sibling(fuzz_site()->device.cert, c);
	(void)cert_eku(c);
	FUZZ_REQUIRE(cert_spki(c).len && cert_subject_der(c).len && cert_issuer_der(c).len);
	FUZZ_REQUIRE(cert_serial(c).len && cert_serial(c).len <= CERT_SERIAL_MAX);
	FUZZ_REQUIRE(cert_public_key(c) && cert_sha256(c) && cert_same_key(c, c));
	FUZZ_REQUIRE(cert_not_after(c) > 0 || cert_not_before(c) < INT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct err e = ERR_INIT;
	CERT_AUTO struct cert *c = cert_parse(bytes_of(data, len), &e);

	fuzz_check_promises(c != NULL, &e);
	if (!c)
		return 0;
	FUZZ_REQUIRE(bytes_equal(cert_der(c), bytes_of(data, len)));
	FUZZ_REQUIRE(!cert_reference_difference(c));
	look_for_serials(c);
	look_for_masa(c);
	look_for_issuer(c);
	look_at_facts(c);
	if (len % 64 == 0) /* as dear as all the rest: it parses again */
		check_pem(c);
	fuzz_check_promises(true, &e);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t room, unsigned seed)
{
	return fuzz_mutate_der(data, len, room, seed);
}
