/* SPDX-License-Identifier: Apache-2.0 */
/* The one table that turns an error kind into a status code (table 1.3 of the requirement matrix).
 */
#ifndef NET_STATUS_H
#define NET_STATUS_H

#include "common/base/err.h"

int status_of(enum err_kind kind);	    /* HTTP */
const char *status_reason(int http_status); /* "Not Found" */
/* The kind an HTTP status of an upstream stands for: 404 → ERR_UNKNOWN_DEVICE, 5xx →
 * ERR_RETRY_LATER … */
enum err_kind status_to_kind(int http_status);

#endif
