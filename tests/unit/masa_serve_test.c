/* SPDX-License-Identifier: Apache-2.0 */
/* Whole requests against a MASA with a real store and a real loop, from the handler to the answer.
 */
#include "tests/unit/masa_fixture.h"

#include "common/base/file.h"
#include "common/message/audit_log.h"
#include "common/net/call_impl.h"
#include "common/wire/base64.h"
#include "common/wire/json.h"
#include "masa/admin.h"
#include "masa/serve.h"

#define VOUCHER_TYPE "application/voucher-cms+json"

static bool cose; /* the tests run once with CMS and once with COSE */

static int take_cose(void **state)
{
	cose = true;
	return 0;
}

struct fixture {
	struct world *w;
	struct masa_config config;
	struct masa *m;
	struct loop *loop;
	struct log log;
	struct peer_ref *peer;
	size_t waiting; /* calls that are not answered yet */
};

struct answer {
	struct fixture *f;
	int status;
	struct buf body;
	char type[64];
};

static void path_in(struct fixture *f, char **out, const char *name)
{
	OK(*out = str_printf(e, "%s/%s", f->w->dir, name));
}

static void write_identity(
	struct fixture *f, const struct identity *id, const char *key, const char *cert)
{
	BUF_AUTO struct buf pem = BUF_INIT(65536);

	OK(key_save(id->key, key, e));
	OK(cert_format_pem(id->cert, &pem, e));
	for (size_t i = 0; i < id->chain.count; i++)
		OK(cert_format_pem(id->chain.items[i], &pem, e));
	OK(file_write_atomic(cert, buf_bytes(&pem), 0600, e));
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->w = world_new();
	if (cose)
		use_cose(f->w);
	f->config = (struct masa_config){.require_prior = true,
		.nonceless_lifetime_s = 1200,
		.audit_full_events = 256,
		.per_registrar_per_minute = 100};
	path_in(f, &f->config.signer_key, "signer.key");
	path_in(f, &f->config.signer_certificate, "signer.crt");
	path_in(f, &f->config.device_anchors, "root.crt");
	path_in(f, &f->config.store_path, "masa.db");
	write_identity(f, &f->w->signer, f->config.signer_key, f->config.signer_certificate);
	write_identity(f, &f->w->maker_root, f->config.signer_key, f->config.device_anchors);
	write_identity(f, &f->w->signer, f->config.signer_key, f->config.signer_certificate);
	f->log = (struct log){.program = "test", .level = LOG_LEVEL_ERROR, .fd = 2};
	OK(f->loop = loop_new(e));
	OK(f->peer = peer_ref_new(e));
	*state = f;
	return 0;
}

/* With the policy as the test has set it. */
static void start(struct fixture *f)
{
	struct clock clock = {.fixed_unix_s = NOW};

	OK(f->m = masa_new(masa_setup_new(&f->config, NOW, e), &f->log, &clock, e));
	OK(masa_open_store(f->m, e));
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	masa_free(f->m);
	peer_ref_drop(f->peer);
	loop_free(f->loop);
	masa_config_clear(&f->config);
	world_free(f->w);
	free(f);
	return 0;
}

/* ---- calls ---- */

static void on_answered(void *carrier, struct call *c)
{
	struct answer *a = carrier;

	a->status = c->reply.status;
	buf_init(&a->body, AUDIT_LOG_MAX);
	if (c->reply.body.len)
		OK(buf_append(&a->body, c->reply.body.data, c->reply.body.len, e));
	snprintf(
		a->type, sizeof(a->type), "%s", http_fields_get(&c->reply.headers, "Content-Type"));
	if (--a->f->waiting == 0)
		loop_stop(a->f->loop);
}

static bool path_matches(const char *route, const char *path)
{
	size_t len = strlen(route);

	if (route[len - 1] == '*')
		return strncmp(route, path, len - 1) == 0;
	return strncmp(route, path, len) == 0 && (path[len] == '\0' || path[len] == '?');
}

static http_handler *handler_of(const char *method, const char *path)
{
	for (size_t i = 0; i < masa_route_count; i++)
		if (strcmp(masa_routes[i].method, method) == 0 &&
			path_matches(masa_routes[i].path, path))
			return masa_routes[i].handler;
	for (size_t i = 0; i < masa_admin_route_count; i++)
		if (strcmp(masa_admin_routes[i].method, method) == 0 &&
			path_matches(masa_admin_routes[i].path, path))
			return masa_admin_routes[i].handler;
	fail_msg("no route %s %s", method, path);
	return NULL;
}

