/* SPDX-License-Identifier: Apache-2.0 */
/* Rules on who may join, in their order: the first that matches decides. They are kept in the store
 * and read once; a change makes a new set and puts it in the old one's place. What a person said
 * about a device comes before any rule; the configuration's word on its manufacturer comes after.
 */
#ifndef REGISTRAR_RULES_H
#define REGISTRAR_RULES_H

#include <stdatomic.h>

#include "common/base/buf.h"
#include "common/net/network.h"

enum rule_action {
	RULE_APPROVE,
	RULE_HOLD,
	RULE_REJECT,
	RULE_ASK, /* a program of the site is asked (decision.h); until it answers: hold */
	RULE_ACTION_COUNT
};
const char *rule_action_name(enum rule_action a);
bool rule_action_parse(const char *name, enum rule_action *out);

struct rule_text { /* as it is written, stored and shown; NULL or 0: anything matches */
	const char *manufacturer;
	const char *model;	       /* "gw-*,sensor-3": any of them */
	const char *serials;	       /* "A-1,B-*,C-100..C-199": any of them */
	const char *network;	       /* "192.0.2.0/24", "2001:db8::/32" */
	int64_t not_before, not_after; /* from the first moment, up to the second and without it */
	bool limited;
	int64_t remaining; /* devices it still approves, when limited */
	bool disabled;
	enum rule_action action;
	const char *reason;
	const char *site, *labels; /* what the device gets with it: a path, a JSON object */
};

/* Every item of a list of serials has to be one: ERR_INPUT. */
bool serials_check(const char *serials, struct err *e) MUST_CHECK;
bool serials_have(const char *serials, const char *serial);

struct rule {
	int64_t id;
	struct rule_text text; /* its strings are owned */
	struct network network;
	_Atomic int64_t remaining; /* as far as this process knows; the store knows better */
};

struct rule_set {
	atomic_uint refs;
	size_t count, room;
	struct rule *rules;
};

struct rule_question {
	const char *manufacturer, *serial, *address;
	const char *model; /* "": not known */
	int64_t now;
};

struct rule_set *rule_set_new(struct err *e) MUST_CHECK;
/* Copies text; ERR_INPUT when it says nothing that could match. */
bool rule_set_add(
	struct rule_set *s, int64_t id, const struct rule_text *text, struct err *e) MUST_CHECK;
struct rule_set *rule_set_ref(struct rule_set *s);
void rule_set_free(struct rule_set *s);
/* Why the rule does not match: the name of what differs ("serial", "network", …); NULL: it does. */
const char *rule_differs(const struct rule *r, const struct rule_question *q);
/* NULL: none matches. An approving rule with nothing remaining matches nothing. */
struct rule *rule_set_match(const struct rule_set *s, const struct rule_question *q);

#endif
