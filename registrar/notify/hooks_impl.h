/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks from the inside: for hooks.c (which there are), hook_deliver.c (what one is sent, and when)
 * and hook_trial.c. All of it is on the hooks' thread. */
#ifndef REGISTRAR_NOTIFY_HOOKS_IMPL_H
#define REGISTRAR_NOTIFY_HOOKS_IMPL_H

#include "registrar/notify/event.h"
#include "registrar/notify/hook_send.h"
#include "registrar/notify/hooks.h"
#include "registrar/records/hooks.h"

struct trial;

/* It is idle, has a request under way, or waits for its next try. */
struct hook {
	struct hook *next;
	struct hooks *all;
	int64_t id;
	struct uri uri;
	char secret[HOOK_SECRET_MAX + 1];
	char types[EVENT_TYPES_MAX + 1];
	struct buf anchors; /* empty: those of the configuration */
	bool enabled;
	bool gone;	/* removed while a request is under way */
	bool busy;	/* one is */
	bool waiting;	/* for its next try */
	bool look_dead; /* there may be dead letters that somebody wants */
	int64_t cursor, saved, delivered_at, failing_at, tries;
	int64_t last_dead; /* the wanted one that was tried last */
	int64_t sequence;  /* of the event under way */
	bool dead;	   /* that one is a dead letter */
	struct loop_timer again;
};

struct hooks {
	struct registrar *r;
	struct loop *loop;
	pthread_t thread;
	bool thread_runs;
	struct http_client *client;
	struct hook *first;
	struct trial *trials; /* that are under way */
	struct loop_timer gather, save;
	bool gathering, saving;
	struct buf roots;
	char source[EVENT_SOURCE_MAX + 1];
	atomic_bool wanted; /* some hook is enabled */
	atomic_bool posted, change_posted;
	_Atomic int64_t slowest; /* cursor of the enabled hook that is furthest behind */
};

/* Send the next event, unless one is under way or the hook waits. */
void hook_go(struct hook *h);
/* Its timer calls this. */
void hook_go_again(void *hook);
/* Write down how far they are. */
void hooks_save(void *hooks);
/* Start a request with this body; done as in http_client.h. */
bool hook_send_event(
	struct hook *h, struct bytes body, http_done *done, void *arg, struct err *e) MUST_CHECK;

/* The configured anchors for this address, which has to be https; until the hooks end. */
bool hooks_anchors(
	struct hooks *x, const struct uri *uri, struct bytes *out, struct err *e) MUST_CHECK;

/* As the store has it. */
struct hook *hook_new(struct hooks *x, const struct hook_row *row, struct err *e) MUST_CHECK;
void hook_free(struct hook *h);
void hooks_unlink(struct hook *h);
void hooks_note_slowest(struct hooks *x);

/* The server's end: those that nobody will answer. */
void hook_trials_free(struct hooks *x);

#endif
