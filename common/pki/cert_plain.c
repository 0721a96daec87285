/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of the kind that devices have, read without OpenSSL: an end entity with a key on
 * P-256, signed with ECDSA, names of ASCII text, and no extensions but key identifiers, usages and
 * the MASA URL. OpenSSL takes 220 us to say the same. Whatever is in the least unusual is left to
 * it, so that nothing is accepted here that it would refuse; the fuzz target `cert` and
 * tests/unit/cert_test.c hold the two against each other. RFC 5280 §4; RFC 5480; IEEE 802.1AR. */
#include <string.h>
#include <time.h>

#include "common/pki/cert_parts.h"
#include "common/pki/oid.h"
#include "common/pki/ossl.h"
#include "common/wire/der.h"

/* Nobody asks why it is not plain: the full reader finds out whether it is wrong. */
static bool next_is(struct der *d, uint8_t tag, struct der_tlv *out)
{
	struct err ignored = ERR_INIT;

	return der_expect(d, tag, out, "", &ignored);
}

/* The one element in there, and nothing after it. */
static bool only_one(struct bytes b, uint8_t tag, struct der_tlv *out)
{
	struct der d = der_of(b);

	return next_is(&d, tag, out) && der_at_end(&d);
}

static bool one_of(struct bytes b, const struct bytes *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bytes_equal(b, list[i]))
			return true;
	return false;
}

/* ---- version, serial, algorithm ---- */

static const struct bytes version_3 = OCTETS(0xa0, 0x03, 0x02, 0x01, 0x02);

static bool is_version_3(const struct cert *c)
{
	return bytes_equal(c->version, version_3) && !c->has_unique_ids;
}

/* Positive and of minimal length. */
static bool serial_is_plain(struct bytes s)
{
	return s.len > 0 && s.data[0] < 0x80 &&
	       (s.data[0] != 0 || (s.len > 1 && s.data[1] >= 0x80));
}

static const struct bytes ecdsa[] = {OID_ECDSA_SHA256, OID_ECDSA_SHA384, OID_ECDSA_SHA512};

/* ECDSA with SHA-2 (RFC 5758 §3.2), the same inside and outside (RFC 5280 §4.1.1.2). */
static bool algorithm_is_plain(const struct cert *c)
{
	struct der_tlv seq, oid;

	return bytes_equal(c->signature_alg, c->inner_alg) && c->signature.len > 0 &&
	       only_one(c->inner_alg, DER_SEQUENCE, &seq) &&
	       only_one(bytes_of(seq.content.p, seq.content.len), DER_OID, &oid) &&
	       one_of(bytes_of(oid.content.p, oid.content.len), ecdsa, 3);
}

/* ---- validity ---- */

static bool digits(const uint8_t *p, size_t count, int *out)
{
	*out = 0;
	for (size_t i = 0; i < count; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		*out = *out * 10 + p[i] - '0';
	}
	return true;
}

static int days_in(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

#define NO_EXPIRY "99991231235959Z" /* RFC 5280 §4.1.2.5: no well-defined expiration date */

/* UTCTime or GeneralizedTime with seconds and Z (RFC 5280 §4.1.2.5.1, .2). */
static bool read_time(struct der *d, int64_t *out)
{
	struct err ignored = ERR_INIT;
	struct der_tlv t;
	struct tm tm = {.tm_isdst = 0};
	const uint8_t *p;
	size_t year_len;
	int year;

	if (!der_next(d, &t, &ignored) || (t.tag != DER_UTC_TIME && t.tag != DER_GENERALIZED_TIME))
		return false;
	year_len = t.tag == DER_UTC_TIME ? 2 : 4;
	if (t.content.len != year_len + 11 || t.content.p[year_len + 10] != 'Z')
		return false;
	p = t.content.p + year_len;
	if (!digits(t.content.p, year_len, &year) || !digits(p, 2, &tm.tm_mon) ||
		!digits(p + 2, 2, &tm.tm_mday) || !digits(p + 4, 2, &tm.tm_hour) ||
		!digits(p + 6, 2, &tm.tm_min) || !digits(p + 8, 2, &tm.tm_sec))
		return false;
	if (t.tag == DER_UTC_TIME)
		year += year < 50 ? 2000 : 1900;
	if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 ||
		tm.tm_mday > days_in(year, tm.tm_mon) || tm.tm_hour > 23 || tm.tm_min > 59 ||
		tm.tm_sec > 59)
		return false;
	tm.tm_year = year - 1900;
	tm.tm_mon--;
	*out = timegm(&tm);
	if (t.tag == DER_GENERALIZED_TIME && memcmp(t.content.p, NO_EXPIRY, t.content.len) == 0)
		*out = INT64_MAX;
	return true;
}

