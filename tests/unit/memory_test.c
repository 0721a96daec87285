/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation of a library call fails once: the call succeeds with a good result or says that
 * there was no memory, keeps nothing, and leaves OpenSSL's error queue empty. What must be refused
 * is refused however memory runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>

#include "common/message/audit_log.h"
#include "common/message/status_report.h"
#include "common/pki/cms.h"
#include "common/pki/csr.h"
#include "common/pki/crl.h"
#include "common/pki/crl_make.h"
#include "common/pki/hash_chain.h"
#include "common/pki/issue.h"
#include "common/pki/key.h"
#include "common/pki/ocsp.h"
#include "common/pki/ossl.h"
#include "common/pki/pkcs7_certs.h"
#include "common/run/config.h"
#include "common/run/store.h"
#include "common/wire/coap_block.h"
#include "pledge/accept.h"
#include "pledge/limits.h"
#include "tests/fault/fault.h"
#include "tests/unit/pledge_fixture.h"

#define NONCE	    "AAECAwQFBgcICQoLDA0ODw=="
#define STEPS_MAX   100000 /* no call here needs a tenth of it */
#define LEAK_RUNS   40
#define P256_BITS   256
#define BODY_MAX    1000
#define REPORT_TEXT "{\"version\":1,\"status\":false,\"reason\":\"no reason at all\"}"
#define LOG_TEXT                                                                                   \
	"{\"version\":1,\"events\":[{\"date\":\"2026-01-01T00:00:00Z\",\"domainID\":\"YWJj\","     \
	"\"nonce\":null,\"assertion\":\"logged\"}]}"

struct world {
	struct fixture f;
	struct identity issuing;
	struct key *key;
	int64_t now;
	struct buf voucher, foreign_voucher, csr, broken_csr, certs, spki, ocsp;
	struct accept_input accept;
	char dir[32], path[64];
};

/* A call under test: true when it did what it is for, its result checked in health. */
typedef bool work(struct world *w, struct err *e);

static void in_health(bool holds, const char *what)
{
	if (!holds)
		fail_msg("granted, but %s", what);
}

static void arm(uint64_t at)
{
	struct fault_control *c = fault_control();

	c->at = at;
	c->count = 0;
	c->hits = 0;
	c->kind = FAULT_MEMORY;
}

static void disarm(void)
{
	fault_control()->kind = FAULT_OFF;
}

/* How many allocations one more run keeps. A cache fills, OpenSSL's error queue keeps the texts of
 * 16 entries; a leak grows every time. */
static int64_t kept_by(work *run, struct world *w, uint64_t at)
{
	int64_t before = (int64_t)fault_control()->live;
	struct err e = ERR_INIT;

	arm(at);
	(void)run(w, &e);
	disarm();
	return (int64_t)fault_control()->live - before;
}

static void check_leak(work *run, struct world *w, uint64_t at)
{
	int64_t kept = kept_by(run, w, at);

	for (int i = 0; i < LEAK_RUNS && kept > 0; i++)
		kept = kept_by(run, w, at);
	if (kept > 0)
		fail_msg("allocation %llu: %lld allocations are kept each time",
			(unsigned long long)at, (long long)kept);
}

/* granted: what a call in health says; then the one fault there can be is no memory. */
static void starve(work *run, struct world *w, bool granted)
{
	struct err e = ERR_INIT;
	uint64_t at;

	if (run(w, &e) != granted)
		fail_msg("in health: %s", e.text);
	for (at = 1; at < STEPS_MAX; at++) {
		int64_t before = (int64_t)fault_control()->live;
		bool ok, hit;

		e = (struct err)ERR_INIT;
		arm(at);
		ok = run(w, &e);
		disarm();
		hit = fault_control()->hits > 0;
		if (!hit)
			break;
		if (ok && !granted)
			fail_msg("allocation %llu: granted", (unsigned long long)at);
		if (ERR_peek_error() != 0)
			fail_msg("allocation %llu: OpenSSL's error queue is not empty",
				(unsigned long long)at);
		if (!ok && e.kind == ERR_NONE)
			fail_msg("allocation %llu: failed without saying why",
				(unsigned long long)at);
		if (!ok && granted && e.kind != ERR_NO_MEMORY)
			fail_msg("allocation %llu: %s: %s", (unsigned long long)at,
				err_kind_name(e.kind), e.text);
		if ((int64_t)fault_control()->live > before)
			check_leak(run, w, at);
	}
	assert_true(at > 1 && at < STEPS_MAX);
	if (run(w, &e) != granted)
		fail_msg("afterwards: %s", e.text);
}

