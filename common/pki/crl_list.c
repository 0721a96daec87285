/* SPDX-License-Identifier: Apache-2.0 */
/* Revocation lists from the network: see crl_list.h. */
#include "common/pki/crl_list.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/pki/chain.h"
#include "common/pki/extension.h"
#include "common/pki/oid.h"
#include "common/pki/ossl.h"
#include "common/wire/der.h"

#define OID_DELTA_CRL_INDICATOR OCTETS(0x55, 0x1d, 0x1b)
#define OID_ISSUING_POINT	OCTETS(0x55, 0x1d, 0x1c)
#define EXTENSIONS_TAG		DER_CONTEXT_CONSTRUCTED(0)
#define URI_TAG			DER_CONTEXT(6) /* of a GeneralName */
#define VERSION_2		1
#define ENTRY_LEN_MIN		20 /* a serial number of one octet, and a UTCTime */

struct crl_list {
	struct buf der; /* everything below points into it */
	int64_t this_update, next_update;
	struct bytes *serials; /* sorted */
	size_t count;
	bool only_users, only_cas;
	struct bytes names; /* of the issuing distribution point; len 0: for all points */
};

/* What verifying needs; gone afterwards. */
struct envelope {
	struct der_tlv tbs, algorithm, signature;
};

/* ---- its pieces ---- */

static bool read_envelope(struct bytes der, struct envelope *v, struct err *e)
{
	struct der all = der_of(der);
	struct der_tlv list;

	return der_expect(&all, DER_SEQUENCE, &list, "revocation list", e) &&
	       der_expect_end(&all, "revocation list", e) &&
	       der_expect(&list.content, DER_SEQUENCE, &v->tbs, "tbsCertList", e) &&
	       der_expect(&list.content, DER_SEQUENCE, &v->algorithm, "signatureAlgorithm", e) &&
	       der_expect(&list.content, DER_BIT_STRING, &v->signature, "signature", e) &&
	       der_expect_end(&list.content, "revocation list", e);
}

static bool is_time(const struct der *d)
{
	return d->len > 0 && (*d->p == DER_UTC_TIME || *d->p == DER_GENERALIZED_TIME);
}

static bool read_time(struct der *d, const char *what, int64_t *out, struct err *e)
{
	OSSL_AUTO(ASN1_TIME) ASN1_TIME *t = NULL;
	struct der_tlv tlv;
	const uint8_t *p;
	struct tm tm;

	if (!is_time(d))
		return err_set(e, ERR_INPUT, "no %s", what);
	if (!der_next(d, &tlv, e))
		return false;
	p = tlv.whole.data;
	t = d2i_ASN1_TIME(NULL, &p, (long)tlv.whole.len);
	if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
		return ossl_fail(e, ERR_INPUT, "%s is no time", what);
	*out = timegm(&tm);
	return true;
}

/* ---- what the list is about ---- */

static bool read_point_name(struct der_tlv *point, struct crl_list *l, struct err *e)
{
	struct der_tlv full;

	if (!der_expect(&point->content, DER_CONTEXT_CONSTRUCTED(0), &full, "fullName", e))
		return false;
	l->names = bytes_of(full.content.p, full.content.len);
	return der_expect_end(&point->content, "distributionPoint", e) &&
	       (l->names.len > 0 || err_set(e, ERR_INPUT, "fullName without a name"));
}

static bool read_flag(const struct der_tlv *t, bool *out, struct err *e)
{
	*out = t->content.len == 1 && *t->content.p == 0xff;
	return *out || err_set(e, ERR_INPUT, "a BOOLEAN that is not TRUE");
}

/* IssuingDistributionPoint, RFC 5280 §5.2.5. */
static bool read_issuing_point(struct bytes value, struct crl_list *l, struct err *e)
{
	struct der d = der_of(value);
	struct der_tlv all, t;
	bool ok = der_expect(&d, DER_SEQUENCE, &all, "issuingDistributionPoint", e) &&
		  der_expect_end(&d, "issuingDistributionPoint", e);

	while (ok && !der_at_end(&all.content)) {
		ok = der_next(&all.content, &t, e);
		if (!ok)
			break;
		if (t.tag == DER_CONTEXT_CONSTRUCTED(0))
			ok = read_point_name(&t, l, e);
		else if (t.tag == DER_CONTEXT(1))
			ok = read_flag(&t, &l->only_users, e);
		else if (t.tag == DER_CONTEXT(2))
			ok = read_flag(&t, &l->only_cas, e);
		else
			ok = err_set(e, ERR_INPUT, "indirect, or for some reasons only");
	}
	return ok;
}

