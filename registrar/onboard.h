/* SPDX-License-Identifier: Apache-2.0 */
/* One onboarding: POST /.well-known/brski/requestvoucher from its first check to the voucher's
 * delivery (RFC 8995 §5.2 to §5.8). The sequence is the table in onboard.c; its steps are in the
 * files named there. The exchange outlives its connection: when the pledge has left, what was begun
 * is finished and recorded, so that the next identical request finds it. */
#ifndef REGISTRAR_ONBOARD_H
#define REGISTRAR_ONBOARD_H

#include "common/message/voucher_format.h"
#include "registrar/describe.h"
#include "registrar/fraud.h"
#include "registrar/history.h"
#include "registrar/records/records.h"
#include "registrar/registrar.h"
#include "registrar/rules.h"

struct onboard;
struct cloud;

enum step_result {
	STEP_NEXT,
	STEP_WAIT,    /* something will call onboard_resume() */
	STEP_PENDING, /* 202: retry_after_s and sentence are set */
	STEP_DONE,    /* the call was answered */
	STEP_FAILED,  /* *e says why */
};

struct onboard_step {
	const char *name; /* as it stands in log and journal */
	enum step_result (*run)(struct onboard *o, struct err *e);
};

struct onboard {
	struct registrar *r;
	const struct onboard_step *steps;
	size_t step_count;
	struct registrar_setup *setup;
	struct registrar_face *face; /* shown on this connection */
	struct call *call;	     /* gone once it was answered */
	size_t step;		     /* index of the one that runs or is waited for */
	int64_t now;
	bool constrained;
	int64_t began_us, asked_us; /* this exchange, and the MASA in it; clock_mono_us() */

	/* who and what: set by the steps of admit.c */
	const struct voucher_format *format;
	const struct manufacturer *manufacturer;
	char *serial;
	char model[MODEL_MAX + 1], host[CALL_PEER_MAX]; /* described; "" is none */
	bool reserved;					/* outstanding_take() was ours, under: */
	bool reserved_stored; /* and records_reserve(), against the other registrars */
	bool elsewhere;	      /* which said that another one is at it */
	uint8_t idevid_sha256[SHA256_LEN];
	uint8_t request_sha256[SHA256_LEN];
	struct device_record known;    /* what the store said before this request */
	struct signed_voucher request; /* the pledge's, verified */

	/* set by suspect.c */
	struct fraud fraud;
	struct fraud_place place;
	uint8_t key_sha256[SHA256_LEN];

	struct rule_set *rules; /* in force when the device was judged; NULL: not looked at */
	struct rule *rule;	/* of them, that decides; NULL: none */
	bool held;		/* an administrator has to decide */

	/* the MASA */
	struct uri masa;
	unsigned masas_tried; /* bits: of those that are configured */
	int64_t masa_wait_ms; /* it is left alone for so long; 0: it is not */
	struct buf registrar_request;
	int masa_status;
	int64_t masa_retry_s;
	struct buf voucher; /* the answer's body */
	struct history_verdict verdict;
	bool ahead; /* the voucher is one that was fetched ahead (ahead.h) */
	char ahead_note[REASON_LEN_MAX + 1];

	struct cloud *cloud; /* of a cloud registrar's sequence: cloud/cloud.h; else NULL */

	/* how it ends */
	int64_t retry_after_s;
	const char *sentence; /* with a 202 */
	bool journaled;
};

/* The route's handler; app is the registrar. */
void onboard_handle(struct call *c, void *app);
/* The same by another table of steps. */
void onboard_start(
	struct call *c, struct registrar *r, const struct onboard_step *sequence, size_t count);
/* What a step waited for has come: e NULL → the next step runs, else the exchange fails. */
void onboard_resume(struct onboard *o, const struct err *e);

/* Vouchers in COSE: over CoAP always, over HTTPS when the pledge likes it (row R-22). */
bool onboard_is_cose(const struct onboard *o);
/* The name of the voucher's type in the answer: the one the pledge has for it. */
const char *onboard_answer_type(const struct onboard *o);

/* An administrator has to decide: STEP_PENDING. */
enum step_result onboard_undecided(struct onboard *o);

struct device_key onboard_device(const struct onboard *o);
/* The record of this request; valid as long as o. */
struct request_record onboard_record(const struct onboard *o);
struct journal_entry onboard_journal_entry(
	const struct onboard *o, const char *outcome, const char *reason);

/* The steps. onboard.c; those that others' sequences have, too */
enum step_result onboard_endorse(struct onboard *o, struct err *e);
enum step_result onboard_ask_masa(struct onboard *o, struct err *e);
enum step_result onboard_read_answer(struct onboard *o, struct err *e);
enum step_result onboard_vet(struct onboard *o, struct err *e);
/* With an answer that is not the last word. */
void onboard_tell_retry_after(struct call *c, int64_t seconds);
/* admit.c */
enum step_result admit_media(struct onboard *o, struct err *e);
enum step_result admit_device(struct onboard *o, struct err *e);
enum step_result admit_reserve(struct onboard *o, struct err *e);
enum step_result admit_recall(struct onboard *o, struct err *e);
enum step_result admit_request(struct onboard *o, struct err *e);
enum step_result admit_reserve_stored(struct onboard *o, struct err *e);
enum step_result admit_recall_again(struct onboard *o, struct err *e);
/* The exchange ends: what was reserved is free. */
void admit_release(struct onboard *o);
/* suspect.c */
enum step_result suspect_space(struct onboard *o, struct err *e);
enum step_result suspect_device(struct onboard *o, struct err *e);
/* From now on it counts as quarantined, if policy says so of what was found: then it is held, and
 * the store learns it with that. */
bool suspect_quarantine(struct onboard *o);
/* claim.c */
enum step_result claim_judge_device(struct onboard *o, struct err *e);
enum step_result claim_hold(struct onboard *o, struct err *e);
/* Hold it whatever was decided: it is quarantined. Nothing else is recorded or delivered then. */
enum step_result claim_hold_back(struct onboard *o, struct err *e);

#endif
