/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of the admin tools and their one connection to the daemon: see ctl.h. */
#include "ctl/ctl.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/wire/json.h"
#include "common/wire/media_type.h"
#include "common/wire/problem.h"
#include "common/wire/percent.h"
#include "ctl/internal.h"
#include "ctl/remote.h"

#define REPLY_MAX	    (64 * 1024 * 1024) /* a result for each row of the longest import */
#define MESSAGE_MAX	    8192
#define STATUS_UNAUTHORIZED 401
#define TIMEOUT_S	    60L	 /* the daemon's own limit for an answer */
#define URL_MAX_LEN	    4096 /* a path with the longest serial, percent-encoded */

/* ---- messages ---- */

void ctl_put(FILE *out, const char *text)
{
	while (*text) {
		size_t unsafe = text_unsafe_len(text);

		if (!unsafe)
			putc(*text++, out);
		for (; unsafe; unsafe--, text++)
			putc('?', out);
	}
}

enum ctl_exit ctl_fail(const struct ctl *c, const char *fmt, ...)
{
	char text[MESSAGE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_make_safe(text, '?'); /* names of devices are in it */
	fprintf(stderr, "%s: %s\n", c->program->name, text);
	return CTL_FAILED;
}

static enum ctl_exit fail_about(
	const struct ctl *c, const char *about, enum ctl_exit code, const char *why)
{
	ctl_fail(c, "%s%s%s", about ? about : "", about ? ": " : "", why);
	return code;
}

void ctl_tally_add(struct ctl_tally *t, enum ctl_exit result)
{
	if (result == CTL_DONE)
		t->done++;
	else if (t->failed++ == 0)
		t->first_failure = result;
}

enum ctl_exit ctl_tally_exit(const struct ctl_tally *t)
{
	if (t->failed == 0)
		return CTL_DONE;
	return t->done ? CTL_PARTLY : t->first_failure;
}

/* ---- requests ---- */

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct err ignored = ERR_INIT;

	return buf_append(arg, data, size * count, &ignored) ? size * count : 0;
}

static enum ctl_exit exit_of_status(long status)
{
	static const struct {
		long status;
		enum ctl_exit code;
	} codes[] = {{STATUS_UNAUTHORIZED, CTL_NOT_ALLOWED}, {403, CTL_NOT_ALLOWED},
		{404, CTL_NOT_FOUND}};

	if (status >= 200 && status < 300)
		return CTL_DONE;
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (codes[i].status == status)
			return codes[i].code;
	return CTL_FAILED;
}

static bool set_up(struct ctl *c, const char *method, const char *url, struct bytes body,
	struct curl_slist *headers, struct buf *reply)
{
	curl_easy_reset(c->curl);
	return remote_set_up(c) && curl_easy_setopt(c->curl, CURLOPT_URL, url) == CURLE_OK &&
	       curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE, (long)body.len) == CURLE_OK &&
	       curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS,
		       body.len ? (const char *)body.data : "") == CURLE_OK &&
	       curl_easy_setopt(c->curl, CURLOPT_HTTPGET, (long)(strcmp(method, "GET") == 0)) ==
		       CURLE_OK &&
	       curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK &&
	       curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
	       curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, TIMEOUT_S) == CURLE_OK &&
	       curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(c->curl, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
	       curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, reply) == CURLE_OK;
}

static const char *what_next(const struct ctl *c, CURLcode rc)
{
	if (rc == CURLE_PEER_FAILED_VERIFICATION)
		return c->cacert ? "; is it the right service, and is --cacert the CA of "
				   "its certificate?"
				 : "; --cacert FILE names the CA of its certificate";
	if (rc != CURLE_COULDNT_CONNECT)
		return "";
	return c->url ? "; does the service run? is --url right?"
		      : "; does the service run? is --socket right?";
}

static enum ctl_exit unreachable(const struct ctl *c, const char *about, CURLcode rc)
{
	char why[512];
	long number = 0;

	curl_easy_getinfo(c->curl, CURLINFO_OS_ERRNO, &number);
	snprintf(why, sizeof(why), "%s: %s%s", c->url ? c->url : c->socket,
		rc == CURLE_COULDNT_CONNECT && number ? strerror((int)number)
						      : curl_easy_strerror(rc),
		what_next(c, rc));
	fail_about(c, about, CTL_FAILED, why);
	if (rc == CURLE_COULDNT_RESOLVE_HOST)
		return CTL_UNREACHABLE;
	if (rc != CURLE_COULDNT_CONNECT)
		return CTL_FAILED;
	return number == EACCES || number == EPERM ? CTL_NOT_ALLOWED : CTL_UNREACHABLE;
}

