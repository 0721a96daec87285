/* SPDX-License-Identifier: Apache-2.0 */
/* What a DTLS association costs a server: CPU for the handshake, memory while it is idle. Both ends
 * in this process, without sockets; only the server's half is timed.
 *
 *     dtls_cost [HANDSHAKES [KEPT]]
 *
 * Prints "key value" lines. CPU is the median of the handshakes, memory what malloc has given out
 * for the associations kept. */
#include <malloc.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/net/dtls.h"

#define PARCELS_MAX 64
#define RUNS_MAX    100000

struct end {
	struct dtls *d;
	struct parcel {
		uint8_t octets[4096];
		size_t len;
	} out[PARCELS_MAX];
	size_t count;
	bool established;
};

static void must(bool ok, const struct err *e)
{
	if (ok)
		return;
	fprintf(stderr, "dtls_cost: %s\n", e->text);
	exit(1);
}

static bool transmit(void *arg, struct bytes b)
{
	struct end *end = arg;
	struct parcel *p = &end->out[end->count++];

	if (end->count > PARCELS_MAX || b.len > sizeof(p->octets))
		abort();
	memcpy(p->octets, b.data, b.len);
	p->len = b.len;
	return true;
}

static void established(void *arg)
{
	((struct end *)arg)->established = true;
}

static void receive(void *arg, struct bytes b)
{
}

static const struct dtls_events events = {NULL, transmit, established, receive};

static X509 *make_cert(EVP_PKEY *key, const char *cn, X509 *issuer, EVP_PKEY *issuer_key)
{
	static long serial;
	X509 *x = X509_new();

	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_NAME_add_entry_by_txt(
		X509_get_subject_name(x), "CN", MBSTRING_ASC, (const uint8_t *)cn, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x));
	X509_set_pubkey(x, key);
	if (!X509_sign(x, issuer_key, EVP_sha256()))
		abort();
	return x;
}

/* An end entity and the certificate above it, as devices and registrars send. */
static void make_identity(struct identity *id, const char *cn)
{
	struct key *ca = NULL;
	struct err e = ERR_INIT;
	struct cert *above;
	X509 *ca_x, *x;

	ca = key_generate(KEY_EC_P256, &e);
	*id = (struct identity){.key = key_generate(KEY_EC_P256, &e)};
	must(ca && id->key, &e);
	ca_x = make_cert(key_evp(ca), "CA", NULL, key_evp(ca));
	x = make_cert(key_evp(id->key), cn, ca_x, key_evp(ca));
	id->cert = cert_from_x509(x, &e);
	above = cert_from_x509(ca_x, &e);
	must(id->cert && above && cert_list_add(&id->chain, above, &e), &e);
	cert_free(above);
	X509_free(x);
	X509_free(ca_x);
	key_free(ca);
}

static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double server_takes(struct dtls_listener *l, struct end *server, const struct parcel *p)
{
	double begun = cpu_us();
	struct bytes b = bytes_of(p->octets, p->len);
	struct err e = ERR_INIT;

	if (server->d)
		must(dtls_feed(server->d, b, &e), &e);
	else
		server->d = dtls_listener_receive(l, bytes_of("peer", 4), b, &events, server, &e);
	return cpu_us() - begun;
}

/* The server's part of one handshake. */
static double shake_hands(struct dtls_listener *l, struct end *server, const struct identity *id)
{
	static struct end client;
	const struct dtls_client_config config = {.identity = id};
	struct err e = ERR_INIT;
	double us = 0;

	client.count = server->count = 0;
	client.d = dtls_connect(&config, &events, &client, &e);
	must(client.d, &e);
	while (client.count || server->count) {
		for (size_t i = 0; i < client.count; i++)
			us += server_takes(l, server, &client.out[i]);
		client.count = 0;
		for (size_t i = 0; i < server->count; i++)
			must(dtls_feed(client.d,
				     bytes_of(server->out[i].octets, server->out[i].len), &e),
				&e);
		server->count = 0;
	}
	if (!server->established)
		abort();
	dtls_free(client.d);
	return us;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static size_t number(const char *text, size_t otherwise)
{
	unsigned long n = text ? strtoul(text, NULL, 10) : otherwise;

	return n > 0 && n <= RUNS_MAX ? n : otherwise;
}

static double median_us(struct dtls_listener *l, const struct identity *device, size_t runs)
{
	double *us = calloc(runs, sizeof(*us)), median;
	struct end *server = calloc(1, sizeof(*server));

	for (size_t i = 0; i < runs; i++) {
		*server = (struct end){.d = NULL};
		us[i] = shake_hands(l, server, device);
		dtls_free(server->d);
	}
	qsort(us, runs, sizeof(*us), ascending);
	median = us[runs / 2];
	free(us);
	free(server);
	return median;
}

static double octets_kept(struct dtls_listener *l, const struct identity *device, size_t kept)
{
	struct dtls **all = calloc(kept, sizeof(*all));
	struct end *server = calloc(1, sizeof(*server));
	size_t before = mallinfo2().uordblks;
	double each;

	for (size_t i = 0; i < kept; i++) {
		*server = (struct end){.d = NULL};
		shake_hands(l, server, device);
		all[i] = server->d;
	}
	each = (double)(mallinfo2().uordblks - before) / (double)kept;
	for (size_t i = 0; i < kept; i++)
		dtls_free(all[i]);
	free(all);
	free(server);
	return each;
}

int main(int argc, char **argv)
{
	size_t runs = number(argc > 1 ? argv[1] : NULL, 200);
	size_t kept = number(argc > 2 ? argv[2] : NULL, 200);
	struct dtls_listener_config listening = {.mtu = 0};
	struct identity registrar, device;
	struct dtls_listener *l;
	struct err e = ERR_INIT;

	make_identity(&registrar, "registrar");
	make_identity(&device, "device");
	listening.tls = dtls_server_new(&registrar, &e);
	must(listening.tls, &e);
	l = dtls_listener_new(&listening, &e);
	must(l, &e);
	printf("dtls_handshake_cpu_us %.0f\n", median_us(l, &device, runs));
	printf("dtls_association_octets %.0f\n", octets_kept(l, &device, kept));
	dtls_listener_free(l);
	tls_server_free(listening.tls);
	identity_clear(&registrar);
	identity_clear(&device);
	return 0;
}
