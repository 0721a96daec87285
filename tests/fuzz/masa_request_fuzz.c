/* SPDX-License-Identifier: Apache-2.0 */
/* A registrar's voucher-request with the pledge's inside, as the MASA authenticates it, in CMS or,
 * by its first octet, in COSE. What passes has the agreements that later steps build on. */
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

static bool is_cose(const uint8_t *data, size_t len)
{
	return len > 0 && (data[0] == 0xd2 || data[0] == 0x84);
}

static const struct voucher_format *format_of(const uint8_t *data, size_t len)
{
	return voucher_format_by_media_type(
		is_cose(data, len) ? "application/voucher+cose" : "application/voucher-cms+json");
}

/* Read without its signature being looked at, it says the same. */
static void check_parsed_again(const struct authentic *a, struct bytes octets)
{
	SIGNED_VOUCHER_AUTO struct signed_voucher again;
	struct err e = ERR_INIT;

	signed_voucher_init(&again);
	FUZZ_REQUIRE(
		format_of(octets.data, octets.len)->parse(octets, fuzz_site()->certs, &again, &e));
	FUZZ_REQUIRE(again.signer && cert_same(again.signer, a->rvr.signer));
	FUZZ_REQUIRE(bytes_equal(buf_bytes(&again.payload), buf_bytes(&a->rvr.payload)));
	FUZZ_REQUIRE(strcmp(again.fields.serial_number, a->rvr.fields.serial_number) == 0);
}

/* Asked for again, all but the signature is checked anew. */
static void check_again(struct bytes octets, int64_t now, bool wanted)
{
	struct authentic a;
	struct err e = ERR_INIT;

	authentic_init(&a);
	FUZZ_REQUIRE(wanted == authenticate_registrar_again(authenticator(),
				       format_of(octets.data, octets.len), octets, now, &a, &e));
	authentic_clear(&a);
}

/* What tools show of it: the signature's verdict is a value here, not a failure. */
static void check_shown(struct bytes octets, bool authentic)
{
	SIGNED_VOUCHER_AUTO struct signed_voucher shown;
	struct err verdict, e = ERR_INIT;
	bool ok;

	signed_voucher_init(&shown);
	ok = format_of(octets.data, octets.len)
		     ->read(octets, fuzz_site()->certs, NULL, &shown, &verdict, &e);
	FUZZ_REQUIRE(ok || (!authentic && e.kind != ERR_NONE));
	FUZZ_REQUIRE(!authentic || verdict.kind == ERR_NONE);
	FUZZ_REQUIRE(!ok || verdict.kind != ERR_NONE || shown.signer);
}

/* What was remembered of a chain does not outlive it. */
static void check_later(struct bytes octets)
{
	struct authentic a;
	struct err e = ERR_INIT;

	authentic_init(&a);
	FUZZ_REQUIRE(!authenticate_registrar(authenticator(), format_of(octets.data, octets.len),
		octets, FUZZ_NOW + CENTURY, &a, &e));
	authentic_clear(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct authentic a;
	struct err e = ERR_INIT;
	bool ok;

	const struct voucher_format *format = format_of(data, len);

	authentic_init(&a);
	ok = authenticate_registrar(
		     authenticator(), format, bytes_of(data, len), FUZZ_NOW, &a, &e) &&
	     authenticate_pledge(authenticator(), format, FUZZ_NOW, &a, &e);
	fuzz_check_promises(ok, &e);
	check_shown(bytes_of(data, len), ok);
	if (ok) {
		check_authentic(&a);
		check_parsed_again(&a, bytes_of(data, len));
		check_later(bytes_of(data, len));
		check_again(bytes_of(data, len), FUZZ_NOW, true);
		check_again(bytes_of(data, len), FUZZ_NOW + CENTURY, false);
	}
	authentic_clear(&a);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t room, unsigned seed)
{
	struct cert *certs[] = {fuzz_site()->registrar.cert, fuzz_site()->device.cert,
		fuzz_site()->registrar.chain.items[0], fuzz_site()->device.chain.items[0]};
	struct cert_list bag = {.items = certs, .count = 4};

	if (is_cose(data, len))
		return fuzz_mutate_cose(
			data, len, room, seed, &fuzz_site()->registrar, &fuzz_site()->device, &bag);
	return fuzz_mutate_signed(
		data, len, room, seed, &fuzz_site()->registrar, &fuzz_site()->device, false);
}
