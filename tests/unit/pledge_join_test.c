/* SPDX-License-Identifier: Apache-2.0 */
/* A whole device against a site in miniature: one server that is registrar and MASA at once and can
 * be told to misbehave. What is looked at is the wire, the state on disk and the exit code. Time is
 * a number that jumps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <time.h>

#include "common/base/rng.h"
#include "common/message/status_report.h"
#include "common/pki/csr.h"
#include "common/pki/issue.h"
#include "common/pki/pkcs7_certs.h"
#include "common/wire/base64.h"
#include "common/wire/datetime.h"
#include "pledge/commands.h"
#include "tests/unit/pledge_fixture.h"

#define BODY_MAX    65536
#define WIRE_MAX    8192
#define SAME_AS_OLD 8 /* requests whose bodies are compared */

struct site {
	struct fixture *f;
	int64_t now;
	/* how it behaves */
	int pending; /* so many 202 first */
	int enroll_pending;
	const char *retry_after;
	int refuse_status; /* of requestvoucher; 0: none */
	int cacerts_status, csrattrs_status, enroll_status, telemetry_status;
	const char *redirect_to;	/* Location, given `redirects` times */
	const char *second_redirect_to; /* the one after; NULL: the same */
	int redirects, redirect_status; /* 0: 302 */
	const char *csrattrs;		/* words for csrattrs_format() */
	void (*spoil)(struct site *s, struct voucher *v);
	const struct identity *masa;
	const struct identity *issuer; /* of LDevIDs */
	bool wrong_key, ca_certificate, close_when_pending, empty_voucher, close_after_voucher;
	bool cacerts_without_root, page;
	int64_t ldevid_life_s;
	/* what it saw */
	char wire[WIRE_MAX]; /* "1 device requestvoucher 200\n" ... */
	struct buf requests[SAME_AS_OLD], csrs[SAME_AS_OLD];
	int request_count, csr_count;
	bool voucher_reported, voucher_status, enroll_reported, enroll_success;
	char last_reason[256], challenge[128], nonce[SAME_AS_OLD][128];
	struct csrattrs asked;
};

struct world {
	struct fixture f;
	struct site site;
	struct https_peer peer;
	struct identity issuer, other_issuer;
	struct pledge p;
	struct command_options options;
	char dir[64];
	char *lines;
	size_t lines_len;
	int64_t waited_ms;
	void (*while_waiting)(struct world *w);
};

/* ---- the site ---- */

static void reply_bytes(struct peer_reply *out, const char *type, struct bytes body)
{
	snprintf(out->headers, sizeof(out->headers), "Content-Type: %s\r\n", type);
	if (body.len)
		memcpy(out->body, body.data, body.len);
	out->body_len = body.len;
}

static void reply_base64(struct peer_reply *out, const char *type, struct bytes der)
{
	BUF_AUTO struct buf text = BUF_INIT(BODY_MAX);
	struct err e = ERR_INIT;

	if (!base64_encode_wrapped(der, 76, &text, &e))
		abort();
	reply_bytes(out, type, buf_bytes(&text));
}

static void reply_retry_after(const struct site *s, struct peer_reply *out)
{
	size_t used = strlen(out->headers);

	snprintf(out->headers + used, sizeof(out->headers) - used, "Retry-After: %s\r\n",
		s->retry_after);
}

static void reply_pending(struct site *s, struct peer_reply *out)
{
	out->status = 202;
	if (s->retry_after)
		reply_retry_after(s, out);
	out->close_after = s->close_when_pending;
}

static void keep(struct buf *kept, int *count, const struct peer_request *rq)
{
	struct err e = ERR_INIT;

	if (*count == SAME_AS_OLD)
		return;
	buf_init(&kept[*count], BODY_MAX);
	if (!buf_append(&kept[(*count)++], rq->body, rq->body_len, &e))
		abort();
}

static void make_voucher(struct site *s, const char *nonce, struct peer_reply *out)
{
	BUF_AUTO struct buf octets = BUF_INIT(BODY_MAX);
	VOUCHER_AUTO struct voucher v;

	fixture_voucher(s->f, &v, nonce, s->now);
	if (s->spoil)
		s->spoil(s, &v);
	fixture_seal(&v, s->masa ? s->masa : &s->f->masa, s->now, &octets);
	reply_bytes(out, "application/voucher-cms+json", buf_bytes(&octets));
	if (s->empty_voucher)
		out->body_len = 0;
	out->close_after = s->close_after_voucher;
}

static void on_request_voucher(
	struct site *s, const struct peer_request *rq, struct peer_reply *out)
{
	SIGNED_VOUCHER_AUTO struct signed_voucher pvr;
	struct err e = ERR_INIT;
	int n = s->request_count;

