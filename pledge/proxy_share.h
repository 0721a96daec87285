/* SPDX-License-Identifier: Apache-2.0 */
/* Whose turn it is: deficit round robin over neighbours. Each neighbour with something to move gets
 * the same number of octets a round, however many connections it has and however fast it sends; a
 * limit on the whole, when there is one, is shared out in the same way. */
#ifndef PLEDGE_PROXY_SHARE_H
#define PLEDGE_PROXY_SHARE_H

#include "common/net/loop.h"

/* A neighbour. Zeroed at birth. */
struct share_flow {
	struct share_flow *next;
	struct share_item *first, **last; /* ready, in the order they became so */
	int64_t deficit;
	bool waiting; /* in the ring */
};
/* Something of a neighbour's that has octets to move. Zeroed at birth but for flow. */
struct share_item {
	struct share_item *next;
	struct share_flow *flow;
	bool ready;
};

/* Move at most max octets and say how many it were; *more: there are others at once. Frees neither
 * items nor flows. */
typedef size_t share_move_fn(struct share_item *item, size_t max, bool *more);

struct share {
	struct share_flow *first, **last; /* the ring */
	struct loop_timer turn;
	bool turning;
	share_move_fn *move;
	double per_ms, tokens, burst; /* per_ms 0: no limit on the whole */
	int64_t refilled_ms;
};

/* per_second: octets of all neighbours, 0: no limit. */
bool share_init(struct share *s, struct loop *l, share_move_fn *move, int64_t per_second,
	struct err *e) MUST_CHECK;
void share_clear(struct share *s);
/* The item has something to move: it will be asked in its neighbour's turn. */
void share_ready(struct share *s, struct share_item *item);
/* It has not any more, or is about to be freed. */
void share_forget(struct share *s, struct share_item *item);
/* Nothing of this neighbour's is ready: it may be freed. */
void share_forget_flow(struct share *s, struct share_flow *flow);

#endif
