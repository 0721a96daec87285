/* SPDX-License-Identifier: Apache-2.0 */
/* Vouchers without a nonce, fetched before their devices ask, for when the MASA cannot be reached:
 * one row a device and container. The request is kept with it: the device's history is asked for
 * with it when the MASA is back (RFC 8995 §5.8). */
#ifndef REGISTRAR_RECORDS_AHEAD_H
#define REGISTRAR_RECORDS_AHEAD_H

#include "registrar/records/records.h"

struct ahead_row { /* borrowed strings */
	int64_t id;
	struct device_key device;
	const char *type;		     /* media type of the voucher */
	const char *masa;		     /* base URI it came from */
	const char *by;			     /* who had it fetched */
	int64_t fetched_at, until, renew_at; /* until 0: it has no end; renew_at 0: never */
	int64_t used_at, checked_at;	     /* 0: not yet; checked: the history after its use */
	const char *site;		     /* of the device; NULL: not known here */
	struct bytes voucher, request;	     /* len 0 in lists */
};
typedef bool records_ahead_fn(void *arg, const struct ahead_row *row, struct err *e);

/* With id > after, in order. */
bool records_list_ahead(struct store *s, int64_t after, int64_t limit, records_ahead_fn *fn,
	void *arg, struct err *e) MUST_CHECK;
/* That of a device in a container, with its octets; fn is not called when there is none. */
bool records_read_ahead(struct store *s, struct device_key device, const char *type,
	records_ahead_fn *fn, void *arg, struct err *e) MUST_CHECK;
/* Those of this serial-number or with this number. */
bool records_find_ahead(struct store *s, const char *name, int64_t limit, records_ahead_fn *fn,
	void *arg, struct err *e) MUST_CHECK;
/* Those that are to be renewed by now; those whose device's history is still to be looked at, with
 * the request. */
bool records_due_ahead(struct store *s, int64_t now, int64_t limit, records_ahead_fn *fn, void *arg,
	struct err *e) MUST_CHECK;
bool records_unchecked_ahead(struct store *s, int64_t after, int64_t limit, records_ahead_fn *fn,
	void *arg, struct err *e) MUST_CHECK;
bool records_count_ahead(struct store *s, int64_t *out, struct err *e) MUST_CHECK;

/* In place of the one that was there. */
bool records_keep_ahead(const struct records_writer *w, const struct ahead_row *row,
	const struct journal_entry *j, struct err *e) MUST_CHECK;
/* It could not be renewed: at that moment again. */
bool records_delay_ahead(
	const struct records_writer *w, int64_t id, int64_t renew_at, struct err *e) MUST_CHECK;
#define AHEAD_DROP_MAX 8 /* at once: three steps of a transaction each, on a stack */
/* One whose device used it and whose history is still to be looked at stays until that is done, at
 * an end from now on. */
bool records_drop_ahead(const struct records_writer *w, const int64_t *ids,
	const struct journal_entry *lines, size_t count, struct err *e) MUST_CHECK;
/* The history of a device that used one was looked at: written with the verdict on it. */
bool records_check_ahead(const struct records_writer *w, int64_t id, const struct request_record *r,
	enum history_state history, const struct journal_entry *j, struct err *e) MUST_CHECK;
/* There is no history to look at. */
bool records_pass_ahead(
	const struct records_writer *w, int64_t id, int64_t at, struct err *e) MUST_CHECK;
/* Nobody has a use for those that ended before. */
bool records_sweep_ahead(
	const struct records_writer *w, int64_t ended_before, struct err *e) MUST_CHECK;

#endif
