/* SPDX-License-Identifier: Apache-2.0 */
/* What logging in needs and no store keeps: the thread for passwords, failed tries, denials. */
#ifndef REGISTRAR_ACCESS_ACCESS_H
#define REGISTRAR_ACCESS_ACCESS_H

#include "registrar/access/attempts.h"
#include "registrar/access/denials.h"
#include "registrar/access/hasher.h"

struct access {
	struct hasher *hasher;
	struct attempts *attempts;
	struct denials *denials;  /* of nobody we know */
	struct denials *insiders; /* of who is known: a crowd outside hides none of theirs */
};

#define CODE_LIFE_S	   900	 /* a quarter of an hour to walk over and type it */
#define SESSION_IDLE_S	   1800	 /* as OWASP has it for what is worth protecting */
#define SESSION_LIFE_S	   43200 /* a shift, then one logs in again */
#define PROOF_TOUCH_S	   60	 /* the use of a session or token is noted at most this often */
#define TOKEN_DAYS_DEFAULT 90
#define TOKEN_DAYS_MAX	   3650

/* Before anything listens on the administrators' side. */
bool access_start(struct registrar *r, struct err *e) MUST_CHECK;
/* When the loops have stopped, before calls are freed. */
void access_end(struct registrar *r);

/* [a-z0-9._-], 1 to USER_NAME_LEN_MAX of them, beginning with a letter or digit: no two names look
 * alike. Also for the names of tokens. */
bool user_name_is_valid(const char *name);

#endif
