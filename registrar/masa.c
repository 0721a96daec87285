/* SPDX-License-Identifier: Apache-2.0 */
/* One request to a MASA over HTTPS. Only the manufacturer's own anchors count for its certificate,
 * and only address classes the administrator allowed are connected to: the URI comes out of a
 * certificate that any manufacturer's device may show (DESIGN: who checks what). */
#include "registrar/masa.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/net/status.h"
#include "common/pki/idevid.h"
#include "common/wire/media_type.h"
#include "registrar/masa_gate.h"

/* How a MASA is told from others: "masa.example:443". */
static void gate_name(const struct uri *uri, char *out, size_t size)
{
	snprintf(
		out, size, uri->host_is_ipv6 ? "[%s]:%u" : "%s:%u", uri->host, (unsigned)uri->port);
}

static bool can_be_asked(struct registrar *r, const struct uri *uri)
{
	char name[sizeof(((struct masa_pass *)0)->name)];

	gate_name(uri, name, sizeof(name));
	return masa_gate_passes(r->masa_gates, name, clock_mono_ms());
}

/* The one to ask next; masa_count: there is none left. */
static size_t choose(struct registrar *r, const struct manufacturer *m, unsigned tried)
{
	size_t left = m->masa_count;

	for (size_t i = m->masa_count; i-- > 0;)
		if (!(tried & 1u << i))
			left = i;
	for (size_t i = left; i < m->masa_count; i++)
		if (!(tried & 1u << i) && can_be_asked(r, &m->masas[i]))
			return i;
	return left;
}

bool masa_has_another(struct registrar *r, const struct manufacturer *m, unsigned tried)
{
	const size_t i = choose(r, m, tried);

	return i < m->masa_count && can_be_asked(r, &m->masas[i]);
}

bool masa_address(struct registrar *r, const struct manufacturer *m, const struct cert *idevid,
	unsigned *tried, struct uri *out, struct err *e)
{
	const size_t i = choose(r, m, *tried);

	if (i < m->masa_count) {
		*out = m->masas[i];
		*tried |= 1u << i;
		return true;
	}
	if (!idevid) {
		err_set(e, ERR_UNWANTED, "no masa_url is configured");
		return err_tell(e, "masa_url of this manufacturer is not configured: say "
				   "--masa-url, or set it in its section and reload.");
	}
	if (idevid_masa_uri(idevid, out, e))
		return true;
	if (e->kind == ERR_INPUT || e->kind == ERR_NOT_FOUND)
		e->kind = ERR_UNWANTED;
	err_prefix(e, "MASA address in the IDevID");
	return err_tell(e, "The device names no MASA that could be asked.");
}

static bool add_resource(struct uri *uri, const char *resource, struct err *e)
{
	size_t len = strlen(uri->path);
	int n = snprintf(uri->path + len, sizeof(uri->path) - len, "/%s", resource);

	if (n < 0 || (size_t)n >= sizeof(uri->path) - len)
		return err_set(e, ERR_UNWANTED, "the MASA's address is too long");
	return true;
}

/* ---- One request, and what the gate makes of it ---- */

struct asking {
	struct registrar *r;
	struct masa_pass pass;
	struct masa_gate_limits limits;
	http_done *done;
	void *arg;
};

bool masa_has_answered(const struct http_reply *reply)
{
	return reply && reply->status < 500;
}

static void log_change(const struct asking *a, enum masa_gate_state now_is)
{
	log_event(&a->r->log, now_is == MASA_GATE_CLOSED ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
		now_is == MASA_GATE_CLOSED ? "masa-asked-again" : "masa-left-alone", NULL, "masa",
		a->pass.name, NULL);
}

static enum masa_outcome outcome_of(const struct http_reply *reply, const struct err *failure)
{
	if (masa_has_answered(reply))
		return MASA_ANSWERED;
	if (!failure)
		return MASA_FAILED;
	return failure->kind == ERR_NO_MEMORY || failure->kind == ERR_IO ||
			       failure->kind == ERR_REFUSED
		       ? MASA_NOT_TRIED
		       : MASA_FAILED;
}

static void on_reply(void *arg, const struct http_reply *reply, const struct err *failure)
{
	struct asking *a = arg;
	enum masa_gate_state now_is;

	if (masa_gate_leave(a->r->masa_gates, &a->pass, outcome_of(reply, failure), &a->limits,
		    clock_mono_ms(), &now_is))
		log_change(a, now_is);
	a->done(a->arg, reply, failure);
	free(a);
}

static bool left_alone(const struct masa_request *q, int64_t wait_ms, struct err *e)
{
	if (q->wait_ms)
		*q->wait_ms = wait_ms;
	err_set(e, ERR_RETRY_LATER, "it is left alone for %lld ms after it failed",
		(long long)wait_ms);
	uri_blame(&q->uri, e);
	return err_tell(e, "The MASA of this device cannot be reached now.");
}

static bool fetch(struct registrar *r, struct loop *l, const struct masa_request *q,
	const struct http_fetch *f, http_done *done, void *arg, struct err *e)
{
	struct asking *a = mem_new(sizeof(*a), e);
	char name[sizeof(a->pass.name)];
	enum masa_gate_state now_is;
	int64_t wait_ms = 0;

	if (!a)
		return false;
	*a = (struct asking){.r = r,
		.limits = {q->setup->config.masa_failures, q->setup->config.masa_pause * 1000},
		.done = done,
		.arg = arg};
	gate_name(&f->uri, name, sizeof(name));
	if (!masa_gate_enter(r->masa_gates, name, clock_mono_ms(), &a->pass, &wait_ms) &&
		!q->at_once) {
		free(a);
		return left_alone(q, wait_ms, e);
	}
	if (http_fetch(registrar_masa_client(r, l), f, on_reply, a, e))
		return true;
	(void)masa_gate_leave(
		r->masa_gates, &a->pass, MASA_NOT_TRIED, &a->limits, clock_mono_ms(), &now_is);
	free(a);
	return false;
}

