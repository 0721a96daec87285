/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge's telemetry: voucher_status and enrollstatus have one shape (RFC 8995 §5.7, §5.9.4).
 */
#ifndef MESSAGE_STATUS_REPORT_H
#define MESSAGE_STATUS_REPORT_H

#include "common/base/buf.h"

#define STATUS_REPORT_VERSION	  1
#define STATUS_REPORT_UNKNOWN_MAX 512 /* octets of names kept for the log */
#define STATUS_REPORT_MAX	  8192
#define STATUS_REPORT_REASON_MAX  255 /* what is kept of a longer reason */

struct status_report {
	uint32_t version; /* 1; a greater one is kept, logged and read as 1 */
	bool status;
	char reason[STATUS_REPORT_REASON_MAX + 1];
	char *reason_context;  /* compact JSON of the member, or NULL */
	char *unknown_members; /* names, comma-separated, or NULL */
};
void status_report_clear(struct status_report *r);
#define STATUS_REPORT_AUTO __attribute__((cleanup(status_report_clear)))

/* Liberal on input (T-17): member names in any case, quoted version, 1/0 or "true" for status. */
bool status_report_parse(struct bytes json, struct status_report *out, struct err *e) MUST_CHECK;
/* Strict on output: lower-case names, number, boolean. reason is left out when empty. Appends. */
bool status_report_format(const struct status_report *r, struct buf *out, struct err *e) MUST_CHECK;

/* The same in CBOR (draft-ietf-anima-constrained-voucher §6.5.1), read strictly: names as they are
 * spelled, status a boolean, no unknown members in version 1. */
bool status_report_parse_cbor(
	struct bytes cbor, struct status_report *out, struct err *e) MUST_CHECK;
bool status_report_format_cbor(
	const struct status_report *r, struct buf *out, struct err *e) MUST_CHECK;

/* The encodings by media type: application/json, then application/cbor. */
struct status_report_format {
	const char *media_type;
	bool (*parse)(struct bytes octets, struct status_report *out, struct err *e);
	bool (*format)(const struct status_report *r, struct buf *out, struct err *e);
};
extern const struct status_report_format status_report_json, status_report_cbor;
/* By Content-Type, parameters ignored; NULL for any other type, and when there is none. */
const struct status_report_format *status_report_format_by_media_type(const char *content_type);
/* One that came with this Content-Type. ERR_UNSUPPORTED_TYPE for any other, and for none (NULL). */
bool status_report_parse_typed(const char *content_type, struct bytes octets,
	struct status_report *out, struct err *e) MUST_CHECK;

/* As much of the text as fits, never half a character. */
void status_report_set_reason(struct status_report *r, const char *text);
/* Add the name of a member nobody knows to a list for the log; what does not fit is left out. */
bool status_report_note_unknown(const char *name, struct buf *list, struct err *e) MUST_CHECK;

#endif
