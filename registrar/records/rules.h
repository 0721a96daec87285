/* SPDX-License-Identifier: Apache-2.0 */
/* Rules in the store (rules.h), in the order of their places from 1 without a gap. A change is one
 * transaction with its line in the journal. */
#ifndef REGISTRAR_RECORDS_RULES_H
#define REGISTRAR_RECORDS_RULES_H

#include "registrar/records/records.h"
#include "registrar/rules.h"

typedef bool records_rule_fn(void *arg, int64_t id, const struct rule_text *text, struct err *e);
bool records_list_rules(struct store *s, records_rule_fn *fn, void *arg, struct err *e) MUST_CHECK;
/* At a place; those from there on move down. id: the last number and one (records_last_number());
 * ERR_CONFLICT: another took it. */
bool records_add_rule(const struct records_writer *w, int64_t id, int64_t place,
	const struct rule_text *text, const struct journal_entry *j, struct err *e) MUST_CHECK;
/* ERR_CONFLICT: it is not at that place (any more). */
bool records_remove_rule(const struct records_writer *w, int64_t id, int64_t place,
	const struct journal_entry *j, struct err *e) MUST_CHECK;
bool records_move_rule(const struct records_writer *w, int64_t id, int64_t from, int64_t to,
	const struct journal_entry *j, struct err *e) MUST_CHECK;

bool records_enable_rule(const struct records_writer *w, int64_t id, int64_t place, bool enabled,
	const struct journal_entry *j, struct err *e) MUST_CHECK;

#endif
