/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets that listen. SO_REUSEPORT gives every worker its own queue; because it would also let a
 * second instance start silently beside the first, the address is tried without it before. */
#include "common/net/http_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/buf.h"

#define BACKLOG 1024 /* a site's devices may all wake at once after a power cut */

struct address {
	struct sockaddr_storage sa;
	socklen_t len;
};

static void set_port(struct address *a, uint16_t port)
{
	if (a->sa.ss_family == AF_INET)
		((struct sockaddr_in *)&a->sa)->sin_port = htons(port);
	else
		((struct sockaddr_in6 *)&a->sa)->sin6_port = htons(port);
}

static uint16_t get_port(const struct address *a)
{
	return ntohs(a->sa.ss_family == AF_INET ? ((const struct sockaddr_in *)&a->sa)->sin_port
						: ((const struct sockaddr_in6 *)&a->sa)->sin6_port);
}

static bool resolve(const char *host, const char *port, struct address *out, struct err *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *found;
	int rc = getaddrinfo(*host && strcmp(host, "*") != 0 ? host : NULL, port, &hints, &found);

	if (rc != 0)
		return err_set(e, ERR_INPUT, "listen address %s: %s", host, gai_strerror(rc));
	memcpy(&out->sa, found->ai_addr, found->ai_addrlen);
	out->len = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

static bool is_port(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits > 0 && digits <= 5 && !text[digits] && strtoul(text, NULL, 10) <= UINT16_MAX;
}

static bool parse(const char *listen, struct address *out, struct err *e)
{
	char *copy FREE_AUTO = str_dup(listen, e);
	char *colon = copy ? strrchr(copy, ':') : NULL;
	char *host = copy;

	if (!copy)
		return false;
	if (!colon || !is_port(colon + 1))
		return err_set(e, ERR_INPUT, "listen address %s is not host:port", listen);
	*colon = '\0';
	if (host[0] == '[' && colon > host + 1 && colon[-1] == ']') {
		colon[-1] = '\0';
		host++;
	} else if (strchr(host, ':')) {
		return err_set(
			e, ERR_INPUT, "listen address %s: an IPv6 address needs brackets", listen);
	}
	return resolve(host, colon + 1, out, e);
}

static bool set_options(int fd, int type, const struct address *a, bool shared)
{
	const int on = 1, off = 0;

	/* for datagrams the first would let a second instance bind beside us; the second, which
	 * connections inherit, saves 44 ms a request of Nagle and delayed ACK */
	if (type == SOCK_STREAM &&
		(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0))
		return false;
	if (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0)
		return false;
	return a->sa.ss_family != AF_INET6 ||
	       setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == 0;
}

static int bind_socket(
	int type, const struct address *a, bool shared, const char *listen, struct err *e)
{
	int fd = socket(a->sa.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && set_options(fd, type, a, shared) &&
		bind(fd, (const struct sockaddr *)&a->sa, a->len) == 0)
		return fd;
	err_set_errno(e, ERR_IO, "cannot listen on %s", listen);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* One of several sockets on the address; *port as in http_listen_tcp(). */
static int open_shared(int type, const char *address, uint16_t *port, struct err *e)
{
	struct address a = {.len = 0};
	int fd;

	if (!parse(address, &a, e))
		return -1;
	if (*port)
		set_port(&a, *port);
	fd = bind_socket(type, &a, true, address, e);
	if (fd < 0)
		return -1;
	if ((type == SOCK_STREAM && listen(fd, BACKLOG) != 0) ||
		getsockname(fd, (struct sockaddr *)&a.sa, &a.len) != 0) {
		err_set_errno(e, ERR_IO, "cannot listen on %s", address);
		close(fd);
		return -1;
	}
	*port = get_port(&a);
	return fd;
}

int http_listen_tcp(const char *address, uint16_t *port, struct err *e)
{
	return open_shared(SOCK_STREAM, address, port, e);
}

int http_listen_udp(const char *address, uint16_t *port, struct err *e)
{
	return open_shared(SOCK_DGRAM, address, port, e);
}

bool http_listen_is_address(const char *listen, struct err *e)
{
	struct address a;

	return parse(listen, &a, e);
}

socklen_t http_listen_place(const char *listen, struct sockaddr_storage *out, struct err *e)
{
	struct address a;

	if (!parse(listen, &a, e))
		return 0;
	*out = a.sa;
	return a.len;
}

static bool check_free(int type, const char *address, struct err *e)
{
	struct address a = {.len = 0};
	int fd;

	if (!parse(address, &a, e))
		return false;
	fd = bind_socket(type, &a, false, address, e);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

bool http_listen_check_free(const char *address, struct err *e)
{
	return check_free(SOCK_STREAM, address, e);
}

bool http_listen_check_free_udp(const char *address, struct err *e)
{
	return check_free(SOCK_DGRAM, address, e);
}

/* A socket file without a listener is what a crash left behind. */
static bool remove_dead(const struct sockaddr_un *sa, struct err *e)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)sa, sizeof(*sa));
	int why = errno;

	if (fd >= 0)
		close(fd);
	if (rc == 0)
		return err_set(
			e, ERR_IO, "cannot listen on %s: somebody does already", sa->sun_path);
	if (why == ECONNREFUSED && unlink(sa->sun_path) != 0)
		return err_set_errno(e, ERR_IO, "cannot remove %s", sa->sun_path);
	return true;
}

int http_listen_unix(const char *path, unsigned mode, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd;

	if (!*path || strlen(path) >= sizeof(sa.sun_path)) {
		err_set(e, ERR_INPUT, "socket path of %zu octets", strlen(path));
		return -1;
	}
	memcpy(sa.sun_path, path, strlen(path));
	if (!remove_dead(&sa, e))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* the mode before bind, so that the socket is never open to more; and after, against the
	 * umask */
	if (fd >= 0 && fchmod(fd, mode) == 0 &&
		bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0 && chmod(path, mode) == 0 &&
		listen(fd, BACKLOG) == 0)
		return fd;
	err_set_errno(e, ERR_IO, "cannot listen on %s", path);
	if (fd >= 0)
		close(fd);
	return -1;
}

static void describe_unix(int fd, struct peer *out)
{
	struct ucred who = {.uid = (uid_t)-1};
	socklen_t len = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
		who.uid = (uid_t)-1; /* nobody */
	out->unix_uid = who.uid;
	snprintf(out->address, sizeof(out->address), "unix:uid=%u", who.uid);
}

static void describe_v6(const struct sockaddr_in6 *v6, struct peer *out)
{
	char text[INET6_ADDRSTRLEN];

	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, text, sizeof(text));
		snprintf(out->address, sizeof(out->address), "%s:%u", text, ntohs(v6->sin6_port));
	} else {
		inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
		snprintf(out->address, sizeof(out->address), "[%s]:%u", text, ntohs(v6->sin6_port));
	}
}

void http_listen_describe(int fd, const struct sockaddr *from, struct peer *out)
{
	char text[INET_ADDRSTRLEN];
	const struct sockaddr_in *v4 = (const void *)from;

	out->unix_uid = (uint32_t)-1;
	if (from->sa_family == AF_UNIX) {
		describe_unix(fd, out);
	} else if (from->sa_family == AF_INET6) {
		describe_v6((const void *)from, out);
	} else {
		inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
		snprintf(out->address, sizeof(out->address), "%s:%u", text, ntohs(v4->sin_port));
	}
}