/* ---- the calls ---- */

static bool open_cms(struct world *w, struct err *e)
{
	CMS_AUTO struct cms cms;

	cms_init(&cms);
	return cms_open(buf_bytes(&w->voucher), NULL, NULL, &cms, e);
}

/* No algorithm fits a key without its size. */
static bool parse_public_key(struct world *w, struct err *e)
{
	OSSL_AUTO(EVP_PKEY) EVP_PKEY *key = key_parse_spki(buf_bytes(&w->spki), e);

	disarm();
	if (key)
		in_health(EVP_PKEY_get_bits(key) == P256_BITS, "its size is not known");
	return key;
}

static bool gather_body(struct world *w, struct err *e)
{
	const struct coap_block first = {.num = 0, .more = true, .szx = 0}, last = {.num = 1};
	struct coap_message m = {.code = COAP_POST, .payload = bytes_of_str("0123456789abcdef")};
	enum coap_body_state state;
	struct coap_body b;

	coap_body_init(&b, BODY_MAX);
	state = coap_body_add(&b, &first, &m);
	if (state == COAP_BODY_MORE)
		state = coap_body_add(&b, &last, &m);
	coap_body_clear(&b);
	if (state == COAP_BODY_COMPLETE)
		return true;
	return err_set(e, state == COAP_BODY_NO_MEMORY ? ERR_NO_MEMORY : ERR_BUG, "a body");
}

static bool seal_cms(struct world *w, struct err *e)
{
	BUF_AUTO struct buf out = BUF_INIT(CMS_DER_MAX);
	bool ok =
		cms_seal(bytes_of_str("{\"a\":1}"), &w->f.masa, &w->f.masa.chain, w->now, &out, e);
	CMS_AUTO struct cms cms;

	disarm();
	cms_init(&cms);
	if (ok)
		in_health(cms_open(buf_bytes(&out), NULL, NULL, &cms, e), "it does not verify");
	return ok;
}

static bool seal_voucher(struct world *w, struct err *e)
{
	const struct voucher_format *format =
		voucher_format_by_media_type("application/voucher-cms+json");
	BUF_AUTO struct buf out = BUF_INIT(CMS_DER_MAX);
	SIGNED_VOUCHER_AUTO struct signed_voucher back;
	VOUCHER_AUTO struct voucher v;
	uint64_t kind = fault_control()->kind;
	bool ok;

	disarm();
	fixture_voucher(&w->f, &v, NONCE, w->now);
	fault_control()->kind = kind;
	ok = format->seal(&v, &w->f.masa, &w->f.masa.chain, w->now, &out, e);
	disarm();
	signed_voucher_init(&back);
	if (!ok)
		return false;
	in_health(format->open(buf_bytes(&out), NULL, NULL, &back, e), "it does not verify");
	in_health(back.fields.nonce && strcmp(back.fields.nonce, NONCE) == 0, "it says otherwise");
	in_health(strcmp(back.fields.serial_number, FIXTURE_SERIAL) == 0, "it says otherwise");
	return true;
}

static bool judge(struct world *w, struct bytes octets, const char *nonce, struct err *e)
{
	ACCEPTED_AUTO struct accepted a;

	w->accept.octets = octets;
	w->accept.nonce = nonce;
	return accept_voucher(&w->accept, &a, e);
}

static bool accept_good(struct world *w, struct err *e)
{
	return judge(w, buf_bytes(&w->voucher), NONCE, e);
}

