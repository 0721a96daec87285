/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens' lines, word by word: see tokens.h. */
#include "masa/tokens.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/file.h"
#include "common/wire/datetime.h"
#include "common/wire/hex.h"

#define FILE_MAX 65536 /* MASA_TOKENS_MAX lines with a long comment each */
#define BLANKS	 " \t\r"
#define NAME_CHARS                                                                                 \
	"abcdefghijklmnopqrstuvwxyz"                                                               \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

struct masa_tokens {
	size_t count;
	struct masa_token items[MASA_TOKENS_MAX];
};

/* ---- words ---- */

static bool read_name(const char *word, struct masa_token *t, struct err *e)
{
	size_t len = strlen(word);

	if (len == 0 || len > MASA_TOKEN_NAME_MAX || strspn(word, NAME_CHARS) != len)
		return err_set(e, ERR_INPUT,
			"a name has 1 to %d letters, digits, dots, dashes or underscores",
			MASA_TOKEN_NAME_MAX);
	memcpy(t->name, word, len + 1);
	return true;
}

static bool read_digest(const char *word, struct masa_token *t, struct err *e)
{
	if (!word || strlen(word) != (size_t)2 * SHA256_LEN)
		return err_set(e, ERR_INPUT, "behind the name belongs a SHA-256 in hexadecimal");
	for (size_t i = 0; i < SHA256_LEN; i++) {
		int high = hex_digit(word[2 * i]), low = hex_digit(word[2 * i + 1]);

		if (high < 0 || low < 0)
			return err_set(e, ERR_INPUT, "the SHA-256 is not hexadecimal");
		t->digest[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool read_until(const char *word, struct masa_token *t, struct err *e)
{
	struct err why = ERR_INIT;

	if (datetime_parse_or_day(word, DATETIME_DAY_ENDS, &t->until, &why) && t->until > 0)
		return true;
	return err_set(e, ERR_INPUT,
		"%.40s is neither read nor all nor lookup nor a date like 2026-12-31", word);
}

static bool read_rest(char **rest, struct masa_token *t, struct err *e)
{
	const char *word = strtok_r(NULL, BLANKS, rest);

	if (word && (strcmp(word, "read") == 0 || strcmp(word, "all") == 0 ||
			    strcmp(word, "lookup") == 0)) {
		t->changes = strcmp(word, "all") == 0;
		t->lookup = strcmp(word, "lookup") == 0;
		word = strtok_r(NULL, BLANKS, rest);
	}
	if (word && !read_until(word, t, e))
		return false;
	return !word || !strtok_r(NULL, BLANKS, rest) ||
	       err_set(e, ERR_INPUT, "more stands behind the date");
}

/* ---- lines ---- */

/* Two lines that could be meant would make it chance who somebody is. */
static bool is_new(const struct masa_tokens *all, const struct masa_token *t, struct err *e)
{
	for (size_t i = 0; i < all->count; i++) {
		if (strcmp(all->items[i].name, t->name) == 0)
			return err_set(e, ERR_INPUT, "the name %s stands twice", t->name);
		if (memcmp(all->items[i].digest, t->digest, SHA256_LEN) == 0)
			return err_set(e, ERR_INPUT, "%s and %s are the same token",
				all->items[i].name, t->name);
	}
	return true;
}

static bool read_line(struct masa_tokens *all, char *line, struct err *e)
{
	struct masa_token t = {.changes = false};
	char *rest = NULL, *name;

	line[strcspn(line, "#")] = '\0';
	name = strtok_r(line, BLANKS, &rest);
	if (!name)
		return true;
	if (!read_name(name, &t, e) || !read_digest(strtok_r(NULL, BLANKS, &rest), &t, e) ||
		!read_rest(&rest, &t, e) || !is_new(all, &t, e))
		return false;
	if (all->count == MASA_TOKENS_MAX)
		return err_set(e, ERR_INPUT, "more than %d tokens", MASA_TOKENS_MAX);
	all->items[all->count++] = t;
	return true;
}

struct masa_tokens *masa_tokens_parse(const char *path, char *text, struct err *e)
{
	struct masa_tokens *all = mem_new(sizeof(*all), e);
	size_t number = 0;

	for (char *line = text, *next; all && line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		number++;
		if (!read_line(all, line, e)) {
			err_prefix(e, "%s:%zu", path, number);
			free(all);
			return NULL;
		}
	}
	return all;
}

static bool is_guarded(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return err_set_errno(e, ERR_IO, "%s", path);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(e, ERR_INPUT,
			"%s: others than its owner may write it, and so administer; chmod go-w it",
			path);
	return true;
}

struct masa_tokens *masa_tokens_load(const char *path, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(FILE_MAX);

	if (!is_guarded(path, e) || !file_read(path, &text, e))
		return NULL;
	if (text.len && memchr(text.data, '\0', text.len)) {
		err_set(e, ERR_INPUT, "%s: not text", path);
		return NULL;
	}
	if (!text.len)
		return mem_new(sizeof(struct masa_tokens), e);
	return buf_append(&text, "", 1, e) ? masa_tokens_parse(path, (char *)text.data, e) : NULL;
}

void masa_tokens_free(struct masa_tokens *t)
{
	free(t);
}

size_t masa_tokens_count(const struct masa_tokens *t)
{
	return t ? t->count : 0;
}

/* ---- asking ---- */

const struct masa_token *masa_tokens_find(
	const struct masa_tokens *t, const char *secret, int64_t now, struct err *e)
{
	const struct masa_token *found = NULL;
	uint8_t digest[SHA256_LEN];

	if (!digest_sha256(bytes_of_str(secret), digest, e))
		return NULL;
	for (size_t i = 0; i < masa_tokens_count(t); i++)
		if (bytes_equal_ct(
			    bytes_of(t->items[i].digest, SHA256_LEN), bytes_of(digest, SHA256_LEN)))
			found = &t->items[i];
	if (!found)
		err_set(e, ERR_LOGIN, "no such token");
	else if (found->until && now > found->until)
		err_set(e, ERR_LOGIN, "the token %s has ended", found->name);
	else
		return found;
	return NULL;
}
