/* SPDX-License-Identifier: Apache-2.0 */
/* Error kinds as status codes (RFC 8995 §5.3, §5.6), and the words that go with a code. */
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
} statuses[] = {
	{100, "Continue"},
	{200, "OK"},
	{201, "Created"},
	{202, "Accepted"},
	{204, "No Content"},
	{301, "Moved Permanently"},
	{302, "Found"},
	{303, "See Other"},
	{304, "Not Modified"},
	{307, "Temporary Redirect"},
	{308, "Permanent Redirect"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{406, "Not Acceptable"},
	{408, "Request Timeout"},
	{409, "Conflict"},
	{411, "Length Required"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{415, "Unsupported Media Type"},
	{417, "Expectation Failed"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{502, "Bad Gateway"},
	{503, "Service Unavailable"},
	{504, "Gateway Timeout"},
	{505, "HTTP Version Not Supported"},
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
