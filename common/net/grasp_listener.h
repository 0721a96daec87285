/* SPDX-License-Identifier: Apache-2.0 */
/* What is flooded on the link in GRASP's DULL form (RFC 8990 §2.5.2, RFC 8995 §4.1.1): join proxies
 * and registrars. It only listens. */
#ifndef NET_GRASP_LISTENER_H
#define NET_GRASP_LISTENER_H

#include "common/net/grasp.h"
#include "common/net/link_socket.h"
#include "common/net/service_names.h"

struct grasp_found {
	const struct service_name *service;
	struct address at;		     /* a link-local one has its zone */
	char variation[GRASP_VALUE_MAX + 1]; /* "": the usual one */
	uint32_t ttl_ms;
	uint8_t sender[ADDRESS_KEY_LEN];
};
typedef void grasp_found_fn(void *arg, const struct grasp_found *found);

struct grasp_listener_config {
	struct loop *loop;
	struct address group;			  /* [ff02::13]:7017 */
	const struct link_interfaces *interfaces; /* borrowed; grasp_listener_join() looks again */
	grasp_found_fn *found;
	void *arg;
};
struct grasp_listener;
struct grasp_listener *grasp_listener_new(
	const struct grasp_listener_config *c, struct err *e) MUST_CHECK;
void grasp_listener_free(struct grasp_listener *l);
void grasp_listener_join(struct grasp_listener *l);

#endif
