/* SPDX-License-Identifier: Apache-2.0 */
/* `brski-pledge proxy`: a device that has joined relays for its neighbours that have not (RFC 8995
 * §4; draft-ietf-anima-constrained-join-proxy). It carries octets between them and registrars,
 * holds no key and looks at nothing. */
#ifndef PLEDGE_PROXY_H
#define PLEDGE_PROXY_H

#include "common/base/log.h"
#include "pledge/config.h"

enum proxy_end { PROXY_DONE, PROXY_NOT_ENROLLED, PROXY_CONFIG, PROXY_FAILED };

/* Run until SIGTERM or SIGINT, then let what stands come to its end. Changes the log's level to
 * information, and limits it. */
enum proxy_end proxy_run(const struct pledge_config *config, struct log *log, struct err *e);

#endif
