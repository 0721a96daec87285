/* SPDX-License-Identifier: Apache-2.0 */
/* A small table under a lock. */
#include "registrar/strangers.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"

struct strangers {
	pthread_mutex_t lock;
	struct stranger rows[STRANGERS_MAX];
	size_t count;
};

struct strangers *strangers_new(struct err *e)
{
	struct strangers *s = mem_new(sizeof(*s), e);

	if (s)
		pthread_mutex_init(&s->lock, NULL);
	return s;
}

void strangers_free(struct strangers *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static void name(char out[STRANGER_NAME_MAX + 1], const char *text)
{
	snprintf(out, STRANGER_NAME_MAX + 1, "%s", text);
	text_make_utf8(out, '?');
}

/* Its row, or one for it. */
static struct stranger *row_of(struct strangers *s, const char *issuer, int64_t now)
{
	struct stranger *oldest = &s->rows[0];

	for (size_t i = 0; i < s->count; i++) {
		if (strcmp(s->rows[i].issuer, issuer) == 0)
			return &s->rows[i];
		if (s->rows[i].last_seen < oldest->last_seen)
			oldest = &s->rows[i];
	}
	if (s->count < STRANGERS_MAX)
		oldest = &s->rows[s->count++];
	*oldest = (struct stranger){.first_seen = now};
	snprintf(oldest->issuer, sizeof(oldest->issuer), "%s", issuer);
	return oldest;
}

void strangers_note(struct strangers *s, const struct peer *peer, int64_t now)
{
	char issuer[STRANGER_NAME_MAX + 1];
	struct stranger *row;

	name(issuer, cert_issuer(peer->cert));
	pthread_mutex_lock(&s->lock);
	row = row_of(s, issuer, now);
	name(row->subject, cert_subject(peer->cert));
	snprintf(row->address, sizeof(row->address), "%s", peer->address);
	row->last_seen = now;
	row->count++;
	pthread_mutex_unlock(&s->lock);
}

static int newest_first(const void *a, const void *b)
{
	const struct stranger *l = a, *r = b;

	return (l->last_seen < r->last_seen) - (l->last_seen > r->last_seen);
}

size_t strangers_list(struct strangers *s, struct stranger out[STRANGERS_MAX])
{
	size_t count;

	pthread_mutex_lock(&s->lock);
	count = s->count;
	memcpy(out, s->rows, count * sizeof(*out));
	pthread_mutex_unlock(&s->lock);
	qsort(out, count, sizeof(*out), newest_first);
	return count;
}
