/* SPDX-License-Identifier: Apache-2.0 */
/* Attackers of a CoAPS port (DTLS 1.2 over UDP), for what Python is too slow for:
 *
 *   coaps_abuse hello PORT SECONDS RATE         ClientHellos without a cookie, from everywhere
 *   coaps_abuse garbage PORT SECONDS RATE       datagrams of noise that begin like records
 *   coaps_abuse jpy PORT SECONDS RATE           the same for a join proxy's port: arrays that are
 *                                               none, and ClientHellos under headers without end
 *   coaps_abuse half PORT COUNT SPREAD          handshakes left alone when the cookie has returned
 *   coaps_abuse clinging PORT COUNT SPREAD      the same, and each says something worthless every
 *                                               half a second, so as not to seem left alone
 *   coaps_abuse sessions PORT COUNT SPREAD KEY CERTIFICATE
 *                                               associations that say nothing any more, each with a
 *                                               certificate of its own from the CA that is named
 *
 * RATE is datagrams a second; 0: as many as go. Every stroke comes from a port of its own and, of
 * the last three, from SPREAD addresses of 127/8. The floods print "datagrams answers" at their
 * end. The crowds print a line "ready N" when N stand and wait for the end of their input. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define DATAGRAM_MAX  1200
#define PER_SOCKET    64 /* strokes of a flood before it takes another port */
#define HANDSHAKE_S   5
#define HEADER_LEN    16	    /* of a join proxy */
#define RANDOM_AT     (13 + 12 + 2) /* of a ClientHello: after record, message and version */
#define HELLO_VERIFY  3
#define COOKIE_LEN_AT (13 + 12 + 2)

/* cipher suites ECDHE-ECDSA-AES128-CCM-8 and -GCM, P-256 */
static const unsigned char hello_head[] = {0x16, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 80, 0x01, 0,
	0, 68, 0, 0, 0, 0, 0, 0, 0, 68, 0xfe, 0xfd};
static const unsigned char hello_tail[] = {0, 0, 0, 4, 0xc0, 0xae, 0xc0, 0x2b, 1, 0, 0, 22, 0, 10,
	0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0, 0, 13, 0, 4, 0, 2, 4, 3};

struct victim {
	struct sockaddr_in to;
	unsigned spread;
	unsigned long sent, answers;
};

static size_t make_hello(unsigned char *out)
{
	memcpy(out, hello_head, sizeof(hello_head));
	RAND_bytes(out + sizeof(hello_head), 32);
	memcpy(out + sizeof(hello_head) + 32, hello_tail, sizeof(hello_tail));
	return sizeof(hello_head) + 32 + sizeof(hello_tail);
}

static size_t make_garbage(unsigned char *out)
{
	static const unsigned char starts[][3] = {{0x16, 0xfe, 0xfd}, {0x17, 0xfe, 0xfd},
		{0x15, 0xfe, 0xff}, {0x14, 0xfe, 0xfd}, {0x40, 0x01, 0x00}, {0x82, 0x50, 0xff}};
	unsigned char dice[4];
	size_t len;

	RAND_bytes(dice, sizeof(dice));
	len = 3 + (dice[0] << 8 | dice[1]) % (DATAGRAM_MAX - 3);
	RAND_bytes(out, (int)len);
	memcpy(out, starts[dice[2] % 6], 3);
	if (len >= 13 && dice[3] & 1) { /* a record whose length is right, of epoch 0 */
		memset(out + 3, 0, 2);
		out[11] = (unsigned char)((len - 13) >> 8);
		out[12] = (unsigned char)(len - 13);
	}
	return len;
}

static size_t make_jpy(unsigned char *out)
{
	unsigned char dice, inner[DATAGRAM_MAX];
	size_t len, at = 0;

	RAND_bytes(&dice, 1);
	if (dice < 64) { /* any CBOR or none */
		len = make_garbage(out);
		out[0] = (unsigned char)(0x80 | (dice & 7));
		return len;
	}
	len = make_hello(inner);
	out[at++] = 0x82;
	out[at++] = 0x40 | HEADER_LEN;
	RAND_bytes(out + at, HEADER_LEN);
	at += HEADER_LEN;
	out[at++] = 0x58;
	out[at++] = (unsigned char)len;
	memcpy(out + at, inner, len);
	return at + len;
}

/* A socket from an address of its own when there is a choice. */
static int dial(const struct victim *v, unsigned n)
{
	struct sockaddr_in from = {.sin_family = AF_INET};
	struct timeval patience = {.tv_usec = 500000};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (v->spread > 1)
		from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + n % v->spread);
	else
		from.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
		connect(fd, (const struct sockaddr *)&v->to, sizeof(v->to)) != 0) {
		perror("socket");
		exit(1);
	}
	return fd;
}

