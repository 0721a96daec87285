/* SPDX-License-Identifier: Apache-2.0 */
/* A non-blocking socket with TLS on it, or without (Unix socket): the only file that reads, writes
 * and closes connections of the server. */
#ifndef NET_TLS_STREAM_H
#define NET_TLS_STREAM_H

#include "common/net/call.h"
#include "common/net/tls.h"
#include "common/pki/cert_cache.h"

struct tls_stream {
	int fd;
	SSL *ssl;	       /* NULL: plain */
	bool write_wants_read; /* a write waits until something can be read */
	bool read_wants_write;
	bool more; /* octets wait in OpenSSL, where no event of the socket announces them */
	unsigned handshake_messages; /* after the handshake */
};

enum stream_result {
	STREAM_OK,
	STREAM_WAIT,   /* not now: wait for the socket */
	STREAM_EOF,    /* the peer will send no more */
	STREAM_FAILED, /* broken; *e says why */
};

/* Takes fd over, also on failure. tls NULL: plain. */
bool tls_stream_open(
	struct tls_stream *s, int fd, struct tls_server *tls, struct err *e) MUST_CHECK;
/* What comes before the handshake, and is not of it. */
enum stream_result tls_stream_read_before(
	struct tls_stream *s, void *to, size_t room, size_t *got, struct err *e);
enum stream_result tls_stream_handshake(struct tls_stream *s, struct err *e);
/* With greed, take all that the socket has, for the reads that follow; without, what is asked for.
 */
enum stream_result tls_stream_read(
	struct tls_stream *s, bool greed, void *to, size_t room, size_t *got, struct err *e);
enum stream_result tls_stream_write(
	struct tls_stream *s, struct bytes from, size_t *put, struct err *e);
/* Tell the peer that nothing more will come; it can still be read from. */
void tls_stream_end_writing(struct tls_stream *s);
/* Throw away what the peer still sends: STREAM_WAIT, or STREAM_EOF once it is gone. */
enum stream_result tls_stream_discard(struct tls_stream *s);
void tls_stream_close(struct tls_stream *s);
/* ALPN chose h2. */
bool tls_stream_is_h2(const struct tls_stream *s);

/* Who is at the other end, after the handshake: certificates, version, channel binding. */
bool tls_stream_peer(const struct tls_stream *s, struct cert_cache *cache, struct peer *out,
	struct err *e) MUST_CHECK;

#endif
