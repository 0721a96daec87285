/* SPDX-License-Identifier: Apache-2.0 */
/* The choice of an issuing CA as a row. */
#include "registrar/records/issuing.h"

#include <string.h>

#include "registrar/records/sql.h"

static bool choice_row(void *arg, const struct store_row *r, struct err *e)
{
	struct issuing_choice *out = arg;
	struct bytes key = store_row_blob(r, 0);

	if (key.len != SHA256_LEN)
		return err_set(e, ERR_STORE, "the choice of the issuing CA is damaged");
	memcpy(out->key_sha256, key.data, SHA256_LEN);
	out->at = store_row_int(r, 1);
	out->made = true;
	return true;
}

bool records_issuing(struct store *s, struct issuing_choice *out, struct err *e)
{
	*out = (struct issuing_choice){.made = false};
	return store_read(s, READ_ISSUING, NULL, 0, choice_row, out, NULL, e);
}

bool records_choose_issuing(const struct records_writer *w, const uint8_t key_sha256[SHA256_LEN],
	const struct journal_entry *j, struct err *e)
{
	const struct store_op ops[] = {
		{.statement = CHOOSE_ISSUING,
			.params = {store_blob(bytes_of(key_sha256, SHA256_LEN)), STORE_I(j->at)},
			.param_count = 2},
		journal_op(j),
	};

	return records_write(w, ops, sizeof(ops) / sizeof(*ops), e);
}
