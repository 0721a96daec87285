/* SPDX-License-Identifier: Apache-2.0 */
/* May this device join? (RFC 8995 §5.3; R8995-REG-012, -058) */
#ifndef REGISTRAR_CLAIM_H
#define REGISTRAR_CLAIM_H

#include "registrar/manufacturer.h"
#include "registrar/records/records.h"
#include "registrar/rules.h"

#define CLAIM_REJECTED_SENTENCE "An administrator has rejected this device."

enum claim_answer {
	CLAIM_ADMIT,
	CLAIM_HOLD,	/* an administrator decides: 202 */
	CLAIM_REFUSE,	/* an administrator said no: 404 */
	CLAIM_UNWANTED, /* not on the list: 404 */
};

/* The whole policy: what the manufacturer's section says, whether the serial is in its file, what
 * an administrator said. No I/O. */
enum claim_answer claim_decide(enum admit_policy admit, bool listed, enum claim_state said);

/* What is asked of the policy as a whole: a person's word, then the rules, then the configuration.
 */
struct claim_case {
	const struct manufacturer *manufacturer;
	const char *serial;
	const char *address; /* where it comes from */
	const char *model;   /* "": not known */
	const struct device_record *known;
	int64_t now;
	int64_t rejoin_s; /* so long after its certificate's end a device comes back by itself */
};
/* Did it join, and has its certificate ended? No I/O. */
bool claim_has_ended(const struct device_record *known, int64_t now);
/* *rule: the one that decides, or NULL. */
enum claim_answer claim_judge(
	const struct claim_case *c, const struct rule_set *rules, struct rule **rule);

/* What a device is told to wait that has to ask again, seconds: `cap` while few do; up to a quarter
 * less, at random, when CLAIMS_MANY do, so that those who came together do not come together again.
 */
int64_t claim_wait_s(int64_t cap, int64_t pending);

struct onboard;
/* Its claim is open: ask about it where the rule that matches says so. */
void claim_ask(struct onboard *o);
/* The same of a device that asks; o->rule is the rule that decides, or NULL. */
enum claim_answer claim_answer_of(struct onboard *o);

#endif
