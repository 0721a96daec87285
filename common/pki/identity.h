/* SPDX-License-Identifier: Apache-2.0 */
/* A key with the certificates that speak for it. */
#ifndef PKI_IDENTITY_H
#define PKI_IDENTITY_H

#include "common/pki/cert.h"
#include "common/pki/key.h"

struct identity {
	struct key *key;
	struct cert *cert;	/* end entity; its key is `key` (checked when loaded) */
	struct cert_list chain; /* issuers to send along, nearest first; may be empty */
};

/* cert_path: PEM, end entity first, then its chain. ERR_INPUT when key and certificate differ. */
bool identity_load(struct identity *out, const char *key_path, const char *cert_path,
	struct err *e) MUST_CHECK;
void identity_clear(struct identity *id);
#define IDENTITY_AUTO __attribute__((cleanup(identity_clear)))

#endif
