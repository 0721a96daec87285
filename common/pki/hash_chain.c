/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes of a log's entries, signatures of its heads. */
#include "common/pki/hash_chain.h"

#include <string.h>

#include "common/pki/cms_parts.h"
#include "common/wire/hex.h"

#define ENTRY_MAX	65536 /* octets of all fields: the journal's longest are below 2 kB */
#define HEAD_TEXT_MAX	256
#define LENGTH_TEXT_MAX 21 /* of any size_t, with a colon */

/* "12:"; every line of a log has a dozen, and printf() would cost more than the hash does. */
static bool put_length(struct buf *out, size_t len, struct err *e)
{
	char text[LENGTH_TEXT_MAX];
	size_t at = sizeof(text);

	text[--at] = ':';
	do {
		text[--at] = (char)('0' + len % 10);
		len /= 10;
	} while (len > 0);
	return buf_append(out, text + at, sizeof(text) - at, e);
}

static bool put_field(struct buf *out, struct bytes field, struct err *e)
{
	if (!field.data)
		return buf_append_str(out, "-", e);
	return put_length(out, field.len, e) && buf_append(out, field.data, field.len, e);
}

bool hash_chain_next(const uint8_t previous[SHA256_LEN], const struct bytes *fields, size_t count,
	uint8_t out[SHA256_LEN], struct err *e)
{
	static const uint8_t none[SHA256_LEN];
	BUF_AUTO struct buf text = BUF_INIT(ENTRY_MAX);

	if (!buf_append(&text, previous ? previous : none, SHA256_LEN, e))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!put_field(&text, fields[i], e))
			return false;
	return digest_sha256(buf_bytes(&text), out, e);
}

bool hash_chain_head_text(const struct hash_chain_head *h, struct buf *out, struct err *e)
{
	char hash[2 * SHA256_LEN + 1];

	hex_encode(bytes_of(h->hash, SHA256_LEN), hash);
	return buf_printf(out, e, "brski log head\n%s\n%lld\n%lld\n%s\n", h->log,
		(long long)h->sequence, (long long)h->at, hash);
}

bool hash_chain_head_sign(const struct hash_chain_head *h, const struct identity *signer,
	struct buf *signature, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(HEAD_TEXT_MAX);
	size_t before = signature->len;

	return hash_chain_head_text(h, &text, e) &&
	       key_sign(signer->key, buf_bytes(&text), signature, e) &&
	       hash_chain_head_verify(h, signer->cert,
		       bytes_of(signature->data + before, signature->len - before), e);
}

bool hash_chain_head_verify(const struct hash_chain_head *h, const struct cert *signer,
	struct bytes signature, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(HEAD_TEXT_MAX);
	EVP_PKEY *key = cert_public_key(signer);
	struct cms_alg_choice alg;
	struct bytes signature_alg;

	if (!key)
		return err_set(e, ERR_NO_MEMORY, "no memory for a public key");
	return cms_alg_of_key(key, &alg, e) &&
	       cms_alg_signature(alg.signature_alg, alg.digest, &signature_alg, e) &&
	       hash_chain_head_text(h, &text, e) &&
	       cert_verify(signer, signature_alg, buf_bytes(&text), signature, e);
}
