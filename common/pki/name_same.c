/* SPDX-License-Identifier: Apache-2.0 */
/* Two distinguished names compared element by element (RFC 5280 §4.1.2.4, §7.1). */
#include "common/pki/name_same.h"
#include "common/wire/der.h"

#define NAME_LEVELS 3 /* Name, RelativeDistinguishedName, AttributeTypeAndValue */

static bool is_text(const struct der_tlv *t)
{
	return t->tag == DER_PRINTABLE_STRING || t->tag == DER_UTF8_STRING;
}

static bool same_content(struct der a, struct der b, unsigned levels);

static bool same_element(const struct der_tlv *a, const struct der_tlv *b, unsigned levels)
{
	if (is_text(a) && is_text(b))
		return bytes_equal(bytes_of(a->content.p, a->content.len),
			bytes_of(b->content.p, b->content.len));
	if (levels > 0 && a->tag == b->tag && (a->tag == DER_SEQUENCE || a->tag == DER_SET))
		return same_content(a->content, b->content, levels - 1);
	return bytes_equal(a->whole, b->whole);
}

static bool same_content(struct der a, struct der b, unsigned levels)
{
	struct der_tlv x, y;
	struct err e = ERR_INIT; /* what cannot be read is not the same: nobody asks why */

	while (!der_at_end(&a) && !der_at_end(&b))
		if (!der_next(&a, &x, &e) || !der_next(&b, &y, &e) || !same_element(&x, &y, levels))
			return false;
	return der_at_end(&a) && der_at_end(&b);
}

bool name_same(struct bytes a, struct bytes b)
{
	return a.len > 0 && same_content(der_of(a), der_of(b), NAME_LEVELS);
}
