/* SPDX-License-Identifier: Apache-2.0 */
/* The list of revoked certificates, from the store to whoever asks. One is made at a time, on the
 * first loop; a revocation that comes meanwhile makes another after it. */
#include "registrar/revoked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/file.h"
#include "common/pki/chain.h"
#include "common/wire/hex.h"
#include "registrar/records/records.h"

#define DAY_S	      86400
#define FILE_MODE     0644 /* it is for everybody */
#define OVERTAKEN_MAX 10

struct revoked {
	struct loop_timer timer; /* it and what follows: first loop */
	bool busy, again;
	bool failed;	    /* one that was wanted could not be made */
	unsigned overtaken; /* in a row, by another registrar's */
	int64_t number;	    /* of the one that is given out */
	int64_t made_at, due_at;
	pthread_mutex_t lock; /* guards what follows */
	struct buf der;	      /* len 0: there is none yet */
	int64_t next_update;
};

/* ---- Who is on it ---- */

struct entries {
	struct bytes issuer; /* key identifier */
	struct crl_entry *items;
	size_t count, room;
};

static void entries_clear(struct entries *l)
{
	free(l->items);
}
#define ENTRIES_AUTO __attribute__((cleanup(entries_clear)))

static bool make_room(struct entries *l, struct err *e)
{
	size_t room = l->room ? 2 * l->room : 64;
	struct crl_entry *items;

	if (l->count < l->room)
		return true;
	items = realloc(l->items, room * sizeof(*items));
	if (!items)
		return err_set(e, ERR_NO_MEMORY, "no memory for a revocation list");
	l->items = items;
	l->room = room;
	return true;
}

static bool read_serial(const char *hex, struct crl_entry *entry, struct err *e)
{
	size_t len = hex ? strlen(hex) : 0;

	if (len == 0 || len % 2 || len > 2 * CERT_SERIAL_MAX ||
		strspn(hex, "0123456789abcdef") != len)
		return err_set(
			e, ERR_STORE, "certificate with the number \"%.80s\"", hex ? hex : "");
	for (size_t i = 0; i < len / 2; i++)
		entry->serial[i] =
			(uint8_t)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
	entry->serial_len = len / 2;
	return true;
}

/* The key identifier of its issuer stands in every certificate we made: that of another CA, which
 * the site had before, is on no list of this one. */
static bool add_entry(void *arg, const struct revoked_row *row, struct err *e)
{
	struct entries *l = arg;

	if (!memmem(row->der.data, row->der.len, l->issuer.data, l->issuer.len))
		return true;
	if (!make_room(l, e) || !read_serial(row->serial_hex, &l->items[l->count], e))
		return false;
	l->items[l->count++].revoked_at = row->revoked_at;
	return true;
}

/* ---- Making one ---- */

struct making {
	struct registrar *r;
	struct buf der;
	int64_t before, number, at, next_update;
	size_t entry_count;
	char *file; /* or NULL */
};

static void making_free(struct making *m)
{
	buf_clear(&m->der);
	free(m->file);
	free(m);
}

/* By the time in ms: a store that was put back to an earlier state must not lead to a number that
 * was used. */
static int64_t next_number(int64_t last, int64_t now_ms)
{
	return last >= now_ms ? last + 1 : now_ms;
}

/* A certificate stays on the list until one list was made after its end (RFC 5280 §3.3). */
static bool issue(struct making *m, const struct registrar_setup *s, struct err *e)
{
	BUF_AUTO struct buf last = BUF_INIT(CRL_LIST_DER_MAX);
	ENTRIES_AUTO struct entries entries = {.issuer = ca_crl_issuer(s->ca)};
	struct crl_wish wish;

	if (!records_crl(m->r->store, entries.issuer, &m->before, &last, e) ||
		!records_list_revoked(
			m->r->store, m->at - s->config.crl_days * DAY_S, add_entry, &entries, e))
		return false;
	wish = (struct crl_wish){
		next_number(m->before, clock_unix_ms(&m->r->clock)), entries.items, entries.count};
	m->number = wish.number;
	m->entry_count = wish.entry_count;
	return ca_issue_crl(s->ca, &wish, m->at, &m->der, &m->next_update, e);
}

static struct making *make(struct registrar *r, const struct registrar_setup *s, struct err *e)
{
	struct making *m = mem_new(sizeof(*m), e);

