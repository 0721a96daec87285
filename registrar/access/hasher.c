/* SPDX-License-Identifier: Apache-2.0 */
/* A queue, a thread, and the answer posted to the loop that asked. */
#include "registrar/access/hasher.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/buf.h"

#define HASHER_NICE   5 /* devices come first, yet somebody waits for it */
#define RETRY_POST_US 100000

struct job {
	struct job *next;
	struct loop *loop;
	hasher_done *done;
	void *arg;
	char *hash, *password, *fresh;
	bool right;
	char result[PASSWORD_HASH_MAX];
	struct err err;
};

struct hasher {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	bool runs, stop;
	struct job *first, **last;
	size_t count;
};

/* Of "a password that nobody has", with the costs of all others. */
static const char nobodys[] = "$argon2id$v=19$m=32768,t=3,p=1$bm9ib2R5J3Mgc2FsdCAxNg"
			      "$YhVm40mxXKYl0IWRM43HJYYNhwVYw3aXHxP2NE6NcVs";

static void wipe(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

static void job_free(struct job *j)
{
	if (!j)
		return;
	wipe(j->password);
	wipe(j->fresh);
	free(j->hash);
	free(j);
}

static void drop_job(void *arg)
{
	struct job *j = arg;

	free(j->arg);
	job_free(j);
}

/* ---- On the loop ---- */

static void answer(void *arg)
{
	struct job *j = arg;

	j->done(j->arg, j->right, j->result, j->err.kind == ERR_NONE ? NULL : &j->err);
	job_free(j);
}

/* ---- On the thread ---- */

static void work(struct job *j)
{
	const char *hash = j->hash ? j->hash : nobodys;

	j->right = true;
	if (j->password && !password_verify(hash, j->password, &j->right, &j->err))
		j->right = false;
	j->right = j->right && (j->hash || !j->password);
	if (j->right && j->fresh && !password_hash(j->fresh, j->result, &j->err))
		j->right = false;
}

static struct job *take(struct hasher *h)
{
	struct job *j;

	pthread_mutex_lock(&h->lock);
	while (!h->first && !h->stop)
		pthread_cond_wait(&h->wake, &h->lock);
	j = h->stop ? NULL : h->first;
	if (j) {
		h->first = j->next;
		if (!h->first)
			h->last = &h->first;
		h->count--;
	}
	pthread_mutex_unlock(&h->lock);
	return j;
}

static void *run(void *arg)
{
	struct hasher *h = arg;
	struct err ignored = ERR_INIT;
	struct job *j;

	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), HASHER_NICE);
	while ((j = take(h)) != NULL) {
		work(j);
		while (!loop_post_or_drop(j->loop, answer, drop_job, j, &ignored))
			usleep(RETRY_POST_US); /* no memory to say so */
	}
	return NULL;
}

/* ---- Asking ---- */

static char *copy(const char *s, bool *ok, struct err *e)
{
	char *c = s && *ok ? str_dup(s, e) : NULL;

	*ok = *ok && (!s || c);
	return c;
}

static struct job *job_new(const struct hash_question *q, struct err *e)
{
	struct job *j = mem_new(sizeof(*j), e);
	bool ok = j != NULL;

	if (!j)
		return NULL;
	j->hash = copy(q->hash, &ok, e);
	j->password = copy(q->password, &ok, e);
	j->fresh = copy(q->fresh, &ok, e);
	if (ok)
		return j;
	job_free(j);
	return NULL;
}

static bool enqueue(struct hasher *h, struct job *j)
{
	bool room;

	pthread_mutex_lock(&h->lock);
	room = h->count < HASHER_QUEUE_MAX;
	if (room) {
		*h->last = j;
		h->last = &j->next;
		h->count++;
		pthread_cond_signal(&h->wake);
	}
	pthread_mutex_unlock(&h->lock);
	return room;
}

bool hasher_ask(struct hasher *h, const struct hash_question *q, struct loop *l, hasher_done *done,
	void *arg, struct err *e)
{
	struct job *j = job_new(q, e);

	if (!j)
		return false;
	j->loop = l;
	j->done = done;
	j->arg = arg;
	if (enqueue(h, j))
		return true;
	job_free(j);
	err_set(e, ERR_RETRY_LATER, "%d log-ins are being checked", HASHER_QUEUE_MAX);
	return err_tell(e, "Too many log in at once; try again in a moment.");
}

/* ---- Life ---- */

struct hasher *hasher_new(struct err *e)
{
	struct hasher *h = mem_new(sizeof(*h), e);

	if (!h)
		return NULL;
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->wake, NULL);
	h->last = &h->first;
	h->runs = pthread_create(&h->thread, NULL, run, h) == 0;
	if (h->runs)
		return h;
	hasher_free(h);
	err_set(e, ERR_NO_MEMORY, "no thread for log-ins");
	return NULL;
}

void hasher_free(struct hasher *h)
{
	struct job *j;

	if (!h)
		return;
	pthread_mutex_lock(&h->lock);
	h->stop = true;
	pthread_cond_signal(&h->wake);
	pthread_mutex_unlock(&h->lock);
	if (h->runs)
		pthread_join(h->thread, NULL);
	while ((j = h->first) != NULL) {
		h->first = j->next;
		drop_job(j);
	}
	pthread_cond_destroy(&h->wake);
	pthread_mutex_destroy(&h->lock);
	free(h);
}
