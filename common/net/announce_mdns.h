/* SPDX-License-Identifier: Apache-2.0 */
/* Services announced on the link by multicast DNS (RFC 6762, RFC 6763), with libavahi-core in this
 * process: no other daemon is needed, and one that runs on the same machine is not disturbed, since
 * the host name used here is our own. Used by a registrar (rows DISC-REG-001 to DISC-REG-003) and a
 * join proxy (R8995-JP-004, DISC-JP-001).
 *
 * Addresses are followed as they come and go; names that somebody else on the link has already are
 * changed ("… #2"). Everything runs on one loop. */
#ifndef NET_ANNOUNCE_MDNS_H
#define NET_ANNOUNCE_MDNS_H

#include "common/base/log.h"
#include "common/net/local_links.h"
#include "common/net/loop.h"
#include "common/net/service_names.h"

#define MDNS_LABEL_MAX	  64 /* 63 octets (RFC 1035 §2.3.4) */
#define MDNS_SERVICES_MAX 16 /* a registrar has two, a proxy one for each of its places */

/* One socket is one service (DISC-REG-003). */
struct mdns_service {
	const char *type;	       /* "_brski-registrar._tcp"; borrowed for good */
	char instance[MDNS_LABEL_MAX]; /* UTF-8 */
	struct address at;	       /* where the socket listens, port included */
	uint16_t priority, weight;     /* of SRV: the least priority first */
	char variations[VARIATIONS_MAX][VARIATION_MAX]; /* keys of TXT, without values */
	size_t variation_count;
};

struct announce_mdns_config {
	struct loop *loop;
	const struct log *log;
	struct local_interfaces interfaces; /* nothing is sent or taken elsewhere */
	const char *host;		    /* first label of our name in .local; NULL: made */
};
struct announce_mdns;
/* On the loop's thread, or before it runs. Nothing is offered yet. */
struct announce_mdns *announce_mdns_new(
	const struct announce_mdns_config *config, struct err *e) MUST_CHECK;
/* Offer these and nothing else; copied. Those that are no longer offered are taken back with a
 * goodbye (RFC 6762 §10.1); none: all are. */
void announce_mdns_offer(
	struct announce_mdns *m, const struct mdns_service *services, size_t count);
/* Says goodbye. On the loop's thread, or after it has stopped. */
void announce_mdns_free(struct announce_mdns *m);

struct mdns_shown {
	const char *type, *instance, *host;
	char interface[IF_NAMESIZE];
	uint16_t port, priority, weight;
	bool established; /* nobody objects to the name; false: still asking */
};
/* What is offered now, once for each interface. On the loop's thread. */
void announce_mdns_show(const struct announce_mdns *m,
	void (*show)(void *arg, const struct mdns_shown *s), void *arg);

#endif
