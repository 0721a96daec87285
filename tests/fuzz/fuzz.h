/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput(); it is linked
 * twice: with libFuzzer (`make fuzz`) and with replay.c, which feeds it the files of its corpus
 * (`make check`). A target does not only wait for crashes: it states what must hold and calls
 * FUZZ_REQUIRE() on it. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "common/message/voucher_format.h"
#include "common/pki/cert_cache.h"
#include "common/pki/chain.h"
#include "common/pki/identity.h"

#define FUZZ_NOW   1796000000 /* 2026-11-30: every certificate in pki/ is valid then */
#define FUZZ_NONCE "AAECAwQFBgcICQoLDA0ODw=="

/* The interface of libFuzzer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t room, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t room);

#define FUZZ_REQUIRE(condition)                                                                    \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fuzz_broken(#condition, __FILE__, __LINE__);                               \
	} while (0)
__attribute__((noreturn)) void fuzz_broken(const char *what, const char *file, int line);

/* What every call promises: OpenSSL's queue is empty, and it failed if and only if *e says why in
 * one printable line. */
void fuzz_check_promises(bool ok, const struct err *e);

/* The input as a NUL-terminated string, cut at its first NUL; the caller frees. */
char *fuzz_text(const uint8_t *data, size_t len);

/* The fixed keys and certificates of pki/, loaded once. */
struct fuzz_site {
	struct identity masa, device, registrar;
	struct cert_list maker_certs, site_certs; /* the roots */
	struct anchors *maker, *maker_issuing, *site;
	struct cert_cache *certs;
};
struct fuzz_site *fuzz_site(void);

/* Change a signed voucher and sign it again, so that the code behind the signature is reached.
 * signer signs the outer container. inner signs a prior-signed-voucher-request inside, which is
 * changed, too; NULL: there is none. The signers' chains go along unless alone. Now and then the
 * octets are changed without a new signature.
 */
size_t fuzz_mutate_signed(uint8_t *data, size_t len, size_t room, unsigned seed,
	const struct identity *signer, const struct identity *inner, bool alone);

/* Change one element of the DER and mend the lengths around it; false when it is no DER. Appends.
 */
bool fuzz_change_der(struct bytes der, unsigned seed, struct buf *out) MUST_CHECK;
/* The same as a custom mutator, now and then with octets changed blindly. */
size_t fuzz_mutate_der(uint8_t *data, size_t len, size_t room, unsigned seed);

/* The same for CBOR, going into byte strings that hold CBOR. */
bool fuzz_change_cbor(struct bytes cbor, unsigned seed, struct buf *out) MUST_CHECK;
size_t fuzz_mutate_cbor(uint8_t *data, size_t len, size_t room, unsigned seed);
/* fuzz_mutate_signed() for COSE. certs: what goes along in the outer bag; may be NULL. */
size_t fuzz_mutate_cose(uint8_t *data, size_t len, size_t room, unsigned seed,
	const struct identity *signer, const struct identity *inner, const struct cert_list *certs);

/* A file of its own in memory (tmpfs when there is one), removed at exit: for parsers of files. */
const char *fuzz_directory(void);
void fuzz_write_file(const char *path, const uint8_t *data, size_t len);

#endif
