/* SPDX-License-Identifier: Apache-2.0 */
/* A manufacturer with two devices, two sites with a registrar each, and voucher-requests by recipe.
 */
#ifndef TESTS_MASA_FIXTURE_H
#define TESTS_MASA_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/message/voucher_format.h"
#include "common/pki/chain.h"
#include "common/pki/cms.h"
#include "common/pki/idevid.h"
#include "common/pki/issue.h"

#define FIXTURE static inline __attribute__((unused))
#define NOW	1800000000 /* when the tests take place: January 2027 */
#define DAY	86400
#define NONCE	"MDEyMzQ1Njc4OWFiY2RlZg==" /* 16 octets */
#define ABSENT	""			   /* in a recipe: leave the leaf out */

#define OK(x)                                                                                      \
	do {                                                                                       \
		struct err e_ = ERR_INIT, *e = &e_;                                                \
		if (!(x))                                                                          \
			fail_msg("%s", e->text);                                                   \
	} while (0)

struct world {
	struct identity maker_root, maker_ca, signer, device, device2;
	struct identity root, ca, registrar; /* the site */
	struct identity split;		     /* the site's second key (T-14) */
	struct identity ldevid;		     /* of the site, not a registration authority */
	struct identity other_root, other_ca, other_registrar; /* another site */
	const struct voucher_format *format;		       /* of requests and vouchers: CMS */
	char dir[64];
};

FIXTURE void make(struct identity *out, const struct identity *issuer, struct issue_request r)
{
	BUF_AUTO struct buf spki = BUF_INIT(1024);

	*out = (struct identity){.key = NULL};
	OK(out->key = key_generate(KEY_EC_P256, e));
	OK(key_public_spki(out->key, &spki, e));
	r.issuer = issuer;
	r.self_key = issuer ? NULL : out->key;
	r.spki = buf_bytes(&spki);
	r.not_before = NOW - DAY;
	if (!r.not_after)
		r.not_after = NOW + 300 * DAY;
	OK(out->cert = issue_certificate(&r, e));
	if (issuer)
		OK(cert_list_add(&out->chain, issuer->cert, e));
	for (size_t i = 0; issuer && i < issuer->chain.count; i++)
		OK(cert_list_add(&out->chain, issuer->chain.items[i], e));
}

FIXTURE struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));

	make(&w->maker_root, NULL,
		(struct issue_request){.profile = PROFILE_ROOT_CA, .common_name = "Maker Root"});
	make(&w->maker_ca, &w->maker_root,
		(struct issue_request){.profile = PROFILE_ISSUING_CA, .common_name = "Maker CA"});
	make(&w->signer, &w->maker_ca,
		(struct issue_request){.profile = PROFILE_MASA_SIGNER, .common_name = "MASA"});
	make(&w->device, &w->maker_ca,
		(struct issue_request){.profile = PROFILE_IDEVID,
			.serial_number = "SN-1",
			.masa_url = "masa.example",
			.not_after = INT64_MAX});
	make(&w->device2, &w->maker_ca,
		(struct issue_request){.profile = PROFILE_IDEVID,
			.serial_number = "SN-2",
			.masa_url = "masa.example",
			.not_after = INT64_MAX});
	make(&w->root, NULL,
		(struct issue_request){.profile = PROFILE_ROOT_CA, .common_name = "Site Root"});
	make(&w->ca, &w->root,
		(struct issue_request){.profile = PROFILE_ISSUING_CA, .common_name = "Site CA"});
	make(&w->registrar, &w->ca,
		(struct issue_request){.profile = PROFILE_REGISTRAR,
			.common_name = "Registrar",
			.san = "DNS:localhost"});
	make(&w->split, &w->ca,
		(struct issue_request){.profile = PROFILE_REGISTRAR,
			.common_name = "Registrar TLS",
			.san = "DNS:localhost"});
	make(&w->ldevid, &w->ca,
		(struct issue_request){.profile = PROFILE_LDEVID, .serial_number = "SN-7"});
	make(&w->other_root, NULL,
		(struct issue_request){.profile = PROFILE_ROOT_CA, .common_name = "Other Root"});
	make(&w->other_ca, &w->other_root,
		(struct issue_request){.profile = PROFILE_ISSUING_CA, .common_name = "Other CA"});
	make(&w->other_registrar, &w->other_ca,
		(struct issue_request){.profile = PROFILE_REGISTRAR,
			.common_name = "Other Registrar",
			.san = "DNS:localhost"});
	w->format = voucher_format_by_media_type("application/voucher-cms+json");
	assert_non_null(w->format);
	snprintf(w->dir, sizeof(w->dir), "/tmp/masa_test.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	return w;
}

FIXTURE void world_free(struct world *w)
{
	struct identity *all[] = {&w->maker_root, &w->maker_ca, &w->signer, &w->device, &w->device2,
		&w->root, &w->ca, &w->registrar, &w->split, &w->ldevid, &w->other_root,
		&w->other_ca, &w->other_registrar};
	char cmd[128];

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		identity_clear(all[i]);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", w->dir);
	assert_int_equal(system(cmd), 0);
	free(w);
}

FIXTURE struct anchors *anchors_of(const struct identity *id)
{
	CERT_LIST_AUTO struct cert_list l = CERT_LIST_INIT;
	struct anchors *a = NULL;

	OK(cert_list_add(&l, id->cert, e));
	OK(a = anchors_new(&l, e));
	return a;
}

