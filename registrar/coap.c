/* SPDX-License-Identifier: Apache-2.0 */
/* The table of CoAP resources. Long names have no CoAP form; short ones stand below the two bases,
 * each of which has a shorter alias (row R-20), and a number instead of a path. */
#include "registrar/coap.h"

#include <arpa/inet.h>
#include <string.h>

#include "common/message/status_report.h"
#include "common/net/http_listen.h"
#include "common/wire/coap_format.h"
#include "registrar/enroll.h"
#include "registrar/est.h"
#include "registrar/onboard.h"
#include "registrar/telemetry.h"

#define BRSKI "/.well-known/brski"
#define EST   "/.well-known/est"

/* In which form a certificate goes out to who does not ask for one is configured. */
static const uint32_t certificates[] = {
	COAP_FORMAT_PKCS7_CERTS, COAP_FORMAT_PKIX_CERT, COAP_FORMAT_NONE};
static const uint32_t vouchers[] = {COAP_FORMAT_VOUCHER_COSE, COAP_FORMAT_NONE};
static const uint32_t ca_certificates[] = {
	COAP_FORMAT_PKCS7_CERTS, COAP_FORMAT_MULTIPART, COAP_FORMAT_PKIX_CERT, COAP_FORMAT_NONE};
static const uint32_t attributes[] = {COAP_FORMAT_CSRATTRS, COAP_FORMAT_NONE};
static const uint32_t keys[] = {COAP_FORMAT_MULTIPART, COAP_FORMAT_NONE};

/* clang-format off */
const struct coap_route registrar_coap_routes[] = {
	{"POST", BRSKI "/rv", onboard_handle, COAPS_REQUEST_MAX, COAP_FORMAT_VOUCHER_COSE, vouchers, 402, "brski.rv"},
	{"POST", BRSKI "/vs", telemetry_voucher_status, STATUS_REPORT_MAX, COAP_FORMAT_NONE, NULL, 403, "brski.vs"},
	{"POST", BRSKI "/es", telemetry_enroll_status, STATUS_REPORT_MAX, COAP_FORMAT_NONE, NULL, 401, "brski.es"},
	{"GET", EST "/crts", est_cacerts, 0, COAP_FORMAT_NONE, ca_certificates, 301, "ace.est.crts"},
	{"GET", EST "/att", est_csrattrs, 0, COAP_FORMAT_NONE, attributes, 306, "ace.est.att"},
	{"POST", EST "/sen", enroll_simple, COAPS_REQUEST_MAX, COAP_FORMAT_PKCS10, certificates, 302, "ace.est.sen"},
	{"POST", EST "/sren", enroll_renew, COAPS_REQUEST_MAX, COAP_FORMAT_PKCS10, certificates, 303, "ace.est.sren"},
	{"POST", EST "/skg", enroll_keygen, COAPS_REQUEST_MAX, COAP_FORMAT_PKCS10, keys, 304, "ace.est.skg"},
	{"POST", EST "/skc", enroll_keygen_pkix, COAPS_REQUEST_MAX, COAP_FORMAT_PKCS10, keys, 305, "ace.est.skc"},
};
/* clang-format on */
const size_t registrar_coap_route_count =
	sizeof(registrar_coap_routes) / sizeof(*registrar_coap_routes);

const struct coap_root registrar_coap_roots[] = {
	{BRSKI, "/b", "brski"},
	{EST, "/e", "ace.est"},
};
const size_t registrar_coap_root_count =
	sizeof(registrar_coap_roots) / sizeof(*registrar_coap_roots);

bool coap_addresses_check(const struct registrar_config *c, struct err *e)
{
	if ((!c->coaps_listen || http_listen_is_address(c->coaps_listen, e)) &&
		(!c->jpy_listen || http_listen_is_address(c->jpy_listen, e)))
		return true;
	return err_prefix(e, "[coaps]");
}

/* ---- To be found ---- */