	signed_voucher_init(&pvr);
	if (!voucher_format_by_media_type("application/voucher-cms+json")
			->open(bytes_of(rq->body, rq->body_len), NULL, NULL, &pvr, &e)) {
		out->status = 400;
		return;
	}
	if (n < SAME_AS_OLD)
		snprintf(s->nonce[n], sizeof(s->nonce[n]), "%s", pvr.fields.nonce);
	keep(s->requests, &s->request_count, rq);
	if (s->redirects > 0) {
		s->redirects--;
		out->status = s->redirect_status ? s->redirect_status : 302;
		snprintf(out->headers, sizeof(out->headers), "Location: %s\r\n", s->redirect_to);
		if (s->second_redirect_to)
			s->redirect_to = s->second_redirect_to;
	} else if (s->refuse_status) {
		out->status = s->refuse_status;
		reply_bytes(out, "text/plain; charset=utf-8", bytes_of_str("Not \x1b[2Jyou."));
		if (s->retry_after)
			reply_retry_after(s, out);
	} else if (s->page) {
		reply_bytes(out, "text/html", bytes_of_str("<html>Log in</html>"));
	} else if (s->pending > 0) {
		s->pending--;
		reply_pending(s, out);
	} else {
		make_voucher(s, pvr.fields.nonce, out);
	}
}

static void on_report(struct site *s, const struct peer_request *rq, bool *seen, bool *status)
{
	STATUS_REPORT_AUTO struct status_report r = {.version = 0};
	struct err e = ERR_INIT;

	*seen = status_report_parse(bytes_of(rq->body, rq->body_len), &r, &e);
	*status = r.status;
	snprintf(s->last_reason, sizeof(s->last_reason), "%s", r.reason);
}

static void on_cacerts(struct site *s, struct peer_reply *out)
{
	CERT_LIST_AUTO struct cert_list list = CERT_LIST_INIT;
	BUF_AUTO struct buf der = BUF_INIT(BODY_MAX);
	struct err e = ERR_INIT;

	out->status = s->cacerts_status;
	if (out->status != 200)
		return;
	if (!cert_list_add(&list, s->f->sub_cert, &e) ||
		(!s->cacerts_without_root && !cert_list_add(&list, s->f->root_cert, &e)) ||
		!pkcs7_certs_format(&list, &der, &e))
		abort();
	reply_base64(out, "application/pkcs7-mime; smime-type=certs-only", buf_bytes(&der));
}

static void on_csrattrs(struct site *s, struct peer_reply *out)
{
	BUF_AUTO struct buf der = BUF_INIT(BODY_MAX);
	struct err e = ERR_INIT;

	out->status = s->csrattrs_status;
	if (out->status != 200)
		return;
	if (!csrattrs_format(s->csrattrs, &der, &e))
		abort();
	reply_base64(out, "application/csrattrs", buf_bytes(&der));
}

static struct cert *issue(struct site *s, const struct csr *csr)
{
	struct err e = ERR_INIT;
	struct issue_request r = {
		.profile = s->ca_certificate ? PROFILE_ISSUING_CA : PROFILE_LDEVID,
		.issuer = s->issuer,
		.spki = s->wrong_key ? cert_spki(s->f->ee_cert) : csr_spki(csr),
		.subject_der = csr_subject_der(csr),
		.san_der = csr_san(csr),
		.not_before = s->now - 60,
		.not_after = s->now + s->ldevid_life_s,
	};
	struct cert *c = issue_certificate(&r, &e);

	if (!c) {
		fprintf(stderr, "%s\n", e.text);
		abort();
	}
	return c;
}

static void on_enroll(struct site *s, const struct peer_request *rq, struct peer_reply *out)
{
	BUF_AUTO struct buf der = BUF_INIT(BODY_MAX), p7 = BUF_INIT(BODY_MAX);
	CERT_LIST_AUTO struct cert_list list = CERT_LIST_INIT;
	CERT_AUTO struct cert *c = NULL;
	CSR_AUTO struct csr *csr = NULL;
	struct err e = ERR_INIT;

	keep(s->csrs, &s->csr_count, rq);
	if (!base64_decode_spaced(bytes_of(rq->body, rq->body_len), &der, &e) ||
		!(csr = csr_parse(buf_bytes(&der), &e)) || !csr_verify(csr, &e)) {
		out->status = 400;
		return;
	}
	snprintf(s->challenge, sizeof(s->challenge), "%s",
		csr_challenge_password(csr) ? csr_challenge_password(csr) : "");
	if (s->enroll_pending > 0) {
		s->enroll_pending--;
		reply_pending(s, out);
		return;
	}
	out->status = s->enroll_status;
	if (out->status != 200)
		return;
	c = issue(s, csr);
	if (!cert_list_add(&list, c, &e) || !pkcs7_certs_format(&list, &p7, &e))
		abort();
	reply_base64(out, "application/pkcs7-mime; smime-type=certs-only", buf_bytes(&p7));
}

