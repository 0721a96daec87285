/* SPDX-License-Identifier: Apache-2.0 */
/* Flooding in GRASP as BRSKI uses it (RFC 8990 §2.8.11, §2.9.5; RFC 8995 §4.1.1, §4.3): an M_FLOOD
 * with objectives and where each of them is. Read and written in this file; no sockets. */
#ifndef NET_GRASP_H
#define NET_GRASP_H

#include "common/base/buf.h"

#define GRASP_PORT  7017
#define GRASP_GROUP "ff02::13" /* ALL_GRASP_NEIGHBORS */

#define GRASP_MESSAGE_MAX    2048 /* RFC 8990 §2.5.4.2: GRASP_DEF_MAX_SIZE */
#define GRASP_OBJECTIVES_MAX 16
#define GRASP_NAME_MAX	     63
#define GRASP_VALUE_MAX	     63
#define GRASP_HOST_MAX	     255

#define GRASP_FLAG_SYNCH 4 /* F_SYNCH is bit 2: what BRSKI's objectives have, and no other */

enum grasp_locator { /* the option's number */
	GRASP_NO_LOCATOR = 0,
	GRASP_IPV6_LOCATOR = 103,
	GRASP_IPV4_LOCATOR = 104,
	GRASP_FQDN_LOCATOR = 105,
	GRASP_URI_LOCATOR = 106,
};

struct grasp_objective {
	char name[GRASP_NAME_MAX + 1];
	uint8_t flags, loops;
	bool has_value;			 /* a text, as BRSKI's have; */
	char value[GRASP_VALUE_MAX + 1]; /* "" when it is none, or of another kind */
	enum grasp_locator locator;	 /* GRASP_NO_LOCATOR: none, or one of an unknown kind */
	uint8_t address[16];		 /* IPv4: the first four */
	char host[GRASP_HOST_MAX + 1];	 /* FQDN, URI */
	uint8_t protocol;		 /* IPPROTO_TCP, IPPROTO_UDP; 0: not said */
	uint16_t port;			 /* 0: not said */
};

struct grasp_flood {
	uint32_t session;
	uint8_t initiator[16];
	size_t initiator_len; /* 4 or 16 */
	uint32_t ttl_ms;
	struct grasp_objective objectives[GRASP_OBJECTIVES_MAX];
	size_t count; /* 1 or more */
};

/* ERR_INPUT: no M_FLOOD; ERR_TOO_LARGE. */
bool grasp_flood_parse(struct bytes octets, struct grasp_flood *out, struct err *e) MUST_CHECK;
bool grasp_flood_format(const struct grasp_flood *in, struct buf *out, struct err *e) MUST_CHECK;

#endif
