/* SPDX-License-Identifier: Apache-2.0 */
/* What the service manager is told, and that one who does not read holds nobody up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/run/service_manager.h"

#define SENT_MAX 10000 /* more than any kernel keeps for a reader */

/* The manager's socket, of which NOTIFY_SOCKET tells. */
static int listen_as_manager(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	socklen_t len;
	char name[64];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(name, sizeof(name), "@service-manager-test-%d", (int)getpid());
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			  (size_t)snprintf(at.sun_path, sizeof(at.sun_path), "%s", name));
	at.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	return fd;
}

static void service_notify__to_a_reader__arrives(void **state)
{
	int fd = listen_as_manager();
	char text[32] = "";

	service_notify("READY=1");
	assert_int_equal(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT), 7);
	assert_string_equal(text, "READY=1");
	close(fd);
}

static void service_notify__to_one_who_does_not_read__gives_up_soon(void **state)
{
	int fd = listen_as_manager();
	int64_t took = 0;

	for (int i = 0; i < SENT_MAX && took < 500; i++) {
		int64_t begun = clock_mono_ms();

		service_notify("WATCHDOG=1");
		took = clock_mono_ms() - begun;
	}
	assert_true(took >= 500);
	assert_true(took < 5000);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(service_notify__to_a_reader__arrives),
		cmocka_unit_test(service_notify__to_one_who_does_not_read__gives_up_soon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
