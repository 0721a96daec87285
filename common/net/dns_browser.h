/* SPDX-License-Identifier: Apache-2.0 */
/* Registrars and join proxies by unicast DNS-SD (RFC 6763 §11, RFC 8995 Appendix B): the resolvers
 * and the domains are those the network gave (DHCP or router advertisement wrote them into
 * resolv.conf). What they say is where to try, and no more. */
#ifndef NET_DNS_BROWSER_H
#define NET_DNS_BROWSER_H

#include "common/net/dns_sd.h"
#include "common/net/link_socket.h"

#define DNS_RESOLVERS_MAX 3 /* resolv.conf(5) */
#define DNS_DOMAINS_MAX	  3
#define DNS_PORT	  53

struct dns_settings {
	struct address resolvers[DNS_RESOLVERS_MAX];
	size_t resolver_count;
	char domains[DNS_DOMAINS_MAX][DNS_NAME_MAX + 1];
	size_t domain_count;
};
/* Of the text of a resolv.conf: "nameserver", "search" and "domain"; anything else, and what cannot
 * be read, is passed over. A resolver may have a port ("[2001:db8::1]:5353"). */
void dns_settings_parse(const char *text, struct dns_settings *out);

typedef void dns_found_fn(
	void *arg, const struct dns_sd_place *place, const struct address *resolver);
struct dns_browser;
struct dns_browser *dns_browser_new(
	struct loop *loop, dns_found_fn *found, void *arg, struct err *e) MUST_CHECK;
void dns_browser_free(struct dns_browser *b);
/* Ask the next of these resolvers for every service of these domains; what was asked before is
 * forgotten. */
void dns_browser_ask(struct dns_browser *b, const struct dns_settings *settings);

#endif