static bool take_extension(const struct extension *x, struct crl_list *l, struct err *e)
{
	if (der_oid_is(&x->oid, (struct bytes)OID_DELTA_CRL_INDICATOR))
		return err_set(e, ERR_INPUT, "a delta, not a whole list");
	if (der_oid_is(&x->oid, (struct bytes)OID_ISSUING_POINT))
		return read_issuing_point(bytes_of(x->value.content.p, x->value.content.len), l, e);
	return !x->critical || err_set(e, ERR_INPUT, "a critical extension nobody knows");
}

static bool read_extensions(struct der *tbs, struct crl_list *l, struct err *e)
{
	struct der_tlv outer, all;
	struct extension x;
	bool present;

	if (!der_optional(tbs, EXTENSIONS_TAG, &outer, &present, e))
		return false;
	if (!present)
		return true;
	if (!der_expect(&outer.content, DER_SEQUENCE, &all, "crlExtensions", e) ||
		!der_expect_end(&outer.content, "crlExtensions", e))
		return false;
	while (!der_at_end(&all.content))
		if (!extension_next(&all.content, &x, e) || !take_extension(&x, l, e))
			return false;
	return true;
}

/* ---- who is revoked ---- */

/* Some CAs write serial numbers as their octets are, without the zero that keeps them positive. */
static struct bytes magnitude(struct bytes serial)
{
	while (serial.len > 1 && *serial.data == 0) {
		serial.data++;
		serial.len--;
	}
	return serial;
}

static int compare_serials(const void *a, const void *b)
{
	const struct bytes *x = a, *y = b;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return x->len ? memcmp(x->data, y->data, x->len) : 0;
}

/* An entry about another issuer's certificate, or with a condition nobody knows, would be critical
 * (RFC 5280 §5.3): such a list is not understood. */
static bool read_entry(struct der *entries, struct bytes *serial, struct err *e)
{
	struct der_tlv entry, number, time, extensions;
	struct extension x;
	bool present;

	if (!der_expect(entries, DER_SEQUENCE, &entry, "revoked certificate", e) ||
		!der_expect(&entry.content, DER_INTEGER, &number, "its serial number", e) ||
		!is_time(&entry.content) || !der_next(&entry.content, &time, e) ||
		!der_optional(&entry.content, DER_SEQUENCE, &extensions, &present, e) ||
		!der_expect_end(&entry.content, "revoked certificate", e))
		return e->kind != ERR_NONE ? false : err_set(e, ERR_INPUT, "no time of revocation");
	*serial = magnitude(bytes_of(number.content.p, number.content.len));
	while (present && !der_at_end(&extensions.content)) {
		if (!extension_next(&extensions.content, &x, e))
			return false;
		if (x.critical)
			return err_set(e, ERR_INPUT, "an entry with a critical extension");
	}
	return true;
}

static bool count_entries(struct der entries, size_t *out, struct err *e)
{
	struct der_tlv entry;

	for (*out = 0; !der_at_end(&entries); ++*out)
		if (!der_next(&entries, &entry, e))
			return false;
	return true;
}

static bool read_entries(struct der *tbs, struct crl_list *l, struct err *e)
{
	struct der_tlv all;
	bool present;
	size_t count;

	if (!der_optional(tbs, DER_SEQUENCE, &all, &present, e))
		return false;
	if (!present)
		return true;
	if (!count_entries(all.content, &count, e))
		return false;
	if (count > all.content.len / ENTRY_LEN_MIN) /* before room is made for them */
		return err_set(e, ERR_INPUT, "entries too short to be any");
	l->serials = mem_new((count + 1) * sizeof(*l->serials), e);
	if (!l->serials)
		return false;
	for (; l->count < count; l->count++)
		if (!read_entry(&all.content, &l->serials[l->count], e))
			return false;
	qsort(l->serials, l->count, sizeof(*l->serials), compare_serials);
	return true;
}

/* ---- the whole ---- */

static bool is_of(const struct envelope *v, const struct cert *issuer, struct err *e)
{
	struct bytes signature = bytes_of(v->signature.content.p, v->signature.content.len);
	X509 *x = cert_x509(issuer);

	if (!x)
		return err_set(e, ERR_NO_MEMORY, "no memory for a certificate");
	if (!(X509_get_key_usage(x) & KU_CRL_SIGN))
		return err_set(e, ERR_UNAUTHENTICATED, "%s may not sign revocation lists",
			cert_subject(issuer));
	if (signature.len < 2 || *signature.data != 0)
		return err_set(e, ERR_INPUT, "signature is not octets");
	signature.data++; /* the count of unused bits */
	signature.len--;
	return cert_verify(issuer, v->algorithm.whole, v->tbs.whole, signature, e);
}

