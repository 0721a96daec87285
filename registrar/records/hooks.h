/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks in the store: where events are sent, how far each has come, and the events that nobody took
 * (dead letters), of which the journal keeps the content. */
#ifndef REGISTRAR_RECORDS_HOOKS_H
#define REGISTRAR_RECORDS_HOOKS_H

#include "registrar/records/records.h"

struct hook_row { /* borrowed strings */
	int64_t id;
	const char *url, *secret;
	const char *types;   /* NULL: all */
	const char *anchors; /* PEM; NULL: those of the configuration */
	bool enabled;
	const char *by;
	int64_t added_at, delivered_at; /* 0: never */
	int64_t cursor;			/* the last line that was sent, or passed over */
	int64_t failing_at;		/* 0: it is not */
	const char *failure;
	int64_t dead, dropped; /* dead letters that are kept, and that were too many */
};
typedef bool records_hook_fn(void *arg, const struct hook_row *row, struct err *e);
bool records_list_hooks(struct store *s, records_hook_fn *fn, void *arg, struct err *e) MUST_CHECK;
/* The last number that was given to a "hook" or a "rule"; none is given twice. */
bool records_last_number(struct store *s, const char *kind, int64_t *out, struct err *e) MUST_CHECK;

/* Begins with what comes after it. ERR_CONFLICT: another took its number. */
bool records_add_hook(const struct records_writer *w, const struct hook_row *h,
	const struct journal_entry *j, struct err *e) MUST_CHECK;
/* Its dead letters go with it. These two: ERR_CONFLICT when there is none. */
bool records_remove_hook(const struct records_writer *w, int64_t id, const struct journal_entry *j,
	struct err *e) MUST_CHECK;
/* skip: what happened until now is not sent. */
bool records_enable_hook(const struct records_writer *w, int64_t id, bool enabled, bool skip,
	const struct journal_entry *j, struct err *e) MUST_CHECK;

/* How far it has come. */
bool records_save_hook(const struct records_writer *w, int64_t id, int64_t cursor,
	int64_t delivered_at, struct err *e) MUST_CHECK;
bool records_save_hook_wait(struct store *s, int64_t id, int64_t cursor, int64_t delivered_at,
	struct err *e) MUST_CHECK;
/* It fails since failing_at, or with 0: no more. j: its line. */
bool records_fail_hook(const struct records_writer *w, int64_t id, int64_t failing_at,
	const char *failure, const struct journal_entry *j, struct err *e) MUST_CHECK;

#define DEAD_LETTERS_MAX 1000 /* of one hook; the oldest make room */
struct dead_letter {
	int64_t hook, sequence, at, tries;
	const char *reason;
	bool wanted; /* it is to be tried again */
};
typedef bool records_dead_fn(void *arg, const struct dead_letter *d, struct err *e);
bool records_list_dead(struct store *s, int64_t hook, int64_t after, int64_t limit,
	records_dead_fn *fn, void *arg, struct err *e) MUST_CHECK;
/* The first behind `after` that is to be tried again; *sequence 0: none. */
bool records_wanted_dead(
	struct store *s, int64_t hook, int64_t after, int64_t *sequence, struct err *e) MUST_CHECK;
/* Given up; the hook goes on behind it. */
bool records_bury(
	const struct records_writer *w, const struct dead_letter *d, struct err *e) MUST_CHECK;
/* Tried again in vain. */
bool records_bury_again(
	const struct records_writer *w, const struct dead_letter *d, struct err *e) MUST_CHECK;
/* Try again, or forget: one, or with sequence 0 all. changed[0] says how many. */
bool records_want_dead(const struct records_writer *w, int64_t hook, int64_t sequence,
	const struct journal_entry *j, struct err *e) MUST_CHECK;
/* j NULL: it was delivered, which is not worth a line. */
bool records_drop_dead(const struct records_writer *w, int64_t hook, int64_t sequence,
	const struct journal_entry *j, struct err *e) MUST_CHECK;

#endif
