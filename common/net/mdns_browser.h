/* SPDX-License-Identifier: Apache-2.0 */
/* Registrars and join proxies on the link by multicast DNS (RFC 6762): it listens to what is
 * announced, and asks when it is told to, with one-shot questions (§5.1) from a port of its own, so
 * that it gets along with any responder on this machine. How often to ask is the caller's business
 * (§5.2: the first two a second apart, then half as often each time, down to once an hour). */
#ifndef NET_MDNS_BROWSER_H
#define NET_MDNS_BROWSER_H

#include "common/net/dns_sd.h"
#include "common/net/link_socket.h"

#define MDNS_GROUP_IPV4 "224.0.0.251"
#define MDNS_GROUP_IPV6 "ff02::fb"
#define MDNS_PORT	5353
#define MDNS_PLACES_MAX 4

struct mdns_found {
	struct dns_sd_place place; /* the zone is filled in */
	struct address from;	   /* who says so */
};
typedef void mdns_found_fn(void *arg, const struct mdns_found *found);

struct mdns_browser_config {
	struct loop *loop;
	struct address places[MDNS_PLACES_MAX]; /* groups, or addresses to ask by themselves */
	size_t place_count;
	const struct link_interfaces *interfaces; /* borrowed; mdns_browser_join() looks again */
	bool relay; /* for a join proxy: see dns_sd_init(). It asks only; its own announcements have
		     * the port */
	mdns_found_fn *found;
	void *arg;
};
struct mdns_browser;
/* Listens from now on. A port that somebody has for himself is no error: then it only asks. */
struct mdns_browser *mdns_browser_new(
	const struct mdns_browser_config *c, struct err *e) MUST_CHECK;
void mdns_browser_free(struct mdns_browser *b);
/* There are other interfaces now. */
void mdns_browser_join(struct mdns_browser *b);
void mdns_browser_ask(struct mdns_browser *b);
/* What was heard so far; for those who have to hear it again from time to time. */
void mdns_browser_forget(struct mdns_browser *b);

#endif
