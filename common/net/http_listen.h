/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets: TCP or UDP shared by the workers, or a Unix socket; and who it is that
 * connects. */
#ifndef NET_HTTP_LISTEN_H
#define NET_HTTP_LISTEN_H

#include <sys/socket.h>

#include "common/net/call.h"

#define HTTP_UNIX_PREFIX "unix:"

/* A listening socket for "host:port" or "[v6]:port", one of several on the same port; *port is what
 * to ask for (0: as in listen) and what was bound. -1 with *e set. */
int http_listen_tcp(const char *listen, uint16_t *port, struct err *e) MUST_CHECK;
/* Is this "host:port" or "[v6]:port" that could be listened on? For --check: nothing is bound. */
bool http_listen_is_address(const char *listen, struct err *e) MUST_CHECK;
/* The address it stands for; a name is looked up. Returns its length; 0 with *e set. */
socklen_t http_listen_place(
	const char *listen, struct sockaddr_storage *out, struct err *e) MUST_CHECK;
/* ERR_IO when somebody serves this address already: sockets that share a port would hide it. */
bool http_listen_check_free(const char *listen, struct err *e) MUST_CHECK;
/* The same for datagrams: bound, SO_REUSEPORT set (address checked before like above). */
int http_listen_udp(const char *listen, uint16_t *port, struct err *e) MUST_CHECK;
bool http_listen_check_free_udp(const char *listen, struct err *e) MUST_CHECK;
/* A Unix socket; a dead one of an earlier run is replaced, a living one is ERR_IO. */
int http_listen_unix(const char *path, unsigned mode, struct err *e) MUST_CHECK;

/* "192.0.2.1:40000", "[2001:db8::1]:40000", "unix:uid=1000"; and unix_uid. */
void http_listen_describe(int fd, const struct sockaddr *from, struct peer *out);

#endif
