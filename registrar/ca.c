/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in issuing CA and the two things EST clients ask of it beforehand: its certificates and
 * what it wants to see in a CSR (RFC 7030 §4.1, §4.5). Immutable once open. */
#include "registrar/ca.h"

#include <stdlib.h>
#include <string.h>

#include "common/pki/digest.h"
#include "common/pki/issue.h"
#include "common/pki/pkcs7_certs.h"
#include "registrar/ca_order.h"

#define DAY_S	 86400
#define MINUTE_S 60

struct ca {
	enum ca_slot slot;
	struct identity identity; /* without a key when there is a: */
	char *fault;		  /* or NULL */
	uint8_t key_sha256[SHA256_LEN];
	struct cert_list certs;
	struct cert_list twin; /* the other's certificate first; empty: there is none */
	int64_t ldevid_s, crl_s, ocsp_s;
	char *crl_url, *ocsp_url; /* or NULL */
	bool signs_crls;
	struct buf certs_pkcs7, certs_multipart;
	bool one_path; /* all of certs lead from the issuing CA to one root */
	struct buf csrattrs_der;
	struct csrattrs csrattrs;
};

const char *ca_slot_name(enum ca_slot slot)
{
	static const char *const names[CA_SLOT_COUNT] = {"primary", "standby"};

	return names[slot];
}

/* What a slot is configured with. */
struct ca_files {
	const char *key, *certificate, *crl_url, *crl_file, *ocsp_url;
};

static struct ca_files files_of(const struct registrar_config *c, enum ca_slot slot)
{
	return slot == CA_PRIMARY
		       ? (struct ca_files){c->ca_key, c->ca_certificate, c->crl_url, c->crl_file,
				 c->ocsp_url}
		       : (struct ca_files){c->standby_key, c->standby_certificate,
				 c->standby_crl_url, c->standby_crl_file, c->standby_ocsp_url};
}

static bool has_key_of_root(const struct cert_list *certs, const struct cert *c)
{
	for (size_t i = 0; i < certs->count; i++)
		if (cert_is_self_signed(certs->items[i]) && cert_same_key(certs->items[i], c))
			return true;
	return false;
}

static bool is_signed_by_other_root(const struct cert_list *certs, const struct cert *c)
{
	for (size_t i = 0; i < certs->count; i++) {
		struct err not_this_one = ERR_INIT;

		if (cert_is_self_signed(certs->items[i]) && !cert_same_key(certs->items[i], c) &&
			cert_signed_by(c, certs->items[i], &not_this_one))
			return true;
	}
	return false;
}

/* A root's key certified by another root, both among what devices get (RFC 7030 §4.1.3, RFC 4210
 * §4.4): whoever trusts either gets from it to the other. */
static bool check_rollover(const struct ca *ca, const struct cert_list *rollover, struct err *e)
{
	for (size_t i = 0; i < rollover->count; i++) {
		const struct cert *c = rollover->items[i];

		if (!cert_is_ca(c))
			return err_set(
				e, ERR_INPUT, "\"%s\" is no CA certificate", cert_subject(c));
		if (!cert_is_self_signed(c) &&
			!(has_key_of_root(&ca->certs, c) && is_signed_by_other_root(&ca->certs, c)))
			return err_set(e, ERR_INPUT,
				"\"%s\" is neither a root nor the key of a root in `chain` that "
				"another root there has certified",
				cert_subject(c));
	}
	return true;
}

