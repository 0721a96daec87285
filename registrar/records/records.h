/* SPDX-License-Identifier: Apache-2.0 */
/* What the registrar remembers, as typed functions over the store: one row a device (its claim, its
 * last voucher-request, its history), one a certificate, one a line of the journal.
 *
 * The journal is what a device's timeline and the audit log are read from: written in the very
 * transaction of what it tells of, never changed, and a hash chain (pki/hash_chain.h) over the
 * fields sequence, at, exchange, manufacturer, serial, actor, step, outcome, reason.
 *
 * A claim is where a device stands with the administrator, its state where it stands with us. The
 * row is keyed by manufacturer and serial-number, never by certificate octets (T-34). */
#ifndef REGISTRAR_RECORDS_RECORDS_H
#define REGISTRAR_RECORDS_RECORDS_H

#include "common/pki/hash_chain.h"
#include "common/run/store.h"
#include "registrar/site.h"

enum claim_state {
	CLAIM_NONE,
	CLAIM_PENDING,
	CLAIM_APPROVED,
	CLAIM_REJECTED,
	CLAIM_PREAPPROVED, /* approved before the device asked; when it does: approved */
	CLAIM_EXPIRED,	   /* nobody used the approval in time: the device is held again */
	CLAIM_ANNOUNCED,   /* who may not decide said that it will come: it is held when it does */
	CLAIM_STATE_COUNT
};
enum device_state {
	DEVICE_NEW,	 /* known, no voucher yet */
	DEVICE_VOUCHED,	 /* has a voucher */
	DEVICE_ENROLLED, /* has a certificate of ours */
	DEVICE_REFUSED,	 /* its history speaks against it: no EST action (R8995-REG-057) */
	DEVICE_REVOKED,	 /* its certificates are: it comes back when its claim is approved anew */
};
/* What a device is to the site: of a stored device, the first eight, in the order of the column of
 * this name; the others are a matter of time (registrar/standing.h). */
enum standing {
	STANDING_NONE,	      /* a claim only */
	STANDING_ACTIVE,      /* it has a certificate of ours */
	STANDING_JOINING,     /* it has a voucher */
	STANDING_QUARANTINED, /* shut out until it is released; nothing of it is revoked */
	STANDING_REVOKED,     /* these three: its certificates are revoked */
	STANDING_DECOMMISSIONED,
	STANDING_REPLACED,
	STANDING_REFUSED, /* its history speaks against it, or an administrator */
	STANDING_STORED_COUNT,
	STANDING_EXPIRING = STANDING_STORED_COUNT, /* its certificate ends soon */
	STANDING_EXPIRED,
	STANDING_COUNT
};
enum history_state {
	HISTORY_UNKNOWN,
	HISTORY_GOOD,
	HISTORY_WARNED,
	HISTORY_REFUSED,
	HISTORY_STATE_COUNT
};

const char *claim_state_name(enum claim_state s);
bool claim_state_parse(const char *name, enum claim_state *out);
const char *history_state_name(enum history_state s);

extern const struct store_schema records_schema;

struct fraud;

struct device_key { /* borrowed strings */
	const char *manufacturer;
	const char *serial;
};

#define MEDIA_TYPE_KEPT 63
#define ADDRESS_KEPT	63

struct device_record {
	bool found;
	int64_t id;
	enum claim_state claim;
	enum device_state state;
	enum history_state history;
	uint8_t idevid_sha256[SHA256_LEN];	/* zeros when none */
	uint8_t request_sha256[SHA256_LEN];	/* of the last voucher-request */
	uint8_t registrar_sha256[SHA256_LEN];	/* our certificate at that time */
	char voucher_type[MEDIA_TYPE_KEPT + 1]; /* "" when there is no voucher */
	int64_t last_seen, claim_until;
	int64_t quarantined_at, not_after; /* 0: it is not; of its newest certificate or 0 */
	enum standing standing;		   /* one of the stored ones */
	int64_t revision;
	int64_t decided_at; /* when a person last decided; 0: never */
	char site[SITE_LEN_MAX + 1];
	/* by which fraud is seen (registrar/fraud.h); zeros and "" when not known */
	int64_t marks; /* bits of enum fraud_signal */
	uint8_t key_sha256[SHA256_LEN];
	char address[ADDRESS_KEPT + 1], address_before[ADDRESS_KEPT + 1];
	int64_t moved_at, vouched_at, renewed_at;
	int64_t day, joins, certificates;   /* that day (since 1970) it had so many */
	char announced[2 * SHA256_LEN + 1]; /* its IDevID as a list had it, in hex; "": any */
};
/* What was said about it that still counts at the moment `now`: an approval is over at its end,
 * whether or not it was noted as expired. */
enum claim_state device_record_claim(const struct device_record *d, int64_t now);