static bool read_validity(struct cert *c)
{
	struct der_tlv seq;

	return only_one(c->validity, DER_SEQUENCE, &seq) &&
	       read_time(&seq.content, &c->not_before) && read_time(&seq.content, &c->not_after) &&
	       der_at_end(&seq.content);
}

/* ---- names ---- */

#define RDNS_MAX 16 /* real names have below 8 */

struct rdn {
	const char *type;
	struct bytes value;
};

static const struct {
	struct bytes oid;
	const char *name; /* as OpenSSL's short names have it */
} attribute_types[] = {
	{OCTETS(0x55, 0x04, 0x03), "CN"},
	{OCTETS(0x55, 0x04, 0x0a), "O"},
	{OCTETS(0x55, 0x04, 0x05), "serialNumber"},
	{OCTETS(0x55, 0x04, 0x0b), "OU"},
	{OCTETS(0x55, 0x04, 0x06), "C"},
	{OCTETS(0x55, 0x04, 0x08), "ST"},
	{OCTETS(0x55, 0x04, 0x07), "L"},
};

static const char *type_name(const struct der_tlv *oid)
{
	for (size_t i = 0; i < sizeof(attribute_types) / sizeof(attribute_types[0]); i++)
		if (der_oid_is(oid, attribute_types[i].oid))
			return attribute_types[i].name;
	return NULL;
}

/* Text that stands in an RFC 2253 name as it is. */
static bool text_is_plain(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = (char)text.data[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') &&
			(c == '\0' || !strchr(" '()-./:_", c)))
			return false;
	}
	return text.len > 0 && text.data[0] != ' ' && text.data[text.len - 1] != ' ';
}

/* RelativeDistinguishedName ::= SET OF SEQUENCE { type OID, value }, with one attribute */
static bool read_rdn(struct der *d, struct rdn *out)
{
	struct err ignored = ERR_INIT;
	struct der_tlv set, seq, oid, value;

	if (!next_is(d, DER_SET, &set) || !next_is(&set.content, DER_SEQUENCE, &seq) ||
		!der_at_end(&set.content) || !next_is(&seq.content, DER_OID, &oid) ||
		!der_next(&seq.content, &value, &ignored) || !der_at_end(&seq.content))
		return false;
	out->type = type_name(&oid);
	out->value = bytes_of(value.content.p, value.content.len);
	return out->type && (value.tag == DER_PRINTABLE_STRING || value.tag == DER_UTF8_STRING) &&
	       text_is_plain(out->value);
}

static bool read_name(struct bytes der, struct rdn rdns[RDNS_MAX], size_t *count)
{
	struct der_tlv seq;

	*count = 0;
	if (!only_one(der, DER_SEQUENCE, &seq))
		return false;
	while (!der_at_end(&seq.content))
		if (*count == RDNS_MAX || !read_rdn(&seq.content, &rdns[(*count)++]))
			return false;
	return *count > 0;
}

static bool put_text(char out[NAME_TEXT_MAX + 1], size_t *used, const void *text, size_t len)
{
	if (len > NAME_TEXT_MAX - *used)
		return false;
	memcpy(out + *used, text, len);
	*used += len;
	out[*used] = '\0';
	return true;
}

/* Last one first (RFC 2253 §2.1). */
static bool name_as_text(const struct rdn *rdns, size_t count, char out[NAME_TEXT_MAX + 1])
{
	size_t used = 0;

	for (size_t i = count; i-- > 0;)
		if ((used > 0 && !put_text(out, &used, ",", 1)) ||
			!put_text(out, &used, rdns[i].type, strlen(rdns[i].type)) ||
			!put_text(out, &used, "=", 1) ||
			!put_text(out, &used, rdns[i].value.data, rdns[i].value.len))
			return false;
	return true;
}

/* At most one serialNumber, of a length we keep. */
static bool read_serial_number(struct cert *c, const struct rdn *rdns, size_t count)
{
	c->serial_number_fault = "is not there";
	for (size_t i = 0; i < count; i++) {
		if (strcmp(rdns[i].type, "serialNumber") != 0)
			continue;
		if (!c->serial_number_fault || rdns[i].value.len > CERT_SERIAL_NUMBER_MAX)
			return false;
		memcpy(c->serial_number, rdns[i].value.data, rdns[i].value.len);
		c->serial_number[rdns[i].value.len] = '\0';
		c->serial_number_fault = NULL;
	}
	return true;
}

