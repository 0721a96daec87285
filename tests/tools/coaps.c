/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge's CoAPS session from the command line, for tests in other languages:
 *
 *   coaps KEY CERT MTU TIMEOUT_MS URI [METHOD PATH TYPE ACCEPT < body] [METHOD PATH TYPE ACCEPT]…
 *
 * One association to coaps://host:port, one request after the other on it; TYPE or ACCEPT "-":
 * none. The body is the same for each that is no GET. For each answer a line "STATUS LENGTH RETRY
 * TYPE" and the body behind it. Exit 1 with the reason on stderr. Not installed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/file.h"
#include "common/net/coap_session.h"
#include "common/net/tls.h"

#define BODY_MAX	262144
#define WORDS_A_REQUEST 4
#define WORDS_BEFORE	6

static const char *word(const char *s)
{
	return strcmp(s, "-") == 0 ? NULL : s;
}

static bool request(struct coap_session *s, char **argv, struct bytes body, struct err *e)
{
	struct session_request rq = {.method = argv[0],
		.path = argv[1],
		.content_type = word(argv[2]),
		.accept = word(argv[3]),
		.reply_max = BODY_MAX};
	struct session_reply reply;

	if (strcmp(rq.method, "GET") != 0)
		rq.body = body;
	if (!coap_session_send(s, &rq, &reply, e))
		return false;
	printf("%d %zu %s %s\n", reply.status, reply.body.len,
		reply.retry_after[0] ? reply.retry_after : "-", reply.content_type);
	fwrite(reply.body.data, 1, reply.body.len, stdout);
	fflush(stdout);
	buf_clear(&reply.body);
	return true;
}

static bool talk(struct coap_session *s, int argc, char **argv, struct err *e)
{
	BUF_AUTO struct buf body = BUF_INIT(BODY_MAX);

	if (!file_read("/dev/stdin", &body, e) || !coap_session_connect(s, e))
		return false;
	for (int i = WORDS_BEFORE; i + WORDS_A_REQUEST <= argc; i += WORDS_A_REQUEST)
		if (!request(s, argv + i, buf_bytes(&body), e))
			return false;
	return true;
}

static bool run(int argc, char **argv, struct err *e)
{
	IDENTITY_AUTO struct identity id = {.key = NULL};
	struct session_config config = {.identity = &id};
	struct coap_session *s;
	bool ok;

	if (argc < WORDS_BEFORE)
		return err_set(e, ERR_INPUT, "too few words");
	config.mtu = strtoul(argv[3], NULL, 10);
	config.connect_ms = config.timeout_ms = strtol(argv[4], NULL, 10);
	if (!tls_init(e) || !identity_load(&id, argv[1], argv[2], e) ||
		!uri_parse_server(argv[5], &config.server, e))
		return false;
	s = coap_session_new(&config, e);
	ok = s && talk(s, argc, argv, e);
	coap_session_free(s);
	return ok;
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;

	if (run(argc, argv, &e))
		return 0;
	fprintf(stderr, "coaps: %s: %s\n", err_kind_name(e.kind), e.text);
	return 1;
}