static void note(struct site *s, const struct peer_request *rq, const char *name, int status)
{
	char cn[64] = "nobody";
	size_t used = strlen(s->wire);

	if (rq->client)
		X509_NAME_get_text_by_NID(
			X509_get_issuer_name(rq->client), NID_commonName, cn, sizeof(cn));
	snprintf(s->wire + used, sizeof(s->wire) - used, "%d %s %s %d\n", rq->connection, cn, name,
		status);
}

static void on_request(void *arg, const struct peer_request *rq, struct peer_reply *out)
{
	struct site *s = arg;
	const char *name = strrchr(rq->path, '/') + 1;

	out->status = 200;
	if (strcmp(name, "requestvoucher") == 0)
		on_request_voucher(s, rq, out);
	else if (strcmp(name, "voucher_status") == 0)
		on_report(s, rq, &s->voucher_reported, &s->voucher_status);
	else if (strcmp(name, "enrollstatus") == 0)
		on_report(s, rq, &s->enroll_reported, &s->enroll_success);
	else if (strcmp(name, "cacerts") == 0)
		on_cacerts(s, out);
	else if (strcmp(name, "csrattrs") == 0)
		on_csrattrs(s, out);
	else if (strcmp(name, "simpleenroll") == 0 || strcmp(name, "simplereenroll") == 0)
		on_enroll(s, rq, out);
	else
		out->status = 404;
	if (strstr(name, "status"))
		out->status = s->telemetry_status;
	note(s, rq, name, out->status);
}

/* ---- the world ---- */

static void on_pause(void *arg, int64_t ms)
{
	struct world *w = arg;

	w->waited_ms += ms;
	w->p.clock.fixed_unix_s += ms / 1000;
	if (w->while_waiting)
		w->while_waiting(w);
}

static void start_site(struct world *w)
{
	https_peer_start(&w->peer);
	w->p.registrars[0].port = w->peer.port;
}

static void open_state(struct world *w)
{
	struct err e = ERR_INIT;

	state_close(w->p.state);
	w->p.state = state_open(w->dir, &e);
	if (!w->p.state)
		fail_msg("%s", e.text);
}

