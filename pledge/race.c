/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/race.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/net/address.h"

#define STAGGER_MS 250 /* RFC 8305 §5: the recommended delay between attempts */

struct race {
	struct runner *all;
	size_t count, begun, running;
	int64_t next_start_ms, timeout_ms;
};

static void drop(struct race *r, struct runner *one)
{
	close(one->fd);
	one->fd = -1;
	one->failed = true;
	r->running--;
}

/* An address that cannot be used here (no such interface) is a failure like another. */
static bool begin(struct runner *one, int64_t now_ms)
{
	struct err ignored = ERR_INIT;
	struct address to;

	one->begun_ms = now_ms;
	if (!address_parse(one->to->host, one->to->port, &to, &ignored))
		return false;
	one->fd = socket(to.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (one->fd < 0)
		return false;
	if (connect(one->fd, &to.sa, to.len) == 0 || errno == EINPROGRESS)
		return true;
	close(one->fd);
	one->fd = -1;
	return false;
}

/* The next one, when it is time or nobody runs. */
static void start_due(struct race *r, int64_t now_ms)
{
	while (r->begun < r->count && (r->running == 0 || now_ms >= r->next_start_ms)) {
		struct runner *one = &r->all[r->begun++];

		one->failed = !begin(one, now_ms);
		if (one->failed)
			continue;
		r->running++;
		r->next_start_ms = now_ms + STAGGER_MS;
	}
}

static bool has_connected(int fd)
{
	int fault = 0;
	socklen_t len = sizeof(fault);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &len) == 0 && fault == 0;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int wait_ms(const struct race *r, int64_t now_ms)
{
	int64_t until_ms = r->begun < r->count ? r->next_start_ms : INT64_MAX;

	for (size_t i = 0; i < r->begun; i++)
		if (r->all[i].fd >= 0)
			until_ms = earlier(until_ms, r->all[i].begun_ms + r->timeout_ms);
	return until_ms <= now_ms ? 0 : (int)earlier(until_ms - now_ms, 60000);
}

/* The first that has connected; those that have failed or waited too long are out. */
static size_t look(struct race *r)
{
	struct pollfd polled[RACE_MAX];
	int64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < r->begun; i++)
		polled[i] = (struct pollfd){.fd = r->all[i].fd, .events = POLLOUT};
	if (poll(polled, r->begun, wait_ms(r, now_ms)) < 0)
		return r->count; /* a signal */
	now_ms = clock_mono_ms();
	for (size_t i = 0; i < r->begun; i++) {
		if (polled[i].revents && has_connected(r->all[i].fd))
			return i;
		if (polled[i].revents ||
			(r->all[i].fd >= 0 && now_ms >= r->all[i].begun_ms + r->timeout_ms))
			drop(r, &r->all[i]);
	}
	return r->count;
}

size_t race_run(
	struct runner *runners, size_t count, int64_t timeout_ms, int *fd, int64_t *latency_ms)
{
	struct race r = {.all = runners, .count = count, .timeout_ms = timeout_ms};
	size_t first = count;

	*fd = -1;
	for (size_t i = 0; i < count; i++)
		runners[i].fd = -1;
	do {
		start_due(&r, clock_mono_ms());
		if (r.running > 0)
			first = look(&r);
	} while (first == count && (r.running > 0 || r.begun < r.count));
	if (first < count) {
		*fd = runners[first].fd;
		*latency_ms = clock_mono_ms() - runners[first].begun_ms;
		runners[first].fd = -1;
	}
	for (size_t i = 0; i < r.begun; i++)
		if (runners[i].fd >= 0)
			close(runners[i].fd);
	return first;
}