struct journal_entry { /* borrowed strings; NULL where there is none */
	int64_t at;
	const char *exchange;
	struct device_key device;
	const char *actor; /* the administrator; NULL: the device, or we ourselves */
	const char *step, *outcome, *reason;
};

struct journal_line {
	struct journal_entry entry;
	int64_t sequence;
	const uint8_t *hash; /* SHA256_LEN octets; NULL: older than the chain */
	const char *site;    /* where its device is now; only of records_list_events() */
};

/* What a voucher-request told about its device. */
struct request_record {
	struct device_key device;
	const char *subject;	      /* of the IDevID */
	const uint8_t *idevid_sha256; /* SHA256_LEN octets each */
	const uint8_t *request_sha256;
	const uint8_t *registrar_sha256;
	int64_t at;
	const struct rule_use *rule; /* that lets it in, or places it while it is held */
	const uint8_t *key_sha256;   /* or NULL */
	const char *address_before;  /* see struct fraud_place */
	int64_t moved_at;
	const struct fraud *fraud;   /* what was found, written with it; NULL: not looked for */
	bool waits;		     /* its claim is open already: not a line each time */
	const char *model, *address; /* what it is and where it comes from; NULL: not known */
	bool spent;		     /* to be held: the approval it joined with counts no longer */
	bool rejoined; /* let in as its certificate has ended: has a line of its own */
	bool ahead;    /* its voucher is one that was fetched ahead: that it was used is noted */
};
/* What a rule has approved, noted with the voucher. */
struct rule_use {
	int64_t id;
	bool limited;		   /* one of those that remained is taken */
	const char *name;	   /* "rule 3": stands where an administrator would */
	const char *reason;	   /* or NULL */
	const char *site, *labels; /* that the device gets; NULL: as it is */
};

/* ---- Reading: here and now, indexed. ---- */
bool records_device(struct store *s, struct device_key key, struct device_record *out,
	struct err *e) MUST_CHECK;
/* The stored voucher; ERR_NOT_FOUND. */
bool records_voucher(
	struct store *s, struct device_key key, struct buf *out, struct err *e) MUST_CHECK;
/* The registrar voucher-request behind it; ERR_NOT_FOUND when it is no longer kept. */
bool records_registrar_request(
	struct store *s, struct device_key key, struct buf *out, struct err *e) MUST_CHECK;

/* A certificate we issued. */
struct certificate_record {
	bool found;
	char *manufacturer, *serial; /* of the device */
	int64_t issued_at, not_after, revoked_at;
};
void certificate_record_clear(struct certificate_record *c);
bool records_certificate(struct store *s, const uint8_t sha256[SHA256_LEN],
	struct certificate_record *out, struct err *e) MUST_CHECK;
/* The certificate issued since `since` for these very CSR octets and client; ERR_NOT_FOUND. */
bool records_certificate_for(struct store *s, const uint8_t csr_sha256[SHA256_LEN],
	const uint8_t client_sha256[SHA256_LEN], int64_t since, struct buf *der,
	struct err *e) MUST_CHECK;
/* How many there are, known without counting: claims in a state but none; devices of a stored
 * standing but none. */
bool records_count_claims(
	struct store *s, enum claim_state state, int64_t *out, struct err *e) MUST_CHECK;
bool records_count_devices(
	struct store *s, enum standing standing, int64_t *out, struct err *e) MUST_CHECK;
/* Devices whose certificate ends from the day of one moment to that of the other. */
bool records_count_ending(
	struct store *s, int64_t from, int64_t to, int64_t *out, struct err *e) MUST_CHECK;
/* When the device was first seen whose claim is open and which came first; 0: none is open. */
bool records_oldest_pending(struct store *s, int64_t *first_seen, struct err *e) MUST_CHECK;

/* ---- Writing: durable when done is called, on l's thread. False: not queued. ---- */
struct records_writer {
	struct store *store;
	struct loop *loop;
	store_done *done;
	void *arg;
};
/* A device waits for an administrator. changed[0] is 1 when it was not known before. */
bool records_hold(const struct records_writer *w, const struct request_record *r,
	const struct journal_entry *j, struct err *e) MUST_CHECK;
/* It was still there. */
bool records_touch(const struct records_writer *w, struct device_key key, int64_t at,
	struct err *e) MUST_CHECK;
/* A voucher is about to be delivered. registrar_request has len 0 when nobody needs it again.
 * changed[0] is 1 when a claim was settled with it: one still open, as the configuration lets the
 * device in by now and nobody has to decide any more; or one that was approved before it asked. */
bool records_keep_voucher(const struct records_writer *w, const struct request_record *r,
	struct bytes voucher, const char *voucher_type, struct bytes registrar_request,
	enum history_state history, const struct journal_entry *j, struct err *e) MUST_CHECK;
