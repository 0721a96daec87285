/* SPDX-License-Identifier: Apache-2.0 */
/* OCSP: requests as OpenSSL makes them and as nobody should, read by us; answers of our making,
 * read by OpenSSL. */
#include "tests/unit/pki_fixture.h"

#include <openssl/ocsp.h>

#include "common/pki/issue.h"
#include "common/pki/ocsp.h"
#include "common/wire/der.h"

#define NOW    1800000000
#define HOUR   3600
#define YEAR   (365 * 24 * (int64_t)HOUR)
#define SERIAL 0x80c0ffee

static struct identity ca, namesake, same_key;

static struct cert *issue_root(const struct key *key, const char *name)
{
	struct err e = ERR_INIT;
	struct cert *c = issue_certificate(&(struct issue_request){.profile = PROFILE_ROOT_CA,
						   .self_key = key,
						   .common_name = name,
						   .not_before = NOW - YEAR,
						   .not_after = NOW + YEAR},
		&e);

	if (!c)
		fail_msg("%s", e.text);
	return c;
}

static int make_cas(void **state)
{
	struct err e = ERR_INIT;

	ca.key = key_generate(KEY_EC_P256, &e);
	namesake.key = key_generate(KEY_EC_P256, &e);
	ca.cert = issue_root(ca.key, "CA");
	namesake.cert = issue_root(namesake.key, "CA");
	same_key.cert = issue_root(ca.key, "another CA");
	return 0;
}

static int free_cas(void **state)
{
	identity_clear(&ca);
	identity_clear(&namesake);
	identity_clear(&same_key);
	return 0;
}

/* ---- requests by OpenSSL ---- */

static OCSP_CERTID *id_of(const struct cert *issuer, const EVP_MD *md, uint64_t serial)
{
	ASN1_INTEGER *n = ASN1_INTEGER_new();
	OCSP_CERTID *id;

	assert_int_equal(ASN1_INTEGER_set_uint64(n, serial), 1);
	id = OCSP_cert_id_new(md, X509_get_subject_name(cert_x509(issuer)),
		X509_get0_pubkey_bitstr(cert_x509(issuer)), n);
	assert_non_null(id);
	ASN1_INTEGER_free(n);
	return id;
}

static OCSP_REQUEST *asking(const struct cert *issuer, const EVP_MD *md, size_t count)
{
	OCSP_REQUEST *q = OCSP_REQUEST_new();

	for (size_t i = 0; i < count; i++)
		assert_non_null(OCSP_request_add0_id(q, id_of(issuer, md, SERIAL + i)));
	return q;
}

/* The octets of it, which is freed. */
static struct buf der_of_request(OCSP_REQUEST *q)
{
	struct buf out = BUF_INIT(4 * OCSP_REQUEST_DER_MAX);
	struct err e = ERR_INIT;
	uint8_t *der = NULL;
	int len = i2d_OCSP_REQUEST(q, &der);

	assert_true(len > 0 && buf_append(&out, der, (size_t)len, &e));
	OPENSSL_free(der);
	OCSP_REQUEST_free(q);
	return out;
}

static struct ocsp_request must_parse(OCSP_REQUEST *q)
{
	BUF_AUTO struct buf der = der_of_request(q);
	struct ocsp_request r = OCSP_REQUEST_INIT;
	struct err e = ERR_INIT;

	if (!ocsp_request_parse(buf_bytes(&der), &r, &e))
		fail_msg("%s", e.text);
	return r;
}

static void refused(struct bytes der, enum err_kind kind, const char *why)
{
	struct ocsp_request r = OCSP_REQUEST_INIT;
	struct err e = ERR_INIT;

	if (ocsp_request_parse(der, &r, &e))
		fail_msg("passes, but should not: %s", why);
	assert_int_equal(e.kind, kind);
	if (!strstr(e.text, why))
		fail_msg("'%s' does not say '%s'", e.text, why);
	assert_null(r.der.data);
	assert_int_equal(r.count, 0);
	assert_queue_empty();
}

static void refused_request(OCSP_REQUEST *q, const char *why)
{
	BUF_AUTO struct buf der = der_of_request(q);

	refused(buf_bytes(&der), ERR_INPUT, why);
}

static bool is_of(const struct ocsp_request *r, const struct cert *issuer)
{
	struct err e = ERR_INIT;
	bool is;

	assert_true(ocsp_request_is_of(r, issuer, &is, &e));
	assert_queue_empty();
	return is;
}

