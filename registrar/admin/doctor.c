/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's own look at itself and its surroundings: a table of checks that know at once,
 * then a request to each MASA that can be named. Nothing is changed and nothing signed. */
#include "registrar/admin/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/run/checkup.h"
#include "common/wire/datetime.h"
#include "common/wire/uri.h"
#include "registrar/admin/answer.h"
#include "registrar/announce.h"
#include "registrar/issuing.h"
#include "registrar/masa.h"
#include "registrar/ocsp.h"
#include "registrar/records/records.h"
#include "registrar/revoked.h"
#include "registrar/seal.h"

#define CLAIM_WAIT_S	3600
#define SKEW_S		60
#define PROBE_REPLY_MAX 65536

struct examination {
	struct registrar *r;
	struct registrar_setup *setup;
	struct call *call;
	struct checkup c;
	size_t open; /* answers that are waited for, and one for the table */
};

/* ---- What is known at once ---- */

static void check_machine(struct examination *x)
{
	checkup_time(&x->c);
	checkup_space(&x->c, x->setup->config.store);
}

static void check_certificate(struct examination *x)
{
	checkup_end(&x->c, "registrar certificate", cert_not_after(x->setup->face->identity.cert),
		"issue a new one and reload; brski-certs registrar makes such");
}

static void check_ca(struct examination *x)
{
	int64_t end = ca_not_after(x->setup->ca);
	int64_t days = (end - x->c.now) / CHECKUP_DAY_S;
	const char *fault = ca_fault(x->setup->ca);

	if (fault)
		checkup_note(&x->c, "issuing CA", CHECKUP_FAIL,
			"the other one can be used: registrarctl ca switch", "%s", fault);
	else if (days >= CHECKUP_RENEW_DAYS && days < x->setup->config.ldevid_days)
		checkup_note(&x->c, "issuing CA", CHECKUP_WARN,
			"prepare a new issuing CA; the one of before goes into [ca] chain",
			"ends in %lld days: certificates issued now end with it", (long long)days);
	else
		checkup_end(&x->c, "issuing CA", end,
			"make a new issuing CA; the one of before goes into [ca] chain");
}

static void check_list(struct examination *x)
{
	int64_t end = revoked_next_update(x->r, issuing_slot(x->setup));

	if (ca_crl_issuer(x->setup->ca).len == 0)
		checkup_note(&x->c, "revocation list", CHECKUP_WARN,
			"others hear of revocations by OCSP alone: give the CA the key usage "
			"cRLSign",
			"the issuing CA may not sign any");
	else if (end <= x->c.now)
		checkup_note(&x->c, "revocation list", CHECKUP_FAIL,
			"see alert-crl-failed in the log", end ? "out of date" : "there is none");
	else
		checkup_note(&x->c, "revocation list", CHECKUP_OK, NULL,
			"valid for %lld more hours", (long long)(end - x->c.now) / 3600);
}

static bool ends_like(const char *path, const char *end)
{
	size_t len = strlen(path), end_len = strlen(end);

	return len >= end_len && strcmp(path + len - end_len, end) == 0;
}

static void judge_ocsp_url(struct examination *x, const char *url, const struct uri *to)
{
	if (to->scheme == URI_HTTP && !x->setup->config.ca_http_listen)
		checkup_note(&x->c, "OCSP", CHECKUP_WARN,
			"set http_listen in [ca], unless something else answers there",
			"certificates say %s, but plain HTTP is not listened for", url);
	else if (!ends_like(to->path, OCSP_PATH))
		checkup_note(&x->c, "OCSP", CHECKUP_WARN,
			"answers are at " OCSP_PATH
			": let ocsp_url end so, unless something else leads there",
			"certificates say %s", url);
	else
		checkup_note(&x->c, "OCSP", CHECKUP_OK, NULL, "certificates say %s", url);
}

