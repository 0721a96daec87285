/* SPDX-License-Identifier: Apache-2.0 */
/* A site and a manufacturer for the registrar's tests: domain root, issuing CA and registrar;
 * manufacturer root, MASA signer and one IDevID. */
#ifndef TESTS_REGISTRAR_FIXTURE_H
#define TESTS_REGISTRAR_FIXTURE_H

#include <stdlib.h>

#include "common/pki/chain.h"
#include "registrar/domain.h"
#include "tests/unit/identity_fixture.h"

#define FIXTURE_SERIAL "SN-1"
#define FIXTURE_NONCE  "bm9uY2Ugb2YgdGhlIHBsZWRnZQ=="
#define FIXTURE_NOW    1790000000 /* 2026 */

struct fixture_issuer {
	struct key *key;
	X509 *x509;
	struct cert *cert;
};

struct site {
	struct fixture_issuer root, issuing, maker, stranger;
	struct identity registrar, masa, idevid;
	struct cert_list ca_certs;
	struct domain domain;
	struct anchors *maker_anchors;
};

static inline void fixture_issue(
	struct fixture_issuer *out, const char *cn, const struct fixture_issuer *by, bool ca)
{
	struct err e = ERR_INIT;
	struct recipe r = {.cn = cn, .ext = {{"subjectKeyIdentifier", "hash"}}};

	if (ca)
		r.ext[1][0] = "basicConstraints", r.ext[1][1] = "critical,CA:TRUE";
	out->key = key_generate(KEY_EC_P256, &e);
	assert_non_null(out->key);
	r.key = key_evp(out->key);
	if (by) {
		r.issuer = by->x509;
		r.issuer_key = key_evp(by->key);
	}
	out->x509 = fixture_x509(&r);
	out->cert = cert_from_x509(out->x509, &e);
	assert_non_null(out->cert);
}

static inline void fixture_leaf(struct identity *out, const struct recipe *recipe,
	const struct fixture_issuer *by, bool send_issuer)
{
	struct err e = ERR_INIT;
	struct recipe r = *recipe;

	*out = (struct identity){.key = key_generate(KEY_EC_P256, &e)};
	assert_non_null(out->key);
	r.key = key_evp(out->key);
	r.issuer = by->x509;
	r.issuer_key = key_evp(by->key);
	out->cert = fixture_cert(&r);
	if (send_issuer)
		MUST(cert_list_add(&out->chain, by->cert, &e));
}

static inline struct anchors *fixture_anchors(struct cert *c)
{
	struct cert *items[1] = {c};
	const struct cert_list list = {items, 1};
	struct err e = ERR_INIT;
	struct anchors *a = anchors_new(&list, &e);

	assert_non_null(a);
	return a;
}

static inline void site_init(struct site *s)
{
	const struct recipe registrar = {.cn = "Registrar",
		.ext = {{"subjectKeyIdentifier", "hash"},
			{"extendedKeyUsage", "1.3.6.1.5.5.7.3.28,serverAuth,clientAuth"}}};
	const struct recipe masa = {.cn = "MASA"};
	const struct recipe idevid = {.cn = "Device",
		.serial_number = FIXTURE_SERIAL,
		.ext = {{"authorityKeyIdentifier", "keyid"}}};
	struct err e = ERR_INIT;

	memset(s, 0, sizeof(*s));
	fixture_issue(&s->root, "Site root", NULL, true);
	fixture_issue(&s->issuing, "Site issuing", &s->root, true);
	fixture_issue(&s->maker, "Maker root", NULL, true);
	fixture_issue(&s->stranger, "Stranger", NULL, true);
	fixture_leaf(&s->registrar, &registrar, &s->issuing, true);
	fixture_leaf(&s->masa, &masa, &s->maker, false);
	fixture_leaf(&s->idevid, &idevid, &s->maker, false);
	MUST(cert_list_add(&s->ca_certs, s->issuing.cert, &e));
	MUST(cert_list_add(&s->ca_certs, s->root.cert, &e));
	MUST(domain_init(&s->domain, &s->registrar, &s->ca_certs, &e));
	s->maker_anchors = fixture_anchors(s->maker.cert);
}

static inline void fixture_issuer_clear(struct fixture_issuer *i)
{
	key_free(i->key);
	X509_free(i->x509);
	cert_free(i->cert);
}

static inline void site_clear(struct site *s)
{
	anchors_free(s->maker_anchors);
	cert_list_clear(&s->ca_certs);
	identity_clear(&s->registrar);
	identity_clear(&s->masa);
	identity_clear(&s->idevid);
	fixture_issuer_clear(&s->root);
	fixture_issuer_clear(&s->issuing);
	fixture_issuer_clear(&s->maker);
	fixture_issuer_clear(&s->stranger);
}

static inline int site_set_up(void **state)
{
	struct site *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	site_init(s);
	*state = s;
	return 0;
}

static inline int site_tear_down(void **state)
{
	site_clear(*state);
	free(*state);
	return 0;
}

#endif
