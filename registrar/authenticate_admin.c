/* SPDX-License-Identifier: Apache-2.0 */
/* From the proofs a request carries to a principal. */
#include "registrar/authenticate_admin.h"

#include <string.h>

#define UNIX_PREFIX "unix:"

/* The kernel said who it is; who may open the socket may do everything. */
static bool by_socket(const struct call *c, struct principal *out)
{
	const struct peer *p = call_peer(c);

	if (p->tls || strncmp(p->address, UNIX_PREFIX, strlen(UNIX_PREFIX)) != 0)
		return false;
	principal_local(out, p->address);
	return true;
}

bool admin_authenticate(struct registrar *r, struct call *c, struct principal *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	if (by_socket(c, out)) {
		out->asked_at = registrar_now(r);
		return true;
	}
	return err_set(e, ERR_LOGIN, "no proof of who asks");
}
