/* SPDX-License-Identifier: Apache-2.0 */
/* The primitive floor of one onboarding: what the asymmetric operations alone cost on this machine,
 * now. Prints one JSON object with µs of CPU: each primitive (the mean: what slows the machine down
 * for a moment slows servers down, too), the sums for registrar and MASA, and what was counted. A
 * server cannot be cheaper than its floor; the bench prints the ratio.
 *
 * Every processor is kept busy meanwhile, as it is while the load generator runs: processors that
 * share a core, a cache or a clock are slower together than one alone. */
#include <openssl/evp.h>
#include <openssl/ec.h>

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 64
#define AT_ONCE	    16	   /* between two looks at the clock */
#define BUDGET_US   300000 /* CPU for each primitive */

enum primitive { KEYGEN, DERIVE, SIGN, VERIFY, PRIMITIVES };

/* How often each primitive is needed, per role, for a complete onboarding on persistent
 * connections: the pledge's connection with IDevID and the reconnect with LDevID; registrar–MASA
 * TLS amortised; certificates of issuing CAs and signers already known. The request for the audit
 * log is the voucher-request once more (RFC 8995 §5.8) and needs nothing new. That we verify what
 * we have signed ourselves, twice in the registrar and once in the MASA, is not counted. */
struct step {
	const char *what;
	int registrar[PRIMITIVES];
	int masa[PRIMITIVES];
};
static const struct step steps[] = {
	{"TLS with the IDevID", {1, 1, 1, 1}, {0, 0, 0, 0}},
	{"IDevID certificate", {0, 0, 0, 1}, {0, 0, 0, 0}},
	{"pledge voucher-request", {0, 0, 0, 1}, {0, 0, 0, 0}},
	{"registrar voucher-request and its certificate", {0, 0, 1, 0}, {0, 0, 0, 2}},
	{"nested request and its IDevID certificate", {0, 0, 0, 0}, {0, 0, 0, 2}},
	{"voucher", {0, 0, 0, 1}, {0, 0, 1, 0}},
	{"enrolment: proof of possession, certificate", {0, 0, 1, 1}, {0, 0, 0, 0}},
	{"reconnect with the LDevID", {1, 1, 1, 2}, {0, 0, 0, 0}},
};

static void must(int ok)
{
	if (!ok) {
		fprintf(stderr, "floor: OpenSSL failed\n");
		exit(1);
	}
}

static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

struct fixture {
	EVP_PKEY *ec, *x1, *x2;
	EVP_PKEY_CTX *sign, *verify;
	unsigned char digest[32], signature[128];
	size_t signature_len;
};

static void run_one(struct fixture *f, enum primitive p)
{
	unsigned char out[64];
	size_t len = sizeof(out);
	EVP_PKEY_CTX *c;

	switch (p) {
	case KEYGEN:
		EVP_PKEY_free(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"));
		return;
	case DERIVE:
		c = EVP_PKEY_CTX_new(f->x1, NULL);
		must(c && EVP_PKEY_derive_init(c) == 1 && EVP_PKEY_derive_set_peer(c, f->x2) == 1 &&
			EVP_PKEY_derive(c, out, &len) == 1);
		EVP_PKEY_CTX_free(c);
		return;
	case SIGN:
		f->signature_len = sizeof(f->signature);
		must(EVP_PKEY_sign(f->sign, f->signature, &f->signature_len, f->digest, 32) == 1);
		return;
	case VERIFY:
		must(EVP_PKEY_verify(f->verify, f->signature, f->signature_len, f->digest, 32) ==
			1);
		return;
	case PRIMITIVES:
		return;
	}
}

static double cost_us(struct fixture *f, enum primitive p)
{
	double start, spent;
	long n = 0;

	run_one(f, p);
	start = cpu_us();
	do {
		for (int i = 0; i < AT_ONCE; i++)
			run_one(f, p);
		n += AT_ONCE;
		spent = cpu_us() - start;
	} while (spent < BUDGET_US);
	return spent / (double)n;
}

struct worker {
	pthread_t thread;
	pthread_barrier_t *together;
	double cost[PRIMITIVES];
};

static void *work(void *arg)
{
	struct worker *w = arg;
	struct fixture f = {.digest = {1, 2, 3}};

	f.ec = EVP_EC_gen("P-256");
	f.x1 = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	f.x2 = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	must(f.ec && f.x1 && f.x2);
	f.sign = EVP_PKEY_CTX_new(f.ec, NULL);
	f.verify = EVP_PKEY_CTX_new(f.ec, NULL);
	must(EVP_PKEY_sign_init(f.sign) == 1 && EVP_PKEY_verify_init(f.verify) == 1);
	run_one(&f, SIGN);
	for (int p = 0; p < PRIMITIVES; p++) {
		pthread_barrier_wait(w->together);
		w->cost[p] = cost_us(&f, (enum primitive)p);
	}
	EVP_PKEY_CTX_free(f.sign);
	EVP_PKEY_CTX_free(f.verify);
	EVP_PKEY_free(f.ec);
	EVP_PKEY_free(f.x1);
	EVP_PKEY_free(f.x2);
	return NULL;
}

/* The mean over all processors. */
static void measure(double cost[PRIMITIVES])
{
	long count = sysconf(_SC_NPROCESSORS_ONLN);
	struct worker workers[THREADS_MAX] = {0};
	pthread_barrier_t together;

	count = count < 1 ? 1 : count > THREADS_MAX ? THREADS_MAX : count;
	must(pthread_barrier_init(&together, NULL, (unsigned)count) == 0);
	for (long i = 0; i < count; i++) {
		workers[i].together = &together;
		must(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
	}
	for (long i = 0; i < count; i++) {
		pthread_join(workers[i].thread, NULL);
		for (int p = 0; p < PRIMITIVES; p++)
			cost[p] += workers[i].cost[p] / (double)count;
	}
	pthread_barrier_destroy(&together);
}

int main(void)
{
	static const char *const names[PRIMITIVES] = {
		"x25519_keygen", "x25519_derive", "p256_sign", "p256_verify"};
	double cost[PRIMITIVES] = {0}, registrar = 0, masa = 0;

	measure(cost);
	printf("{");
	for (int p = 0; p < PRIMITIVES; p++) {
		int in_registrar = 0, in_masa = 0;

		for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
			in_registrar += steps[i].registrar[p];
			in_masa += steps[i].masa[p];
		}
		registrar += in_registrar * cost[p];
		masa += in_masa * cost[p];
		printf("\"%s_us\": %.2f, \"%s_count\": [%d, %d], ", names[p], cost[p], names[p],
			in_registrar, in_masa);
	}
	printf("\"registrar_floor_us\": %.1f, \"masa_floor_us\": %.1f}\n", registrar, masa);
	return 0;
}