static bool accept_other_nonce(struct world *w, struct err *e)
{
	return judge(w, buf_bytes(&w->voucher), "BBECAwQFBgcICQoLDA0ODw==", e);
}

static bool accept_foreign(struct world *w, struct err *e)
{
	return judge(w, buf_bytes(&w->foreign_voucher), NONCE, e);
}

static bool make_csr(struct world *w, struct err *e)
{
	BUF_AUTO struct buf der = BUF_INIT(CSR_DER_MAX);
	const struct csr_wish wish = {
		.key = w->key, .subject_der = cert_subject_der(w->f.idevid.cert)};
	CSR_AUTO struct csr *back = NULL;
	bool ok = csr_make(&wish, &der, e);

	disarm();
	if (ok)
		in_health((back = csr_parse(buf_bytes(&der), e)) && csr_verify(back, e),
			"it does not verify");
	return ok;
}

static bool read_csr(const struct buf *der, struct err *e)
{
	CSR_AUTO struct csr *csr = csr_parse(buf_bytes(der), e);

	return csr && csr_verify(csr, e);
}

static bool read_good_csr(struct world *w, struct err *e)
{
	return read_csr(&w->csr, e);
}

static bool read_broken_csr(struct world *w, struct err *e)
{
	return read_csr(&w->broken_csr, e);
}

/* A question about two certificates, one of them revoked. */
static bool answer_ocsp(struct world *w, struct err *e)
{
	static const struct ocsp_standing standings[] = {{OCSP_GOOD, 0}, {OCSP_REVOKED, 1}};
	BUF_AUTO struct buf out = BUF_INIT(OCSP_ANSWER_DER_MAX);
	OCSP_REQUEST_AUTO struct ocsp_request r = OCSP_REQUEST_INIT;
	const struct ocsp_answer a = {.request = &r,
		.standings = standings,
		.signer = &w->issuing,
		.this_update = w->now,
		.next_update = w->now + 3600};
	bool is;

	if (!ocsp_request_parse(buf_bytes(&w->ocsp), &r, e) ||
		!ocsp_request_is_of(&r, w->issuing.cert, &is, e))
		return false;
	in_health(is, "it is another's");
	return ocsp_answer_make(&a, &out, e);
}

static struct cert *issue_ldevid(struct world *w, struct err *e)
{
	const struct issue_request r = {
		.profile = PROFILE_LDEVID,
		.issuer = &w->issuing,
		.spki = buf_bytes(&w->spki),
		.subject_der = cert_subject_der(w->f.idevid.cert),
		.not_before = w->now,
		.not_after = w->now + 86400,
	};

	return issue_certificate(&r, e);
}

static bool issue(struct world *w, struct err *e)
{
	CERT_AUTO struct cert *c = issue_ldevid(w, e);

	disarm();
	if (!c)
		return false;
	in_health(X509_verify(cert_x509(c), cert_public_key(w->issuing.cert)) == 1,
		"its signature is wrong");
	in_health(!cert_is_ca(c) && cert_eku(c) & CERT_EKU_CLIENT_AUTH, "it lacks its extensions");
	in_health(bytes_equal(cert_spki(c), buf_bytes(&w->spki)), "it is for another key");
	return true;
}

/* With a certificate whose key nobody has asked for yet. */
static bool sign_log_head(struct world *w, struct err *e)
{
	const struct hash_chain_head head = {.log = "registrar", .sequence = 1, .at = w->now};
	BUF_AUTO struct buf signature = BUF_INIT(BODY_MAX);
	CERT_AUTO struct cert *cert = NULL;
	uint64_t kind = fault_control()->kind;
	struct err healthy = ERR_INIT;

	disarm();
	in_health((cert = issue_ldevid(w, &healthy)) && cert_is_plain(cert),
		"no certificate to sign with");
	fault_control()->kind = kind;
	return hash_chain_head_sign(
		&head, &(struct identity){.key = w->key, .cert = cert}, &signature, e);
}

