/* SPDX-License-Identifier: Apache-2.0 */
/* Error kinds as status codes and back: table 1.3 of the requirement matrix, RFC 8995 §5.6. */
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
	[ERR_RETRY_LATER] = 503,
	[ERR_PEER] = 502,
	[ERR_PEER_TIMEOUT] = 504,
	[ERR_STORE] = 503,
	[ERR_NO_MEMORY] = 503,
	[ERR_IO] = 500,
	[ERR_BUG] = 500,
};

static const struct {
	int status;
	const char *reason;
	enum err_kind kind; /* what it means when an upstream says so */
} statuses[] = {
	{100, "Continue", ERR_PEER},
	{200, "OK", ERR_NONE},
	{201, "Created", ERR_NONE},
	{202, "Accepted", ERR_RETRY_LATER},
	{204, "No Content", ERR_NONE},
	{301, "Moved Permanently", ERR_PEER},
	{302, "Found", ERR_PEER},
	{303, "See Other", ERR_PEER},
	{304, "Not Modified", ERR_PEER},
	{307, "Temporary Redirect", ERR_PEER},
	{308, "Permanent Redirect", ERR_PEER},
	{400, "Bad Request", ERR_INPUT},
	{401, "Unauthorized", ERR_REFUSED},
	{403, "Forbidden", ERR_REFUSED},
	{404, "Not Found", ERR_UNKNOWN_DEVICE},
	{405, "Method Not Allowed", ERR_PEER},
	{406, "Not Acceptable", ERR_NOT_ACCEPTABLE},
	{408, "Request Timeout", ERR_PEER_TIMEOUT},
	{409, "Conflict", ERR_CONFLICT},
	{411, "Length Required", ERR_PEER},
	{413, "Content Too Large", ERR_TOO_LARGE},
	{414, "URI Too Long", ERR_PEER},
	{415, "Unsupported Media Type", ERR_UNSUPPORTED_TYPE},
	{417, "Expectation Failed", ERR_PEER},
	{429, "Too Many Requests", ERR_RETRY_LATER},
	{431, "Request Header Fields Too Large", ERR_PEER},
	{500, "Internal Server Error", ERR_RETRY_LATER},
	{501, "Not Implemented", ERR_PEER},
	{502, "Bad Gateway", ERR_RETRY_LATER},
	{503, "Service Unavailable", ERR_RETRY_LATER},
	{504, "Gateway Timeout", ERR_RETRY_LATER},
	{505, "HTTP Version Not Supported", ERR_PEER},
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

enum err_kind status_to_kind(int http_status)
{
	for (size_t i = 0; i < STATUS_COUNT; i++)
		if (statuses[i].status == http_status)
			return statuses[i].kind;
	if (http_status >= 200 && http_status < 300)
		return ERR_NONE;
	if (http_status >= 500 && http_status < 600)
		return ERR_RETRY_LATER;
	return ERR_PEER;
}
