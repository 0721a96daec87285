/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/commands.h"

#include <string.h>

#include "common/base/text.h"
#include "common/net/tls.h"
#include "common/wire/datetime.h"
#include "pledge/cacerts.h"
#include "pledge/join.h"
#include "pledge/proxy.h"
#include "pledge/refresh.h"
#include "pledge/renew.h"
#include "pledge/rounds.h"

#define DAY_S (24 * 3600)

static int complain(const struct err *e, int code, const char *advice)
{
	struct err printable = *e;

	text_make_safe(printable.text, ' ');
	fprintf(stderr, "brski-pledge: %s\n", printable.text);
	fprintf(stderr, "what to do: %s\n", advice);
	return code;
}

static void say_until(const struct pledge *p, const char *what, const struct cert *ldevid)
{
	struct err ignored = ERR_INIT;
	char until[DATETIME_LEN + 1];

	if (cert_not_after(ldevid) == INT64_MAX ||
		!datetime_format(cert_not_after(ldevid), until, &ignored))
		pledge_say(p, "%s: %s, without an end", what, cert_subject(ldevid));
	else
		pledge_say(p, "%s: %s, until %s", what, cert_subject(ldevid), until);
}

static bool has_expired(const struct pledge *p, const struct cert *ldevid)
{
	return p->config.trusted_clock && cert_not_after(ldevid) <= clock_unix_s(&p->clock);
}

static int64_t attempts_of(const struct pledge *p, const struct command_options *o)
{
	return o->once ? 1 : p->config.attempts;
}

#define ADVICE_CONFIG "mend the configuration or the file it names"
/* The enrolment may be whole, and only memory or the disk have failed this once. */
#define ADVICE_DAMAGED                                                                             \
	"try again; only if it says the same, run 'brski-pledge reset', then 'brski-pledge join'"

#define ADVICE_NO_CLOUD                                                                            \
	"check the cable, cloud and cloud_anchors in [registrars] and that the cloud registrar "   \
	"runs"
#define ADVICE_NOBODY                                                                              \
	"check the cable, that a registrar ([announce] of its configuration) or a join proxy "     \
	"announces itself here, or name a registrar with urls in [registrars]"

/* ---- join ----------------------------------------------------------------------------------- */

/* Power went away between storing the certificate and telling so. */
static void deliver_due_report(struct pledge *p, const struct enrolment *n)
{
	char exchange[EXCHANGE_ID_MAX + 1];
	struct err e = ERR_INIT;

	if (!n->report_due)
		return;
	if (rng_exchange_id(exchange, &e) && join_report_success(p, n, exchange, &e))
		pledge_say(p, "enrolment status: reported with the new certificate");
	else
		pledge_say(p, "enrolment status: could not be reported: %s", e.text);
}

/* A configured device never starts onboarding by itself (R8995-PLG-001). */
static int already_enrolled(struct pledge *p)
{
	ENROLMENT_AUTO struct enrolment n;
	struct err e = ERR_INIT;

	if (!state_load_enrolment(p->state, &n, &e))
		return complain(&e, 1, ADVICE_DAMAGED);
	if (has_expired(p, n.ldevid.cert)) {
		err_set(&e, ERR_CONFLICT, "already enrolled, but the certificate has expired");
		return complain(&e, 1,
			"run 'brski-pledge renew'; if the registrar no longer takes the old "
			"certificate, 'brski-pledge reset' and 'brski-pledge join'");
	}
	deliver_due_report(p, &n);
	say_until(p, "already enrolled", n.ldevid.cert);
	return 0;
}

/* "coaps://host[:port]": the word in front of the URI says which scheme it has. */
static bool use_coaps(struct pledge *p, const char *url, struct err *e)
{
	return pledge_set_registrar(p, url, e) &&
	       (p->registrars[0].scheme == URI_COAPS ||
		       err_set(e, ERR_INPUT, "'%s' is not a coaps URI", url));
}

/* Found by discovery are registrars over CoAPS only. */
static bool key_source_fits(const struct pledge *p, struct err *e)
{
	bool constrained = p->discovers || p->config.key_source == KEY_OWN;

	for (size_t i = 0; i < p->registrar_count; i++)
		constrained = constrained || p->registrars[i].scheme == URI_COAPS;
	return constrained ||
	       err_set(e, ERR_INPUT,
		       "[device] key_source = registrar works over CoAPS only, and no registrar is "
		       "named as coaps://");
}

/* Nobody was named whose address could be wrong. */
static const char *advice_for(const struct pledge *p, enum outcome outcome)
{
	if (outcome != OUTCOME_UNREACHABLE || p->registrar_count > 0)
		return outcome_advice(outcome);
	return p->has_cloud ? ADVICE_NO_CLOUD : ADVICE_NOBODY;
}

