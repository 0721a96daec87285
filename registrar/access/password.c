/* SPDX-License-Identifier: Apache-2.0 */
/* argon2id by the reference library. */
#include "registrar/access/password.h"

#include <argon2.h>
#include <stdint.h>
#include <string.h>

#include "common/base/rng.h"

#define LANES 1 /* one thread, so that devices keep theirs */

/* UTF-8 characters: a password in another script is not longer for its octets. */
static size_t count_chars(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

bool password_check(const char *password, struct err *e)
{
	if (strlen(password) > PASSWORD_OCTETS_MAX) {
		err_set(e, ERR_INPUT, "password too long");
		return err_tell(e, "The password is longer than %d octets.", PASSWORD_OCTETS_MAX);
	}
	if (count_chars(password) < PASSWORD_CHARS_MIN) {
		err_set(e, ERR_INPUT, "password too short");
		return err_tell(e, "A password has %d characters or more.", PASSWORD_CHARS_MIN);
	}
	return true;
}

bool password_hash(const char *password, char out[PASSWORD_HASH_MAX], struct err *e)
{
	uint8_t salt[PASSWORD_SALT_LEN];
	int rc;

	if (!rng_bytes(salt, sizeof(salt), e))
		return false;
	rc = argon2id_hash_encoded(PASSWORD_PASSES, PASSWORD_MEMORY_KIB, LANES, password,
		strlen(password), salt, sizeof(salt), PASSWORD_HASH_LEN, out, PASSWORD_HASH_MAX);
	if (rc == ARGON2_OK)
		return true;
	return err_set(e, rc == ARGON2_MEMORY_ALLOCATION_ERROR ? ERR_NO_MEMORY : ERR_BUG,
		"password: %s", argon2_error_message(rc));
}

bool password_verify(const char *hash, const char *password, bool *right, struct err *e)
{
	int rc = argon2id_verify(hash, password, strlen(password));

	*right = rc == ARGON2_OK;
	if (*right || rc == ARGON2_VERIFY_MISMATCH)
		return true;
	return err_set(e, rc == ARGON2_MEMORY_ALLOCATION_ERROR ? ERR_NO_MEMORY : ERR_STORE,
		"password: %s", argon2_error_message(rc));
}