static void add_header(struct call *c, const char *name, const char *value)
{
	if (value)
		OK(http_fields_add(&c->headers, bytes_of_str(name), bytes_of_str(value), e));
}

/* Hand a call to its handler; the answer comes now or when the loop has run. */
static void submit(struct fixture *f, const char *method, const char *path, const char *type,
	const char *accept, struct bytes body, struct answer *a)
{
	static const struct call_carrier carrier = {on_answered};
	struct call_setup setup = {.loop = f->loop,
		.log = &f->log,
		.peer = f->peer,
		.carrier = &carrier,
		.carrier_arg = a,
		.header_block_max = 4096};
	struct call *c;

	*a = (struct answer){.f = f};
	OK(c = call_new(&setup, e));
	add_header(c, "Content-Type", type);
	add_header(c, "Accept", accept);
	OK(call_begin(c, method, path, e));
	buf_init(&c->body, 1 << 20);
	if (body.len)
		OK(buf_append(&c->body, body.data, body.len, e));
	f->waiting++;
	handler_of(method, path)(c, f->m);
}

static void wait_for_answers(struct fixture *f)
{
	loop_run(f->loop);
	assert_int_equal(f->waiting, 0);
}

static void answer_clear(struct answer *a)
{
	buf_clear(&a->body);
}
#define ANSWER_AUTO __attribute__((cleanup(answer_clear)))

static int post(struct fixture *f, const char *path, struct bytes body, struct answer *a)
{
	submit(f, "POST", path, f->w->format->media_type, NULL, body, a);
	wait_for_answers(f);
	return a->status;
}

#define REQUESTVOUCHER	"/.well-known/brski/requestvoucher"
#define REQUESTAUDITLOG "/.well-known/brski/requestauditlog"

static int voucher_for(struct fixture *f, struct ask ask, struct answer *a)
{
	BUF_AUTO struct buf rvr = BUF_INIT(0);

	make_rvr(f->w, &ask, &rvr);
	return post(f, REQUESTVOUCHER, buf_bytes(&rvr), a);
}

static int audit_for(struct fixture *f, struct ask ask, struct answer *a)
{
	BUF_AUTO struct buf rvr = BUF_INIT(0);

	make_rvr(f->w, &ask, &rvr);
	return post(f, REQUESTAUDITLOG, buf_bytes(&rvr), a);
}

static int admin(
	struct fixture *f, const char *method, const char *path, const char *body, struct answer *a)
{
	submit(f, method, path, "application/json", NULL, bytes_of_str(body), a);
	wait_for_answers(f);
	return a->status;
}

static void import(struct fixture *f, const char *body)
{
	ANSWER_AUTO struct answer a;

	assert_int_equal(admin(f, "POST", "/api/v1/devices", body, &a), 200);
	assert_non_null(strstr(buf_str(&a.body), "\"imported\""));
}

static void read_voucher(struct fixture *f, const struct answer *a, struct signed_voucher *v)
{
	signed_voucher_init(v);
	OK(f->w->format->open(buf_bytes(&a->body), NULL, NULL, v, e));
}

static void read_log(struct fixture *f, struct ask ask, struct audit_log *log)
{
	ANSWER_AUTO struct answer a;

	*log = (struct audit_log){.version = 0};
	assert_int_equal(audit_for(f, ask, &a), 200);
	assert_string_equal(a.type, "application/json");
	OK(audit_log_parse(buf_bytes(&a.body), log, e));
}

/* ---- requestvoucher ---- */

static void requestvoucher__good_request__gets_a_voucher_and_an_event(void **state)
{
	struct fixture *f = *state;
	ANSWER_AUTO struct answer a;
	SIGNED_VOUCHER_AUTO struct signed_voucher v;
	AUDIT_LOG_AUTO struct audit_log log;
	BUF_AUTO struct buf id = BUF_INIT(64), text = BUF_INIT(128);

	start(f);
	import(f, "{\"items\":[{\"serial\":\"SN-1\"}]}");
	assert_int_equal(voucher_for(f, (struct ask){0}, &a), 200);
	assert_string_equal(a.type, f->w->format->media_type);
	read_voucher(f, &a, &v);
	assert_int_equal(v.fields.kind, VOUCHER);
	assert_string_equal(v.fields.serial_number, "SN-1");
	assert_true(voucher_nonce_equal(v.fields.nonce, NONCE));
	assert_int_equal(v.fields.assertion, ASSERTION_PROXIMITY);
	assert_true(bytes_equal(buf_bytes(&v.fields.pinned_domain_cert), cert_der(f->w->ca.cert)));
	read_log(f, (struct ask){0}, &log);
	assert_int_equal(log.event_count, 1);
	assert_int_equal(log.events[0].date, NOW);
	assert_string_equal(log.events[0].nonce, NONCE);
	assert_int_equal(log.events[0].assertion, ASSERTION_PROXIMITY);
	OK(cert_domain_id(f->w->ca.cert, &id, e));
	OK(base64_encode(buf_bytes(&id), &text, e));
	assert_string_equal(log.events[0].domain_id, buf_str(&text));
}

