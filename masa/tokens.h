/* SPDX-License-Identifier: Apache-2.0 */
/* Who may administer the MASA from elsewhere: a file with a line for each token,
 *   NAME SHA256HEX [read|all|lookup] [UNTIL]
 * where # begins a comment. The file holds digests, so that who reads it has no token; who may
 * write it decides who administers, therefore nobody but its owner may. */
#ifndef MASA_TOKENS_H
#define MASA_TOKENS_H

#include "common/base/buf.h"
#include "common/pki/digest.h"

#define MASA_TOKEN_NAME_MAX 64
#define MASA_TOKENS_MAX	    64 /* people and programs of one manufacturer; all are compared */

struct masa_token {
	char name[MASA_TOKEN_NAME_MAX + 1];
	uint8_t digest[SHA256_LEN];
	bool changes;  /* all; else read */
	bool lookup;   /* lookup: for cloud registrars (lookup.h), and for nothing else */
	int64_t until; /* unix seconds, the last moment it counts; 0: without an end */
};

struct masa_tokens;

/* ERR_INPUT with file and line for what is not understood, stands twice or is too much. */
struct masa_tokens *masa_tokens_load(const char *path, struct err *e) MUST_CHECK;
/* The same of a text; path is what errors call it. */
struct masa_tokens *masa_tokens_parse(const char *path, char *text, struct err *e) MUST_CHECK;
void masa_tokens_free(struct masa_tokens *t);
size_t masa_tokens_count(const struct masa_tokens *t);

/* The one with this secret, in a time that tells nothing; ERR_LOGIN when there is none or it has
 * ended. t may be NULL: there is none. */
const struct masa_token *masa_tokens_find(
	const struct masa_tokens *t, const char *secret, int64_t now, struct err *e) MUST_CHECK;

#endif
