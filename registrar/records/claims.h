/* SPDX-License-Identifier: Apache-2.0 */
/* Claims and devices as administrators search and decide about them, many at a time. Searching
 * looks at a bounded number of rows; a decision about many is one transaction, of rows that are
 * still as they were read. */
#ifndef REGISTRAR_RECORDS_CLAIMS_H
#define REGISTRAR_RECORDS_CLAIMS_H

#include "registrar/admin/match.h"
#include "registrar/standing.h"

#define SEARCH_ROWS_MAX 4000 /* looked at for one answer: some 20 ms at a million devices */

struct claim_search {
	enum match_of of;	   /* MATCH_CLAIMS leaves out devices without a claim, */
	const struct match *match; /* MATCH_DEVICES what is a claim only. NULL: all */
	int64_t after;		   /* only numbers above */
	int64_t limit;		   /* rows the caller has room for */
	struct standing_rule rule; /* what a device's state is */
};
/* Rows that are meant, in order of their numbers; fn returns false to end it. *next: go on behind
 * this number; 0: that was all. */
bool records_search(struct store *s, const struct claim_search *q, records_claim_fn *fn, void *arg,
	int64_t *next, struct err *e) MUST_CHECK;
/* Those of ids, a JSON array of numbers, in their order. */
bool records_claims_in(struct store *s, struct bytes ids, records_claim_fn *fn, void *arg,
	struct err *e) MUST_CHECK;

/* Sites that ask for more than one approver. */
struct careful_sites {
	struct careful_site {
		char *path;
		int approvers;
	} * items;
	size_t count;
};
#define CAREFUL_SITES_AUTO __attribute__((cleanup(careful_sites_clear)))
void careful_sites_clear(struct careful_sites *c);
bool records_careful_sites(struct store *s, struct careful_sites *out, struct err *e) MUST_CHECK;
/* For a device at the site: the most that it or one above it asks for; at least 1. */
int careful_sites_approvers(const struct careful_sites *c, const char *site);

/* Decisions about rows as they were read: [[id, revision, outcome, claim, approvals], …], claim
 * the number of its new state or null for one that stays, approvals JSON text or null. */
struct verdict_record {
	struct bytes rows;
	int64_t count; /* of them */
	int64_t at, until;
	const char *exchange, *by, *reason;
	const char *site, *labels; /* for what is decided; labels is a JSON object. NULL: stay */
	int64_t job;		   /* its row notes the progress; 0: none */
	int64_t done, failed;	   /* of it, with these */
};
/* All of them or none, waiting here: never on a loop. ERR_CONFLICT: one is not as it was read. */
bool records_decide_rows(struct store *s, const struct verdict_record *v, struct err *e) MUST_CHECK;

/* ---- Jobs ---- */

enum job_state {
	JOB_WAITING,
	JOB_RUNNING,
	JOB_FINISHED,
	JOB_FAILED,
	JOB_INTERRUPTED,
	JOB_STATE_COUNT
};
const char *job_state_name(enum job_state s);

struct job_record { /* borrowed strings */
	int64_t id;
	enum job_state state;
	const char *kind, *by, *exchange, *what; /* "approve"; the request in words */
	int64_t total, done, failed;
	int64_t begun, ended;
	const char *reason;   /* why it failed; or NULL */
	const char *failures; /* JSON array of the first ones, or NULL */
	const char *member;   /* who runs it (members.h), while it runs; NULL: the only one */
};
typedef bool records_job_fn(void *arg, const struct job_record *job, struct err *e);
bool records_list_jobs(
	struct store *s, int64_t limit, records_job_fn *fn, void *arg, struct err *e) MUST_CHECK;
/* fn is not called when there is none of this number. */
bool records_show_job(
	struct store *s, int64_t id, records_job_fn *fn, void *arg, struct err *e) MUST_CHECK;
/* With a line in the journal each; waiting here. ERR_CONFLICT: there is one of this number. */
bool records_begin_job(struct store *s, const struct job_record *job, struct err *e) MUST_CHECK;
bool records_end_job(struct store *s, const struct job_record *job, struct err *e) MUST_CHECK;
/* What was waiting or running at a registrar that is not there any more. */
bool records_interrupt_jobs(struct store *s, int64_t now, struct err *e) MUST_CHECK;
/* The same where there is no other registrar: a row of one came along with a copy of a database
 * that several had. */
bool records_interrupt_all_jobs(struct store *s, int64_t now, struct err *e) MUST_CHECK;

#endif