	if (!m)
		return NULL;
	m->r = r;
	m->at = registrar_now(r);
	buf_init(&m->der, CRL_LIST_DER_MAX);
	if ((!s->config.crl_file || (m->file = str_dup(s->config.crl_file, e))) && issue(m, s, e))
		return m;
	making_free(m);
	return NULL;
}

/* ---- Giving it out ---- */

static void show(struct revoked *v, struct buf *der, int64_t next_update)
{
	struct buf old;

	pthread_mutex_lock(&v->lock);
	old = v->der;
	v->der = *der;
	v->next_update = next_update;
	pthread_mutex_unlock(&v->lock);
	buf_init(der, old.max);
	buf_clear(&old);
}

static void failed(struct registrar *r, const struct err *e)
{
	r->revoked->due_at = 0; /* with the next tick */
	r->revoked->failed = true;
	log_err(&r->log, "alert-crl-failed", NULL, e);
}

/* path NULL: nowhere. */
static bool write_file(const char *path, struct bytes der, struct err *e)
{
	return !path || file_write_atomic(path, der, FILE_MODE, e) ||
	       err_prefix(e, "[ca] crl_file");
}

static void publish(struct making *m)
{
	struct revoked *v = m->r->revoked;
	char number[24], entries[24];
	struct err e = ERR_INIT;

	v->number = m->number;
	v->overtaken = 0;
	v->failed = false;
	v->made_at = m->at;
	v->due_at = m->at + (m->next_update - m->at) / 2;
	snprintf(number, sizeof(number), "%lld", (long long)m->number);
	snprintf(entries, sizeof(entries), "%zu", m->entry_count);
	log_event(&m->r->log, LOG_LEVEL_INFO, "crl-published", NULL, "number", number, "entries",
		entries, NULL);
	if (!write_file(m->file, buf_bytes(&m->der), &e))
		failed(m->r, &e);
	show(v, &m->der, m->next_update);
}

static void on_kept(void *arg, const int64_t *changed, const struct err *e)
{
	struct making *m = arg;
	struct registrar *r = m->r;
	struct revoked *v = r->revoked;

	if (e && e->kind == ERR_CONFLICT && ++v->overtaken < OVERTAKEN_MAX)
		v->again = true; /* another registrar's list may lack what ours has */
	else if (e)
		failed(r, e);
	else
		publish(m);
	making_free(m);
	v->busy = false;
	if (v->again)
		revoked_publish(r);
	registrar_work_end(r);
}

static bool start(struct registrar *r, const struct registrar_setup *s, struct err *e)
{
	struct making *m = make(r, s, e);
	const struct records_writer w = {r->store, r->workers[0].loop, on_kept, m};

	if (!m)
		return false;
	registrar_work_begin(r);
	r->revoked->busy = records_keep_crl(
		&w, ca_crl_issuer(s->ca), m->before, m->number, buf_bytes(&m->der), e);
	if (r->revoked->busy)
		return true;
	making_free(m);
	registrar_work_end(r);
	return false;
}

/* A CA that may not sign lists has none, also when the one before it had. */
static void have_none(struct registrar *r)
{
	struct buf none = BUF_INIT(CRL_LIST_DER_MAX);

	r->revoked->due_at = INT64_MAX;
	log_event(&r->log, LOG_LEVEL_WARNING, "crl-impossible", NULL, "hint",
		"the issuing CA's certificate lacks the key usage cRLSign: revoked certificates "
		"are refused here, others do not hear of it",
		NULL);
	show(r->revoked, &none, 0);
	buf_clear(&none);
}

void revoked_publish(struct registrar *r)
{
	struct registrar_setup *s;
	struct err e = ERR_INIT;

	r->revoked->again = r->revoked->busy;
	if (r->revoked->busy)
		return;
	s = registrar_setup_take(r);
	if (ca_crl_issuer(s->ca).len == 0)
		have_none(r);
	else if (!start(r, s, &e))
		failed(r, &e);
	registrar_setup_free(s);
}

/* ---- Serving it ---- */

static bool no_list(struct registrar *r, struct err *e)
{
	struct registrar_setup *s = registrar_setup_take(r);
	bool will_be = ca_crl_issuer(s->ca).len > 0;

	registrar_setup_free(s);
	return err_set(e, will_be ? ERR_RETRY_LATER : ERR_NOT_FOUND, "there is no revocation list");
}

