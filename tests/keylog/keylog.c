/* SPDX-License-Identifier: Apache-2.0 */
/* Lets a capture of a test be read: for tests only, preloaded into a program. Its TLS and DTLS
 * secrets are appended to the file that SSLKEYLOGFILE names, as packet analysers read them; the
 * programs themselves have no such switch. */
#include <dlfcn.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int fd = -1;

__attribute__((constructor)) static void open_file(void)
{
	const char *path = getenv("SSLKEYLOGFILE");

	if (path)
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

/* One write a line: several programs append to the file. */
static void on_secret(const SSL *ssl, const char *line)
{
	struct iovec parts[] = {{(void *)(uintptr_t)line, strlen(line)}, {(void *)"\n", 1}};

	(void)ssl;
	if (writev(fd, parts, 2) < 0)
		abort(); /* a capture that cannot be read is no evidence */
}

static SSL_CTX *watched(SSL_CTX *ctx)
{
	if (ctx && fd >= 0)
		SSL_CTX_set_keylog_callback(ctx, on_secret);
	return ctx;
}

SSL_CTX *SSL_CTX_new(const SSL_METHOD *method)
{
	SSL_CTX *(*real)(const SSL_METHOD *);

	*(void **)&real = dlsym(RTLD_NEXT, "SSL_CTX_new");
	return watched(real(method));
}

SSL_CTX *SSL_CTX_new_ex(OSSL_LIB_CTX *library, const char *properties, const SSL_METHOD *method)
{
	SSL_CTX *(*real)(OSSL_LIB_CTX *, const char *, const SSL_METHOD *);

	*(void **)&real = dlsym(RTLD_NEXT, "SSL_CTX_new_ex");
	return watched(real(library, properties, method));
}
