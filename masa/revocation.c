/* SPDX-License-Identifier: Apache-2.0 */
/* Revocation lists from their distribution points: see revocation.h. */
#include "masa/revocation.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/digest_map.h"
#include "masa/limits.h"

#define CRL_TYPE   "application/pkix-crl"
#define REASON_MAX 200 /* of why a fetch failed, kept with it */

struct kept_list {
	struct crl_list *list;
	int64_t fresh_until_ms;
};

struct failure {
	int64_t until_ms;
	char reason[REASON_MAX];
};

struct waiter {
	struct waiter *next;
	loop_fn *done;
	void *arg;
};

struct flight { /* one fetch under way */
	struct flight *next;
	struct worker *worker;
	struct revocation_gap gap; /* holds a reference to its issuer */
	int64_t now;
	struct waiter *waiters; /* in the order they came */
};

struct worker { /* touched by its loop's thread only */
	struct revocation *revocation;
	struct loop *loop;
	struct http_client *client;
	struct flight *flights;
	size_t flight_count;
};

struct revocation {
	const struct log *log;
	pthread_mutex_t lock;	     /* around the maps */
	struct digest_map *lists;    /* struct kept_list */
	struct digest_map *failures; /* struct failure */
	struct worker *workers;
	size_t worker_count;
};

/* ---- what is known ---- */

static void kept_list_free(void *value)
{
	struct kept_list *k = value;

	crl_list_free(k->list);
	free(k);
}

struct revocation *revocation_new(const struct log *log, struct err *e)
{
	struct revocation *r = mem_new(sizeof(*r), e);

	if (!r)
		return NULL;
	r->log = log;
	pthread_mutex_init(&r->lock, NULL);
	r->lists = digest_map_new(MASA_LISTS_CACHED, kept_list_free, e);
	r->failures = r->lists ? digest_map_new(MASA_LIST_FAILURES_CACHED, free, e) : NULL;
	if (r->failures)
		return r;
	revocation_free(r);
	return NULL;
}

/* The issuer belongs to it: what a stranger's CA gets from an address says nothing to others. */
static bool key_of(
	const struct cert *issuer, const char *uri, uint8_t key[SHA256_LEN], struct err *e)
{
	BUF_AUTO struct buf both = BUF_INIT(CERT_DER_MAX + CRL_URI_MAX);
	struct bytes spki = cert_spki(issuer);

	return buf_append(&both, spki.data, spki.len, e) && buf_append_str(&both, uri, e) &&
	       digest_sha256(buf_bytes(&both), key, e);
}

static void keep_list(struct revocation *r, const uint8_t *key, struct crl_list *list)
{
	struct err ignored = ERR_INIT;
	struct kept_list *k = mem_new(sizeof(*k), &ignored);

	if (!k) {
		crl_list_free(list);
		return;
	}
	k->list = list;
	k->fresh_until_ms = clock_mono_ms() + MASA_LIST_FRESH_MS;
	pthread_mutex_lock(&r->lock);
	digest_map_put(r->lists, key, k);
	pthread_mutex_unlock(&r->lock);
}

static void keep_failure(struct revocation *r, const uint8_t *key, const struct err *e)
{
	struct err ignored = ERR_INIT;
	struct failure *f = mem_new(sizeof(*f), &ignored);

	if (!f)
		return;
	f->until_ms = clock_mono_ms() + MASA_LIST_FAILURE_MS;
	snprintf(f->reason, sizeof(f->reason), "%.*s", REASON_MAX - 1, e->text);
	pthread_mutex_lock(&r->lock);
	digest_map_put(r->failures, key, f);
	pthread_mutex_unlock(&r->lock);
}

/* ---- looking ---- */

enum answer { GOOD, REVOKED, TO_FETCH, UNANSWERED };

struct question {
	struct cert *cert, *issuer;
	struct crl_points points;
	int64_t now;
};

static enum answer ask_list(const struct crl_list *l, const struct question *q, struct err *e)
{
	if (!crl_list_covers(l, q->cert, &q->points, e))
		return UNANSWERED;
	return crl_list_names(l, q->cert) ? REVOKED : GOOD;
}

/* With the lock held. */
static enum answer ask_known(
	struct revocation *r, const uint8_t *key, const struct question *q, struct err *e)
{
	const struct kept_list *k = digest_map_get(r->lists, key);
	const struct failure *f = digest_map_get(r->failures, key);
	int64_t mono_ms = clock_mono_ms();
	bool failed = f && mono_ms < f->until_ms;

	if (k && q->now <= crl_list_next_update(k->list) && (mono_ms < k->fresh_until_ms || failed))
		return ask_list(k->list, q, e);
	if (!failed)
		return TO_FETCH;
	err_set(e, ERR_PEER, "%s", f->reason);
	return UNANSWERED;
}

