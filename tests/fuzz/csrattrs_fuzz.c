/* SPDX-License-Identifier: Apache-2.0 */
/* What a registrar asks for, as DER from the wire and, behind a first octet 'w', as words of the
 * configuration. */
#include <stdlib.h>

#include "common/pki/csrattrs.h"
#include "tests/fuzz/fuzz.h"

static void read_der(struct bytes der)
{
	CSRATTRS_AUTO struct csrattrs a = {.key_bits = 0};
	struct err e = ERR_INIT;
	enum key_type type;
	bool ok = csrattrs_parse(der, &a, &e);

	fuzz_check_promises(ok, &e);
	if (!ok)
		return;
	FUZZ_REQUIRE(a.extension_count <= CSRATTRS_EXT_MAX);
	ok = csrattrs_key_type(&a, &type, &e);
	fuzz_check_promises(ok, &e);
	if (ok && a.has_key_type)
		FUZZ_REQUIRE(type < KEY_TYPE_COUNT);
}

static void read_words(const uint8_t *data, size_t len)
{
	char *words = fuzz_text(data, len);
	BUF_AUTO struct buf der = BUF_INIT(CSRATTRS_DER_MAX);
	struct err e = ERR_INIT;
	bool ok = csrattrs_format(words, &der, &e);

	fuzz_check_promises(ok, &e);
	if (ok)
		read_der(buf_bytes(&der));
	free(words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len && data[0] == 'w')
		read_words(data + 1, len - 1);
	else
		read_der(bytes_of(data, len));
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t room, unsigned seed)
{
	return fuzz_mutate_der(data, len, room, seed);
}
