/* SPDX-License-Identifier: Apache-2.0 */
/* The verdicts on one signed object, then on the one inside of it (RFC 8366 §5.4; RFC 8995 §5.5).
 * The report shows the members as they were signed, octet for octet in their strings; decoded
 * certificates stand beside them. A request inside a request is judged by its signature; its chain
 * belongs to another party, so anchors that do not fit it leave it unchecked.
 */
#include "voucher/inspect.h"

#include <string.h>

#include "common/message/voucher_cbor.h"
#include "common/wire/datetime.h"
#include "voucher/input.h"
#include "voucher/render.h"
#include "voucher/render_cose.h"

/* One object under inspection. */
struct inspection {
	const struct inspect_wish *wish;
	const struct voucher_format *format;
	unsigned depth;
	struct signed_voucher voucher;
	struct err verdict;	/* on the signature */
	struct cert_list known; /* who may have signed, besides whom it carries */
	json_t *report;		/* borrowed: the object being filled */
	json_t *problems;	/* borrowed: the report's array of reasons */
	struct err *why;	/* the first reason of all, for the caller */
};

static void inspection_clear(struct inspection *in)
{
	signed_voucher_clear(&in->voucher);
	cert_list_clear(&in->known);
}
#define INSPECTION_AUTO __attribute__((cleanup(inspection_clear)))

static bool add_problem(struct inspection *in, const struct err *reason, struct err *e)
{
	if (in->why->kind == ERR_NONE) {
		*in->why = *reason;
		if (in->depth > 0)
			err_prefix(in->why, "prior-signed-voucher-request");
	}
	if (json_array_append_new(in->problems, json_string(reason->text)) == 0)
		return true;
	return err_set(e, ERR_NO_MEMORY, "no memory for JSON");
}

static bool signed_by_wish(const struct inspection *in)
{
	const struct cert_list *wanted = in->wish->signers;
	if (!wanted || in->depth > 0)
		return true;
	for (size_t i = 0; i < wanted->count; i++)
		if (cert_same_key(in->voucher.signer, wanted->items[i]))
			return true;
	return false;
}

static bool put_signature(struct inspection *in, struct err *e)
{
	const char *text = "valid";
	struct err problem = in->verdict;
	if (!in->voucher.signer) { /* whom was it to be held against? */
		text = in->wish->signers && in->depth == 0 ? "invalid" : "unverifiable";
		if (!in->wish->signers && problem.kind == ERR_UNAUTHENTICATED)
			err_prefix(&problem, "name its signer with --signer");
	} else if (problem.kind != ERR_NONE) {
		text = "invalid";
	} else if (!signed_by_wish(in)) {
		text = "invalid";
		err_set(&problem, ERR_UNAUTHENTICATED, "signed by %s, not by the signer asked for",
			cert_subject(in->voucher.signer));
	}
	return render_put(in->report, "signature", json_string(text), e) &&
	       (problem.kind == ERR_NONE || add_problem(in, &problem, e));
}

/* The file that names the signer may hold its issuers as well, as those of brski-certs do. */
static bool gather_issuers(const struct inspection *in, struct cert_list *out, struct err *e)
{
	return cert_list_append(out, &in->voucher.certs, e) &&
	       (!in->wish->signers || cert_list_append(out, in->wish->signers, e));
}

static bool put_chain(struct inspection *in, struct err *e)
{
	CERT_LIST_AUTO struct cert_list issuers = CERT_LIST_INIT;
	const struct inspect_wish *wish = in->wish;
	const char *text = "not-checked";
	struct err problem = ERR_INIT;
	if (!gather_issuers(in, &issuers, e))
		return false;
	if (wish->anchors && in->voucher.signer) {
		bool good = chain_verify(
			wish->anchors, in->voucher.signer, &issuers, wish->at, NULL, &problem);
		if (good)
			problem = (struct err)ERR_INIT;
		if (good || in->depth == 0)
			text = good ? "valid" : "invalid";
		if (in->depth > 0)
			problem = (struct err)ERR_INIT;
	}
	return render_put(in->report, "chain", json_string(text), e) &&
	       (problem.kind == ERR_NONE || add_problem(in, &problem, e));
}

