/* SPDX-License-Identifier: Apache-2.0 */
/* A manufacturer with a device and a MASA, and a site with a registrar, for the pledge's tests. */
#ifndef TESTS_PLEDGE_FIXTURE_H
#define TESTS_PLEDGE_FIXTURE_H

#include "common/message/voucher_format.h"
#include "common/pki/chain.h"
#include "tests/unit/https_peer.h"

#define FIXTURE_SERIAL "SN-4711"

struct fixture {
	struct peer_identity maker, masa_key, device_key, other_maker, other_masa_key;
	struct peer_identity root, sub, ee, renewed, other_root;
	struct identity idevid, masa, other_masa;
	struct anchors *masa_anchors;
	struct cert *root_cert, *sub_cert, *ee_cert, *renewed_cert, *other_root_cert;
	struct cert_list server_chain; /* ee, sub */
};

PEER_HELPER struct cert *fixture_cert(X509 *x)
{
	struct err e = ERR_INIT;
	struct cert *c = cert_from_x509(x, &e);

	if (!c)
		abort();
	return c;
}

/* Through PEM files, as the program gets its identity. */
PEER_HELPER void fixture_identity(
	struct identity *out, const struct peer_identity *from, X509 *issuer)
{
	char key_path[] = "/tmp/pledge_key.XXXXXX", cert_path[] = "/tmp/pledge_crt.XXXXXX";
	struct err e = ERR_INIT;

	close(mkstemp(key_path));
	close(mkstemp(cert_path));
	peer_write_pem(key_path, NULL, NULL, from->key);
	peer_write_pem(cert_path, from->cert, issuer, NULL);
	if (!identity_load(out, key_path, cert_path, &e))
		abort();
	unlink(key_path);
	unlink(cert_path);
}

PEER_HELPER struct anchors *fixture_anchors(struct cert *c)
{
	CERT_LIST_AUTO struct cert_list list = CERT_LIST_INIT;
	struct err e = ERR_INIT;
	struct anchors *a = NULL;

	if (cert_list_add(&list, c, &e))
		a = anchors_new(&list, &e);
	if (!a)
		abort();
	return a;
}

PEER_HELPER void fixture_make_maker(struct fixture *f)
{
	CERT_AUTO struct cert *maker = NULL;

	f->maker = peer_identity_make(&(struct peer_cert_wish){.cn = "Maker", .ca = true});
	f->other_maker = peer_identity_make(&(struct peer_cert_wish){.cn = "Stranger", .ca = true});
	f->masa_key =
		peer_identity_make(&(struct peer_cert_wish){.cn = "MASA", .issuer = &f->maker});
	f->other_masa_key = peer_identity_make(
		&(struct peer_cert_wish){.cn = "MASA", .issuer = &f->other_maker});
	f->device_key = peer_identity_make(&(struct peer_cert_wish){
		.cn = "device", .serial_number = FIXTURE_SERIAL, .issuer = &f->maker});
	fixture_identity(&f->idevid, &f->device_key, f->maker.cert);
	fixture_identity(&f->masa, &f->masa_key, f->maker.cert);
	fixture_identity(&f->other_masa, &f->other_masa_key, f->other_maker.cert);
	maker = fixture_cert(f->maker.cert);
	f->masa_anchors = fixture_anchors(maker);
}

PEER_HELPER void fixture_make_site(struct fixture *f)
{
	struct err e = ERR_INIT;

	f->root = peer_identity_make(&(struct peer_cert_wish){
		.cn = "Site root", .ca = true, .from_s = -3600, .until_s = 100 * 86400});
	f->other_root =
		peer_identity_make(&(struct peer_cert_wish){.cn = "Other site", .ca = true});
	f->sub = peer_identity_make(&(struct peer_cert_wish){.cn = "Site CA",
		.ca = true,
		.issuer = &f->root,
		.from_s = -3600,
		.until_s = 100 * 86400});
	f->ee = peer_identity_make(&(struct peer_cert_wish){.cn = "registrar",
		.san = "DNS:localhost,IP:127.0.0.1",
		.eku = "1.3.6.1.5.5.7.3.28,serverAuth",
		.issuer = &f->sub});
	f->renewed = peer_identity_make(&(struct peer_cert_wish){
		.cn = "registrar", .issuer = &f->other_root, .key = f->ee.key});
	f->root_cert = fixture_cert(f->root.cert);
	f->sub_cert = fixture_cert(f->sub.cert);
	f->ee_cert = fixture_cert(f->ee.cert);
	f->renewed_cert = fixture_cert(f->renewed.cert);
	f->other_root_cert = fixture_cert(f->other_root.cert);
	if (!cert_list_add(&f->server_chain, f->ee_cert, &e) ||
		!cert_list_add(&f->server_chain, f->sub_cert, &e))
		abort();
}

PEER_HELPER void fixture_init(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	fixture_make_maker(f);
	fixture_make_site(f);
}

PEER_HELPER void fixture_clear(struct fixture *f)
{
	struct peer_identity *all[] = {&f->maker, &f->masa_key, &f->device_key, &f->other_maker,
		&f->other_masa_key, &f->root, &f->sub, &f->ee, &f->renewed, &f->other_root};
	struct cert *certs[] = {
		f->root_cert, f->sub_cert, f->ee_cert, f->renewed_cert, f->other_root_cert};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		peer_identity_free(all[i]);
	for (size_t i = 0; i < sizeof(certs) / sizeof(*certs); i++)
		cert_free(certs[i]);
	identity_clear(&f->idevid);
	identity_clear(&f->masa);
	identity_clear(&f->other_masa);
	anchors_free(f->masa_anchors);
	cert_list_clear(&f->server_chain);
}

PEER_HELPER void fixture_put(struct buf *to, struct bytes octets)
{
	struct err e = ERR_INIT;

	buf_clear(to);
	if (!buf_append(to, octets.data, octets.len, &e))
		abort();
}

PEER_HELPER void fixture_set(char **to, const char *text)
{
	free(*to);
	*to = text ? strdup(text) : NULL;
}

/* What a MASA answers to a request with this nonce. */
PEER_HELPER void fixture_voucher(
	const struct fixture *f, struct voucher *v, const char *nonce, int64_t now)
{
	voucher_init(v, VOUCHER);
	v->has_created_on = true;
	v->created_on = now;
	v->assertion = ASSERTION_PROXIMITY;
	fixture_set(&v->serial_number, FIXTURE_SERIAL);
	fixture_set(&v->nonce, nonce);
	fixture_put(&v->pinned_domain_cert, cert_der(f->root_cert));
}

PEER_HELPER void fixture_seal(
	const struct voucher *v, const struct identity *signer, int64_t now, struct buf *out)
{
	struct err e = ERR_INIT;

	if (!voucher_format_by_media_type("application/voucher-cms+json")
			->seal(v, signer, &signer->chain, now, out, &e)) {
		fprintf(stderr, "%s\n", e.text);
		abort();
	}
}

#endif
