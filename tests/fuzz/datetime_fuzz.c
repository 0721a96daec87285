/* SPDX-License-Identifier: Apache-2.0 */
/* Moments from JSON and HTTP headers. A second line is the Date header beside a Retry-After. */
#include <stdlib.h>
#include <string.h>

#include "common/wire/datetime.h"
#include "tests/fuzz/fuzz.h"

static void check_moment(int64_t t)
{
	char text[DATETIME_LEN + 1];
	struct err e = ERR_INIT;
	int64_t again;

	if (!datetime_format(t, text, &e)) /* before 1970 */
		return;
	FUZZ_REQUIRE(strlen(text) == DATETIME_LEN);
	FUZZ_REQUIRE(datetime_parse(text, &again, &e) && again == t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = fuzz_text(data, len), *second = strchr(text, '\n');
	struct err e = ERR_INIT;
	int64_t t, delay;
	bool ok;

	if (second)
		*second++ = '\0';
	ok = datetime_parse(text, &t, &e);
	fuzz_check_promises(ok, &e);
	if (ok)
		check_moment(t);
	e = (struct err)ERR_INIT;
	ok = datetime_parse_http(text, &t, &e);
	fuzz_check_promises(ok, &e);
	if (ok)
		check_moment(t);
	if (datetime_parse_retry_after(text, second, FUZZ_NOW, &delay))
		FUZZ_REQUIRE(delay >= 0);
	free(text);
	return 0;
}
