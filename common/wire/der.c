/* SPDX-License-Identifier: Apache-2.0 */
/* The TLV reader under everything that is ASN.1 and not left to OpenSSL: CMS, certification
 * requests, CSR attributes and single certificate extensions. It reads the distinguished encoding
 * only (X.690 §10): what a signature covers must have exactly one reading. Nothing is allocated
 * and every position is checked against the end of the enclosing element.
 */
#include "common/wire/der.h"

#include <stdlib.h>
#include <string.h>

#define TAG_NUMBER_MASK	  0x1f /* all ones: a multi-octet tag follows */
#define TAG_CLASS_MASK	  0xc0
#define TAG_CONSTRUCTED	  0x20
#define LENGTH_LONG	  0x80
#define LENGTH_OCTETS_MAX 4 /* 4 GiB; every caller has a far lower limit */

struct der der_of(struct bytes b)
{
	return (struct der){.p = b.data, .len = b.len};
}

bool der_at_end(const struct der *d)
{
	return d->len == 0;
}

/* The length octets at d, minimal and definite (X.690 §10.1). */
static bool take_length(struct der *d, size_t *out, struct err *e)
{
	if (d->len == 0)
		return err_set(e, ERR_INPUT, "DER: truncated before a length");
	uint8_t first = *d->p++;
	d->len--;
	if (first < LENGTH_LONG) {
		*out = first;
		return true;
	}
	size_t count = first & 0x7f;
	if (count == 0)
		return err_set(e, ERR_INPUT, "DER: indefinite length");
	if (count > LENGTH_OCTETS_MAX)
		return err_set(e, ERR_INPUT, "DER: length of %zu octets", count);
	if (count > d->len)
		return err_set(e, ERR_INPUT, "DER: truncated inside a length");
	size_t value = 0;
	for (size_t i = 0; i < count; i++)
		value = value << 8 | d->p[i];
	if (d->p[0] == 0 || value < LENGTH_LONG)
		return err_set(e, ERR_INPUT, "DER: length not minimal");
	d->p += count;
	d->len -= count;
	*out = value;
	return true;
}

/* SEQUENCE and SET are always constructed in DER, all other universal types never (X.690 §10.2). */
static bool form_is_distinguished(uint8_t tag)
{
	if ((tag & TAG_CLASS_MASK) != 0)
		return true;
	bool compound =
		(tag | TAG_CONSTRUCTED) == DER_SEQUENCE || (tag | TAG_CONSTRUCTED) == DER_SET;
	return compound == ((tag & TAG_CONSTRUCTED) != 0);
}

bool der_next(struct der *d, struct der_tlv *out, struct err *e)
{
	if (d->len == 0)
		return err_set(e, ERR_INPUT, "DER: an element is missing");
	struct der rest = *d;
	uint8_t tag = *rest.p++;
	rest.len--;
	if ((tag & TAG_NUMBER_MASK) == TAG_NUMBER_MASK)
		return err_set(e, ERR_INPUT, "DER: multi-octet tag");
	if (tag == 0)
		return err_set(e, ERR_INPUT, "DER: end-of-contents octets");
	if (!form_is_distinguished(tag))
		return err_set(e, ERR_INPUT, "DER: tag 0x%02x in a form that is BER only", tag);
	size_t len = 0;
	if (!take_length(&rest, &len, e))
		return false;
	if (len > rest.len)
		return err_set(e, ERR_INPUT, "DER: element of %zu octets where %zu are left", len,
			rest.len);
	out->tag = tag;
	out->content = (struct der){.p = rest.p, .len = len};
	out->whole = bytes_of(d->p, (size_t)(rest.p - d->p) + len);
	d->p = rest.p + len;
	d->len = rest.len - len;
	return true;
}

bool der_expect(struct der *d, uint8_t tag, struct der_tlv *out, const char *what, struct err *e)
{
	struct der bookmark = *d;
	if (!der_next(d, out, e))
		return err_prefix(e, "%s", what);
	if (out->tag != tag) {
		*d = bookmark;
		return err_set(
			e, ERR_INPUT, "%s: tag 0x%02x where 0x%02x belongs", what, out->tag, tag);
	}
	return true;
}