static void requestvoucher__same_request_again__same_content_and_no_second_event(void **state)
{
	struct fixture *f = *state;
	BUF_AUTO struct buf rvr = BUF_INIT(0);
	AUDIT_LOG_AUTO struct audit_log log;
	struct bytes first;
	SIGNED_VOUCHER_AUTO struct signed_voucher v, again;
	ANSWER_AUTO struct answer a, b, c;

	start(f);
	import(f, "{\"items\":[{\"serial\":\"SN-1\"}]}");
	make_rvr(f->w, &(struct ask){0}, &rvr);
	assert_int_equal(post(f, REQUESTVOUCHER, buf_bytes(&rvr), &a), 200);
	f->m->clock.fixed_unix_s += 3600;
	assert_int_equal(post(f, REQUESTVOUCHER, buf_bytes(&rvr), &b), 200);
	read_voucher(f, &a, &v);
	read_voucher(f, &b, &again);
	first = buf_bytes(&v.payload);
	assert_true(bytes_equal(first, buf_bytes(&again.payload)));
	assert_int_equal(post(f, REQUESTAUDITLOG, buf_bytes(&rvr), &c), 200);
	read_log(f, (struct ask){0}, &log);
	assert_int_equal(log.event_count, 1);
}

#define AT_ONCE 20

/* req: R8995-MASA-028 */
static void requestvoucher__same_request_many_times_at_once__is_one_event(void **state)
{
	struct fixture *f = *state;
	BUF_AUTO struct buf rvr = BUF_INIT(0);
	AUDIT_LOG_AUTO struct audit_log log;
	struct answer a[AT_ONCE];

	start(f);
	import(f, "{\"items\":[{\"serial\":\"SN-1\"}]}");
	make_rvr(f->w, &(struct ask){0}, &rvr);
	for (size_t i = 0; i < AT_ONCE; i++) /* none is answered before the loop runs */
		submit(f, "POST", REQUESTVOUCHER, f->w->format->media_type, NULL, buf_bytes(&rvr),
			&a[i]);
	wait_for_answers(f);
	for (size_t i = 0; i < AT_ONCE; i++) {
		SIGNED_VOUCHER_AUTO struct signed_voucher v;

		assert_int_equal(a[i].status, 200);
		read_voucher(f, &a[i], &v);
		answer_clear(&a[i]);
	}
	read_log(f, (struct ask){0}, &log);
	assert_int_equal(log.event_count, 1);
}

static void requestvoucher__types_it_cannot_serve__are_415_and_406(void **state)
{
	struct fixture *f = *state;
	BUF_AUTO struct buf rvr = BUF_INIT(0);
	const char *type = f->w->format->media_type;
	const struct {
		const char *type, *accept;
		int status;
	} cases[] = {
		{"text/plain", NULL, 415},
		{NULL, NULL, 415},
		{type, "image/png", 406},
		{type, "*/*", 200},
		{cose ? "APPLICATION/Voucher+COSE; x=y" : "APPLICATION/Voucher-CMS+JSON; x=y", type,
			200},
		{cose ? VOUCHER_TYPE : "application/voucher+cose", NULL, 400},
	};

	start(f);
	import(f, "{\"items\":[{\"serial\":\"SN-1\"}]}");
	make_rvr(f->w, &(struct ask){0}, &rvr);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ANSWER_AUTO struct answer a;

		submit(f, "POST", REQUESTVOUCHER, cases[i].type, cases[i].accept, buf_bytes(&rvr),
			&a);
		wait_for_answers(f);
		assert_int_equal(a.status, cases[i].status);
		if (a.status != 200) {
			assert_string_equal(a.type, "text/plain; charset=utf-8");
			assert_true(a.body.len > 0);
		}
	}
}

