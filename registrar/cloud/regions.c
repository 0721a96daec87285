/* SPDX-License-Identifier: Apache-2.0 */
/* Prefixes and their regions: see regions.h. Some thousand lines are looked at one by one, which
 * costs less than the signature that a request costs anyway. */
#include "registrar/cloud/regions.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/file.h"
#include "common/net/address.h"

#define BLANKS	  " \t\r"
#define V4_MAPPED 96
#define V6_BITS	  128

struct line {
	uint8_t prefix[ADDRESS_KEY_LEN];
	unsigned bits; /* of an IPv6 address; an IPv4 one is mapped */
	char region[PLACE_REGION_MAX + 1];
};

struct regions {
	size_t count;
	struct line lines[];
};

static bool read_prefix(char *word, struct line *l, struct err *e)
{
	char *slash = strchr(word, '/'), *end;
	struct err why = ERR_INIT;
	struct address a;
	unsigned long bits, most;

	if (slash)
		*slash = '\0';
	if (!address_parse(word, 0, &a, &why))
		return err_set(e, ERR_INPUT, "%.60s is no address", word);
	most = a.sa.sa_family == AF_INET ? V6_BITS - V4_MAPPED : V6_BITS;
	bits = slash ? strtoul(slash + 1, &end, 10) : most;
	if (slash && (!slash[1] || *end || bits > most))
		return err_set(e, ERR_INPUT, "/%.20s is no length of a prefix", slash + 1);
	l->bits = (unsigned)(bits + (V6_BITS - most));
	address_key(&a, l->prefix);
	return true;
}

static bool read_line(char *text, struct line *l, bool *empty, struct err *e)
{
	char *rest = NULL, *prefix, *region;

	text[strcspn(text, "#")] = '\0';
	prefix = strtok_r(text, BLANKS, &rest);
	*empty = !prefix;
	if (!prefix)
		return true;
	region = strtok_r(NULL, BLANKS, &rest);
	if (!region || strlen(region) > PLACE_REGION_MAX || strtok_r(NULL, BLANKS, &rest))
		return err_set(e, ERR_INPUT, "a line has a prefix and a region");
	memcpy(l->region, region, strlen(region) + 1);
	return read_prefix(prefix, l, e);
}

static size_t count_lines(const char *text)
{
	size_t n = 1;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

struct regions *regions_parse(char *text, struct err *e)
{
	size_t lines = count_lines(text), number = 0;
	struct regions *r;

	if (lines > REGIONS_MAX) {
		err_set(e, ERR_INPUT, "more than %d lines", REGIONS_MAX);
		return NULL;
	}
	r = mem_new(sizeof(*r) + lines * sizeof(r->lines[0]), e);
	for (char *line = text, *next; r && line; line = next) {
		bool empty;

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		number++;
		if (!read_line(line, &r->lines[r->count], &empty, e)) {
			err_prefix(e, "line %zu", number);
			free(r);
			return NULL;
		}
		r->count += !empty;
	}
	return r;
}

struct regions *regions_load(const char *path, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(REGIONS_FILE_MAX);
	struct regions *r;

	if (!file_read(path, &text, e) || !buf_append(&text, "", 1, e))
		return NULL;
	r = regions_parse((char *)text.data, e);
	if (!r)
		err_prefix(e, "%s", path);
	return r;
}

void regions_free(struct regions *r)
{
	free(r);
}

static bool fits(const struct line *l, const uint8_t key[ADDRESS_KEY_LEN])
{
	unsigned whole = l->bits / 8, rest = l->bits % 8;
	uint8_t mask = rest ? (uint8_t)(0xff << (8 - rest)) : 0;

	return memcmp(l->prefix, key, whole) == 0 &&
	       (!rest || ((l->prefix[whole] ^ key[whole]) & mask) == 0);
}

const char *regions_find(const struct regions *r, const char *host)
{
	const struct line *best = NULL;
	uint8_t key[ADDRESS_KEY_LEN];
	struct err ignored = ERR_INIT;
	struct address a;

	if (!r || !address_parse(host, 0, &a, &ignored))
		return "";
	address_key(&a, key);
	for (size_t i = 0; i < r->count; i++)
		if (fits(&r->lines[i], key) && (!best || r->lines[i].bits > best->bits))
			best = &r->lines[i];
	return best ? best->region : "";
}
