/* SPDX-License-Identifier: Apache-2.0 */
/* The token is printed once and kept nowhere: the MASA's file has its SHA-256, which suffices as
 * there is nothing to guess. */
#include "ctl/tokens_new.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/pki/digest.h"
#include "common/wire/datetime.h"
#include "common/wire/hex.h"
#include "ctl/internal.h"

#define TOKEN_PREFIX "brski-" /* so that scanners find a token that was published */
#define TOKEN_OCTETS 32
#define TOKEN_LEN    (sizeof(TOKEN_PREFIX) - 1 + (size_t)2 * TOKEN_OCTETS)
#define NAME_MAX_LEN 64 /* as the MASA reads it */
#define DAYS_MAX     3650
#define DAY_S	     86400
#define NAME_CHARS                                                                                 \
	"abcdefghijklmnopqrstuvwxyz"                                                               \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

const struct ctl_option tokens_new_options[] = {
	{"read", NULL}, {"lookup", NULL}, {"days", "D"}, {NULL, NULL}};

static bool name_check(const struct ctl *c, const char *name)
{
	size_t len = strlen(name);

	if (len > 0 && len <= NAME_MAX_LEN && strspn(name, NAME_CHARS) == len)
		return true;
	ctl_fail(
		c, "a name has 1 to %d letters, digits, dots, dashes or underscores", NAME_MAX_LEN);
	return false;
}

/* until: " " and a moment; "" without --days. */
static bool read_days(const struct ctl *c, char until[DATETIME_LEN + 2])
{
	const char *text = ctl_option(c, "days");
	struct err e = ERR_INIT;
	long days;
	char *end;

	until[0] = '\0';
	if (!text)
		return true;
	errno = 0;
	days = strtol(text, &end, 10);
	if (!*text || *end || errno || days < 1 || days > DAYS_MAX) {
		ctl_fail(c, "--days is 1 to %d", DAYS_MAX);
		return false;
	}
	until[0] = ' ';
	if (datetime_format(clock_unix_s(NULL) + (int64_t)days * DAY_S, until + 1, &e))
		return true;
	ctl_fail(c, "%s", e.text);
	return false;
}

static bool make(char token[TOKEN_LEN + 1], char digest[2 * SHA256_LEN + 1], struct err *e)
{
	uint8_t octets[TOKEN_OCTETS], of_token[SHA256_LEN];

	if (!rng_bytes(octets, sizeof(octets), e))
		return false;
	memcpy(token, TOKEN_PREFIX, sizeof(TOKEN_PREFIX) - 1);
	hex_encode(bytes_of(octets, sizeof(octets)), token + sizeof(TOKEN_PREFIX) - 1);
	explicit_bzero(octets, sizeof(octets));
	if (!digest_sha256(bytes_of_str(token), of_token, e))
		return false;
	hex_encode(bytes_of(of_token, sizeof(of_token)), digest);
	return true;
}

/* The secret stays out of everything that is not wiped. */
static void print(const struct ctl *c, const char *token, const char *line)
{
	switch (c->output) {
	case CTL_JSON:
		printf("{\"token\": \"%s\", \"line\": \"%s\"}\n", token, line);
		break;
	case CTL_IDS:
		printf("%s\n", token);
		fprintf(stderr, "%s\n", line);
		break;
	case CTL_CSV:
		printf("token,line\n%s,%s\n", token, line);
		break;
	case CTL_TABLE:
		printf("token, shown only now, for --token-file:\n%s\n"
		       "line for the file that [admin] tokens names; then reload the MASA:\n%s\n",
			token, line);
		break;
	}
}

enum ctl_exit tokens_new(struct ctl *c, int argc, char **argv)
{
	char token[TOKEN_LEN + 1], digest[2 * SHA256_LEN + 1], until[DATETIME_LEN + 2];
	const char *may = ctl_option(c, "lookup") ? "lookup"
			  : ctl_option(c, "read") ? "read"
						  : "all";
	FREE_AUTO char *line = NULL;
	struct err e = ERR_INIT;

	if (!name_check(c, argv[0]) || !read_days(c, until))
		return CTL_USAGE;
	if (!make(token, digest, &e) ||
		!(line = str_printf(&e, "%s %s %s%s", argv[0], digest, may, until)))
		return ctl_fail(c, "%s", e.text);
	print(c, token, line);
	explicit_bzero(token, sizeof(token));
	return CTL_DONE;
}
