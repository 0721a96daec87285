/* SPDX-License-Identifier: Apache-2.0 */
/* A new store of the registrar, and a loop to wait on for what is written to it. */
#ifndef TESTS_UNIT_RECORDS_FIXTURE_H
#define TESTS_UNIT_RECORDS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "registrar/records/records.h"
#include "tests/unit/store_fixture.h"

#define NOW 1790000000

struct fixture {
	char dir[64];
	struct store *store;
	struct loop *loop;
	/* the last write */
	int64_t changed[STORE_OPS_MAX];
	enum err_kind kind;
	int64_t keep; /* certificates of a device; 0: ten */
};

static inline void on_done(void *arg, const int64_t *changed, const struct err *e)
{
	struct fixture *f = arg;

	f->kind = e ? e->kind : ERR_NONE;
	if (changed)
		memcpy(f->changed, changed, sizeof(f->changed[0]));
	loop_stop(f->loop);
}

static inline int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char path[STORE_PLACE_MAX];
	struct err e = ERR_INIT;

	assert_non_null(f);
	snprintf(f->dir, sizeof(f->dir), "/tmp/records_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	store_place(f->dir, "r", path);
	f->loop = loop_new(&e);
	f->store = store_open(path, &records_schema, &e);
	if (!f->loop || !f->store)
		fail_msg("%s", e.text);
	*state = f;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[96];

	store_close(f->store);
	loop_free(f->loop);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static inline struct records_writer writer(struct fixture *f)
{
	return (struct records_writer){f->store, f->loop, on_done, f};
}

/* Wait for the write that was queued; says how it ended. */
static inline enum err_kind wait(struct fixture *f, bool queued, const struct err *e)
{
	if (!queued)
		fail_msg("not queued: %s", e->text);
	loop_run(f->loop);
	return f->kind;
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
