/* SPDX-License-Identifier: Apache-2.0 */
/* The revocation check a voucher demands: see revocation.h. */
#include "pledge/revocation.h"

#include "common/base/clock.h"
#include "common/net/http_wait.h"
#include "common/pki/chain.h"
#include "common/pki/crl_list.h"

struct question {
	const struct revocation_input *in;
	struct cert *cert, *issuer;
	struct crl_points points;
	int64_t deadline_ms;
};

static struct crl_list *fetch(const struct question *q, const char *uri, struct err *e)
{
	BUF_AUTO struct buf der = BUF_INIT(CRL_LIST_DER_MAX);
	int64_t left_ms = q->deadline_ms - clock_mono_ms();
	struct http_fetch f = {
		.method = "GET",
		.accept = "application/pkix-crl",
		.reply_max = CRL_LIST_DER_MAX,
		.connect_ms = q->in->connect_ms,
		.timeout_ms = left_ms,
		.address_classes = q->in->address_classes,
		.signed_object = true,
	};

	if (left_ms <= 0) {
		err_set(e, ERR_PEER_TIMEOUT, "no time left");
		return NULL;
	}
	if (!uri_parse_web(uri, &f.uri, e) || !http_fetch_and_wait(&f, &der, e))
		return NULL;
	return crl_list_open(buf_bytes(&der), q->issuer, q->in->now_unix_s, e);
}

/* *revoked is the answer when true comes back. */
static bool ask_point(const struct question *q, const char *uri, bool *revoked, struct err *e)
{
	CRL_LIST_AUTO struct crl_list *list = fetch(q, uri, e);

	if (!list || !crl_list_covers(list, q->cert, &q->points, e))
		return err_prefix(e, "%s", uri);
	*revoked = crl_list_names(list, q->cert);
	return true;
}

static bool ask_points(const struct question *q, struct err *e)
{
	bool revoked = false, answered = false;

	err_set(e, ERR_UNAUTHENTICATED, "the revocation list it names cannot be fetched");
	for (size_t i = 0; i < q->points.count && !answered; i++)
		answered = ask_point(q, q->points.uri[i], &revoked, e);
	if (!answered)
		return false;
	*e = (struct err)ERR_INIT;
	return !revoked || err_set(e, ERR_UNAUTHENTICATED, "revoked");
}

/* The pin's issuer, if the registrar sent it and it is one. */
static struct cert *issuer_of_pin(const struct revocation_input *in, struct cert *pin)
{
	for (size_t i = 0; i < in->server_chain->count; i++) {
		CERT_LIST_AUTO struct cert_list one = CERT_LIST_INIT;
		ANCHORS_AUTO struct anchors *anchor = NULL;
		struct cert *c = in->server_chain->items[i];
		struct err ignored = ERR_INIT;

		if (!bytes_equal(cert_subject_der(c), cert_issuer_der(pin)) || cert_same(c, pin) ||
			!cert_list_add(&one, c, &ignored))
			continue;
		anchor = anchors_new(&one, &ignored);
		if (anchor && chain_verify(anchor, pin, NULL, in->now_unix_s, NULL, &ignored))
			return c;
	}
	return NULL;
}

static bool ask(struct question *q, size_t at, struct err *e)
{
	const struct cert_list *path = q->in->path;
	bool is_pin = at + 1 == path->count;

	q->cert = path->items[at];
	crl_points_of(q->cert, &q->points);
	if (!q->points.named)
		return (is_pin && at > 0) ||
		       err_set(e, ERR_UNAUTHENTICATED, "no revocation list is named in it");
	if (is_pin && at > 0 && cert_is_self_signed(q->cert))
		return true; /* a root is not on a list of its own */
	q->issuer = is_pin ? issuer_of_pin(q->in, q->cert) : path->items[at + 1];
	if (!q->issuer)
		return err_set(e, ERR_UNAUTHENTICATED, "its issuer did not come along");
	return ask_points(q, e);
}

bool revocation_check(const struct revocation_input *in, struct err *e)
{
	struct question q = {.in = in, .deadline_ms = clock_mono_ms() + in->timeout_ms};

	for (size_t i = 0; i < in->path->count; i++) {
		if (ask(&q, i, e))
			continue;
		if (e->kind != ERR_NO_MEMORY)
			e->kind = ERR_UNAUTHENTICATED;
		return err_prefix(e, "revocation check demanded (RFC 8366 §5.3): %s",
			cert_subject(in->path->items[i]));
	}
	return true;
}