static void count_answers(struct victim *v, int fd)
{
	unsigned char octets[2048];

	while (recv(fd, octets, sizeof(octets), MSG_DONTWAIT) > 0)
		v->answers++;
}

static long since_us(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - start->tv_sec) * 1000000 + (now.tv_nsec - start->tv_nsec) / 1000;
}

static void flood(struct victim *v, size_t (*make)(unsigned char *), int seconds, unsigned rate)
{
	struct timespec start;
	unsigned char octets[DATAGRAM_MAX + 64];

	v->spread = 200;
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (unsigned n = 0; since_us(&start) < seconds * 1000000L; n++) {
		long ahead_us = rate ? (long)(v->sent * 1000000.0 / rate) - since_us(&start) : 0;
		int fd = dial(v, n);

		if (ahead_us > 0)
			usleep((useconds_t)ahead_us);

		for (int i = 0; i < PER_SOCKET; i++)
			if (send(fd, octets, make(octets), 0) > 0)
				v->sent++;
		count_answers(v, fd);
		close(fd);
	}
	printf("%lu %lu\n", v->sent, v->answers);
}

/* ClientHello, HelloVerifyRequest, ClientHello with the cookie, and not a word more. The socket, -1
 * when there was no answer. */
static int begin_handshake(const struct victim *v, unsigned n)
{
	unsigned char hello[DATAGRAM_MAX], answer[2048];
	size_t len = make_hello(hello), cookie;
	int fd = dial(v, n);
	ssize_t got;

	send(fd, hello, len, 0);
	got = recv(fd, answer, sizeof(answer), 0);
	cookie = got > COOKIE_LEN_AT ? answer[COOKIE_LEN_AT] : 0;
	if (got < COOKIE_LEN_AT + 1 + (ssize_t)cookie || answer[13] != HELLO_VERIFY) {
		close(fd);
		return -1;
	}
	/* the cookie stands after the random and an empty session ID; three lengths grow by it */
	memmove(hello + RANDOM_AT + 34 + cookie, hello + RANDOM_AT + 34, len - RANDOM_AT - 34);
	hello[RANDOM_AT + 33] = (unsigned char)cookie;
	memcpy(hello + RANDOM_AT + 34, answer + COOKIE_LEN_AT + 1, cookie);
	hello[10] = 1;
	hello[18] = 1;
	hello[12] = (unsigned char)(hello[12] + cookie);
	hello[16] = (unsigned char)(hello[16] + cookie);
	hello[24] = (unsigned char)(hello[24] + cookie);
	send(fd, hello, len + cookie, 0);
	got = recv(fd, answer, sizeof(answer), 0);
	if (got > 13 && answer[13] == 2)
		return fd;
	close(fd);
	return -1;
}