static bool read_names(struct cert *c)
{
	struct rdn rdns[RDNS_MAX];
	size_t count;

	return !bytes_equal(c->subject_der, c->issuer_der) &&
	       read_name(c->issuer_der, rdns, &count) && name_as_text(rdns, count, c->issuer) &&
	       read_name(c->subject_der, rdns, &count) && name_as_text(rdns, count, c->subject) &&
	       read_serial_number(c, rdns, count);
}

/* ---- extensions ---- */

/* BasicConstraints ::= SEQUENCE {} of an end entity */
static bool read_basic_constraints(struct cert *c, const struct cert_ext *x)
{
	struct der_tlv seq;

	return only_one(x->value, DER_SEQUENCE, &seq) && der_at_end(&seq.content);
}

/* KeyUsage: some bit is set, and none of those said to be unused */
static bool read_key_usage(struct cert *c, const struct cert_ext *x)
{
	struct der_tlv bits;
	const uint8_t *p;

	if (!only_one(x->value, DER_BIT_STRING, &bits) || bits.content.len < 2 ||
		bits.content.len > 3)
		return false;
	p = bits.content.p;
	return p[0] < 8 && p[bits.content.len - 1] != 0 &&
	       (p[bits.content.len - 1] & ((1u << p[0]) - 1)) == 0;
}

static const struct {
	struct bytes oid;
	unsigned bit;
} ekus[] = {
	{OCTETS(0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01), CERT_EKU_SERVER_AUTH},
	{OCTETS(0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02), CERT_EKU_CLIENT_AUTH},
	{OCTETS(0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x1c), CERT_EKU_CMC_RA},
};
#define EKUS (sizeof(ekus) / sizeof(ekus[0]))

static bool read_eku(struct cert *c, const struct cert_ext *x)
{
	struct der_tlv seq, oid;

	c->eku = CERT_EKU_PRESENT;
	if (!only_one(x->value, DER_SEQUENCE, &seq))
		return false;
	while (!der_at_end(&seq.content)) {
		size_t i = 0;

		if (!next_is(&seq.content, DER_OID, &oid))
			return false;
		while (i < EKUS && !der_oid_is(&oid, ekus[i].oid))
			i++;
		if (i == EKUS)
			return false;
		c->eku |= ekus[i].bit;
	}
	return c->eku != CERT_EKU_PRESENT;
}

static bool read_ski(struct cert *c, const struct cert_ext *x)
{
	struct der_tlv id;

	if (!only_one(x->value, DER_OCTET_STRING, &id))
		return false;
	c->ski = bytes_of(id.content.p, id.content.len);
	return c->ski.len > 0;
}

/* AuthorityKeyIdentifier ::= SEQUENCE { [0] keyIdentifier }, without the issuer's name */
static bool read_aki(struct cert *c, const struct cert_ext *x)
{
	struct der_tlv seq, id;

	if (!only_one(x->value, DER_SEQUENCE, &seq) ||
		!next_is(&seq.content, DER_CONTEXT(0), &id) || !der_at_end(&seq.content))
		return false;
	c->aki = bytes_of(id.content.p, id.content.len);
	c->aki_tlv = x->tlv;
	return c->aki.len > 0;
}

static bool read_masa_url(struct cert *c, const struct cert_ext *x)
{
	return true; /* whoever asks the MASA reads it */
}

static const struct {
	struct bytes oid;
	bool may_be_critical;
	bool (*read)(struct cert *c, const struct cert_ext *x);
} extensions[] = {
	{OCTETS(0x55, 0x1d, 0x0e), false, read_ski},
	{OCTETS(0x55, 0x1d, 0x23), false, read_aki},
	{OCTETS(0x55, 0x1d, 0x13), true, read_basic_constraints},
	{OCTETS(0x55, 0x1d, 0x0f), true, read_key_usage},
	{OCTETS(0x55, 0x1d, 0x25), true, read_eku},
	{OCTETS(0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x20), false, read_masa_url},
};
#define EXTENSIONS (sizeof(extensions) / sizeof(extensions[0]))

static bool read_extensions(struct cert *c)
{
	for (size_t i = 0; i < c->extension_count; i++) {
		const struct cert_ext *x = &c->extensions[i];
		size_t k = 0;

		while (k < EXTENSIONS && !bytes_equal(x->oid, extensions[k].oid))
			k++;
		if (k == EXTENSIONS || x->odd_critical ||
			(x->critical && !extensions[k].may_be_critical) ||
			!extensions[k].read(c, x))
			return false;
	}
	return true;
}

bool cert_plain_read(struct cert *c)
{
	c->is_plain = is_version_3(c) && serial_is_plain(c->serial) && algorithm_is_plain(c) &&
		      read_validity(c) && read_names(c) && read_extensions(c) && c->known.point;
	return c->is_plain;
}