/* The other CA behind the chain of this one, what is needed for a change of the root last. */
static bool load_certs(struct ca *ca, const struct registrar_config *c, struct err *e)
{
	CERT_LIST_AUTO struct cert_list further = CERT_LIST_INIT, rollover = CERT_LIST_INIT;
	const struct ca_files twin = files_of(c, ca->slot == CA_PRIMARY ? CA_STANDBY : CA_PRIMARY);

	if (c->ca_chain && !cert_list_load(c->ca_chain, &further, e))
		return err_prefix(e, "chain");
	if (twin.certificate && !cert_list_load(twin.certificate, &ca->twin, e))
		return false;
	if (c->ca_rollover && !cert_list_load(c->ca_rollover, &rollover, e))
		return err_prefix(e, "rollover");
	return cert_list_add(&ca->certs, ca->identity.cert, e) &&
	       cert_list_merge(&ca->certs, &ca->identity.chain, e) &&
	       cert_list_merge(&ca->certs, &further, e) &&
	       cert_list_merge(&ca->certs, &ca->twin, e) &&
	       cert_list_merge(&ca->certs, &rollover, e) &&
	       (check_rollover(ca, &rollover, e) || err_prefix(e, "rollover"));
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
	return anchors && (chain_verify(anchors, ca->identity.cert, &ca->certs, now, NULL, e) ||
				  err_prefix(e, "no valid path to a root in `chain`"));
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

static bool take_url(const char *url, const char *option, char **out, struct err *e)
{
	struct uri uri;

	if (!url)
		return true;
	if (!uri_parse_web(url, &uri, e))
		return err_prefix(e, "%s", option);
	*out = str_dup(url, e);
	return *out != NULL;
}

/* A CA that may not sign lists is fine as long as nobody is told to look for one. */
static bool check_crl(struct ca *ca, const struct ca_files *c, struct err *e)
{
	struct err unfit = ERR_INIT;

	ca->signs_crls = crl_issuer_fits(ca->identity.cert, &unfit);
	if (!ca->signs_crls && (c->crl_url || c->crl_file || unfit.kind == ERR_NO_MEMORY)) {
		*e = unfit;
		return err_prefix(e, c->crl_url ? "crl_url" : "crl_file");
	}
	return take_url(c->crl_url, "crl_url", &ca->crl_url, e);
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

/* Its certificate stands in /cacerts and signs nothing any more, but another can take over. */
static bool load_without_key(struct ca *ca, const char *certificate, struct err *e)
{
	CERT_LIST_AUTO struct cert_list certs = CERT_LIST_INIT;

	identity_clear(&ca->identity);
	if (!cert_list_load(certificate, &certs, e))
		return false;
	ca->identity.cert = cert_ref(certs.items[0]);
	return cert_list_merge(&ca->identity.chain, &certs, e);
}

static bool load_identity(
	struct ca *ca, const struct ca_files *f, bool alone, int64_t now, struct err *e)
{
	if (identity_load(&ca->identity, f->key, f->certificate, e) &&
		check_ca_cert(ca->identity.cert, now, e))
		return true;
	if (alone || e->kind == ERR_NO_MEMORY)
		return false;
	ca->fault = str_dup(e->text, e);
	*e = (struct err)ERR_INIT;
	return ca->fault && load_without_key(ca, f->certificate, e);
}

/* Relying parties tell their revocation lists apart by name. */
static bool check_twin(const struct ca *ca, struct err *e)
{
	const struct cert *own = ca->identity.cert,
			  *twin = ca->twin.count ? ca->twin.items[0] : NULL;

	if (twin && bytes_equal(cert_subject_der(own), cert_subject_der(twin)))
		return err_set(e, ERR_INPUT,
			"standby_certificate: it has the name of the other CA, \"%s\"",
			cert_subject(own));
	return true;
}

static bool load_all(struct ca *ca, const struct registrar_config *c, int64_t now, struct err *e)
{
	const struct ca_files f = files_of(c, ca->slot);

	if (!load_identity(ca, &f, !c->standby_certificate, now, e) || !load_certs(ca, c, e) ||
		!check_twin(ca, e) || (!ca->fault && !check_root(ca, now, e)) ||
		!check_crl(ca, &f, e) || !take_url(f.ocsp_url, "ocsp_url", &ca->ocsp_url, e) ||
		!digest_sha256(cert_spki(ca->identity.cert), ca->key_sha256, e) ||
		!pkcs7_certs_format(&ca->certs, &ca->certs_pkcs7, e) ||
		!put_in_order(ca, (size_t)c->coaps_cacerts_max, e))
		return err_prefix(e, ca->slot == CA_PRIMARY ? "[ca]" : "[ca] standby");
	return load_csrattrs(ca, c->csrattrs, e);
}

static struct ca *ca_open(
	const struct registrar_config *c, enum ca_slot slot, int64_t now, struct err *e)
{
	struct ca *ca = mem_new(sizeof(*ca), e);

	if (!ca)
		return NULL;
	ca->slot = slot;
	ca->ldevid_s = c->ldevid_days * DAY_S;
	ca->crl_s = c->crl_days * DAY_S;
	ca->ocsp_s = c->ocsp_minutes * MINUTE_S;
	buf_init(&ca->certs_pkcs7, PKCS7_CERTS_DER_MAX);
	buf_init(&ca->certs_multipart, PKCS7_CERTS_DER_MAX);
	buf_init(&ca->csrattrs_der, CSRATTRS_DER_MAX);
	buf_init(&ca->csrattrs.der, CSRATTRS_DER_MAX);
	if (load_all(ca, c, now, e))
		return ca;
	ca_free(ca);
	return NULL;
}

bool ca_open_all(
	const struct registrar_config *c, int64_t now, struct ca *out[CA_SLOT_COUNT], struct err *e)
{
	const struct ca *primary, *standby;

	out[CA_PRIMARY] = ca_open(c, CA_PRIMARY, now, e);
	if (!out[CA_PRIMARY])
		return false;
	if (!c->standby_certificate)
		return true;
	out[CA_STANDBY] = ca_open(c, CA_STANDBY, now, e);
	if (!out[CA_STANDBY])
		return false;
	primary = out[CA_PRIMARY];
	standby = out[CA_STANDBY];
	return !primary->fault || !standby->fault ||
	       err_set(e, ERR_INPUT, "[ca] neither can be used: %s; %s", primary->fault,
		       standby->fault);
}

const char *ca_fault(const struct ca *ca)
{
	return ca->fault;
}

const struct cert *ca_cert(const struct ca *ca)
{
	return ca->identity.cert;
}

const uint8_t *ca_key_sha256(const struct ca *ca)
{
	return ca->key_sha256;
}

void ca_free(struct ca *ca)
{
	if (!ca)
		return;
	identity_clear(&ca->identity);
	cert_list_clear(&ca->certs);
	cert_list_clear(&ca->twin);
	free(ca->fault);
	buf_clear(&ca->certs_pkcs7);
	buf_clear(&ca->certs_multipart);
	buf_clear(&ca->csrattrs_der);
	csrattrs_clear(&ca->csrattrs);
	free(ca->crl_url);
	free(ca->ocsp_url);
	free(ca);
}

static bool is_valid_at(const struct ca *ca, int64_t now, struct err *e)
{
	const struct cert *own = ca->identity.cert;

	if (ca->fault)
		return err_set(e, ERR_RETRY_LATER,
			"the %s issuing CA cannot be used: %s (registrarctl ca switch)",
			ca_slot_name(ca->slot), ca->fault);
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
		.ocsp_url = ca->ocsp_url,
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

bool ca_answer_ocsp(struct ca *ca, const struct ocsp_request *request,
	const struct ocsp_standing *standings, int64_t now, struct buf *out, int64_t *next_update,
	struct err *e)
{
	struct ocsp_answer answer = {
		.request = request,
		.standings = standings,
		.signer = &ca->identity,
		.this_update = now,
		.next_update = now + ca->ocsp_s,
	};

	if (answer.next_update > ca_not_after(ca))
		answer.next_update = ca_not_after(ca);
	*next_update = answer.next_update;
	return is_valid_at(ca, now, e) && ocsp_answer_make(&answer, out, e);
}

bool ca_may_have_issued(const struct ca *ca, const struct cert *c)
{
	return bytes_equal(cert_issuer_der(c), cert_subject_der(ca->identity.cert)) ||
	       (ca->twin.count &&
		       bytes_equal(cert_issuer_der(c), cert_subject_der(ca->twin.items[0])));
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
