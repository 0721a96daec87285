/* SPDX-License-Identifier: Apache-2.0 */
/* Revocation lists from a file: see crl.h. */
#include "common/pki/crl.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/base/file.h"
#include "common/pki/ossl.h"

typedef STACK_OF(X509_CRL) crl_stack;

struct crl_set {
	pthread_rwlock_t lock; /* guards the pointer; lists themselves never change */
	crl_stack *lists;
};

static bool read_lists(crl_stack *lists, BIO *in, struct err *e)
{
	X509_CRL *crl;

	while ((crl = PEM_read_bio_X509_CRL(in, NULL, NULL, NULL)) != NULL)
		if (sk_X509_CRL_push(lists, crl) <= 0) {
			X509_CRL_free(crl);
			return ossl_fail(e, ERR_NO_MEMORY, "revocation lists");
		}
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE ||
		sk_X509_CRL_num(lists) == 0)
		return ossl_fail(e, ERR_INPUT, "no PEM revocation list");
	ossl_forget();
	return true;
}

static crl_stack *load(const char *pem_path, struct err *e)
{
	BUF_AUTO struct buf pem = BUF_INIT(CRL_FILE_MAX);
	OSSL_AUTO(BIO) BIO *in = NULL;
	crl_stack *lists;

	if (!file_read(pem_path, &pem, e))
		return NULL;
	lists = sk_X509_CRL_new_null();
	in = BIO_new_mem_buf(buf_str(&pem), (int)pem.len);
	if (lists && in ? read_lists(lists, in, e)
			: ossl_fail(e, ERR_NO_MEMORY, "revocation lists"))
		return lists;
	err_prefix(e, "%s", pem_path);
	sk_X509_CRL_pop_free(lists, X509_CRL_free);
	return NULL;
}

struct crl_set *crl_set_load(const char *pem_path, struct err *e)
{
	struct crl_set *s = mem_new(sizeof(*s), e);

	if (!s)
		return NULL;
	pthread_rwlock_init(&s->lock, NULL);
	s->lists = load(pem_path, e);
	if (s->lists)
		return s;
	crl_set_free(s);
	return NULL;
}

bool crl_set_reload(struct crl_set *s, const char *pem_path, struct err *e)
{
	crl_stack *fresh = load(pem_path, e), *old;

	if (!fresh)
		return false;
	pthread_rwlock_wrlock(&s->lock);
	old = s->lists;
	s->lists = fresh;
	pthread_rwlock_unlock(&s->lock);
	sk_X509_CRL_pop_free(old, X509_CRL_free);
	return true;
}

void crl_set_free(struct crl_set *s)
{
	if (!s)
		return;
	sk_X509_CRL_pop_free(s->lists, X509_CRL_free);
	pthread_rwlock_destroy(&s->lock);
	free(s);
}

#define NAMES_UNREADABLE (-2) /* by X509_NAME_cmp() */

/* A list of another issuer says nothing of c. */
static bool check_one(X509_CRL *crl, const struct cert *c, const struct cert *issuer, struct err *e)
{
	X509 *x = cert_x509(c), *by = cert_x509(issuer);
	EVP_PKEY *key = cert_public_key(issuer);
	X509_REVOKED *entry;
	int order = x && by && key
			    ? X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(by))
			    : NAMES_UNREADABLE;

	if (order == NAMES_UNREADABLE)
		return ossl_fail(e, ERR_NO_MEMORY, "no memory for a certificate");
	if (order != 0)
		return true;
	if (X509_CRL_verify(crl, key) != 1)
		return ossl_fail(
			e, ERR_UNAUTHENTICATED, "revocation list not signed by its issuer");
	/* 2: removeFromCRL, the entry of a delta list that takes a revocation back */
	if (X509_CRL_get0_by_cert(crl, &entry, x) != 1)
		return true;
	return err_set(e, ERR_UNAUTHENTICATED, "certificate %s is revoked by %s", cert_subject(c),
		cert_subject(issuer));
}

static bool check_path(crl_stack *lists, const struct cert_list *path, struct err *e)
{
	for (size_t i = 0; i + 1 < path->count; i++)
		for (int n = 0; n < sk_X509_CRL_num(lists); n++)
			if (!check_one(sk_X509_CRL_value(lists, n), path->items[i],
				    path->items[i + 1], e))
				return false;
	return true;
}

bool crl_set_check(struct crl_set *set, const struct cert_list *path, struct err *e)
{
	bool ok;

	if (!set)
		return true;
	pthread_rwlock_rdlock(&set->lock);
	ok = check_path(set->lists, path, e);
	pthread_rwlock_unlock(&set->lock);
	ossl_forget();
	return ok;
}
