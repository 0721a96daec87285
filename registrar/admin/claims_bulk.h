/* SPDX-License-Identifier: Apache-2.0 */
/* What a request asks to be decided (claims_decide.h): about which claims, what shall become of
 * them, who asks. */
#ifndef REGISTRAR_ADMIN_CLAIMS_BULK_H
#define REGISTRAR_ADMIN_CLAIMS_BULK_H

#include "registrar/admin/decide.h"
#include "registrar/admin/guard.h"
#include "registrar/admin/match.h"
#include "registrar/registrar.h"

struct bulk_item {
	int64_t id;
	enum decide_result result;
	char *name;   /* owned: as it was asked for; NULL: by number */
	char *serial; /* owned; NULL: not read */
	char *detail; /* owned; NULL: nothing to say */
};

struct bulk {
	struct registrar *r;
	struct call *call; /* the loop's; NULL once it is answered */
	struct principal who;
	enum claim_state to;
	bool one, all, has_match, change;
	int64_t revision, expected;
	char exchange[EXCHANGE_ID_MAX + 1];
	char reason[REASON_LEN_MAX + 1];
	char *site, *labels, *match_text; /* owned */
	struct match match;
	struct bulk_item *items;
	size_t count, room, at; /* at: a job's next */
	int64_t written, failed;
	/* the answer: */
	int status;
	json_t *answer;
	struct err e;
};

/* The body and path of b->call; b->r and b->call are set. ERR_INPUT and others, to be told. */
bool bulk_read(struct bulk *b, struct err *e) MUST_CHECK;
void bulk_free(void *b);

struct bulk_item *bulk_add(struct bulk *b, struct err *e) MUST_CHECK;
void bulk_drop_items(struct bulk *b);
/* A copy in place of what was there; NULL or "": none. */
bool bulk_keep_text(char **to, const char *text, struct err *e) MUST_CHECK;

#endif
