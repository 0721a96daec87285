/* SPDX-License-Identifier: Apache-2.0 */
/* The table of brski-masa's options: the parser, --check and --help all live from it. */
#include "masa/config.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/message/audit_log.h"
#include "common/net/http_client.h"
#include "common/net/network.h"
#include "common/pki/idevid.h"
#include "common/run/daemon.h"

#define AT(field) offsetof(struct masa_config, field)
#define YEAR_S	  (365 * 86400)

/* in the order of the enums they stand for: ownership, nonceless, pin, revocation_policy */
static const char *const ownerships[] = {"audit-only", "known-owner", NULL};
static const char *const noncelesses[] = {"refuse", "owners", NULL};
static const char *const pins[] = {"lowest-ca", "end-entity", "highest-ca", NULL};
static const char *const revocations[] = {"require", "prefer", "off", NULL};

static const struct config_option options[] = {
	{"server", "listen", CONFIG_STRING, AT(listen), "127.0.0.1:9443", 0, 0, NULL,
		"Address and port for registrars."},
	{"server", "key", CONFIG_PATH, AT(tls_key), NULL, 0, 0, NULL, "PEM key of the TLS server."},
	{"server", "certificate", CONFIG_PATH, AT(tls_certificate), NULL, 0, 0, NULL,
		"PEM certificate of the TLS server, then its chain."},
	{"server", "workers", CONFIG_INT, AT(workers), "0", 0, WORKERS_MAX, NULL,
		"Worker threads; 0: as many as cores."},
	{"server", "proxy_protocol_from", CONFIG_WORDS, AT(proxied_from), "", 0, 0, NULL,
		"Networks of load balancers whose connections begin with a PROXY header of version "
		"2, e.g. 192.0.2.10/32; unset: none do."},
	{"store", "path", CONFIG_STORE, AT(store_path), NULL, 0, 0, NULL,
		"Database file, or the postgresql:// URI of a database: devices, owners, audit "
		"log."},
	{"log", "level", CONFIG_CHOICE, AT(log_level), "info", 0, 0, log_level_names,
		"What is logged, to stderr."},
	{"admin", "socket", CONFIG_PATH, AT(admin_socket), "", 0, 0, NULL,
		"Unix socket for masactl; empty: none."},
	{"admin", "group", CONFIG_STRING, AT(admin_group), "", 0, 0, NULL,
		"Group that may use the socket; empty: the service's user alone."},
	{"admin", "listen", CONFIG_STRING, AT(admin_listen), "", 0, 0, NULL,
		"Address and port for masactl over HTTPS with a token, apart from the registrars', "
		"e.g. [::]:9444; unset: none."},
	{"admin", "key", CONFIG_PATH, AT(admin_key), "", 0, 0, NULL,
		"PEM key for it; unset: that of the TLS server."},
	{"admin", "certificate", CONFIG_PATH, AT(admin_certificate), "", 0, 0, NULL,
		"PEM certificate for it, then its chain; unset: that of the TLS server."},
	{"admin", "tokens", CONFIG_PATH, AT(admin_tokens), "", 0, 0, NULL,
		"File with a line for each token: NAME SHA256HEX [read|all|lookup] [UNTIL]; only "
		"its owner may write it."},
	{"metrics", "listen", CONFIG_STRING, AT(metrics_listen), "", 0, 0, NULL,
		"Address and port where GET /metrics, /healthz and /readyz are answered over plain "
		"HTTP, to anybody who reaches it: loopback or a network of the administrators, "
		"e.g. "
		"127.0.0.1:9465; unset: nowhere."},
	{"signer", "key", CONFIG_PATH, AT(signer_key), NULL, 0, 0, NULL,
		"PEM key that signs vouchers."},
	{"signer", "certificate", CONFIG_PATH, AT(signer_certificate), NULL, 0, 0, NULL,
		"PEM certificate of the voucher signer, then the chain to put into vouchers."},
	{"signer", "nonceless_key", CONFIG_PATH, AT(nonceless_key), "", 0, 0, NULL,
		"Another key for vouchers without a nonce; empty: the same."},
	{"signer", "nonceless_certificate", CONFIG_PATH, AT(nonceless_certificate), "", 0, 0, NULL,
		"Its certificate and chain."},
	{"devices", "anchors", CONFIG_PATH, AT(device_anchors), NULL, 0, 0, NULL,
		"PEM anchors of our devices' IDevID certificates."},
	{"cloud", "registrars", CONFIG_PATH, AT(cloud_registrars), "", 0, 0, NULL,
		"PEM certificates of cloud registrars, or anchors above them (those with cmcRA "
		"count): "
		"who may look up owners, and is given vouchers that name an owner's EST server; "
		"unset: nobody, but for tokens of the kind lookup."},
	{"devices", "serial_from", CONFIG_CHOICE, AT(serial_from), "subject", 0, 0,
		idevid_serial_source_names, "Where an IDevID carries the serial number."},
	{"policy", "ownership", CONFIG_CHOICE, AT(ownership), "audit-only", 0, 0, ownerships,
		"audit-only: any registrar beside the device, logged; known-owner: the device's "
		"owner only."},
	{"policy", "nonceless", CONFIG_CHOICE, AT(nonceless), "refuse", 0, 0, noncelesses,
		"Who gets vouchers without a nonce."},
	{"policy", "nonceless_lifetime", CONFIG_DURATION, AT(nonceless_lifetime_s), "20m", 60,
		YEAR_S, NULL, "How long a voucher without a nonce is good."},
	{"policy", "renewal_promise", CONFIG_DURATION, AT(renewal_promise_s), "0", 0, 50LL * YEAR_S,
		NULL,
		"How long renewals of such a voucher are promised (last-renewal-date); 0: no "
		"promise."},
	{"policy", "pin", CONFIG_CHOICE, AT(pin), "lowest-ca", 0, 0, pins,
		"Which certificate of the registrar's chain a voucher with a nonce pins."},
	{"policy", "require_prior", CONFIG_BOOL, AT(require_prior), "yes", 0, 0, NULL,
		"Whether a request with a nonce must contain the device's own signed request."},
	{"policy", "crls", CONFIG_PATH, AT(crls), "", 0, 0, NULL,
		"PEM revocation lists of registrars' CAs; empty: "
		"none."},
	{"policy", "revocation", CONFIG_CHOICE, AT(revocation), "require", 0, 0, revocations,
		"Revocation lists that a registrar's certificates point to. require: no voucher "
		"when one cannot be had; prefer: then without it; off: not fetched."},
	{"policy", "revocation_addresses", CONFIG_FLAGS, AT(revocation_addresses), "global", 0, 0,
		http_address_class_names,
		"Where such lists may be fetched from; the address stands in a stranger's "
		"certificate."},
	{"audit", "full_events", CONFIG_INT, AT(audit_full_events), "256", 1, AUDIT_LOG_EVENTS_MAX,
		NULL, "Events a device's audit log answer may have before it is abridged."},
	{"rate", "per_registrar_per_minute", CONFIG_INT, AT(per_registrar_per_minute), "6000", 0,
		100000000, NULL, "Requests one registrar may make; 0: no limit."},
};

