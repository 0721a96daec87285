/* SPDX-License-Identifier: Apache-2.0 */
/* Putting a backup in place of the registrar's store, while no registrar runs. */
#ifndef REGISTRAR_RESTORE_H
#define REGISTRAR_RESTORE_H

#include "common/base/err.h"

/* from: the backup; config_path: of the registrar whose store it replaces. Tells on stdout what was
 * done. ERR_STORE: a registrar has the store; no store of a registrar, a newer one, a damaged one;
 * then nothing has changed. */
bool restore(const char *config_path, const char *from, struct err *e) MUST_CHECK;

#endif