static X509_EXTENSION *extension(const char *oid, bool critical, const void *value, int len)
{
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
	ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
	X509_EXTENSION *x;

	assert_int_equal(ASN1_OCTET_STRING_set(octets, value, len), 1);
	x = X509_EXTENSION_create_by_OBJ(NULL, object, critical, octets);
	assert_non_null(x);
	ASN1_OBJECT_free(object);
	ASN1_OCTET_STRING_free(octets);
	return x;
}

static OCSP_REQUEST *with_extension(
	OCSP_REQUEST *q, const char *oid, bool critical, const void *value, int len)
{
	X509_EXTENSION *x = extension(oid, critical, value, len);

	assert_int_equal(OCSP_REQUEST_add_ext(q, x, -1), 1);
	X509_EXTENSION_free(x);
	return q;
}

/* With a nonce of that many octets. */
static OCSP_REQUEST *with_nonce(OCSP_REQUEST *q, uint8_t len)
{
	BUF_AUTO struct buf value = BUF_INIT(OCSP_REQUEST_DER_MAX);
	uint8_t octets[UINT8_MAX];
	struct err e = ERR_INIT;

	memset(octets, 'n', sizeof(octets));
	assert_true(der_put(&value, DER_OCTET_STRING, bytes_of(octets, len), &e));
	return with_extension(q, "1.3.6.1.5.5.7.48.1.2", false, value.data, (int)value.len);
}

static void ocsp_request_parse__of_openssl__says_whom_it_is_about(void **state)
{
	static const uint8_t serial[] = {0x00, 0x80, 0xc0, 0xff, 0xee};
	const EVP_MD *const digests[] = {EVP_sha1(), EVP_sha256(), EVP_sha384(), EVP_sha512()};

	for (size_t i = 0; i < sizeof(digests) / sizeof(*digests); i++) {
		OCSP_REQUEST_AUTO struct ocsp_request r =
			must_parse(asking(ca.cert, digests[i], 1));

		assert_int_equal(r.count, 1);
		assert_true(bytes_equal(r.asked[0].serial, bytes_of(serial, sizeof(serial))));
		assert_int_equal(r.nonce.len, 0);
		assert_true(is_of(&r, ca.cert));
		assert_false(is_of(&r, namesake.cert));
		assert_false(is_of(&r, same_key.cert));
	}
}

static void ocsp_request_is_of__digests_nobody_makes__are_nobodys(void **state)
{
	OCSP_REQUEST_AUTO struct ocsp_request r = must_parse(asking(ca.cert, EVP_sha224(), 1));

	assert_false(is_of(&r, ca.cert));
}

static void ocsp_request_is_of__two_cas_in_one__is_of_neither(void **state)
{
	OCSP_REQUEST_AUTO struct ocsp_request r = OCSP_REQUEST_INIT;
	OCSP_REQUEST *q = asking(ca.cert, EVP_sha1(), 1);

	assert_non_null(OCSP_request_add0_id(q, id_of(namesake.cert, EVP_sha1(), SERIAL)));
	r = must_parse(q);
	assert_int_equal(r.count, 2);
	assert_false(is_of(&r, ca.cert));
	assert_false(is_of(&r, namesake.cert));
}

static void ocsp_request_parse__as_many_as_there_may_be__and_no_more(void **state)
{
	OCSP_REQUEST_AUTO struct ocsp_request r =
		must_parse(asking(ca.cert, EVP_sha512(), OCSP_ASKED_MAX));

	assert_int_equal(r.count, OCSP_ASKED_MAX);
	assert_int_equal(
		r.asked[OCSP_ASKED_MAX - 1].serial.data[4], (SERIAL + OCSP_ASKED_MAX - 1) & 0xff);
	refused_request(asking(ca.cert, EVP_sha1(), OCSP_ASKED_MAX + 1), "more than 8");
	refused_request(OCSP_REQUEST_new(), "no certificate");
}

static void ocsp_request_parse__nonces__have_1_to_128_octets(void **state)
{
	for (uint8_t len = 1; len <= OCSP_NONCE_MAX; len++) {
		OCSP_REQUEST_AUTO struct ocsp_request r =
			must_parse(with_nonce(asking(ca.cert, EVP_sha1(), 1), len));

		assert_int_equal(r.nonce.len, len);
		assert_int_equal(r.nonce.data[len - 1], 'n');
	}
	refused_request(with_nonce(asking(ca.cert, EVP_sha1(), 1), 0), "nonce of 0");
	refused_request(with_nonce(asking(ca.cert, EVP_sha1(), 1), OCSP_NONCE_MAX + 1),
		"nonce of 129 octets");
}

