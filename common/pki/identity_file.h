/* SPDX-License-Identifier: Apache-2.0 */
/* Keys with their certificates as two files, DIR/STEM.key and DIR/STEM.crt: never over existing
 * ones, keys for their owner only. */
#ifndef PKI_IDENTITY_FILE_H
#define PKI_IDENTITY_FILE_H

#include "common/pki/identity.h"

/* Fails with ERR_CONFLICT when DIR/STEM.key or DIR/STEM.crt is there. Asked before anything is
 * made, so that a refusal leaves nothing half done. */
bool identity_file_is_free(const char *dir, const char *stem, struct err *e) MUST_CHECK;
/* DIR/STEM.key (0600) and DIR/STEM.crt (cert, then its issuer unless NULL). */
bool identity_file_write(const char *dir, const char *stem, const struct key *key,
	const struct cert *cert, const struct cert *issuer, struct err *e) MUST_CHECK;

#endif
