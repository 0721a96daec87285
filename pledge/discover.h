/* SPDX-License-Identifier: Apache-2.0 */
/* Finding where to join (RFC 8995 §4.1, Appendix B; draft-ietf-anima-brski-discovery §3;
 * draft-ietf-anima-constrained-voucher §10.1). All ways at once: mDNS, GRASP's floods, CoAP, and
 * the resolvers' DNS. It listens first and all the time; it asks when nothing was heard, half as
 * often each time down to once an hour, and from the start again when a link comes up. What is
 * found goes into the set of candidates, and nothing is believed of it but that it is a place to
 * try. */
#ifndef PLEDGE_DISCOVER_H
#define PLEDGE_DISCOVER_H

#include "common/base/log.h"
#include "pledge/candidates.h"
#include "pledge/config.h"

#define DISCOVER_AUTO "auto" /* on every interface when no registrar is named */
#define DISCOVER_OFF  "off"
#define DISCOVER_ALL  "all" /* on every interface, whoever is named */

struct discover;
/* Listens from now on. ERR_INPUT: the configuration names what cannot be; ERR_IO, ERR_NO_MEMORY. */
struct discover *discover_new(const struct pledge_config *config, struct candidates *set,
	const struct log *log, struct err *e) MUST_CHECK;
void discover_free(struct discover *d);

#define DISCOVER_PLACES_MAX 256 /* of a line for people: more than an installer reads */

/* "eth0 wlan0", where it looks now; empty when no interface is up. */
const char *discover_where(const struct discover *d, char out[DISCOVER_PLACES_MAX]);

/* Wait until there is somebody new to try, and then a little more for better ones; or until
 * until_ms of the clock that never jumps. True when there is. */
bool discover_wait(struct discover *d, int64_t until_ms);

#endif