static enum answer ask_point(struct revocation *r, const char *uri, const struct question *q,
	struct revocation_gap *gap, struct err *e)
{
	uint8_t key[SHA256_LEN];
	enum answer a;

	if (!key_of(q->issuer, uri, key, e))
		return UNANSWERED;
	pthread_mutex_lock(&r->lock);
	a = ask_known(r, key, q, e);
	pthread_mutex_unlock(&r->lock);
	if (a != TO_FETCH)
		return a;
	if (!gap) {
		err_set(e, ERR_PEER_TIMEOUT, "no time left to fetch %s", uri);
		return UNANSWERED;
	}
	snprintf(gap->uri, sizeof(gap->uri), "%s", uri);
	gap->issuer = q->issuer;
	memcpy(gap->key, key, sizeof(key));
	return TO_FETCH;
}

/* The first point that answers decides. */
static enum answer ask_points(
	struct revocation *r, const struct question *q, struct revocation_gap *gap, struct err *e)
{
	if (!q->issuer)
		err_set(e, ERR_INPUT, "its issuer did not come along");
	else
		err_set(e, ERR_INPUT, "names no list that can be fetched");
	for (size_t i = 0; q->issuer && i < q->points.count; i++) {
		enum answer a = ask_point(r, q->points.uri[i], q, gap, e);

		if (a != UNANSWERED)
			return a;
	}
	return UNANSWERED;
}

/* An anchor that is not the signer itself is not judged; nor is a root. */
static bool is_judged(const struct cert_list *path, size_t i)
{
	return i + 1 < path->count || (i == 0 && !cert_is_self_signed(path->items[i]));
}

static enum answer ask_certificate(struct revocation *r, const struct cert_list *path, size_t i,
	int64_t now, struct revocation_gap *gap, struct err *e)
{
	struct question q = {.cert = path->items[i],
		.issuer = i + 1 < path->count ? path->items[i + 1] : NULL,
		.now = now};

	crl_points_of(q.cert, &q.points);
	if (!q.points.named || !is_judged(path, i))
		return GOOD;
	return ask_points(r, &q, gap, e);
}

static bool refuse_revoked(const struct cert *c, struct err *e)
{
	err_set(e, ERR_UNAUTHENTICATED, "certificate %s is revoked", cert_subject(c));
	return err_tell(e, "The registrar's certificate has been revoked.");
}

/* R8995-MASA-007: failing softly needs a switch. */
static bool tolerate(struct revocation *r, const struct revocation_rules *rules,
	const struct cert *c, const char *exchange, struct err *e)
{
	if (rules->policy == REVOCATION_PREFER && e->kind != ERR_NO_MEMORY) {
		log_event(r->log, LOG_LEVEL_WARNING, "revocation-not-checked", exchange,
			"certificate", cert_subject(c), "reason", e->text, NULL);
		*e = (struct err)ERR_INIT;
		return true;
	}
	if (e->kind == ERR_NO_MEMORY)
		return false;
	e->kind = ERR_UNAUTHENTICATED;
	err_prefix(e, "status of %s", cert_subject(c));
	return err_tell(
		e, "Whether the registrar's certificate is revoked could not be found out.");
}

enum revocation_state revocation_look(struct revocation *r, const struct revocation_rules *rules,
	const struct cert_list *path, int64_t now, const char *exchange, struct revocation_gap *gap,
	struct err *e)
{
	if (rules->policy == REVOCATION_OFF)
		return REVOCATION_CLEAR;
	for (size_t i = 0; i < path->count; i++)
		switch (ask_certificate(r, path, i, now, gap, e)) {
		case GOOD:
			break;
		case REVOKED:
			refuse_revoked(path->items[i], e);
			return REVOCATION_REFUSED;
		case TO_FETCH:
			gap->address_classes = rules->address_classes;
			return REVOCATION_UNKNOWN;
		case UNANSWERED:
			if (!tolerate(r, rules, path->items[i], exchange, e))
				return REVOCATION_REFUSED;
			break;
		}
	*e = (struct err)ERR_INIT; /* of points before the one that answered */
	return REVOCATION_CLEAR;
}

/* ---- fetching ---- */

static void flight_free(struct flight *f)
{
	struct waiter *w;

	while ((w = f->waiters) != NULL) {
		f->waiters = w->next;
		free(w);
	}
	cert_free(f->gap.issuer);
	free(f);
}

static void unlink_flight(struct flight *f)
{
	struct flight **at = &f->worker->flights;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	f->worker->flight_count--;
}

static struct crl_list *read_answer(
	const struct flight *f, const struct http_reply *reply, struct err *e)
{
	if (reply->status == 200)
		return crl_list_open(reply->body, f->gap.issuer, f->now, e);
	err_set(e, ERR_PEER, "answered %d", reply->status);
	return NULL;
}

