/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and answers as BRSKI means them (RFC 8995 §5.6): what each status stands for, 202 and
 * how long to wait, a session that may be opened again only towards the same certificate. A code of
 * CoAP has become a status of HTTP before it comes here. */
#include "pledge/exchange.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/message/status_report.h"

static void give_time(struct exchange *x)
{
	x->deadline_ms = clock_mono_ms() + x->pledge->config.coaps_deadline_s * 1000;
}

void exchange_init(struct exchange *x, struct pledge *p, const struct candidate *c)
{
	memset(x, 0, sizeof(*x));
	x->pledge = p;
	x->candidate = c;
	x->registrar = &c->uri;
	x->server = c->uri;
	x->cloud.begun = c->source == CANDIDATE_CLOUD;
	x->connected = -1;
	x->identity = &p->idevid;
	give_time(x);
	buf_init(&x->voucher, VOUCHER_REPLY_MAX);
	pending_init(&x->ask);
	accepted_init(&x->accepted);
}

void exchange_clear(struct exchange *x)
{
	session_free(x->session);
	x->session = NULL;
	if (x->connected >= 0)
		close(x->connected);
	x->connected = -1;
	anchors_unref(&x->server_anchors);
	cert_list_clear(&x->server_chain);
	session_free(x->cloud.est.session);
	anchors_unref(&x->cloud.est.anchors);
	cert_list_clear(&x->cloud.est.chain);
	pending_clear(&x->ask);
	buf_clear(&x->voucher);
	accepted_clear(&x->accepted);
	cert_list_clear(&x->cacerts);
	anchors_unref(&x->domain_anchors);
	csrattrs_clear(&x->csrattrs);
	cert_unref(&x->ldevid);
	cert_list_clear(&x->ldevid_chain);
}

/* ---- The session ---------------------------------------------------------------------------- */

/* What the session says of its end, by its code. */
static const struct {
	const char *code;
	enum setback setback;
} codes[] = {
	{SESSION_NO_ADDRESS, SETBACK_NO_ADDRESS},
	{SESSION_NO_TLS, SETBACK_STRANGER},
	{SESSION_DENIED, SETBACK_DENIED},
	{SESSION_OTHER_SERVER, SETBACK_OTHER_SERVER},
};

static enum setback own_or(const struct err *e, enum setback otherwise)
{
	return outcome_of(e, OUTCOME_NONE) == OUTCOME_LOCAL ? SETBACK_LOCAL : otherwise;
}

static enum setback setback_of_session(const struct err *e, enum setback otherwise)
{
	for (size_t i = 0; e->code && i < sizeof(codes) / sizeof(*codes); i++)
		if (strcmp(e->code, codes[i].code) == 0)
			return codes[i].setback;
	return own_or(e, otherwise);
}

static enum setback setback_of_connecting(const struct err *e)
{
	enum setback otherwise = e->kind == ERR_RETRY_LATER    ? SETBACK_UNREACHABLE
				 : e->kind == ERR_PEER_TIMEOUT ? SETBACK_SILENT
							       : SETBACK_TLS;

	return setback_of_session(e, otherwise);
}

void exchange_say_server(const struct exchange *x, const char *verb, const char *rest)
{
	bool bracketed = x->server.host_is_ipv6;

	pledge_say(x->pledge, "connect: %s://%s%s%s:%u %s %s%s", uri_scheme_name(x->server.scheme),
		bracketed ? "[" : "", x->server.host, bracketed ? "]" : "",
		(unsigned)x->server.port, verb, cert_subject(x->server_chain.items[0]), rest);
}

/* Keep what the first handshake showed. A later one was compared with it by its first certificate.
 */
static bool keep_chain(struct exchange *x, struct err *e)
{
	return x->server_chain.count > 0 ||
	       cert_list_append(&x->server_chain, session_server_chain(x->session), e);
}

