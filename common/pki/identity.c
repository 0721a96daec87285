/* SPDX-License-Identifier: Apache-2.0 */
/* Keys with their certificates, read from the files an administrator names. */
#include "common/pki/identity.h"

#include "common/pki/ossl.h"

/* PEM order: the end entity, then its issuers. */
static bool take_certificates(struct identity *out, const char *cert_path, struct err *e)
{
	CERT_LIST_AUTO struct cert_list all = CERT_LIST_INIT;

	if (!cert_list_load(cert_path, &all, e))
		return false;
	out->cert = cert_ref(all.items[0]);
	for (size_t i = 1; i < all.count; i++)
		if (!cert_list_add(&out->chain, all.items[i], e))
			return false;
	return true;
}

bool identity_load(struct identity *out, const char *key_path, const char *cert_path, struct err *e)
{
	int same;

	ossl_begin();
	*out = (struct identity){.key = key_load(key_path, e)};
	if (!out->key || !take_certificates(out, cert_path, e)) {
		identity_clear(out);
		return false;
	}
	same = EVP_PKEY_eq(key_evp(out->key), cert_public_key(out->cert));
	if (same != 1) {
		identity_clear(out);
		return err_set(e, ossl_verdict(ERR_INPUT),
			"the key in %s is not that of the first certificate in %s", key_path,
			cert_path);
	}
	return true;
}

void identity_clear(struct identity *id)
{
	key_unref(&id->key);
	cert_unref(&id->cert);
	cert_list_clear(&id->chain);
}
