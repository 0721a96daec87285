/* SPDX-License-Identifier: Apache-2.0 */
/* The table of leaves: what a voucher and a voucher-request say, and where it is kept (RFC 8366
 * §5.3; RFC 8995 §3.4; rfc8366bis §5.2, §6.2, §9). A leaf that does not belong to the kind of
 * message is an unknown member: ignored unread, as the clause asks of pinned-domain-cert,
 * last-renewal-date and domain-cert-revocation-checks in a request (R8995-REG-054, R8995-MASA-040).
 */
#include "common/message/voucher_leaves.h"

#include <string.h>

#include "common/wire/der.h"

#define FIELD(member)	   offsetof(struct voucher, member), 0
#define DATE_FIELD(member) offsetof(struct voucher, member), offsetof(struct voucher, has_##member)

/* The SIDs are those of rfc8366bis §9.2 and §9.3: for a voucher, for a request. */
const struct voucher_leaf voucher_leaves[] = {
	{"created-on", NULL, LEAF_DATE, {2453, 2503}, DATE_FIELD(created_on)},
	{"expires-on", NULL, LEAF_DATE, {2455, 2505}, DATE_FIELD(expires_on)},
	{"assertion", NULL, LEAF_ASSERTION, {2452, 2502}, FIELD(assertion)},
	{"serial-number", NULL, LEAF_SERIAL, {2462, 2514}, FIELD(serial_number)},
	{"idevid-issuer", NULL, LEAF_ISSUER, {2456, 2506}, FIELD(idevid_issuer)},
	{"nonce", NULL, LEAF_NONCE, {2458, 2508}, FIELD(nonce)},
	{"pinned-domain-cert", NULL, LEAF_CERT, {2459, 0}, FIELD(pinned_domain_cert)},
	{"pinned-domain-pubk", NULL, LEAF_BINARY, {2460, 0}, FIELD(pinned_domain_pubk)},
	{"pinned-domain-pubk-sha256", NULL, LEAF_BINARY, {2461, 0},
		FIELD(pinned_domain_pubk_sha256)},
	{"domain-cert-revocation-checks", NULL, LEAF_FLAG, {2454, 0},
		FIELD(domain_cert_revocation_checks)},
	{"last-renewal-date", NULL, LEAF_DATE, {2457, 0}, DATE_FIELD(last_renewal_date)},
	{"est-domain", NULL, LEAF_STRING, {2464, 0}, FIELD(est_domain)},
	{"additional-configuration-url", NULL, LEAF_STRING, {2463, 0},
		FIELD(additional_configuration_url)},
	{"prior-signed-voucher-request", NULL, LEAF_BINARY, {0, 2510},
		FIELD(prior_signed_voucher_request)},
	{"proximity-registrar-cert", "proximity-domain-cert", LEAF_CERT, {0, 2511},
		FIELD(proximity_registrar_cert)},
	{"proximity-registrar-pubk", "proximity-domain-pubk", LEAF_BINARY, {0, 2513},
		FIELD(proximity_registrar_pubk)},
	{"proximity-registrar-pubk-sha256", "proximity-domain-pubk-sha256", LEAF_BINARY, {0, 2512},
		FIELD(proximity_registrar_pubk_sha256)},
};
const size_t voucher_leaf_count = sizeof(voucher_leaves) / sizeof(voucher_leaves[0]);

const char *const voucher_containers[2] = {
	[VOUCHER] = "ietf-voucher:voucher",
	[VOUCHER_REQUEST] = "ietf-voucher-request:voucher",
};
const uint16_t voucher_container_sids[2] = {[VOUCHER] = 2451, [VOUCHER_REQUEST] = 2501};

const struct voucher_leaf *voucher_leaf_by_name(const char *name, enum voucher_kind kind)
{
	for (size_t i = 0; i < voucher_leaf_count; i++) {
		const struct voucher_leaf *l = &voucher_leaves[i];
		bool named =
			strcmp(l->name, name) == 0 || (l->alias && strcmp(l->alias, name) == 0);
		if (named && l->sid[kind])
			return l;
	}
	return NULL;
}

const struct voucher_leaf *voucher_leaf_by_sid(uint64_t sid, enum voucher_kind kind)
{
	for (size_t i = 0; i < voucher_leaf_count; i++)
		if (sid > 0 && voucher_leaves[i].sid[kind] == sid)
			return &voucher_leaves[i];
	return NULL;
}

void *voucher_leaf_at(const struct voucher_leaf *l, struct voucher *v)
{
	return (char *)v + l->offset;
}

const void *voucher_leaf_of(const struct voucher_leaf *l, const struct voucher *v)
{
	return (const char *)v + l->offset;
}

bool voucher_leaf_present(const struct voucher_leaf *l, const struct voucher *v)
{
	switch (l->type) {
	case LEAF_DATE:
		return *(const bool *)((const char *)v + l->has_offset);
	case LEAF_ASSERTION:
		return *(const enum voucher_assertion *)voucher_leaf_of(l, v) != ASSERTION_ABSENT;
	case LEAF_SERIAL:
	case LEAF_STRING:
	case LEAF_NONCE:
		return *(char *const *)voucher_leaf_of(l, v) != NULL;
	case LEAF_FLAG:
		return *(const enum voucher_flag *)voucher_leaf_of(l, v) != FLAG_ABSENT;
	case LEAF_BINARY:
	case LEAF_ISSUER:
	case LEAF_CERT:
		return ((const struct buf *)voucher_leaf_of(l, v))->len > 0;
	}
	return false;
}

bool voucher_leaf_check_serial(const char *text, struct err *e)
{
	size_t len = strlen(text);
	if (len == 0 || len > VOUCHER_SERIAL_MAX)
		return err_set(
			e, ERR_INPUT, "%zu octets where 1 to %d belong", len, VOUCHER_SERIAL_MAX);
	for (const char *p = text; *p; p++)
		if ((uint8_t)*p < ' ' || *p == 0x7f)
			return err_set(e, ERR_INPUT, "control character 0x%02x", (uint8_t)*p);
	return true;
}

bool voucher_leaf_check_cert(const struct buf *der, struct err *e)
{
	struct der d = der_of(buf_bytes(der));
	struct der_tlv certificate;
	return der_expect(&d, DER_SEQUENCE, &certificate, "certificate", e) &&
	       der_expect_end(&d, "certificate", e);
}

bool voucher_leaf_refuse(const struct voucher_leaf *l, struct err *e)
{
	err_prefix(e, "%s", l->name);
	if (e->kind == ERR_INPUT)
		err_tell(e, "The member %s is not valid.", l->name);
	return false;
}

bool voucher_leaf_serial_missing(struct err *e)
{
	err_set(e, ERR_INPUT, "serial-number is missing");
	return err_tell(e, "The member serial-number is missing.");
}
