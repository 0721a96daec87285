/* SPDX-License-Identifier: Apache-2.0 */
/* A mutator for DER: change one element and mend the lengths around it, so that the change is seen
 * by whoever reads that element and not by whoever counts octets. */
#include <stdlib.h>
#include <string.h>

#include "common/wire/der.h"
#include "tests/fuzz/fuzz.h"

#define DEPTH_MAX    16
#define ELEMENTS_MAX 4000
#define DER_MAX	     65536

struct surgery {
	unsigned seed;
	size_t at; /* which element, counted in the order in which they begin */
	size_t count;
};

static bool count_or_copy(struct surgery *s, struct der d, unsigned depth, struct buf *out);

static bool mutate_content(const struct der_tlv *t, struct buf *out)
{
	size_t room = t->content.len + 64;
	uint8_t *octets = malloc(room);
	struct err e = ERR_INIT;
	bool ok;

	FUZZ_REQUIRE(octets);
	if (t->content.len)
		memcpy(octets, t->content.p, t->content.len);
	room = LLVMFuzzerMutate(octets, t->content.len, room);
	ok = der_put(out, t->tag, bytes_of(octets, room), &e);
	free(octets);
	return ok;
}

static bool operate(const struct surgery *s, const struct der_tlv *t, struct buf *out)
{
	struct err e = ERR_INIT;
	static const uint8_t tags[] = {DER_SEQUENCE, DER_SET, DER_OID, DER_UTF8_STRING,
		DER_PRINTABLE_STRING, DER_IA5_STRING, DER_INTEGER, DER_NULL, 0xa0, 0xa1, 0x80,
		0x1e};

	switch (s->seed % 8) {
	case 0: /* gone */
		return true;
	case 1: /* twice */
		return buf_append(out, t->whole.data, t->whole.len, &e) &&
		       buf_append(out, t->whole.data, t->whole.len, &e);
	case 2: /* something else */
		return der_put(out, tags[s->seed / 8 % sizeof(tags)],
			bytes_of(t->content.p, t->content.len), &e);
	case 3: /* empty */
		return der_put(out, t->tag, bytes_of(NULL, 0), &e);
	}
	return mutate_content(t, out);
}

static bool holds_der(const struct der_tlv *t)
{
	struct err e = ERR_INIT;

	if (t->tag & 0x20)
		return true;
	return t->tag == DER_OCTET_STRING && t->content.len > 2 &&
	       der_scan(bytes_of(t->content.p, t->content.len), DEPTH_MAX, &e);
}

static bool pass_on(struct surgery *s, const struct der_tlv *t, unsigned depth, struct buf *out)
{
	BUF_AUTO struct buf inner = BUF_INIT(DER_MAX);
	struct err e = ERR_INIT;

	if (depth == 0 || !holds_der(t))
		return buf_append(out, t->whole.data, t->whole.len, &e);
	return count_or_copy(s, t->content, depth - 1, &inner) &&
	       der_put(out, t->tag, buf_bytes(&inner), &e);
}

static bool count_or_copy(struct surgery *s, struct der d, unsigned depth, struct buf *out)
{
	struct err e = ERR_INIT;
	struct der_tlv t;

	while (!der_at_end(&d)) {
		if (!der_next(&d, &t, &e) || s->count > ELEMENTS_MAX)
			return false;
		if (s->count++ == s->at ? !operate(s, &t, out) : !pass_on(s, &t, depth, out))
			return false;
	}
	return true;
}

bool fuzz_change_der(struct bytes der, unsigned seed, struct buf *out)
{
	BUF_AUTO struct buf same = BUF_INIT(DER_MAX);
	struct surgery s = {.seed = seed, .at = SIZE_MAX};

	if (!count_or_copy(&s, der_of(der), DEPTH_MAX, &same) || s.count == 0)
		return false;
	s.at = seed / 128 % s.count;
	s.count = 0;
	return count_or_copy(&s, der_of(der), DEPTH_MAX, out);
}

size_t fuzz_mutate_der(uint8_t *data, size_t len, size_t room, unsigned seed)
{
	BUF_AUTO struct buf changed = BUF_INIT(DER_MAX);

	if (seed % 4 == 0 || !fuzz_change_der(bytes_of(data, len), seed / 4, &changed) ||
		changed.len > room || changed.len == 0)
		return LLVMFuzzerMutate(data, len, room);
	memcpy(data, changed.data, changed.len);
	return changed.len;
}