static bool leave_half_open(const struct victim *v, unsigned n)
{
	int fd = begin_handshake(v, n);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* A record that comes too early to be looked at: enough to be heard of. */
static void chatter(const int *fds, unsigned count)
{
	static const unsigned char record[] = {0x17, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0};

	for (unsigned i = 0; i < count; i++)
		send(fds[i], record, sizeof(record), MSG_DONTWAIT);
}

/* As many as get in, and again when some were ended; until the end of the input. */
static void cling(const struct victim *v, unsigned count)
{
	int *fds = calloc(count, sizeof(*fds));
	struct pollfd end = {.fd = STDIN_FILENO, .events = POLLIN};
	struct timespec told;
	unsigned held = 0, n = 0;

	clock_gettime(CLOCK_MONOTONIC, &told);
	while (fds && poll(&end, 1, held < count ? 0 : 100) == 0) {
		int fd = held < count ? begin_handshake(v, n++) : -1;

		if (fd >= 0)
			fds[held++] = fd;
		if (held == count || n == count) {
			printf("ready %u\n", held);
			fflush(stdout);
			n = count + 1;
		}
		if (since_us(&told) < 500000)
			continue;
		chatter(fds, held);
		clock_gettime(CLOCK_MONOTONIC, &told);
	}
	free(fds);
}

struct ca {
	SSL_CTX *ctx;
	EVP_PKEY *key;
	X509 *certificate;
};

static void must(bool good)
{
	if (!good) {
		ERR_print_errors_fp(stderr);
		exit(1);
	}
}

static struct ca open_ca(const char *key_path, const char *certificate_path)
{
	struct ca ca = {.ctx = SSL_CTX_new(DTLS_client_method())};
	FILE *key = fopen(key_path, "r"), *certificate = fopen(certificate_path, "r");

	must(key && certificate);
	ca.key = PEM_read_PrivateKey(key, NULL, NULL, NULL);
	ca.certificate = PEM_read_X509(certificate, NULL, NULL, NULL);
	must(ca.key && ca.certificate);
	fclose(key);
	fclose(certificate);
	SSL_CTX_set_options(ca.ctx, SSL_OP_NO_QUERY_MTU);
	must(SSL_CTX_set_cipher_list(ca.ctx, "ECDHE-ECDSA-AES128-CCM8") == 1);
	return ca;
}

/* Another device each time, as far as anybody can see. */
static void show_new_certificate(SSL *ssl, const struct ca *ca)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	X509_NAME *subject = X509_get_subject_name(x);
	uint64_t number;
	char serial[24];

	RAND_bytes((unsigned char *)&number, sizeof(number));
	snprintf(serial, sizeof(serial), "%016llX", (unsigned long long)number);
	must(X509_set_version(x, X509_VERSION_3) == 1 &&
		ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), number) == 1 &&
		X509_NAME_add_entry_by_txt(subject, "serialNumber", MBSTRING_ASC,
			(unsigned char *)serial, -1, -1, 0) == 1 &&
		X509_set_issuer_name(x, X509_get_subject_name(ca->certificate)) == 1 &&
		X509_gmtime_adj(X509_getm_notBefore(x), -3600) != NULL &&
		X509_gmtime_adj(X509_getm_notAfter(x), 360000) != NULL &&
		X509_set_pubkey(x, key) == 1 && X509_sign(x, ca->key, EVP_sha256()) > 0 &&
		SSL_use_certificate(ssl, x) == 1 && SSL_use_PrivateKey(ssl, key) == 1 &&
		SSL_add1_chain_cert(ssl, ca->certificate) == 1);
	X509_free(x);
	EVP_PKEY_free(key);
}

static bool leave_idle(const struct victim *v, unsigned n, const struct ca *ca)
{
	SSL *ssl = SSL_new(ca->ctx);
	int fd = dial(v, n);
	BIO *bio = BIO_new_dgram(fd, BIO_CLOSE);
	time_t end = time(NULL) + HANDSHAKE_S;
	bool stands = false;

	show_new_certificate(ssl, ca);
	BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, (void *)(uintptr_t)&v->to);
	SSL_set_bio(ssl, bio, bio);
	SSL_set_mtu(ssl, 1024);
	while (!stands && time(NULL) < end) {
		stands = SSL_connect(ssl) == 1;
		ERR_clear_error();
		DTLSv1_handle_timeout(ssl);
	}
	SSL_set_quiet_shutdown(ssl, 1);
	SSL_free(ssl);
	return stands;
}

static void crowd(const struct victim *v, unsigned count, const struct ca *ca)
{
	unsigned stand = 0;
	char rest[16];

	for (unsigned n = 0; n < count; n++)
		stand += ca ? leave_idle(v, n, ca) : leave_half_open(v, n);
	printf("ready %u\n", stand);
	fflush(stdout);
	while (read(STDIN_FILENO, rest, sizeof(rest)) > 0)
		;
}

int main(int argc, char **argv)
{
	struct victim v = {.to = {.sin_family = AF_INET}, .spread = 1};
	static const struct {
		const char *name;
		size_t (*make)(unsigned char *);
	} floods[] = {{"hello", make_hello}, {"garbage", make_garbage}, {"jpy", make_jpy}};

	if (argc < 5)
		return 2;
	v.to.sin_port = htons((uint16_t)atoi(argv[2]));
	v.to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (size_t i = 0; i < sizeof(floods) / sizeof(floods[0]); i++)
		if (strcmp(argv[1], floods[i].name) == 0) {
			flood(&v, floods[i].make, atoi(argv[3]), (unsigned)atoi(argv[4]));
			return 0;
		}
	v.spread = (unsigned)atoi(argv[4]);
	if (strcmp(argv[1], "clinging") == 0)
		cling(&v, (unsigned)atoi(argv[3]));
	else if (strcmp(argv[1], "half") == 0)
		crowd(&v, (unsigned)atoi(argv[3]), NULL);
	else if (strcmp(argv[1], "sessions") == 0 && argc == 7) {
		struct ca ca = open_ca(argv[5], argv[6]);

		crowd(&v, (unsigned)atoi(argv[3]), &ca);
	} else
		return 2;
	return 0;
}
