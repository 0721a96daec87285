/* SPDX-License-Identifier: Apache-2.0 */
/* The service somewhere else: over HTTPS with a token, instead of its socket here. The token is
 * read from a file: on a command line everybody on the machine could read it. */
#ifndef CTL_REMOTE_H
#define CTL_REMOTE_H

#include "ctl/internal.h"

/* What options and environment say, checked; false after saying what is wrong. Without a URL there
 * is nothing to do. */
bool remote_prepare(struct ctl *c) MUST_CHECK;
void remote_clear(struct ctl *c);
/* Where requests go: the socket, or the URL with its trust and token. */
bool remote_set_up(struct ctl *c) MUST_CHECK;
/* The URL of a path; false when it is too long. */
bool remote_url(const struct ctl *c, const char *path, char *out, size_t room) MUST_CHECK;
/* NULL without a token. */
const char *remote_authorization(const struct ctl *c);

#endif
