/* SPDX-License-Identifier: Apache-2.0 */
/* Files of brski-certs: never over existing ones, keys for their owner only. */
#ifndef CERTS_OUTPUT_H
#define CERTS_OUTPUT_H

#include "common/pki/identity.h"

/* Fails with ERR_CONFLICT when DIR/STEM.key or DIR/STEM.crt is there. Asked before anything is
 * made, so that a refusal leaves nothing half done. */
bool output_is_free(const char *dir, const char *stem, struct err *e) MUST_CHECK;
/* DIR/STEM.key (0600) and DIR/STEM.crt (cert, then its issuer unless NULL). */
bool output_write(const char *dir, const char *stem, const struct key *key, const struct cert *cert,
	const struct cert *issuer, struct err *e) MUST_CHECK;

#endif
