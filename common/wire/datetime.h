/* SPDX-License-Identifier: Apache-2.0 */
/* Moments on the wire: RFC 3339 in JSON, HTTP dates in headers, ASN.1 times in DER. */
#ifndef WIRE_DATETIME_H
#define WIRE_DATETIME_H

#include "common/base/buf.h"

#define DATETIME_LEN 20 /* 2026-11-21T10:00:00Z */

/* Any RFC 3339 date-time: fraction (dropped) and numeric offset allowed, a zone required (T-06). */
bool datetime_parse(const char *text, int64_t *unix_s, struct err *e) MUST_CHECK;
/* A moment as above, or a day like 2026-12-01, in UTC: its first or its last second, as what begins
 * or ends with it means all of that day. ERR_INPUT. */
enum datetime_day { DATETIME_DAY_BEGINS, DATETIME_DAY_ENDS };
bool datetime_parse_or_day(
	const char *text, enum datetime_day day, int64_t *unix_s, struct err *e) MUST_CHECK;
/* UTC, whole seconds, "Z". Years 1970 to 9999. */
bool datetime_format(int64_t unix_s, char out[DATETIME_LEN + 1], struct err *e) MUST_CHECK;
/* IMF-fixdate as in Retry-After and Date (RFC 9110 §5.6.7). */
bool datetime_parse_http(const char *text, int64_t *unix_s, struct err *e) MUST_CHECK;
/* Retry-After: delay seconds, or an HTTP date relative to `date_header` (NULL: to now_unix_s).
 * Negative differences give 0. False when it is neither. */
bool datetime_parse_retry_after(
	const char *value, const char *date_header, int64_t now_unix_s, int64_t *delay_s);

#endif
