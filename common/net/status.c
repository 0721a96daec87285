/* SPDX-License-Identifier: Apache-2.0 */
/* Error kinds as status codes (RFC 8995 §5.3, §5.6), and the words that go with a code: what HTTP
 * calls it, and for errors what RFC 9457 problems of ours call it. */
#include "common/net/status.h"

#include <stddef.h>

static const int status_by_kind[ERR_KIND_COUNT] = {
	[ERR_NONE] = 200,
	[ERR_INPUT] = 400,
	[ERR_TOO_LARGE] = 413,
	[ERR_UNAUTHENTICATED] = 403,
	[ERR_PROXIMITY] = 401,
	[ERR_REFUSED] = 403,
	[ERR_UNWANTED] = 404,
	[ERR_UNKNOWN_DEVICE] = 404,
	[ERR_HISTORY] = 406,
	[ERR_NOT_ACCEPTABLE] = 406,
	[ERR_UNSUPPORTED_TYPE] = 415,
	[ERR_NOT_FOUND] = 404,
	[ERR_CONFLICT] = 409,
	[ERR_LOGIN] = 401,
	[ERR_NOT_ALLOWED] = 403,
	[ERR_STALE] = 412,
	[ERR_KEY_REUSED] = 422,
	[ERR_TOO_MANY] = 429,
	[ERR_RETRY_LATER] = 503,
	[ERR_PEER] = 502,
	[ERR_PEER_LOGIN] = 401,
	[ERR_PEER_TIMEOUT] = 504,
	[ERR_STORE] = 503,
	[ERR_NO_MEMORY] = 503,
	[ERR_IO] = 500,
	[ERR_BUG] = 500,
};

static const struct {
	int status;
	const char *reason;
	const char *code; /* as kinds of errors are named, where there is one */
} statuses[] = {
	{100, "Continue", NULL},
	{200, "OK", NULL},
	{201, "Created", NULL},
	{202, "Accepted", NULL},
	{204, "No Content", NULL},
	{301, "Moved Permanently", NULL},
	{302, "Found", NULL},
	{303, "See Other", NULL},
	{304, "Not Modified", NULL},
	{307, "Temporary Redirect", NULL},
	{308, "Permanent Redirect", NULL},
	{400, "Bad Request", "input"},
	{401, "Unauthorized", "not-logged-in"},
	{403, "Forbidden", "not-allowed"},
	{404, "Not Found", "not-found"},
	{405, "Method Not Allowed", "method-not-allowed"},
	{406, "Not Acceptable", "not-acceptable"},
	{408, "Request Timeout", "request-timeout"},
	{409, "Conflict", "conflict"},
	{411, "Length Required", "length-required"},
	{412, "Precondition Failed", "stale"},
	{413, "Content Too Large", "too-large"},
	{414, "URI Too Long", "uri-too-long"},
	{415, "Unsupported Media Type", "unsupported-type"},
	{417, "Expectation Failed", "expectation-failed"},
	{422, "Unprocessable Content", "key-reused"},
	{429, "Too Many Requests", "too-many"},
	{431, "Request Header Fields Too Large", "headers-too-large"},
	{500, "Internal Server Error", "bug"},
	{501, "Not Implemented", "method-unknown"},
	{502, "Bad Gateway", "peer"},
	{503, "Service Unavailable", "retry-later"},
	{504, "Gateway Timeout", "peer-timeout"},
	{505, "HTTP Version Not Supported", "http-version"},
};

#define STATUS_COUNT (sizeof(statuses) / sizeof(*statuses))

int status_of(enum err_kind kind)
{
	return kind < ERR_KIND_COUNT ? status_by_kind[kind] : 500;
}

const char *status_reason(int http_status)
{
	for (size_t i = 0; i < STATUS_COUNT; i++)
		if (statuses[i].status == http_status)
			return statuses[i].reason;
	return "Status";
}

const char *status_code_name(int http_status)
{
	for (size_t i = 0; i < STATUS_COUNT; i++)
		if (statuses[i].status == http_status && statuses[i].code)
			return statuses[i].code;
	return "error";
}
