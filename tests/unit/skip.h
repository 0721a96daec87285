/* SPDX-License-Identifier: Apache-2.0 */
/* A test that cannot be run here says why; scripts/run-tests shows it and counts it. */
#ifndef TESTS_UNIT_SKIP_H
#define TESTS_UNIT_SKIP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SKIP_BECAUSE(why)                                                                          \
	do {                                                                                       \
		print_message("# skipped: %s\n", why);                                             \
		skip();                                                                            \
	} while (0)

#endif