static int run_join(struct pledge *p, const struct command_options *o)
{
	struct rounds r = {
		.pledge = p,
		.steps = join_steps,
		.step_count = join_step_count,
		.attempts = attempts_of(p, o),
	};
	ENROLMENT_AUTO struct enrolment n;
	struct err e = ERR_INIT;
	enum outcome outcome;

	enrolment_init(&n);
	if (o->coaps && !use_coaps(p, o->coaps, &e)) {
		err_prefix(&e, "--coaps");
		return complain(&e, EXIT_USAGE, "give it a registrar as coaps://host:port");
	}
	if (!key_source_fits(p, &e))
		return complain(&e, EXIT_USAGE, ADVICE_CONFIG);
	if (state_is_enrolled(p->state))
		return already_enrolled(p);
	pledge_begin_budget(p);
	outcome = rounds_run(&r, &e);
	if (outcome != OUTCOME_DONE)
		return complain(&e, outcome_exit_code(outcome), advice_for(p, outcome));
	if (!state_load_enrolment(p->state, &n, &e))
		return complain(&e, 1, ADVICE_DAMAGED);
	say_until(p, "joined", n.ldevid.cert);
	return 0;
}

/* ---- status --------------------------------------------------------------------------------- */

static int not_enrolled(const struct pledge *p)
{
	pledge_say(p, "not enrolled: serial number %s", p->serial_number);
	return EXIT_NOT_ENROLLED;
}

static void say_days_left(const struct pledge *p, const struct cert *ldevid)
{
	int64_t left_s = cert_not_after(ldevid) - clock_unix_s(&p->clock);

	if (cert_not_after(ldevid) == INT64_MAX)
		pledge_say(p, "days left:    no end");
	else if (left_s <= 0)
		pledge_say(p, "days left:    expired; run 'brski-pledge renew'");
	else
		pledge_say(p, "days left:    %lld", (long long)(left_s / DAY_S));
}

static int run_status(struct pledge *p, const struct command_options *o)
{
	ENROLMENT_AUTO struct enrolment n;
	char until[DATETIME_LEN + 1] = "never";
	struct err e = ERR_INIT;

	enrolment_init(&n);
	if (!state_is_enrolled(p->state))
		return not_enrolled(p);
	if (!state_load_enrolment(p->state, &n, &e))
		return complain(&e, 1, ADVICE_DAMAGED);
	if (cert_not_after(n.ldevid.cert) != INT64_MAX &&
		!datetime_format(cert_not_after(n.ldevid.cert), until, &e))
		return complain(&e, 1, ADVICE_DAMAGED);
	pledge_say(p, "enrolled");
	pledge_say(p, "subject:      %s", cert_subject(n.ldevid.cert));
	pledge_say(p, "issuer:       %s", cert_issuer(n.ldevid.cert));
	pledge_say(p, "not after:    %s", until);
	say_days_left(p, n.ldevid.cert);
	pledge_say(p, "registrar:    %s", *n.registrar ? n.registrar : "not known");
	pledge_say(p, "files:        %s", state_current_path(p->state));
	return 0;
}

/* ---- renew ---------------------------------------------------------------------------------- */

/* What a renewal begins with: the old certificate speaks for us, the site's CAs for the registrar.
 */
static bool begin_renewal(struct exchange *x, void *arg, struct err *e)
{
	struct enrolment *n = arg;

	x->identity = &n->ldevid;
	x->renews = true;
	x->cacerts_etag = n->cacerts_etag;
	x->cacerts_asked_unix_s = n->cacerts_asked_unix_s;
	if (!cert_list_append(&x->cacerts, &n->cacerts, e))
		return false;
	x->domain_anchors = cacerts_anchors(&n->cacerts, n->cacerts.items[0], e);
	if (x->domain_anchors)
		x->server_anchors = cacerts_anchors(&n->cacerts, n->cacerts.items[0], e);
	return x->server_anchors != NULL;
}

/* The registrar it came from first, then the configured ones. */
static bool prefer_registrar(struct pledge *p, const char *registrar, struct err *e)
{
	struct uri first;

	if (!*registrar)
		return true;
	if (!uri_parse_server(registrar, &first, e))
		return false;
	for (size_t i = 0; i < p->registrar_count; i++)
		if (uri_same_origin(&first, &p->registrars[i])) {
			p->registrars[i] = p->registrars[0];
			p->registrars[0] = first;
			return true;
		}
	memmove(p->registrars + 1, p->registrars,
		(p->registrar_count < REGISTRARS_MAX ? p->registrar_count : REGISTRARS_MAX - 1) *
			sizeof(first));
	p->registrars[0] = first;
	p->registrar_count += p->registrar_count < REGISTRARS_MAX;
	return true;
}

static bool may_renew(struct pledge *p, const struct cert *ldevid, const struct command_options *o)
{
	if (o->force)
		return true;
	if (!p->config.trusted_clock) {
		pledge_say(
			p, "the clock is not trusted: 'brski-pledge renew --force' renews anyway");
		return false;
	}
	if (renew_is_due(ldevid, clock_unix_s(&p->clock), p->config.renew_before_s))
		return true;
	say_until(p, "not due", ldevid);
	return false;
}

