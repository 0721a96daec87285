/* SPDX-License-Identifier: Apache-2.0 */
/* Following the other registrars: all on the first loop, but for fellows_wake() and fellows_id().
 *
 * Whether one is there is told by its beat, a number that it counts up, and by looks at it that
 * find it unchanged: no two clocks are compared, and a time in which the database was away does not
 * count, because then nobody could say anything. */
#include "registrar/fellows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/rng.h"
#include "common/wire/hex.h"
#include "registrar/limits.h"
#include "registrar/notify/hooks.h"
#include "registrar/records/members.h"
#include "registrar/issuing.h"
#include "registrar/revoked.h"

#define HOST_MAX 255

/* What the one that leads has seen of another. */
struct fellow {
	char id[MEMBER_ID_LEN + 1], host[HOST_MAX + 1];
	int64_t beat;
	unsigned still; /* looks at it that found the same beat */
	bool there;	/* in this look */
};

struct fellows {
	struct registrar *r;
	bool shared; /* false: the database is ours alone */
	bool joined; /* there is a row of ours */
	char id[MEMBER_ID_LEN + 1], host[HOST_MAX + 1];
	struct loop_timer tick, gather;
	atomic_bool posted; /* a commit is on its way to the loop */
	bool gathering;
	bool beating; /* a beat is on its way to the store */
	bool leads;
	int64_t read_to; /* the line of the journal up to which we followed */
	struct fellow seen[FELLOWS_MAX];
	size_t seen_count;
};

/* ---- What they have written ---- */

static bool take_up(struct registrar *r, const struct records_news *news, struct err *e)
{
	if (news->rule && !registrar_load_rules(r, e))
		return false;
	if (news->hook)
		hooks_changed(r);
	return true;
}

/* Our own lines are among them: what they tell of is read once more. */
static void follow(struct fellows *f)
{
	struct records_news news;
	struct err e = ERR_INIT;

	if (!records_news(f->r->store, f->read_to, &news, &e) ||
		(news.last && !take_up(f->r, &news, &e))) {
		if (e.kind != ERR_RETRY_LATER) /* the next look follows again */
			log_err(&f->r->log, "following-failed", NULL, &e);
		return;
	}
	if (news.last)
		f->read_to = news.last;
	if (!issuing_follow(f->r, &e) && e.kind != ERR_RETRY_LATER)
		log_err(&f->r->log, "following-failed", NULL, &e);
	revoked_follow(f->r);
}

static void on_gathered(void *arg)
{
	struct fellows *f = arg;

	f->gathering = false;
	follow(f);
}

static void on_news(void *arg)
{
	struct fellows *f = arg;

	atomic_store(&f->posted, false);
	if (f->gathering)
		return;
	f->gathering = true;
	loop_timer_arm(&f->gather, FELLOWS_GATHER_MS);
}

void fellows_wake(struct registrar *r)
{
	struct fellows *f = r->fellows;
	struct err ignored = ERR_INIT;

	if (f->shared && !atomic_exchange(&f->posted, true) &&
		!loop_post(r->workers[0].loop, on_news, f, &ignored))
		atomic_store(&f->posted, false); /* no memory: the next tick looks, too */
}

/* ---- Who is not there any more ---- */

static void on_buried(void *arg, const int64_t *changed, const struct err *e)
{
	struct registrar *r = arg;

	if (e)
		log_err(&r->log, "member-not-freed", NULL, e);
}

static void bury(struct fellows *f, const struct fellow *dead)
{
	struct registrar *r = f->r;
	const struct records_writer w = {r->store, r->workers[0].loop, on_buried, r};
	struct err e = ERR_INIT;

	log_event(&r->log, LOG_LEVEL_WARNING, "alert-member-lost", NULL, "member", dead->id, "host",
		dead->host, "hint", "what this registrar had in hand goes on without it", NULL);
	if (!records_bury_member(&w, dead->id, registrar_now(r), &e))
		on_buried(r, NULL, &e);
}

static struct fellow *fellow_of(struct fellows *f, const struct member_row *row)
{
	struct fellow *x;

	for (size_t i = 0; i < f->seen_count; i++)
		if (strcmp(f->seen[i].id, row->id) == 0)
			return &f->seen[i];
	if (f->seen_count == FELLOWS_MAX)
		return NULL;
	x = &f->seen[f->seen_count++];
	*x = (struct fellow){.beat = row->beat};
	snprintf(x->id, sizeof(x->id), "%s", row->id);
	snprintf(x->host, sizeof(x->host), "%s", row->host);
	return x;
}

static bool look_at(void *arg, const struct member_row *row, struct err *e)
{
	struct fellows *f = arg;
	struct fellow *x = strcmp(row->id, f->id) == 0 ? NULL : fellow_of(f, row);

	if (!x)
		return true;
	x->there = true;
	x->still = x->beat == row->beat ? x->still + 1 : 0;
	x->beat = row->beat;
	return true;
}

