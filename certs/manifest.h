/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.csv: which device got which certificate, and what went wrong with the others. Its
 * columns serial and idevid_issuer are what `masactl devices import` wants. */
#ifndef CERTS_MANIFEST_H
#define CERTS_MANIFEST_H

#include "common/pki/cert.h"

#define MANIFEST_OK "ok"

struct manifest {
	char *path;
	struct buf text;
};

/* Begin with the rows of earlier runs that were ok. */
bool manifest_open(const char *dir, struct manifest *out, struct err *e) MUST_CHECK;
/* One more row. idevid may be NULL; result is MANIFEST_OK or why there is none. */
bool manifest_add(struct manifest *m, const char *serial, const struct cert *idevid,
	const char *file, const char *result, struct err *e) MUST_CHECK;
bool manifest_save(const struct manifest *m, struct err *e) MUST_CHECK;
void manifest_clear(struct manifest *m);

#endif
