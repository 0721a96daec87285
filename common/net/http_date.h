/* SPDX-License-Identifier: Apache-2.0 */
/* The Date field (RFC 9110 §6.6.1, IMF-fixdate of §5.6.7). */
#ifndef NET_HTTP_DATE_H
#define NET_HTTP_DATE_H

#include <stdint.h>

#define HTTP_DATE_LEN 29 /* Sun, 06 Nov 1994 08:49:37 GMT */

/* "" for a moment that has no four-digit year. */
void http_date_format(int64_t unix_s, char out[HTTP_DATE_LEN + 1]);

#endif
