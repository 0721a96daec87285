/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's configuration file as a struct; the table of options is in config.c. */
#ifndef REGISTRAR_CONFIG_H
#define REGISTRAR_CONFIG_H

#include "common/run/config.h"
#include "registrar/limits.h"

enum admit_policy { ADMIT_HOLD, ADMIT_LISTED, ADMIT_ALL };
enum expired_policy { EXPIRED_REFUSE, EXPIRED_ACCEPT };
enum audit_check { AUDIT_BEFORE_DELIVERY, AUDIT_AFTER_STATUS, AUDIT_OFF };
enum audit_judgement { AUDIT_REFUSE, AUDIT_WARN };
enum stored_voucher_use { STORED_OFF, STORED_WHEN_UNREACHABLE };
/* How a constrained device gets its certificate when it does not say (RFC 9148 §4.3). */
enum certificate_format { CERTIFICATE_CERTS_ONLY, CERTIFICATE_PKIX };

struct manufacturer_config {
	char *name;
	char *anchors;	       /* PEM: IDevID anchors */
	char *masa_anchors;    /* PEM: anchors of the MASA's TLS and of vouchers */
	int admit;	       /* enum admit_policy */
	char *serials;	       /* file of serials, one a line, or NULL */
	char *masa_url;	       /* instead of the one in the IDevID, or NULL */
	char *idevid_issuer;   /* PEM: certificate of the CA of the IDevIDs, or NULL */
	bool masa_certificate; /* show our certificate to the MASA */
	char *masa_user;       /* HTTP Basic, or NULL */
	char *masa_password;   /* path of a file that holds the password */
	int expired_idevid;    /* enum expired_policy */
	int serial_from;       /* enum idevid_serial_source */
	char *lookup_token;    /* path of a file that holds the token, or NULL */
	char *cose_media_type; /* what this MASA calls a voucher in COSE */
};

struct registrar_config {
	char *listen, *key, *certificate;
	char *proxied_from; /* networks of balancers, or NULL */
	int64_t workers;
	char *coaps_listen, *jpy_listen; /* or NULL */
	int64_t coaps_mtu, coaps_cacerts_max;
	char *discovery; /* interfaces and addresses to be found on, or NULL */
	int64_t discovery_port;
	int coaps_certificate;				/* enum certificate_format */
	char *announce, *announce_name, *announce_host; /* interfaces; names; or NULL */
	bool announce_mdns, announce_grasp;
	int64_t announce_priority, announce_weight, flood_interval, grasp_port;
	char *store;
	int64_t free_floor; /* MB */
	int log_level;
	char *admin_socket, *admin_group;
	char *admin_listen, *admin_key, *admin_certificate, *admin_client_anchors, *admin_web;
	char *metrics_listen; /* or NULL */
	char *ca_key, *ca_certificate, *ca_chain;
	int64_t ldevid_days;
	char *ocsp_url, *standby_ocsp_url; /* or NULL */
	int64_t ocsp_minutes;
	char *crl_url, *crl_file; /* or NULL, as what follows */
	char *standby_key, *standby_certificate, *standby_crl_url, *standby_crl_file;
	char *ca_rollover;
	int64_t crl_days;
	char *ca_http_listen; /* or NULL */
	char *csrattrs;
	bool cacerts_open, server_keygen, renew_expired, transfer_encoding;
	int64_t retry_after, pending_days, approval_days, claims_max, journal_days;
	int64_t expiring_days, rejoin_days;
	int64_t joins_per_day, renewals_per_day, certificates_kept;
	unsigned quarantine_on; /* bits of enum fraud_signal */
	int64_t masa_connect, masa_timeout, masa_failures, masa_pause;
	int stored_vouchers;	 /* enum stored_voucher_use */
	unsigned masa_addresses; /* bits of enum http_address_class */
	bool cloud_enabled;
	int64_t cloud_retry_after, cloud_requests_per_second;
	int cloud_allocation, cloud_reprovision; /* enum allocation, enum reprovision */
	char *cloud_regions;			 /* or NULL */
	char *decision_url, *decision_secret;	 /* or NULL; the secret's is a path */
	int64_t decision_timeout, decision_again;
	char *hook_anchors; /* PEM */
	int64_t hook_timeout, hook_tries;
	unsigned hook_addresses; /* as masa_addresses */
	int audit_check, audit_foreign, audit_nonceless;
	struct manufacturer_config *manufacturers[MANUFACTURERS_MAX];
	size_t manufacturer_count;
};

extern const struct config_schema registrar_config_schema;

/* Read the file, then look at what single options cannot say (a list without a file of serials).
 * ERR_INPUT with file and line, or naming the section. */
bool registrar_config_load(struct registrar_config *c, const char *path, struct err *e) MUST_CHECK;
void registrar_config_clear(struct registrar_config *c);

#endif
