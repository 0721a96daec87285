/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams to the service manager: see service_manager.h. */
#include "common/run/service_manager.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clock.h"

#define US_PER_MS   1000
#define PATIENCE_MS 1000 /* with one who does not read: signals are to be heard meanwhile */

void service_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	const struct timeval patience = {.tv_usec = PATIENCE_MS * US_PER_MS - 1};
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	socklen_t len;
	int fd;

	if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, strlen(path));
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to, len) < 0)
		(void)state; /* nobody listens: nothing to be done about it */
	close(fd);
}

void service_notify_reloading(void)
{
	char state[120];

	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\nSTATUS=Reloading",
		clock_mono_ms() * US_PER_MS);
	service_notify(state);
}

static bool positive(const char *text, int64_t *out)
{
	char *end;

	if (!text || !*text)
		return false;
	errno = 0;
	*out = strtoll(text, &end, 10);
	return errno == 0 && !*end && *out > 0;
}

/* WATCHDOG_PID says for whom it is meant: a wrapper may have inherited it to us. */
int64_t service_watchdog_ms(void)
{
	const char *for_whom = getenv("WATCHDOG_PID");
	int64_t us, pid;

	if (!positive(getenv("WATCHDOG_USEC"), &us))
		return 0;
	if (for_whom && (!positive(for_whom, &pid) || pid != (int64_t)getpid()))
		return 0;
	return us / US_PER_MS;
}
