/* SPDX-License-Identifier: Apache-2.0 */
/* The model is taken out of the subject's DER: OpenSSL has not parsed most IDevIDs. */
#include "registrar/describe.h"

#include <stdio.h>
#include <string.h>

#include "common/base/text.h"
#include "common/wire/der.h"

static const uint8_t organizational_unit[] = {0x55, 0x04, 0x0b};
static const uint8_t title[] = {0x55, 0x04, 0x0c};

static bool is_text(const struct der_tlv *value)
{
	const bool kind = value->tag == DER_UTF8_STRING || value->tag == DER_PRINTABLE_STRING ||
			  value->tag == DER_IA5_STRING;

	for (size_t i = 0; kind && i < value->content.len; i++)
		if (value->content.p[i] < 0x20 || value->content.p[i] == 0x7f)
			return false;
	return kind && value->content.len > 0 && value->content.len <= MODEL_MAX;
}

/* The value of the one attribute of this type. */
static bool find_one(struct bytes subject, struct bytes oid, struct bytes *out)
{
	struct der d = der_of(subject), rdns;
	struct der_tlv name, rdn, attribute, type, value;
	struct err ignored = ERR_INIT;
	size_t found = 0;

	if (!der_expect(&d, DER_SEQUENCE, &name, "subject", &ignored))
		return false;
	rdns = name.content;
	while (!der_at_end(&rdns)) {
		if (!der_expect(&rdns, DER_SET, &rdn, "subject", &ignored))
			return false;
		while (!der_at_end(&rdn.content)) {
			if (!der_expect(&rdn.content, DER_SEQUENCE, &attribute, "name", &ignored) ||
				!der_expect(&attribute.content, DER_OID, &type, "type", &ignored) ||
				!der_next(&attribute.content, &value, &ignored))
				return false;
			if (!der_oid_is(&type, oid))
				continue;
			if (found++ > 0 || !is_text(&value))
				return false;
			*out = bytes_of(value.content.p, value.content.len);
		}
	}
	return found == 1;
}

void describe_model(struct bytes subject, char out[MODEL_MAX + 1])
{
	struct bytes text = {0};

	out[0] = '\0';
	if (!find_one(subject, bytes_of(organizational_unit, sizeof(organizational_unit)), &text) &&
		!find_one(subject, bytes_of(title, sizeof(title)), &text))
		return;
	memcpy(out, text.data, text.len);
	out[text.len] = '\0';
	text_make_utf8(out, '?');
	text_make_safe(out, '?'); /* people read it before they approve */
}

void describe_host(const char *peer, char out[CALL_PEER_MAX])
{
	const char *colon = strrchr(peer, ':');
	size_t len = colon ? (size_t)(colon - peer) : strlen(peer);

	if (strncmp(peer, "unix:", 5) == 0) {
		len = strlen(peer);
	} else if (len >= 2 && peer[0] == '[' && peer[len - 1] == ']') {
		peer++;
		len -= 2;
	}
	snprintf(out, CALL_PEER_MAX, "%.*s", (int)len, peer);
}