static void make_pledge(struct world *w)
{
	struct err e = ERR_INIT;

	w->p = (struct pledge){
		.config = {.trusted_clock = true,
			.attempts = 1,
			.backoff_min_s = 2,
			.backoff_max_s = 3600,
			.pending_max_s = 4 * 86400,
			.connect_timeout_s = 5,
			.timeout_s = 5,
			.retry_after_max_s = 60,
			.renew_before_s = 30 * 86400},
		.registrars = {{.host = "localhost"}},
		.registrar_count = 1,
		.idevid = w->f.idevid,
		.serial_number = str_dup(FIXTURE_SERIAL, &e),
		.masa_anchors = w->f.masa_anchors,
		.candidates = {.draw = rng_below},
		.clock = {.fixed_unix_s = w->site.now},
		.log = {.program = "test", .level = LOG_LEVEL_ERROR, .fd = 2},
		.pause = on_pause,
		.pause_arg = w,
	};
	candidates_init(&w->p.candidates, rng_below);
	w->p.out = open_memstream(&w->lines, &w->lines_len);
	open_state(w);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	signal(SIGPIPE, SIG_IGN);
	fixture_init(&w->f);
	fixture_identity(&w->issuer, &w->f.sub, w->f.root.cert);
	fixture_identity(&w->other_issuer, &w->f.other_root, NULL);
	w->site = (struct site){.f = &w->f,
		.now = time(NULL),
		.cacerts_status = 200,
		.csrattrs_status = 404,
		.enroll_status = 200,
		.telemetry_status = 200,
		.issuer = &w->issuer,
		.ldevid_life_s = 20 * 86400};
	w->peer.identity = &w->f.ee;
	w->peer.chain[0] = w->f.sub.cert;
	w->peer.ask_client_cert = true;
	w->peer.answer = on_request;
	w->peer.answer_arg = &w->site;
	strcpy(w->dir, "/tmp/pledge_join_test.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	make_pledge(w);
	start_site(w);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	char command[128];

	https_peer_stop(&w->peer);
	state_close(w->p.state);
	fclose(w->p.out);
	free(w->lines);
	free(w->p.serial_number);
	for (int i = 0; i < SAME_AS_OLD; i++) {
		buf_clear(&w->site.requests[i]);
		buf_clear(&w->site.csrs[i]);
	}
	identity_clear(&w->issuer);
	identity_clear(&w->other_issuer);
	fixture_clear(&w->f);
	snprintf(command, sizeof(command), "rm -rf '%s'", w->dir);
	assert_int_equal(system(command), 0);
	free(w);
	return 0;
}

static int command(struct world *w, const char *name)
{
	return command_find(name)->run(&w->p, &w->options);
}

static void expect_line(struct world *w, const char *part)
{
	if (!strstr(w->lines, part))
		fail_msg("no '%s' in:\n%s", part, w->lines);
}

static void expect_joined(struct world *w)
{
	if (command(w, "join") != 0)
		fail_msg("%s\n%s", w->lines, w->site.wire);
	assert_true(state_is_enrolled(w->p.state));
	expect_line(w, "joined: ");
}

static void expect_not_joined(struct world *w, int code)
{
	int got = command(w, "join");

	if (got != code)
		fail_msg("exit code %d, not %d\n%s\n%s", got, code, w->lines, w->site.wire);
	assert_false(state_is_enrolled(w->p.state));
}

static void expect_wire(struct world *w, const char *wire)
{
	assert_string_equal(w->site.wire, wire);
}

static void expect_same(const struct buf *a, const struct buf *b)
{
	assert_true(a->len > 0 && bytes_equal(buf_bytes(a), buf_bytes(b)));
}

static void expect_nothing_pending(struct world *w)
{
	PENDING_AUTO struct pending p;
	struct err e = ERR_INIT;
	bool exists;

	assert_true(state_load_pending(w->p.state, &p, &exists, &e));
	assert_false(exists);
}

/* ---- the straight road ---- */

static void join__friendly_site__follows_the_order_on_one_connection_then_reports(void **state)
{
	struct world *w = *state;

	expect_joined(w);
	expect_wire(w,
		"1 Maker requestvoucher 200\n1 Maker voucher_status 200\n1 Maker cacerts 200\n"
		"1 Maker csrattrs 404\n1 Maker simpleenroll 200\n"
		"2 Site CA enrollstatus 200\n");
	assert_true(w->site.voucher_reported && w->site.voucher_status);
	assert_true(w->site.enroll_reported && w->site.enroll_success);
	expect_line(w, "voucher: accepted, assertion proximity");
}

static void join__csrattrs__decide_key_and_channel_binding(void **state)
{
	struct world *w = *state;
	ENROLMENT_AUTO struct enrolment n;
	struct err e = ERR_INIT;

	w->site.csrattrs_status = 200;
	w->site.csrattrs = "challengePassword ec-p384";
	expect_joined(w);
	assert_string_equal(w->site.challenge, w->peer.first_exporter);
	assert_true(state_load_enrolment(w->p.state, &n, &e));
	assert_true(cert_spki(n.ldevid.cert).len > 100); /* P-384 */
}

static void join__telemetry_answered_with_404_or_500__goes_on(void **state)
{
	struct world *w = *state;

	w->site.telemetry_status = 500;
	expect_joined(w);
	assert_true(w->site.enroll_success);
}

static void join__no_cacerts__keeps_the_pin_as_anchor(void **state)
{
	struct world *w = *state;

	w->site.cacerts_status = 404;
	w->issuer.chain.count = 1;
	expect_not_joined(w, 1); /* the issuing CA is not known: no path to the pinned root */
	assert_true(w->site.enroll_reported && !w->site.enroll_success);
}

static void pin_the_issuer(struct site *s, struct voucher *v)
{
	fixture_put(&v->pinned_domain_cert, cert_der(s->f->sub_cert));
}

static void join__no_cacerts_but_issuer_pinned__joins(void **state)
{
	struct world *w = *state;

	w->site.cacerts_status = 404;
	w->site.spoil = pin_the_issuer;
	expect_joined(w);
}

static void join__no_root_in_cacerts__takes_the_pin_with_them(void **state)
{
	struct world *w = *state;

	w->site.cacerts_without_root = true;
	expect_joined(w);
}

static void join__already_enrolled__sends_nothing(void **state)
{
	struct world *w = *state;

	expect_joined(w);
	w->site.wire[0] = '\0';
	assert_int_equal(command(w, "join"), 0);
	expect_wire(w, "");
	expect_line(w, "already enrolled: ");
}

static void join__enrolled_but_expired__says_what_to_do(void **state)
{
	struct world *w = *state;

	expect_joined(w);
	w->site.wire[0] = '\0';
	w->p.clock.fixed_unix_s += 21 * 86400;
	assert_int_equal(command(w, "join"), 1);
	expect_wire(w, "");
}

static void join__report_not_delivered__is_delivered_at_the_next_start(void **state)
{
	struct world *w = *state;

	w->site.redirects = 0;
	w->peer.connections_max = 1;
	expect_joined(w);
	assert_false(w->site.enroll_reported);
	expect_line(w, "enrolment status: could not be reported");
	w->peer.connections_max = 0;
	open_state(w);
	assert_int_equal(command(w, "join"), 0);
	assert_true(w->site.enroll_reported && w->site.enroll_success);
	w->site.enroll_reported = false;
	assert_int_equal(command(w, "join"), 0);
	assert_false(w->site.enroll_reported);
}

/* ---- not yet ---- */

static void join__pending__sends_the_same_octets_on_the_same_connection(void **state)
{
	struct world *w = *state;

	w->site.pending = 2;
	w->site.retry_after = "5";
	expect_joined(w);
	assert_int_equal(w->site.request_count, 3);
	expect_same(&w->site.requests[0], &w->site.requests[1]);
	expect_same(&w->site.requests[0], &w->site.requests[2]);
	assert_in_range(w->waited_ms, 10000, 11000);
	expect_nothing_pending(w);
	assert_int_equal(w->peer.connections, 2);
}

static void join__pending_and_closed__comes_back_to_the_same_certificate(void **state)
{
	struct world *w = *state;

	w->site.pending = 1;
	w->site.close_when_pending = true;
	expect_joined(w);
	expect_same(&w->site.requests[0], &w->site.requests[1]);
	assert_in_range(w->waited_ms, 60000, 66000); /* no Retry-After */
	assert_int_equal(w->peer.connections, 3);
}

static void show_another_certificate(struct world *w)
{
	https_peer_stop(&w->peer);
	w->peer.identity = &w->f.renewed;
	w->peer.chain[0] = NULL;
	start_site(w);
	w->while_waiting = NULL;
}

static void join__another_certificate_after_pending__abandons_and_asks_anew(void **state)
{
	struct world *w = *state;

	w->site.pending = 1;
	w->while_waiting = show_another_certificate;
	expect_not_joined(w, 4);
	assert_int_equal(w->site.request_count, 1);
}

static void stop_site_and_fail(struct world *w)
{
	https_peer_stop(&w->peer);
	w->while_waiting = NULL;
}

static void join__restarted_while_pending__sends_the_same_octets(void **state)
{
	struct world *w = *state;

	w->site.pending = 1;
	w->while_waiting = stop_site_and_fail;
	expect_not_joined(w, 4); /* gone while we waited: as a power cut, the request is on disk */
	open_state(w);
	start_site(w);
	expect_joined(w);
	assert_int_equal(w->site.request_count, 2);
	expect_same(&w->site.requests[0], &w->site.requests[1]);
}

static void join__restarted_while_pending_and_another_certificate__has_a_new_nonce(void **state)
{
	struct world *w = *state;

	w->site.pending = 1;
	w->while_waiting = stop_site_and_fail;
	expect_not_joined(w, 4);
	open_state(w);
	w->peer.identity = &w->f.renewed;
	w->peer.chain[0] = NULL;
	start_site(w);
	expect_not_joined(w, 4);
	assert_int_equal(w->site.request_count, 1);
	command(w, "join");
	assert_int_equal(w->site.request_count, 2);
	assert_string_not_equal(w->site.nonce[0], w->site.nonce[1]);
}

static void join__pending_for_four_days__gives_up(void **state)
{
	struct world *w = *state;

	w->site.pending = 1000000;
	w->p.config.pending_max_s = 300;
	expect_not_joined(w, 6);
	assert_in_range(w->waited_ms, 300000, 330000);
	expect_nothing_pending(w);
}

static void ten_years_later(struct world *w)
{
	w->p.clock.fixed_unix_s += INT64_C(315360000);
}

/* It was 1970 until there was a network to ask for the time. */
static void join__clock_set_by_years_while_pending__goes_on_waiting(void **state)
{
	struct world *w = *state;

	w->site.pending = 3;
	w->p.config.trusted_clock = false;
	w->while_waiting = ten_years_later;
	expect_joined(w);
	assert_int_equal(w->site.request_count, 4);
	expect_same(&w->site.requests[0], &w->site.requests[3]);
}

static void stop_after_700_s(struct world *w)
{
	if (w->waited_ms > 700000)
		w->p.give_up_ms = 1;
}

/* However often it is started again, the four days come to their end. */
static void join__budget_spent_while_pending__goes_on_at_the_next_start(void **state)
{
	struct world *w = *state;

	w->site.pending = 1000000;
	w->p.config.pending_max_s = 1200;
	w->while_waiting = stop_after_700_s;
	expect_not_joined(w, 6);
	expect_line(w, "budget is spent");
	w->while_waiting = NULL;
	expect_not_joined(w, 6);
	assert_in_range(w->waited_ms, 1200000, 1500000);
	expect_same(&w->site.requests[0], &w->site.requests[w->site.request_count - 1]);
	expect_nothing_pending(w);
}

static void join__budget__ends_the_rounds(void **state)
{
	struct world *w = *state;

	w->site.refuse_status = 503;
	w->site.retry_after = "60";
	w->p.config.attempts = 0;
	w->p.config.budget_s = 30;
	expect_not_joined(w, 1);
	expect_line(w, "budget is spent");
	assert_int_equal(w->site.request_count, 1);
	assert_int_equal(w->waited_ms, 0);
}

/* Captive portals answer so to whatever they are asked. */
static void join__page_for_browsers__is_no_registrar_and_told_nothing(void **state)
{
	struct world *w = *state;

	w->site.page = true;
	expect_not_joined(w, 4);
	assert_int_equal(w->site.request_count, 1);
	assert_false(w->site.voucher_reported);
	expect_line(w, "no BRSKI registrar");
	w->site.page = false;
	expect_joined(w);
}

static void join__enrolment_pending__sends_the_same_csr(void **state)
{
	struct world *w = *state;

	w->site.enroll_pending = 2;
	expect_joined(w);
	assert_int_equal(w->site.csr_count, 3);
	expect_same(&w->site.csrs[0], &w->site.csrs[2]);
}

static void join__enrolment_pending_and_closed__rebinds_the_csr_it_must(void **state)
{
	struct world *w = *state;

	w->site.csrattrs_status = 200;
	w->site.csrattrs = "challengePassword";
	w->site.enroll_pending = 1;
	w->site.close_when_pending = true;
	expect_joined(w);
	assert_int_equal(w->site.csr_count, 2);
	assert_false(bytes_equal(buf_bytes(&w->site.csrs[0]), buf_bytes(&w->site.csrs[1])));
}

static void join__restarted_while_enrolling__shows_the_same_csr_again(void **state)
{
	struct world *w = *state;

	w->site.enroll_status = 503;
	expect_not_joined(w, 1);
	open_state(w);
	w->site.enroll_status = 200;
	expect_joined(w);
	assert_int_equal(w->site.csr_count, 2);
	expect_same(&w->site.csrs[0], &w->site.csrs[1]);
	assert_string_not_equal(w->site.nonce[0], w->site.nonce[1]);
}

/* ---- no ---- */

static void join__refused__has_exit_code_3_and_prints_no_control_characters(void **state)
{
	static const int refusals[] = {400, 401, 403, 404, 406, 415};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		w->site.refuse_status = refusals[i];
		expect_not_joined(w, 3);
	}
	assert_int_equal(w->site.request_count, sizeof(refusals) / sizeof(*refusals));
	expect_line(w, "Not  [2Jyou.");
	assert_null(strchr(w->lines, '\x1b'));
}

