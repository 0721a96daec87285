/* SPDX-License-Identifier: Apache-2.0 */
/* The lists of revoked certificates, one of each issuing CA, from the store to whoever asks. Of
 * each one is made at a time, on the first loop; a revocation that comes meanwhile makes another
 * after it. */
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

/* That of one CA; on the first loop, but for what the lock guards. */
struct list {
	enum ca_slot slot;
	bool busy, again;
	bool failed;	    /* one that was wanted could not be made */
	unsigned overtaken; /* in a row, by another registrar's */
	int64_t number;	    /* of the one that is given out */
	int64_t made_at, due_at;
	struct buf der;	     /* guarded; len 0: there is none yet */
	int64_t next_update; /* guarded */
};

struct revoked {
	struct loop_timer timer;
	struct list lists[CA_SLOT_COUNT];
	pthread_mutex_t lock;
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
	struct list *l;
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
	struct ca *ca = s->cas[m->l->slot];
	BUF_AUTO struct buf last = BUF_INIT(CRL_LIST_DER_MAX);
	ENTRIES_AUTO struct entries entries = {.issuer = ca_crl_issuer(ca)};
	struct crl_wish wish;

	if (!records_crl(m->r->store, entries.issuer, &m->before, &last, e) ||
		!records_list_revoked(
			m->r->store, m->at - s->config.crl_days * DAY_S, add_entry, &entries, e))
		return false;
	wish = (struct crl_wish){
		next_number(m->before, clock_unix_ms(&m->r->clock)), entries.items, entries.count};
	m->number = wish.number;
	m->entry_count = wish.entry_count;
	return ca_issue_crl(ca, &wish, m->at, &m->der, &m->next_update, e);
}

static const char *file_of(const struct registrar_setup *s, enum ca_slot slot)
{
	return slot == CA_PRIMARY ? s->config.crl_file : s->config.standby_crl_file;
}

static struct making *make(
	struct registrar *r, struct list *l, const struct registrar_setup *s, struct err *e)
{
	struct making *m = mem_new(sizeof(*m), e);
	const char *file = file_of(s, l->slot);

	if (!m)
		return NULL;
	m->r = r;
	m->l = l;
	m->at = registrar_now(r);
	buf_init(&m->der, CRL_LIST_DER_MAX);
	if ((!file || (m->file = str_dup(file, e))) && issue(m, s, e))
		return m;
	making_free(m);
	return NULL;
}

/* ---- Giving it out ---- */

static void show(struct revoked *v, struct list *l, struct buf *der, int64_t next_update)
{
	struct buf old;

	pthread_mutex_lock(&v->lock);
	old = l->der;
	l->der = *der;
	l->next_update = next_update;
	pthread_mutex_unlock(&v->lock);
	buf_init(der, old.max);
	buf_clear(&old);
}

static void failed(struct registrar *r, struct list *l, const struct err *e)
{
	l->due_at = 0; /* with the next tick */
	l->failed = true;
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
	struct list *l = m->l;
	char number[24], entries[24];
	struct err e = ERR_INIT;

	l->number = m->number;
	l->overtaken = 0;
	l->failed = false;
	l->made_at = m->at;
	l->due_at = m->at + (m->next_update - m->at) / 2;
	snprintf(number, sizeof(number), "%lld", (long long)m->number);
	snprintf(entries, sizeof(entries), "%zu", m->entry_count);
	log_event(&m->r->log, LOG_LEVEL_INFO, "crl-published", NULL, "number", number, "entries",
		entries, "ca", l->slot == CA_STANDBY ? ca_slot_name(l->slot) : NULL, NULL);
	if (!write_file(m->file, buf_bytes(&m->der), &e))
		failed(m->r, l, &e);
	show(m->r->revoked, l, &m->der, m->next_update);
}

static void publish_one(struct registrar *r, struct list *l);