/* The certificate the server must show: the one it showed before, in this run or before a restart.
 */
static bool expected_server(const struct exchange *x, struct cert **out, struct err *e)
{
	*out = NULL;
	if (x->server_chain.count > 0)
		*out = cert_ref(x->server_chain.items[0]);
	else if (x->resumed)
		*out = cert_parse(buf_bytes(&x->ask.server_cert), e);
	else
		return true;
	return *out != NULL;
}

/* While there is somebody else, a stranger's silence is no reason to stay (R8995-PLG-010). */
static bool others_wait(const struct exchange *x)
{
	return x->others_wait && x->others_wait(x->others_arg);
}

/* Longer each time; most_ms when there is nobody else, or it is less. */
static int64_t patience_ms(const struct exchange *x, int64_t first_ms, int64_t most_ms)
{
	unsigned times = x->candidate->failures < 3 ? x->candidate->failures : 3;

	return first_ms << times < most_ms && others_wait(x) ? first_ms << times : most_ms;
}

int64_t exchange_patience_ms(const struct exchange *x)
{
	return patience_ms(x, STRANGER_PATIENCE_MS, x->pledge->config.timeout_s * 1000);
}

/* A lossy link takes longer to connect, and datagrams have a size. */
static void fit_to_carrier(const struct exchange *x, struct session_config *c)
{
	const struct pledge_config *p = &x->pledge->config;

	if (x->server.scheme != URI_COAPS) {
		c->connect_ms = patience_ms(x, STRANGER_CONNECT_MS, c->connect_ms);
		return;
	}
	c->connect_ms = p->coaps_connect_timeout_s * 1000;
	c->connect_ms = patience_ms(x, c->connect_ms / 2, c->connect_ms);
	c->mtu = (size_t)p->coaps_mtu;
}

bool exchange_open(struct exchange *x, struct err *e)
{
	const struct pledge *p = x->pledge;
	CERT_AUTO struct cert *expected = NULL;
	struct session_config config = {
		.server = x->server,
		.identity = x->identity,
		.anchors = x->server_anchors,
		.named = x->server_named,
		.else_provisional = x->server_else_provisional,
		.now_unix_s = pledge_judging_time(p),
		.connect_ms = p->config.connect_timeout_s * 1000,
		.timeout_ms = p->config.timeout_s * 1000,
		.exchange = x->id,
		.connected = uri_same_origin(&x->server, x->registrar) ? &x->connected : NULL,
	};

	fit_to_carrier(x, &config);
	session_free(x->session);
	x->session = NULL;
	if (!expected_server(x, &expected, e))
		return false;
	config.same_server = expected;
	x->sessions++;
	x->session = session_new(&config, e);
	if (x->session && session_connect(x->session, e) && keep_chain(x, e)) {
		x->server_verified = session_is_verified(x->session);
		x->of_cloud = x->cloud.begun && x->server_verified && !x->accepted.has_est;
		return true;
	}
	x->setback = setback_of_connecting(e);
	return false;
}

bool exchange_send(struct exchange *x, const struct session_request *rq,
	struct session_reply *reply, struct err *e)
{
	if (session_send(x->session, rq, reply, e)) {
		x->waited_on = false;
		return true;
	}
	x->setback = setback_of_session(e, SETBACK_LOST);
	return err_prefix(e, "%s", rq->path);
}

static bool is_lost(const struct exchange *x, const struct err *e)
{
	return x->session && session_is_constrained(x->session) &&
	       (e->kind == ERR_PEER || e->kind == ERR_PEER_TIMEOUT || e->kind == ERR_RETRY_LATER);
}

