/* SPDX-License-Identifier: Apache-2.0 */
/* What a daemon tells the service manager that started it (sd_notify(3), without its library): one
 * datagram to the socket in NOTIFY_SOCKET. Without one, nothing is said. */
#ifndef RUN_SERVICE_MANAGER_H
#define RUN_SERVICE_MANAGER_H

#include <stdbool.h>
#include <stdint.h>

/* "READY=1\nSTATUS=...": assignments, one a line. */
void service_notify(const char *state);
/* The same for the begin of a reload, with the time stamp that belongs to it. */
void service_notify_reloading(void);
/* How often the service manager wants to hear that we live (WATCHDOG_USEC), or 0: never. */
int64_t service_watchdog_ms(void);

#endif