static void on_kept(void *arg, const int64_t *changed, const struct err *e)
{
	struct making *m = arg;
	struct registrar *r = m->r;
	struct list *l = m->l;

	if (e && e->kind == ERR_CONFLICT && ++l->overtaken < OVERTAKEN_MAX)
		l->again = true; /* another registrar's list may lack what ours has */
	else if (e)
		failed(r, l, e);
	else
		publish(m);
	making_free(m);
	l->busy = false;
	if (l->again)
		publish_one(r, l);
	registrar_work_end(r);
}

static bool start(
	struct registrar *r, struct list *l, const struct registrar_setup *s, struct err *e)
{
	struct making *m = make(r, l, s, e);
	const struct records_writer w = {r->store, r->workers[0].loop, on_kept, m};

	if (!m)
		return false;
	registrar_work_begin(r);
	l->busy = records_keep_crl(
		&w, ca_crl_issuer(s->cas[l->slot]), m->before, m->number, buf_bytes(&m->der), e);
	if (l->busy)
		return true;
	making_free(m);
	registrar_work_end(r);
	return false;
}

/* A CA that may not sign lists has none, also when the one before it had. */
static void have_none(struct registrar *r, struct list *l)
{
	struct buf none = BUF_INIT(CRL_LIST_DER_MAX);

	l->due_at = INT64_MAX;
	log_event(&r->log, LOG_LEVEL_WARNING, "crl-impossible", NULL, "hint",
		"the issuing CA's certificate lacks the key usage cRLSign: revoked certificates "
		"are refused here, others hear of it by OCSP alone",
		NULL);
	show(r->revoked, l, &none, 0);
	buf_clear(&none);
}

/* Of a CA whose key cannot be used the last one stays as it is. */
static void publish_one(struct registrar *r, struct list *l)
{
	struct registrar_setup *s;
	struct err e = ERR_INIT;

	l->again = l->busy;
	if (l->busy)
		return;
	s = registrar_setup_take(r);
	if (!s->cas[l->slot] || ca_fault(s->cas[l->slot]))
		l->due_at = INT64_MAX;
	else if (ca_crl_issuer(s->cas[l->slot]).len == 0)
		have_none(r, l);
	else if (!start(r, l, s, &e))
		failed(r, l, &e);
	registrar_setup_free(s);
}

void revoked_publish(struct registrar *r)
{
	for (size_t i = 0; i < CA_SLOT_COUNT; i++)
		publish_one(r, &r->revoked->lists[i]);
}

/* ---- Serving it ---- */

static bool no_list(struct registrar *r, enum ca_slot slot, struct err *e)
{
	struct registrar_setup *s = registrar_setup_take(r);
	bool will_be = s->cas[slot] && ca_crl_issuer(s->cas[slot]).len > 0;

	registrar_setup_free(s);
	return err_set(e, will_be ? ERR_RETRY_LATER : ERR_NOT_FOUND, "there is no revocation list");
}

static void serve(struct call *c, struct registrar *r, enum ca_slot slot)
{
	const struct list *l = &r->revoked->lists[slot];
	BUF_AUTO struct buf der = BUF_INIT(CRL_LIST_DER_MAX);
	struct err e = ERR_INIT;
	bool ok;

	pthread_mutex_lock(&r->revoked->lock); /* copied: an answer may begin the next request */
	ok = buf_append(&der, l->der.data, l->der.len, &e);
	pthread_mutex_unlock(&r->revoked->lock);
	if (ok && der.len == 0)
		ok = no_list(r, slot, &e);
	if (!ok) {
		call_reply_err(c, &r->log, "crl-refused", &e);
		return;
	}
	call_set_header(c, "Cache-Control", "max-age=" CRL_MAX_AGE);
	call_reply(c, 200, "application/pkix-crl", buf_bytes(&der));
}

void revoked_serve(struct call *c, void *registrar)
{
	serve(c, registrar, CA_PRIMARY);
}

void revoked_serve_standby(struct call *c, void *registrar)
{
	serve(c, registrar, CA_STANDBY);
}