/* Certificates keep for long what they say: a slip shows before many have it. */
static void check_ocsp(struct examination *x)
{
	const struct registrar_config *c = &x->setup->config;
	bool first = issuing_slot(x->setup) == CA_PRIMARY;
	const char *url = first ? c->ocsp_url : c->standby_ocsp_url;
	struct err ignored = ERR_INIT;
	struct uri to;

	if (url && uri_parse_web(url, &to, &ignored))
		judge_ocsp_url(x, url, &to);
	else if (c->ca_http_listen && !(first ? c->crl_url : c->standby_crl_url))
		checkup_note(&x->c, "OCSP", CHECKUP_WARN,
			first ? "set ocsp_url and crl_url in [ca]"
			      : "set standby_ocsp_url and standby_crl_url in [ca]",
			"certificates do not say where to ask");
}

static void check_ports(struct examination *x)
{
	checkup_port(&x->c, "port for HTTPS", x->setup->config.listen);
	checkup_port(&x->c, "port for CoAPS", x->setup->config.coaps_listen);
	checkup_port(&x->c, "port for join proxies", x->setup->config.jpy_listen);
	checkup_port(&x->c, "port for verifiers", x->setup->config.ca_http_listen);
}

static void check_announcing(struct examination *x)
{
	announce_examine(x->r, &x->c);
}

static void check_journal(struct examination *x)
{
	char text[DATETIME_LEN + 1];
	struct err e = ERR_INIT, ignored = ERR_INIT;
	int64_t signed_at;

	bool holds = seal_holds(x->r->seal, &signed_at, &e);

	if (!holds && e.kind == ERR_RETRY_LATER)
		checkup_note(&x->c, "audit log", CHECKUP_FAIL, CHECKUP_STORE_AWAY, "%s", e.text);
	else if (!holds)
		checkup_note(&x->c, "audit log", CHECKUP_FAIL,
			"keep a copy of the store as it is; registrarctl audit verify tells more",
			"%s", e.text);
	else if (!signed_at || !datetime_format(signed_at, text, &ignored))
		checkup_note(&x->c, "audit log", CHECKUP_OK, NULL, "not signed yet");
	else
		checkup_note(
			&x->c, "audit log", CHECKUP_OK, NULL, "as it was signed, last at %s", text);
}

static bool take_first_seen(void *arg, const struct claim_row *row, struct err *e)
{
	int64_t *at = arg;

	*at = row->first_seen;
	return true;
}

static void check_claims(struct examination *x)
{
	long long pending = (long long)atomic_load(&x->r->pending_claims);
	int64_t first = x->c.now;
	struct err e = ERR_INIT;

	if (!records_list_claims(x->r->store, CLAIM_PENDING, 0, 1, take_first_seen, &first, &e))
		checkup_note(&x->c, "claims", CHECKUP_FAIL, CHECKUP_STORE_AWAY, "%s", e.text);
	else if (pending >= x->setup->config.claims_max)
		checkup_note(&x->c, "claims", CHECKUP_FAIL,
			"decide on them: further devices are told to come back later",
			"%lld wait, as many as may", pending);
	else
		checkup_note(&x->c, "claims",
			x->c.now - first > CLAIM_WAIT_S ? CHECKUP_WARN : CHECKUP_OK,
			"decide: registrarctl claims list --state pending", "%lld wait", pending);
}

static void check_manufacturers(struct examination *x)
{
	size_t count = x->setup->manufacturer_count;

	checkup_note(&x->c, "manufacturers", count ? CHECKUP_OK : CHECKUP_WARN,
		"registrarctl manufacturers add NAME --anchors FILE: devices of nobody can join",
		"%zu configured", count);
}

static void (*const checks[])(struct examination *x) = {
	check_machine,
	check_certificate,
	check_ca,
	check_list,
	check_ocsp,
	check_ports,
	check_announcing,
	check_journal,
	check_claims,
	check_manufacturers,
};

/* ---- MASAs ---- */

static void release(struct examination *x)
{
	if (--x->open > 0)
		return;
	if (x->c.e.kind == ERR_NONE) {
		JSON_AUTO json_t *answer = json_pack("{sO sn}", "items", x->c.items, "next");

		admin_reply(x->call, x->r, answer);
	} else {
		call_reply_err(x->call, &x->r->log, "admin-failed", &x->c.e);
	}
	json_decref(x->c.items);
	registrar_setup_free(x->setup);
	registrar_work_end(x->r);
	free(x);
}

