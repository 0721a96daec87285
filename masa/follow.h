/* SPDX-License-Identifier: Apache-2.0 */
/* The other MASAs of a manufacturer, when several share one database (run/store.h): what one of
 * them writes and the others keep in memory, they read again. That is the owners; everything else a
 * voucher depends on is asked of the store for each request. */
#ifndef MASA_FOLLOW_H
#define MASA_FOLLOW_H

#include "masa/masa.h"

/* With the store open. l: where it works. */
bool follow_start(struct masa *m, struct loop *l, struct err *e) MUST_CHECK;
/* The loops have stopped, the store is closed. */
void follow_end(struct masa *m);

#endif
