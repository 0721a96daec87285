/* SPDX-License-Identifier: Apache-2.0 */
/* --url, --token-file, --cacert and their environment variables. */
#include "ctl/remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/file.h"

#define HTTPS	      "https://"
#define TOKEN_LEN_MAX 512 /* ours have 70 */
#define NAME_LEN_MAX  64

static const char *from_environment(const struct ctl *c, const char *what)
{
	char name[NAME_LEN_MAX];
	const char *value;

	if (!c->program->environment)
		return NULL;
	snprintf(name, sizeof(name), "%s_%s", c->program->environment, what);
	value = getenv(name);
	return value && *value ? value : NULL;
}

/* What was said on the command line counts before what the environment says. */
static void choose(struct ctl *c)
{
	if (!c->url && !c->socket_given)
		c->url = from_environment(c, "URL");
	if (!c->token_file)
		c->token_file = from_environment(c, "TOKEN_FILE");
	if (!c->cacert)
		c->cacert = from_environment(c, "CACERT");
}

static bool url_check(const struct ctl *c)
{
	const char *host = c->url + strlen(HTTPS);

	if (strncmp(c->url, HTTPS, strlen(HTTPS)) != 0 || !*host || *host == '/' ||
		strpbrk(host, "@?# \t\r\n\\")) {
		ctl_fail(c, "%s: a URL is written like https://HOST:PORT", c->url);
		return false;
	}
	return true;
}

static bool is_private(const struct ctl *c)
{
	struct stat st;

	if (stat(c->token_file, &st) == 0 && (st.st_mode & S_IROTH)) {
		ctl_fail(c, "%s: everybody on this machine can read the token; chmod 600 it",
			c->token_file);
		return false;
	}
	return true;
}

static bool read_token(struct ctl *c)
{
	BUF_AUTO_WIPE struct buf text = BUF_INIT(TOKEN_LEN_MAX);
	struct err e = ERR_INIT;
	size_t len;

	if (!is_private(c))
		return false;
	if (!file_read(c->token_file, &text, &e)) {
		ctl_fail(c, "%s", e.text);
		return false;
	}
	len = strcspn(buf_str(&text), " \t\r\n");
	if (len == 0 || len + strspn(buf_str(&text) + len, " \t\r\n") != text.len) {
		ctl_fail(c, "%s: not one token", c->token_file);
		return false;
	}
	c->authorization = str_printf(&e, "Authorization: Bearer %.*s", (int)len, buf_str(&text));
	if (!c->authorization)
		ctl_fail(c, "%s", e.text);
	return c->authorization != NULL;
}

bool remote_prepare(struct ctl *c)
{
	choose(c);
	if (!c->url)
		return true;
	if (c->socket_given) {
		ctl_fail(c, "--socket or --url, not both");
		return false;
	}
	return url_check(c) && (!c->token_file || read_token(c));
}

void remote_clear(struct ctl *c)
{
	if (c->authorization)
		explicit_bzero(c->authorization, strlen(c->authorization));
	free_ptr(&c->authorization);
}

bool remote_set_up(struct ctl *c)
{
	if (!c->url)
		return curl_easy_setopt(c->curl, CURLOPT_UNIX_SOCKET_PATH, c->socket) == CURLE_OK;
	return curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
	       (!c->cacert || (curl_easy_setopt(c->curl, CURLOPT_CAINFO, c->cacert) == CURLE_OK &&
				      curl_easy_setopt(c->curl, CURLOPT_CAPATH, NULL) == CURLE_OK));
}

bool remote_url(const struct ctl *c, const char *path, char *out, size_t room)
{
	const char *base = c->url ? c->url : "http://localhost";
	size_t len = strlen(base);

	while (len && base[len - 1] == '/')
		len--;
	return snprintf(out, room, "%.*s%s", (int)len, base, path) < (int)room;
}

const char *remote_authorization(const struct ctl *c)
{
	return c->url ? c->authorization : NULL;
}
