/* SPDX-License-Identifier: Apache-2.0 */
/* Signing a log's head, and looking at the start whether the log still leads to it. */
#include "common/run/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/base64.h"
#include "common/wire/datetime.h"
#include "common/wire/hex.h"

#define SIGNATURE_MAX	 1024
#define CERTIFICATES_MAX 65536

struct seal {
	struct seal_daemon d;
	struct loop_timer timer;
	struct hash_chain_head sealed; /* the last that was signed in this process */
	int64_t started_at;
};

/* ---- Is the log what a head says? ---- */

static bool read_line(void *arg, const struct store_row *r, struct err *e)
{
	struct hash_chain_head *h = arg;
	struct bytes hash = store_row_blob(r, 1);

	if (hash.len != SHA256_LEN)
		return true; /* older than the chain */
	h->sequence = store_row_int(r, 0);
	memcpy(h->hash, hash.data, SHA256_LEN);
	return true;
}

static bool leads_to(const struct seal *s, const struct hash_chain_head *h, struct err *e)
{
	struct store_value sequence = STORE_I(h->sequence);
	struct hash_chain_head line = {.sequence = 0};

	if (!store_read(s->d.store, s->d.sql.line, &sequence, 1, read_line, &line, NULL, e))
		return false;
	return (line.sequence == h->sequence && memcmp(line.hash, h->hash, SHA256_LEN) == 0) ||
	       err_set(e, ERR_STORE, "the audit log was changed: entry %lld is not what was signed",
		       (long long)h->sequence);
}

static bool read_head(void *arg, const struct store_row *r, struct err *e)
{
	struct hash_chain_head *h = arg;
	struct bytes hash = store_row_blob(r, 2);

	h->sequence = store_row_int(r, 0);
	h->at = store_row_int(r, 1);
	if (hash.len != SHA256_LEN)
		return err_set(e, ERR_STORE, "head %lld of the audit log is damaged",
			(long long)h->sequence);
	memcpy(h->hash, hash.data, SHA256_LEN);
	return true;
}

/* sequence 0: there is none. */
static bool last_line(const struct seal *s, struct hash_chain_head *out, struct err *e)
{
	return store_read(s->d.store, s->d.sql.last_line, NULL, 0, read_line, out, NULL, e);
}

static bool last_head(const struct seal *s, struct hash_chain_head *out, struct err *e)
{
	return store_read(s->d.store, s->d.sql.last_head, NULL, 0, read_head, out, NULL, e);
}

/* ---- Making one ---- */

struct made {
	bool due; /* false: the last line is signed already, or there is none */
	struct hash_chain_head head;
	struct buf signature, certificates;
};

static void made_clear(struct made *m)
{
	buf_clear(&m->signature);
	buf_clear(&m->certificates);
}
#define MADE_AUTO __attribute__((cleanup(made_clear)))

static bool sign(void *arg, const struct identity *signer, struct err *e)
{
	struct made *m = arg;

	return hash_chain_head_sign(&m->head, signer, &m->signature, e) &&
	       cert_format_pem(signer->cert, &m->certificates, e) &&
	       (signer->chain.count == 0 ||
		       cert_list_format_pem(&signer->chain, &m->certificates, e));
}

/* made_clear() in any case. */
static bool make(const struct seal *s, struct made *out, struct err *e)
{
	struct hash_chain_head before = {.sequence = 0};

	memset(out, 0, sizeof(*out));
	buf_init(&out->signature, SIGNATURE_MAX);
	buf_init(&out->certificates, CERTIFICATES_MAX);
	out->head.log = s->d.name;
	out->head.at = s->d.now(s->d.app);
	if ((s->sealed.sequence && !leads_to(s, &s->sealed, e)) || !last_line(s, &out->head, e) ||
		!last_head(s, &before, e))
		return false;
	out->due = out->head.sequence > before.sequence;
	return !out->due || s->d.lend(s->d.app, sign, out, e);
}

static struct store_op op_of(const struct seal *s, const struct made *m)
{
	return (struct store_op){
		.statement = s->d.sql.add_head,
		.params = {STORE_I(m->head.sequence), STORE_I(m->head.at),
			store_blob(bytes_of(m->head.hash, SHA256_LEN)),
			store_blob(buf_bytes(&m->signature)),
			store_text(buf_str(&m->certificates))},
		.param_count = 5,
	};
}

/* It is durable. */
static void note(struct seal *s, const struct hash_chain_head *h)
{
	char sequence[24], hash[2 * SHA256_LEN + 1];

	s->sealed = *h;
	snprintf(sequence, sizeof(sequence), "%lld", (long long)h->sequence);
	hex_encode(bytes_of(h->hash, SHA256_LEN), hash);
	log_event(s->d.log, LOG_LEVEL_INFO, "journal-sealed", NULL, "sequence", sequence, "hash",
		hash, NULL);
}

/* ---- Keeping it ---- */

struct sealing {
	struct seal *s;
	struct hash_chain_head head;
	seal_done *done;
	void *arg;
};

static void work_end(const struct seal *s)
{
	if (s->d.work_end)
		s->d.work_end(s->d.app);
}

