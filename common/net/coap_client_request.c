/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of a client's request: the body's next block on its way out, or the question for the
 * answer's next (RFC 7959 §2.3, §2.4, §2.9; RFC 9175 §3). */
#include "common/net/coap_client_impl.h"
#include "common/net/coap_path.h"
#include "common/wire/coap_format.h"

/* Values of options, alive until their message is formatted. */
struct values {
	uint8_t format[4], accept[4], block1[4], block2[4], size1[4], token[COAP_CLIENT_TOKEN_LEN];
};

static bool put_uint(
	struct coap_message *m, uint16_t number, uint32_t value, uint8_t scratch[4], struct err *e)
{
	return coap_message_add(m, number, coap_uint(value, scratch), e);
}

static bool put_block(struct coap_message *m, uint16_t number, const struct coap_block *b,
	uint8_t scratch[4], struct err *e)
{
	return coap_message_add(m, number, coap_block_value(b, scratch), e);
}

/* What all messages of a request have: the server knows by it that they belong together. */
static bool put_common(
	const struct coap_client *c, struct coap_message *m, struct values *v, struct err *e)
{
	return coap_path_add(c->rq.path, m, e) &&
	       (c->rq.content_format == COAP_FORMAT_NONE ||
		       put_uint(m, COAP_OPT_CONTENT_FORMAT, c->rq.content_format, v->format, e)) &&
	       (c->rq.accept == COAP_FORMAT_NONE ||
		       put_uint(m, COAP_OPT_ACCEPT, c->rq.accept, v->accept, e)) &&
	       (!c->in_blocks || coap_message_add(m, COAP_OPT_REQUEST_TAG,
					 bytes_of(c->tag, COAP_CLIENT_TAG_LEN), e));
}

size_t coap_client_part_len(const struct coap_client *c)
{
	size_t rest = c->rq.body.len - c->offset;

	return c->in_blocks && rest > COAP_BLOCK_OCTETS(c->szx) ? COAP_BLOCK_OCTETS(c->szx) : rest;
}

bool coap_client_has_more(const struct coap_client *c)
{
	return c->offset + coap_client_part_len(c) < c->rq.body.len;
}

/* The size of the answer's blocks is said beforehand where the largest would not fit (B-12). */
static bool put_upload(
	const struct coap_client *c, struct coap_message *m, struct values *v, struct err *e)
{
	struct coap_block part = {
		(uint32_t)(c->offset >> (c->szx + 4)), coap_client_has_more(c), c->szx};
	struct coap_block answer = {0, false, c->szx};

	m->payload = bytes_of(c->rq.body.data + c->offset, coap_client_part_len(c));
	if (c->rq.etag.len > 0 && !coap_message_add(m, COAP_OPT_ETAG, c->rq.etag, e))
		return false;
	if (c->in_blocks && !put_block(m, COAP_OPT_BLOCK1, &part, v->block1, e))
		return false;
	if (c->in_blocks && c->offset == 0 &&
		!put_uint(m, COAP_OPT_SIZE1, (uint32_t)c->rq.body.len, v->size1, e))
		return false;
	return part.more || c->szx == COAP_SZX_MAX ||
	       put_block(m, COAP_OPT_BLOCK2, &answer, v->block2, e);
}

static bool put_download(
	const struct coap_client *c, struct coap_message *m, struct values *v, struct err *e)
{
	struct coap_block next = {(uint32_t)(c->body.octets.len >> (c->szx + 4)), false, c->szx};

	return put_block(m, COAP_OPT_BLOCK2, &next, v->block2, e);
}

bool coap_client_format(struct coap_client *c, struct err *e)
{
	struct coap_message m = {.type = COAP_CON,
		.code = c->rq.code,
		.id = c->id,
		.token = {(uint8_t)(c->token >> 8), (uint8_t)c->token},
		.token_len = COAP_CLIENT_TOKEN_LEN};
	struct values v;

	buf_clear(&c->message);
	return put_common(c, &m, &v, e) &&
	       (c->state == COAP_CLIENT_DOWNLOADING ? put_download : put_upload)(c, &m, &v, e) &&
	       coap_message_format(&m, &c->message, e);
}

bool coap_client_head_len(struct coap_client *c, size_t *len, struct err *e)
{
	static const struct coap_block longest = {0xfffff, true, 0};
	struct coap_message m = {.code = c->rq.code, .token_len = COAP_CLIENT_TOKEN_LEN};
	struct values v;

	buf_clear(&c->message);
	c->in_blocks = true;
	if (!put_common(c, &m, &v, e) || !put_block(&m, COAP_OPT_BLOCK1, &longest, v.block1, e) ||
		!put_block(&m, COAP_OPT_BLOCK2, &longest, v.block2, e) ||
		!put_uint(&m, COAP_OPT_SIZE1, UINT32_MAX, v.size1, e) ||
		!coap_message_format(&m, &c->message, e))
		return false;
	*len = c->message.len + 1; /* the payload marker */
	return true;
}
