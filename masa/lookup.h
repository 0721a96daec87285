/* SPDX-License-Identifier: Apache-2.0 */
/* What cloud registrars ask: whose is this device, and where does the owner want it
 * (draft-ietf-anima-brski-cloud §3.2)? On the registrars' port, for who shows a certificate that
 * [cloud] registrars knows, or a token of the kind lookup. */
#ifndef MASA_LOOKUP_H
#define MASA_LOOKUP_H

#include "masa/masa.h"

#define LOOKUP_DIR "/api/v1/lookup/"

/* GET …/SERIAL[?issuer=HEX, the key identifier of the IDevID's issuer]:
 * {"serial", "owner" or null, "registrars": [{"url", "weight", "region"}], "est_domain" or null};
 * 404: no such device. */
void lookup_serve(struct call *c, void *masa);

/* Is this certificate a cloud registrar's? */
bool lookup_is_cloud(
	const struct masa_setup *s, struct cert *c, const struct cert_list *chain, int64_t now);

#endif
