/* SPDX-License-Identifier: Apache-2.0 */
/* What each command of brski-certs makes. */
#ifndef CERTS_MAKE_H
#define CERTS_MAKE_H

#include "certs/options.h"
#include "common/pki/issue.h"

/* root.key root.crt issuing.key issuing.crt */
bool make_hierarchy(const struct options *o, int64_t now_unix_s, struct err *e) MUST_CHECK;
/* masa-signer.key/.crt masa-tls.key/.crt */
bool make_masa(const struct options *o, int64_t now_unix_s, struct err *e) MUST_CHECK;
/* registrar.key/.crt */
bool make_registrar(const struct options *o, int64_t now_unix_s, struct err *e) MUST_CHECK;
/* Below the root in o->ca: standby.key, standby.crt. */
bool make_standby(const struct options *o, int64_t now_unix_s, struct err *e) MUST_CHECK;

/* ---- shared with devices.c ---- */

/* issuing.key and issuing.crt of a directory that make_hierarchy() filled. */
bool make_load_ca(const char *dir, struct identity *out, struct err *e) MUST_CHECK;

#endif
