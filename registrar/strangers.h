/* SPDX-License-Identifier: Apache-2.0 */
/* Manufacturers nobody has configured whose devices asked: who they say they are, for an
 * administrator to tell a forgotten one. Nothing of it is proven, none of it is kept over a
 * restart, and who asks with ever new names only pushes out others like it. Any thread. */
#ifndef REGISTRAR_STRANGERS_H
#define REGISTRAR_STRANGERS_H

#include "common/net/call.h"

#define STRANGERS_MAX	  32 /* the one that asked least recently makes room */
#define STRANGER_NAME_MAX 200

struct stranger {
	char issuer[STRANGER_NAME_MAX + 1];  /* of the IDevID */
	char subject[STRANGER_NAME_MAX + 1]; /* of the device that asked last */
	char address[CALL_PEER_MAX];
	int64_t first_seen, last_seen, count;
};

struct strangers;

struct strangers *strangers_new(struct err *e) MUST_CHECK;
void strangers_free(struct strangers *s);
void strangers_note(struct strangers *s, const struct peer *peer, int64_t now);
/* Copies, the last one first; how many. */
size_t strangers_list(struct strangers *s, struct stranger out[STRANGERS_MAX]);

#endif
