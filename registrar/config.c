/* SPDX-License-Identifier: Apache-2.0 */
/* registrar.conf: one row an option. A manufacturer is a section of its own, [manufacturer NAME].
 */
#include "registrar/config.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/net/http_client.h"
#include "common/pki/idevid.h"
#include "common/pki/pkcs7_certs.h"
#include "common/run/daemon.h"
#include "registrar/announce.h"
#include "registrar/cloud/allocate.h"
#include "registrar/fraud.h"

#define OFF(member)  offsetof(struct registrar_config, member)
#define MOFF(member) offsetof(struct manufacturer_config, member)

static const char *const checks[] = {"before-delivery", "after-status", "off", NULL};
static const char *const judgements[] = {"refuse", "warn", NULL};
static const char *const admits[] = {"hold", "listed", "all", NULL};
static const char *const certificate_formats[] = {"certs-only", "pkix-cert", NULL};
static const char *const allocations[] = {"static", "hashed", "latency", "webhook", NULL};
static const char *const reprovisions[] = {"never", "move-keep", "move-reset", NULL};
static const char *const stored_uses[] = {"off", "when-unreachable", NULL};
static const char *const expiries[] = {"refuse", "accept", NULL};

/* clang-format off */
static const struct config_option options[] = {
	{"server", "listen", CONFIG_STRING, OFF(listen), "127.0.0.1:8443", 0, 0, NULL,
		"Address and port for devices, e.g. [::]:8443."},
	{"server", "key", CONFIG_PATH, OFF(key), NULL, 0, 0, NULL,
		"Private key of the registrar, PEM."},
	{"server", "certificate", CONFIG_PATH, OFF(certificate), NULL, 0, 0, NULL,
		"Certificate of the registrar, PEM: end entity (cmcRA, serverAuth, clientAuth) first, then its issuers up to the domain CA."},
	{"server", "workers", CONFIG_INT, OFF(workers), "0", 0, WORKERS_MAX, NULL,
		"Worker threads; 0: as many as processor cores."},
	{"server", "proxy_protocol_from", CONFIG_WORDS, OFF(proxied_from), "", 0, 0, NULL,
		"Networks of load balancers whose connections begin with a PROXY header of version 2, e.g. 192.0.2.10/32; unset: none do."},
	{"coaps", "listen", CONFIG_STRING, OFF(coaps_listen), "", 0, 0, NULL,
		"Address and UDP port for constrained devices (CoAP over DTLS), e.g. [::]:5684; unset: none are served."},
	{"coaps", "jpy_listen", CONFIG_STRING, OFF(jpy_listen), "", 0, 0, NULL,
		"Address and UDP port for stateless join proxies (JPY), e.g. [::]:5685; unset: none are served."},
	{"coaps", "mtu", CONFIG_INT, OFF(coaps_mtu), "1024", COAPS_MTU_MIN, COAPS_MTU_MAX, NULL,
		"Octets of a datagram at most."},
	{"coaps", "certificate_format", CONFIG_CHOICE, OFF(coaps_certificate), "certs-only", 0, 0, certificate_formats,
		"Form of an issued certificate for a device that names none with Accept."},
	{"coaps", "cacerts_max", CONFIG_INT, OFF(coaps_cacerts_max), "3", 1, PKCS7_CERTS_MAX, NULL,
		"Certificates at most in an answer that lists them one by one, the issuing CA first."},
	{"coaps", "discovery", CONFIG_WORDS, OFF(discovery), "", 0, 0, NULL,
		"Interfaces, or addresses of ours, on which join proxies and devices find the registrar by plain CoAP; unset: none."},
	{"coaps", "discovery_port", CONFIG_INT, OFF(discovery_port), "5683", 1, 65535, NULL,
		"UDP port for that."},
	{"announce", "interfaces", CONFIG_WORDS, OFF(announce), "", 0, 0, NULL,
		"Interfaces on which devices and join proxies are told where the registrar is; unset: none."},
	{"announce", "mdns", CONFIG_BOOL, OFF(announce_mdns), "yes", 0, 0, NULL,
		"Tell by multicast DNS (_brski-registrar._tcp, and _brski-registrar._udp for CoAPS)."},
	{"announce", "grasp", CONFIG_BOOL, OFF(announce_grasp), "yes", 0, 0, NULL,
		"Tell by GRASP (AN_join_registrar)."},
	{"announce", "name", CONFIG_STRING, OFF(announce_name), "", 0, 0, NULL,
		"What administrators see when they browse; unset: BRSKI registrar on HOST."},
	{"announce", "host", CONFIG_STRING, OFF(announce_host), "", 0, 0, NULL,
		"Name in .local, one label, for multicast DNS; unset: that of the machine and -brski."},
	{"announce", "priority", CONFIG_INT, OFF(announce_priority), "0", 0, 65535, NULL,
		"Of several registrars those with the least priority come first."},
	{"announce", "weight", CONFIG_INT, OFF(announce_weight), "0", 0, 65535, NULL,
		"How often it is chosen among those of one priority, compared with the weight of the others."},
	{"announce", "flood_interval", CONFIG_DURATION, OFF(flood_interval), "60s", 1, 150, NULL,
		"Time from one GRASP message to the next; less than 60 s is for tests only."},
	{"announce", "grasp_port", CONFIG_INT, OFF(grasp_port), "7017", 1, 65535, NULL,
		"UDP port for GRASP; another one is for tests only."},
	{"store", "path", CONFIG_STORE, OFF(store), "registrar.db", 0, 0, NULL,
		"Database file, made when it is not there, or the postgresql:// URI of a database."},
	{"store", "free_floor", CONFIG_INT, OFF(free_floor), "64", 0, 1000000000, NULL,
		"MB that have to be free where the store is, or devices are told to come back later; 0: none."},
	{"log", "level", CONFIG_CHOICE, OFF(log_level), "info", 0, 0, log_level_names,
		"Least important events that are logged."},
	{"admin", "socket", CONFIG_PATH, OFF(admin_socket), "", 0, 0, NULL,
		"Unix socket for registrarctl; unset: no administration."},
	{"admin", "group", CONFIG_STRING, OFF(admin_group), "", 0, 0, NULL,
		"Group that may use the socket; empty: the service's user alone."},
	{"admin", "listen", CONFIG_STRING, OFF(admin_listen), "", 0, 0, NULL,
		"Address and port for administrators over HTTPS, apart from the devices', e.g. [::]:8444; unset: none."},
	{"admin", "key", CONFIG_PATH, OFF(admin_key), "", 0, 0, NULL,
		"Private key for it, PEM; unset: that of the registrar."},
	{"admin", "certificate", CONFIG_PATH, OFF(admin_certificate), "", 0, 0, NULL,
		"Certificate for it, PEM: end entity (serverAuth) first, then its issuers; unset: that of the registrar."},
	{"admin", "client_anchors", CONFIG_PATH, OFF(admin_client_anchors), "", 0, 0, NULL,
		"CAs whose client certificates are users, PEM; unset: none is asked for."},
	{"admin", "web", CONFIG_PATH, OFF(admin_web), "", 0, 0, NULL,
		"Directory with the pages for browsers; unset: none are served."},
	{"metrics", "listen", CONFIG_STRING, OFF(metrics_listen), "", 0, 0, NULL,
		"Address and port where GET /metrics, /healthz and /readyz are answered over plain HTTP, to anybody who reaches it: loopback or a network of the administrators, e.g. 127.0.0.1:9464; unset: nowhere."},
	{"ca", "key", CONFIG_PATH, OFF(ca_key), NULL, 0, 0, NULL,
		"Private key of the issuing CA, PEM."},
	{"ca", "certificate", CONFIG_PATH, OFF(ca_certificate), NULL, 0, 0, NULL,
		"Certificate of the issuing CA, PEM."},
	{"ca", "chain", CONFIG_PATH, OFF(ca_chain), "", 0, 0, NULL,
		"PEM file with the root and whatever else /cacerts has to hold; an issuing CA of before, whose certificates may renew themselves."},
	{"ca", "standby_key", CONFIG_PATH, OFF(standby_key), "", 0, 0, NULL,
		"Private key of a second issuing CA, PEM, which can be switched to; unset: there is none."},
	{"ca", "standby_certificate", CONFIG_PATH, OFF(standby_certificate), "", 0, 0, NULL,
		"Certificate of the second issuing CA, PEM, below the same root or another one in `chain`."},
	{"ca", "rollover", CONFIG_PATH, OFF(ca_rollover), "", 0, 0, NULL,
		"PEM file for a change of the root: the new root, and each root's key certified by the other (OldWithNew, NewWithOld)."},
	{"ca", "ldevid_days", CONFIG_INT, OFF(ldevid_days), "365", 1, 36500, NULL,
		"Days an LDevID is valid."},
	{"ca", "crl_url", CONFIG_STRING, OFF(crl_url), "", 0, 0, NULL,
		"Where the revocation list can be had, as issued certificates say it, http or https; unset: they say nothing."},
	{"ca", "crl_file", CONFIG_PATH, OFF(crl_file), "", 0, 0, NULL,
		"File the revocation list is written to as well, DER, for a web server; unset: none."},
	{"ca", "standby_crl_url", CONFIG_STRING, OFF(standby_crl_url), "", 0, 0, NULL,
		"The same for certificates of the second issuing CA."},
	{"ca", "standby_crl_file", CONFIG_PATH, OFF(standby_crl_file), "", 0, 0, NULL,
		"The same for its revocation list."},
	{"ca", "crl_days", CONFIG_INT, OFF(crl_days), "7", 1, 365, NULL,
		"Days a revocation list is valid; it is made anew at half of that, and with each revocation."},
	{"ca", "ocsp_url", CONFIG_STRING, OFF(ocsp_url), "", 0, 0, NULL,
		"Where OCSP is answered, as issued certificates say it, http or https: an address of this registrar that ends in /ocsp; unset: they say nothing."},
	{"ca", "standby_ocsp_url", CONFIG_STRING, OFF(standby_ocsp_url), "", 0, 0, NULL,
		"The same for certificates of the second issuing CA."},
	{"ca", "ocsp_minutes", CONFIG_INT, OFF(ocsp_minutes), "60", 1, 10080, NULL,
		"Minutes an OCSP answer is valid."},
	{"ca", "http_listen", CONFIG_STRING, OFF(ca_http_listen), "", 0, 0, NULL,
		"Address and port where the revocation lists and OCSP are served over plain HTTP as well, to anybody who reaches it, e.g. [::]:8080; unset: nowhere."},
	{"est", "csrattrs", CONFIG_WORDS, OFF(csrattrs), "", 0, 0, NULL,
		"What a CSR has to hold: challengePassword, ec-p256, ec-p384, rsa-3072, san, OIDs in dots."},
	{"est", "cacerts_open", CONFIG_BOOL, OFF(cacerts_open), "yes", 0, 0, NULL,
		"Answer /cacerts and /csrattrs without a client certificate."},
	{"est", "server_keygen", CONFIG_BOOL, OFF(server_keygen), "yes", 0, 0, NULL,
		"Make keys for devices that ask for it (/serverkeygen)."},
	{"est", "renew_expired", CONFIG_BOOL, OFF(renew_expired), "no", 0, 0, NULL,
		"Let an expired LDevID renew itself."},
	{"est", "transfer_encoding", CONFIG_BOOL, OFF(transfer_encoding), "no", 0, 0, NULL,
		"Say Content-Transfer-Encoding: base64 with answers, for clients that insist on it."},
	{"policy", "retry_after", CONFIG_DURATION, OFF(retry_after), "10s", 1, 60, NULL,
		"What a device is told to wait while its claim is open; with many open, up to a quarter less at random."},
	{"policy", "pending_days", CONFIG_INT, OFF(pending_days), "30", 1, 3650, NULL,
		"Days after which an open claim that nobody asked for again is forgotten, or an expired one."},
	{"policy", "approval_days", CONFIG_INT, OFF(approval_days), "30", 1, 3650, NULL,
		"Days an approval counts that no device has used; then the device is held again."},
	{"policy", "claims_max", CONFIG_INT, OFF(claims_max), "100000", 1, 10000000, NULL,
		"Open claims at most; further devices are told to come back later."},
	{"policy", "expiring_days", CONFIG_INT, OFF(expiring_days), "30", 0, 3650, NULL,
		"Days before its certificate ends that a device counts as expiring."},
	{"policy", "rejoin_days", CONFIG_INT, OFF(rejoin_days), "90", 0, 3650, NULL,
		"Days after its certificate's end that a device joins again by itself; then, or with 0, an administrator decides."},
	{"policy", "joins_per_day", CONFIG_INT, OFF(joins_per_day), "50", 1, 1000000, NULL,
		"Vouchers a device gets in a day (UTC) at most; it is told to come back later."},
	{"policy", "renewals_per_day", CONFIG_INT, OFF(renewals_per_day), "100", 1, 1000000, NULL,
		"Certificates a device gets in a day (UTC) at most, by enrolling or renewing."},
	{"policy", "certificates_kept", CONFIG_INT, OFF(certificates_kept), "10", 1, 1000, NULL,
		"Certificates of a device that are kept whatever their age; of older ones, those that have ended go when it gets another."},
	{"policy", "quarantine_on", CONFIG_FLAGS, OFF(quarantine_on), "", 0, 0, fraud_signal_names,
		"Signals of fraud that quarantine the device at once; unset: none, it is marked only."},
	{"policy", "journal_days", CONFIG_INT, OFF(journal_days), "400", 1, 36500, NULL,
		"Days lines of the audit log are kept."},
	{"masa", "connect_timeout", CONFIG_DURATION, OFF(masa_connect), "2s", 1, 60, NULL,
		"Time for one connection attempt."},
	{"masa", "timeout", CONFIG_DURATION, OFF(masa_timeout), "10s", 1, 55, NULL,
		"Time for a whole request."},
	{"masa", "failures", CONFIG_INT, OFF(masa_failures), "5", 1, 1000, NULL,
		"Failures in a row after which a MASA is left alone for a pause: devices are told at once to come back later."},
	{"masa", "pause", CONFIG_DURATION, OFF(masa_pause), "30s", 1, 3600, NULL,
		"The longest of these pauses; the first is 2 s, and each doubles the one before."},
	{"masa", "stored_vouchers", CONFIG_CHOICE, OFF(stored_vouchers), "off", 0, 0, stored_uses,
		"Whether a voucher that was fetched ahead is given to its device while the MASA cannot be reached."},
	{"masa", "addresses", CONFIG_FLAGS, OFF(masa_addresses), "global private", 0, 0, http_address_class_names,
		"Classes of addresses the name of a MASA may stand for."},
	{"cloud", "enabled", CONFIG_BOOL, OFF(cloud_enabled), "no", 0, 0, NULL,
		"Be a cloud registrar: tell devices where their owners want them, and be no EST server."},
	{"cloud", "retry_after", CONFIG_DURATION, OFF(cloud_retry_after), "10m", 0, 86400, NULL,
		"When a device may ask again that nobody has claimed yet; 0: never."},
	{"cloud", "requests_per_second", CONFIG_INT, OFF(cloud_requests_per_second), "500", 0, 1000000, NULL,
		"Requests at most, of one device a quarter of that; more are told to come back later. 0: no limit."},
	{"cloud", "allocation", CONFIG_CHOICE, OFF(cloud_allocation), "static", 0, 0, allocations,
		"Which of an owner's registrars a device is sent to: the heaviest, hashed by weight, near it (needs regions), or as decision_url says."},
	{"cloud", "reprovision", CONFIG_CHOICE, OFF(cloud_reprovision), "never", 0, 0, reprovisions,
		"Whether that is decided anew when a device comes again; move-reset forgets what was known of it."},
	{"cloud", "regions", CONFIG_PATH, OFF(cloud_regions), "", 0, 0, NULL,
		"File with a line PREFIX/BITS REGION for each network, for allocation = latency."},
	{"policy", "decision_url", CONFIG_STRING, OFF(decision_url), "", 0, 0, NULL,
		"Program that rules with the action ask ask about a device, https, or http on this machine; unset: none."},
	{"policy", "decision_secret", CONFIG_PATH, OFF(decision_secret), "", 0, 0, NULL,
		"File with the secret that its questions and answers are signed with."},
	{"policy", "decision_timeout", CONFIG_DURATION, OFF(decision_timeout), "5s", 1, 50, NULL,
		"Time for it to answer; the device is held meanwhile and afterwards."},
	{"policy", "decision_again", CONFIG_DURATION, OFF(decision_again), "60s", 1, 86400, NULL,
		"Time before it is asked about the same device again."},
	{"hooks", "anchors", CONFIG_PATH, OFF(hook_anchors), "/etc/ssl/certs/ca-certificates.crt", 0, 0, NULL,
		"Trust anchors of the receivers of events, PEM; a hook may bring its own."},
	{"hooks", "timeout", CONFIG_DURATION, OFF(hook_timeout), "10s", 1, 50, NULL,
		"Time for a receiver to take an event."},
	{"hooks", "tries", CONFIG_INT, OFF(hook_tries), "12", 1, 100, NULL,
		"Tries after which an event is kept as a dead letter and the next one is sent; the pause between two doubles from 1 s up to 5 min."},
	{"hooks", "addresses", CONFIG_FLAGS, OFF(hook_addresses), "global private loopback", 0, 0, http_address_class_names,
		"Classes of addresses the name of a receiver may stand for."},
	{"audit", "check", CONFIG_CHOICE, OFF(audit_check), "before-delivery", 0, 0, checks,
		"When the device's history is fetched from the MASA and judged."},
	{"audit", "foreign_domain", CONFIG_CHOICE, OFF(audit_foreign), "refuse", 0, 0, judgements,
		"A history with vouchers for other domains."},
	{"audit", "nonceless", CONFIG_CHOICE, OFF(audit_nonceless), "refuse", 0, 0, judgements,
		"A history with vouchers without a nonce, which may be replayed."},
	{"manufacturer", "anchors", CONFIG_PATH, MOFF(anchors), NULL, 0, 0, NULL,
		"Trust anchors of the IDevIDs, PEM."},
	{"manufacturer", "masa_anchors", CONFIG_PATH, MOFF(masa_anchors), NULL, 0, 0, NULL,
		"Trust anchors of the MASA: its TLS server and its vouchers, PEM."},
	{"manufacturer", "admit", CONFIG_CHOICE, MOFF(admit), "hold", 0, 0, admits,
		"hold: an administrator approves each device (those in `serials` are approved already); listed: those in `serials` only; all: every device."},
	{"manufacturer", "serials", CONFIG_PATH, MOFF(serials), "", 0, 0, NULL,
		"File of serial numbers, one a line, # begins a comment."},
	{"manufacturer", "masa_url", CONFIG_STRING, MOFF(masa_url), "", 0, 0, NULL,
		"MASA to ask instead of the one named in the IDevID; several addresses are tried in their order."},
	{"manufacturer", "idevid_issuer", CONFIG_PATH, MOFF(idevid_issuer), "", 0, 0, NULL,
		"Certificate of the CA below which the IDevIDs are, PEM, for requests ahead of their devices; unset: the serial number alone tells which device is meant."},
	{"manufacturer", "masa_certificate", CONFIG_BOOL, MOFF(masa_certificate), "yes", 0, 0, NULL,
		"Show the registrar's certificate to the MASA as TLS client."},
	{"manufacturer", "masa_user", CONFIG_STRING, MOFF(masa_user), "", 0, 0, NULL,
		"User for HTTP Basic authentication at the MASA."},
	{"manufacturer", "masa_password", CONFIG_PATH, MOFF(masa_password), "", 0, 0, NULL,
		"File that holds the password for it."},
	{"manufacturer", "lookup_token", CONFIG_PATH, MOFF(lookup_token), "", 0, 0, NULL,
		"Of a cloud registrar: file that holds the token owners are looked up with at the MASA; unset: the certificate shown to it does."},
	{"manufacturer", "expired_idevid", CONFIG_CHOICE, MOFF(expired_idevid), "refuse", 0, 0, expiries,
		"An IDevID past its notAfter."},
	{"manufacturer", "serial_from", CONFIG_CHOICE, MOFF(serial_from), "subject", 0, 0, idevid_serial_source_names,
		"Where the IDevID keeps the serial number."},
	{"manufacturer", "cose_media_type", CONFIG_STRING, MOFF(cose_media_type), "application/voucher+cose", 0, 0, NULL,
		"What the MASA calls a voucher in COSE; older ones know application/voucher-cose+cbor only."},
};
/* clang-format on */

