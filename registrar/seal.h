/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's head is signed with the registrar's key (run/seal.h). */
#ifndef REGISTRAR_SEAL_H
#define REGISTRAR_SEAL_H

#include "common/run/seal.h"
#include "registrar/registrar.h"

#define SEAL_LOG "registrar" /* the log's name in what is signed */

bool seal_start(struct registrar *r, struct err *e) MUST_CHECK;

#endif