static void join__busy__is_tried_again_after_what_it_asked_for(void **state)
{
	struct world *w = *state;

	w->site.refuse_status = 503;
	expect_not_joined(w, 1);
	w->p.config.attempts = 2;
	expect_not_joined(w, 1);
	assert_int_equal(w->site.request_count, 3);
	assert_true(w->waited_ms >= BACKOFF_FLOOR_MS && w->waited_ms <= 2000);
	assert_string_not_equal(w->site.nonce[0], w->site.nonce[1]);
	assert_string_not_equal(w->site.nonce[1], w->site.nonce[2]);
}

static void join__nobody_there__has_exit_code_4(void **state)
{
	struct world *w = *state;

	https_peer_stop(&w->peer);
	expect_not_joined(w, 4);
	start_site(w); /* for tear_down */
}

static void join__first_registrar_away__goes_to_the_second(void **state)
{
	struct world *w = *state;

	w->p.registrars[1] = w->p.registrars[0];
	w->p.registrar_count = 2;
	w->p.registrars[0].port = 1; /* nobody */
	expect_joined(w);
	assert_int_equal(w->waited_ms, 0);
}

static void other_serial(struct site *s, struct voucher *v)
{
	fixture_set(&v->serial_number, "SN-0");
}

static void join__name_of_a_stranger__reaches_the_terminal_without_control_characters(void **state)
{
	struct world *w = *state;
	struct peer_identity rude =
		peer_identity_make(&(struct peer_cert_wish){.cn = "\x1b[2Jyou"});

	https_peer_stop(&w->peer);
	w->peer.identity = &rude;
	w->peer.chain[0] = NULL;
	start_site(w);
	expect_not_joined(w, 5);
	expect_line(w, "[2Jyou, not trusted yet");
	assert_null(strchr(w->lines, '\x1b'));
	peer_identity_free(&rude);
}