int64_t revoked_next_update(struct registrar *r, enum ca_slot slot)
{
	int64_t at;

	pthread_mutex_lock(&r->revoked->lock);
	at = r->revoked->lists[slot].next_update;
	pthread_mutex_unlock(&r->revoked->lock);
	return at;
}

/* ---- By itself ---- */

/* Also when the clock was set back: a list from the future is none. */
static void publish_due(struct registrar *r, struct list *l)
{
	int64_t now = registrar_now(r);
	bool due = now >= l->due_at || now < l->made_at;

	if (due && !l->busy && (store_leads(r->store) || l->failed))
		publish_one(r, l);
}

static void on_time(void *registrar)
{
	struct registrar *r = registrar;

	for (size_t i = 0; i < CA_SLOT_COUNT; i++)
		publish_due(r, &r->revoked->lists[i]);
	loop_timer_arm(&r->revoked->timer, CRL_TICK_MS);
}

/* What was given out last stays while no other can be made, e.g. because the disk is full. */
static bool recall(
	struct registrar *r, struct list *own, const struct registrar_setup *s, struct err *e)
{
	const struct ca *ca = s->cas[own->slot];
	BUF_AUTO struct buf der = BUF_INIT(CRL_LIST_DER_MAX);
	struct err unfit = ERR_INIT;
	struct crl_list *l;
	int64_t number = 0;

	if (!ca || ca_crl_issuer(ca).len == 0)
		return true;
	if (!records_crl(r->store, ca_crl_issuer(ca), &number, &der, e))
		return false;
	if (der.len == 0)
		return true;
	own->number = number;
	l = crl_list_open(buf_bytes(&der), ca_certs(ca)->items[0], CHAIN_NO_TIME, &unfit);
	if (!l || !write_file(file_of(s, own->slot), buf_bytes(&der), &unfit))
		log_err(&r->log, "alert-crl-failed", NULL, &unfit);
	if (l)
		show(r->revoked, own, &der, crl_list_next_update(l));
	crl_list_free(l);
	return true;
}

static void follow(struct registrar *r, struct list *l, const struct registrar_setup *s)
{
	const struct bytes issuer =
		s->cas[l->slot] ? ca_crl_issuer(s->cas[l->slot]) : (struct bytes){0};
	struct err e = ERR_INIT;
	int64_t number;

	if (issuer.len > 0 && !l->busy &&
		(!records_crl_number(r->store, issuer, &number, &e) ||
			(number != l->number && !recall(r, l, s, &e))) &&
		e.kind != ERR_RETRY_LATER) /* the next look follows again */
		log_err(&r->log, "alert-crl-failed", NULL, &e);
	if (!l->failed) /* who begins to lead does not wait for its timer */
		publish_due(r, l);
}

void revoked_follow(struct registrar *r)
{
	struct registrar_setup *s = registrar_setup_take(r);

	for (size_t i = 0; i < CA_SLOT_COUNT; i++)
		follow(r, &r->revoked->lists[i], s);
	registrar_setup_free(s);
}

bool revoked_start(struct registrar *r, struct err *e)
{
	struct revoked *v = mem_new(sizeof(*v), e);

	if (!v)
		return false;
	r->revoked = v;
	pthread_mutex_init(&v->lock, NULL);
	for (enum ca_slot i = CA_PRIMARY; i < CA_SLOT_COUNT; i++) {
		v->lists[i].slot = i;
		buf_init(&v->lists[i].der, CRL_LIST_DER_MAX);
	}
	for (size_t i = 0; i < CA_SLOT_COUNT; i++)
		if (!recall(r, &v->lists[i], r->setup, e))
			return false;
	if (!loop_timer_init(&v->timer, r->workers[0].loop, on_time, r, e))
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
	for (size_t i = 0; i < CA_SLOT_COUNT; i++)
		buf_clear(&v->lists[i].der);
	pthread_mutex_destroy(&v->lock);
	free(v);
	r->revoked = NULL;
}
