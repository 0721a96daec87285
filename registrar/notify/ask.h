/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a program of the site whether a device may join, where a rule says so. The device is held
 * and told so at once; the answer becomes a decision about its claim, unless somebody decided in
 * between. No answer, or none that can be trusted and understood, decides nothing. */
#ifndef REGISTRAR_NOTIFY_ASK_H
#define REGISTRAR_NOTIFY_ASK_H

#include "registrar/onboard.h"

bool ask_start(struct registrar *r, struct err *e) MUST_CHECK;
void ask_end(struct registrar *r);
/* The claim of this device is open and durable, and o->rule asks; from any loop, never waits. Of
 * one claim not more often than [policy] decision_again. */
void ask_about(struct onboard *o);

#endif
