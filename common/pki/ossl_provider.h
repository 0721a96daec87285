/* SPDX-License-Identifier: Apache-2.0 */
/* A provider for OpenSSL that is the default one with a shorter list of key formats and ciphers. */
#ifndef PKI_OSSL_PROVIDER_H
#define PKI_OSSL_PROVIDER_H

#include <openssl/types.h>

#include "common/base/err.h"

/* Make the whole process use it; for main(), before threads start and before keys or certificates
 * are loaded. Calling it again changes nothing. ERR_NO_MEMORY when OpenSSL will not: nothing has
 * changed then. It stays until the process ends. */
bool ossl_provider_install(struct err *e) MUST_CHECK;

/* The library context for SSL_CTX_new_ex() of servers: with what a handshake needs, and nothing
 * else. Keys and certificates may come from the default context. NULL, which stands for that one,
 * when nothing was installed. */
OSSL_LIB_CTX *ossl_provider_handshake_ctx(void);

#endif
