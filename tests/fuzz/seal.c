/* SPDX-License-Identifier: Apache-2.0 */
/* For make_seeds.py: sign JSON with one of the keys in pki/, at the targets' time.
 *
 *   seal masa|device|registrar [also masa|device|registrar] < JSON > CMS
 *   seal masa|device|registrar cose masa|device|registrar|none < CBOR > COSE
 *
 * also, cose: whose certificate goes along besides the signer's chain; none: not even that.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/file.h"
#include "common/pki/cms.h"
#include "common/pki/cose.h"
#include "tests/fuzz/fuzz.h"

/* Part of fuzz_signed.c, which is linked in with the other helpers. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t room)
{
	return len;
}

static const struct identity *signer(const char *name)
{
	const struct fuzz_site *s = fuzz_site();

	if (strcmp(name, "masa") == 0)
		return &s->masa;
	return strcmp(name, "device") == 0 ? &s->device : &s->registrar;
}

static bool seal_cose(struct bytes cbor, const struct identity *id, const char *also,
	struct buf *out, struct err *e)
{
	const struct cert_list *chains[] = {&id->chain, &signer(also)->chain};
	CERT_LIST_AUTO struct cert_list bag = CERT_LIST_INIT;

	if (strcmp(also, "none") == 0)
		return cose_seal(cbor, id, NULL, out, e);
	if (!cert_list_add(&bag, id->cert, e) || !cert_list_add(&bag, signer(also)->cert, e))
		return false;
	for (size_t i = 0; i < 2; i++)
		for (size_t k = 0; k < chains[i]->count; k++)
			if (!cert_list_add(&bag, chains[i]->items[k], e))
				return false;
	return cose_seal(cbor, id, &bag, out, e);
}

int main(int argc, char **argv)
{
	BUF_AUTO struct buf json = BUF_INIT(CMS_DER_MAX), out = BUF_INIT(CMS_DER_MAX);
	struct err e = ERR_INIT;
	const struct identity *id = signer(argc > 1 ? argv[1] : "");
	struct cert_list extra = id->chain;

	bool cose = argc > 3 && strcmp(argv[2], "cose") == 0;

	if (argc > 3 && !cose && !cert_list_add(&extra, signer(argv[3])->cert, &e))
		return 1;
	if (!file_read("/dev/stdin", &json, &e) ||
		!(cose ? seal_cose(buf_bytes(&json), id, argv[3], &out, &e)
		       : cms_seal(buf_bytes(&json), id, &extra, FUZZ_NOW, &out, &e))) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	return fwrite(out.data, out.len, 1, stdout) == 1 ? 0 : 1;
}
