/* SPDX-License-Identifier: Apache-2.0 */
/* What libavahi-core asks of an event loop, given by ours. */
#ifndef NET_AVAHI_POLL_H
#define NET_AVAHI_POLL_H

#include <avahi-common/watch.h>

#include "common/net/loop.h"

/* For one loop, which outlives it. */
AvahiPoll avahi_poll_of(struct loop *l);

#endif