void revoked_serve(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	BUF_AUTO struct buf der = BUF_INIT(CRL_LIST_DER_MAX);
	struct err e = ERR_INIT;
	bool ok;

	pthread_mutex_lock(&r->revoked->lock); /* copied: an answer may begin the next request */
	ok = buf_append(&der, r->revoked->der.data, r->revoked->der.len, &e);
	pthread_mutex_unlock(&r->revoked->lock);
	if (ok && der.len == 0)
		ok = no_list(r, &e);
	if (!ok) {
		call_reply_err(c, &r->log, "crl-refused", &e);
		return;
	}
	call_set_header(c, "Cache-Control", "max-age=" CRL_MAX_AGE);
	call_reply(c, 200, "application/pkix-crl", buf_bytes(&der));
}

int64_t revoked_next_update(struct registrar *r)
{
	int64_t at;

	pthread_mutex_lock(&r->revoked->lock);
	at = r->revoked->next_update;
	pthread_mutex_unlock(&r->revoked->lock);
	return at;
}

/* ---- By itself ---- */

/* Also when the clock was set back: a list from the future is none. */
static void publish_due(struct registrar *r)
{
	int64_t now = registrar_now(r);
	bool due = now >= r->revoked->due_at || now < r->revoked->made_at;

	if (due && !r->revoked->busy && (store_leads(r->store) || r->revoked->failed))
		revoked_publish(r);
}

static void on_time(void *registrar)
{
	struct registrar *r = registrar;

	publish_due(r);
	loop_timer_arm(&r->revoked->timer, CRL_TICK_MS);
}

/* What was given out last stays while no other can be made, e.g. because the disk is full. */
static bool recall(struct registrar *r, const struct registrar_setup *s, struct err *e)
{
	const struct ca *ca = s->ca;
	BUF_AUTO struct buf der = BUF_INIT(CRL_LIST_DER_MAX);
	struct err unfit = ERR_INIT;
	struct crl_list *l;
	int64_t number = 0;

	if (ca_crl_issuer(ca).len == 0)
		return true;
	if (!records_crl(r->store, ca_crl_issuer(ca), &number, &der, e))
		return false;
	if (der.len == 0)
		return true;
	r->revoked->number = number;
	l = crl_list_open(buf_bytes(&der), ca_certs(ca)->items[0], CHAIN_NO_TIME, &unfit);
	if (!l || !write_file(s->config.crl_file, buf_bytes(&der), &unfit))
		log_err(&r->log, "alert-crl-failed", NULL, &unfit);
	if (l)
		show(r->revoked, &der, crl_list_next_update(l));
	crl_list_free(l);
	return true;
}

void revoked_follow(struct registrar *r)
{
	struct registrar_setup *s = registrar_setup_take(r);
	const struct bytes issuer = ca_crl_issuer(s->ca);
	struct err e = ERR_INIT;
	int64_t number;

	if (issuer.len > 0 && !r->revoked->busy &&
		(!records_crl_number(r->store, issuer, &number, &e) ||
			(number != r->revoked->number && !recall(r, s, &e))) &&
		e.kind != ERR_RETRY_LATER) /* the next look follows again */
		log_err(&r->log, "alert-crl-failed", NULL, &e);
	registrar_setup_free(s);
	if (!r->revoked->failed) /* who begins to lead does not wait for its timer */
		publish_due(r);
}

bool revoked_start(struct registrar *r, struct err *e)
{
	struct revoked *v = mem_new(sizeof(*v), e);

	if (!v)
		return false;
	r->revoked = v;
	buf_init(&v->der, CRL_LIST_DER_MAX);
	pthread_mutex_init(&v->lock, NULL);
	if (!recall(r, r->setup, e) ||
		!loop_timer_init(&v->timer, r->workers[0].loop, on_time, r, e))
		return false;
	loop_timer_arm(&v->timer, 0);
	return true;
}

static void on_reload(void *registrar)
{
	revoked_publish(registrar);
}

void revoked_reload(struct registrar *r)
{
	struct err e = ERR_INIT;

	if (!loop_post(r->workers[0].loop, on_reload, r, &e))
		log_err(&r->log, "alert-crl-failed", NULL, &e);
}

void revoked_end(struct registrar *r)
{
	struct revoked *v = r->revoked;

	if (!v)
		return;
	if (v->timer.ev)
		loop_timer_clear(&v->timer);
	buf_clear(&v->der);
	pthread_mutex_destroy(&v->lock);
	free(v);
	r->revoked = NULL;
}
