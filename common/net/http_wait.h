/* SPDX-License-Identifier: Apache-2.0 */
/* One request of http_client for a program that has nothing else to do meanwhile: the pledge. Same
 * rules, same limits, on a loop of its own. */
#ifndef NET_HTTP_WAIT_H
#define NET_HTTP_WAIT_H

#include "common/net/http_client.h"

/* Blocks for f->timeout_ms at most. out: the answer's octets, appended. Errors are those of
 * http_fetch(); ERR_PEER for any status but 200. */
bool http_fetch_and_wait(const struct http_fetch *f, struct buf *out, struct err *e) MUST_CHECK;

#endif