static void join__voucher_not_valid__is_told_generically_and_nothing_follows(void **state)
{
	struct world *w = *state;

	w->site.spoil = other_serial;
	expect_not_joined(w, 5);
	expect_wire(w, "1 Maker requestvoucher 200\n1 Maker voucher_status 200\n");
	assert_true(w->site.voucher_reported && !w->site.voucher_status);
	assert_string_equal(w->site.last_reason, "The voucher could not be validated.");
}

static void join__empty_voucher__never_imprints(void **state)
{
	struct world *w = *state;

	w->site.empty_voucher = true;
	expect_not_joined(w, 5);
}

static void pin_another_site(struct site *s, struct voucher *v)
{
	fixture_put(&v->pinned_domain_cert, cert_der(s->f->other_root_cert));
}

static void join__registrar_not_the_pinned_one__is_left(void **state)
{
	struct world *w = *state;

	w->site.spoil = pin_another_site;
	expect_not_joined(w, 5);
	assert_false(w->site.voucher_status);
}

static void join__certificate_not_usable__is_reported_on_the_same_connection(void **state)
{
	struct world *w = *state;
	bool *const faults[] = {&w->site.wrong_key, &w->site.ca_certificate};

	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		w->site.enroll_reported = false;
		*faults[i] = true;
		expect_not_joined(w, 1);
		*faults[i] = false;
		assert_true(w->site.enroll_reported && !w->site.enroll_success);
		assert_string_equal(w->site.last_reason, "No usable certificate was issued.");
		assert_int_equal(w->peer.connections, (int)i + 1);
	}
}

