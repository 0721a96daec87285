/* SPDX-License-Identifier: Apache-2.0 */
/* The registrars that share one database, and what each of them has in hand. With a database of its
 * own a registrar has no row here, and nobody else's either. */
#ifndef REGISTRAR_RECORDS_MEMBERS_H
#define REGISTRAR_RECORDS_MEMBERS_H

#include "registrar/records/records.h"

#define MEMBER_ID_LEN 16 /* of [0-9a-f], made anew at each start */

struct member_row { /* borrowed strings */
	const char *id, *host;
	int64_t started_at, beat;
};
typedef bool records_member_fn(void *arg, const struct member_row *row, struct err *e);

/* Waiting here: at the start, before anything that is of a member. */
bool records_join_wait(struct store *s, const struct member_row *m, struct err *e) MUST_CHECK;
/* The same again, after it was taken for dead. */
bool records_join(
	const struct records_writer *w, const struct member_row *m, struct err *e) MUST_CHECK;
/* It is there still. ERR_CONFLICT: it was taken for dead. */
bool records_beat(const struct records_writer *w, const char *id, struct err *e) MUST_CHECK;
/* It has ended, by its own word. What it had in hand is free. */
bool records_leave_wait(struct store *s, const char *id, int64_t now, struct err *e) MUST_CHECK;
/* It is dead: the same. */
bool records_bury_member(
	const struct records_writer *w, const char *id, int64_t now, struct err *e) MUST_CHECK;
bool records_list_members(
	struct store *s, records_member_fn *fn, void *arg, struct err *e) MUST_CHECK;

/* A device's voucher-request is worked on by this member, until then at the latest. ERR_CONFLICT:
 * by another one. */
bool records_reserve(const struct records_writer *w, const uint8_t idevid_sha256[SHA256_LEN],
	const char *member, int64_t now, int64_t until, struct err *e) MUST_CHECK;
bool records_unreserve(const struct records_writer *w, const uint8_t idevid_sha256[SHA256_LEN],
	const char *member, struct err *e) MUST_CHECK;

/* What stands in the journal behind a line: the last of all, and the last that tells of each. 0:
 * none. */
struct records_news {
	int64_t last, rule, hook;
};
bool records_news(
	struct store *s, int64_t after, struct records_news *out, struct err *e) MUST_CHECK;

#endif