static void *manufacturer_instance(void *out, const char *name, struct err *e)
{
	struct registrar_config *c = out;
	struct manufacturer_config *m;

	for (size_t i = 0; i < c->manufacturer_count; i++)
		if (strcmp(c->manufacturers[i]->name, name) == 0)
			return c->manufacturers[i];
	if (c->manufacturer_count == MANUFACTURERS_MAX) {
		err_set(e, ERR_INPUT, "more than %d manufacturers", MANUFACTURERS_MAX);
		return NULL;
	}
	m = mem_new(sizeof(*m), e);
	if (!m)
		return NULL;
	m->name = str_dup(name, e);
	if (!m->name) {
		free(m);
		return NULL;
	}
	c->manufacturers[c->manufacturer_count++] = m;
	return m;
}

/* Sockets and the store are opened once. */
static const char *const at_start_only[] = {"[server] listen", "[server] workers",
	"[server] proxy_protocol_from", "[coaps] listen", "[coaps] jpy_listen", "[coaps] mtu",
	"[coaps] discovery", "[coaps] discovery_port", "[store] path", "[cloud] enabled",
	"[admin] socket", "[admin] group", "[admin] listen", "[metrics] listen", "[ca] http_listen",
	"[hooks] anchors", NULL};

const struct config_schema registrar_config_schema = {
	.options = options,
	.option_count = sizeof(options) / sizeof(*options),
	.repeated_section = "manufacturer",
	.instance = manufacturer_instance,
	.at_start_only = at_start_only,
};