bool der_optional(struct der *d, uint8_t tag, struct der_tlv *out, bool *present, struct err *e)
{
	*present = d->len > 0 && d->p[0] == tag;
	return *present ? der_next(d, out, e) : true;
}

bool der_expect_end(const struct der *d, const char *what, struct err *e)
{
	if (d->len > 0)
		return err_set(e, ERR_INPUT, "%s: %zu octets after the end", what, d->len);
	return true;
}

bool der_oid_is(const struct der_tlv *t, struct bytes oid)
{
	return t->tag == DER_OID && bytes_equal(bytes_of(t->content.p, t->content.len), oid);
}

bool der_uint(const struct der_tlv *t, uint32_t *out, struct err *e)
{
	const struct der *c = &t->content;
	if (t->tag != DER_INTEGER || c->len == 0)
		return err_set(e, ERR_INPUT, "DER: not an INTEGER");
	if (c->p[0] & 0x80)
		return err_set(e, ERR_INPUT, "DER: negative INTEGER");
	if (c->len > 1 && c->p[0] == 0 && !(c->p[1] & 0x80))
		return err_set(e, ERR_INPUT, "DER: INTEGER not minimal");
	size_t zero = c->p[0] == 0 ? 1 : 0;
	if (c->len - zero > sizeof(*out))
		return err_set(e, ERR_INPUT, "DER: INTEGER of %zu octets", c->len);
	uint32_t value = 0;
	for (size_t i = zero; i < c->len; i++)
		value = value << 8 | c->p[i];
	*out = value;
	return true;
}

/* Every element of d and what is inside of it. */
static bool scan_level(struct der d, unsigned depth_left, struct err *e)
{
	if (depth_left == 0)
		return err_set(e, ERR_INPUT, "DER: nested too deep");
	while (!der_at_end(&d)) {
		struct der_tlv t = {.tag = 0};
		if (!der_next(&d, &t, e))
			return false;
		if ((t.tag & TAG_CONSTRUCTED) && !scan_level(t.content, depth_left - 1, e))
			return false;
	}
	return true;
}

bool der_scan(struct bytes b, unsigned depth_max, struct err *e)
{
	struct der d = der_of(b);
	struct der_tlv first;
	if (!der_next(&d, &first, e))
		return false;
	if (!der_expect_end(&d, "DER", e))
		return false;
	return scan_level(der_of(b), depth_max, e);
}

bool der_put(struct buf *out, uint8_t tag, struct bytes content, struct err *e)
{
	uint8_t head[2 + LENGTH_OCTETS_MAX] = {tag};
	size_t used = 1;
	if (content.len > UINT32_MAX)
		return err_set(e, ERR_TOO_LARGE, "DER: content of %zu octets", content.len);
	if (content.len < LENGTH_LONG) {
		head[used++] = (uint8_t)content.len;
	} else {
		unsigned count = 1;
		while (count < LENGTH_OCTETS_MAX && content.len >> (8 * count) != 0)
			count++;
		head[used++] = (uint8_t)(LENGTH_LONG | count);
		for (unsigned i = count; i-- > 0;)
			head[used++] = (uint8_t)(content.len >> (8 * i));
	}
	size_t before = out->len;
	if (!buf_append(out, head, used, e))
		return false;
	if (!buf_append(out, content.data, content.len, e)) {
		out->len = before; /* nothing of a half-written element stays */
		return false;
	}
	return true;
}

static int compare_octets(const void *pa, const void *pb)
{
	const struct bytes *a = pa, *b = pb;
	int order = memcmp(a->data, b->data, a->len < b->len ? a->len : b->len);
	return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

bool der_put_set_of(struct buf *out, uint8_t tag, struct bytes *items, size_t count, struct err *e)
{
	BUF_AUTO struct buf content = BUF_INIT(out->max);
	qsort(items, count, sizeof(*items), compare_octets);
	for (size_t i = 0; i < count; i++)
		if (!buf_append(&content, items[i].data, items[i].len, e))
			return false;
	return der_put(out, tag, buf_bytes(&content), e);
}
