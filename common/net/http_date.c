/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP dates, in English whatever the locale. */
#include "common/net/http_date.h"

#include <stdio.h>
#include <time.h>

void http_date_format(int64_t unix_s, char out[HTTP_DATE_LEN + 1])
{
	static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[][4] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t t = (time_t)unix_s;
	struct tm tm;
	char text[80]; /* whatever the numbers, the compiler sees that it fits */

	out[0] = '\0';
	if (!gmtime_r(&t, &tm) || tm.tm_year < -900 || tm.tm_year > 8099)
		return;
	snprintf(text, sizeof(text), "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday],
		tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	snprintf(out, HTTP_DATE_LEN + 1, "%.*s", HTTP_DATE_LEN, text);
}