/* Everybody's datagrams were lost at the same moment: longer and longer pauses. */
static bool reconnect(struct exchange *x, struct err *e)
{
	struct pledge *p = x->pledge;

	for (unsigned i = 0; is_lost(x, e) && clock_mono_ms() < x->deadline_ms && !others_wait(x);
		i++) {
		log_err(&p->log, "session-lost", x->id, e);
		pledge_pause(p, retry_backoff_ms(i, RECONNECT_MIN_S, RECONNECT_MAX_S, rng_below));
		if (exchange_open(x, e)) {
			x->setback = SETBACK_NONE;
			return true;
		}
	}
	return false;
}

bool exchange_reopen(struct exchange *x, struct err *e)
{
	return exchange_open(x, e) || reconnect(x, e);
}

bool exchange_recover(struct exchange *x, struct err *e)
{
	if (session_is_constrained(x->session))
		return reconnect(x, e);
	if (!x->waited_on || e->kind != ERR_PEER)
		return false;
	x->waited_on = false;
	return exchange_open(x, e);
}

bool exchange_ask(struct exchange *x, const struct session_request *rq, struct session_reply *reply,
	struct err *e)
{
	while (!exchange_send(x, rq, reply, e))
		if (!exchange_recover(x, e))
			return false;
	return true;
}

/* ---- 202 ------------------------------------------------------------------------------------ */

/* Pauses are added up: a clock may jump by years once there is a network (trusted_clock = no). */
static bool may_wait(struct exchange *x, int64_t pause_ms, struct err *e)
{
	const struct pledge *p = x->pledge;

	if (x->waited_s >= p->config.pending_max_s) {
		x->setback = SETBACK_OVERDUE;
		return err_set(e, ERR_REFUSED, "still not decided after %lld hours",
			(long long)(p->config.pending_max_s / 3600));
	}
	if (pause_ms < pledge_time_left_ms(p))
		return true;
	x->setback = SETBACK_OVER_BUDGET;
	return err_set(e, ERR_REFUSED, "still not decided, and [retry] budget is spent");
}

/* "Not yet" can be said for days by anybody: others are tried meanwhile, and this one again with
 * the same octets, as after a restart (R8995-PLG-007, R8995-PLG-027). */
static bool may_stay(struct exchange *x, int64_t asked_s, struct err *e)
{
	if (!others_wait(x))
		return true;
	x->setback = SETBACK_SET_ASIDE;
	x->retry_after_s = asked_s;
	return err_set(e, ERR_RETRY_LATER, "not decided yet, others are asked meanwhile");
}

bool exchange_wait(
	struct exchange *x, const char *what, const struct session_reply *reply, struct err *e)
{
	struct pledge *p = x->pledge;
	int64_t asked_s = retry_after_s(reply->retry_after, reply->date, clock_unix_s(&p->clock),
		p->config.retry_after_max_s);
	int64_t pause_ms = retry_wait_ms(asked_s, rng_below);

	if (!may_wait(x, pause_ms, e) || !may_stay(x, asked_s, e))
		return false;
	pledge_say(p, "%s: not decided yet, asking again in %lld s", what, (long long)asked_s);
	pledge_pause(p, pause_ms);
	x->waited_s += asked_s;
	give_time(x);
	x->waited_on = session_is_open(x->session);
	return x->waited_on || exchange_reopen(x, e);
}

/* ---- Other answers -------------------------------------------------------------------------- */

/* The peer's own words, if it has any for people: one line of printable characters. */
static void peer_words(const struct session_reply *reply, char out[PEER_WORDS_MAX + 4])
{
	size_t n = 0;

	*out = '\0';
	if (strncmp(reply->content_type, "text/plain", 10) != 0)
		return;
	out[n++] = ':';
	out[n++] = ' ';
	for (size_t i = 0; i < reply->body.len && n < PEER_WORDS_MAX; i++) {
		uint8_t c = reply->body.data[i];

		out[n++] = c >= 0x20 && c < 0x7f ? (char)c : ' ';
	}
	while (n > 0 && (out[n - 1] == ' ' || out[n - 1] == ':'))
		n--;
	out[n] = '\0';
}

