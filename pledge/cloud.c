/* SPDX-License-Identifier: Apache-2.0 */
/* The cloud registrar and where it sends the device: see cloud.h. The requests themselves are those
 * of any registrar, in join.c. */
#include "pledge/cloud.h"

#include <string.h>

#include "pledge/join.h"

#define REASON_REDIRECT "The registrar redirects without being trusted."

/* ---- Where the device was ------------------------------------------------------------------- */

static void lower_case(char *s)
{
	for (; *s; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s += 'a' - 'A';
}

/* Of the location: the name's case does not count, the path's does. */
static bool digest_of(const struct uri *place, uint8_t out[SHA256_LEN], struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(STATE_URL_MAX);
	struct uri u = *place;

	lower_case(u.host);
	if (!*u.path || strcmp(u.path, "/") == 0)
		snprintf(u.path, sizeof(u.path), "%s", BRSKI_REQUEST_VOUCHER);
	return uri_format(&u, &text, e) && digest_sha256(buf_bytes(&text), out, e);
}

static bool visit(struct exchange *x, const struct uri *place, struct err *e)
{
	struct cloud_walk *w = &x->cloud;
	uint8_t digest[SHA256_LEN];

	if (!digest_of(place, digest, e))
		return false;
	for (size_t i = 0; i < w->visited_count; i++)
		if (memcmp(w->visited[i], digest, SHA256_LEN) == 0) {
			w->looped = true;
			return err_set(
				e, ERR_PEER, "redirected in circles, to %s again", place->host);
		}
	if (w->visited_count == CLOUD_PLACES_MAX)
		return err_set(e, ERR_PEER, "redirected more than %d times", CLOUD_PLACES_MAX - 1);
	memcpy(w->visited[w->visited_count++], digest, SHA256_LEN);
	return true;
}

bool cloud_starts_over(const struct exchange *x)
{
	return x->cloud.visited_count > 1 && !x->cloud.looped;
}

/* ---- Who it is ------------------------------------------------------------------------------ */

static struct anchors *implicit_anchors(const struct pledge *p, struct err *e)
{
	struct anchors *a = anchors_load(p->config.cloud_anchors, e);

	if (!a)
		err_prefix(e, "[registrars] cloud_anchors");
	return a;
}

void cloud_expect(struct exchange *x)
{
	x->server_named = SERVER_NAME;
	x->server_else_provisional = !uri_same_origin(&x->server, &x->pledge->cloud.uri);
}

bool cloud_begin(struct exchange *x, struct err *e)
{
	const struct pledge *p = x->pledge;

	x->server_anchors = implicit_anchors(p, e);
	if (!x->server_anchors || !visit(x, &p->cloud.uri, e))
		return false;
	if (!x->resumed)
		x->server.path[0] = '\0';
	if (!x->resumed && *p->cloud.uri.path)
		snprintf(x->request_path, sizeof(x->request_path), "%s", p->cloud.uri.path);
	cloud_expect(x);
	return true;
}

/* ---- Redirected ----------------------------------------------------------------------------- */

/* On a connection of its own: the one on which it happened is somebody else's. */
static void complain_to_cloud(const struct exchange *x)
{
	EXCHANGE_AUTO struct exchange y;
	struct err e = ERR_INIT;

	exchange_init(&y, x->pledge, &x->pledge->cloud);
	snprintf(y.id, sizeof(y.id), "%s", x->id);
	if (!cloud_begin(&y, &e) || !exchange_open(&y, &e))
		log_err(&x->pledge->log, "cloud-not-told", x->id, &e);
	else
		exchange_report(&y, BRSKI_VOUCHER_STATUS, REASON_REDIRECT);
}

bool cloud_may_follow(struct exchange *x, const struct uri *target, struct err *e)
{
	if (x->cloud.begun && x->server_verified)
		return visit(x, target, e);
	if (x->cloud.begun)
		complain_to_cloud(x);
	return err_set(
		e, ERR_PEER, "a registrar that is not trusted yet redirects to %s", target->host);
}

/* ---- Not claimed yet ------------------------------------------------------------------------ */

bool cloud_waits_for_claim(struct exchange *x, const struct session_reply *reply)
{
	const struct pledge *p = x->pledge;
	int64_t asked_s, pause_ms;

	if (retry_setback_of_status(reply->status, x->of_cloud, *reply->retry_after != 0) !=
		SETBACK_NO_OWNER_YET)
		return false;
	asked_s = retry_after_s(reply->retry_after, reply->date, clock_unix_s(&p->clock),
		retry_asked_max_s(retry_rule(SETBACK_NO_OWNER_YET), p->config.retry_after_max_s));
	pause_ms = retry_wait_ms(asked_s, rng_below);
	if (asked_s > p->config.retry_after_max_s || pause_ms >= pledge_time_left_ms(p) ||
		x->cloud.claim_asks++ == CLOUD_CLAIM_ASKS_MAX)
		return false; /* others are asked meanwhile */
	pledge_say(p,
		"voucher: no owner has claimed this device yet or said where it belongs, asking "
		"again in %lld s",
		(long long)asked_s);
	p->pause(p->pause_arg, pause_ms);
	return true;
}

/* ---- The EST server of the voucher ---------------------------------------------------------- */

static void swap_sides(struct exchange *x)
{
	struct exchange_side *other = &x->cloud.est,
			     own = {
				     .session = x->session,
				     .server = x->server,
				     .anchors = x->server_anchors,
				     .named = x->server_named,
				     .else_provisional = x->server_else_provisional,
				     .verified = x->server_verified,
				     .chain = x->server_chain,
			     };

	x->session = other->session;
	x->server = other->server;
	x->server_anchors = other->anchors;
	x->server_named = other->named;
	x->server_else_provisional = other->else_provisional;
	x->server_verified = other->verified;
	x->server_chain = other->chain;
	*other = own;
}

/* The name counts where the pin is a CA's, unless there is none (RFC 9525; CLOUD-PLG-008). */
static enum server_name how_named(const struct accepted *a)
{
	return cert_is_ca(a->pinned) && !a->est.host_is_ip ? SERVER_NAME : SERVER_ANY_NAME;
}

static bool expect_est(struct exchange *x, struct err *e)
{
	CERT_LIST_AUTO struct cert_list pin = CERT_LIST_INIT;
	struct exchange_side *est = &x->cloud.est;

	est->server = x->accepted.est;
	est->named = how_named(&x->accepted);
	if (!cert_list_add(&pin, x->accepted.pinned, e))
		return false;
	est->anchors = anchors_new(&pin, e);
	return est->anchors != NULL;
}

static bool connect_est(struct exchange *x, struct err *e)
{
	bool resumed = x->resumed, ok;

	x->resumed = false; /* that was another server */
	swap_sides(x);
	ok = exchange_open(x, e) &&
	     chain_verify(x->server_anchors, x->server_chain.items[0], &x->server_chain,
		     pledge_judging_time(x->pledge), &x->accepted.path, e);
	if (ok)
		exchange_say_server(x, "shows", ", as the voucher says");
	swap_sides(x);
	x->resumed = resumed;
	return ok;
}

bool cloud_meet_est(struct exchange *x, struct err *e)
{
	if (!x->accepted.has_est)
		return true;
	pledge_say(x->pledge, "voucher: enrolment is at %s", x->accepted.est.host);
	return expect_est(x, e) && connect_est(x, e);
}

bool cloud_enter_est(struct exchange *x, struct err *e)
{
	swap_sides(x);
	x->resumed = false;
	x->of_cloud = false;
	return session_is_open(x->session) || exchange_reopen(x, e);
}

/* ---- Additional configuration --------------------------------------------------------------- */

static bool fetch(
	struct exchange *x, const struct uri *place, struct session_reply *reply, struct err *e)
{
	ANCHORS_AUTO struct anchors *anchors = implicit_anchors(x->pledge, e);
	const struct session_config config = {
		.server = *place,
		.identity = x->identity,
		.anchors = anchors,
		.named = SERVER_NAME,
		.now_unix_s = pledge_judging_time(x->pledge),
		.connect_ms = x->pledge->config.connect_timeout_s * 1000,
		.timeout_ms = x->pledge->config.timeout_s * 1000,
		.exchange = x->id,
	};
	const struct session_request rq = {
		.method = "GET",
		.path = *place->path ? place->path : "/",
		.reply_max = CONFIGURATION_MAX,
	};
	struct session *s = anchors ? session_new(&config, e) : NULL;
	bool ok = s && session_send(s, &rq, reply, e);

	session_free(s);
	return ok;
}

static bool fetch_and_keep(struct exchange *x, const char *url, struct err *e)
{
	struct session_reply reply = {.status = 0};
	struct uri place;
	bool ok = uri_parse(url, &place, e) && fetch(x, &place, &reply, e);

	if (ok && reply.status != 200)
		ok = err_set(e, ERR_PEER, "%s answered %d", place.host, reply.status);
	if (ok)
		ok = state_save_configuration(x->pledge->state, buf_bytes(&reply.body), e);
	if (ok)
		pledge_say(x->pledge, "configuration: %zu octets from %s, kept and not used",
			reply.body.len, place.host);
	session_reply_clear(&reply);
	return ok;
}

bool cloud_fetch_configuration(struct exchange *x, struct err *e)
{
	const char *url = x->accepted.voucher.fields.additional_configuration_url;
	struct err why = ERR_INIT;

	if (!url)
		return true;
	if (!fetch_and_keep(x, url, &why)) {
		pledge_say(x->pledge, "configuration: not fetched: %s", why.text);
		log_err(&x->pledge->log, "configuration", x->id, &why);
	}
	/* the registrar may not have waited for as long as that took */
	return session_is_open(x->session) || exchange_reopen(x, e);
}
