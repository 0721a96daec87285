/* SPDX-License-Identifier: Apache-2.0 */
/* Writing keys and certificates where nothing stood before. The key goes first: a certificate file
 * that is there always has its key beside it. */
#include "common/pki/identity_file.h"

#include <unistd.h>

#include "common/base/file.h"

static const char *const suffixes[] = {"key", "crt"};

bool identity_file_is_free(const char *dir, const char *stem, struct err *e)
{
	for (int i = 0; i < 2; i++) {
		FREE_AUTO char *path = str_printf(e, "%s/%s.%s", dir, stem, suffixes[i]);

		if (!path)
			return false;
		if (access(path, F_OK) == 0)
			return err_set(e, ERR_CONFLICT,
				"%s exists already and is not overwritten; remove it or choose "
				"another directory",
				path);
	}
	return true;
}

bool identity_file_write(const char *dir, const char *stem, const struct key *key,
	const struct cert *cert, const struct cert *issuer, struct err *e)
{
	FREE_AUTO char *key_path = str_printf(e, "%s/%s.key", dir, stem);
	FREE_AUTO char *cert_path = str_printf(e, "%s/%s.crt", dir, stem);
	BUF_AUTO struct buf pem = BUF_INIT((size_t)4 * CERT_DER_MAX);

	return key_path && cert_path && cert_format_pem(cert, &pem, e) &&
	       (!issuer || cert_format_pem(issuer, &pem, e)) && key_save(key, key_path, e) &&
	       file_write_atomic(cert_path, buf_bytes(&pem), 0644, e);
}