static void land(struct flight *f, const struct http_reply *reply, const struct err *failed)
{
	struct revocation *r = f->worker->revocation;
	struct err e = failed ? *failed : (struct err)ERR_INIT;
	struct crl_list *list = reply ? read_answer(f, reply, &e) : NULL;

	if (list) {
		keep_list(r, f->gap.key, list);
		log_event(r->log, LOG_LEVEL_INFO, "crl-fetched", NULL, "uri", f->gap.uri, NULL);
		return;
	}
	err_prefix(&e, "%s", f->gap.uri);
	keep_failure(r, f->gap.key, &e);
	log_err(r->log, "crl-not-to-be-had", NULL, &e);
}

static void on_done(void *arg, const struct http_reply *reply, const struct err *e)
{
	struct flight *f = arg;

	land(f, reply, e);
	unlink_flight(f); /* a waiter may start the next one at once */
	for (struct waiter *w = f->waiters; w; w = w->next)
		w->done(w->arg);
	flight_free(f);
}

static bool add_waiter(struct flight *f, loop_fn *done, void *arg, struct err *e)
{
	struct waiter *w = mem_new(sizeof(*w), e), **end = &f->waiters;

	if (!w)
		return false;
	*w = (struct waiter){.done = done, .arg = arg};
	while (*end)
		end = &(*end)->next;
	*end = w;
	return true;
}

static struct flight *find_flight(struct worker *w, const uint8_t *key)
{
	struct flight *f = w->flights;

	while (f && memcmp(f->gap.key, key, SHA256_LEN) != 0)
		f = f->next;
	return f;
}

static bool take_off(struct flight *f, struct err *e)
{
	struct worker *w = f->worker;
	struct http_fetch request = {
		.method = "GET",
		.accept = CRL_TYPE,
		.reply_max = CRL_LIST_DER_MAX,
		.connect_ms = MASA_LIST_CONNECT_MS,
		.timeout_ms = MASA_LIST_FETCH_MS,
		.address_classes = f->gap.address_classes,
		.signed_object = true,
	};

	if (!uri_parse_web(f->gap.uri, &request.uri, e) ||
		!http_fetch(w->client, &request, on_done, f, e))
		return false;
	f->next = w->flights;
	w->flights = f;
	w->flight_count++;
	return true;
}

static bool begin(struct worker *w, const struct revocation_gap *gap, int64_t now, loop_fn *done,
	void *arg, struct err *e)
{
	struct flight *f;

	if (w->flight_count == MASA_LIST_FETCHES_MAX)
		return err_set(e, ERR_RETRY_LATER, "too many revocation lists being fetched");
	f = mem_new(sizeof(*f), e);
	if (!f)
		return false;
	f->worker = w;
	f->gap = *gap;
	f->gap.issuer = cert_ref(gap->issuer);
	f->now = now;
	if (add_waiter(f, done, arg, e) && take_off(f, e))
		return true;
	flight_free(f);
	return false;
}

static struct worker *worker_of(struct revocation *r, const struct loop *l)
{
	for (size_t i = 0; i < r->worker_count; i++)
		if (r->workers[i].loop == l)
			return &r->workers[i];
	return NULL;
}

bool revocation_fetch(struct revocation *r, struct loop *l, const struct revocation_gap *gap,
	int64_t now, loop_fn *done, void *arg, struct err *e)
{
	struct worker *w = worker_of(r, l);
	struct flight *f;

	if (!w)
		return err_set(e, ERR_BUG, "a loop without an HTTP client");
	f = find_flight(w, gap->key);
	return f ? add_waiter(f, done, arg, e) : begin(w, gap, now, done, arg, e);
}

/* ---- workers ---- */

bool revocation_use_loops(struct revocation *r, struct loop **loops, size_t n, struct err *e)
{
	r->workers = mem_new(n * sizeof(*r->workers), e);
	if (!r->workers)
		return false;
	for (; r->worker_count < n; r->worker_count++) {
		struct worker *w = &r->workers[r->worker_count];

		*w = (struct worker){.revocation = r, .loop = loops[r->worker_count]};
		w->client = http_client_new(w->loop, e);
		if (!w->client)
			return false;
	}
	return true;
}

static void worker_stop(struct worker *w)
{
	struct flight *f;

	http_client_free(w->client);
	while ((f = w->flights) != NULL) {
		w->flights = f->next;
		flight_free(f);
	}
}

void revocation_free(struct revocation *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->worker_count; i++)
		worker_stop(&r->workers[i]);
	free(r->workers);
	digest_map_free(r->lists);
	digest_map_free(r->failures);
	pthread_mutex_destroy(&r->lock);
	free(r);
}
