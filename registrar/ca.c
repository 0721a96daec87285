/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in issuing CA and the two things EST clients ask of it beforehand: its certificates and
 * what it wants to see in a CSR (RFC 7030 §4.1, §4.5). Immutable once open. */
#include "registrar/ca.h"

#include <stdlib.h>
#include <string.h>

#include "common/pki/issue.h"
#include "common/pki/pkcs7_certs.h"
#include "registrar/ca_order.h"

#define DAY_S 86400

struct ca {
	struct identity identity;
	struct cert_list certs;
	int64_t ldevid_s, crl_s;
	char *crl_url; /* or NULL */
	bool signs_crls;
	struct buf certs_pkcs7, certs_multipart;
	bool one_path; /* all of certs lead from the issuing CA to one root */
	struct buf csrattrs_der;
	struct csrattrs csrattrs;
};

static bool load_certs(struct ca *ca, const char *chain_path, struct err *e)
{
	CERT_LIST_AUTO struct cert_list further = CERT_LIST_INIT;

	if (chain_path && !cert_list_load(chain_path, &further, e))
		return err_prefix(e, "chain");
	return cert_list_add(&ca->certs, ca->identity.cert, e) &&
	       cert_list_merge(&ca->certs, &ca->identity.chain, e) &&
	       cert_list_merge(&ca->certs, &further, e);
}

static bool check_ca_cert(const struct cert *c, int64_t now, struct err *e)
{
	if (!cert_is_ca(c))
		return err_set(e, ERR_INPUT, "\"%s\" is no CA certificate", cert_subject(c));
	if (cert_not_after(c) <= now)
		return err_set(e, ERR_INPUT, "\"%s\" is expired", cert_subject(c));
	if (cert_not_before(c) > now)
		return err_set(e, ERR_INPUT, "\"%s\" is not valid yet", cert_subject(c));
	return true;
}

/* Every device has to build a path from its certificate to a root with what /cacerts gives it. */
static bool check_root(const struct ca *ca, int64_t now, struct err *e)
{
	CERT_LIST_AUTO struct cert_list roots = CERT_LIST_INIT;
	ANCHORS_AUTO struct anchors *anchors = NULL;

	for (size_t i = 0; i < ca->certs.count; i++)
		if (cert_is_self_signed(ca->certs.items[i]) &&
			!cert_list_add(&roots, ca->certs.items[i], e))
			return false;
	if (roots.count == 0)
		return err_set(e, ERR_INPUT,
			"no self-signed root in `certificate` and `chain`: devices could not "
			"build a path");
	anchors = anchors_new(&roots, e);
	return anchors && chain_verify(anchors, ca->identity.cert, &ca->certs, now, NULL, e);
}

static bool load_csrattrs(struct ca *ca, const char *words, struct err *e)
{
	if (!words || !*words)
		return true;
	if (!csrattrs_format(words, &ca->csrattrs_der, e) ||
		!csrattrs_parse(buf_bytes(&ca->csrattrs_der), &ca->csrattrs, e))
		return err_prefix(e, "[est] csrattrs");
	return true;
}

/* A CA that may not sign lists is fine as long as nobody is told to look for one. */
static bool check_crl(struct ca *ca, const struct registrar_config *c, struct err *e)
{
	struct err unfit = ERR_INIT;
	struct uri uri;

	ca->signs_crls = crl_issuer_fits(ca->identity.cert, &unfit);
	if (!ca->signs_crls && (c->crl_url || c->crl_file || unfit.kind == ERR_NO_MEMORY)) {
		*e = unfit;
		return err_prefix(e, c->crl_url ? "crl_url" : "crl_file");
	}
	if (!c->crl_url)
		return true;
	if (!uri_parse_web(c->crl_url, &uri, e))
		return err_prefix(e, "crl_url");
	ca->crl_url = str_dup(c->crl_url, e);
	return ca->crl_url != NULL;
}

static bool put_in_order(struct ca *ca, size_t certs_max, struct err *e)
{
	CERT_LIST_AUTO struct cert_list ordered = CERT_LIST_INIT;
	size_t on_path;

	if (!ca_order(&ca->certs, &ordered, &on_path, e))
		return false;
	ca->one_path = on_path == ordered.count;
	return ca_order_multipart(&ordered, certs_max, &ca->certs_multipart, e);
}

