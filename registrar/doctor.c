/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's own look at itself and its surroundings: a table of checks that know at once,
 * then a request to each MASA that can be named. Nothing is changed and nothing signed. */
#include "registrar/doctor.h"

#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>

#include "common/wire/datetime.h"
#include "registrar/admin_answer.h"
#include "registrar/masa.h"
#include "registrar/records.h"
#include "registrar/revoked.h"
#include "registrar/seal.h"

#define DAY_S		 86400
#define RENEW_DAYS	 30		       /* before the end of a certificate of ours */
#define SPACE_MIN	 ((int64_t)64 << 20)   /* below it the store is about to stop */
#define SPACE_WANTED	 ((int64_t)1024 << 20) /* and room for a backup */
#define CLAIM_WAIT_S	 3600
#define SKEW_S		 60
#define FOUND_MAX	 600
#define PROBE_REPLY_MAX	 65536
#define MEBIBYTE(octets) ((long long)((octets) >> 20))

enum verdict { OK, WARN, FAIL };
static const char *const verdict_names[] = {"ok", "warn", "fail"};

struct examination {
	struct registrar *r;
	struct registrar_setup *setup;
	struct call *call;
	json_t *items;
	int64_t now;
	size_t open; /* answers that are waited for, and one for the table */
	struct err e;
};