static bool verify_chain_to(struct world *w, struct cert *root, struct err *e)
{
	CERT_LIST_AUTO struct cert_list roots = CERT_LIST_INIT;
	ANCHORS_AUTO struct anchors *anchors = NULL;

	if (!cert_list_add(&roots, root, e) || !(anchors = anchors_new(&roots, e)))
		return false;
	return chain_verify(anchors, w->f.ee_cert, &w->f.server_chain, w->now, NULL, e);
}

static bool verify_good_chain(struct world *w, struct err *e)
{
	return verify_chain_to(w, w->f.root_cert, e);
}

/* The leaf among the others as a CMS brings it along, and never shown to OpenSSL before: what is
 * left of the failure in it must not spoil the next attempt. */
static bool verify_new_leaf(struct world *w, struct err *e)
{
	CERT_LIST_AUTO struct cert_list roots = CERT_LIST_INIT, others = CERT_LIST_INIT;
	ANCHORS_AUTO struct anchors *anchors = NULL;
	CERT_AUTO struct cert *leaf = NULL;
	uint64_t kind = fault_control()->kind;
	struct err healthy = ERR_INIT;
	bool ok;

	disarm();
	in_health((leaf = issue_ldevid(w, &healthy)) && cert_is_plain(leaf) &&
			  cert_list_add(&others, leaf, &healthy) &&
			  cert_list_add(&others, w->f.sub_cert, &healthy) &&
			  cert_list_add(&roots, w->f.root_cert, &healthy) &&
			  (anchors = anchors_new(&roots, &healthy)),
		"no chain to verify");
	fault_control()->kind = kind;
	ok = chain_verify(anchors, leaf, &others, w->now, NULL, e);
	disarm();
	in_health(chain_verify(anchors, leaf, &others, w->now, NULL, &healthy),
		"a certificate was kept half read");
	return ok;
}

static bool verify_foreign_chain(struct world *w, struct err *e)
{
	return verify_chain_to(w, w->f.other_root_cert, e);
}

static void write_crl(struct world *w, const struct cert *revoked, const char *path)
{
	struct crl_entry entry = {.serial_len = cert_serial(revoked).len, .revoked_at = w->now};
	const struct crl_request r = {.issuer = &w->issuing,
		.number = 1,
		.this_update = w->now,
		.next_update = w->now + 3600,
		.entries = &entry,
		.entry_count = 1};
	BUF_AUTO struct buf der = BUF_INIT(CRL_LIST_DER_MAX);
	struct err e = ERR_INIT;
	FILE *f = fopen(path, "w");

	memcpy(entry.serial, cert_serial(revoked).data, entry.serial_len);
	in_health(f && crl_make(&r, &der, &e) &&
			  PEM_write(f, "X509 CRL", "", der.data, (long)der.len) > 0,
		"no list to check by");
	fclose(f);
}

/* Of certificates that OpenSSL was never shown before. */
static bool check_by_list(struct world *w, bool revoked, struct err *e)
{
	CERT_LIST_AUTO struct cert_list path = CERT_LIST_INIT;
	CERT_AUTO struct cert *leaf = NULL, *issuer = NULL;
	uint64_t kind = fault_control()->kind;
	struct crl_set *lists = NULL;
	struct err healthy = ERR_INIT;
	char file[64];
	bool ok;

	disarm();
	snprintf(file, sizeof(file), "%s/crl.pem", w->dir);
	in_health((leaf = issue_ldevid(w, &healthy)) &&
			  (issuer = cert_parse(cert_der(w->issuing.cert), &healthy)) &&
			  cert_list_add(&path, leaf, &healthy) &&
			  cert_list_add(&path, issuer, &healthy),
		"no path to check");
	write_crl(w, revoked ? leaf : issuer, file);
	in_health((lists = crl_set_load(file, &healthy)) != NULL, "the list is not read");
	fault_control()->kind = kind;
	ok = crl_set_check(lists, &path, e);
	disarm();
	crl_set_free(lists);
	return ok;
}

static bool check_certificate(struct world *w, struct err *e)
{
	return check_by_list(w, false, e);
}

static bool check_revoked(struct world *w, struct err *e)
{
	return check_by_list(w, true, e);
}

