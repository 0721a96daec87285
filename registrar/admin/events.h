/* SPDX-License-Identifier: Apache-2.0 */
/* GET /api/v1/events: what happened after a line of the journal, at once or as soon as something
 * does. Who waits holds a place in a list and no thread. */
#ifndef REGISTRAR_ADMIN_EVENTS_H
#define REGISTRAR_ADMIN_EVENTS_H

#include "registrar/registrar.h"

#define EVENTS_PATH "/api/v1/events"

/* With the loops there. */
bool events_start(struct registrar *r, struct err *e) MUST_CHECK;
/* Something was committed. Any thread. */
void events_wake(struct registrar *r);
/* Answer all who wait, and let nobody wait any more. Any thread. */
void events_drain(struct registrar *r);
/* The loops have stopped. */
void events_end(struct registrar *r);

void events_list(struct call *c, void *registrar);

#endif