static void join__certificate_of_another_ca__is_reported(void **state)
{
	struct world *w = *state;

	w->site.issuer = &w->other_issuer;
	expect_not_joined(w, 1);
	assert_true(w->site.enroll_reported && !w->site.enroll_success);
}

static void join__enrolment_refused__is_reported(void **state)
{
	struct world *w = *state;

	w->site.enroll_status = 403;
	expect_not_joined(w, 3);
	assert_true(w->site.enroll_reported && !w->site.enroll_success);
	assert_int_equal(w->peer.connections, 1);
}

/* ---- redirects ---- */

static void join__redirect_on_the_same_server__keeps_request_and_connection(void **state)
{
	struct world *w = *state;

	w->site.redirects = 1;
	w->site.redirect_to = "/other/requestvoucher";
	expect_joined(w);
	expect_same(&w->site.requests[0], &w->site.requests[1]);
	assert_int_equal(w->peer.connections, 2);
}

static void join__redirect_loop_on_the_same_server__ends(void **state)
{
	struct world *w = *state;

	w->site.redirects = 100;
	w->site.redirect_to = "/other/requestvoucher";
	expect_not_joined(w, 1);
	assert_int_equal(w->site.request_count, SAME_ORIGIN_REDIRECT_MAX + 1);
}

static void join__redirect_to_another_server__makes_a_new_request_once(void **state)
{
	struct world *w = *state;
	char there[64], back[64];

	snprintf(there, sizeof(there), "https://127.0.0.1:%u/x/requestvoucher", w->peer.port);
	snprintf(back, sizeof(back), "https://localhost:%u/", w->peer.port);
	w->site.redirects = 1;
	w->site.redirect_to = there;
	expect_joined(w);
	assert_int_equal(w->site.request_count, 2);
	assert_string_not_equal(w->site.nonce[0], w->site.nonce[1]);
	assert_int_equal(command(w, "reset"), 0);
	w->site.redirects = 2; /* localhost, 127.0.0.1, localhost: one hop too many */
	w->site.redirect_to = there;
	w->while_waiting = NULL;
	strcpy(w->p.registrars[0].host, "127.0.0.2");
	w->p.registrars[0].host_is_ip = true;
	https_peer_stop(&w->peer);
	w->peer.any_address = true;
	start_site(w);
	w->site.second_redirect_to = back;
	expect_not_joined(w, 1);
	assert_int_equal(w->site.request_count, 4);
}

/* CLOUD-PLG-004: a 307 sends a device on, and only who is trusted may. */
static void join__307_of_a_registrar_that_is_not_trusted__leads_nowhere(void **state)
{
	struct world *w = *state;
	char there[64];

	snprintf(there, sizeof(there), "https://127.0.0.1:%u/x/requestvoucher", w->peer.port);
	w->site.redirects = 1;
	w->site.redirect_status = 307;
	w->site.redirect_to = there;
	expect_not_joined(w, 1);
	assert_int_equal(w->site.request_count, 1);
	assert_int_equal(w->peer.connections, 1);
}

static void join__redirect_to_nowhere__fails(void **state)
{
	struct world *w = *state;

	w->site.redirects = 1;
	w->site.redirect_to = "http://plain.example/";
	expect_not_joined(w, 1);
}

/* ---- status, renew, reset ---- */

static void status__before_and_after__says_7_and_0(void **state)
{
	struct world *w = *state;

	assert_int_equal(command(w, "status"), EXIT_NOT_ENROLLED);
	expect_line(w, "not enrolled: serial number " FIXTURE_SERIAL);
	expect_joined(w);
	assert_int_equal(command(w, "status"), 0);
	expect_line(w, "days left:    20");
	expect_line(w, "registrar:    https://localhost:");
}

static void renew__not_due__sends_nothing(void **state)
{
	struct world *w = *state;

	w->site.ldevid_life_s = 60 * 86400;
	expect_joined(w);
	w->site.wire[0] = '\0';
	assert_int_equal(command(w, "renew"), 0);
	expect_wire(w, "");
}

