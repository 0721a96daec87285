/* SPDX-License-Identifier: Apache-2.0 */
/* See proxy_share.h. Shreedhar and Varghese's deficit round robin, with neighbours for flows; one
 * turn visits a bounded number of them, then the loop looks at its sockets again. */
#include "pledge/proxy_share.h"

#include <string.h>

#include "common/base/clock.h"

#define QUANTUM	   16384 /* octets a round: one TLS record */
#define VISITS_MAX 8	 /* a turn, so that whoever became ready meanwhile gets into the ring */
#define BURST_MS   250	 /* of the limit on the whole: what may go out at once */
#define WAIT_MS	   5	 /* until tokens are looked for again */

static void on_turn(void *arg);

bool share_init(
	struct share *s, struct loop *l, share_move_fn *move, int64_t per_second, struct err *e)
{
	memset(s, 0, sizeof(*s));
	s->last = &s->first;
	s->move = move;
	s->per_ms = (double)per_second / 1000;
	s->tokens = s->burst = s->per_ms * BURST_MS;
	s->refilled_ms = clock_mono_ms();
	return loop_timer_init(&s->turn, l, on_turn, s, e);
}

void share_clear(struct share *s)
{
	loop_timer_clear(&s->turn);
}

/* ---- The ring ------------------------------------------------------------------------------- */

static void join_ring(struct share *s, struct share_flow *flow)
{
	flow->next = NULL;
	flow->waiting = true;
	*s->last = flow;
	s->last = &flow->next;
}

static struct share_flow *leave_ring(struct share *s)
{
	struct share_flow *flow = s->first;

	s->first = flow->next;
	if (!s->first)
		s->last = &s->first;
	flow->waiting = false;
	return flow;
}

static void wake(struct share *s, int64_t after_ms)
{
	if (s->turning || !s->first)
		return;
	s->turning = true;
	loop_timer_arm(&s->turn, after_ms);
}

void share_ready(struct share *s, struct share_item *item)
{
	struct share_flow *flow = item->flow;

	if (item->ready)
		return;
	item->ready = true;
	item->next = NULL;
	if (!flow->first)
		flow->last = &flow->first;
	*flow->last = item;
	flow->last = &item->next;
	if (!flow->waiting)
		join_ring(s, flow);
	wake(s, 0);
}

void share_forget(struct share *s, struct share_item *item)
{
	struct share_flow *flow = item->flow;
	struct share_item **at;

	if (!item->ready)
		return; /* it may not even have a neighbour yet */
	at = &flow->first;
	while (*at != item)
		at = &(*at)->next;
	*at = item->next;
	if (!*at)
		flow->last = at;
	item->ready = false;
}

void share_forget_flow(struct share *s, struct share_flow *flow)
{
	struct share_flow **at = &s->first;

	if (!flow->waiting)
		return;
	while (*at != flow)
		at = &(*at)->next;
	*at = flow->next;
	if (!*at)
		s->last = at;
	flow->waiting = false;
}

/* ---- A turn --------------------------------------------------------------------------------- */

static bool may_move(struct share *s)
{
	int64_t now = clock_mono_ms();

	if (s->per_ms == 0)
		return true;
	s->tokens += s->per_ms * (double)(now - s->refilled_ms);
	s->refilled_ms = now;
	if (s->tokens > s->burst)
		s->tokens = s->burst;
	return s->tokens > 0;
}

/* What it cannot use now it does not save: who has nothing ready has no deficit. */
static void visit(struct share *s, struct share_flow *flow)
{
	flow->deficit += QUANTUM;
	while (flow->first && flow->deficit > 0) {
		struct share_item *item = flow->first;
		bool more = false;
		size_t moved;

		share_forget(s, item);
		moved = s->move(item, (size_t)flow->deficit, &more);
		flow->deficit -= (int64_t)moved;
		s->tokens -= (double)moved;
		if (more)
			share_ready(s, item);
	}
	if (!flow->first)
		flow->deficit = 0;
	else if (!flow->waiting)
		join_ring(s, flow);
}

static void on_turn(void *arg)
{
	struct share *s = arg;
	int64_t wait_ms = 0;

	for (int visits = 0; s->first && visits < VISITS_MAX; visits++) {
		if (!may_move(s)) {
			wait_ms = WAIT_MS;
			break;
		}
		visit(s, leave_ring(s));
	}
	s->turning = false;
	wake(s, wait_ms);
}
