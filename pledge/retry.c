/* SPDX-License-Identifier: Apache-2.0 */
/* The retry policy of RFC 8995 and of draft-ietf-anima-brski-cloud, each failure a row. */
#include "pledge/retry.h"

#include <stddef.h>

#include "common/wire/datetime.h"
#include "pledge/limits.h"

#define HOUR_S 3600
/* CLOUD-PLG-007: not before Retry-After, and several times over a few hours. */
#define CLAIM_ASKED_MAX_S (6 * HOUR_S)
/* Who is overloaded says so by himself: a back-off of an hour would only keep devices out of a
 * registrar that has long been idle. */
#define BUSY_LONGEST_S 120

#define OF_CANDIDATE RETRY_CANDIDATE, ASKING_IGNORED, HOUR_S

static const struct retry_rule rules[SETBACK_COUNT] = {
	[SETBACK_NONE] = {"no reason given", OF_CANDIDATE, OUTCOME_NONE, "RFC 8995 4.1"},
	[SETBACK_NO_ADDRESS] = {"no address for its name", OF_CANDIDATE, OUTCOME_UNREACHABLE,
		"RFC 8995 4.1"},
	[SETBACK_UNREACHABLE] = {"connection refused, or no route", OF_CANDIDATE,
		OUTCOME_UNREACHABLE, "RFC 8995 4.1"},
	[SETBACK_SILENT] = {"no connection in time", OF_CANDIDATE, OUTCOME_UNREACHABLE,
		"RFC 8995 4.1"},
	[SETBACK_TLS] = {"TLS handshake fails", OF_CANDIDATE, OUTCOME_UNREACHABLE, "RFC 8995 5.1"},
	[SETBACK_DENIED] = {"our certificate is not taken, or not how it signs", OF_CANDIDATE,
		OUTCOME_REFUSED, "RFC 8995 5.1"},
	[SETBACK_OTHER_SERVER] = {"another server certificate than before", OF_CANDIDATE,
		OUTCOME_UNREACHABLE, "RFC 8995 5"},
	[SETBACK_STRANGER] = {"not a registrar: no TLS, or a page for browsers", OF_CANDIDATE,
		OUTCOME_STRANGER, "RFC 8995 5.6"},
	[SETBACK_LOST] = {"connection lost, or silent, before the answer", OF_CANDIDATE,
		OUTCOME_BUSY, "RFC 8995 5"},
	[SETBACK_NOT_YET] = {"202", RETRY_SAME, ASKING_CAPPED, 0, OUTCOME_PENDING, "RFC 8995 5.6"},
	[SETBACK_SET_ASIDE] = {"202 of a place that was found, with others to ask", RETRY_CANDIDATE,
		ASKING_CAPPED, BUSY_LONGEST_S, OUTCOME_PENDING, "RFC 8995 4.1"},
	[SETBACK_OVERDUE] = {"202 for longer than pending_max", OF_CANDIDATE, OUTCOME_PENDING,
		"RFC 8995 5.6"},
	[SETBACK_OVER_BUDGET] = {"202 when the budget is spent", RETRY_GIVE_UP, ASKING_IGNORED, 0,
		OUTCOME_PENDING, "RFC 8995 5.6"},
	[SETBACK_REDIRECT] = {"3xx that may not be followed", OF_CANDIDATE, OUTCOME_BUSY,
		"RFC 8995 5.6"},
	[SETBACK_ON_PATH] = {"401", OF_CANDIDATE, OUTCOME_REFUSED, "RFC 8995 5.2"},
	[SETBACK_NO_OWNER_YET] = {"401 with Retry-After, of a cloud registrar", RETRY_CANDIDATE,
		ASKING_LONG, HOUR_S, OUTCOME_REFUSED, "BRSKI Cloud 3.2"},
	[SETBACK_NO_OWNER] = {"401 without, of a cloud registrar", RETRY_START_OVER, ASKING_IGNORED,
		HOUR_S, OUTCOME_REFUSED, "BRSKI Cloud 3.2"},
	[SETBACK_REFUSED] = {"403", OF_CANDIDATE, OUTCOME_REFUSED, "RFC 8995 5.3"},
	[SETBACK_UNWANTED] = {"404, 406, 410", OF_CANDIDATE, OUTCOME_REFUSED, "RFC 8995 5.3"},
	[SETBACK_FORM] = {"other 4xx", OF_CANDIDATE, OUTCOME_REFUSED, "RFC 8995 5.6"},
	[SETBACK_TOO_MANY] = {"429", RETRY_CANDIDATE, ASKING_CAPPED, BUSY_LONGEST_S, OUTCOME_BUSY,
		"RFC 8995 5.6"},
	[SETBACK_BUSY] = {"5xx, 408", RETRY_CANDIDATE, ASKING_CAPPED, BUSY_LONGEST_S, OUTCOME_BUSY,
		"RFC 8995 5.6"},
	[SETBACK_VOUCHER] = {"voucher not valid", OF_CANDIDATE, OUTCOME_VOUCHER, "RFC 8995 5.6.1"},
	[SETBACK_ENROLMENT] = {"no usable certificate", OF_CANDIDATE, OUTCOME_FAILED,
		"RFC 8995 5.9"},
	[SETBACK_LOCAL] = {"fault of the device itself", RETRY_GIVE_UP, ASKING_IGNORED, 0,
		OUTCOME_LOCAL, "none"},
};

