/* SPDX-License-Identifier: Apache-2.0 */
/* A voucher on its way: the registrar looks at what the MASA sent, then the pledge decides. A
 * voucher the pledge accepts names it, answers its nonce and pins its registrar's domain. */
#include <string.h>

#include "pledge/accept.h"
#include "registrar/vet.h"
#include "tests/fuzz/fuzz.h"

#define SERIAL "FUZZ-1"

struct world {
	struct domain domain;
	struct cert_list server_chain;
	bool ready;
};

static struct world *world(void)
{
	static struct world w;
	const struct fuzz_site *site = fuzz_site();
	struct err e = ERR_INIT;

	if (w.ready)
		return &w;
	FUZZ_REQUIRE(domain_init(&w.domain, &site->registrar, &site->site_certs, &e));
	FUZZ_REQUIRE(cert_list_add(&w.server_chain, site->registrar.cert, &e));
	for (size_t i = 0; i < site->registrar.chain.count; i++)
		FUZZ_REQUIRE(cert_list_add(&w.server_chain, site->registrar.chain.items[i], &e));
	w.ready = true;
	return &w;
}

static bool vet(struct bytes octets, bool bare_keys)
{
	const struct vetting v = {
		.format = voucher_formats,
		.masa_anchors = fuzz_site()->maker_issuing,
		.domain = &world()->domain,
		.cache = fuzz_site()->certs,
		.serial = SERIAL,
		.nonce = FUZZ_NONCE,
		.now = FUZZ_NOW,
		.bare_keys = bare_keys,
	};
	struct err e = ERR_INIT;
	bool ok = vet_voucher(&v, octets, &e);

	fuzz_check_promises(ok, &e);
	FUZZ_REQUIRE(ok || e.kind == ERR_PEER);
	return ok;
}

static void check_accepted(const struct accept_input *in, const struct accepted *a)
{
	const struct voucher *v = &a->voucher.fields;

	FUZZ_REQUIRE(v->kind == VOUCHER && a->voucher.signer);
	FUZZ_REQUIRE(a->has_est ? in->server_verified : a->path.count > 0);
	FUZZ_REQUIRE(pin_leaf(v, a->form)->len > 0 && (a->form == PIN_CERT) == (a->pinned != NULL));
	FUZZ_REQUIRE(strcmp(v->serial_number, SERIAL) == 0);
	FUZZ_REQUIRE(!v->nonce || voucher_nonce_equal(v->nonce, FUZZ_NONCE));
	FUZZ_REQUIRE(
		in->now_unix_s == CHAIN_NO_TIME || !v->has_expires_on || v->expires_on > FUZZ_NOW);
	FUZZ_REQUIRE(v->nonce || in->nonceless == NONCELESS_ACCEPT);
	FUZZ_REQUIRE(in->assertion != ACCEPT_VERIFIED || v->assertion == ASSERTION_VERIFIED);
}

/* What a device may be set to. */
struct policy {
	int64_t now;
	enum nonceless_policy nonceless;
	enum assertion_policy assertion;
	bool server_verified; /* the server is known already: est-domain counts */
};

static bool accept(struct bytes octets, const struct policy *p)
{
	const struct fuzz_site *site = fuzz_site();
	const struct accept_input in = {
		.octets = octets,
		.content_type = "application/voucher-cms+json",
		.masa_anchors = site->maker_issuing,
		.idevid = site->device.cert,
		.serial_number = SERIAL,
		.nonce = FUZZ_NONCE,
		.asked_with = PIN_CERT,
		.server_chain = &world()->server_chain,
		.now_unix_s = p->now,
		.nonceless = p->nonceless,
		.assertion = p->assertion,
		.server_verified = p->server_verified,
	};
	ACCEPTED_AUTO struct accepted a;
	struct err e = ERR_INIT;
	bool ok = accept_voucher(&in, &a, &e);

	fuzz_check_promises(ok, &e);
	if (ok)
		check_accepted(&in, &a);
	return ok;
}

/* What a strict device takes, a lenient one takes, too. */
static void accept_by_all(struct bytes octets)
{
	static const struct policy lenient = {CHAIN_NO_TIME, NONCELESS_ACCEPT, ACCEPT_ANY};
	static const struct policy strict[] = {{FUZZ_NOW, NONCELESS_ACCEPT, ACCEPT_ANY},
		{FUZZ_NOW, NONCELESS_REFUSE, ACCEPT_PROXIMITY},
		{FUZZ_NOW, NONCELESS_REFUSE, ACCEPT_VERIFIED}};
	static const struct policy redirected = {FUZZ_NOW, NONCELESS_ACCEPT, ACCEPT_ANY, true};
	bool taken = accept(octets, &lenient);

	if (taken)
		accept(octets, &redirected);
	for (size_t i = 0; taken && i < sizeof(strict) / sizeof(*strict); i++)
		taken = accept(octets, &strict[i]);
}

/* The pledge has no cache of certificates, so asking it is dear; what does not open for the
 * registrar does not open for it. */
static bool is_worth_a_look(struct bytes octets)
{
	SIGNED_VOUCHER_AUTO struct signed_voucher v;
	struct err e = ERR_INIT;

	signed_voucher_init(&v);
	return octets.len % 8 == 0 ||
	       voucher_formats->open(octets, fuzz_site()->certs, NULL, &v, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes octets = bytes_of(data, len);

	if (is_worth_a_look(octets)) {
		if (!vet(octets, false))
			vet(octets, true);
		accept_by_all(octets);
	}
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t room, unsigned seed)
{
	return fuzz_mutate_signed(data, len, room, seed, &fuzz_site()->masa, NULL, true);
}