static void look_at_all(struct fellows *f)
{
	struct err e = ERR_INIT;
	size_t kept = 0;

	for (size_t i = 0; i < f->seen_count; i++)
		f->seen[i].there = false;
	if (!records_list_members(f->r->store, look_at, f, &e)) {
		f->seen_count = 0;
		return;
	}
	for (size_t i = 0; i < f->seen_count; i++) {
		if (f->seen[i].there && f->seen[i].still < FELLOWS_DEAD_LOOKS)
			f->seen[kept++] = f->seen[i];
		else if (f->seen[i].there)
			bury(f, &f->seen[i]);
	}
	f->seen_count = kept;
}

/* ---- That we are there ---- */

static void on_beaten(void *arg, const int64_t *changed, const struct err *e)
{
	struct fellows *f = arg;

	f->beating = false;
	f->joined = !e || e->kind != ERR_CONFLICT;
	if (!e)
		return;
	f->seen_count = 0; /* others may not have come through either */
	if (e->kind == ERR_CONFLICT)
		log_event(&f->r->log, LOG_LEVEL_WARNING, "member-was-lost", NULL, "hint",
			"the others took this registrar for dead", NULL);
}

static void on_joined(void *arg, const int64_t *changed, const struct err *e)
{
	struct fellows *f = arg;

	f->beating = false;
	f->joined = !e;
}

static void beat(struct fellows *f)
{
	const struct records_writer w = {
		f->r->store, f->r->workers[0].loop, f->joined ? on_beaten : on_joined, f};
	const struct member_row row = {
		.id = f->id, .host = f->host, .started_at = f->r->started_at};
	struct err e = ERR_INIT;

	if (f->beating) { /* ours does not get through, so theirs may not */
		f->seen_count = 0;
		return;
	}
	f->beating = f->joined ? records_beat(&w, f->id, &e) : records_join(&w, &row, &e);
	if (!f->beating)
		f->seen_count = 0;
}

/* What only one does begins or ends here; most of it asks store_leads() itself each time. */
static void note_lead(struct fellows *f)
{
	bool leads = store_leads(f->r->store);

	if (leads == f->leads)
		return;
	f->leads = leads;
	f->seen_count = 0;
	if (leads)
		hooks_changed(f->r);
}

static void on_tick(void *arg)
{
	struct fellows *f = arg;

	note_lead(f);
	beat(f);
	if (f->leads)
		look_at_all(f);
	follow(f);
	loop_timer_arm(&f->tick, FELLOWS_BEAT_MS);
}

/* ---- Life ---- */

static bool take_name(struct fellows *f, struct err *e)
{
	uint8_t octets[MEMBER_ID_LEN / 2];

	if (!rng_bytes(octets, sizeof(octets), e))
		return false;
	hex_encode(bytes_of(octets, sizeof(octets)), f->id);
	if (gethostname(f->host, sizeof(f->host)) != 0)
		f->host[0] = '\0';
	f->host[HOST_MAX] = '\0';
	return true;
}

static bool note_line(void *arg, const struct journal_line *line, struct err *e)
{
	struct fellows *f = arg;

	f->read_to = line->sequence;
	return true;
}

static bool join(struct fellows *f, struct err *e)
{
	const struct member_row row = {
		.id = f->id, .host = f->host, .started_at = f->r->started_at};

	f->joined = take_name(f, e) && records_join_wait(f->r->store, &row, e);
	if (f->joined)
		log_event(&f->r->log, LOG_LEVEL_INFO, "member-joined", NULL, "member", f->id,
			"host", f->host, NULL);
	return f->joined && records_last_journal(f->r->store, note_line, f, e);
}

bool fellows_start(struct registrar *r, struct err *e)
{
	struct fellows *f = r->fellows = mem_new(sizeof(*f), e);

	if (!f)
		return false;
	f->r = r;
	f->shared = store_is_remote(r->setup->config.store);
	if (!f->shared)
		return true;
	if (!join(f, e) || !loop_timer_init(&f->tick, r->workers[0].loop, on_tick, f, e) ||
		!loop_timer_init(&f->gather, r->workers[0].loop, on_gathered, f, e))
		return false;
	loop_timer_arm(&f->tick, 0);
	return true;
}

const char *fellows_id(const struct registrar *r)
{
	return r->fellows && r->fellows->shared ? r->fellows->id : NULL;
}

void fellows_stop(struct registrar *r)
{
	struct fellows *f = r->fellows;
	struct err e = ERR_INIT;

	/* while the database is away nobody waits for it: the others will see */
	if (f && f->joined && store_ready(r->store) &&
		!records_leave_wait(r->store, f->id, registrar_now(r), &e))
		log_err(&r->log, "member-not-freed", NULL, &e);
}

void fellows_end(struct registrar *r)
{
	struct fellows *f = r->fellows;

	if (!f)
		return;
	if (f->tick.ev)
		loop_timer_clear(&f->tick);
	if (f->gather.ev)
		loop_timer_clear(&f->gather);
	free(f);
	r->fellows = NULL;
}
