/* SPDX-License-Identifier: Apache-2.0 */
/* Which of a site's issuing CAs issues, by its key: one row for all registrars of the site. */
#ifndef REGISTRAR_RECORDS_ISSUING_H
#define REGISTRAR_RECORDS_ISSUING_H

#include "registrar/records/records.h"

struct issuing_choice {
	bool made; /* else nobody has switched yet */
	uint8_t key_sha256[SHA256_LEN];
	int64_t at;
};
bool records_issuing(struct store *s, struct issuing_choice *out, struct err *e) MUST_CHECK;
bool records_choose_issuing(const struct records_writer *w, const uint8_t key_sha256[SHA256_LEN],
	const struct journal_entry *j, struct err *e) MUST_CHECK;

#endif