/* req */
static void requestvoucher__older_name_of_cose__is_the_name_of_the_answer(void **state)
{
	struct fixture *f = *state;
	BUF_AUTO struct buf rvr = BUF_INIT(0);
	static const struct {
		const char *type, *accept, *answer;
	} cases[] = {
		{"application/voucher+cose", NULL, "application/voucher+cose"},
		{"application/voucher-cose+cbor", NULL, "application/voucher-cose+cbor"},
		{"application/cose; cose-type=\"cose-sign1\"", "*/*", "application/cose"},
		{"application/voucher+cose", "application/voucher-cose+cbor",
			"application/voucher-cose+cbor"},
	};

	start(f);
	import(f, "{\"items\":[{\"serial\":\"SN-1\"}]}");
	make_rvr(f->w, &(struct ask){0}, &rvr);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		SIGNED_VOUCHER_AUTO struct signed_voucher v;
		ANSWER_AUTO struct answer a;

		submit(f, "POST", REQUESTVOUCHER, cases[i].type, cases[i].accept, buf_bytes(&rvr),
			&a);
		wait_for_answers(f);
		assert_int_equal(a.status, 200);
		assert_string_equal(a.type, cases[i].answer);
		read_voucher(f, &a, &v);
		assert_true(cert_same(v.signer, f->w->signer.cert));
		assert_int_equal(v.certs.count, 3); /* O-09: the complete chain */
	}
}

static void requestvoucher__refusals__have_their_status_and_leave_no_event(void **state)
{
	struct fixture *f = *state;
	struct {
		struct ask ask;
		int status;
	} cases[] = {
		{{.registrar = &f->w->ldevid}, 403},
		{{.tampered_pvr = true}, 403},
		{{.seen = &f->w->other_registrar}, 403},
		{{.rvr_nonce = "MDEyMw==", .pvr_nonce = "MDEyMw=="}, 400},
		{{.device = &f->w->device2}, 404},
		{{.no_pvr = true, .rvr_nonce = ABSENT}, 403},
		{{.no_pvr = true}, 403},
	};

	start(f);
	import(f, "{\"items\":[{\"serial\":\"SN-1\"}]}");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ANSWER_AUTO struct answer a;

		if (cose && cases[i].status == 400) { /* a nonce that cannot be written */
			buf_init(&a.body, 0);
			continue;
		}
		assert_int_equal(voucher_for(f, cases[i].ask, &a), cases[i].status);
		assert_string_equal(a.type, "text/plain; charset=utf-8");
		assert_true(a.body.len > 0);
	}
	{
		ANSWER_AUTO struct answer a;

		assert_int_equal(audit_for(f, (struct ask){0}, &a), 404);
	}
}

static void requestvoucher__registrar_too_fast__is_503_and_others_are_served(void **state)
{
	struct fixture *f = *state;
	ANSWER_AUTO struct answer a, b, c;

	f->config.per_registrar_per_minute = 1;
	start(f);
	import(f, "{\"items\":[{\"serial\":\"SN-1\"}]}");
	assert_int_equal(voucher_for(f, (struct ask){0}, &a), 200);
	assert_int_equal(voucher_for(f, (struct ask){0}, &b), 503);
	assert_int_equal(
		voucher_for(f, (struct ask){.registrar = &f->w->other_registrar}, &c), 200);
}

/* req: R8995-MASA-017 */
static void requestvoucher__nonceless_for_the_owner__expires_and_renews(void **state)
{
	struct fixture *f = *state;
	BUF_AUTO struct buf rvr = BUF_INIT(0), pem = BUF_INIT(4096);
	struct ask nonceless = {.no_pvr = true, .rvr_nonce = ABSENT};
	SIGNED_VOUCHER_AUTO struct signed_voucher v, renewed;
	ANSWER_AUTO struct answer a, b;
	AUDIT_LOG_AUTO struct audit_log log;
	struct store_op op;

	f->config.nonceless = NONCELESS_OWNERS;
	start(f);
	OK(cert_format_pem(f->w->root.cert, &pem, e));
	op = records_owner_put("site", buf_str(&pem), NOW);
	OK(store_write_wait(f->m->store, &op, 1, NULL, e));
	OK(owners_load(f->m->owners, f->m->store, e));
	import(f, "{\"items\":[{\"serial\":\"SN-1\",\"owner\":\"site\"}]}");
	make_rvr(f->w, &nonceless, &rvr);
	assert_int_equal(post(f, REQUESTVOUCHER, buf_bytes(&rvr), &a), 200);
	read_voucher(f, &a, &v);
	assert_null(v.fields.nonce);
	assert_int_equal(v.fields.expires_on, NOW + 1200);
	assert_int_equal(v.fields.assertion, ASSERTION_VERIFIED);
	f->m->clock.fixed_unix_s = NOW + 1200;
	assert_int_equal(post(f, REQUESTVOUCHER, buf_bytes(&rvr), &b), 200);
	read_voucher(f, &b, &renewed);
	assert_int_equal(renewed.fields.expires_on, NOW + 2400);
	read_log(f, nonceless, &log);
	assert_int_equal(log.event_count, 2);
	assert_null(log.events[0].nonce);
}

