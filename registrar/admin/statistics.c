/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of admin/reports.h, out of tables that are kept as things happen. A manufacturer's are shown
 * to who may see its devices at every site. */
#include <stdlib.h>
#include <string.h>

#include "common/wire/datetime.h"
#include "registrar/admin/answer.h"
#include "registrar/admin/reports.h"
#include "registrar/admin/scope.h"
#include "registrar/records/reports.h"

#define DAY_S	   86400
#define HOUR_S	   3600
#define HOURS	   48  /* of joins */
#define DAYS	   400 /* of ends: a year's certificates and the backlog of a month */
#define REASON_MAX 64  /* kinds of failures there are, and more */

struct failure {
	int64_t count;
	char step[24], reason[24];
};

struct sums {
	const struct call *call;
	int64_t first_hour, failures_from, joined, expiring, expiring_before_day;
	int64_t joins[HOURS + 1], renewals[HOURS + 1];
	struct failure failures[REASON_MAX];
	size_t failure_count;
	json_t *days;
	int64_t day, day_count; /* the one that is summed up */
};

/* ---- Hours ---- */

static void add_failure(struct sums *s, const struct hour_row *row)
{
	size_t i = 0;

	while (i < s->failure_count && (strcmp(s->failures[i].step, row->step) != 0 ||
					       strcmp(s->failures[i].reason, row->outcome) != 0))
		i++;
	if (i == REASON_MAX)
		return;
	if (i == s->failure_count) {
		s->failure_count++;
		snprintf(s->failures[i].step, sizeof(s->failures[i].step), "%s", row->step);
		snprintf(s->failures[i].reason, sizeof(s->failures[i].reason), "%s", row->outcome);
	}
	s->failures[i].count += row->count;
}

static bool add_hour(void *arg, const struct hour_row *row, struct err *e)
{
	struct sums *s = arg;
	int64_t place = (row->hour - s->first_hour) / HOUR_S;

	if (place < 0 || place > HOURS || !admin_sees(s->call, row->manufacturer, NULL))
		return true;
	if (strcmp(row->outcome, "certificate") != 0) {
		if (row->hour >= s->failures_from)
			add_failure(s, row);
	} else if (strcmp(row->step, "renew") == 0) {
		s->renewals[place] += row->count;
	} else {
		s->joins[place] += row->count;
		if (row->hour >= s->failures_from)
			s->joined += row->count;
	}
	return true;
}

static json_t *hour_list(const struct sums *s, const int64_t *counts)
{
	json_t *list = json_array();
	struct err e = ERR_INIT;
	bool ok = list != NULL;

	for (int64_t i = 0; ok && i <= HOURS; i++)
		ok = counts[i] == 0 ||
		     admin_append(list,
			     json_pack("{so sI}", "hour", admin_moment(s->first_hour + i * HOUR_S),
				     "count", (json_int_t)counts[i]),
			     &e);
	if (ok)
		return list;
	json_decref(list);
	return NULL;
}

static int more_first(const void *a, const void *b)
{
	const struct failure *l = a, *r = b;

	return (l->count < r->count) - (l->count > r->count);
}

static json_t *failure_list(struct sums *s)
{
	json_t *list = json_array();
	struct err e = ERR_INIT;
	bool ok = list != NULL;

	qsort(s->failures, s->failure_count, sizeof(*s->failures), more_first);
	for (size_t i = 0; ok && i < s->failure_count; i++)
		ok = admin_append(list,
			json_pack("{ss ss sI}", "step", s->failures[i].step, "reason",
				s->failures[i].reason, "count", (json_int_t)s->failures[i].count),
			&e);
	if (ok)
		return list;
	json_decref(list);
	return NULL;
}

/* ---- Days ---- */

static bool end_day(struct sums *s, struct err *e)
{
	char text[DATETIME_LEN + 1];

	if (s->day_count == 0)
		return true;
	if (!datetime_format(s->day * DAY_S, text, e))
		return false;
	text[strlen("2026-12-01")] = '\0';
	if (s->day < s->expiring_before_day)
		s->expiring += s->day_count;
	return admin_append(
		s->days, json_pack("{ss sI}", "day", text, "count", (json_int_t)s->day_count), e);
}

static bool add_day(void *arg, const struct day_row *row, struct err *e)
{
	struct sums *s = arg;

	if (!admin_sees(s->call, row->manufacturer, NULL))
		return true;
	if (row->day != s->day) {
		if (!end_day(s, e))
			return false;
		s->day = row->day;
		s->day_count = 0;
	}
	s->day_count += row->count;
	return true;
}

/* ---- All of it ---- */

static json_t *collect(struct registrar *r, struct sums *s, struct err *e)
{
	const struct standing_rule rule = standing_rule_of(r);
	const int64_t this_hour = rule.now / HOUR_S * HOUR_S, today = rule.now / DAY_S;

	s->first_hour = this_hour - HOURS * HOUR_S;
	s->failures_from = this_hour - (DAY_S - HOUR_S);
	s->expiring_before_day = (rule.now + rule.expiring_s) / DAY_S + 1;
	s->days = json_array();
	if (!s->days || !records_list_hours(r->store, s->first_hour, add_hour, s, e) ||
		!records_list_ends(r->store, today, today + DAYS, add_day, s, e) || !end_day(s, e))
		return NULL;
	return json_pack("{so sI sI so so so sO}", "at", admin_moment(rule.now), "joined_today",
		(json_int_t)s->joined, "expiring", (json_int_t)s->expiring, "joins_per_hour",
		hour_list(s, s->joins), "renewals_per_hour", hour_list(s, s->renewals), "failures",
		failure_list(s), "expiry_by_day", s->days);
}

void statistics_show(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	struct err e = ERR_INIT;
	struct sums *s = mem_new(sizeof(*s), &e);
	JSON_AUTO json_t *answer = NULL;

	if (s) {
		s->call = c;
		answer = collect(r, s, &e);
		json_decref(s->days);
		free(s);
	}
	if (!answer && e.kind != ERR_NONE)
		call_reply_err(c, &r->log, "admin-failed", &e);
	else
		admin_reply(c, r, answer);
}