static int renew(struct pledge *p, struct enrolment *n, const struct command_options *o)
{
	struct rounds r = {
		.pledge = p,
		.steps = renew_steps,
		.step_count = renew_step_count,
		.prepare = begin_renewal,
		.arg = n,
		.attempts = attempts_of(p, o),
	};
	struct err e = ERR_INIT;
	enum outcome outcome;

	if (!prefer_registrar(p, n->registrar, &e))
		return complain(&e, 1, ADVICE_DAMAGED);
	pledge_begin_budget(p);
	outcome = rounds_run(&r, &e);
	if (outcome == OUTCOME_REFUSED && has_expired(p, n->ldevid.cert))
		return complain(&e, 3,
			"the certificate has expired and is not renewed here: run 'brski-pledge "
			"reset', "
			"then 'brski-pledge join'");
	if (outcome != OUTCOME_DONE)
		return complain(&e, outcome_exit_code(outcome), outcome_advice(outcome));
	return 0;
}

/* A constrained device does not ask for them with each renewal. That the certificate is not due is
 * true whatever becomes of this; the next run tries again. */
static void refresh_cacerts(struct pledge *p, struct enrolment *n)
{
	struct rounds r = {
		.pledge = p,
		.steps = refresh_steps,
		.step_count = refresh_step_count,
		.prepare = begin_renewal,
		.arg = n,
		.attempts = 1,
	};
	struct err e = ERR_INIT;

	if (!prefer_registrar(p, n->registrar, &e) || p->registrars[0].scheme != URI_COAPS ||
		!refresh_is_due(n, clock_unix_s(&p->clock), p->config.trusted_clock))
		return;
	if (rounds_run(&r, &e) != OUTCOME_DONE)
		pledge_say(p, "cacerts: not asked for: %s", e.text);
}

static int run_renew(struct pledge *p, const struct command_options *o)
{
	ENROLMENT_AUTO struct enrolment n, fresh;
	struct err e = ERR_INIT;
	int code;

	enrolment_init(&n);
	enrolment_init(&fresh);
	if (!state_is_enrolled(p->state)) {
		err_set(&e, ERR_CONFLICT, "not enrolled");
		return complain(&e, 1, "run 'brski-pledge join'");
	}
	if (!state_load_enrolment(p->state, &n, &e))
		return complain(&e, 1, ADVICE_DAMAGED);
	if (!may_renew(p, n.ldevid.cert, o)) {
		refresh_cacerts(p, &n);
		return 0;
	}
	code = renew(p, &n, o);
	if (code == 0 && state_load_enrolment(p->state, &fresh, &e))
		say_until(p, "renewed", fresh.ldevid.cert);
	return code;
}

/* ---- reset ---------------------------------------------------------------------------------- */

static int run_reset(struct pledge *p, const struct command_options *o)
{
	struct err e = ERR_INIT;

	if (!state_reset(p->state, &e))
		return complain(&e, 1, "check the permissions of the state directory");
	pledge_say(p, "reset: the site's certificate, key, voucher and CA certificates are gone");
	return 0;
}

/* ---- proxy ---------------------------------------------------------------------------------- */

/* Nothing of the device's is loaded but its configuration: a proxy holds no secrets. */
static int run_proxy(struct pledge *p, const struct command_options *o)
{
	struct err e = ERR_INIT;

	switch (proxy_run(&p->config, &p->log, &e)) {
	case PROXY_DONE:
		return 0;
	case PROXY_NOT_ENROLLED:
		return complain(&e, EXIT_NOT_ENROLLED,
			"run 'brski-pledge join' first: only a device of the site relays for "
			"others");
	case PROXY_CONFIG:
		return complain(&e, EXIT_USAGE, "mend section [proxy] of the configuration");
	case PROXY_FAILED:
		return complain(&e, 1, "mend what it says, or start it again later");
	}
	return 1;
}

/* ---- */

static const struct command commands[] = {
	{"join", run_join, pledge_init},
	{"status", run_status, pledge_init},
	{"renew", run_renew, pledge_init},
	{"reset", run_reset, pledge_init},
	{"proxy", run_proxy, pledge_init_config},
};

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int not_begun(const struct err *e)
{
	if (e->kind == ERR_NO_MEMORY)
		return complain(e, 1, "try again when there is more memory");
	if (e->kind == ERR_CONFLICT)
		return complain(e, 1, "wait until it has ended");
	if (e->kind == ERR_STORE)
		return complain(e, 1, "run 'brski-pledge reset' after looking at the directory");
	return complain(e, EXIT_USAGE, ADVICE_CONFIG);
}

int command_run(const struct command *c, struct pledge *p, const char *config_path,
	const struct command_options *o)
{
	struct err e = ERR_INIT;

	if (!tls_init(&e) || !c->init(p, config_path, &e))
		return not_begun(&e);
	return c->run(p, o);
}