const struct retry_rule *retry_rule(enum setback s)
{
	return &rules[s];
}

int64_t retry_asked_max_s(const struct retry_rule *rule, int64_t retry_after_max_s)
{
	switch (rule->asking) {
	case ASKING_IGNORED:
		return 0;
	case ASKING_CAPPED:
		return retry_after_max_s;
	case ASKING_LONG:
		return CLAIM_ASKED_MAX_S;
	}
	return 0;
}

/* The first range that holds the status. */
static const struct {
	int from, to;
	enum setback setback;
} statuses[] = {
	{202, 202, SETBACK_NOT_YET},
	{300, 399, SETBACK_REDIRECT},
	{401, 401, SETBACK_ON_PATH},
	{403, 403, SETBACK_REFUSED},
	{404, 404, SETBACK_UNWANTED},
	{406, 406, SETBACK_UNWANTED},
	{408, 408, SETBACK_BUSY},
	{410, 410, SETBACK_UNWANTED},
	{429, 429, SETBACK_TOO_MANY},
	{400, 499, SETBACK_FORM},
	{500, 599, SETBACK_BUSY},
};

enum setback retry_setback_of_status(int status, bool of_cloud, bool retry_after)
{
	if (of_cloud && status == 401)
		return retry_after ? SETBACK_NO_OWNER_YET : SETBACK_NO_OWNER;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		if (status >= statuses[i].from && status <= statuses[i].to)
			return statuses[i].setback;
	return SETBACK_STRANGER;
}

static int64_t range_ms(unsigned round, int64_t min_s, int64_t max_s)
{
	int64_t range_ms = min_s * 1000;

	for (unsigned i = 0; i < round && range_ms < max_s * 1000; i++)
		range_ms *= 2;
	return range_ms < max_s * 1000 ? range_ms : max_s * 1000;
}

static int64_t draw_ms(int64_t range_ms, uint32_t (*draw)(uint32_t below))
{
	int64_t pause_ms = draw((uint32_t)range_ms + 1);

	return pause_ms < BACKOFF_FLOOR_MS ? BACKOFF_FLOOR_MS : pause_ms;
}

int64_t retry_backoff_ms(
	unsigned round, int64_t min_s, int64_t max_s, uint32_t (*draw)(uint32_t below))
{
	return draw_ms(range_ms(round, min_s, max_s), draw);
}

int64_t retry_pause_ms(const struct retry_rule *rule, unsigned failures, int64_t asked_s,
	int64_t min_s, int64_t max_s, uint32_t (*draw)(uint32_t below))
{
	int64_t longest_s = rule->longest_s && rule->longest_s < max_s ? rule->longest_s : max_s;
	int64_t asked_ms = rule->asking == ASKING_IGNORED ? 0 : asked_s * 1000;
	int64_t jitter_ms = range_ms(failures ? failures - 1 : 0, min_s, longest_s);

	return asked_ms + draw_ms(jitter_ms > asked_ms ? jitter_ms : asked_ms, draw);
}

int64_t retry_wait_ms(int64_t asked_s, uint32_t (*draw)(uint32_t below))
{
	return asked_s * 1000 + draw((uint32_t)asked_s * 100 + 1);
}

int64_t retry_after_s(const char *value, const char *date, int64_t now_unix_s, int64_t max_s)
{
	int64_t delay_s;

	if (!*value ||
		!datetime_parse_retry_after(value, *date ? date : NULL, now_unix_s, &delay_s))
		delay_s = RETRY_AFTER_DEFAULT_S;
	if (delay_s > max_s)
		delay_s = max_s;
	return delay_s < 1 ? 1 : delay_s;
}