static void on_kept(void *arg, const int64_t *changed, const struct err *e)
{
	struct sealing *k = arg;
	struct seal *s = k->s;

	if (!e)
		note(s, &k->head);
	k->done(k->arg, e ? NULL : &k->head, e);
	work_end(s);
	free(k);
}

static bool keep(struct seal *s, const struct made *m, seal_done *done, void *arg, struct err *e)
{
	const struct store_op op = op_of(s, m);
	struct sealing *k = mem_new(sizeof(*k), e);

	if (!k)
		return false;
	*k = (struct sealing){s, m->head, done, arg};
	if (s->d.work_begin)
		s->d.work_begin(s->d.app);
	if (store_write(s->d.store, &op, 1, s->d.loop, on_kept, k, e))
		return true;
	work_end(s);
	free(k);
	return false;
}

bool seal_now(struct seal *s, seal_done *done, void *arg, struct err *e)
{
	MADE_AUTO struct made m;

	if (!make(s, &m, e))
		return false;
	if (m.due)
		return keep(s, &m, done, arg, e);
	done(arg, &m.head, NULL);
	return true;
}

/* ---- At the start ---- */

/* False: it could not be read. *found: what is wrong with it; *signed_at: when its head was, 0
 * never. */
static bool examine(const struct seal *s, int64_t *signed_at, struct err *found, struct err *e)
{
	struct hash_chain_head head = {.sequence = 0}, line = {.sequence = 0};

	if (!last_head(s, &head, e) || !last_line(s, &line, e))
		return false;
	*signed_at = head.at;
	if (head.sequence == 0 && line.sequence != 0)
		err_set(found, ERR_STORE,
			"no head of the audit log is signed; the end of the last "
			"run in its first minute is the only good reason");
	else if (head.sequence != 0)
		(void)!leads_to(s, &head, found);
	return true;
}

static bool check(const struct seal *s, struct err *e)
{
	struct err found = ERR_INIT;
	int64_t signed_at;

	if (!examine(s, &signed_at, &found, e))
		return false;
	if (found.kind != ERR_NONE)
		log_err(s->d.log, "alert-journal-altered", NULL, &found);
	return true;
}

bool seal_holds(struct seal *s, int64_t *signed_at, struct err *e)
{
	bool young = s->d.now(s->d.app) - s->started_at < 2 * SEAL_MS / 1000;
	struct err found = ERR_INIT;

	if (!examine(s, signed_at, &found, e))
		return false;
	if (found.kind == ERR_NONE || (*signed_at == 0 && young))
		return true;
	*e = found;
	return false;
}

/* ---- By itself ---- */

static void on_sealed(void *arg, const struct hash_chain_head *head, const struct err *e)
{
	struct seal *s = arg;

	if (e)
		log_err(s->d.log, "seal-failed", NULL, e);
	loop_timer_arm(&s->timer, SEAL_MS);
}

/* Of several processes with one log, one signs. */
static void on_time(void *arg)
{
	struct seal *s = arg;
	struct err e = ERR_INIT;

	if (!store_leads(s->d.store))
		loop_timer_arm(&s->timer, SEAL_MS);
	else if (!seal_now(s, on_sealed, s, &e))
		on_sealed(arg, NULL, &e);
}

struct seal *seal_new(const struct seal_daemon *d, struct err *e)
{
	struct seal *s = mem_new(sizeof(*s), e);

	if (!s)
		return NULL;
	s->d = *d;
	s->started_at = d->now(d->app);
	if (check(s, e) && loop_timer_init(&s->timer, d->loop, on_time, s, e)) {
		loop_timer_arm(&s->timer, SEAL_MS);
		return s;
	}
	free(s);
	return NULL;
}

static bool seal_last(struct seal *s, struct err *e)
{
	MADE_AUTO struct made m;
	struct store_op op;
	int64_t changed;

	if (!make(s, &m, e))
		return false;
	if (!m.due)
		return true;
	op = op_of(s, &m);
	if (!store_write_wait(s->d.store, &op, 1, &changed, e))
		return false;
	note(s, &m.head);
	return true;
}

void seal_free(struct seal *s)
{
	struct err e = ERR_INIT;

	if (!s)
		return;
	loop_timer_clear(&s->timer);
	if (!seal_last(s, &e))
		log_err(s->d.log, "seal-failed", NULL, &e);
	free(s);
}

/* ---- Told ---- */

json_t *seal_hash_object(const uint8_t *hash)
{
	char text[2 * SHA256_LEN + 1];

	if (!hash)
		return json_null();
	hex_encode(bytes_of(hash, SHA256_LEN), text);
	return json_string(text);
}

json_t *seal_head_object(
	const struct hash_chain_head *h, struct bytes signature, const char *certificates)
{
	BUF_AUTO struct buf text = BUF_INIT(2 * SIGNATURE_MAX);
	char at[DATETIME_LEN + 1];
	struct err ignored = ERR_INIT;

	if (!base64_encode(signature, &text, &ignored) || !datetime_format(h->at, at, &ignored))
		return NULL;
	return json_pack("{ss sI ss so ss ss}", "head", h->log, "sequence", (json_int_t)h->sequence,
		"time", at, "hash", seal_hash_object(h->hash), "signature", buf_str(&text),
		"certificates", certificates);
}
