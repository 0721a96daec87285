/* SPDX-License-Identifier: Apache-2.0 */
/* A registrar's voucher-request with the pledge's inside, as the MASA authenticates it. What passes
 * has the agreements that later steps build on. */
#include <string.h>

#include "masa/authenticate.h"
#include "tests/fuzz/fuzz.h"

#define CENTURY 3155760000 /* a time at which no chain is valid any more */

static const struct authenticator *authenticator(void)
{
	static struct authenticator by;
	struct err e = ERR_INIT;

	if (by.domains)
		return &by;
	by.certs = fuzz_site()->certs;
	by.devices = fuzz_site()->maker;
	by.require_prior = true;
	FUZZ_REQUIRE((by.domains = domain_cache_new(64, &e)) != NULL);
	return &by;
}

static void check_authentic(const struct authentic *a)
{
	const struct voucher *outer = &a->rvr.fields, *inner = &a->pvr.fields;

	FUZZ_REQUIRE(outer->kind == VOUCHER_REQUEST && a->rvr.signer && a->domain.count > 0);
	FUZZ_REQUIRE(cert_same(a->domain.items[0], a->rvr.signer));
	FUZZ_REQUIRE(cert_eku(a->rvr.signer) & CERT_EKU_CMC_RA);
	FUZZ_REQUIRE(a->has_pvr || !outer->nonce);
	if (!a->has_pvr)
		return;
	FUZZ_REQUIRE(inner->kind == VOUCHER_REQUEST && a->pvr.signer);
	FUZZ_REQUIRE(strcmp(outer->serial_number, inner->serial_number) == 0);
	FUZZ_REQUIRE(!outer->nonce == !inner->nonce);
	FUZZ_REQUIRE(!outer->nonce || voucher_nonce_equal(outer->nonce, inner->nonce));
}

/* Read without its signature being looked at, it says the same. */
static void check_parsed_again(const struct authentic *a, struct bytes octets)
{
	SIGNED_VOUCHER_AUTO struct signed_voucher again;
	struct err e = ERR_INIT;

	signed_voucher_init(&again);
	FUZZ_REQUIRE(voucher_formats->parse(octets, fuzz_site()->certs, &again, &e));
	FUZZ_REQUIRE(again.signer && cert_same(again.signer, a->rvr.signer));
	FUZZ_REQUIRE(bytes_equal(buf_bytes(&again.payload), buf_bytes(&a->rvr.payload)));
	FUZZ_REQUIRE(strcmp(again.fields.serial_number, a->rvr.fields.serial_number) == 0);
}

/* What was remembered of a chain does not outlive it. */
static void check_later(struct bytes octets)
{
	struct authentic a;
	struct err e = ERR_INIT;

	authentic_init(&a);
	FUZZ_REQUIRE(!authenticate_registrar(
		authenticator(), voucher_formats, octets, FUZZ_NOW + CENTURY, &a, &e));
	authentic_clear(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct authentic a;
	struct err e = ERR_INIT;
	bool ok;

	authentic_init(&a);
	ok = authenticate_registrar(
		     authenticator(), voucher_formats, bytes_of(data, len), FUZZ_NOW, &a, &e) &&
	     authenticate_pledge(authenticator(), voucher_formats, FUZZ_NOW, &a, &e);
	fuzz_check_promises(ok, &e);
	if (ok) {
		check_authentic(&a);
		check_parsed_again(&a, bytes_of(data, len));
		check_later(bytes_of(data, len));
	}
	authentic_clear(&a);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t room, unsigned seed)
{
	return fuzz_mutate_signed(
		data, len, room, seed, &fuzz_site()->registrar, &fuzz_site()->device, false);
}
