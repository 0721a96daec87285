/* SPDX-License-Identifier: Apache-2.0 */
/* A key with a certificate for the tests of what signs, and two ways to say what a call must do. */
#ifndef TESTS_IDENTITY_FIXTURE_H
#define TESTS_IDENTITY_FIXTURE_H

#include "common/pki/identity.h"
#include "tests/unit/pki_fixture.h"

/* The call succeeds; the error it left in `e` is shown otherwise. */
#define MUST(call)                                                                                 \
	do {                                                                                       \
		if (!(call))                                                                       \
			fail_msg("%s: %s", #call, e.text);                                         \
	} while (0)
/* The call fails, says why in `e`, and with this kind of error. */
#define REFUSED(call, wanted)                                                                      \
	do {                                                                                       \
		e = (struct err)ERR_INIT;                                                          \
		assert_false(call);                                                                \
		if (e.kind != (wanted))                                                            \
			fail_msg("%s: %s instead of %s: %s", #call, err_kind_name(e.kind),         \
				err_kind_name(wanted), e.text);                                    \
		assert_true(e.text[0] != '\0');                                                    \
	} while (0)

/* A self-signed identity with a new key. */
static inline void fixture_identity(enum key_type type, const char *cn, struct identity *out)
{
	struct err e = ERR_INIT;
	struct recipe r = {.cn = cn,
		.digest = type == KEY_ED25519 ? "" : "SHA256",
		.ext = {{"subjectKeyIdentifier", "hash"}}};

	*out = (struct identity){.key = key_generate(type, &e)};
	if (!out->key)
		fail_msg("%s", e.text);
	r.key = key_evp(out->key);
	out->cert = fixture_cert(&r);
}

#endif