/* The port a registrar serves is also the one where a pledge in its reach may join (row X-05). */
static void offer(struct coap_responder *responder, const struct coap_server *server)
{
	uint16_t coaps = coap_server_port(server), jpy = coap_server_jpy_port(server);
	const struct coap_offer offers[] = {
		{COAP_OFFER_JOIN_PORT, coaps, NULL, NULL},
		{COAP_OFFER_COAPS, coaps, "/b", "brski"},
		{COAP_OFFER_COAPS, coaps, "/e", "ace.est"},
		/* as draft-ietf-anima-brski-discovery §3.5.3 has it (row DISC-REG-005) */
		{COAP_OFFER_COAPS, coaps, NULL, "brski.rs"},
		{COAP_OFFER_JPY, jpy, NULL, NULL},
		{COAP_OFFER_JPY, jpy, NULL, "brski.rjpy"},
	};
	const size_t of_jpy = 2; /* the last ones */

	coap_responder_offer(
		responder, offers, sizeof(offers) / sizeof(*offers) - (jpy ? 0 : of_jpy));
}

/* "fe80::1%eth0" is one too; an interface is named without colons and never like an IPv4 address.
 */
static bool is_address(const char *word)
{
	struct in_addr ipv4;

	return strchr(word, ':') || inet_pton(AF_INET, word, &ipv4) == 1;
}

static bool add_responder(struct registrar *r, struct loop *l, const char *word, struct err *e)
{
	struct coap_responder_config config = {
		.loop = l, .log = &r->log, .port = (uint16_t)r->setup->config.discovery_port};
	struct coap_responder *responder;

	if (r->responder_count == DISCOVERY_MAX)
		return err_set(e, ERR_INPUT, "more than %d places", DISCOVERY_MAX);
	if (is_address(word))
		config.address = word;
	else
		config.interface = word;
	responder = coap_responder_new(&config, e);
	if (!responder)
		return err_prefix(e, "%s", word);
	r->responders[r->responder_count++] = responder;
	offer(responder, r->coap);
	return true;
}

static bool start_responders(struct registrar *r, struct loop *l, struct err *e)
{
	FREE_AUTO char *words = NULL;
	char *rest, *word;

	if (!r->setup->config.discovery)
		return true;
	words = rest = str_dup(r->setup->config.discovery, e);
	if (!words)
		return false;
	while ((word = strsep(&rest, " \t,")) != NULL)
		if (*word && !add_responder(r, l, word, e))
			return err_prefix(e, "discovery");
	return true;
}

/* ---- Starting and stopping ---- */

bool coap_start(struct registrar *r, struct loop **loops, size_t loop_count, struct err *e)
{
	const struct registrar_config *c = &r->setup->config;
	const struct coap_server_config config = {
		.listen = c->coaps_listen,
		.jpy_listen = c->jpy_listen,
		.tls = r->setup->dtls,
		.routes = registrar_coap_routes,
		.route_count = registrar_coap_route_count,
		.roots = registrar_coap_roots,
		.root_count = registrar_coap_root_count,
		.app = r,
		.limits.mtu = (size_t)c->coaps_mtu,
		.cache = r->cert_cache,
		.log = &r->log,
	};

	if (!c->coaps_listen)
		return true;
	r->coap = coap_server_new(&config, loops, loop_count, e);
	return (r->coap && start_responders(r, loops[0], e)) || err_prefix(e, "[coaps]");
}

static void withdraw(void *registrar)
{
	struct registrar *r = registrar;

	for (size_t i = 0; i < r->responder_count; i++)
		coap_responder_offer(r->responders[i], NULL, 0);
}

void coap_drain(struct registrar *r, loop_fn *done)
{
	struct err e = ERR_INIT;

	if (r->responder_count && !loop_post(r->workers[0].loop, withdraw, r, &e))
		log_err(&r->log, "discovery-goes-on", NULL, &e);
	coap_server_drain(r->coap, DRAIN_MS, done, r);
}

void coap_stop(struct registrar *r)
{
	for (size_t i = 0; i < r->responder_count; i++)
		coap_responder_free(r->responders[i]);
	coap_server_free(r->coap);
}