static bool is_of_type(struct ctl *c, const char *wanted)
{
	const char *type = NULL;

	curl_easy_getinfo(c->curl, CURLINFO_CONTENT_TYPE, &type);
	return media_type_is(type, wanted);
}

/* Say why the service refused: the sentence of its problem, or its text. */
static enum ctl_exit fail_as_told(
	struct ctl *c, const char *about, enum ctl_exit code, const struct buf *reply)
{
	struct err e = ERR_INIT;
	const char *detail = NULL;
	JSON_AUTO json_t *problem =
		is_of_type(c, PROBLEM_TYPE) ? json_parse_object(buf_bytes(reply), &e) : NULL;

	if (problem && (!json_get_string(problem, "detail", &detail, &e) || !detail))
		detail = "the service refused without a reason";
	if (!detail)
		detail = reply->len ? buf_str(reply) : "the service refused without a reason";
	return fail_about(c, about, code, detail);
}

static enum ctl_exit want_token(const struct ctl *c, const char *about)
{
	char why[160];

	snprintf(why, sizeof(why),
		remote_authorization(c) ? "the token counts no more, or never did: %s makes one"
					: "a token is needed: %s makes one, --token-file names it",
		c->program->token_command);
	return fail_about(c, about, CTL_NOT_ALLOWED, why);
}

/* One exchange with the service; the connection is kept for the next one. *told: why it was refused
 * is in the reply; set when the caller wants that. */
static enum ctl_exit exchange(struct ctl *c, const char *about, const char *method,
	const char *path, const char *content_type, struct bytes body, struct buf *reply,
	bool *told)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
	char url[URL_MAX_LEN], type[160], match[48];
	long status = 0;
	CURLcode rc;

	if (!remote_url(c, path, url, sizeof(url))) {
		curl_slist_free_all(headers);
		return fail_about(c, about, CTL_USAGE, "argument too long");
	}
	if (content_type) {
		snprintf(type, sizeof(type), "Content-Type: %s", content_type);
		headers = curl_slist_append(headers, type);
	}
	if (c->revision) {
		snprintf(match, sizeof(match), "If-Match: \"%" PRId64 "\"", c->revision);
		headers = curl_slist_append(headers, match);
	}
	if (remote_authorization(c))
		headers = curl_slist_append(headers, remote_authorization(c));
	rc = set_up(c, method, url, body, headers, reply) ? curl_easy_perform(c->curl)
							  : CURLE_OUT_OF_MEMORY;
	curl_slist_free_all(headers);
	if (rc != CURLE_OK)
		return unreachable(c, about, rc);
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	*told = *told && exit_of_status(status) != CTL_DONE && is_of_type(c, "application/json");
	if (*told || exit_of_status(status) == CTL_DONE)
		return exit_of_status(status);
	if (status == STATUS_UNAUTHORIZED && c->url)
		return want_token(c, about);
	return fail_as_told(c, about, exit_of_status(status), reply);
}

enum ctl_exit ctl_request(struct ctl *c, const char *about, const char *method, const char *path,
	const char *content_type, struct bytes body, json_t **reply)
{
	BUF_AUTO struct buf text = BUF_INIT(REPLY_MAX);
	struct err e = ERR_INIT;
	bool told = reply != NULL;
	enum ctl_exit code = exchange(c, about, method, path, content_type, body, &text, &told);

	if (reply)
		*reply = NULL;
	if ((code != CTL_DONE && !told) || !reply || text.len == 0)
		return code;
	*reply = json_parse_object(buf_bytes(&text), &e);
	return *reply ? code : fail_about(c, about, CTL_FAILED, e.text);
}

enum ctl_exit ctl_request_json(struct ctl *c, const char *about, const char *method,
	const char *path, const json_t *body, json_t **reply)
{
	BUF_AUTO struct buf text = BUF_INIT(REPLY_MAX);
	struct err e = ERR_INIT;

	if (!json_format(body, &text, &e))
		return fail_about(c, about, CTL_FAILED, e.text);
	return ctl_request(c, about, method, path, "application/json", buf_bytes(&text), reply);
}

enum ctl_exit ctl_change_json(struct ctl *c, const char *about, const char *path, int64_t revision,
	const json_t *body, json_t **reply)
{
	enum ctl_exit code;

	c->revision = revision;
	code = ctl_request_json(c, about, "POST", path, body, reply);
	c->revision = 0;
	return code;
}

bool ctl_path_add(struct buf *path, const char *segment, struct err *e)
{
	return buf_append_str(path, "/", e) && percent_encode(bytes_of_str(segment), path, e);
}