static void ocsp_request_parse__odd_nonces__are_refused(void **state)
{
	static const uint8_t bare[] = "no octet string in it";
	static const uint8_t more[] = {DER_OCTET_STRING, 1, 'n', DER_NULL, 0};
	OCSP_REQUEST *twice = with_nonce(with_nonce(asking(ca.cert, EVP_sha1(), 1), 8), 9);

	refused_request(twice, "two nonces");
	refused_request(with_extension(asking(ca.cert, EVP_sha1(), 1), "1.3.6.1.5.5.7.48.1.2",
				false, bare, sizeof(bare)),
		"nonce");
	refused_request(with_extension(asking(ca.cert, EVP_sha1(), 1), "1.3.6.1.5.5.7.48.1.2",
				false, more, sizeof(more)),
		"nonce");
}

static void ocsp_request_parse__extensions_nobody_knows__matter_when_critical(void **state)
{
	OCSP_REQUEST_AUTO struct ocsp_request r =
		must_parse(with_extension(asking(ca.cert, EVP_sha1(), 1), "1.2.3.4", false, "", 0));

	assert_int_equal(r.count, 1);
	refused_request(with_extension(asking(ca.cert, EVP_sha1(), 1), "1.2.3.4", true, "", 0),
		"critical extension");
}

static OCSP_REQUEST *with_single_extension(const char *oid, bool critical)
{
	OCSP_REQUEST *q = asking(ca.cert, EVP_sha1(), 1);
	X509_EXTENSION *x = extension(oid, critical, "", 0);

	assert_int_equal(OCSP_ONEREQ_add_ext(OCSP_request_onereq_get0(q, 0), x, -1), 1);
	X509_EXTENSION_free(x);
	return q;
}

static void ocsp_request_parse__extensions_about_one__matter_when_critical(void **state)
{
	OCSP_REQUEST_AUTO struct ocsp_request r = must_parse(with_single_extension("1.2.3", false));

	assert_int_equal(r.count, 1);
	refused_request(with_single_extension("1.2.3", true), "critical extension");
}

/* Who asks may be anybody (RFC 6960 §4.1.2). */
static void ocsp_request_parse__who_signs__is_not_looked_at(void **state)
{
	OCSP_REQUEST *q = with_nonce(asking(ca.cert, EVP_sha256(), 2), 16);
	OCSP_REQUEST_AUTO struct ocsp_request r = OCSP_REQUEST_INIT;

	assert_int_equal(
		OCSP_request_sign(q, cert_x509(ca.cert), key_evp(ca.key), EVP_sha256(), NULL, 0),
		1);
	r = must_parse(q);
	assert_int_equal(r.count, 2);
	assert_int_equal(r.nonce.len, 16);
}

/* ---- requests by hand ---- */

/* Where an element more can stand, at the end of another one. */
enum place { NOWHERE, IN_VERSION, IN_ID, IN_REQUEST, IN_EXTENSIONS, IN_TBS, IN_WHOLE, PLACES };

/* Pieces of a request, in place of what OpenSSL would put there; NULL: left out. */
struct pieces {
	const char *version;   /* content of the INTEGER in [0] */
	const char *algorithm; /* content of hashAlgorithm */
	const char *serial;
	size_t serial_len;
	const char *extensions; /* what stands in the list of them */
	size_t extensions_len;
	enum place more;
};
#define SHA1_OID "\x06\x05\x2b\x0e\x03\x02\x1a"

static void put_octets(struct buf *out, uint8_t tag, const void *data, size_t len)
{
	struct err e = ERR_INIT;

	assert_true(der_put(out, tag, bytes_of(data, len), &e));
}

static void put(
	struct buf *out, uint8_t tag, struct buf *content, enum place here, const struct pieces *p)
{
	if (p->more == here)
		put_octets(content, DER_NULL, "", 0);
	put_octets(out, tag, content->data, content->len);
	buf_clear(content);
}

static void put_id(struct buf *out, const struct pieces *p)
{
	struct buf id = BUF_INIT(OCSP_REQUEST_DER_MAX);

	put_octets(&id, DER_SEQUENCE, p->algorithm ? p->algorithm : SHA1_OID,
		strlen(p->algorithm ? p->algorithm : SHA1_OID));
	put_octets(&id, DER_OCTET_STRING, "12345678901234567890", 20);
	put_octets(&id, DER_OCTET_STRING, "12345678901234567890", 20);
	put_octets(&id, DER_INTEGER, p->serial ? p->serial : "\x01", p->serial ? p->serial_len : 1);
	put(out, DER_SEQUENCE, &id, IN_ID, p);
}