/* What goes into a pair of requests; whatever is left NULL is as it should be. */
struct ask {
	const struct identity *device;	  /* signs the pledge's request; the first device */
	const struct identity *registrar; /* signs the registrar's; the site's */
	const struct identity *seen;	  /* whose certificate the pledge saw in TLS; registrar's */
	const char *pvr_serial, *rvr_serial, *pvr_nonce, *rvr_nonce;
	bool no_pvr;
	bool no_proximity; /* no proximity leaf in the pledge's request */
	bool tampered_pvr;
	bool ee_only;		     /* the registrar sends its own certificate alone */
	const struct identity *also; /* a further certificate in the registrar's container */
	bool no_idevid;		 /* in COSE: the registrar leaves the pledge's certificates out */
	const char *garbage_pvr; /* this instead of a pledge's request */
	void (*change_pvr)(struct world *w, struct voucher *v);
	void (*change_rvr)(struct world *w, struct voucher *v);
};

FIXTURE void set_text(char **to, const char *given, const char *usual)
{
	const char *text = given ? given : usual;

	*to = *text ? strdup(text) : NULL;
}

FIXTURE void set_octets(struct buf *to, struct bytes octets)
{
	OK(buf_append(to, octets.data, octets.len, e));
}

FIXTURE const struct identity *either(const struct identity *a, const struct identity *b)
{
	return a ? a : b;
}

FIXTURE bool in_cose(const struct world *w)
{
	return strcmp(w->format->name, "cose") == 0;
}

FIXTURE void use_cose(struct world *w)
{
	w->format = voucher_format_by_media_type("application/voucher+cose");
	assert_non_null(w->format);
}

FIXTURE void make_pvr(struct world *w, const struct ask *a, struct buf *out)
{
	VOUCHER_AUTO struct voucher v;
	const struct identity *device = either(a->device, &w->device);
	const struct identity *seen = either(a->seen, either(a->registrar, &w->registrar));

	voucher_init(&v, VOUCHER_REQUEST);
	if (a->garbage_pvr) {
		set_octets(out, bytes_of_str(a->garbage_pvr));
		return;
	}
	v.assertion = ASSERTION_PROXIMITY;
	v.has_created_on = true;
	v.created_on = NOW;
	set_text(&v.serial_number, a->pvr_serial, cert_serial_number(device->cert));
	set_text(&v.nonce, a->pvr_nonce, NONCE);
	if (!a->no_proximity)
		set_octets(&v.proximity_registrar_cert, cert_der(seen->cert));
	if (a->change_pvr)
		a->change_pvr(w, &v);
	OK(w->format->seal(&v, device, &device->chain, NOW, out, e));
	if (a->tampered_pvr)
		out->data[out->len - 5] ^= 1;
}

FIXTURE void make_rvr(struct world *w, const struct ask *a, struct buf *out)
{
	VOUCHER_AUTO struct voucher v;
	CERT_LIST_AUTO struct cert_list certs = CERT_LIST_INIT;
	const struct identity *registrar = either(a->registrar, &w->registrar);
	const struct identity *device = either(a->device, &w->device);

	buf_init(out, CMS_DER_MAX);
	voucher_init(&v, VOUCHER_REQUEST);
	v.has_created_on = true;
	v.created_on = NOW;
	set_text(&v.serial_number, a->rvr_serial, cert_serial_number(device->cert));
	set_text(&v.nonce, a->rvr_nonce, NONCE);
	OK(idevid_issuer(device->cert, &v.idevid_issuer, e));
	if (!a->no_pvr)
		make_pvr(w, a, &v.prior_signed_voucher_request);
	if (a->change_rvr)
		a->change_rvr(w, &v);
	for (size_t i = 0; i < registrar->chain.count && !a->ee_only; i++)
		OK(cert_list_add(&certs, registrar->chain.items[i], e));
	if (a->also)
		OK(cert_list_add(&certs, a->also->cert, e));
	if (in_cose(w) && !a->no_pvr && !a->no_idevid) {
		OK(cert_list_add(&certs, device->cert, e));
		for (size_t i = 0; i < device->chain.count; i++)
			OK(cert_list_add(&certs, device->chain.items[i], e));
	}
	OK(w->format->seal(&v, registrar, &certs, NOW, out, e));
}

/* Append a list by `issuer`, signed by `signer`, that names `revoked` (NULL: nobody). */
FIXTURE void write_crl(const char *path, const struct identity *issuer,
	const struct identity *signer, const struct identity *revoked)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *at = ASN1_TIME_set(NULL, NOW);
	FILE *out = fopen(path, "a");

	assert_true(X509_CRL_set_version(crl, 1));
	assert_true(X509_CRL_set_issuer_name(crl, X509_get_subject_name(cert_x509(issuer->cert))));
	assert_true(X509_CRL_set1_lastUpdate(crl, at));
	assert_true(X509_CRL_set1_nextUpdate(crl, at));
	if (revoked) {
		X509_REVOKED *r = X509_REVOKED_new();

		assert_true(X509_REVOKED_set_serialNumber(
			r, X509_get_serialNumber(cert_x509(revoked->cert))));
		assert_true(X509_REVOKED_set_revocationDate(r, at));
		assert_true(X509_CRL_add0_revoked(crl, r));
	}
	assert_true(X509_CRL_sort(crl));
	assert_true(X509_CRL_sign(crl, key_evp(signer->key), EVP_sha256()) > 0);
	assert_true(PEM_write_X509_CRL(out, crl));
	fclose(out);
	ASN1_TIME_free(at);
	X509_CRL_free(crl);
}

#endif