struct probe {
	struct examination *x;
	const struct manufacturer *m;
	size_t at; /* of its addresses */
	char check[448];
};

/* An answer of any status came over TLS that its anchors vouch for. */
static void judge_masa(const struct probe *p, const struct http_reply *reply)
{
	struct examination *x = p->x;
	int64_t now = registrar_now(x->r), theirs = now;
	struct err ignored = ERR_INIT;

	if (reply->date && datetime_parse_http(reply->date, &theirs, &ignored) &&
		llabs((long long)(theirs - now)) > SKEW_S)
		checkup_note(&x->c, p->check, CHECKUP_WARN, "compare both clocks with a third one",
			"%s answers over TLS as it should; its clock is %+lld s from ours",
			p->m->masas[p->at].host, (long long)(theirs - now));
	else
		checkup_note(&x->c, p->check, CHECKUP_OK, NULL, "%s answers over TLS as it should",
			p->m->masas[p->at].host);
}

static const char *after_no_answer(const struct err *e)
{
	if (e->kind == ERR_PEER)
		return "compare its certificate with the manufacturer's masa_anchors";
	if (e->kind == ERR_REFUSED)
		return "if that is where it is, allow its class: addresses in [masa]";
	return "see whether masa_url is right, and the network lets us there";
}

static void on_masa(void *arg, const struct http_reply *reply, const struct err *e)
{
	struct probe *p = arg;

	if (reply)
		judge_masa(p, reply);
	else
		checkup_note(&p->x->c, p->check, CHECKUP_FAIL, after_no_answer(e), "%s", e->text);
	release(p->x);
	free(p);
}

static bool ask(struct examination *x, const struct manufacturer *m, struct probe *p, struct err *e)
{
	const struct masa_request q = {
		.setup = x->setup,
		.face = x->setup->face,
		.manufacturer = m,
		.uri = m->masas[p->at],
		.resource = "requestvoucher", /* which has no GET: 405 is a good answer */
		.accept = "*/*",
		.exchange = call_exchange(x->call),
		.reply_max = PROBE_REPLY_MAX,
		.at_once = true,
	};

	return masa_send(x->r, call_loop(x->call), &q, on_masa, p, e);
}

static void check_address(struct examination *x, const struct manufacturer *m, size_t at)
{
	const struct uri *masa = &m->masas[at];
	struct err e = ERR_INIT;
	struct probe *p = mem_new(sizeof(*p), &e);

	if (!p) {
		x->c.e = e;
		return;
	}
	*p = (struct probe){.x = x, .m = m, .at = at};
	if (m->masa_count == 1)
		snprintf(p->check, sizeof(p->check), "MASA of %.100s", m->config->name);
	else
		snprintf(p->check, sizeof(p->check), "MASA of %.100s at %s:%u", m->config->name,
			masa->host, (unsigned)masa->port);
	x->open++;
	if (!ask(x, m, p, &e))
		on_masa(p, NULL, &e);
}

static void check_masa(struct examination *x, const struct manufacturer *m)
{
	char check[128];

	for (size_t i = 0; i < m->masa_count; i++)
		check_address(x, m, i);
	if (m->masa_count)
		return;
	snprintf(check, sizeof(check), "MASA of %.100s", m->config->name);
	checkup_note(&x->c, check, CHECKUP_OK, NULL, "not asked: each device names its own");
}

void doctor_examine(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	struct err e = ERR_INIT;
	struct examination *x = mem_new(sizeof(*x), &e);

	if (!x || !(x->c.items = json_array())) {
		free(x);
		admin_reply(c, r, NULL);
		return;
	}
	registrar_work_begin(r);
	x->r = r;
	x->setup = registrar_setup_take(r);
	x->call = c;
	x->c.now = registrar_now(r);
	x->open = 1;
	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++)
		checks[i](x);
	for (size_t i = 0; i < x->setup->manufacturer_count; i++)
		check_masa(x, &x->setup->manufacturers[i]);
	release(x);
}
