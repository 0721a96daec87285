/* SPDX-License-Identifier: Apache-2.0 */
/* A manufacturer as configured: its anchors, who of its devices may join, where its MASA is. Part
 * of a setup: loaded once, read by every thread afterwards. RFC 8995 §2.5.3: the anchors of IDevIDs
 * and those of the MASA are two stores. */
#ifndef REGISTRAR_MANUFACTURER_H
#define REGISTRAR_MANUFACTURER_H

#include "common/pki/chain.h"
#include "common/wire/uri.h"
#include "registrar/config.h"

struct serial_list {
	struct buf text;      /* the file; lines are ended by NUL */
	const char **serials; /* into text, sorted */
	size_t count;
};

struct manufacturer {
	const struct manufacturer_config *config; /* borrowed */
	struct anchors *anchors;
	struct anchors *masa_anchors;
	struct buf masa_anchors_pem; /* the same, for the TLS client */
	struct serial_list listed;
	struct uri masas[MASA_URLS_MAX]; /* configured, the first comes first */
	size_t masa_count;
	struct buf masa_password;
	struct buf lookup_token;
	struct buf idevid_issuer; /* as voucher-requests name it; empty: not configured */
};

bool manufacturer_load(
	struct manufacturer *m, const struct manufacturer_config *c, struct err *e) MUST_CHECK;
void manufacturer_clear(struct manufacturer *m);
bool manufacturer_lists(const struct manufacturer *m, const char *serial);

#endif