/* The members of the payload, as they stand there; in CBOR with their names. */
static bool put_fields(struct inspection *in, struct bytes octets, struct err *e)
{
	if (in->format->parse_content == voucher_parse_cbor)
		return render_put(in->report, "fields",
			       render_cbor_fields(
				       in->voucher.fields.kind, buf_bytes(&in->voucher.payload), e),
			       e) &&
		       render_put(in->report, "cose", render_cose(octets, e), e);
	json_t *JSON_AUTO payload = json_parse_object(buf_bytes(&in->voucher.payload), e);
	if (!payload)
		return false;
	json_t *members = json_object_iter_value(json_object_iter(payload));
	return render_put(in->report, "fields", json_incref(members), e);
}

static bool put_signing_time(struct inspection *in, struct err *e)
{
	return !in->voucher.has_signing_time ||
	       render_put(in->report, "signing-time", render_time(in->voucher.signing_time), e);
}

static bool put_signer(struct inspection *in, struct err *e)
{
	json_t *signer = in->voucher.signer ? render_cert(in->voucher.signer, e) : json_null();
	return render_put(in->report, "signer", signer, e) &&
	       render_put(in->report, "certificates", render_certs(&in->voucher.certs, e), e);
}

/* A certificate inside a member, decoded; one that is none counts against the voucher. */
static bool put_decoded(struct inspection *in, json_t *decoded, const char *name,
	const struct buf *der, struct err *e)
{
	struct err problem = ERR_INIT;
	if (der->len == 0)
		return true;
	struct cert *CERT_AUTO c = cert_parse(buf_bytes(der), &problem);
	if (c)
		return render_put(decoded, name, render_cert(c, e), e);
	err_prefix(&problem, "%s", name);
	return add_problem(in, &problem, e);
}

static bool put_member_certs(struct inspection *in, struct err *e)
{
	const struct voucher *v = &in->voucher.fields;
	json_t *decoded = json_object();
	return render_put(in->report, "decoded", decoded, e) &&
	       put_decoded(in, decoded, "pinned-domain-cert", &v->pinned_domain_cert, e) &&
	       put_decoded(
		       in, decoded, "proximity-registrar-cert", &v->proximity_registrar_cert, e);
}

/* ---- what the caller asked about the content ---- */

static bool check_nonce(struct inspection *in, struct err *e)
{
	const char *wanted = in->wish->nonce, *nonce = in->voucher.fields.nonce;
	struct err problem = ERR_INIT;
	if (!wanted || voucher_nonce_equal(nonce, wanted))
		return true;
	if (nonce)
		err_set(&problem, ERR_UNAUTHENTICATED, "nonce is %.100s, not %.100s", nonce,
			wanted);
	else
		err_set(&problem, ERR_UNAUTHENTICATED, "there is no nonce");
	return add_problem(in, &problem, e);
}

static bool check_serial(struct inspection *in, struct err *e)
{
	const char *wanted = in->wish->serial, *serial = in->voucher.fields.serial_number;
	struct err problem = ERR_INIT;
	if (!wanted || strcmp(serial, wanted) == 0)
		return true;
	err_set(&problem, ERR_UNAUTHENTICATED, "serial-number is %s, not %.128s", serial, wanted);
	return add_problem(in, &problem, e);
}

static bool check_expiry(struct inspection *in, struct err *e)
{
	const struct voucher *v = &in->voucher.fields;
	struct err problem = ERR_INIT;
	char text[DATETIME_LEN + 1];
	if (!in->wish->has_at || !v->has_expires_on || in->wish->at <= v->expires_on)
		return true;
	if (!datetime_format(v->expires_on, text, &problem))
		return add_problem(in, &problem, e);
	err_set(&problem, ERR_UNAUTHENTICATED, "expired on %s", text);
	return add_problem(in, &problem, e);
}

/* ---- one object, and the one inside ---- */