bool masa_send(struct registrar *r, struct loop *l, const struct masa_request *q, http_done *done,
	void *arg, struct err *e)
{
	const struct manufacturer *m = q->manufacturer;
	const struct manufacturer_config *c = m->config;
	const struct registrar_config *own = &q->setup->config;
	bool show_cert = c->masa_certificate && !q->foreign_origin;
	bool show_user = c->masa_user && !q->foreign_origin;
	struct http_fetch f = {
		.uri = q->uri,
		.method = q->media_type ? "POST" : "GET",
		.content_type = q->media_type ? masa_media_type(m, q->media_type) : NULL,
		.accept = masa_media_type(m, q->accept),
		.exchange = q->exchange,
		.fields = q->fields,
		.field_count = q->field_count,
		.ca_pem = buf_bytes(&m->masa_anchors_pem),
		.basic_user = show_user ? c->masa_user : NULL,
		.basic_password = show_user ? buf_str(&m->masa_password) : NULL,
		.body = q->body,
		.reply_max = q->reply_max,
		.connect_ms = own->masa_connect * 1000,
		.timeout_ms = own->masa_timeout * 1000,
		.address_classes = own->masa_addresses,
	};

	if (show_cert) {
		f.client_cert_pem = buf_bytes(&q->face->certificate_pem);
		f.client_key_pem = buf_bytes(&q->face->key_pem);
	}
	if (q->resource && !add_resource(&f.uri, q->resource, e))
		return false;
	return fetch(r, l, q, &f, done, arg, e);
}

static bool prefix_masa(const struct uri *base, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(URI_HOST_MAX + URI_PATH_MAX + 32);
	struct err ignored = ERR_INIT;

	if (!uri_format(base, &text, &ignored))
		return err_prefix(e, "MASA");
	return err_prefix(e, "MASA %s", buf_str(&text));
}

bool masa_transport_error(const struct uri *base, const struct err *cause, struct err *e)
{
	*e = *cause;
	prefix_masa(base, e);
	if (e->kind == ERR_PEER_TIMEOUT)
		return err_tell(e, "The MASA of this device did not answer in time.");
	if (e->kind == ERR_RETRY_LATER)
		return err_tell(e, "The MASA of this device cannot be reached now.");
	if (e->kind == ERR_REFUSED)
		return err_tell(e, "The MASA of this device is at an address not allowed here.");
	if (e->kind == ERR_PEER)
		return err_tell(e, "The MASA of this device could not be trusted or understood.");
	return false;
}

/* What a refusal by the MASA is towards the pledge; whatever is not here is a fault of the MASA or
 * of ours, and not the pledge's: 502. A 401 means that it wants to know us better: an
 * administrator has to see to that (RFC 8995 §5.4). */
static const struct {
	int status;
	enum err_kind kind;
	const char *sentence;
} refusals[] = {
	{403, ERR_REFUSED,
		"The MASA refuses a voucher for this device to this site; its log says why."},
	{404, ERR_UNKNOWN_DEVICE, "The MASA does not know this device."},
	{406, ERR_NOT_ACCEPTABLE, "The MASA has no voucher in a format this device accepts."},
	{429, ERR_RETRY_LATER, "The MASA of this device is busy."},
	{503, ERR_RETRY_LATER, "The MASA of this device is busy."},
	{401, ERR_PEER, "The MASA of this device does not let this site in."},
};

bool masa_status_error(const struct uri *base, int status, struct bytes text, struct err *e)
{
	char said[121];
	size_t len = text.len < sizeof(said) - 1 ? text.len : sizeof(said) - 1;
	enum err_kind kind = ERR_PEER;
	const char *sentence = "The MASA of this device answered with an error.";

	memcpy(said, len ? text.data : (const uint8_t *)"", len);
	said[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)said[i] < 0x20 || said[i] == 0x7f)
			said[i] = ' ';
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++)
		if (refusals[i].status == status) {
			kind = refusals[i].kind;
			sentence = refusals[i].sentence;
		}
	err_set(e, kind, "answered %d %s: \"%s\"", status, status_reason(status), said);
	prefix_masa(base, e);
	return err_tell(e, "%s", sentence);
}

enum err_kind masa_constrained_kind(int status, enum err_kind kind)
{
	if (status == 401)
		return ERR_PEER_LOGIN;
	return status == 415 ? ERR_UNSUPPORTED_TYPE : kind;
}

const char *masa_media_type(const struct manufacturer *m, const char *type)
{
	return strcmp(type, VOUCHER_COSE) == 0 ? m->config->cose_media_type : type;
}

bool masa_media_type_is(const struct manufacturer *m, const char *type, const char *said)
{
	char name[MEDIA_TYPE_MAX + 1];

	return media_type_is(said, type) ||
	       (media_type_name(masa_media_type(m, type), name) && media_type_is(said, name));
}

void masa_accept(const char *pledge_accept, const char *request_type, char *out)
{
	static const char *const wildcard[] = {"x-none/x-none"};
	bool names_types = pledge_accept && strlen(pledge_accept) <= ACCEPT_MAX &&
			   media_type_negotiate(pledge_accept, wildcard, 1) < 0;

	snprintf(out, ACCEPT_MAX + 1, "%s", names_types ? pledge_accept : request_type);
}
