/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the two issuing CAs issues: what the store says, for all registrars of a site; the
 * configured one while nobody has switched. Never changed by itself: a key that is lost is told of,
 * and somebody decides. */
#ifndef REGISTRAR_ISSUING_H
#define REGISTRAR_ISSUING_H

#include "registrar/records/issuing.h"
#include "registrar/registrar.h"

/* Have the setup that is in force follow the store. Any thread. */
bool issuing_follow(struct registrar *r, struct err *e) MUST_CHECK;
/* Have a setup that is about to be in force go on with the CA of the one that is, if it has it. */
void issuing_keep(const struct registrar_setup *from, struct registrar_setup *fresh);
/* Is it the choice of the site, or is there none? */
bool issuing_is_chosen(const struct issuing_choice *c, const struct ca *ca);
/* Say in the log what is wrong with either. */
void issuing_warn(const struct registrar *r, const struct registrar_setup *s);
enum ca_slot issuing_slot(const struct registrar_setup *s);

#endif
