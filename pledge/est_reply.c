/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/est_reply.h"

#include "common/pki/pkcs7_certs.h"
#include "common/wire/base64.h"
#include "common/wire/coap_format.h"
#include "common/wire/media_type.h"
#include "common/wire/multipart_core.h"

#define KEY_PARTS_MAX 4 /* a key and a certificate; twice that is read and refused */

/* Base64 of DER begins with 'M', and DER itself with 30 and a long length. */
bool est_reply_decode(struct bytes body, bool base64, struct buf *out, struct err *e)
{
	if (!base64 || (body.len > 1 && body.data[0] == 0x30 && body.data[1] >= 0x80))
		return buf_append(out, body.data, body.len, e);
	return base64_decode_spaced(body, out, e);
}

static bool add_one(struct bytes der, struct cert_list *out, struct err *e)
{
	CERT_AUTO struct cert *c = cert_parse(der, e);

	return c && cert_list_add(out, c, e);
}

static bool read_pkcs7(struct bytes body, bool base64, struct cert_list *out, struct err *e)
{
	BUF_AUTO struct buf der = BUF_INIT(PKCS7_CERTS_DER_MAX);

	return est_reply_decode(body, base64, &der, e) &&
	       pkcs7_certs_parse(buf_bytes(&der), out, e);
}

static bool read_one(struct bytes body, bool base64, struct cert_list *out, struct err *e)
{
	BUF_AUTO struct buf der = BUF_INIT(CERT_DER_MAX);

	return est_reply_decode(body, base64, &der, e) && add_one(buf_bytes(&der), out, e);
}

static bool read_several(struct bytes body, bool base64, struct cert_list *out, struct err *e)
{
	struct multipart_part parts[PKCS7_CERTS_MAX];
	size_t count;

	if (!multipart_core_read(body, parts, PKCS7_CERTS_MAX, &count, e))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (parts[i].format != COAP_FORMAT_PKIX_CERT)
			return err_set(e, ERR_INPUT, "a part of format %u among certificates",
				(unsigned)parts[i].format);
		if (!add_one(parts[i].content, out, e))
			return false;
	}
	return count > 0 || err_set(e, ERR_INPUT, "no certificate");
}

static const struct {
	const char *media_type;
	bool (*read)(struct bytes body, bool base64, struct cert_list *out, struct err *e);
} forms[] = {
	{"application/pkcs7-mime", read_pkcs7},
	{"application/pkix-cert", read_one},
	{"application/multipart-core", read_several},
};

bool est_reply_certs(
	const struct session_reply *reply, bool base64, struct cert_list *out, struct err *e)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++)
		if (media_type_is(reply->content_type, forms[i].media_type))
			return forms[i].read(buf_bytes(&reply->body), base64, out, e);
	return err_set(e, ERR_PEER, "certificates come as '%s'", reply->content_type);
}

/* ---- A key and its certificate -------------------------------------------------------------- */

static bool take_key(struct bytes der, struct key **key, struct err *e)
{
	if (*key)
		return err_set(e, ERR_INPUT, "a second key");
	*key = key_parse_pkcs8(der, e);
	return *key != NULL;
}

static bool take_part(
	const struct multipart_part *part, struct key **key, struct cert_list *certs, struct err *e)
{
	switch (part->format) {
	case COAP_FORMAT_PKCS8:
		return take_key(part->content, key, e);
	case COAP_FORMAT_PKIX_CERT:
		return add_one(part->content, certs, e);
	case COAP_FORMAT_PKCS7_CERTS:
		return read_pkcs7(part->content, false, certs, e);
	}
	return err_set(e, ERR_INPUT, "a part of format %u beside key and certificate",
		(unsigned)part->format);
}

static bool take_parts(struct bytes body, struct key **key, struct cert_list *certs, struct err *e)
{
	struct multipart_part parts[KEY_PARTS_MAX];
	size_t count;

	if (!multipart_core_read(body, parts, KEY_PARTS_MAX, &count, e))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!take_part(&parts[i], key, certs, e))
			return false;
	if (!*key || certs->count == 0)
		return err_set(e, ERR_INPUT, "no %s in the answer", *key ? "certificate" : "key");
	return true;
}

bool est_reply_key(
	const struct session_reply *reply, struct key **key, struct cert_list *certs, struct err *e)
{
	*key = NULL;
	if (!media_type_is(reply->content_type, "application/multipart-core"))
		return err_set(
			e, ERR_PEER, "key and certificate come as '%s'", reply->content_type);
	if (take_parts(buf_bytes(&reply->body), key, certs, e))
		return true;
	key_unref(key);
	cert_list_clear(certs);
	return false;
}
