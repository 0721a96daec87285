/* SPDX-License-Identifier: Apache-2.0 */
/* An ETag here is the revision in quotes; "*" expects nothing in particular. */
#include "registrar/admin_revision.h"

#include <stdio.h>
#include <string.h>

#include "registrar/admin_answer.h"

#define ETAG_LEN_MAX 24

static bool parse_etag(const char *text, int64_t *out)
{
	char number[ETAG_LEN_MAX];
	size_t len = strlen(text);

	if (len < 3 || len >= sizeof(number) || text[0] != '"' || text[len - 1] != '"')
		return false;
	memcpy(number, text + 1, len - 2);
	number[len - 2] = '\0';
	return admin_parse_number(number, out);
}

bool admin_expected_revision(const struct call *c, const json_t *body, int64_t *out, struct err *e)
{
	const char *given = call_header(c, "If-Match");
	const json_t *member = json_object_get(body, "revision");

	*out = 0;
	if (given && strcmp(given, "*") != 0 && !parse_etag(given, out)) {
		err_set(e, ERR_INPUT, "If-Match \"%.40s\"", given);
		return err_tell(e, "If-Match is the ETag the object was shown with.");
	}
	if (*out == 0 && member)
		*out = json_integer_value(member);
	if (member && (!json_is_integer(member) || *out < 1)) {
		err_set(e, ERR_INPUT, "revision is no number");
		return err_tell(e, "revision is the number the object was shown with.");
	}
	return true;
}

bool admin_stale(struct err *e)
{
	err_set(e, ERR_STALE, "the object has another revision by now");
	return err_tell(e, "This was changed meanwhile: look at it again.");
}

bool admin_check_revision(int64_t expected, int64_t actual, struct err *e)
{
	return expected == 0 || expected == actual || admin_stale(e);
}

void admin_set_etag(struct call *c, int64_t revision)
{
	char text[ETAG_LEN_MAX + 2];

	snprintf(text, sizeof(text), "\"%lld\"", (long long)revision);
	call_set_header(c, "ETag", text);
}
