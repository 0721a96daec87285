/* SPDX-License-Identifier: Apache-2.0 */
/* The name in an LDevID: the CSR's, bound to the device it is for (EE-16). No I/O. */
#ifndef REGISTRAR_SUBJECT_H
#define REGISTRAR_SUBJECT_H

#include "common/base/buf.h"

#define SUBJECT_DER_MAX 4096

/* Append the subject to certify: the CSR's own Name when every serialNumber in it is the device's,
 * with the device's serialNumber added when it has none. ERR_REFUSED: another device's. ERR_INPUT:
 * not a Name. */
bool subject_for_device(
	struct bytes csr_subject, const char *serial, struct buf *out, struct err *e) MUST_CHECK;

#endif
