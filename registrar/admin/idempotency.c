/* SPDX-License-Identifier: Apache-2.0 */
/* One ring of entries in the order they came; who comes is few enough to look at all of them. */
#include "registrar/admin/idempotency.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/pki/digest.h"
#include "registrar/admin/guard.h"
#include "registrar/registrar.h"

#define TYPE_MAX 63

struct entry {
	struct idempotency *table;
	bool used, running, too_long;
	uint8_t who[SHA256_LEN]; /* principal, resource and key */
	uint8_t what[SHA256_LEN];
	int64_t came_ms;
	int status;
	char type[TYPE_MAX + 1];
	struct buf body;
};

struct idempotency {
	struct entry entries[IDEMPOTENCY_ENTRIES];
	size_t next;  /* the oldest, which the next one overwrites */
	size_t total; /* octets of answers */
};

struct idempotency *idempotency_new(struct err *e)
{
	return mem_new(sizeof(struct idempotency), e);
}

/* Answers may hold a token or a one-time code: wiped. */
static void forget(struct entry *n)
{
	n->table->total -= n->body.len;
	buf_wipe(&n->body);
	n->used = false;
}

void idempotency_free(struct idempotency *t)
{
	for (size_t i = 0; t && i < IDEMPOTENCY_ENTRIES; i++)
		if (t->entries[i].used)
			forget(&t->entries[i]);
	free(t);
}

/* ---- Finding and making entries ---- */

static struct entry *find(struct idempotency *t, const uint8_t who[SHA256_LEN])
{
	const int64_t oldest_ms = clock_mono_ms() - IDEMPOTENCY_KEPT_S * 1000LL;

	for (size_t i = 0; i < IDEMPOTENCY_ENTRIES; i++) {
		struct entry *n = &t->entries[i];

		if (!n->used || memcmp(n->who, who, SHA256_LEN) != 0)
			continue;
		if (n->running || n->came_ms > oldest_ms)
			return n;
		forget(n);
	}
	return NULL;
}

/* The next place in the ring that is not under way; NULL when all are. */
static struct entry *next_place(struct idempotency *t)
{
	for (size_t i = 0; i < IDEMPOTENCY_ENTRIES; i++) {
		struct entry *n = &t->entries[t->next];

		t->next = (t->next + 1) % IDEMPOTENCY_ENTRIES;
		if (!n->used || !n->running)
			return n;
	}
	return NULL;
}

static struct entry *add(
	struct idempotency *t, const uint8_t who[SHA256_LEN], const uint8_t what[SHA256_LEN])
{
	struct entry *n = next_place(t);

	if (!n)
		return NULL;
	if (n->used)
		forget(n);
	*n = (struct entry){.table = t, .used = true, .running = true, .came_ms = clock_mono_ms()};
	memcpy(n->who, who, SHA256_LEN);
	memcpy(n->what, what, SHA256_LEN);
	buf_init(&n->body, IDEMPOTENCY_ANSWER_MAX);
	return n;
}

/* Forget the oldest answers until `more` octets fit. */
static void make_room(struct idempotency *t, size_t more)
{
	for (size_t i = 0; i < IDEMPOTENCY_ENTRIES && t->total + more > IDEMPOTENCY_TOTAL_MAX;
		i++) {
		struct entry *n = &t->entries[(t->next + i) % IDEMPOTENCY_ENTRIES];

		if (n->used && !n->running)
			forget(n);
	}
}

/* ---- A request ---- */

static void on_answer(void *arg, int status, const char *content_type, struct bytes body)
{
	struct entry *n = arg;
	struct err e = ERR_INIT;

	if (status == 0 || status >= 500) {
		forget(n);
		return;
	}
	if (body.len <= IDEMPOTENCY_ANSWER_MAX)
		make_room(n->table, body.len);
	n->running = false;
	n->status = status;
	snprintf(n->type, sizeof(n->type), "%s", content_type ? content_type : "");
	n->too_long =
		body.len > IDEMPOTENCY_ANSWER_MAX || !buf_append(&n->body, body.data, body.len, &e);
	n->table->total += n->body.len;
}

static void replay(struct call *c, const struct entry *n)
{
	call_set_header(c, "Idempotency-Replayed", "true");
	call_reply(c, n->status, n->type[0] ? n->type : NULL, buf_bytes(&n->body));
}

static bool conflict(struct err *e, const char *code, const char *sentence)
{
	err_set(e, ERR_CONFLICT, "%s", code);
	err_tell(e, "%s", sentence);
	return err_code(e, code);
}

/* True: n is done, and its answer is this request's too. */
static bool is_same(const struct entry *n, const uint8_t what[SHA256_LEN], struct err *e)
{
	if (memcmp(n->what, what, SHA256_LEN) != 0)
		return err_set(e, ERR_KEY_REUSED, "the key came with another body");
	if (n->running)
		return conflict(e, "in-progress",
			"The request with this key is still under way; ask again soon.");
	if (n->too_long)
		return conflict(e, "answer-gone",
			"This request was done; its answer was too long to be kept.");
	return true;
}

static bool is_key(const char *s)
{
	size_t len = strlen(s);

	for (const char *p = s; *p; p++)
		if (*p <= ' ' || *p > '~')
			return false;
	return len > 0 && len <= IDEMPOTENCY_KEY_MAX;
}

static bool digest_of(const struct call *c, const char *key, uint8_t who[SHA256_LEN],
	uint8_t what[SHA256_LEN], struct err *e)
{
	/* no part has a line feed; who comes by a token may less than who has logged in, and of two
	 * tokens one less than the other */
	const struct principal *p = admin_who(c);
	const struct grant *g = &p->limit;
	FREE_AUTO char *name = str_printf(e, "%s\n%d\n%d\n%s\n%s\n%lld\n%s\n%s\n%s", p->name,
		p->proof, p->limited ? (int)g->role : -1, g->site ? g->site : "",
		g->manufacturer ? g->manufacturer : "", (long long)g->until, call_path(c),
		call_query(c), key);

	return name && digest_sha256(bytes_of_str(name), who, e) &&
	       digest_sha256(call_body(c), what, e);
}

/* True: go on, the answer will be noted. False without an error: answered. */
static bool consider(struct idempotency *t, struct call *c, const char *key, struct err *e)
{
	uint8_t who[SHA256_LEN], what[SHA256_LEN];
	struct entry *n;

	if (!is_key(key)) {
		err_set(e, ERR_INPUT, "an Idempotency-Key of no use");
		return err_tell(e, "An Idempotency-Key is 1 to %d visible characters.",
			IDEMPOTENCY_KEY_MAX);
	}
	if (!digest_of(c, key, who, what, e))
		return false;
	n = find(t, who);
	if (n) {
		if (is_same(n, what, e))
			replay(c, n);
		return false;
	}
	n = add(t, who, what);
	if (!n)
		return err_set(e, ERR_RETRY_LATER, "too much with keys is under way");
	call_on_answer(c, on_answer, n);
	return true;
}

bool idempotency_intercept(struct call *c, void *app)
{
	struct registrar *r = app;
	const char *key = call_header(c, "Idempotency-Key");
	struct err e = ERR_INIT;

	/* what nobody asks is logging in: its answer belongs to who knows the password */
	if (!key || !admin_who(c) || strcmp(call_method(c), "POST") != 0 ||
		consider(r->idempotency, c, key, &e))
		return true;
	if (e.kind != ERR_NONE)
		call_reply_err(c, &r->log, "admin-failed", &e);
	return false;
}
