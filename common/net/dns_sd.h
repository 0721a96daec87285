/* SPDX-License-Identifier: Apache-2.0 */
/* Service discovery (RFC 6763) of registrars and join proxies, whoever carries the messages: mDNS
 * or a resolver. Pure: messages in, places and the next questions out. What belongs to one instance
 * may come in several messages; a few instances are remembered, and the oldest of whoever names
 * most of them makes room. */
#ifndef NET_DNS_SD_H
#define NET_DNS_SD_H

#include "common/net/address.h"
#include "common/net/dns_message.h"
#include "common/net/service_names.h"

#define DNS_SD_INSTANCES_MAX 32
#define DNS_SD_ASKS_MAX	     3 /* for what is missing of one instance */

struct dns_sd_place {
	const struct service_name *service;
	struct address at; /* a link-local one has no zone yet */
	uint16_t priority, weight;
	char variation[VARIATION_MAX];	 /* the first we speak; "": the usual one */
	const struct variations *speaks; /* all it says; for the call */
};

/* Where a message came by, and from whom. */
struct dns_sd_origin {
	unsigned interface;
	uint8_t sender[ADDRESS_KEY_LEN];
};

struct dns_sd_instance {
	struct dns_name name, host;
	const struct service_name *service;
	struct dns_sd_origin from;
	bool has_srv, has_txt, has_address, speaks;
	uint16_t priority, weight, port;
	char variation[VARIATION_MAX];
	struct variations says;
	unsigned asks, since;
};

struct dns_sd {
	const char *domain;
	bool relay;
	struct dns_sd_instance all[DNS_SD_INSTANCES_MAX];
	size_t count;
	unsigned ever; /* were added */
};

/* relay: registrars for HTTPS, whatever they speak, as a join proxy wants them; else all that a
 * device can join by. */
void dns_sd_init(struct dns_sd *d, const char *domain, bool relay);

/* One message with a question for every service of the domain. */
bool dns_sd_browse(uint16_t id, uint16_t flags, bool unicast, const struct dns_sd *d,
	struct buf *out, struct err *e) MUST_CHECK;
/* The same for one service: for resolvers, which take one question at a time. */
bool dns_sd_question(
	const struct dns_sd *d, size_t service, struct dns_question *out, struct err *e) MUST_CHECK;

/* Take what a response says. found is called for each address of an instance that speaks what is
 * wanted. What is said on one link is not mixed with another's; nor what one host says of a service
 * with what others say of it, but for its host's addresses, which may have their own responder. */
typedef void dns_sd_found_fn(void *arg, const struct dns_sd_place *place);
bool dns_sd_take(struct dns_sd *d, struct bytes message, const struct dns_sd_origin *from,
	dns_sd_found_fn *found, void *arg, struct err *e) MUST_CHECK;

/* What has to be asked to know the rest: at most max questions; each is given DNS_SD_ASKS_MAX
 * times. */
size_t dns_sd_missing(struct dns_sd *d, struct dns_question *out, size_t max);

#endif