static void put_version(struct buf *out, const struct pieces *p)
{
	struct buf version = BUF_INIT(OCSP_REQUEST_DER_MAX);

	if (!p->version)
		return;
	put_octets(&version, DER_INTEGER, p->version, 1);
	put(out, DER_CONTEXT_CONSTRUCTED(0), &version, IN_VERSION, p);
}

static void put_extensions(struct buf *out, const struct pieces *p)
{
	struct buf list = BUF_INIT(OCSP_REQUEST_DER_MAX);

	if (!p->extensions)
		return;
	put_octets(&list, DER_SEQUENCE, p->extensions, p->extensions_len);
	put(out, DER_CONTEXT_CONSTRUCTED(2), &list, IN_EXTENSIONS, p);
}

static struct buf by_hand(const struct pieces *p)
{
	struct buf out = BUF_INIT(OCSP_REQUEST_DER_MAX), id = out, list = out, tbs = out,
		   whole = out;

	put_version(&tbs, p);
	put_id(&id, p);
	put(&list, DER_SEQUENCE, &id, IN_REQUEST, p);
	put_octets(&tbs, DER_SEQUENCE, list.data, list.len);
	buf_clear(&list);
	put_extensions(&tbs, p);
	put(&whole, DER_SEQUENCE, &tbs, IN_TBS, p);
	put(&out, DER_SEQUENCE, &whole, IN_WHOLE, p);
	return out;
}

static void accepted_by_hand(const struct pieces *p)
{
	BUF_AUTO struct buf der = by_hand(p);
	OCSP_REQUEST_AUTO struct ocsp_request r = OCSP_REQUEST_INIT;
	struct err e = ERR_INIT;

	if (!ocsp_request_parse(buf_bytes(&der), &r, &e))
		fail_msg("%s", e.text);
}

static void refused_by_hand(const struct pieces *p, const char *why)
{
	BUF_AUTO struct buf der = by_hand(p);

	refused(buf_bytes(&der), ERR_INPUT, why);
}

static void ocsp_request_parse__another_version__is_refused(void **state)
{
	accepted_by_hand(&(struct pieces){0});
	refused_by_hand(&(struct pieces){.version = "\x01"}, "version 2");
	refused_by_hand(&(struct pieces){.version = "\x80"}, "negative");
}

static void ocsp_request_parse__parameters_of_a_digest__are_none_or_null(void **state)
{
	accepted_by_hand(&(struct pieces){.algorithm = SHA1_OID});
	refused_by_hand(&(struct pieces){.algorithm = SHA1_OID "\x04\x01x"}, "hashAlgorithm");
	refused_by_hand(&(struct pieces){.algorithm = SHA1_OID "\x05\x01x"}, "hashAlgorithm");
	refused_by_hand(&(struct pieces){.algorithm = "\x04\x01x"}, "hashAlgorithm");
}

static void ocsp_request_parse__serial_numbers__are_minimal_and_bounded(void **state)
{
	const char longest[CERT_SERIAL_MAX + 1] = {1};

	accepted_by_hand(&(struct pieces){.serial = longest, .serial_len = CERT_SERIAL_MAX});
	accepted_by_hand(&(struct pieces){.serial = "\x00\x80", .serial_len = 2});
	accepted_by_hand(&(struct pieces){.serial = "\xff\x7f", .serial_len = 2});
	refused_by_hand(&(struct pieces){.serial = longest, .serial_len = CERT_SERIAL_MAX + 1},
		"serial number of 33 octets");
	refused_by_hand(&(struct pieces){.serial = "", .serial_len = 0}, "not minimal");
	refused_by_hand(&(struct pieces){.serial = "\x00\x7f", .serial_len = 2}, "not minimal");
	refused_by_hand(&(struct pieces){.serial = "\xff\x80", .serial_len = 2}, "not minimal");
}

/* An extension 1.2.3 that says of itself whether it is critical. */
static struct pieces with_critical(const char *extension, size_t len)
{
	return (struct pieces){.extensions = extension, .extensions_len = len};
}
#define WITH_CRITICAL(der) with_critical(der, sizeof(der) - 1)

