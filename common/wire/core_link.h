/* SPDX-License-Identifier: Apache-2.0 */
/* application/link-format (RFC 6690) as far as discovery needs it: the target and the attributes
 * rt, ct and brski-jp of each link; every other attribute is checked for its form and passed over
 * (rows ). Reading copies and allocates nothing. */
#ifndef WIRE_CORE_LINK_H
#define WIRE_CORE_LINK_H

#include "common/base/buf.h"

#define CORE_LINKS_MAX	    64 /* of one document: a registrar announces about ten */
#define CORE_LINK_DOC_MAX   4096
#define CORE_LINK_HOST_MAX  64 /* an address literal with its zone */
#define CORE_LINK_VALUE_MAX 256

/* Views into the text; data is NULL for an attribute that is absent. Values stand without their
 * quotes. Of an attribute that comes twice the first counts (RFC 6690 §3.1). */
struct core_link {
	struct bytes target;
	struct bytes rt; /* words separated by one blank */
	struct bytes ct;
	struct bytes brski_jp;
};

/* What is left to read. */
struct core_links {
	struct bytes rest;
	size_t count;
};
struct core_links core_links_of(struct bytes text);
/* The next link; *end when there was none left. ERR_INPUT for what is no link, ERR_TOO_LARGE beyond
 * CORE_LINKS_MAX or for a document or value that is too long: the rest cannot be read either. */
bool core_link_next(
	struct core_links *r, struct core_link *out, bool *end, struct err *e) MUST_CHECK;

/* Does the list of words have this one? A pattern ends with "*" for what begins like it. */
bool core_link_has(struct bytes words, struct bytes pattern);
/* Does the link answer to one Uri-Query, "name=pattern" (RFC 6690 §4.1)? Without a pattern, and
 * for names that are not kept here, none does. */
bool core_link_matches(const struct core_link *l, struct bytes query);
/* The port in brski-jp; false: absent, or no port. */
bool core_link_join_port(const struct core_link *l, uint16_t *port);
/* "scheme://host[:port][/path]": the host without brackets, *port 0 when none is given. False when
 * the target is of another scheme or has no good authority. */
bool core_link_authority(const struct core_link *l, const char *scheme,
	char host[CORE_LINK_HOST_MAX], uint16_t *port);

/* Append one link, with a comma before it when there is something already. ERR_BUG for a value
 * that cannot be written. */
bool core_link_put(const struct core_link *l, struct buf *out, struct err *e) MUST_CHECK;

#endif