bool exchange_refused(struct exchange *x, const struct session_reply *reply, struct err *e)
{
	const struct pledge *p = x->pledge;
	const struct retry_rule *rule;
	char words[PEER_WORDS_MAX + 4];
	int64_t max_s;

	peer_words(reply, words);
	x->setback = retry_setback_of_status(reply->status, x->of_cloud, *reply->retry_after != 0);
	rule = retry_rule(x->setback);
	max_s = retry_asked_max_s(rule, p->config.retry_after_max_s);
	if (max_s && *reply->retry_after)
		x->retry_after_s = retry_after_s(
			reply->retry_after, reply->date, clock_unix_s(&p->clock), max_s);
	if (x->setback == SETBACK_STRANGER)
		return err_set(e, ERR_PEER,
			"%s is no BRSKI registrar: it answers %d with '%s'; a captive portal?",
			x->server.host, reply->status, reply->content_type);
	return err_set(e, rule->outcome == OUTCOME_REFUSED ? ERR_REFUSED : ERR_RETRY_LATER,
		"registrar answered %d%s", reply->status, words);
}

/* ---- Telemetry ------------------------------------------------------------------------------ */

static bool format_report(
	const struct dialect *d, const char *reason, struct buf *out, struct err *e)
{
	struct status_report r = {.version = 1, .status = reason == NULL};

	if (reason)
		snprintf(r.reason, sizeof(r.reason), "%s", reason);
	return d->telemetry->format(&r, out, e);
}

bool exchange_report(struct exchange *x, const char *path, const char *reason)
{
	const struct dialect *d = dialect_of(x->session);
	BUF_AUTO struct buf body = BUF_INIT(STATUS_REPORT_MAX);
	struct session_reply reply = {.status = 0};
	struct session_request rq = {
		.method = "POST",
		.path = path,
		.content_type = d->telemetry->media_type,
		.reply_max = TELEMETRY_REPLY_MAX,
	};
	struct err e = ERR_INIT;
	char status[12];
	bool ok;

	if (!format_report(d, reason, &body, &e))
		return false;
	rq.body = buf_bytes(&body);
	/* a failure is told on the session on which it happened */
	while (!(ok = session_send(x->session, &rq, &reply, &e)))
		if (reason || !session_is_constrained(x->session) || !exchange_recover(x, &e))
			break;
	if (ok) {
		snprintf(status, sizeof(status), "%d", reply.status);
		log_event(&x->pledge->log, LOG_LEVEL_INFO, "reported", x->id, "path", path,
			"success", reason ? "no" : "yes", "status", status, NULL);
	} else {
		log_err(&x->pledge->log, "report-not-delivered", x->id, &e);
	}
	session_reply_clear(&reply);
	return ok;
}

/* ---- Running -------------------------------------------------------------------------------- */

static enum outcome fail_step(struct exchange *x, const struct step *s, const struct err *e)
{
	if (!x->setback)
		x->setback = own_or(e, s->setback);
	pledge_say(x->pledge, "%s: failed: %s", s->name, e->text);
	log_err(&x->pledge->log, s->name, x->id, e);
	if (s->failure_path && x->session && session_is_open(x->session) &&
		(!x->renews || dialect_of(x->session)->reports_renewal))
		exchange_report(x, s->failure_path, s->failure_reason);
	return retry_rule(x->setback)->outcome;
}

enum outcome exchange_run(struct exchange *x, const struct step *steps, size_t count, struct err *e)
{
	if (!rng_exchange_id(x->id, e))
		return OUTCOME_LOCAL;
	for (size_t i = 0; i < count; i++) {
		x->setback = SETBACK_NONE;
		log_event(&x->pledge->log, LOG_LEVEL_DEBUG, steps[i].name, x->id, "registrar",
			x->server.host, NULL);
		if (!steps[i].run(x, e))
			return fail_step(x, &steps[i], e);
	}
	return OUTCOME_DONE;
}