static bool load_all(struct ca *ca, const struct registrar_config *c, int64_t now, struct err *e)
{
	if (!identity_load(&ca->identity, c->ca_key, c->ca_certificate, e) ||
		!check_ca_cert(ca->identity.cert, now, e) || !load_certs(ca, c->ca_chain, e) ||
		!check_root(ca, now, e) || !check_crl(ca, c, e) ||
		!pkcs7_certs_format(&ca->certs, &ca->certs_pkcs7, e) ||
		!put_in_order(ca, (size_t)c->coaps_cacerts_max, e))
		return err_prefix(e, "[ca]");
	return load_csrattrs(ca, c->csrattrs, e);
}

struct ca *ca_open(const struct registrar_config *c, int64_t now, struct err *e)
{
	struct ca *ca = mem_new(sizeof(*ca), e);

	if (!ca)
		return NULL;
	ca->ldevid_s = c->ldevid_days * DAY_S;
	ca->crl_s = c->crl_days * DAY_S;
	buf_init(&ca->certs_pkcs7, PKCS7_CERTS_DER_MAX);
	buf_init(&ca->certs_multipart, PKCS7_CERTS_DER_MAX);
	buf_init(&ca->csrattrs_der, CSRATTRS_DER_MAX);
	buf_init(&ca->csrattrs.der, CSRATTRS_DER_MAX);
	if (load_all(ca, c, now, e))
		return ca;
	ca_free(ca);
	return NULL;
}

void ca_free(struct ca *ca)
{
	if (!ca)
		return;
	identity_clear(&ca->identity);
	cert_list_clear(&ca->certs);
	buf_clear(&ca->certs_pkcs7);
	buf_clear(&ca->certs_multipart);
	buf_clear(&ca->csrattrs_der);
	csrattrs_clear(&ca->csrattrs);
	free(ca->crl_url);
	free(ca);
}

static bool is_valid_at(const struct ca *ca, int64_t now, struct err *e)
{
	const struct cert *own = ca->identity.cert;

	if (cert_not_after(own) > now && cert_not_before(own) <= now)
		return true;
	return err_set(e, ERR_RETRY_LATER, "the issuing CA is %s at this time",
		cert_not_before(own) > now ? "not valid yet" : "expired");
}

struct cert *ca_issue_ldevid(
	struct ca *ca, const struct ldevid_wish *wish, int64_t now, struct err *e)
{
	const struct issue_request request = {
		.profile = PROFILE_LDEVID,
		.issuer = &ca->identity,
		.spki = wish->spki,
		.subject_der = wish->subject_der,
		.san_der = wish->san_der,
		.crl_url = ca->crl_url,
		.not_before = now - LDEVID_BACKDATE_S,
		.not_after = now + ca->ldevid_s,
	};

	return is_valid_at(ca, now, e) ? issue_certificate(&request, e) : NULL;
}

struct bytes ca_crl_issuer(const struct ca *ca)
{
	return ca->signs_crls ? cert_ski(ca->identity.cert) : (struct bytes){0};
}

bool ca_issue_crl(struct ca *ca, const struct crl_wish *wish, int64_t now, struct buf *out,
	int64_t *next_update, struct err *e)
{
	struct crl_request request = {
		.issuer = &ca->identity,
		.number = wish->number,
		.this_update = now,
		.next_update = now + ca->crl_s,
		.entries = wish->entries,
		.entry_count = wish->entry_count,
	};

	if (request.next_update > ca_not_after(ca))
		request.next_update = ca_not_after(ca);
	*next_update = request.next_update;
	return is_valid_at(ca, now, e) && crl_make(&request, out, e);
}

bool ca_may_have_issued(const struct ca *ca, const struct cert *c)
{
	return bytes_equal(cert_issuer_der(c), cert_subject_der(ca->identity.cert));
}

bool ca_or_predecessor_may_have_issued(const struct ca *ca, const struct cert *c)
{
	for (size_t i = 0; i < ca->certs.count; i++)
		if (bytes_equal(cert_issuer_der(c), cert_subject_der(ca->certs.items[i])))
			return true;
	return false;
}

const struct cert_list *ca_certs(const struct ca *ca)
{
	return &ca->certs;
}

int64_t ca_not_after(const struct ca *ca)
{
	return cert_not_after(ca->identity.cert);
}

struct bytes ca_certs_pkcs7(const struct ca *ca)
{
	return buf_bytes(&ca->certs_pkcs7);
}

struct bytes ca_certs_multipart(const struct ca *ca)
{
	return buf_bytes(&ca->certs_multipart);
}

struct bytes ca_certs_single(const struct ca *ca)
{
	return ca->one_path ? cert_der(ca->identity.cert) : (struct bytes){0};
}

const struct csrattrs *ca_csrattrs(const struct ca *ca)
{
	return &ca->csrattrs;
}

struct bytes ca_csrattrs_der(const struct ca *ca)
{
	return buf_bytes(&ca->csrattrs_der);
}
