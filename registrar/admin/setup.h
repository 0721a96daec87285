/* SPDX-License-Identifier: Apache-2.0 */
/* What [admin] of the configuration names for the HTTPS listener of the administrators: its own
 * certificate or the registrar's, CAs of client certificates, the pages. Part of a setup. */
#ifndef REGISTRAR_ADMIN_SETUP_H
#define REGISTRAR_ADMIN_SETUP_H

#include "common/net/tls.h"
#include "common/pki/chain.h"
#include "registrar/config.h"
#include "registrar/admin/web_files.h"

struct admin_setup {
	struct tls_server *tls;		/* NULL: administration by the Unix socket alone */
	struct anchors *client_anchors; /* NULL: no client certificate is asked for */
	struct web_files *web;		/* NULL: no pages */
};

/* own is what serves where the configuration names no certificate. */
bool admin_setup_load(struct admin_setup *a, const struct registrar_config *c,
	const struct identity *own, int64_t now, struct err *e) MUST_CHECK;
void admin_setup_clear(struct admin_setup *a);

#endif
