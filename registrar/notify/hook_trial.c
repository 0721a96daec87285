/* SPDX-License-Identifier: Apache-2.0 */
/* A try that an administrator asked for: one event that is no line of the journal, sent as others
 * are, without a mark on the hook. */
#include <stdlib.h>

#include "common/base/rng.h"
#include "registrar/admin/answer.h"
#include "registrar/notify/hooks_impl.h"

struct trial {
	struct trial *next;
	struct hooks *all;
	struct hook *hook; /* the only owner; NULL: none of this number */
	int64_t id, began_ms;
	struct loop *loop;
	hook_trial_done *done;
	void *arg;
	struct hook_trial_result result;
};

static void trial_free(void *arg)
{
	struct trial *t = arg;

	if (t->hook)
		hook_free(t->hook);
	free(t);
}

static void trial_told(void *arg)
{
	struct trial *t = arg;

	t->done(t->arg, &t->result);
	free(t);
}

static void trial_end(struct trial *t)
{
	struct trial **at = &t->all->trials;
	struct err ignored = ERR_INIT;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	t->result.took_ms = clock_mono_ms() - t->began_ms;
	if (t->hook)
		hook_free(t->hook);
	t->hook = NULL;
	if (!loop_post_or_drop(t->loop, trial_told, free, t, &ignored))
		free(t); /* no memory: its call is answered when its time is over */
}

static void on_trial_reply(void *arg, const struct http_reply *reply, const struct err *failure)
{
	struct trial *t = arg;

	t->result.taken = hook_was_taken(reply, failure, &t->result.why);
	trial_end(t);
}

static bool copy_hook(void *arg, const struct hook_row *row, struct err *e)
{
	struct trial *t = arg;

	if (row->id != t->id)
		return true;
	t->hook = hook_new(t->all, row, e);
	t->result.found = t->hook != NULL;
	return false;
}

static json_t *trial_event(const struct trial *t)
{
	char id[EXCHANGE_ID_MAX + 1];
	struct err ignored = ERR_INIT;

	if (!rng_exchange_id(id, &ignored))
		return NULL;
	return json_pack("{ss so ss ss so so ss s{sI}}", "specversion", "1.0", "id",
		json_sprintf("test-%s", id), "source", t->all->source, "type", "brski.hook.tested",
		"time", admin_moment(registrar_now(t->all->r)), "subject",
		json_sprintf("hook/%lld", (long long)t->id), "datacontenttype", "application/json",
		"data", "hook", (json_int_t)t->id);
}

static void on_trial(void *arg)
{
	struct trial *t = arg;
	BUF_AUTO struct buf body = BUF_INIT(HOOK_BODY_MAX);
	JSON_AUTO json_t *event = trial_event(t);
	struct err *e = &t->result.why;

	t->next = t->all->trials;
	t->all->trials = t;
	t->began_ms = clock_mono_ms();
	if (!event)
		err_set(e, ERR_NO_MEMORY, "no memory for an event");
	if (event && records_list_hooks(t->all->r->store, copy_hook, t, e) && t->hook &&
		json_format(event, &body, e) &&
		hook_send_event(t->hook, buf_bytes(&body), on_trial_reply, t, e))
		return;
	trial_end(t);
}

bool hooks_try(struct registrar *r, int64_t id, struct loop *l, hook_trial_done *done, void *arg,
	struct err *e)
{
	struct trial *t = mem_new(sizeof(*t), e);

	if (!t)
		return false;
	*t = (struct trial){.all = r->hooks, .id = id, .loop = l, .done = done, .arg = arg};
	if (loop_post_or_drop(r->hooks->loop, on_trial, trial_free, t, e))
		return true;
	free(t);
	return false;
}

void hook_trials_free(struct hooks *x)
{
	struct trial *next;

	for (struct trial *t = x->trials; t; t = next) {
		next = t->next;
		trial_free(t);
	}
	x->trials = NULL;
}
