/* SPDX-License-Identifier: Apache-2.0 */
/* The one table that turns an error kind into a status code (RFC 8995 §5.3, §5.6). */
#ifndef NET_STATUS_H
#define NET_STATUS_H

#include "common/base/err.h"

int status_of(enum err_kind kind);	    /* HTTP */
const char *status_reason(int http_status); /* "Not Found" */
/* What a program may go by where only the status is known: "not-found". */
const char *status_code_name(int http_status);

#endif
