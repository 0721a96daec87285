/* SPDX-License-Identifier: Apache-2.0 */
/* Floods told on links again and again, so that whoever listens knows where something is (GRASP
 * M_FLOOD, RFC 8990 §2.8.11): a registrar's AN_join_registrar (RFC 8995 §4.3; rows R8995-REG-001,
 * R8995-REG-002, DISC-REG-004), a proxy's AN_Proxy (RFC 8995 §4.1.1; R8995-JP-003). A flood cannot
 * be taken back: it holds for its 180 s.
 *
 * There is one message on each interface, with a locator there for each objective. It goes out at
 * once where nothing was told in the last interval, and then once in an interval (RFC 8995 §4.3).
 */
#ifndef NET_ANNOUNCE_GRASP_H
#define NET_ANNOUNCE_GRASP_H

#include "common/base/log.h"
#include "common/net/grasp.h"
#include "common/net/local_links.h"
#include "common/net/loop.h"

#define GRASP_REGISTRAR	  "AN_join_registrar"
#define GRASP_PROXY	  "AN_Proxy"
#define GRASP_LOOPS_LINK  1   /* as RFC 8995 has it for AN_Proxy, */
#define GRASP_LOOPS_ALL	  255 /* for AN_join_registrar */
#define GRASP_TTL_MS	  180000
#define GRASP_OFFERS_MAX  16
#define GRASP_INTERVAL_MS 60000 /* the default of RFC 8995 §4.3, and the least it wants */

/* One objective for each socket and each variation it speaks. */
struct grasp_offer {
	const char *objective; /* borrowed for good */
	uint8_t loops, protocol;
	char value[GRASP_VALUE_MAX + 1]; /* a variation: "EST-TLS" of a registrar, "" of a proxy */
	struct address at;		 /* where the socket listens, port included */
};

struct announce_grasp_config {
	struct loop *loop;
	const struct log *log;
	struct local_interfaces interfaces;
	uint16_t port; /* 0: GRASP_PORT */
	int64_t interval_ms;
};
struct announce_grasp;
/* On the loop's thread, or before it runs. Nothing is offered yet. */
struct announce_grasp *announce_grasp_new(
	const struct announce_grasp_config *config, struct err *e) MUST_CHECK;
/* Offer these from now on and nothing else; copied. */
void announce_grasp_offer(struct announce_grasp *g, const struct grasp_offer *offers, size_t count);
void announce_grasp_free(struct announce_grasp *g);

struct grasp_shown {
	const char *interface, *objective, *value;
	struct address at; /* with its port */
};
/* What is told now. On the loop's thread. */
void announce_grasp_show(const struct announce_grasp *g,
	void (*show)(void *arg, const struct grasp_shown *s), void *arg);

#endif
