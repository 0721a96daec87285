/* SPDX-License-Identifier: Apache-2.0 */
/* The queues are walked only when a limit has been reached; some thousand entries cost some ten
 * microseconds, a handshake costs a thousand. */
#include "common/net/http_shed.h"

#include <string.h>

#include "common/net/http_conn.h"

void shed_init(struct shed *s)
{
	TAILQ_INIT(&s->fresh);
	TAILQ_INIT(&s->served);
}

static struct shed_queue *queue_of(struct shed *s, const struct conn *c)
{
	return c->served ? &s->served : &s->fresh;
}

void shed_enter(struct shed *s, struct conn *c)
{
	TAILQ_INSERT_TAIL(queue_of(s, c), c, shed_link);
}

void shed_leave(struct shed *s, struct conn *c)
{
	TAILQ_REMOVE(queue_of(s, c), c, shed_link);
}

void shed_served(struct shed *s, struct conn *c)
{
	shed_leave(s, c);
	c->served = true;
	shed_enter(s, c);
}

static bool fits(const struct conn *c, const struct shed_wish *wish)
{
	if (wish->source && memcmp(wish->source, c->source, HTTP_SOURCE_LEN) != 0)
		return false;
	if (wish->identity &&
		(!c->identified || memcmp(wish->identity, c->identity, HTTP_SOURCE_LEN) != 0))
		return false;
	return !wish->holds_memory || c->held > 0;
}

static bool may_go(const struct conn *c)
{
	return !c->in_turn && !(c->protocol && c->protocol->is_serving(c->p));
}

/* The first in the queue that fits and may go; *count says how many fit. */
static struct conn *oldest(const struct shed_queue *q, const struct shed_wish *wish, size_t *count)
{
	struct conn *found = NULL, *c;

	*count = 0;
	TAILQ_FOREACH(c, q, shed_link)
	{
		/* cppcheck-suppress uninitvar ; the macro above sets it */
		if (!fits(c, wish))
			continue;
		++*count;
		if (!found && may_go(c))
			found = c;
	}
	return found;
}

struct conn *shed_choose(struct shed *s, const struct shed_wish *wish)
{
	size_t fresh_count, served_count;
	struct conn *fresh = oldest(&s->fresh, wish, &fresh_count);
	struct conn *served = oldest(&s->served, wish, &served_count);

	if (!fresh || !served)
		return fresh ? fresh : served;
	return fresh_count >= served_count ? fresh : served;
}
