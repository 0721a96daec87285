/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the two issuing CAs issues: what the store says, for all registrars of a site; the
 * configured one while nobody has switched. Never changed by itself: a key that is lost is told of,
 * and somebody decides. */
#ifndef REGISTRAR_ISSUING_H
#define REGISTRAR_ISSUING_H

#include "registrar/registrar.h"

/* Have the setup that is in force follow the store. Any thread. */
bool issuing_follow(struct registrar *r, struct err *e) MUST_CHECK;
/* Say in the log what is wrong with either. */
void issuing_warn(const struct registrar *r, const struct registrar_setup *s);
enum ca_slot issuing_slot(const struct registrar_setup *s);

#endif
