/* SPDX-License-Identifier: Apache-2.0 */
/* The options of brski-masa. */
#ifndef MASA_CONFIG_H
#define MASA_CONFIG_H

#include "common/run/config.h"

struct masa_config {
	char *listen, *tls_key, *tls_certificate;
	char *proxied_from; /* networks of balancers, or NULL */
	int64_t workers;
	char *store_path;
	int log_level;
	char *admin_socket, *admin_group;
	char *admin_listen, *admin_key, *admin_certificate, *admin_tokens; /* or NULL */
	char *metrics_listen;						   /* or NULL */
	char *signer_key, *signer_certificate;
	char *nonceless_key, *nonceless_certificate;
	char *device_anchors;
	char *cloud_registrars; /* or NULL */
	int serial_from;
	int ownership, nonceless, pin;
	int64_t nonceless_lifetime_s, renewal_promise_s;
	bool require_prior;
	char *crls;
	int revocation;		       /* enum revocation_policy */
	unsigned revocation_addresses; /* bits of enum http_address_class */
	int64_t audit_full_events;
	int64_t per_registrar_per_minute;
};

extern const struct config_schema masa_config_schema;

/* Read the file; ERR_INPUT also for options that do not go together. */
bool masa_config_load(const char *path, struct masa_config *out, struct err *e) MUST_CHECK;
void masa_config_clear(struct masa_config *c);

#endif
