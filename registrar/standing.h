/* SPDX-License-Identifier: Apache-2.0 */
/* Where a device stands with the site, as people are told it. What is stored decides first (the
 * column `standing`, derived in records/migrations.c of stored facts alone); whether a certificate
 * has ended, or soon will, is a matter of the moment. Both halves are here by name. */
#ifndef REGISTRAR_STANDING_H
#define REGISTRAR_STANDING_H

#include "registrar/records/records.h"

/* "new" (a claim only), "active", "joining", … "expired". */
const char *standing_name(enum standing s);
bool standing_parse(const char *name, enum standing *out);

struct standing_rule {
	int64_t now;
	int64_t expiring_s; /* so long before its end a certificate is expiring */
};
/* stored: one of the stored ones; not_after of the newest certificate, 0: none. No I/O. */
enum standing standing_of(
	enum standing stored, int64_t not_after, const struct standing_rule *rule);

struct registrar;
/* The rule of this moment and this configuration. Any thread. */
struct standing_rule standing_rule_of(struct registrar *r);

#endif
