/* SPDX-License-Identifier: Apache-2.0 */
/* What registrars and join proxies are called where they are looked for, and what they say they
 * speak: one table each, for those who announce and those who look (RFC 8995 §4, Appendix B;
 * draft-ietf-anima-brski-discovery §3.5, §4.2; draft-ietf-anima-constrained-join-proxy §5). */
#ifndef NET_SERVICE_NAMES_H
#define NET_SERVICE_NAMES_H

#include "common/wire/uri.h"

enum service_role { SERVICE_REGISTRAR, SERVICE_PROXY };

struct service_name {
	const char *name; /* DNS-SD: "_brski-proxy._tcp", without a domain; GRASP: "AN_Proxy" */
	enum service_role role;
	enum uri_scheme scheme; /* GRASP: with protocol */
	uint8_t protocol;	/* IPPROTO_TCP, IPPROTO_UDP */
};
/* Those that are announced stand first for their role and scheme; the others are drafts' names,
 * looked for only. */
extern const struct service_name service_dns_names[];
extern const size_t service_dns_name_count;
extern const struct service_name service_grasp_names[];
extern const size_t service_grasp_name_count;

/* The row of an objective and protocol; NULL: none of BRSKI's. Names in GRASP are compared without
 * case (drafts differ). */
const struct service_name *service_grasp_find(const char *objective, uint8_t protocol);

/* A way to onboard: mode, format of vouchers, enrolment. */
struct service_variation {
	const char *dns;			   /* key of a TXT record; never "" */
	const char *grasp_registrar, *grasp_proxy; /* value of the objective */
	enum uri_scheme scheme;
	bool ours; /* spoken by this suite */
};
extern const struct service_variation service_variations[];
extern const size_t service_variation_count;

#define VARIATIONS_MAX	8 /* of one service: the registry has about as many */
#define VARIATION_MAX	32
#define VARIATION_USUAL "est-tls"

/* What somebody says that he speaks: keys of TXT records, in lower case. */
struct variations {
	char list[VARIATIONS_MAX][VARIATION_MAX];
	size_t count;
};
bool variations_have(const struct variations *v, const char *one);
/* A key without a value; what is too long or no key is nothing that can be passed on. */
void variations_add(struct variations *v, struct bytes text);
/* Who says nothing speaks est-tls. */
void variations_usual_if_none(struct variations *v);

/* Is it one that we speak over this scheme? "" is the usual one. Without case. */
bool service_speaks(enum uri_scheme scheme, struct bytes variation);

#endif