static void ocsp_request_parse__critical__is_one_octet(void **state)
{
	const struct pieces no = WITH_CRITICAL("\x30\x09\x06\x02\x2a\x03\x01\x01\x00\x04\x00"),
			    yes = WITH_CRITICAL("\x30\x09\x06\x02\x2a\x03\x01\x01\x01\x04\x00"),
			    none = WITH_CRITICAL("\x30\x08\x06\x02\x2a\x03\x01\x00\x04\x00"),
			    two = WITH_CRITICAL("\x30\x0a\x06\x02\x2a\x03\x01\x02\xff\xff\x04\x00");

	accepted_by_hand(&no);
	refused_by_hand(&yes, "a critical extension nobody knows");
	refused_by_hand(&none, "critical: 0 octets");
	refused_by_hand(&two, "critical: 2 octets");
}

static void ocsp_request_parse__an_element_more_anywhere__is_refused(void **state)
{
	struct pieces p = {.version = "\0", .extensions = ""};

	accepted_by_hand(&p);
	for (p.more = NOWHERE + 1; p.more < PLACES; p.more++)
		refused_by_hand(&p, "OCSP request");
}

static void ocsp_request_parse__cut_anywhere_or_with_more_behind__is_refused(void **state)
{
	OCSP_REQUEST *q = with_nonce(asking(ca.cert, EVP_sha1(), 2), 4);
	BUF_AUTO struct buf der = der_of_request(q);
	struct err e = ERR_INIT;

	for (size_t len = 0; len < der.len; len++)
		refused(bytes_of(der.data, len), ERR_INPUT, "OCSP request");
	assert_true(buf_append(&der, "", 1, &e));
	refused(buf_bytes(&der), ERR_INPUT, "OCSP request");
}

static void ocsp_request_parse__too_long__is_refused_unread(void **state)
{
	static const uint8_t zeros[OCSP_REQUEST_DER_MAX + 1];

	refused(bytes_of(zeros, sizeof(zeros)), ERR_TOO_LARGE, "OCSP request");
}

/* ---- answers ---- */

static struct ocsp_answer an_answer(
	const struct ocsp_request *r, const struct ocsp_standing *standings)
{
	return (struct ocsp_answer){.request = r,
		.standings = standings,
		.signer = &ca,
		.this_update = NOW,
		.next_update = NOW + HOUR};
}

static OCSP_BASICRESP *must_make(const struct ocsp_answer *a)
{
	BUF_AUTO struct buf out = BUF_INIT(OCSP_ANSWER_DER_MAX);
	struct err e = ERR_INIT;
	OCSP_RESPONSE *response;
	OCSP_BASICRESP *basic;
	const uint8_t *p;

	if (!ocsp_answer_make(a, &out, &e))
		fail_msg("%s", e.text);
	assert_queue_empty();
	p = out.data;
	response = d2i_OCSP_RESPONSE(NULL, &p, (long)out.len);
	assert_non_null(response);
	assert_true(p == out.data + out.len);
	assert_int_equal(OCSP_response_status(response), OCSP_RESPONSE_STATUS_SUCCESSFUL);
	basic = OCSP_response_get1_basic(response);
	assert_non_null(basic);
	OCSP_RESPONSE_free(response);
	return basic;
}

static bool believed(OCSP_BASICRESP *basic, const struct cert *issuer)
{
	STACK_OF(X509) *certs = sk_X509_new_null();
	X509_STORE *anchors = X509_STORE_new();
	bool ok;

	X509_STORE_add_cert(anchors, cert_x509(issuer));
	X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(anchors), NOW);
	sk_X509_push(certs, cert_x509(issuer));
	ok = OCSP_basic_verify(basic, certs, anchors, 0) == 1;
	ERR_clear_error();
	X509_STORE_free(anchors);
	sk_X509_free(certs);
	return ok;
}

static void assert_at(const ASN1_GENERALIZEDTIME *t, int64_t at)
{
	assert_non_null(t);
	assert_int_equal(ASN1_TIME_cmp_time_t(t, (time_t)at), 0);
}

static void assert_said(
	OCSP_BASICRESP *basic, const EVP_MD *md, uint64_t serial, int status, int64_t revoked_at)
{
	OCSP_CERTID *id = id_of(ca.cert, md, serial);
	ASN1_GENERALIZEDTIME *at = NULL, *from = NULL, *until = NULL;
	int said, reason;

	assert_int_equal(OCSP_resp_find_status(basic, id, &said, &reason, &at, &from, &until), 1);
	assert_int_equal(said, status);
	assert_at(from, NOW);
	assert_at(until, NOW + HOUR);
	if (revoked_at) {
		assert_at(at, revoked_at);
		assert_int_equal(reason, -1); /* none */
	} else {
		assert_null(at);
	}
	OCSP_CERTID_free(id);
}

