/* SPDX-License-Identifier: Apache-2.0 */
/* One CoAP message over a datagram transport (RFC 7252 §3): octets to struct and back. Strict:
 * whatever §3 calls a message format error is refused, and what is kept is bounded. Says nothing
 * about what the options mean beyond their type; carriers do. Options come out sorted by number. */
#ifndef WIRE_COAP_MESSAGE_H
#define WIRE_COAP_MESSAGE_H

#include "common/base/buf.h"

#define COAP_TOKEN_MAX	   8
#define COAP_ETAG_MAX	   8	 /* RFC 7252 §5.10.6 */
#define COAP_OPTIONS_MAX   32	 /* of one message: a path of ten segments and all we know */
#define COAP_MESSAGE_MAX   16384 /* one datagram of a DTLS record */
#define COAP_CODE(c, dd)   ((uint8_t)((c) << 5 | (dd)))
#define COAP_CODE_CLASS(x) ((x) >> 5)

enum coap_type { COAP_CON, COAP_NON, COAP_ACK, COAP_RST };

enum coap_code {
	COAP_EMPTY = COAP_CODE(0, 0),
	COAP_GET = COAP_CODE(0, 1),
	COAP_POST = COAP_CODE(0, 2),
	COAP_PUT = COAP_CODE(0, 3),
	COAP_DELETE = COAP_CODE(0, 4),
	COAP_CREATED = COAP_CODE(2, 1),
	COAP_VALID = COAP_CODE(2, 3),
	COAP_CHANGED = COAP_CODE(2, 4),
	COAP_CONTENT = COAP_CODE(2, 5),
	COAP_CONTINUE = COAP_CODE(2, 31),
	COAP_BAD_REQUEST = COAP_CODE(4, 0),
	COAP_UNAUTHORIZED = COAP_CODE(4, 1),
	COAP_BAD_OPTION = COAP_CODE(4, 2),
	COAP_FORBIDDEN = COAP_CODE(4, 3),
	COAP_NOT_FOUND = COAP_CODE(4, 4),
	COAP_NOT_ALLOWED = COAP_CODE(4, 5),
	COAP_NOT_ACCEPTABLE = COAP_CODE(4, 6),
	COAP_INCOMPLETE = COAP_CODE(4, 8),
	COAP_CONFLICT = COAP_CODE(4, 9), /* RFC 8132 */
	COAP_TOO_LARGE = COAP_CODE(4, 13),
	COAP_UNSUPPORTED_FORMAT = COAP_CODE(4, 15),
	COAP_TOO_MANY_REQUESTS = COAP_CODE(4, 29), /* RFC 8516 */
	COAP_INTERNAL = COAP_CODE(5, 0),
	COAP_NOT_IMPLEMENTED = COAP_CODE(5, 1),
	COAP_BAD_GATEWAY = COAP_CODE(5, 2),
	COAP_UNAVAILABLE = COAP_CODE(5, 3),
	COAP_GATEWAY_TIMEOUT = COAP_CODE(5, 4),
	COAP_NO_PROXY = COAP_CODE(5, 5), /* the answer to Proxy-Uri and Proxy-Scheme */
};

enum coap_option_number {
	COAP_OPT_URI_HOST = 3,
	COAP_OPT_ETAG = 4,
	COAP_OPT_URI_PORT = 7,
	COAP_OPT_LOCATION_PATH = 8,
	COAP_OPT_URI_PATH = 11,
	COAP_OPT_CONTENT_FORMAT = 12,
	COAP_OPT_URI_PATH_ABBREV = 13, /* draft-ietf-core-uri-path-abbrev */
	COAP_OPT_MAX_AGE = 14,
	COAP_OPT_URI_QUERY = 15,
	COAP_OPT_ACCEPT = 17,
	COAP_OPT_BLOCK2 = 23,
	COAP_OPT_BLOCK1 = 27,
	COAP_OPT_SIZE2 = 28,
	COAP_OPT_PROXY_URI = 35,
	COAP_OPT_PROXY_SCHEME = 39,
	COAP_OPT_SIZE1 = 60,
	COAP_OPT_REQUEST_TAG = 292,
};

struct coap_option {
	uint16_t number;
	struct bytes value; /* borrowed from the octets, or from who added it */
};

struct coap_message {
	enum coap_type type;
	uint8_t code;
	uint16_t id;
	uint8_t token[COAP_TOKEN_MAX];
	size_t token_len;
	struct coap_option options[COAP_OPTIONS_MAX];
	size_t option_count;
	struct bytes payload; /* borrowed */
};

/* Borrows from datagram. When the four octets of the header could be read, type, code and id are
 * set even after a failure, so that a CON can be answered with RST; another version counts as NON,
 * because it is to be ignored. The code fits the type: an ACK or RST carries no request, only a
 * CON, ACK or RST may be empty. ERR_INPUT; ERR_TOO_LARGE: more octets or options than we read. */
bool coap_message_parse(struct bytes datagram, struct coap_message *out, struct err *e) MUST_CHECK;
/* Options may stand in any order; those of one number keep theirs. Appends. */
bool coap_message_format(const struct coap_message *m, struct buf *out, struct err *e) MUST_CHECK;

/* Building: value is borrowed until the message is formatted. ERR_TOO_LARGE: no room. */
bool coap_message_add(
	struct coap_message *m, uint16_t number, struct bytes value, struct err *e) MUST_CHECK;
/* Reading: the nth option of that number, NULL when there are fewer. */
const struct coap_option *coap_message_find(
	const struct coap_message *m, uint16_t number, size_t nth);
/* A uint option (RFC 7252 §3.2), leading zeros allowed. false: absent, or longer than 4 octets. */
bool coap_message_uint(const struct coap_message *m, uint16_t number, uint32_t *out);
/* Shortest form into scratch[4]; the bytes returned borrow from it. */
struct bytes coap_uint(uint32_t value, uint8_t scratch[4]);
/* The first critical option (odd number) that our programs do not know in a request or response,
 * that stands more often or is longer than it may; 0: none (RFC 7252 §5.4.1, §5.4.3, §5.4.5). */
uint16_t coap_message_bad_option(const struct coap_message *m, bool is_request);
/* The Uri-Path segments joined with "/", a leading one included ("/" when there are none). A
 * segment that is "." or "..", or with a slash, a NUL or a control character is ERR_INPUT. Appends.
 */
bool coap_message_path(const struct coap_message *m, struct buf *out, struct err *e) MUST_CHECK;

#endif
