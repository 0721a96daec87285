/* SPDX-License-Identifier: Apache-2.0 */
/* Content-Type and Accept. */
#include <stdlib.h>
#include <string.h>

#include "common/wire/media_type.h"
#include "tests/fuzz/fuzz.h"

static const char *const offered[] = {
	"application/voucher-cms+json", "application/pkcs7-mime", "text/plain"};
#define OFFERED_COUNT (sizeof(offered) / sizeof(*offered))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = fuzz_text(data, len);
	char name[MEDIA_TYPE_MAX + 1], again[MEDIA_TYPE_MAX + 1];
	int chosen = media_type_negotiate(text, offered, OFFERED_COUNT);

	FUZZ_REQUIRE(chosen >= -1 && chosen < (int)OFFERED_COUNT);
	if (media_type_name(text, name)) {
		FUZZ_REQUIRE(strchr(name, '/') && !strpbrk(name, " ;,\t"));
		FUZZ_REQUIRE(media_type_is(text, name));
		FUZZ_REQUIRE(media_type_name(name, again) && strcmp(name, again) == 0);
	}
	(void)voucher_format_by_media_type(text);
	(void)voucher_format_by_accept(text, voucher_formats);
	free(text);
	return 0;
}