static bool parse_cert(struct world *w, struct err *e)
{
	CERT_AUTO struct cert *c = cert_parse(cert_der(w->f.idevid.cert), e);

	disarm();
	if (!c)
		return false;
	in_health(cert_eku(c) == cert_eku(w->f.idevid.cert) &&
			  strcmp(cert_subject(c), cert_subject(w->f.idevid.cert)) == 0 &&
			  bytes_equal(cert_aki(c), cert_aki(w->f.idevid.cert)) &&
			  cert_is_self_signed(c) == cert_is_self_signed(w->f.idevid.cert),
		"half of it was understood");
	return true;
}

static bool format_certs(struct world *w, struct err *e)
{
	BUF_AUTO struct buf out = BUF_INIT(PKCS7_CERTS_DER_MAX);
	bool ok = pkcs7_certs_format(&w->f.server_chain, &out, e);

	in_health(!ok || bytes_equal(buf_bytes(&out), buf_bytes(&w->certs)), "it is another one");
	return ok;
}

static bool parse_certs(struct world *w, struct err *e)
{
	CERT_LIST_AUTO struct cert_list out = CERT_LIST_INIT;
	bool ok = pkcs7_certs_parse(buf_bytes(&w->certs), &out, e);

	in_health(!ok || out.count == w->f.server_chain.count, "some are missing");
	return ok;
}

static bool pass_log_on(struct world *w, struct err *e)
{
	AUDIT_LOG_AUTO struct audit_log log = {0};
	BUF_AUTO struct buf out = BUF_INIT(4096);
	bool ok =
		audit_log_parse(bytes_of_str(LOG_TEXT), &log, e) && audit_log_format(&log, &out, e);

	in_health(!ok || strstr(buf_str(&out), "\"domainID\":\"YWJj\""), "an event changed");
	return ok;
}

static bool pass_report_on(struct world *w, struct err *e)
{
	STATUS_REPORT_AUTO struct status_report report = {0};
	BUF_AUTO struct buf out = BUF_INIT(4096);
	bool ok = status_report_parse(bytes_of_str(REPORT_TEXT), &report, e) &&
		  status_report_format(&report, &out, e);

	in_health(!ok || strcmp(buf_str(&out), REPORT_TEXT) == 0, "it changed");
	return ok;
}

static bool load_identity(struct world *w, struct err *e)
{
	struct identity id;
	bool ok = identity_load(&id, w->path, w->path, e);

	if (ok)
		identity_clear(&id);
	return ok;
}

struct settings {
	char *name;
	int64_t number;
};

static bool load_config(struct world *w, struct err *e)
{
	static const struct config_option options[] = {
		{"a", "name", CONFIG_STRING, offsetof(struct settings, name), NULL, 0, 0, NULL,
			"."},
		{"a", "number", CONFIG_INT, offsetof(struct settings, number), "3", 1, 9, NULL,
			"."},
	};
	static const struct config_schema schema = {.options = options, .option_count = 2};
	char path[sizeof(w->dir) + 16];
	struct settings out = {0};
	bool ok;

	snprintf(path, sizeof(path), "%s/a.conf", w->dir);
	ok = config_load(path, &schema, &out, e);
	in_health(!ok || (out.number == 7 && strcmp(out.name, "someone") == 0), "it differs");
	config_clear(&schema, &out);
	return ok;
}

static const char *const migrations[] = {"CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)", NULL};
static const char *const statements[] = {"INSERT INTO t (v) VALUES ($1)", "SELECT v FROM t", NULL};
static const struct store_schema schema = {"memory", migrations, statements};

static bool is_kept(void *arg, const struct store_row *r, struct err *e)
{
	*(bool *)arg = store_row_text(r, 0) && strcmp(store_row_text(r, 0), "kept") == 0;
	return true;
}

