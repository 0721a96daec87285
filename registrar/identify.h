/* SPDX-License-Identifier: Apache-2.0 */
/* Who is at the other end: the device behind a TLS client certificate, either an IDevID of a
 * manufacturer we know or an LDevID we issued (RFC 8995 §5.1, §5.9; EA-06). */
#ifndef REGISTRAR_IDENTIFY_H
#define REGISTRAR_IDENTIFY_H

#include "common/net/call.h"
#include "registrar/records/records.h"
#include "registrar/registrar.h"

/* An IDevID under a configured manufacturer's anchors, whole (R8995-REG-006).
 * serial  out: its serial-number, the caller's
 * Returns the manufacturer; NULL: ERR_UNAUTHENTICATED no certificate, expired, no serial-number;
 * ERR_REFUSED a manufacturer not known here. */
const struct manufacturer *identify_idevid(const struct registrar_setup *s, const struct peer *peer,
	int64_t now, char **serial, struct err *e) MUST_CHECK;

struct client { /* an EST client */
	bool is_ldevid;
	const struct manufacturer
		*manufacturer; /* the setup's; NULL when it is no longer configured */
	char *manufacturer_name, *serial;
	int64_t issued_at, not_after; /* of an LDevID */
};
void client_clear(struct client *c);
#define CLIENT_AUTO __attribute__((cleanup(client_clear)))
struct device_key client_key(const struct client *c);

/* ERR_UNAUTHENTICATED, ERR_REFUSED as above; an LDevID that was revoked is ERR_REFUSED. Whether it
 * is expired is the caller's to judge. */
bool identify_client(const struct registrar *r, const struct registrar_setup *s,
	const struct peer *peer, int64_t now, struct client *out, struct err *e) MUST_CHECK;

#endif
