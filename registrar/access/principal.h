/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks on the administrators' side, and what they may do where: roles are sets of permissions
 * (one const table), a grant gives a role within a site's subtree and for a manufacturer, until a
 * moment. What no grant permits is denied. Plain values; nothing here reads a store or a clock. */
#ifndef REGISTRAR_ACCESS_PRINCIPAL_H
#define REGISTRAR_ACCESS_PRINCIPAL_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum permission {
	MAY_NOTHING,  /* what a route needs that nobody gave a thought: denied to everybody */
	MAY_VIEW,     /* see devices and claims */
	MAY_ANNOUNCE, /* say which devices will come */
	MAY_DECIDE,   /* approve and reject */
	MAY_OPERATE,  /* quarantine, revoke, move, replace, … */
	MAY_AUDIT,    /* read the audit log */
	MAY_ADMIN,    /* rules, users, hooks, backups, … */
	MAY_SELF,     /* what concerns oneself only: anybody who is logged in */
	MAY_ENTER,    /* log in, load the pages: anybody at all */
	PERMISSION_COUNT
};

enum role {
	ROLE_VIEWER,
	ROLE_APPROVER,
	ROLE_OPERATOR,
	ROLE_AUDITOR,
	ROLE_ADMIN,
	ROLE_SUPPLIER,
	ROLE_COUNT
};
extern const char *const role_names[ROLE_COUNT + 1]; /* by role, then NULL */
bool role_parse(const char *name, enum role *out);
bool role_may(enum role role, enum permission p);

struct grant {
	enum role role;
	char *site;	    /* "/eu/de" and all below; NULL: every site */
	char *manufacturer; /* NULL: every one */
	int64_t until;	    /* it ends at this moment; 0: never */
};

#define GRANTS_MAX	   32 /* of one user: a site and a manufacturer each */
#define USER_NAME_LEN_MAX  63
#define PRINCIPAL_NAME_MAX 64 /* a user's name; or "unix:uid=0": who came by the socket */

enum proof { /* how we know who it is */
	PROOF_NONE,
	PROOF_SOCKET,
	PROOF_SESSION,
	PROOF_TOKEN,
	PROOF_CERTIFICATE
};

struct principal {
	char name[PRINCIPAL_NAME_MAX]; /* the `actor` of what it does; "" is nobody */
	bool local;		       /* by the Unix socket: admin of everything */
	enum proof proof;
	int64_t asked_at; /* one request is judged at one moment */
	struct grant grants[GRANTS_MAX];
	size_t grant_count;
	struct grant limit; /* of a token: it may what this permits as well, and no more */
	bool limited;
};

/* Everything, for the peer of a Unix socket. */
void principal_local(struct principal *p, const char *address);
/* Copies. ERR_TOO_LARGE: GRANTS_MAX of them are there. */
bool principal_add(struct principal *p, const struct grant *g, struct err *e) MUST_CHECK;
bool principal_limit(struct principal *p, const struct grant *g, struct err *e) MUST_CHECK;
void principal_clear(struct principal *p);
#define PRINCIPAL_AUTO __attribute__((cleanup(principal_clear)))

bool grant_copy(struct grant *to, const struct grant *from, struct err *e) MUST_CHECK;
void grant_clear(struct grant *g);

/* Is the site ("/eu/de/berlin-3") the root's ("/eu/de") or below it? "/" and NULL have all below.
 */
bool site_within(const char *site, const char *root);

/* manufacturer and site are those of the object in question; a device nobody placed is at "/".
 * NULL is "any at all": whether to let the request in (both NULL), or how far a list may look.
 * p may be NULL: nobody. */
bool principal_may(const struct principal *p, enum permission need, const char *manufacturer,
	const char *site, int64_t now);
/* Without any bounds of site or manufacturer: for what concerns them all. */
bool principal_may_everywhere(const struct principal *p, enum permission need, int64_t now);
/* May p hand this grant on? Nobody gives more than they have: not in kind, place, or time. */
bool principal_covers(const struct principal *p, const struct grant *g, int64_t now);

#endif