/* The head of tbsCertList, up to the times. */
static bool read_head(struct der *tbs, const struct envelope *v, const struct cert *issuer,
	struct crl_list *l, struct err *e)
{
	struct der_tlv version, algorithm, name;
	uint32_t number = VERSION_2;
	bool present;

	if (!der_optional(tbs, DER_INTEGER, &version, &present, e) ||
		(present && !der_uint(&version, &number, e)) ||
		!der_expect(tbs, DER_SEQUENCE, &algorithm, "signature", e) ||
		!der_expect(tbs, DER_SEQUENCE, &name, "issuer", e))
		return false;
	if (number != VERSION_2)
		return err_set(e, ERR_INPUT, "version %u", number + 1);
	if (!bytes_equal(algorithm.whole, v->algorithm.whole))
		return err_set(e, ERR_INPUT, "two different signature algorithms");
	if (!bytes_equal(name.whole, cert_subject_der(issuer)))
		return err_set(e, ERR_UNAUTHENTICATED, "a list of another issuer than %s",
			cert_subject(issuer));
	return read_time(tbs, "thisUpdate", &l->this_update, e) &&
	       read_time(tbs, "nextUpdate", &l->next_update, e);
}

static bool is_of_this_time(const struct crl_list *l, int64_t now, struct err *e)
{
	if (now == CHAIN_NO_TIME)
		return true;
	if (l->this_update > now + CRL_LIST_SKEW_S)
		return err_set(e, ERR_UNAUTHENTICATED, "from the future");
	return now <= l->next_update ||
	       err_set(e, ERR_UNAUTHENTICATED, "expired: its next update is overdue");
}

/* The signature first: nothing that others wrote is walked through. */
static bool open_list(struct crl_list *l, const struct cert *issuer, int64_t now, struct err *e)
{
	struct envelope v;
	struct der tbs;

	if (!read_envelope(buf_bytes(&l->der), &v, e) || !is_of(&v, issuer, e))
		return false;
	tbs = v.tbs.content;
	return read_head(&tbs, &v, issuer, l, e) && is_of_this_time(l, now, e) &&
	       read_entries(&tbs, l, e) && read_extensions(&tbs, l, e) &&
	       der_expect_end(&tbs, "tbsCertList", e);
}

struct crl_list *crl_list_open(
	struct bytes der, const struct cert *issuer, int64_t now_unix_s, struct err *e)
{
	struct crl_list *l = mem_new(sizeof(*l), e);

	if (!l)
		return NULL;
	buf_init(&l->der, CRL_LIST_DER_MAX);
	if (buf_append(&l->der, der.data, der.len, e) && open_list(l, issuer, now_unix_s, e))
		return l;
	err_prefix(e, "revocation list");
	crl_list_free(l);
	return NULL;
}

void crl_list_free(struct crl_list *l)
{
	if (!l)
		return;
	free(l->serials);
	buf_clear(&l->der);
	free(l);
}

void crl_list_unref(struct crl_list **l)
{
	crl_list_free(*l);
	*l = NULL;
}

int64_t crl_list_next_update(const struct crl_list *l)
{
	return l->next_update;
}

/* ---- asking it ---- */

static bool is_a_point(struct bytes uri, const struct crl_points *points)
{
	for (size_t i = 0; i < points->count; i++)
		if (bytes_equal(uri, bytes_of_str(points->uri[i])))
			return true;
	return false;
}

static bool shares_a_name(const struct crl_list *l, const struct crl_points *points)
{
	struct der names = der_of(l->names);
	struct err ignored = ERR_INIT;
	struct der_tlv name;

	while (!der_at_end(&names)) {
		if (!der_next(&names, &name, &ignored))
			return false;
		if (name.tag == URI_TAG &&
			is_a_point(bytes_of(name.content.p, name.content.len), points))
			return true;
	}
	return false;
}

bool crl_list_covers(const struct crl_list *l, const struct cert *c,
	const struct crl_points *points, struct err *e)
{
	if (cert_is_ca(c) ? l->only_users : l->only_cas)
		return err_set(e, ERR_INPUT, "revocation list: not about certificates like %s",
			cert_subject(c));
	return l->names.len == 0 || shares_a_name(l, points) ||
	       err_set(e, ERR_INPUT, "revocation list: of another distribution point");
}

bool crl_list_names(const struct crl_list *l, const struct cert *c)
{
	return crl_list_names_serial(l, cert_serial(c));
}

bool crl_list_names_serial(const struct crl_list *l, struct bytes serial)
{
	struct bytes wanted = magnitude(serial);

	return l->count > 0 &&
	       bsearch(&wanted, l->serials, l->count, sizeof(wanted), compare_serials) != NULL;
}

size_t crl_list_count(const struct crl_list *l)
{
	return l->count;
}