static void renew__due_or_forced__has_a_new_key_for_the_same_name(void **state)
{
	struct world *w = *state;
	ENROLMENT_AUTO struct enrolment before, after;
	struct err e = ERR_INIT;

	w->site.ldevid_life_s = 60 * 86400;
	expect_joined(w);
	assert_true(state_load_enrolment(w->p.state, &before, &e));
	w->site.wire[0] = '\0';
	w->options.force = true;
	assert_int_equal(command(w, "renew"), 0);
	expect_wire(w, "3 Site CA cacerts 200\n3 Site CA csrattrs 404\n"
		       "3 Site CA simplereenroll 200\n");
	assert_true(state_load_enrolment(w->p.state, &after, &e));
	assert_true(bytes_equal(
		cert_subject_der(before.ldevid.cert), cert_subject_der(after.ldevid.cert)));
	assert_false(cert_same_key(before.ldevid.cert, after.ldevid.cert));
	assert_string_equal(buf_str(&before.voucher), buf_str(&after.voucher));
}

static void renew__refused__keeps_the_old(void **state)
{
	struct world *w = *state;
	ENROLMENT_AUTO struct enrolment before, after;
	struct err e = ERR_INIT;

	expect_joined(w);
	assert_true(state_load_enrolment(w->p.state, &before, &e));
	w->site.enroll_status = 403;
	assert_int_equal(command(w, "renew"), 3);
	assert_true(state_load_enrolment(w->p.state, &after, &e));
	assert_true(cert_same(before.ldevid.cert, after.ldevid.cert));
}

static void renew__server_of_another_site__is_told_nothing(void **state)
{
	struct world *w = *state;

	expect_joined(w);
	show_another_certificate(w);
	w->site.wire[0] = '\0';
	assert_int_equal(command(w, "renew"), 4);
	expect_wire(w, "");
}

static void renew__not_enrolled__says_join(void **state)
{
	assert_int_equal(command(*state, "renew"), 1);
}

static void reset__enrolled__can_join_again(void **state)
{
	struct world *w = *state;

	expect_joined(w);
	assert_int_equal(command(w, "reset"), 0);
	assert_int_equal(command(w, "status"), EXIT_NOT_ENROLLED);
	expect_joined(w);
	assert_string_not_equal(w->site.nonce[0], w->site.nonce[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(join__friendly_site__follows_the_order_on_one_connection_then_reports),
		TEST(join__csrattrs__decide_key_and_channel_binding),
		TEST(join__telemetry_answered_with_404_or_500__goes_on),
		TEST(join__no_cacerts__keeps_the_pin_as_anchor),
		TEST(join__no_cacerts_but_issuer_pinned__joins),
		TEST(join__no_root_in_cacerts__takes_the_pin_with_them),
		TEST(join__already_enrolled__sends_nothing),
		TEST(join__enrolled_but_expired__says_what_to_do),
		TEST(join__report_not_delivered__is_delivered_at_the_next_start),
		TEST(join__pending__sends_the_same_octets_on_the_same_connection),
		TEST(join__pending_and_closed__comes_back_to_the_same_certificate),
		TEST(join__another_certificate_after_pending__abandons_and_asks_anew),
		TEST(join__restarted_while_pending__sends_the_same_octets),
		TEST(join__restarted_while_pending_and_another_certificate__has_a_new_nonce),
		TEST(join__pending_for_four_days__gives_up),
		TEST(join__clock_set_by_years_while_pending__goes_on_waiting),
		TEST(join__budget_spent_while_pending__goes_on_at_the_next_start),
		TEST(join__budget__ends_the_rounds),
		TEST(join__page_for_browsers__is_no_registrar_and_told_nothing),
		TEST(join__enrolment_pending__sends_the_same_csr),
		TEST(join__enrolment_pending_and_closed__rebinds_the_csr_it_must),
		TEST(join__restarted_while_enrolling__shows_the_same_csr_again),
		TEST(join__refused__has_exit_code_3_and_prints_no_control_characters),
		TEST(join__busy__is_tried_again_after_what_it_asked_for),
		TEST(join__nobody_there__has_exit_code_4),
		TEST(join__first_registrar_away__goes_to_the_second),
		TEST(join__name_of_a_stranger__reaches_the_terminal_without_control_characters),
		TEST(join__voucher_not_valid__is_told_generically_and_nothing_follows),
		TEST(join__empty_voucher__never_imprints),
		TEST(join__registrar_not_the_pinned_one__is_left),
		TEST(join__certificate_not_usable__is_reported_on_the_same_connection),
		TEST(join__certificate_of_another_ca__is_reported),
		TEST(join__enrolment_refused__is_reported),
		TEST(join__redirect_on_the_same_server__keeps_request_and_connection),
		TEST(join__redirect_loop_on_the_same_server__ends),
		TEST(join__redirect_to_another_server__makes_a_new_request_once),
		TEST(join__307_of_a_registrar_that_is_not_trusted__leads_nowhere),
		TEST(join__redirect_to_nowhere__fails),
		TEST(status__before_and_after__says_7_and_0),
		TEST(renew__not_due__sends_nothing),
		TEST(renew__due_or_forced__has_a_new_key_for_the_same_name),
		TEST(renew__refused__keeps_the_old),
		TEST(renew__server_of_another_site__is_told_nothing),
		TEST(renew__not_enrolled__says_join),
		TEST(reset__enrolled__can_join_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
