/* SPDX-License-Identifier: Apache-2.0 */
/* The other registrars of the site, when several share one database (run/store.h). None of them
 * talks to another: each follows what the others commit, and reads again what it keeps of that in
 * memory; each says now and then that it is there, and the one that leads (store_leads()) frees
 * what one had in hand that says so no more. With a database of its own a registrar has no fellows
 * and none of this costs anything. */
#ifndef REGISTRAR_FELLOWS_H
#define REGISTRAR_FELLOWS_H

#include "registrar/registrar.h"

struct fellows;

/* With the store open and the loops there, before rules are read and jobs begin. */
bool fellows_start(struct registrar *r, struct err *e) MUST_CHECK;
/* Something was committed, by us or by another one. Any thread. */
void fellows_wake(struct registrar *r);
/* Who we are among them, in the store; NULL: we are alone. Any thread. */
const char *fellows_id(const struct registrar *r);
/* The loops have stopped, the store is open: say good-bye. */
void fellows_stop(struct registrar *r);
/* The store is closed. */
void fellows_end(struct registrar *r);

#endif
