/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/renew.h"

#include "pledge/cacerts.h"
#include "pledge/enroll.h"
#include "pledge/join.h"

#define SAN_OID "2.5.29.17"

bool renew_is_due(const struct cert *ldevid, int64_t now_unix_s, int64_t renew_before_s)
{
	return cert_not_after(ldevid) != INT64_MAX &&
	       now_unix_s >= cert_not_after(ldevid) - renew_before_s;
}

bool renew_connect(struct exchange *x, struct err *e)
{
	if (!exchange_open(x, e))
		return false;
	exchange_say_server(x, "is", "");
	return true;
}

/* Subject and subjectAltName as they are (EE-08). */
static bool reenroll(struct exchange *x, struct err *e)
{
	const struct cert *old = x->identity->cert;
	bool critical;
	struct enroll_wish w = {
		.path = EST_SIMPLEREENROLL,
		.subject_der = cert_subject_der(old),
		.san = cert_extension(old, SAN_OID, &critical),
	};

	return enroll_certificate(x, &w, e);
}

static bool replace(struct exchange *x, struct err *e)
{
	ENROLMENT_AUTO struct enrolment old;
	struct state_install in = {
		.ldevid = x->ldevid,
		.chain = &x->ldevid_chain,
		.cacerts = &x->cacerts,
		.cacerts_etag = &x->cacerts_etag,
	};

	if (!state_load_enrolment(x->pledge->state, &old, e))
		return false;
	in.cacerts_asked_unix_s = x->cacerts_asked_unix_s;
	in.voucher = buf_bytes(&old.voucher);
	in.voucher_is_cose = old.voucher_is_cose;
	in.registrar = old.registrar;
	in.report_due = old.report_due || dialect_of(x->session)->reports_renewal;
	if (!state_install(x->pledge->state, &in, e))
		return false;
	pledge_say(x->pledge, "installed: %s", state_current_path(x->pledge->state));
	return true;
}

/* Row C-36. */
static bool report(struct exchange *x, struct err *e)
{
	return !dialect_of(x->session)->reports_renewal || join_reconnect_and_report(x, e);
}

const struct step renew_steps[] = {
	{"connect", renew_connect, SETBACK_TLS, NULL, NULL},
	{"cacerts", cacerts_learn, SETBACK_ENROLMENT, BRSKI_ENROLL_STATUS, REASON_CACERTS},
	{"csrattrs", enroll_csrattrs, SETBACK_ENROLMENT, BRSKI_ENROLL_STATUS, REASON_CSRATTRS},
	{"certificate", reenroll, SETBACK_ENROLMENT, BRSKI_ENROLL_STATUS, REASON_CERT},
	{"install", replace, SETBACK_LOCAL, BRSKI_ENROLL_STATUS, REASON_STORE},
	{"enrolment status", report, SETBACK_LOCAL, NULL, NULL},
};
const size_t renew_step_count = sizeof(renew_steps) / sizeof(*renew_steps);