static bool inspect_one(struct bytes octets, const struct inspection *outer, struct inspection *in,
	json_t **report, struct err *e);

/* What is inside cannot be opened: the shape stays, the reason is said. */
static bool put_unreadable(struct inspection *in, const struct err *reason, struct err *e)
{
	struct err problem = *reason;
	json_t *nested = json_object();
	err_prefix(&problem, "prior-signed-voucher-request");
	return render_put(in->report, "nested", nested, e) &&
	       render_put(nested, "type", json_null(), e) &&
	       render_put(nested, "signature", json_string("unverifiable"), e) &&
	       render_put(nested, "chain", json_string("not-checked"), e) &&
	       add_problem(in, &problem, e);
}

static bool put_nested(struct inspection *in, struct err *e)
{
	const struct buf *prior = &in->voucher.fields.prior_signed_voucher_request;
	struct inspection INSPECTION_AUTO inner = {
		.wish = in->wish, .depth = in->depth + 1, .why = in->why};
	struct buf BUF_AUTO octets = BUF_INIT(INPUT_MAX);
	struct err unreadable = ERR_INIT;
	json_t *nested = NULL;
	if (prior->len == 0)
		return render_put(in->report, "nested", json_null(), e);
	if (inner.depth >= INSPECT_DEPTH_MAX)
		err_set(&unreadable, ERR_INPUT, "nested deeper than %d", INSPECT_DEPTH_MAX);
	else if (input_decode(buf_bytes(prior), &octets, &inner.format, &unreadable) &&
		 inspect_one(buf_bytes(&octets), in, &inner, &nested, &unreadable))
		return render_put(in->report, "nested", nested, e);
	return put_unreadable(in, &unreadable, e);
}

static bool fill_report(struct inspection *in, struct bytes octets, struct err *e)
{
	bool request = in->voucher.fields.kind == VOUCHER_REQUEST;
	if (!render_put(
		    in->report, "type", json_string(request ? "voucher-request" : "voucher"), e) ||
		!render_put(in->report, "format", json_string(in->format->name), e) ||
		!put_signature(in, e) || !put_chain(in, e) || !put_signing_time(in, e) ||
		!put_fields(in, octets, e) || !put_signer(in, e) || !put_member_certs(in, e))
		return false;
	if (in->depth == 0 && (!check_nonce(in, e) || !check_serial(in, e)))
		return false;
	/* last, so that the outer object's own faults are named first */
	return check_expiry(in, e) && put_nested(in, e) &&
	       render_put(in->report, "problems", json_incref(in->problems), e);
}

static bool know(struct inspection *in, const struct cert_list *certs, struct err *e)
{
	return !certs || cert_list_append(&in->known, certs, e);
}

/* A COSE may carry no certificate at all: then the signer is whom the caller named, or, of a
 * request inside of another, one of those that came with that. */
static bool gather_known(struct inspection *in, const struct inspection *outer, struct err *e)
{
	return know(in, in->wish->signers, e) &&
	       (!in->wish->anchors || know(in, anchors_certs(in->wish->anchors), e)) &&
	       (!outer || know(in, &outer->voucher.certs, e));
}

static bool inspect_one(struct bytes octets, const struct inspection *outer, struct inspection *in,
	json_t **report, struct err *e)
{
	json_t *JSON_AUTO object = json_object();
	json_t *JSON_AUTO problems = json_array();
	in->report = object;
	in->problems = problems;
	if (!gather_known(in, outer, e) ||
		!in->format->read(octets, NULL, &in->known, &in->voucher, &in->verdict, e) ||
		!fill_report(in, octets, e))
		return false;
	*report = json_incref(object);
	return true;
}

bool inspect(struct bytes octets, const struct voucher_format *format,
	const struct inspect_wish *wish, json_t **report, struct err *why, struct err *e)
{
	struct inspection INSPECTION_AUTO in = {.wish = wish, .format = format, .why = why};
	*why = (struct err)ERR_INIT;
	return inspect_one(octets, NULL, &in, report, e);
}