static void ocsp_answer_make__each_status__is_what_openssl_reads(void **state)
{
	static const struct ocsp_standing standings[] = {
		{OCSP_GOOD, 0}, {OCSP_REVOKED, NOW - 7}, {OCSP_UNKNOWN, 0}};
	OCSP_REQUEST_AUTO struct ocsp_request r = must_parse(asking(ca.cert, EVP_sha256(), 3));
	const struct ocsp_answer a = an_answer(&r, standings);
	OCSP_BASICRESP *basic = must_make(&a);

	assert_int_equal(OCSP_resp_count(basic), 3);
	assert_said(basic, EVP_sha256(), SERIAL, V_OCSP_CERTSTATUS_GOOD, 0);
	assert_said(basic, EVP_sha256(), SERIAL + 1, V_OCSP_CERTSTATUS_REVOKED, NOW - 7);
	assert_said(basic, EVP_sha256(), SERIAL + 2, V_OCSP_CERTSTATUS_UNKNOWN, 0);
	assert_true(believed(basic, ca.cert));
	assert_false(believed(basic, namesake.cert));
	OCSP_BASICRESP_free(basic);
}

static void ocsp_answer_make__who_signed__is_named_by_its_key_and_not_enclosed(void **state)
{
	static const struct ocsp_standing good = {OCSP_GOOD, 0};
	OCSP_REQUEST_AUTO struct ocsp_request r = must_parse(asking(ca.cert, EVP_sha1(), 1));
	const struct ocsp_answer a = an_answer(&r, &good);
	OCSP_BASICRESP *basic = must_make(&a);
	const ASN1_OCTET_STRING *key_hash;
	const X509_NAME *name;
	uint8_t own[EVP_MAX_MD_SIZE];
	unsigned len;

	assert_int_equal(OCSP_resp_get0_id(basic, &key_hash, &name), 1);
	assert_null(name);
	assert_int_equal(X509_pubkey_digest(cert_x509(ca.cert), EVP_sha1(), own, &len), 1);
	assert_true(bytes_equal(bytes_of(own, len),
		bytes_of(ASN1_STRING_get0_data(key_hash), (size_t)ASN1_STRING_length(key_hash))));
	assert_true(sk_X509_num(OCSP_resp_get0_certs(basic)) <= 0);
	assert_at(OCSP_resp_get0_produced_at(basic), NOW);
	OCSP_BASICRESP_free(basic);
}

static void ocsp_answer_make__a_nonce__is_repeated_and_without_one_there_is_none(void **state)
{
	static const struct ocsp_standing good = {OCSP_GOOD, 0};
	OCSP_REQUEST *theirs = with_nonce(asking(ca.cert, EVP_sha1(), 1), OCSP_NONCE_MAX);
	OCSP_REQUEST *copy = OCSP_REQUEST_new();
	OCSP_REQUEST_AUTO struct ocsp_request r = OCSP_REQUEST_INIT;
	OCSP_REQUEST_AUTO struct ocsp_request bare = must_parse(asking(ca.cert, EVP_sha1(), 1));
	struct ocsp_answer a = an_answer(&r, &good);
	OCSP_BASICRESP *basic;

	assert_int_equal(OCSP_REQUEST_add_ext(copy, OCSP_REQUEST_get_ext(theirs, 0), -1), 1);
	r = must_parse(theirs);
	basic = must_make(&a);
	assert_int_equal(OCSP_check_nonce(copy, basic), 1);
	OCSP_BASICRESP_free(basic);
	a.request = &bare;
	basic = must_make(&a);
	assert_int_equal(OCSP_BASICRESP_get_ext_count(basic), 0);
	OCSP_BASICRESP_free(basic);
	OCSP_REQUEST_free(copy);
}

static void ocsp_answer_make__a_key_of_each_type__is_believed(void **state)
{
	static const struct ocsp_standing good = {OCSP_GOOD, 0};
	struct err e = ERR_INIT;

	for (enum key_type type = 0; type < KEY_TYPE_COUNT; type++) {
		struct identity other = {.key = key_generate(type, &e)};
		OCSP_REQUEST_AUTO struct ocsp_request r = OCSP_REQUEST_INIT;
		struct ocsp_answer a = an_answer(&r, &good);
		OCSP_BASICRESP *basic;

		other.cert = issue_root(other.key, "other");
		r = must_parse(asking(other.cert, EVP_sha1(), 1));
		a.signer = &other;
		basic = must_make(&a);
		assert_true(believed(basic, other.cert));
		OCSP_BASICRESP_free(basic);
		identity_clear(&other);
	}
}

