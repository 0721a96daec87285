/* SPDX-License-Identifier: Apache-2.0 */
/* Is an audit log whole? Judged from what the service told or an export holds, with nothing of the
 * service believed but what its certificate signed (pki/hash_chain.h):
 *   every line's hash follows from the line before it, numbers have no gap,
 *   every signed head is by a registrar or MASA below the anchors and names a line's very hash,
 *   the log begins with line 1 or behind a signed head, and reaches the last head.
 */
#ifndef CTL_AUDIT_CHECK_H
#define CTL_AUDIT_CHECK_H

#include "common/pki/chain.h"
#include "common/pki/hash_chain.h"
#include "common/wire/json.h"

/* What a log's lines are made of behind sequence and time, in the order of the hash. */
struct audit_field {
	const char *member;
	bool is_moment; /* hashed as seconds since 1970 */
};
struct audit_form {
	const char *log;		  /* its name in what is signed */
	const struct audit_field *fields; /* ended by a NULL member */
	/* Others have certificates below the same CA. ERR_UNAUTHENTICATED. */
	bool (*may_sign)(const struct cert *signer, struct err *e);
};
extern const struct audit_form audit_form_registrar, audit_form_masa;

#define AUDIT_HEADS_MAX 1000000 /* 48 octets each; a site keeps one an hour */

struct audit_head {
	int64_t sequence;
	uint8_t hash[SHA256_LEN];
};

struct audit_check {
	const struct audit_form *form;
	struct anchors *anchors;  /* borrowed */
	struct audit_head *heads; /* in order of sequence */
	size_t head_count, head_room;
	struct buf
		signer_pem; /* the last head's certificates: the next one's are mostly the same */
	struct cert_list signer;
	int64_t first, last; /* lines seen; 0: none */
	int64_t since;	     /* the moment of the first */
	int64_t unchained;   /* of them older than the chain */
	bool chained;	     /* the chain has begun */
	uint8_t hash[SHA256_LEN];
	size_t next_head; /* the first whose line has not come yet */
};

void audit_check_init(
	struct audit_check *c, const struct audit_form *form, struct anchors *anchors);
void audit_check_clear(struct audit_check *c);
#define AUDIT_CHECK_AUTO __attribute__((cleanup(audit_check_clear)))

/* All heads first, then all lines, as GET /api/v1/audit/heads and /api/v1/audit list them.
 * ERR_UNAUTHENTICATED with what does not fit; ERR_INPUT: no head or line. */
bool audit_check_head(struct audit_check *c, const json_t *head, struct err *e) MUST_CHECK;
bool audit_check_line(struct audit_check *c, const json_t *line, struct err *e) MUST_CHECK;
/* No more lines come. expected: a head noted elsewhere that has to be in it, or NULL. */
bool audit_check_end(
	struct audit_check *c, const struct audit_head *expected, struct err *e) MUST_CHECK;

#endif
