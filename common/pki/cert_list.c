/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of certificates, and PEM files that hold them (RFC 7468). */
#include "common/pki/cert.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/file.h"
#include "common/pki/ossl.h"

void cert_list_clear(struct cert_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		cert_free(l->items[i]);
	free(l->items);
	*l = (struct cert_list)CERT_LIST_INIT;
}

bool cert_list_add(struct cert_list *l, struct cert *c, struct err *e)
{
	struct cert **grown = l->items;

	if ((l->count & (l->count - 1)) == 0) /* full at every power of two */
		grown = reallocarray(l->items, l->count ? l->count * 2 : 1, sizeof(*grown));
	if (!grown)
		return err_set(e, ERR_NO_MEMORY, "no memory for %zu certificates", l->count + 1);
	l->items = grown;
	l->items[l->count++] = cert_ref(c);
	return true;
}

bool cert_list_append(struct cert_list *l, const struct cert_list *more, struct err *e)
{
	for (size_t i = 0; i < more->count; i++)
		if (!cert_list_add(l, more->items[i], e))
			return false;
	return true;
}

bool cert_list_merge(struct cert_list *l, const struct cert_list *more, struct err *e)
{
	for (size_t i = 0; i < more->count; i++)
		if (!cert_list_contains(l, more->items[i]) && !cert_list_add(l, more->items[i], e))
			return false;
	return true;
}

bool cert_list_contains(const struct cert_list *l, const struct cert *c)
{
	for (size_t i = 0; i < l->count; i++)
		if (cert_same(l->items[i], c))
			return true;
	return false;
}

static bool add_der(struct cert_list *out, struct bytes der, struct err *e)
{
	CERT_AUTO struct cert *c = cert_parse(der, e);

	return c && cert_list_add(out, c, e);
}

static bool is_certificate(const char *pem_name)
{
	return strcmp(pem_name, PEM_STRING_X509) == 0 || strcmp(pem_name, PEM_STRING_X509_OLD) == 0;
}

/* The next PEM block of any kind; *end when there is none left. */
static bool add_next(BIO *bio, struct cert_list *out, bool *end, struct err *e)
{
	char *name = NULL, *header = NULL;
	unsigned char *data = NULL;
	bool ok = true;
	long len = 0;

	*end = PEM_read_bio(bio, &name, &header, &data, &len) != 1;
	if (*end) {
		ok = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE ||
		     ossl_fail(e, ERR_INPUT, "PEM");
		ossl_forget();
	} else if (is_certificate(name)) {
		ok = add_der(out, bytes_of(data, (size_t)len), e) ||
		     err_prefix(e, "certificate %zu", out->count + 1);
	}
	OPENSSL_free(name);
	OPENSSL_free(header);
	if (data)
		OPENSSL_clear_free(data, (size_t)len); /* it may have been a key */
	return ok;
}

bool cert_list_parse_pem(struct bytes pem, struct cert_list *out, struct err *e)
{
	OSSL_AUTO(BIO) BIO *bio = NULL;
	bool end = false;

	*out = (struct cert_list)CERT_LIST_INIT;
	if (pem.len > CERT_LIST_PEM_MAX)
		return err_set(e, ERR_TOO_LARGE, "more than %d octets", CERT_LIST_PEM_MAX);
	bio = BIO_new_mem_buf(pem.len ? (const void *)pem.data : "", (int)pem.len);
	if (!bio)
		return ossl_fail(e, ERR_NO_MEMORY, "PEM");
	while (!end) {
		if (!add_next(bio, out, &end, e)) {
			cert_list_clear(out);
			return false;
		}
	}
	return out->count > 0 || err_set(e, ERR_INPUT, "no certificate in it");
}

bool cert_list_load(const char *path, struct cert_list *out, struct err *e)
{
	BUF_AUTO_WIPE struct buf pem = BUF_INIT(CERT_LIST_PEM_MAX);

	*out = (struct cert_list)CERT_LIST_INIT;
	if (!file_read(path, &pem, e))
		return false;
	return cert_list_parse_pem(buf_bytes(&pem), out, e) || err_prefix(e, "%s", path);
}

bool cert_format_pem(const struct cert *c, struct buf *out, struct err *e)
{
	OSSL_AUTO(BIO) BIO *bio = BIO_new(BIO_s_mem());

	if (!bio || PEM_write_bio(
			    bio, PEM_STRING_X509, "", cert_der(c).data, (long)cert_der(c).len) <= 0)
		return ossl_fail(e, ERR_NO_MEMORY, "certificate");
	return ossl_take_bio(bio, out, e);
}

bool cert_list_format_pem(const struct cert_list *l, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < l->count; i++)
		if (!cert_format_pem(l->items[i], out, e))
			return false;
	return true;
}