/* ---- requestauditlog ---- */

static void requestauditlog__owner_and_former_owner__are_served_and_strangers_are_not(void **state)
{
	struct fixture *f = *state;
	struct ask other = {.registrar = &f->w->other_registrar};
	ANSWER_AUTO struct answer a, b, c, d;
	AUDIT_LOG_AUTO struct audit_log log, same;

	start(f);
	import(f, "{\"items\":[{\"serial\":\"SN-1\"},{\"serial\":\"SN-2\"}]}");
	assert_int_equal(voucher_for(f, (struct ask){0}, &a), 200);
	assert_int_equal(audit_for(f, other, &b), 404);
	assert_int_equal(audit_for(f, (struct ask){.device = &f->w->device2}, &c), 404);
	assert_int_equal(voucher_for(f, other, &d), 200);
	read_log(f, (struct ask){0}, &log); /* the former owner, by another request */
	assert_int_equal(log.event_count, 2);
	read_log(f, other, &same);
	assert_int_equal(same.event_count, 2);
}

static void requestauditlog__bad_signature_or_types__are_refused(void **state)
{
	struct fixture *f = *state;
	BUF_AUTO struct buf rvr = BUF_INIT(0);
	ANSWER_AUTO struct answer a, b, c, d;

	start(f);
	import(f, "{\"items\":[{\"serial\":\"SN-1\"}]}");
	make_rvr(f->w, &(struct ask){0}, &rvr);
	assert_int_equal(post(f, REQUESTVOUCHER, buf_bytes(&rvr), &a), 200);
	submit(f, "POST", REQUESTAUDITLOG, VOUCHER_TYPE, VOUCHER_TYPE, buf_bytes(&rvr), &b);
	wait_for_answers(f);
	assert_int_equal(b.status, 406);
	submit(f, "POST", REQUESTAUDITLOG, "application/json", NULL, buf_bytes(&rvr), &c);
	wait_for_answers(f);
	assert_int_equal(c.status, 415);
	rvr.data[rvr.len - 5] ^= 1;
	assert_int_equal(post(f, REQUESTAUDITLOG, buf_bytes(&rvr), &d), 403);
}

/* ---- admin ---- */

static void admin_devices__bad_row__keeps_the_whole_import_out(void **state)
{
	struct fixture *f = *state;
	ANSWER_AUTO struct answer a, b, c;

	start(f);
	assert_int_equal(admin(f, "POST", "/api/v1/devices",
				 "{\"items\":[{\"serial\":\"A\"},{\"serial\":\"\"},{\"serial\":"
				 "\"B\",\"owner\":"
				 "\"x\"},{\"serial\":\"C\",\"idevid_issuer\":\"AAAA\"}]}",
				 &a),
		200);
	assert_non_null(strstr(buf_str(&a.body), "\"state\":\"bad\""));
	assert_non_null(strstr(buf_str(&a.body), "no owner x"));
	assert_non_null(strstr(buf_str(&a.body), "no authority key identifier"));
	assert_int_equal(admin(f, "GET", "/api/v1/devices/A", "", &b), 404);
	assert_int_equal(
		admin(f, "POST", "/api/v1/devices?check=1", "{\"items\":[{\"serial\":\"A\"}]}", &c),
		200);
	assert_non_null(strstr(buf_str(&c.body), "\"state\":\"checked\""));
	answer_clear(&b);
	assert_int_equal(admin(f, "GET", "/api/v1/devices/A", "", &b), 404);
}