/* What the MASA's audit log says; HISTORY_REFUSED makes the device DEVICE_REFUSED: changed[1] is 1
 * when it was not that before. */
bool records_judge_history(const struct records_writer *w, const struct request_record *r,
	enum history_state history, const struct journal_entry *j, struct err *e) MUST_CHECK;
/* A certificate is about to be delivered. ERR_CONFLICT: the device was refused in between, or the
 * same request was answered (records_certificate_for() finds the answer). */
struct issued_record {
	struct device_key device;
	const uint8_t *sha256;
	const char *serial_hex;
	struct bytes der;
	const char *subject;
	int64_t at, not_after, repeat_since;
	const uint8_t *csr_sha256, *client_sha256;
	bool renewal;
	int64_t keep; /* certificates of the device at least; older ones that have ended go */
	const struct fraud *fraud; /* or NULL */
};
bool records_issue(const struct records_writer *w, const struct issued_record *c,
	const struct journal_entry *j, struct err *e) MUST_CHECK;
/* Telemetry: what is one of "voucher", "enroll". */
bool records_status(const struct records_writer *w, struct device_key key, bool of_voucher,
	const char *text, const struct journal_entry *j, struct err *e) MUST_CHECK;
bool records_journal(
	const struct records_writer *w, const struct journal_entry *j, struct err *e) MUST_CHECK;
/* A device was refused, or something failed for it: left out when its serial-number has had
 * lines_max lines within a day, DEVICE_LINES_MAX as a rule, so that one that tries for ever does
 * not push the others out of the journal. */
bool records_failure(const struct records_writer *w, const struct journal_entry *j,
	int64_t lines_max, struct err *e) MUST_CHECK;
/* records_journal(), waiting here: before anything runs. */
bool records_journal_wait(struct store *s, const struct journal_entry *j, struct err *e) MUST_CHECK;

/* ---- The administrator. ---- */
struct claim_row {
	int64_t id;
	const char *manufacturer, *serial, *subject, *reason, *by;
	enum claim_state claim;
	enum device_state state;
	enum history_state history;
	const char *history_reason, *voucher_status, *enroll_status;
	int64_t first_seen, last_seen, decided_at, vouched_at, enrolled_at;
	int64_t until;		   /* the end of an approval nobody has used; 0: none */
	const char *site, *labels; /* JSON object or NULL */
	const char *model, *address;
	int64_t revision; /* rises with each change of state and each change by a person */
	const char *quarantine_reason;
	int64_t quarantined_at, retired_at, not_after, rejoined_at; /* 0: never */
	int64_t replaces, replaced_by; /* numbers of devices; 0: none */
	int64_t marks;		       /* bits: signals of fraud */
	const char *approvals;	       /* JSON array or NULL */
	enum standing standing;	       /* one of the stored ones */
};
typedef bool records_claim_fn(void *arg, const struct claim_row *row, struct err *e);
/* Rows with id > after, at most limit, in order of id. CLAIM_STATE_COUNT: claims of any state but
 * none. */
bool records_list_claims(struct store *s, enum claim_state state, int64_t after, int64_t limit,
	records_claim_fn *fn, void *arg, struct err *e) MUST_CHECK;
/* Devices that have or had a voucher, were refused or are quarantined. */
bool records_list_devices(struct store *s, int64_t after, int64_t limit, records_claim_fn *fn,
	void *arg, struct err *e) MUST_CHECK;
bool records_find_by_serial(struct store *s, const char *serial, records_claim_fn *fn, void *arg,
	struct err *e) MUST_CHECK;
bool records_find_by_id(
	struct store *s, int64_t id, records_claim_fn *fn, void *arg, struct err *e) MUST_CHECK;
/* Approval before a device asks. A list is JSON, [[manufacturer, serial, note, place, site, model,
 * labels, IDevID, until], …], null where there is none, no device in it twice. labels is an object
 * as text, IDevID the SHA-256 of the certificate in lower-case hex. */
struct known_claim { /* borrowed strings */
	enum claim_state said;
	enum device_state state;
	bool seen;	    /* it has asked */
	const char *site;   /* where it is */
	const char *idevid; /* with what it asked, in hex; "" when it has not */
};
typedef bool records_known_fn(
	void *arg, int64_t place, const struct known_claim *claim, struct err *e);
/* Those of the list that are known here, as they stand at the moment `now`. */
bool records_look_up(struct store *s, struct bytes list, int64_t now, records_known_fn *fn,
	void *arg, struct err *e) MUST_CHECK;