static bool use_store(struct world *w, struct err *e)
{
	const struct store_op op = {.params = {store_text("kept")}, .param_count = 1};
	char path[sizeof(w->dir) + 16];
	struct store *s;
	bool ok, kept = false;

	snprintf(path, sizeof(path), "%s/store", w->dir);
	s = store_open(path, &schema, e);
	ok = s && store_write_wait(s, &op, 1, NULL, e) &&
	     store_read(s, 1, NULL, 0, is_kept, &kept, NULL, e);
	store_close(s);
	in_health(!ok || kept, "it is not there");
	return ok;
}

/* ---- the world ---- */

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void make_files(struct world *w)
{
	char path[64];

	snprintf(w->dir, sizeof(w->dir), "/tmp/memory_test.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(path, sizeof(path), "%s/a.conf", w->dir);
	write_file(path, "[a]\nname = someone\nnumber = 7\n");
	snprintf(w->path, sizeof(w->path), "%s/id.pem", w->dir);
	peer_write_pem(w->path, w->f.masa_key.cert, NULL, w->f.masa_key.key);
}

static void make_question(struct world *w)
{
	X509 *issuer = cert_x509(w->issuing.cert);
	OCSP_REQUEST *q = OCSP_REQUEST_new();
	uint8_t *der = NULL;
	struct err e = ERR_INIT;
	int len;

	for (int i = 0; i < 2; i++)
		assert_non_null(OCSP_request_add0_id(q,
			OCSP_cert_id_new(EVP_sha1(), X509_get_subject_name(issuer),
				X509_get0_pubkey_bitstr(issuer), X509_get_serialNumber(issuer))));
	assert_int_equal(OCSP_request_add1_nonce(q, NULL, 16), 1);
	len = i2d_OCSP_REQUEST(q, &der);
	assert_true(len > 0 && buf_append(&w->ocsp, der, (size_t)len, &e));
	OPENSSL_free(der);
	OCSP_REQUEST_free(q);
}

static void make_messages(struct world *w)
{
	const struct csr_wish wish = {
		.key = w->key, .subject_der = cert_subject_der(w->f.idevid.cert)};
	VOUCHER_AUTO struct voucher v;
	struct err e = ERR_INIT;

	fixture_voucher(&w->f, &v, NONCE, w->now);
	fixture_seal(&v, &w->f.masa, w->now, &w->voucher);
	fixture_seal(&v, &w->f.other_masa, w->now, &w->foreign_voucher);
	assert_true(csr_make(&wish, &w->csr, &e));
	assert_true(buf_append(&w->broken_csr, w->csr.data, w->csr.len, &e));
	w->broken_csr.data[w->broken_csr.len - 1] ^= 1;
	assert_true(pkcs7_certs_format(&w->f.server_chain, &w->certs, &e));
	assert_true(key_public_spki(w->key, &w->spki, &e));
	make_question(w);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct err e = ERR_INIT;

	fixture_init(&w->f);
	fixture_identity(&w->issuing, &w->f.sub, w->f.root.cert);
	w->key = key_generate(KEY_EC_P256, &e);
	w->now = time(NULL);
	buf_init(&w->voucher, CMS_DER_MAX);
	buf_init(&w->foreign_voucher, CMS_DER_MAX);
	buf_init(&w->csr, CSR_DER_MAX);
	buf_init(&w->broken_csr, CSR_DER_MAX);
	buf_init(&w->certs, PKCS7_CERTS_DER_MAX);
	buf_init(&w->spki, CSR_DER_MAX);
	buf_init(&w->ocsp, OCSP_REQUEST_DER_MAX);
	make_messages(w);
	make_files(w);
	w->accept = (struct accept_input){
		.content_type = "application/voucher-cms+json",
		.masa_anchors = w->f.masa_anchors,
		.idevid = w->f.idevid.cert,
		.serial_number = FIXTURE_SERIAL,
		.server_chain = &w->f.server_chain,
		.now_unix_s = w->now,
		.nonceless = NONCELESS_ACCEPT,
		.assertion = ACCEPT_ANY,
	};
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	struct buf *bufs[] = {&w->voucher, &w->foreign_voucher, &w->csr, &w->broken_csr, &w->certs,
		&w->spki, &w->ocsp};
	char command[64];

	for (size_t i = 0; i < sizeof(bufs) / sizeof(*bufs); i++)
		buf_clear(bufs[i]);
	snprintf(command, sizeof(command), "rm -rf %s", w->dir);
	assert_int_equal(system(command), 0);
	identity_clear(&w->issuing);
	key_free(w->key);
	fixture_clear(&w->f);
	free(w);
	return 0;
}

#define GRANTED(name, call)                                                                        \
	static void name##__without_memory__says_so(void **state)                                  \
	{                                                                                          \
		starve(call, *state, true);                                                        \
	}
#define NEVER(name, call)                                                                          \
	static void name##__without_memory__is_still_refused(void **state)                         \
	{                                                                                          \
		starve(call, *state, false);                                                       \
	}
GRANTED(cms_open, open_cms)
GRANTED(public_key, parse_public_key)
GRANTED(body_in_blocks, gather_body)
GRANTED(cms_seal, seal_cms)
GRANTED(voucher_seal, seal_voucher)
GRANTED(accept_voucher, accept_good)
GRANTED(csr_make, make_csr)
GRANTED(csr_read, read_good_csr)
GRANTED(log_head, sign_log_head)
GRANTED(issue_certificate, issue)
GRANTED(ocsp, answer_ocsp)
GRANTED(chain_verify, verify_good_chain)
GRANTED(chain_of_a_new_leaf, verify_new_leaf)
GRANTED(crl_check, check_certificate)
GRANTED(cert_parse, parse_cert)
GRANTED(certs_format, format_certs)
GRANTED(certs_parse, parse_certs)
GRANTED(audit_log, pass_log_on)
GRANTED(status_report, pass_report_on)
GRANTED(identity_load, load_identity)
GRANTED(config_load, load_config)
GRANTED(store, use_store)
NEVER(voucher_for_another_nonce, accept_other_nonce)
NEVER(voucher_of_another_manufacturer, accept_foreign)
NEVER(csr_with_a_wrong_signature, read_broken_csr)
NEVER(chain_to_another_root, verify_foreign_chain)
NEVER(revoked_certificate, check_revoked)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cms_open__without_memory__says_so),
		cmocka_unit_test(public_key__without_memory__says_so),
		cmocka_unit_test(body_in_blocks__without_memory__says_so),
		cmocka_unit_test(cms_seal__without_memory__says_so),
		cmocka_unit_test(voucher_seal__without_memory__says_so),
		cmocka_unit_test(accept_voucher__without_memory__says_so),
		cmocka_unit_test(csr_make__without_memory__says_so),
		cmocka_unit_test(csr_read__without_memory__says_so),
		cmocka_unit_test(log_head__without_memory__says_so),
		cmocka_unit_test(issue_certificate__without_memory__says_so),
		cmocka_unit_test(ocsp__without_memory__says_so),
		cmocka_unit_test(chain_verify__without_memory__says_so),
		cmocka_unit_test(chain_of_a_new_leaf__without_memory__says_so),
		cmocka_unit_test(crl_check__without_memory__says_so),
		cmocka_unit_test(cert_parse__without_memory__says_so),
		cmocka_unit_test(certs_format__without_memory__says_so),
		cmocka_unit_test(certs_parse__without_memory__says_so),
		cmocka_unit_test(audit_log__without_memory__says_so),
		cmocka_unit_test(status_report__without_memory__says_so),
		cmocka_unit_test(identity_load__without_memory__says_so),
		cmocka_unit_test(config_load__without_memory__says_so),
		cmocka_unit_test(store__without_memory__says_so),
		cmocka_unit_test(voucher_for_another_nonce__without_memory__is_still_refused),
		cmocka_unit_test(voucher_of_another_manufacturer__without_memory__is_still_refused),
		cmocka_unit_test(csr_with_a_wrong_signature__without_memory__is_still_refused),
		cmocka_unit_test(chain_to_another_root__without_memory__is_still_refused),
		cmocka_unit_test(revoked_certificate__without_memory__is_still_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