static void admin_devices__import_with_issuers__is_listed_and_shown(void **state)
{
	struct fixture *f = *state;
	BUF_AUTO struct buf issuer = BUF_INIT(64), text = BUF_INIT(128), body = BUF_INIT(65536);
	ANSWER_AUTO struct answer a, b, c;

	start(f);
	OK(idevid_issuer(f->w->device.cert, &issuer, e));
	OK(base64_encode(buf_bytes(&issuer), &text, e));
	OK(buf_append_str(&body, "{\"items\":[", e));
	for (int i = 0; i < 200; i++) /* enough for the issuers' buffer to move */
		OK(buf_printf(&body, e, "{\"serial\":\"S/%d\",\"idevid_issuer\":\"%s\"},", i,
			buf_str(&text)));
	OK(buf_printf(&body, e, "{\"serial\":\"last\"}]}"));
	import(f, buf_str(&body));
	assert_int_equal(admin(f, "GET", "/api/v1/devices/S%2F0", "", &a), 200);
	assert_non_null(strstr(buf_str(&a.body), buf_str(&text)));
	assert_int_equal(admin(f, "GET", "/api/v1/devices", "", &b), 200);
	assert_non_null(strstr(buf_str(&b.body), "\"last\""));
	assert_non_null(strstr(buf_str(&b.body), "\"next\":null"));
	assert_int_equal(admin(f, "GET", "/api/v1/devices?after=x", "", &c), 400);
}

static void admin_owners__certificate_or_garbage__is_told_apart(void **state)
{
	struct fixture *f = *state;
	BUF_AUTO struct buf pem = BUF_INIT(4096);
	ANSWER_AUTO struct answer a, b, c;
	json_t *body;
	char *raw;

	start(f);
	OK(cert_format_pem(f->w->root.cert, &pem, e));
	body = json_pack("{s:s, s:s}", "name", "site", "anchors", buf_str(&pem));
	raw = json_dumps(body, 0);
	assert_int_equal(admin(f, "POST", "/api/v1/owners", raw, &a), 200);
	free(raw);
	json_decref(body);
	assert_true(owners_exist(f->m->owners, "site"));
	assert_int_equal(
		admin(f, "POST", "/api/v1/owners", "{\"name\":\"x\",\"anchors\":\"?\"}", &b), 400);
	assert_int_equal(admin(f, "GET", "/api/v1/owners", "", &c), 200);
	assert_non_null(strstr(buf_str(&c.body), "CN=Site Root"));
}

static void admin_audit__events__are_shown(void **state)
{
	struct fixture *f = *state;
	ANSWER_AUTO struct answer a, b, c;

	start(f);
	import(f, "{\"items\":[{\"serial\":\"SN-1\"}]}");
	assert_int_equal(voucher_for(f, (struct ask){0}, &a), 200);
	assert_int_equal(admin(f, "GET", "/api/v1/audit/SN-1", "", &b), 200);
	assert_non_null(strstr(buf_str(&b.body), "\"assertion\":\"proximity\""));
	assert_int_equal(admin(f, "GET", "/api/v1/audit/SN-9", "", &c), 404);
}

static void masa_setup_new__signer_expired__is_refused(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;

	assert_null(masa_setup_new(&f->config, NOW + 1000 * DAY, &e));
	assert_non_null(strstr(e.text, "not valid at this time"));
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(requestvoucher__good_request__gets_a_voucher_and_an_event),
		TEST(requestvoucher__same_request_again__same_content_and_no_second_event),
		TEST(requestvoucher__same_request_many_times_at_once__is_one_event),
		TEST(requestvoucher__types_it_cannot_serve__are_415_and_406),
		TEST(requestvoucher__refusals__have_their_status_and_leave_no_event),
		TEST(requestvoucher__registrar_too_fast__is_503_and_others_are_served),
		TEST(requestvoucher__nonceless_for_the_owner__expires_and_renews),
		TEST(requestauditlog__owner_and_former_owner__are_served_and_strangers_are_not),
		TEST(requestauditlog__bad_signature_or_types__are_refused),
		TEST(admin_devices__bad_row__keeps_the_whole_import_out),
		TEST(admin_devices__import_with_issuers__is_listed_and_shown),
		TEST(admin_owners__certificate_or_garbage__is_told_apart),
		TEST(admin_audit__events__are_shown),
		TEST(masa_setup_new__signer_expired__is_refused),
	};

	const struct CMUnitTest cose_tests[] = {
		TEST(requestvoucher__older_name_of_cose__is_the_name_of_the_answer),
	};
	const int failed = cmocka_run_group_tests_name("CMS", tests, NULL, NULL);

	return failed + cmocka_run_group_tests_name("COSE", tests, take_cose, NULL) +
	       cmocka_run_group_tests_name("COSE alone", cose_tests, take_cose, NULL);
}