struct import_record {
	struct bytes list;
	int64_t count;	       /* of devices in it */
	struct bytes approved; /* of those the ones that may join */
	int64_t approved_count;
	struct bytes announced; /* ... and those that somebody else decides about */
	int64_t announced_count;
	int64_t at, until;
	const char *exchange, *by;
	const char *summary; /* for the journal: what came, and from where */
};
/* All of them or none: each is preapproved, or approved where it has asked, or announced, and gets
 * its line in the journal behind one of the import. ERR_CONFLICT: somebody decided about one of
 * them already, or it is revoked; or one that is to be announced is known. */
bool records_import(
	const struct records_writer *w, const struct import_record *i, struct err *e) MUST_CHECK;

typedef bool records_journal_fn(void *arg, const struct journal_line *line, struct err *e);
/* The newest entries of a serial-number, newest first. */
bool records_read_journal(struct store *s, const char *serial, int64_t limit,
	records_journal_fn *fn, void *arg, struct err *e) MUST_CHECK;
/* The lines of one device with sequence > after, in their order. */
bool records_history(struct store *s, struct device_key key, int64_t after, int64_t limit,
	records_journal_fn *fn, void *arg, struct err *e) MUST_CHECK;
/* Lines with sequence > after in their order; the last one. */
bool records_list_journal(struct store *s, int64_t after, int64_t limit, records_journal_fn *fn,
	void *arg, struct err *e) MUST_CHECK;
/* The same with the sites of their devices; dearer. */
bool records_list_events(struct store *s, int64_t after, int64_t limit, records_journal_fn *fn,
	void *arg, struct err *e) MUST_CHECK;
bool records_last_journal(
	struct store *s, records_journal_fn *fn, void *arg, struct err *e) MUST_CHECK;

/* A signed head of the journal. */
struct head_record {
	struct hash_chain_head head; /* log is not stored */
	struct bytes signature;
	const char *certificates; /* PEM: the signer's, then its issuers */
};
typedef bool records_head_fn(void *arg, const struct head_record *h, struct err *e);
bool records_list_heads(struct store *s, int64_t after, int64_t limit, records_head_fn *fn,
	void *arg, struct err *e) MUST_CHECK;
bool records_last_head(struct store *s, records_head_fn *fn, void *arg, struct err *e) MUST_CHECK;
/* changed[0] is 0 when the journal has no such line, or the head is there already. */
bool records_add_head(
	const struct records_writer *w, const struct head_record *h, struct err *e) MUST_CHECK;

typedef bool records_certificate_fn(void *arg, const char *serial_hex, const char *subject,
	int64_t issued_at, int64_t not_after, int64_t revoked_at, struct err *e);
bool records_list_certificates(struct store *s, struct device_key key, int64_t limit,
	records_certificate_fn *fn, void *arg, struct err *e) MUST_CHECK;

/* ---- Fraud. ---- */
/* What was found about a device that gets no further: marks and quarantine, and its line. */
bool records_fraud(const struct records_writer *w, const struct fraud *f,
	const struct journal_entry *j, struct err *e) MUST_CHECK;

/* ---- Revocation. ---- */
struct revoked_row { /* borrowed */
	const char *serial_hex;
	int64_t revoked_at;
	struct bytes der;
};
typedef bool records_revoked_fn(void *arg, const struct revoked_row *row, struct err *e);
/* Certificates that end at `ends` or later, of every CA the site had. */
bool records_list_revoked(
	struct store *s, int64_t ends, records_revoked_fn *fn, void *arg, struct err *e) MUST_CHECK;
/* What became of the certificate with this number, of the CA with this key identifier. */
struct issued_standing {
	bool found;
	int64_t revoked_at; /* 0: it is not */
};
bool records_issued_standing(struct store *s, const char *serial_hex, struct bytes issuer,
	struct issued_standing *out, struct err *e) MUST_CHECK;
/* The last list of the CA with this key identifier; number 0 when there is none. */
bool records_crl(struct store *s, struct bytes issuer, int64_t *number, struct buf *der,
	struct err *e) MUST_CHECK;
bool records_crl_number(
	struct store *s, struct bytes issuer, int64_t *number, struct err *e) MUST_CHECK;
/* before: the number of the last one, as it was read before the certificates were. ERR_CONFLICT:
 * there is another by now, which may know of more certificates; or one with a higher number. */
bool records_keep_crl(const struct records_writer *w, struct bytes issuer, int64_t before,
	int64_t number, struct bytes der, struct err *e) MUST_CHECK;

/* ---- Ageing out. ---- */
struct sweep_limits {
	int64_t now;	  /* approvals that end at it or before expire, a journal line each */
	int64_t expiring; /* a line for each device whose certificate ends until here, once */
	int64_t claims_before, journal_before, certificates_before; /* moments */
	int64_t journal_rows;					    /* kept at least */
	int64_t heads_before; /* that are thinned out to one an hour */
};
bool records_sweep(
	const struct records_writer *w, const struct sweep_limits *l, struct err *e) MUST_CHECK;

#endif