/* It goes into a header field as it stands. */
static bool is_media_type(const char *s)
{
	const char *slash = strchr(s, '/');

	if (!slash || slash == s || !slash[1])
		return false;
	for (; *s; s++)
		if (*s < 0x20 || *s > 0x7e)
			return false;
	return true;
}

static bool check_manufacturer(const struct manufacturer_config *m, struct err *e)
{
	if (m->admit == ADMIT_LISTED && !m->serials)
		return err_set(
			e, ERR_INPUT, "[manufacturer %s]: admit = listed needs `serials`", m->name);
	if (!m->masa_user != !m->masa_password)
		return err_set(e, ERR_INPUT,
			"[manufacturer %s]: masa_user and masa_password go together", m->name);
	if (!m->cose_media_type || !is_media_type(m->cose_media_type))
		return err_set(e, ERR_INPUT, "[manufacturer %s]: cose_media_type is no media type",
			m->name);
	return true;
}

bool registrar_config_load(struct registrar_config *c, const char *path, struct err *e)
{
	memset(c, 0, sizeof(*c));
	if (!config_load(path, &registrar_config_schema, c, e))
		return false;
	for (size_t i = 0; i < c->manufacturer_count; i++)
		if (!check_manufacturer(c->manufacturers[i], e))
			return err_prefix(e, "%s", path);
	if (!c->standby_key != !c->standby_certificate)
		return err_set(e, ERR_INPUT,
			"%s: [ca] standby_key and standby_certificate go together", path);
	if (!c->admin_key != !c->admin_certificate)
		return err_set(e, ERR_INPUT, "%s: [admin] key and certificate go together", path);
	if (c->jpy_listen && !c->coaps_listen)
		return err_set(
			e, ERR_INPUT, "%s: [coaps] jpy_listen needs `listen` beside it", path);
	if (c->discovery && !c->coaps_listen)
		return err_set(
			e, ERR_INPUT, "%s: [coaps] discovery needs `listen` beside it", path);
	if (!announce_check_config(c, e))
		return err_prefix(e, "%s: [announce]", path);
	if (c->cloud_enabled && c->coaps_listen)
		return err_set(e, ERR_INPUT, "%s: a cloud registrar has no [coaps]", path);
	if (c->cloud_allocation == ALLOCATE_LATENCY && !c->cloud_regions)
		return err_set(
			e, ERR_INPUT, "%s: [cloud] allocation = latency needs regions", path);
	if (c->cloud_allocation == ALLOCATE_WEBHOOK && !c->decision_url)
		return err_set(e, ERR_INPUT,
			"%s: [cloud] allocation = webhook needs [policy] decision_url", path);
	if (!c->decision_url != !c->decision_secret)
		return err_set(e, ERR_INPUT,
			"%s: [policy] decision_url and decision_secret go together", path);
	return true;
}

void registrar_config_clear(struct registrar_config *c)
{
	for (size_t i = 0; i < c->manufacturer_count; i++) {
		config_clear_instance(&registrar_config_schema, c->manufacturers[i]);
		free(c->manufacturers[i]->name);
		free(c->manufacturers[i]);
	}
	c->manufacturer_count = 0;
	config_clear(&registrar_config_schema, c);
}