static void ocsp_answer_make__to_the_fullest_request__fits(void **state)
{
	static const struct ocsp_standing standings[OCSP_ASKED_MAX] = {[7] = {OCSP_REVOKED, NOW}};
	OCSP_REQUEST_AUTO struct ocsp_request r = must_parse(
		with_nonce(asking(ca.cert, EVP_sha512(), OCSP_ASKED_MAX), OCSP_NONCE_MAX));
	const struct ocsp_answer a = an_answer(&r, standings);
	OCSP_BASICRESP *basic = must_make(&a);

	assert_said(basic, EVP_sha512(), SERIAL + 6, V_OCSP_CERTSTATUS_GOOD, 0);
	assert_said(basic, EVP_sha512(), SERIAL + 7, V_OCSP_CERTSTATUS_REVOKED, NOW);
	OCSP_BASICRESP_free(basic);
}

/* ---- answers that are none ---- */

static void not_made(const struct ocsp_answer *a, enum err_kind kind, const char *why)
{
	BUF_AUTO struct buf out = BUF_INIT(OCSP_ANSWER_DER_MAX);
	struct err e = ERR_INIT;

	assert_false(ocsp_answer_make(a, &out, &e));
	assert_int_equal(e.kind, kind);
	if (!strstr(e.text, why))
		fail_msg("'%s' does not say '%s'", e.text, why);
	assert_int_equal(out.len, 0);
	assert_queue_empty();
}

static void ocsp_answer_make__times_that_are_none__are_refused(void **state)
{
	static const struct ocsp_standing early = {OCSP_REVOKED, -1};
	static const struct ocsp_standing good = {OCSP_GOOD, 0};
	OCSP_REQUEST_AUTO struct ocsp_request r = must_parse(asking(ca.cert, EVP_sha1(), 1));
	struct ocsp_answer a = an_answer(&r, &good);

	a.next_update = a.this_update;
	not_made(&a, ERR_INPUT, "nextUpdate");
	a.next_update = INT64_C(253402300800); /* the year 10000 */
	not_made(&a, ERR_INPUT, "time outside");
	a = an_answer(&r, &early);
	not_made(&a, ERR_INPUT, "time outside");
}

/* As a certificate that was put in place without its key would have it, or a fault in signing. */
static void ocsp_answer_make__a_signature_that_is_wrong__does_not_leave(void **state)
{
	static const struct ocsp_standing good = {OCSP_GOOD, 0};
	const struct identity mixed = {.key = namesake.key, .cert = ca.cert};
	OCSP_REQUEST_AUTO struct ocsp_request r = must_parse(asking(ca.cert, EVP_sha1(), 1));
	struct ocsp_answer a = an_answer(&r, &good);

	a.signer = &mixed;
	not_made(&a, ERR_BUG, "does not say");
}

static void says_not(const struct ocsp_answer *a, const struct buf *der, const char *what)
{
	struct err e = ERR_INIT;

	if (ocsp_answer_check(a, buf_bytes(der), &e))
		fail_msg("passes, but should not: %s", what);
	assert_int_equal(e.kind, ERR_BUG);
	assert_queue_empty();
}

static void ocsp_answer_check__anything_else_than_is_to_be_said__is_found(void **state)
{
	static const struct ocsp_standing said[] = {{OCSP_GOOD, 0}, {OCSP_REVOKED, NOW - 7}};
	static const struct {
		const char *what;
		struct ocsp_standing standings[2];
		int64_t later_from, later_until;
	} wrong[] = {
		{"revoked later", {{OCSP_GOOD, 0}, {OCSP_REVOKED, NOW - 6}}, 0, 0},
		{"good after all", {{OCSP_GOOD, 0}, {OCSP_GOOD, 0}}, 0, 0},
		{"unknown", {{OCSP_UNKNOWN, 0}, {OCSP_REVOKED, NOW - 7}}, 0, 0},
		{"of each other", {{OCSP_REVOKED, NOW - 7}, {OCSP_GOOD, 0}}, 0, 0},
		{"from later on", {{OCSP_GOOD, 0}, {OCSP_REVOKED, NOW - 7}}, 1, 0},
		{"for longer", {{OCSP_GOOD, 0}, {OCSP_REVOKED, NOW - 7}}, 0, 1},
	};
	OCSP_REQUEST_AUTO struct ocsp_request r = must_parse(asking(ca.cert, EVP_sha1(), 2));
	OCSP_REQUEST_AUTO struct ocsp_request more = must_parse(asking(ca.cert, EVP_sha1(), 1));
	BUF_AUTO struct buf der = BUF_INIT(OCSP_ANSWER_DER_MAX);
	struct ocsp_answer a = an_answer(&r, said);
	struct err e = ERR_INIT;

	assert_true(ocsp_answer_make(&a, &der, &e));
	assert_true(ocsp_answer_check(&a, buf_bytes(&der), &e));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		a = an_answer(&r, wrong[i].standings);
		a.this_update += wrong[i].later_from;
		a.next_update += wrong[i].later_until;
		says_not(&a, &der, wrong[i].what);
	}
	a = an_answer(&more, said);
	says_not(&a, &der, "about fewer");
	a = an_answer(&r, said);
	a.signer = &namesake;
	says_not(&a, &der, "by another one");
	assert_true(buf_append(&der, "", 1, &e));
	a.signer = &ca;
	says_not(&a, &der, "with an octet more");
}

