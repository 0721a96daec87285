/* SPDX-License-Identifier: Apache-2.0 */
/* What the MASA remembers: devices, owners, and the audit log. An event of the log and the voucher
 * it stands for are one row: the voucher's content is kept, so that a repeated request gets the
 * same voucher without a second event (RFC 8995 §5.6, §5.8). */
#ifndef MASA_RECORDS_H
#define MASA_RECORDS_H

#include "common/message/audit_log.h"
#include "common/pki/digest.h"
#include "common/run/seal.h"
#include "common/run/store.h"
#include "masa/limits.h"

extern const struct store_schema masa_schema;

/* ---- devices ---- */

struct device {
	int64_t id, created;
	char *serial;
	char *owner;		  /* NULL: not known */
	struct buf idevid_issuer; /* as imported; empty: any issuer */
	struct buf issuer_key;	  /* the key identifier inside it; empty: any issuer */
};
struct device_list {
	struct device items[MASA_NAMESAKES_MAX];
	size_t count;
};
void device_list_clear(struct device_list *l);
#define DEVICE_LIST_AUTO __attribute__((cleanup(device_list_clear)))

/* All devices with this serial number; more than MASA_NAMESAKES_MAX is ERR_STORE. */
bool records_devices_find(
	struct store *s, const char *serial, struct device_list *out, struct err *e) MUST_CHECK;

struct device_row { /* borrowed while reading; for lists and imports */
	int64_t id;
	const char *serial, *owner;
	struct bytes idevid_issuer, issuer_key;
	int64_t created;
};
typedef bool device_row_fn(void *arg, const struct device_row *row, struct err *e);
/* Up to MASA_PAGE_ROWS devices with an id above `after`, in order. */
bool records_devices_list(
	struct store *s, int64_t after, device_row_fn *fn, void *arg, struct err *e) MUST_CHECK;

#define DEVICE_IMPORT_OPS 3
/* The steps that add a device or complete one that is there: the same row twice changes nothing. */
void records_device_import(
	const struct device_row *row, int64_t now, struct store_op ops[DEVICE_IMPORT_OPS]);

/* ---- owners ---- */

typedef bool owner_row_fn(
	void *arg, const char *name, const char *anchors_pem, int64_t created, struct err *e);
bool records_owners_list(struct store *s, owner_row_fn *fn, void *arg, struct err *e) MUST_CHECK;
/* Another number: somebody added one or replaced its anchors. */
bool records_owners_revision(struct store *s, int64_t *revision, struct err *e) MUST_CHECK;
/* Add, or replace the anchors. */
struct store_op records_owner_put(const char *name, const char *anchors_pem, int64_t now);

/* ---- the audit log ---- */

struct event {
	int64_t device;
	int64_t date;
	const char *domain_id; /* base64, as it stands in the log */
	const uint8_t
		*domain_key; /* SHA-256 of the pinned SubjectPublicKeyInfo: an identity nobody can
				claim without the key, which a domainID (a chosen SKI) is not */
	const char *nonce;   /* as in the request, or NULL */
	enum voucher_assertion assertion;
	const uint8_t *digest; /* SHA-256 of the request's octets */
	int64_t expires_on;    /* 0: the voucher has none */
	const char *content;   /* the voucher's JSON */
	const char *registrar; /* subject of the signer, for people */
};

#define EVENT_OPS 3
/* The steps that write an event: a repeated request whose voucher has expired gives its digest to
 * the new event; one whose voucher is still good writes nothing: the last of changed is then 0.
 * Repeated is the same octets, or the same nonce of the same device for the same domain. */
void records_event_write(const struct event *ev, struct store_op ops[EVENT_OPS]);

struct issued { /* what an earlier, identical request was given */
	bool found;
	int64_t device;
	char *content;
};
void issued_clear(struct issued *i);
#define ISSUED_AUTO __attribute__((cleanup(issued_clear)))
/* By the request's digest. A voucher that has expired at `now` is not found. */
bool records_issued_find(struct store *s, const uint8_t digest[SHA256_LEN], int64_t now,
	struct issued *out, struct err *e) MUST_CHECK;
/* By what it is about: the voucher of this pledge's request for this domain, however the registrar
 * wrapped it. */
bool records_issued_for_nonce(struct store *s, int64_t device, const uint8_t domain_key[SHA256_LEN],
	const char *nonce, int64_t now, struct issued *out, struct err *e) MUST_CHECK;
/* Was a voucher for the device ever pinned to this key? */
bool records_was_owner(struct store *s, int64_t device, const uint8_t domain_key[SHA256_LEN],
	bool *was, struct err *e) MUST_CHECK;
/* The device's log, newest first. Up to `full` events whole; a longer one abridged to the newest
 * nonced and the newest nonceless of each domain with counts (RFC 8995 §5.8.1, R8995-MASA-033). */
bool records_audit_log(struct store *s, int64_t device, int64_t full, struct audit_log *out,
	struct err *e) MUST_CHECK;
/* The same of the device that the request with this digest was about; *found: this very request was
 * honoured once, be its voucher expired or not. */
bool records_audit_log_for(struct store *s, const uint8_t digest[SHA256_LEN], int64_t full,
	bool *found, struct audit_log *out, struct err *e) MUST_CHECK;

/* The audit log as it is chained: the hash of a line covers that of the one before it, then in
 * this order sequence, date, serial, domain_id, domain_key, nonce, assertion, expires_on, content
 * and registrar. */
#define AUDIT_LOG_NAME "masa" /* in what is signed */
struct audit_line {
	int64_t sequence, date, expires_on; /* expires_on 0: the voucher has no end */
	const char *serial, *domain_id;
	const char *domain_key; /* hexadecimal */
	const char *nonce;	/* or NULL */
	const char *assertion, *content, *registrar;
	const uint8_t *hash; /* NULL: older than the chain */
};
typedef bool audit_line_fn(void *arg, const struct audit_line *line, struct err *e);
bool records_audit_lines(struct store *s, int64_t after, int64_t limit, audit_line_fn *fn,
	void *arg, struct err *e) MUST_CHECK;
typedef bool audit_head_fn(void *arg, const struct hash_chain_head *h, struct bytes signature,
	const char *certificates, struct err *e);
bool records_audit_heads(struct store *s, int64_t after, int64_t limit, audit_head_fn *fn,
	void *arg, struct err *e) MUST_CHECK;
struct seal_statements records_seal_statements(void);

/* How many devices are known: none is ever forgotten. */
bool records_last_device(struct store *s, int64_t *id, struct err *e) MUST_CHECK;
/* The number of the last event; 0: there is none. */
bool records_last_event(struct store *s, int64_t *id, struct err *e) MUST_CHECK;

struct event_row { /* for the administrator */
	int64_t id, date, expires_on;
	const char *serial, *domain_id, *nonce, *assertion, *registrar;
};
typedef bool event_row_fn(void *arg, const struct event_row *row, struct err *e);
/* Events of all devices with the serial and an id above `after`, oldest first, up to
 * MASA_PAGE_ROWS. */
bool records_events_list(struct store *s, const char *serial, int64_t after, event_row_fn *fn,
	void *arg, struct err *e) MUST_CHECK;

#endif
