/* SPDX-License-Identifier: Apache-2.0 */
/* Each commit, whoever made it, leads to one look for all of a moment; a look now and then makes up
 * for what was not heard while the database was away. */
#include "masa/follow.h"

#include <stdlib.h>

#include "masa/limits.h"
#include "masa/owner.h"

struct follow {
	struct masa *m;
	struct loop *loop;
	struct loop_timer timer;
	int64_t revision;   /* of the owners, as they were read */
	atomic_bool posted; /* a commit is on its way to the loop */
};

static void look(struct follow *f)
{
	struct err e = ERR_INIT;
	int64_t revision;

	if (!records_owners_revision(f->m->store, &revision, &e) ||
		(revision != f->revision && !owners_load(f->m->owners, f->m->store, &e))) {
		if (e.kind != ERR_RETRY_LATER) /* the next look follows again */
			log_err(f->m->log, "following-failed", NULL, &e);
		return;
	}
	f->revision = revision;
}

static void on_time(void *arg)
{
	struct follow *f = arg;

	look(f);
	loop_timer_arm(&f->timer, MASA_FOLLOW_MS);
}

static void on_news(void *arg)
{
	struct follow *f = arg;

	atomic_store(&f->posted, false);
	loop_timer_arm(&f->timer, MASA_FOLLOW_GATHER_MS);
}

/* On a thread of the store. */
static void on_commit(void *arg)
{
	struct follow *f = arg;
	struct err ignored = ERR_INIT;

	if (!atomic_exchange(&f->posted, true) && !loop_post(f->loop, on_news, f, &ignored))
		atomic_store(&f->posted, false); /* no memory: the timer looks, too */
}

bool follow_start(struct masa *m, struct loop *l, struct err *e)
{
	struct follow *f;

	if (!store_is_remote(m->setup->config->store_path))
		return true;
	f = m->follow = mem_new(sizeof(*f), e);
	if (!f)
		return false;
	f->m = m;
	f->loop = l;
	f->revision = -1;
	if (!loop_timer_init(&f->timer, l, on_time, f, e))
		return false;
	loop_timer_arm(&f->timer, 0);
	store_watch(m->store, on_commit, f);
	return true;
}

void follow_end(struct masa *m)
{
	if (!m->follow)
		return;
	if (m->follow->timer.ev)
		loop_timer_clear(&m->follow->timer);
	free(m->follow);
	m->follow = NULL;
}