/* Sockets and the store are opened once. */
static const char *const at_start_only[] = {"[server] listen", "[server] workers",
	"[server] proxy_protocol_from", "[store] path", "[admin] socket", "[admin] group",
	"[admin] listen", "[metrics] listen", NULL};

const struct config_schema masa_config_schema = {
	.options = options,
	.option_count = sizeof(options) / sizeof(*options),
	.at_start_only = at_start_only,
};

static long port_of(const char *address)
{
	const char *colon = strrchr(address, ':');

	return colon ? strtol(colon + 1, NULL, 10) : 0;
}

/* Nobody could use a listener without tokens. And sockets share a port here: two listeners at one
 * would each get some of the other's connections, whatever their addresses are called. */
static bool admin_check(const char *path, const struct masa_config *c, struct err *e)
{
	if (!c->admin_key != !c->admin_certificate)
		return err_set(e, ERR_INPUT, "%s: [admin] key and certificate go together", path);
	if (c->admin_listen && !c->admin_tokens)
		return err_set(e, ERR_INPUT, "%s: [admin] listen needs tokens beside it", path);
	if (c->admin_listen && port_of(c->admin_listen) &&
		port_of(c->admin_listen) == port_of(c->listen))
		return err_set(e, ERR_INPUT,
			"%s: [admin] listen needs another port than [server] listen", path);
	return true;
}

bool masa_config_load(const char *path, struct masa_config *out, struct err *e)
{
	struct networks balancers;

	if (!config_load(path, &masa_config_schema, out, e))
		return false;
	if (!out->nonceless_key != !out->nonceless_certificate)
		return err_set(e, ERR_INPUT,
			"%s: [signer] nonceless_key and nonceless_certificate go together", path);
	if (out->admin_group && !out->admin_socket)
		return err_set(e, ERR_INPUT, "%s: [admin] group without a socket", path);
	if (!networks_parse(out->proxied_from, &balancers, e))
		return err_prefix(e, "%s: [server] proxy_protocol_from", path);
	return admin_check(path, out, e);
}

void masa_config_clear(struct masa_config *c)
{
	config_clear(&masa_config_schema, c);
}
