/* SPDX-License-Identifier: Apache-2.0 */
/* What administrators do to devices, as transactions: each changes the device of its line in the
 * journal, with that line, if its revision is still the one that was looked at (0: whichever it
 * is); else ERR_CONFLICT and nothing is changed. */
#ifndef REGISTRAR_RECORDS_DEVICES_H
#define REGISTRAR_RECORDS_DEVICES_H

#include "registrar/records/records.h"

/* Shut out until it is released. ERR_CONFLICT as well when it is, or is retired. */
bool records_quarantine(const struct records_writer *w, int64_t revision, const char *reason,
	const struct journal_entry *j, struct err *e) MUST_CHECK;
bool records_release(const struct records_writer *w, int64_t revision,
	const struct journal_entry *j, struct err *e) MUST_CHECK;

/* Its marks are gone (registrar/fraud.h), and what it had today counts no longer. ERR_CONFLICT as
 * well when it has none. */
bool records_clear_marks(const struct records_writer *w, int64_t revision,
	const struct journal_entry *j, struct err *e) MUST_CHECK;

/* All that was issued to the device and not revoked yet is revoked at j->at, and the device is
 * DEVICE_REVOKED with no approval, standing as `as`: revoked, decommissioned or replaced.
 * changed[1] certificates. ERR_CONFLICT as well: it never had a voucher, or was retired as that or
 * as more and not approved since. */
bool records_retire(const struct records_writer *w, enum standing as, int64_t revision,
	const struct journal_entry *j, struct err *e) MUST_CHECK;

/* The new device is approved, or preapproved when it was never seen, and gets the old one's site
 * and labels; the old one is retired as replaced. changed[2] certificates. j is the old one's line;
 * the new one has one of its claim. ERR_CONFLICT as well: the old one was replaced before. */
struct replacement {
	struct device_key by;
	int64_t revision, by_revision; /* by_revision 0: nobody knows it yet */
	bool by_seen;
	int64_t until;	    /* of the approval */
	const char *reason; /* of the approval */
};
bool records_replace(const struct records_writer *w, const struct replacement *p,
	const struct journal_entry *j, struct err *e) MUST_CHECK;

/* To a site; labels as a JSON object, or NULL for none. */
bool records_move(const struct records_writer *w, int64_t revision, const char *site,
	const struct journal_entry *j, struct err *e) MUST_CHECK;
bool records_label(const struct records_writer *w, int64_t revision, const char *labels,
	const struct journal_entry *j, struct err *e) MUST_CHECK;

/* ---- Reading ---- */

/* Claims and devices whose serial-number begins with the text, by it; or has it anywhere, by their
 * numbers. At most limit rows behind number `after`; anywhere looks at SEARCH_ROWS_MAX numbers.
 * *next: go on behind this number; 0: that was all. */
bool records_find_devices(struct store *s, const char *text, bool anywhere, int64_t after,
	int64_t limit, records_claim_fn *fn, void *arg, int64_t *next, struct err *e) MUST_CHECK;

#endif
