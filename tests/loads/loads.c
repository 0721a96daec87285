/* SPDX-License-Identifier: Apache-2.0 */
/* Tells what a program loads: for tests only, preloaded into it. One line in the file that
 * LOADS_FILE names for each file that is opened, each piece of PEM or private key that is read, and
 * each TLS context, store of anchors or certificate that is made, whichever library asks for it. */
#include <dlfcn.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int out = -1;

__attribute__((constructor)) static void open_file(void)
{
	const char *path = getenv("LOADS_FILE");

	if (path)
		out = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (out < 0)
		abort(); /* what nobody hears proves nothing */
}

static void tell(const char *what, const char *which)
{
	if (dprintf(out, "%s %s\n", what, which) < 0)
		abort();
}

/* ---- files ---- */

static int open_told(int directory, const char *path, int flags, va_list more)
{
	unsigned int mode = flags & O_CREAT ? va_arg(more, unsigned int) : 0;

	tell("open", path);
	return (int)syscall(SYS_openat, directory, path, flags, mode);
}

#define OPEN(name, directory, ...)                                                                 \
	int name(__VA_ARGS__, int flags, ...)                                                      \
	{                                                                                          \
		va_list more;                                                                      \
		int fd;                                                                            \
                                                                                                   \
		va_start(more, flags);                                                             \
		fd = open_told(directory, path, flags, more);                                      \
		va_end(more);                                                                      \
		return fd;                                                                         \
	}
OPEN(open, AT_FDCWD, const char *path)
OPEN(open64, AT_FDCWD, const char *path)
OPEN(openat, directory, int directory, const char *path)
OPEN(openat64, directory, int directory, const char *path)

/* ---- what is told of, and then done by whoever had the name before ---- */

#define TOLD(type, name, which, parameters, ...)                                                   \
	type name parameters                                                                       \
	{                                                                                          \
		static type(*_Atomic real) parameters;                                             \
                                                                                                   \
		tell(#name, which);                                                                \
		if (!real)                                                                         \
			real = (type(*) parameters)dlsym(RTLD_NEXT, #name);                        \
		return real(__VA_ARGS__);                                                          \
	}
TOLD(FILE *, fopen, path, (const char *path, const char *mode), path, mode)
TOLD(FILE *, fopen64, path, (const char *path, const char *mode), path, mode)

TOLD(int, PEM_read_bio, "", (BIO * in, char **name, char **header, unsigned char **data, long *len),
	in, name, header, data, len)
TOLD(EVP_PKEY *, PEM_read_bio_PrivateKey, "",
	(BIO * in, EVP_PKEY **key, pem_password_cb *password, void *arg), in, key, password, arg)
TOLD(PKCS8_PRIV_KEY_INFO *, d2i_PKCS8_PRIV_KEY_INFO, "",
	(PKCS8_PRIV_KEY_INFO * *key, const unsigned char **in, long len), key, in, len)

TOLD(SSL_CTX *, SSL_CTX_new, "", (const SSL_METHOD *method), method)
TOLD(SSL_CTX *, SSL_CTX_new_ex, "",
	(OSSL_LIB_CTX * library, const char *properties, const SSL_METHOD *method), library,
	properties, method)
TOLD(X509_STORE *, X509_STORE_new, "", (void), )
TOLD(X509 *, d2i_X509, "", (X509 * *x, const unsigned char **in, long len), x, in, len)