static void PRINTF(5, 6) note(struct examination *x, const char *check, enum verdict v,
	const char *next, const char *fmt, ...)
{
	char found[FOUND_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(found, sizeof(found), fmt, ap);
	va_end(ap);
	if (x->e.kind == ERR_NONE)
		(void)!admin_append(x->items,
			json_pack("{ss ss so so}", "check", check, "verdict", verdict_names[v],
				"found", admin_text(found), "next",
				admin_text(v == OK ? NULL : next)),
			&x->e);
}

/* ---- What is known at once ---- */

static void check_time(struct examination *x)
{
	struct timex t = {0};
	char text[DATETIME_LEN + 1] = "?";
	struct err ignored = ERR_INIT;
	int state = adjtimex(&t); /* only reads; a sandbox may forbid even that */

	(void)!datetime_format(x->now, text, &ignored);
	if (state == TIME_ERROR || (state >= 0 && (t.status & STA_UNSYNC)))
		note(x, "time", WARN,
			"set a time service up, see timedatectl: certificates are judged by this "
			"clock",
			"%s, not synchronized", text);
	else
		note(x, "time", OK, NULL, "%s, %s", text,
			state < 0 ? "whether it is synchronized cannot be seen" : "synchronized");
}

static void check_space(struct examination *x)
{
	const char *path = x->setup->config.store;
	char folder[PATH_MAX];
	struct statvfs fs;
	struct stat st;
	int64_t left, store;
	enum verdict v = OK;

	snprintf(folder, sizeof(folder), "%s", path);
	if (stat(path, &st) != 0 || statvfs(dirname(folder), &fs) != 0) {
		note(x, "store space", FAIL, "see why the store's folder cannot be read",
			"%s cannot be looked at", path);
		return;
	}
	left = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
	store = st.st_size;
	if (left < SPACE_WANTED || left < 2 * store)
		v = left < SPACE_MIN ? FAIL : WARN;
	note(x, "store space", v, "make room: without it no device joins, and no backup fits",
		"%lld MiB free, the store has %lld", MEBIBYTE(left), MEBIBYTE(store));
}

static void check_end(struct examination *x, const char *check, int64_t end, const char *next)
{
	int64_t days = (end - x->now) / DAY_S;

	if (end <= x->now)
		note(x, check, FAIL, next, "expired %lld days ago", -(long long)days);
	else
		note(x, check, days < RENEW_DAYS ? WARN : OK, next, "ends in %lld days",
			(long long)days);
}

static void check_certificate(struct examination *x)
{
	check_end(x, "registrar certificate", cert_not_after(x->setup->face->identity.cert),
		"issue a new one and reload; brski-certs registrar makes such");
}

static void check_ca(struct examination *x)
{
	int64_t end = ca_not_after(x->setup->ca);
	int64_t days = (end - x->now) / DAY_S;

	if (days >= RENEW_DAYS && days < x->setup->config.ldevid_days)
		note(x, "issuing CA", WARN,
			"prepare a new issuing CA; the one of before goes into [ca] chain",
			"ends in %lld days: certificates issued now end with it", (long long)days);
	else
		check_end(x, "issuing CA", end,
			"make a new issuing CA; the one of before goes into [ca] chain");
}

static void check_list(struct examination *x)
{
	int64_t end = revoked_next_update(x->r);

	if (ca_crl_issuer(x->setup->ca).len == 0)
		note(x, "revocation list", WARN,
			"others do not hear of revocations: give the CA the key usage cRLSign",
			"the issuing CA may not sign any");
	else if (end <= x->now)
		note(x, "revocation list", FAIL, "see alert-crl-failed in the log",
			end ? "out of date" : "there is none");
	else
		note(x, "revocation list", OK, NULL, "valid for %lld more hours",
			(long long)(end - x->now) / 3600);
}

static bool is_loopback(const char *listen)
{
	return strncmp(listen, "127.", 4) == 0 || strncmp(listen, "[::1]", 5) == 0;
}

static void check_port(struct examination *x, const char *check, const char *listen)
{
	if (listen)
		note(x, check, is_loopback(listen) ? WARN : OK,
			"only this machine can reach it: set `listen` to an address of the network",
			"listening on %s", listen);
}

static void check_ports(struct examination *x)
{
	check_port(x, "port for HTTPS", x->setup->config.listen);
	check_port(x, "port for CoAPS", x->setup->config.coaps_listen);
	check_port(x, "port for join proxies", x->setup->config.jpy_listen);
}

static void check_journal(struct examination *x)
{
	char text[DATETIME_LEN + 1] = "?";
	struct err e = ERR_INIT, ignored = ERR_INIT;
	int64_t signed_at;

	if (seal_holds(x->r, &signed_at, &e))
		note(x, "audit log", OK, NULL, "as it was signed, last at %s",
			signed_at && datetime_format(signed_at, text, &ignored) ? text
										: "no time yet");
	else
		note(x, "audit log", FAIL,
			"keep a copy of the store as it is; registrarctl audit verify tells more",
			"%s", e.text);
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
	int64_t first = x->now;
	struct err e = ERR_INIT;

	if (!records_list_claims(x->r->store, CLAIM_PENDING, 0, 1, take_first_seen, &first, &e))
		note(x, "claims", FAIL, "see why the store cannot be read", "%s", e.text);
	else if (pending >= x->setup->config.claims_max)
		note(x, "claims", FAIL,
			"decide on them: further devices are told to come back later",
			"%lld wait, as many as may", pending);
	else
		note(x, "claims", x->now - first > CLAIM_WAIT_S ? WARN : OK,
			"decide: registrarctl claims list --state pending", "%lld wait", pending);
}

static void check_manufacturers(struct examination *x)
{
	size_t count = x->setup->manufacturer_count;

	note(x, "manufacturers", count ? OK : WARN,
		"registrarctl manufacturers add NAME --anchors FILE: devices of nobody can join",
		"%zu configured", count);
}

static void (*const checks[])(struct examination *x) = {
	check_time,
	check_space,
	check_certificate,
	check_ca,
	check_list,
	check_ports,
	check_journal,
	check_claims,
	check_manufacturers,
};

/* ---- MASAs ---- */

static void release(struct examination *x)
{
	if (--x->open > 0)
		return;
	if (x->e.kind == ERR_NONE) {
		JSON_AUTO json_t *answer = json_pack("{sO sn}", "items", x->items, "next");

		admin_reply(x->call, x->r, answer);
	} else {
		call_reply_err(x->call, &x->r->log, "admin-failed", &x->e);
	}
	json_decref(x->items);
	registrar_setup_free(x->setup);
	registrar_work_end(x->r);
	free(x);
}

struct probe {
	struct examination *x;
	const struct manufacturer *m;
	char check[128];
};

/* An answer of any status came over TLS that its anchors vouch for. */
static void judge_masa(const struct probe *p, const struct http_reply *reply)
{
	struct examination *x = p->x;
	int64_t now = registrar_now(x->r), theirs = now;
	struct err ignored = ERR_INIT;

	if (reply->date && datetime_parse_http(reply->date, &theirs, &ignored) &&
		llabs((long long)(theirs - now)) > SKEW_S)
		note(x, p->check, WARN, "compare both clocks with a third one",
			"%s answers over TLS as it should; its clock is %+lld s from ours",
			p->m->masa.host, (long long)(theirs - now));
	else
		note(x, p->check, OK, NULL, "%s answers over TLS as it should", p->m->masa.host);
}

static void on_masa(void *arg, const struct http_reply *reply, const struct err *e)
{
	struct probe *p = arg;

	if (reply)
		judge_masa(p, reply);
	else
		note(p->x, p->check, FAIL,
			e->kind == ERR_PEER
				? "compare its certificate with the manufacturer's masa_anchors"
				: "see whether masa_url is right, and the network lets us there",
			"%s", e->text);
	release(p->x);
	free(p);
}

static bool ask(struct examination *x, const struct manufacturer *m, struct probe *p, struct err *e)
{
	const struct masa_request q = {
		.setup = x->setup,
		.face = x->setup->face,
		.manufacturer = m,
		.uri = m->masa,
		.resource = "requestvoucher", /* which has no GET: 405 is a good answer */
		.accept = "*/*",
		.exchange = call_exchange(x->call),
		.reply_max = PROBE_REPLY_MAX,
	};

	return masa_send(x->r, call_loop(x->call), &q, on_masa, p, e);
}

static void check_masa(struct examination *x, const struct manufacturer *m)
{
	struct err e = ERR_INIT;
	struct probe *p = mem_new(sizeof(*p), &e);

	if (!p) {
		x->e = e;
		return;
	}
	*p = (struct probe){.x = x, .m = m};
	snprintf(p->check, sizeof(p->check), "MASA of %.100s", m->config->name);
	if (!m->has_masa) {
		note(x, p->check, OK, NULL, "not asked: each device names its own");
		free(p);
		return;
	}
	x->open++;
	if (!ask(x, m, p, &e))
		on_masa(p, NULL, &e);
}

void doctor_examine(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	struct err e = ERR_INIT;
	struct examination *x = mem_new(sizeof(*x), &e);

	if (!x || !(x->items = json_array())) {
		free(x);
		admin_reply(c, r, NULL);
		return;
	}
	registrar_work_begin(r);
	x->r = r;
	x->setup = registrar_setup_take(r);
	x->call = c;
	x->now = registrar_now(r);
	x->open = 1;
	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++)
		checks[i](x);
	for (size_t i = 0; i < x->setup->manufacturer_count; i++)
		check_masa(x, &x->setup->manufacturers[i]);
	release(x);
}
