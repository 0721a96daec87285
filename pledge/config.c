/* SPDX-License-Identifier: Apache-2.0 */
/* The table of options. */
#include "pledge/config.h"

#include "common/net/http_client.h"
#include "pledge/limits.h"
#include "pledge/pin.h"

#define DAY_S (24 * 3600)

static const char *const key_types[] = {"ec-p256", "ec-p384", "rsa-3072", "ed25519", NULL};
static const char *const key_sources[] = {"own", "registrar", NULL};
static const char *const nonceless[] = {"accept", "refuse", NULL};
static const char *const assertions[] = {"any", "proximity", "verified", NULL};

static const char *const proxy_modes[] = {"auto", "stateless", "stateful", "off", NULL};

#define AT(field) offsetof(struct pledge_config, field)

static const struct config_option options[] = {
	{"device", "idevid_key", CONFIG_PATH, AT(idevid_key), NULL, 0, 0, NULL,
		"Private key the device got in the factory (PEM)."},
	{"device", "idevid_certificate", CONFIG_PATH, AT(idevid_certificate), NULL, 0, 0, NULL,
		"Its IDevID certificate, then the issuers to send along (PEM)."},
	{"device", "masa_anchors", CONFIG_PATH, AT(masa_anchors), NULL, 0, 0, NULL,
		"Manufacturer's anchors for the signatures on vouchers (PEM)."},
	{"device", "state_dir", CONFIG_PATH, AT(state_dir), "/var/lib/brski-pledge", 0, 0, NULL,
		"Directory for what the device is given; must be writable."},
	{"device", "trusted_clock", CONFIG_BOOL, AT(trusted_clock), "yes", 0, 0, NULL,
		"Whether the clock is right before the device has joined."},
	{"device", "key_type", CONFIG_CHOICE, AT(key_type), "ec-p256", 0, 0, key_types,
		"Key to make for the site's certificate, unless the registrar asks for another."},
	{"device", "key_source", CONFIG_CHOICE, AT(key_source), "own", 0, 0, key_sources,
		"Who makes that key: the device, or over CoAPS the registrar for one that cannot."},
	{"registrars", "urls", CONFIG_WORDS, AT(urls), "", 0, 0, NULL,
		"Registrars, https://host:port or coaps://host:port separated by blanks, tried in "
		"this order."},
	{"registrars", "discover", CONFIG_WORDS, AT(discover), "auto", 0, 0, NULL,
		"Interfaces where others are looked for, or all; addresses are asked by CoAP; off; "
		"auto: all when no urls are given."},
	{"registrars", "mdns", CONFIG_WORDS, AT(mdns), "[ff02::fb]:5353 224.0.0.251:5353", 0, 0,
		NULL, "Groups of mDNS to listen to and to ask; empty: no mDNS."},
	{"registrars", "grasp", CONFIG_WORDS, AT(grasp), "[ff02::13]:7017", 0, 0, NULL,
		"Group of GRASP to listen to; empty: no GRASP."},
	{"registrars", "resolver", CONFIG_PATH, AT(resolver), "/etc/resolv.conf", 0, 0, NULL,
		"File with the resolvers and domains to ask by unicast DNS; empty: none."},
	{"registrars", "cloud", CONFIG_STRING, AT(cloud), "", 0, 0, NULL,
		"The manufacturer's cloud registrar, https://host[:port][/path], asked when no "
		"other lets the device in; unset: none."},
	{"registrars", "cloud_anchors", CONFIG_PATH, AT(cloud_anchors),
		"/etc/ssl/certs/ca-certificates.crt", 0, 0, NULL,
		"Anchors by which the cloud registrar, and whom it redirects to, is known (PEM)."},
	{"registrars", "discovery_port", CONFIG_INT, AT(discovery_port), "5683", 1, 65535, NULL,
		"UDP port where join proxies are asked by CoAP."},
	{"retry", "attempts", CONFIG_INT, AT(attempts), "0", 0, 1000000, NULL,
		"Rounds over the list of registrars; 0 never gives up."},
	{"retry", "budget", CONFIG_DURATION, AT(budget_s), "0s", 0, 365 * (int64_t)DAY_S, NULL,
		"Time for all rounds together, waiting included; 0 is no limit."},
	{"retry", "backoff_min", CONFIG_DURATION, AT(backoff_min_s), "2s", 1, 3600, NULL,
		"Longest pause after the first round; doubles each round."},
	{"retry", "backoff_max", CONFIG_DURATION, AT(backoff_max_s), "1h", 1, DAY_S, NULL,
		"Longest pause between rounds."},
	{"retry", "pending_max", CONFIG_DURATION, AT(pending_max_s), "4d", 1, 30 * DAY_S, NULL,
		"How long to wait for a registrar that answers: not yet."},
	{"retry", "connect_timeout", CONFIG_DURATION, AT(connect_timeout_s), "5s", 1, 300, NULL,
		"Time to connect, TLS included."},
	{"retry", "timeout", CONFIG_DURATION, AT(timeout_s), "30s", 1, 600, NULL,
		"Time for one answer."},
	{"retry", "retry_after_max", CONFIG_DURATION, AT(retry_after_max_s), "60s", 1, 3600, NULL,
		"Longest pause a registrar can ask for."},
	{"policy", "nonceless", CONFIG_CHOICE, AT(nonceless), "accept", 0, 0, nonceless,
		"Vouchers without a nonce (made in advance, for sites that are off-line)."},
	{"policy", "assertion", CONFIG_CHOICE, AT(assertion), "any", 0, 0, assertions,
		"What the manufacturer must assert: any, proximity (or verified), verified."},
	{"policy", "renew_before", CONFIG_DURATION, AT(renew_before_s), "30d", 0,
		3650 * (int64_t)DAY_S, NULL,
		"How long before its end the certificate may be renewed."},
	{"policy", "revocation_addresses", CONFIG_FLAGS, AT(revocation_addresses), "global private",
		0, 0, http_address_class_names,
		"Where revocation lists may be fetched from, when a voucher demands that."},
	{"coaps", "proximity", CONFIG_CHOICE, AT(coaps_proximity), "pubk", 0, 0, pin_form_names,
		"How a request names the registrar: its public key, that key's SHA-256, its "
		"certificate."},
	{"coaps", "csrattrs", CONFIG_BOOL, AT(coaps_csrattrs), "no", 0, 0, NULL,
		"Ask what the certificate request has to carry."},
	{"coaps", "connect_timeout", CONFIG_DURATION, AT(coaps_connect_timeout_s), "20s", 1, 300,
		NULL, "Time to connect on a link that loses datagrams, DTLS included."},
	{"coaps", "deadline", CONFIG_DURATION, AT(coaps_deadline_s), "2m", 1, 3600, NULL,
		"How long a lost session is opened again, waits the registrar asks for left out."},
	{"coaps", "mtu", CONFIG_INT, AT(coaps_mtu), "1024", COAPS_MTU_MIN, COAPS_MTU_MAX, NULL,
		"Octets of a datagram at most."},
	{"proxy", "listen", CONFIG_WORDS, AT(proxy.listen), "", 0, 0, NULL,
		"Interfaces, or addresses, where devices nearby are served; unset: no proxy."},
	{"proxy", "registrars", CONFIG_WORDS, AT(proxy.registrars), "", 0, 0, NULL,
		"Registrars to relay to, https://, coaps:// or jpy://host:port; auto: found; "
		"unset: those for CoAPS are found, that for HTTPS is the device's own."},
	{"proxy", "announce", CONFIG_WORDS, AT(proxy.announce), "", 0, 0, NULL,
		"Interfaces where devices are told of it, or none; unset: those in listen."},
	{"proxy", "mdns", CONFIG_BOOL, AT(proxy.announce_mdns), "yes", 0, 0, NULL,
		"Tell by multicast DNS (_brski-proxy._tcp)."},
	{"proxy", "grasp", CONFIG_BOOL, AT(proxy.announce_grasp), "yes", 0, 0, NULL,
		"Tell by GRASP (AN_Proxy)."},
	{"proxy", "probe", CONFIG_DURATION, AT(proxy.probe_s), "30s", 1, 60, NULL,
		"Time from one look for registrars, and at whether they are there, to the next."},
	{"proxy", "mdns_port", CONFIG_INT, AT(proxy.mdns_port), "5353", 1, 65535, NULL,
		"UDP port where uplinks are asked; another one is for tests only."},
	{"proxy", "grasp_port", CONFIG_INT, AT(proxy.grasp_port), "7017", 1, 65535, NULL,
		"UDP port for GRASP; another one is for tests only."},
	{"proxy", "uplinks", CONFIG_WORDS, AT(proxy.uplinks), "", 0, 0, NULL,
		"Interfaces to look for registrars on; unset: all that are not in listen."},
	{"proxy", "coap", CONFIG_CHOICE, AT(proxy.coap), "auto", 0, 0, proxy_modes,
		"How CoAPS is relayed; auto is stateless with a registrar that can, else "
		"stateful."},
	{"proxy", "circuit", CONFIG_BOOL, AT(proxy.circuit), "yes", 0, 0, NULL,
		"Whether HTTPS is relayed."},
	{"proxy", "https_port", CONFIG_INT, AT(proxy.https_port), "0", 0, 65535, NULL,
		"Port for HTTPS; 0 is any."},
	{"proxy", "coaps_port", CONFIG_INT, AT(proxy.coaps_port), "0", 0, 65535, NULL,
		"Port for CoAPS, for further registrars the next ones; 0 is any."},
	{"proxy", "discovery_port", CONFIG_INT, AT(proxy.discovery_port), "5683", 0, 65535, NULL,
		"Port where devices ask for the way; 0 is not at all."},
	{"proxy", "connections", CONFIG_INT, AT(proxy.connections), "64", 1, 10000, NULL,
		"HTTPS connections at a time."},
	{"proxy", "connections_per_neighbour", CONFIG_INT, AT(proxy.connections_per_neighbour), "8",
		1, 10000, NULL, "Of these, for one neighbour."},
	{"proxy", "mappings", CONFIG_INT, AT(proxy.mappings), "10", 1, 10000, NULL,
		"Stateful CoAPS: devices at a time on one interface."},
	{"proxy", "mappings_per_neighbour", CONFIG_INT, AT(proxy.mappings_per_neighbour), "2", 1,
		10000, NULL, "Of these, for one address."},
	{"proxy", "mapping_expiry", CONFIG_DURATION, AT(proxy.mapping_expiry_s), "30s", 1, 3600,
		NULL, "Stateful CoAPS: silence after which a device is forgotten."},
	{"proxy", "idle", CONFIG_DURATION, AT(proxy.idle_s), "150s", 1, DAY_S, NULL,
		"Silence after which an HTTPS connection is reset."},
	{"proxy", "lifetime", CONFIG_DURATION, AT(proxy.lifetime_s), "15m", 1, DAY_S, NULL,
		"Longest life of an HTTPS connection."},
	{"proxy", "octets", CONFIG_INT, AT(proxy.octets), "0", 0, 1000000000, NULL,
		"HTTPS octets a second, shared among neighbours; 0 is no limit."},
	{"proxy", "datagrams", CONFIG_INT, AT(proxy.datagrams), "200", 0, 1000000, NULL,
		"CoAPS datagrams a second from one interface, shared; 0 is no limit."},
};

const struct config_schema pledge_config_schema = {
	.options = options,
	.option_count = sizeof(options) / sizeof(*options),
};
