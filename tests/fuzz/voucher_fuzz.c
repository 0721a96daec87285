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

static bool vet(struct bytes octets)
{
	const struct vetting v = {
		.format = voucher_formats,
		.masa_anchors = fuzz_site()->maker,
		.domain = &world()->domain,
		.cache = fuzz_site()->certs,
		.serial = SERIAL,
		.nonce = FUZZ_NONCE,
		.now = FUZZ_NOW,
	};
	struct err e = ERR_INIT;
	bool ok = vet_voucher(&v, octets, &e);

	fuzz_check_promises(ok, &e);
	FUZZ_REQUIRE(ok || e.kind == ERR_PEER);
	return ok;
}

static void check_accepted(const struct accepted *a)
{
	const struct voucher *v = &a->voucher.fields;

	FUZZ_REQUIRE(v->kind == VOUCHER && a->pinned && a->voucher.signer);
	FUZZ_REQUIRE(strcmp(v->serial_number, SERIAL) == 0);
	FUZZ_REQUIRE(!v->nonce || voucher_nonce_equal(v->nonce, FUZZ_NONCE));
	FUZZ_REQUIRE(!v->has_expires_on || v->expires_on > FUZZ_NOW);
}

static bool accept(struct bytes octets)
{
	const struct fuzz_site *site = fuzz_site();
	const struct accept_input in = {
		.octets = octets,
		.content_type = "application/voucher-cms+json",
		.masa_anchors = site->maker,
		.idevid = site->device.cert,
		.serial_number = SERIAL,
		.nonce = FUZZ_NONCE,
		.server_chain = &world()->server_chain,
		.now_unix_s = FUZZ_NOW,
		.nonceless = NONCELESS_ACCEPT,
		.assertion = ACCEPT_ANY,
	};
	ACCEPTED_AUTO struct accepted a;
	struct err e = ERR_INIT;
	bool ok = accept_voucher(&in, &a, &e);

	fuzz_check_promises(ok, &e);
	if (ok)
		check_accepted(&a);
	return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	vet(bytes_of(data, len));
	accept(bytes_of(data, len));
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t room, unsigned seed)
{
	return fuzz_mutate_signed(data, len, room, seed, &fuzz_site()->masa, NULL);
}