static void ocsp_refusal_make__each__is_what_openssl_reads(void **state)
{
	static const struct {
		enum ocsp_refusal why;
		int status;
	} rows[] = {
		{OCSP_MALFORMED_REQUEST, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST},
		{OCSP_INTERNAL_ERROR, OCSP_RESPONSE_STATUS_INTERNALERROR},
		{OCSP_TRY_LATER, OCSP_RESPONSE_STATUS_TRYLATER},
		{OCSP_UNAUTHORIZED, OCSP_RESPONSE_STATUS_UNAUTHORIZED},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		BUF_AUTO struct buf out = BUF_INIT(OCSP_ANSWER_DER_MAX);
		struct err e = ERR_INIT;
		OCSP_RESPONSE *response;
		const uint8_t *p;

		assert_true(ocsp_refusal_make(rows[i].why, &out, &e));
		p = out.data;
		response = d2i_OCSP_RESPONSE(NULL, &p, (long)out.len);
		assert_non_null(response);
		assert_true(p == out.data + out.len);
		assert_int_equal(OCSP_response_status(response), rows[i].status);
		assert_null(OCSP_response_get1_basic(response));
		ERR_clear_error();
		OCSP_RESPONSE_free(response);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ocsp_request_parse__of_openssl__says_whom_it_is_about),
		cmocka_unit_test(ocsp_request_is_of__digests_nobody_makes__are_nobodys),
		cmocka_unit_test(ocsp_request_is_of__two_cas_in_one__is_of_neither),
		cmocka_unit_test(ocsp_request_parse__as_many_as_there_may_be__and_no_more),
		cmocka_unit_test(ocsp_request_parse__nonces__have_1_to_128_octets),
		cmocka_unit_test(ocsp_request_parse__odd_nonces__are_refused),
		cmocka_unit_test(ocsp_request_parse__extensions_nobody_knows__matter_when_critical),
		cmocka_unit_test(ocsp_request_parse__extensions_about_one__matter_when_critical),
		cmocka_unit_test(ocsp_request_parse__who_signs__is_not_looked_at),
		cmocka_unit_test(ocsp_request_parse__another_version__is_refused),
		cmocka_unit_test(ocsp_request_parse__parameters_of_a_digest__are_none_or_null),
		cmocka_unit_test(ocsp_request_parse__serial_numbers__are_minimal_and_bounded),
		cmocka_unit_test(ocsp_request_parse__critical__is_one_octet),
		cmocka_unit_test(ocsp_request_parse__an_element_more_anywhere__is_refused),
		cmocka_unit_test(ocsp_request_parse__cut_anywhere_or_with_more_behind__is_refused),
		cmocka_unit_test(ocsp_request_parse__too_long__is_refused_unread),
		cmocka_unit_test(ocsp_answer_make__each_status__is_what_openssl_reads),
		cmocka_unit_test(
			ocsp_answer_make__who_signed__is_named_by_its_key_and_not_enclosed),
		cmocka_unit_test(
			ocsp_answer_make__a_nonce__is_repeated_and_without_one_there_is_none),
		cmocka_unit_test(ocsp_answer_make__a_key_of_each_type__is_believed),
		cmocka_unit_test(ocsp_answer_make__to_the_fullest_request__fits),
		cmocka_unit_test(ocsp_answer_make__times_that_are_none__are_refused),
		cmocka_unit_test(ocsp_answer_make__a_signature_that_is_wrong__does_not_leave),
		cmocka_unit_test(ocsp_answer_check__anything_else_than_is_to_be_said__is_found),
		cmocka_unit_test(ocsp_refusal_make__each__is_what_openssl_reads),
	};

	return cmocka_run_group_tests(tests, make_cas, free_cas);
}
