/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar tells its links where it is (RFC 8995 §4.3, Appendix B;
 * draft-ietf-anima-brski-discovery §3.5): by multicast DNS and by GRASP, on the interfaces that
 * [announce] names. Constrained devices ask besides, by plain CoAP (coap.c).
 *
 * Everything is on the first loop. That somebody cannot be told is no reason not to serve: it is
 * logged, and the doctor says so. */
#ifndef REGISTRAR_ANNOUNCE_H
#define REGISTRAR_ANNOUNCE_H

#include "common/run/checkup.h"
#include "registrar/registrar.h"

/* What [announce] says, without doing it. ERR_INPUT. */
bool announce_check_config(const struct registrar_config *c, struct err *e) MUST_CHECK;

/* After the servers have been started; the loops do not run yet. */
bool announce_start(struct registrar *r, struct err *e) MUST_CHECK;
/* The setup has changed. Any thread. */
void announce_reload(struct registrar *r);
/* Take it all back; with a goodbye. Any thread. */
void announce_drain(struct registrar *r);
/* After the loops have stopped. */
void announce_stop(struct registrar *r);

/* An array of what is told where, for administrators. On the first loop. NULL: no memory. */
json_t *announce_show(const struct registrar *r);
/* The doctor's line, when anything is to be announced. On the first loop. */
void announce_examine(const struct registrar *r, struct checkup *c);

#endif
