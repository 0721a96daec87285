/* SPDX-License-Identifier: Apache-2.0 */
/* What a device maker or technician can set, read from one file. */
#ifndef PLEDGE_CONFIG_H
#define PLEDGE_CONFIG_H

#include "common/run/config.h"

#define PLEDGE_CONFIG_DEFAULT "/etc/brski/pledge.conf"

enum nonceless_policy { NONCELESS_ACCEPT, NONCELESS_REFUSE };
enum proxy_mode { PROXY_AUTO, PROXY_STATELESS, PROXY_STATEFUL, PROXY_OFF };
enum key_source { KEY_OWN, KEY_OF_REGISTRAR };
enum assertion_policy { ACCEPT_ANY, ACCEPT_PROXIMITY, ACCEPT_VERIFIED };

struct pledge_config {
	char *idevid_key, *idevid_certificate, *masa_anchors, *state_dir;
	bool trusted_clock;
	int key_type; /* enum key_type */
	char *urls, *discover, *mdns, *grasp, *resolver;
	char *cloud, *cloud_anchors;
	int64_t discovery_port;
	int64_t attempts; /* 0: forever */
	int64_t budget_s; /* 0: none */
	int64_t backoff_min_s, backoff_max_s, pending_max_s;
	int64_t connect_timeout_s, timeout_s, retry_after_max_s;
	int nonceless; /* enum nonceless_policy */
	int assertion; /* enum assertion_policy */
	int64_t renew_before_s;
	int key_source;	     /* enum key_source */
	int coaps_proximity; /* enum pin_form */
	bool coaps_csrattrs;
	int64_t coaps_connect_timeout_s, coaps_deadline_s;
	int64_t coaps_mtu;
	unsigned revocation_addresses; /* bits of enum http_address_class */
	struct proxy_options {
		char *listen, *registrars, *uplinks;
		char *announce; /* interfaces, or "none" */
		bool announce_mdns, announce_grasp;
		int64_t probe_s, mdns_port, grasp_port;
		int coap; /* enum proxy_mode */
		bool circuit;
		int64_t https_port, coaps_port, discovery_port;
		int64_t connections, connections_per_neighbour;
		int64_t mappings, mappings_per_neighbour, mapping_expiry_s;
		int64_t idle_s, lifetime_s;
		int64_t octets, datagrams;
	} proxy;
};

extern const struct config_schema pledge_config_schema;

#endif
