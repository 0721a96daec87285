/* SPDX-License-Identifier: Apache-2.0 */
/* What a device maker or technician can set, read from one file. */
#ifndef PLEDGE_CONFIG_H
#define PLEDGE_CONFIG_H

#include "common/run/config.h"

#define PLEDGE_CONFIG_DEFAULT "/etc/brski/pledge.conf"

enum nonceless_policy { NONCELESS_ACCEPT, NONCELESS_REFUSE };
enum assertion_policy { ACCEPT_ANY, ACCEPT_PROXIMITY, ACCEPT_VERIFIED };

struct pledge_config {
	char *idevid_key, *idevid_certificate, *masa_anchors, *state_dir;
	bool trusted_clock;
	int key_type; /* enum key_type */
	char *urls;
	int64_t attempts; /* 0: forever */
	int64_t backoff_min_s, backoff_max_s, pending_max_s;
	int64_t connect_timeout_s, timeout_s, retry_after_max_s;
	int nonceless; /* enum nonceless_policy */
	int assertion; /* enum assertion_policy */
	int64_t renew_before_s;
	unsigned revocation_addresses; /* bits of enum http_address_class */
};

extern const struct config_schema pledge_config_schema;

#endif
