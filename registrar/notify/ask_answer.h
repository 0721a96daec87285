/* SPDX-License-Identifier: Apache-2.0 */
/* The answer of the program that a rule asks about a device: a JSON object with the id of the
 * question and a decision, signed as hook_send.h describes. Whatever is not exactly that is no
 * answer. No I/O. */
#ifndef REGISTRAR_NOTIFY_ASK_ANSWER_H
#define REGISTRAR_NOTIFY_ASK_ANSWER_H

#include "common/base/buf.h"
#include "registrar/limits.h"
#include "registrar/site.h"

#define ASK_ANSWER_MAX 16384
#define ASK_CLOCKS_S   300 /* clocks of the two may differ by as much */

enum ask_decision { ASK_APPROVE, ASK_HOLD, ASK_REJECT, ASK_DECISION_COUNT };
extern const char *const ask_decision_names[ASK_DECISION_COUNT + 1];

struct ask_answer {
	enum ask_decision decision;
	char reason[REASON_LEN_MAX + 1]; /* "" for none */
	char site[SITE_LEN_MAX + 1];	 /* "" for none */
	struct buf labels;		 /* JSON object; empty for none */
};
void ask_answer_clear(struct ask_answer *a);
#define ASK_ANSWER_AUTO __attribute__((cleanup(ask_answer_clear)))

/* {"id", "decision": "approve"|"hold"|"reject", "reason"?, "site"?, "labels"?}; other members are
 * ignored. out is to be cleared in any case. ERR_PEER, ERR_NO_MEMORY. */
bool ask_answer_parse(
	struct bytes body, const char *id, struct ask_answer *out, struct err *e) MUST_CHECK;
/* timestamp, signature: header fields of the answer, or NULL. */
bool ask_answer_verify(struct bytes body, const char *timestamp, const char *signature,
	const char *secret, int64_t now, struct err *e) MUST_CHECK;

#endif
