/* SPDX-License-Identifier: Apache-2.0 */
/* Moments as text: RFC 3339 in vouchers and audit logs, IMF-fixdate and delays in HTTP headers.
 * Read by hand, since strptime() follows the locale and neither checks ranges nor zones.
 */
#include "common/wire/datetime.h"

#include <stdio.h>
#include <string.h>

#define DAY_S	    86400
#define DATE_LEN    10			  /* 2026-12-01 */
#define YEAR_MIN_S  INT64_C(0)		  /* 1970-01-01T00:00:00Z */
#define YEAR_MAX_S  INT64_C(253402300799) /* 9999-12-31T23:59:59Z */
#define DELAY_MAX_S INT64_C(315360000)	  /* ten years; a longer delay is as good as this one */

struct moment {
	int year, month, day, hour, minute, second;
};

/* Days since 1970-01-01 in the proleptic Gregorian calendar, years counted from March so that the
 * leap day comes last. */
static int64_t days_of(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * 146097 + day_of_era - 719468;
}

static void date_of(int64_t days, struct moment *out)
{
	days += 719468;
	int64_t era = days / 146097; /* never negative: the caller's years are 1970 to 9999 */
	int64_t day_of_era = days - era * 146097;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month = (5 * day_of_year + 2) / 153;
	out->day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
	out->month = (int)(month < 10 ? month + 3 : month - 9);
	out->year = (int)(year_of_era + era * 400 + (out->month <= 2 ? 1 : 0));
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return month == 2 && leap ? 29 : days[month - 1];
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Exactly n digits; moves *p behind them. */
static bool take_digits(const char **p, int n, int *out)
{
	int value = 0;
	for (int i = 0; i < n; i++, (*p)++) {
		if (!is_digit(**p))
			return false;
		value = value * 10 + (**p - '0');
	}
	*out = value;
	return true;
}

static bool take_char(const char **p, const char *any_of)
{
	if (**p == '\0' || !strchr(any_of, **p))
		return false;
	(*p)++;
	return true;
}

static bool take_time(const char **p, struct moment *m)
{
	return take_digits(p, 2, &m->hour) && take_char(p, ":") && take_digits(p, 2, &m->minute) &&
	       take_char(p, ":") && take_digits(p, 2, &m->second);
}

/* A leap second is read as the second before it. */
static bool to_unix(struct moment *m, int64_t *unix_s)
{
	if (m->month < 1 || m->month > 12 || m->day < 1 ||
		m->day > days_in_month(m->year, m->month))
		return false;
	if (m->hour > 23 || m->minute > 59 || m->second > 60)
		return false;
	int second = m->second == 60 ? 59 : m->second;
	*unix_s = days_of(m->year, m->month, m->day) * DAY_S + m->hour * 3600 + m->minute * 60 +
		  second;
	return true;
}

/* "Z", "+hh:mm" or "-hh:mm": what to subtract from local time. */
static bool take_zone(const char **p, int *offset_s)
{
	int hours, minutes;
	*offset_s = 0;
	if (take_char(p, "Zz"))
		return true;
	int sign = **p == '-' ? -1 : 1;
	if (!take_char(p, "+-") || !take_digits(p, 2, &hours) || !take_char(p, ":") ||
		!take_digits(p, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*offset_s = sign * (hours * 3600 + minutes * 60);
	return true;
}

static bool take_fraction(const char **p)
{
	if (!take_char(p, "."))
		return true;
	if (!is_digit(**p))
		return false;
	while (is_digit(**p))
		(*p)++;
	return true;
}

bool datetime_parse(const char *text, int64_t *unix_s, struct err *e)
{
	struct moment m = {0};
	const char *p = text;
	int offset_s = 0;
	bool shape = take_digits(&p, 4, &m.year) && take_char(&p, "-") &&
		     take_digits(&p, 2, &m.month) && take_char(&p, "-") &&
		     take_digits(&p, 2, &m.day) && take_char(&p, "Tt") && take_time(&p, &m) &&
		     take_fraction(&p);
	if (!shape)
		return err_set(e, ERR_INPUT, "\"%.40s\" is not an RFC 3339 date-time", text);
	if (!take_zone(&p, &offset_s) || *p != '\0')
		return err_set(e, ERR_INPUT, "\"%.40s\" has no valid time zone", text);
	if (!to_unix(&m, unix_s))
		return err_set(e, ERR_INPUT, "\"%.40s\" is no moment of the calendar", text);
	*unix_s -= offset_s;
	return true;
}

bool datetime_parse_or_day(const char *text, enum datetime_day day, int64_t *unix_s, struct err *e)
{
	char moment[DATETIME_LEN + 1];

	if (strlen(text) != DATE_LEN)
		return datetime_parse(text, unix_s, e);
	snprintf(moment, sizeof(moment), "%s%s", text,
		day == DATETIME_DAY_ENDS ? "T23:59:59Z" : "T00:00:00Z");
	return datetime_parse(moment, unix_s, e);
}

bool datetime_format(int64_t unix_s, char out[DATETIME_LEN + 1], struct err *e)
{
	struct moment m;
	if (unix_s < YEAR_MIN_S || unix_s > YEAR_MAX_S)
		return err_set(e, ERR_INPUT, "%lld is outside of the years 1970 to 9999",
			(long long)unix_s);
	date_of(unix_s / DAY_S, &m);
	int in_day = (int)(unix_s % DAY_S);
	char text[64]; /* as long as the compiler believes six ints can get */
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ", m.year % 10000, m.month,
		m.day, in_day / 3600, in_day / 60 % 60, in_day % 60);
	memcpy(out, text, DATETIME_LEN);
	out[DATETIME_LEN] = '\0';
	return true;
}

static bool take_name(const char **p, const char *names, int *index)
{
	for (int i = 0; names[3 * i]; i++) {
		if (strncmp(*p, names + 3 * i, 3) == 0) {
			*p += 3;
			*index = i;
			return true;
		}
	}
	return false;
}

bool datetime_parse_http(const char *text, int64_t *unix_s, struct err *e)
{
	struct moment m = {0};
	const char *p = text;
	int weekday = 0;
	bool shape = take_name(&p, "MonTueWedThuFriSatSun", &weekday) && take_char(&p, ",") &&
		     take_char(&p, " ") && take_digits(&p, 2, &m.day) && take_char(&p, " ") &&
		     take_name(&p, "JanFebMarAprMayJunJulAugSepOctNovDec", &m.month) &&
		     take_char(&p, " ") && take_digits(&p, 4, &m.year) && take_char(&p, " ") &&
		     take_time(&p, &m) && strcmp(p, " GMT") == 0;
	m.month++;
	if (!shape || !to_unix(&m, unix_s))
		return err_set(e, ERR_INPUT, "\"%.40s\" is not an HTTP date", text);
	return true;
}

static bool parse_seconds(const char *text, int64_t *out)
{
	int64_t value = 0;
	if (!is_digit(*text))
		return false;
	for (; is_digit(*text); text++) {
		value = value * 10 + (*text - '0');
		if (value > DELAY_MAX_S)
			value = DELAY_MAX_S;
	}
	*out = value;
	return *text == '\0';
}

bool datetime_parse_retry_after(
	const char *value, const char *date_header, int64_t now_unix_s, int64_t *delay_s)
{
	struct err ignored = ERR_INIT;
	int64_t at = 0, now = now_unix_s;
	if (parse_seconds(value, delay_s))
		return true;
	if (!datetime_parse_http(value, &at, &ignored))
		return false;
	if (date_header && !datetime_parse_http(date_header, &now, &ignored))
		now = now_unix_s;
	*delay_s = at > now ? at - now : 0;
	if (*delay_s > DELAY_MAX_S)
		*delay_s = DELAY_MAX_S;
	return true;
}
