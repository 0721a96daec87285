/* SPDX-License-Identifier: Apache-2.0 */
/* A pledge's voucher-request as the registrar admits it. What passes is signed by the TLS client,
 * for its own serial-number, and speaks of this registrar; and what the registrar then makes of it,
 * the MASA authenticates. */
#include <stdlib.h>
#include <string.h>

#include "common/net/call_impl.h"
#include "common/pki/cms.h"
#include "masa/authenticate.h"
#include "registrar/endorse.h"
#include "registrar/onboard.h"
#include "tests/fuzz/fuzz.h"

#define SERIAL "FUZZ-1"

struct world {
	struct registrar r;
	struct registrar_face face;
};

static struct world *world(void)
{
	static struct world *w;
	struct fuzz_site *site = fuzz_site();
	struct err e = ERR_INIT;

	if (w)
		return w;
	FUZZ_REQUIRE((w = calloc(1, sizeof(*w))) != NULL);
	w->r.cert_cache = site->certs;
	w->r.log.fd = -1;
	w->face.identity = site->registrar;
	FUZZ_REQUIRE(domain_init(&w->face.domain, &w->face.identity, &site->site_certs, &e));
	return w;
}

static const struct authenticator *masa(void)
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

static void check_masa_agrees(const struct onboard *o, struct bytes octets)
{
	BUF_AUTO struct buf out = BUF_INIT(CMS_DER_MAX);
	struct err e = ERR_INIT;
	struct authentic a;
	const struct endorsement w = {
		.format = o->format,
		.pledge_request = &o->request.fields,
		.pledge_octets = octets,
		.idevid = fuzz_site()->device.cert,
		.serial = o->serial,
		.registrar = &o->face->identity,
		.now = o->now,
	};

	/* the registrar knows the device from TLS; for the MASA its certificate has to come along
	 */
	if (octets.len > PLEDGE_REQUEST_MAX ||
		!cert_same(o->request.signer, fuzz_site()->device.cert))
		return;
	FUZZ_REQUIRE(endorse(&w, &out, &e));
	authentic_init(&a);
	FUZZ_REQUIRE(authenticate_registrar(masa(), o->format, buf_bytes(&out), o->now, &a, &e));
	FUZZ_REQUIRE(authenticate_pledge(masa(), o->format, o->now, &a, &e));
	FUZZ_REQUIRE(a.has_pvr && a.proximity);
	authentic_clear(&a);
}

static void check_admitted(const struct onboard *o, struct bytes octets)
{
	const struct voucher *v = &o->request.fields;

	FUZZ_REQUIRE(v->kind == VOUCHER_REQUEST && v->nonce);
	FUZZ_REQUIRE(cert_same_key(o->request.signer, fuzz_site()->device.cert));
	FUZZ_REQUIRE(strcmp(v->serial_number, SERIAL) == 0);
	FUZZ_REQUIRE(v->assertion == ASSERTION_PROXIMITY);
	check_masa_agrees(o, octets);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char serial[] = SERIAL;
	struct peer_ref peer = {.peer.cert = fuzz_site()->device.cert, .refs = 1};
	struct call c = {.peer = &peer};
	struct onboard o = {.r = &world()->r,
		.face = &world()->face,
		.call = &c,
		.now = FUZZ_NOW,
		.serial = serial};
	struct err e = ERR_INIT;
	bool ok;

	o.format = voucher_formats;
	signed_voucher_init(&o.request);
	buf_init(&c.body, CMS_DER_MAX * 2);
	FUZZ_REQUIRE(len > CMS_DER_MAX * 2 || buf_append(&c.body, data, len, &e));
	ok = admit_request(&o, &e) == STEP_NEXT;
	fuzz_check_promises(ok, &e);
	if (ok)
		check_admitted(&o, buf_bytes(&c.body));
	signed_voucher_clear(&o.request);
	buf_clear(&c.body);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t room, unsigned seed)
{
	return fuzz_mutate_signed(data, len, room, seed, &fuzz_site()->device, NULL, false);
}
