/* SPDX-License-Identifier: Apache-2.0 */
/* Signing the journal's head, and looking at the start whether the journal still leads to it. */
#include "registrar/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/hex.h"

#define SIGNATURE_MAX	 1024
#define CERTIFICATES_MAX 65536

/* ---- Is the journal what a head says? ---- */

struct comparison {
	const struct hash_chain_head *head;
	bool same;
};

static bool compare_line(void *arg, const struct journal_line *line, struct err *e)
{
	struct comparison *c = arg;

	c->same = line->sequence == c->head->sequence && line->hash &&
		  memcmp(line->hash, c->head->hash, SHA256_LEN) == 0;
	return true;
}

static bool leads_to(struct registrar *r, const struct hash_chain_head *h, struct err *e)
{
	struct comparison c = {h, false};

	if (!records_list_journal(r->store, h->sequence - 1, 1, compare_line, &c, e))
		return false;
	return c.same ||
	       err_set(e, ERR_STORE, "the journal was changed: entry %lld is not what was signed",
		       (long long)h->sequence);
}

/* ---- Making one ---- */

struct seal {
	bool due; /* false: the last line is signed already, or there is none */
	struct head_record record;
	struct buf signature, certificates;
};

static void seal_clear(struct seal *s)
{
	buf_clear(&s->signature);
	buf_clear(&s->certificates);
}
#define SEAL_AUTO __attribute__((cleanup(seal_clear)))

static bool take_line(void *arg, const struct journal_line *line, struct err *e)
{
	struct seal *s = arg;

	if (!line->hash)
		return true; /* older than the chain */
	s->record.head.sequence = line->sequence;
	memcpy(s->record.head.hash, line->hash, SHA256_LEN);
	s->due = true;
	return true;
}

static bool is_sealed(void *arg, const struct head_record *h, struct err *e)
{
	struct seal *s = arg;

	s->due = s->due && h->head.sequence < s->record.head.sequence;
	return true;
}

static bool sign(struct seal *s, const struct identity *signer, struct err *e)
{
	if (!hash_chain_head_sign(&s->record.head, signer, &s->signature, e) ||
		!cert_format_pem(signer->cert, &s->certificates, e) ||
		!cert_list_format_pem(&signer->chain, &s->certificates, e))
		return false;
	s->record.signature = buf_bytes(&s->signature);
	s->record.certificates = buf_str(&s->certificates);
	return true;
}

/* seal_clear() in any case. */
static bool seal_make(struct registrar *r, struct seal *out, struct err *e)
{
	struct registrar_setup *setup;
	bool ok;

	memset(out, 0, sizeof(*out));
	buf_init(&out->signature, SIGNATURE_MAX);
	buf_init(&out->certificates, CERTIFICATES_MAX);
	out->record.head.log = SEAL_LOG;
	out->record.head.at = registrar_now(r);
	if ((r->sealed.sequence && !leads_to(r, &r->sealed, e)) ||
		!records_last_journal(r->store, take_line, out, e) ||
		!records_last_head(r->store, is_sealed, out, e))
		return false;
	if (!out->due)
		return true;
	setup = registrar_setup_take(r);
	ok = sign(out, &setup->face->identity, e);
	registrar_setup_free(setup);
	return ok;
}

/* It is durable. */
static void note(struct registrar *r, const struct hash_chain_head *h)
{
	char sequence[24], hash[2 * SHA256_LEN + 1];

	r->sealed = *h;
	snprintf(sequence, sizeof(sequence), "%lld", (long long)h->sequence);
	hex_encode(bytes_of(h->hash, SHA256_LEN), hash);
	log_event(&r->log, LOG_LEVEL_INFO, "journal-sealed", NULL, "sequence", sequence, "hash",
		hash, NULL);
}

/* ---- Keeping it ---- */

struct sealing {
	struct registrar *r;
	struct hash_chain_head head;
	seal_done *done;
	void *arg;
};

static void on_kept(void *arg, const int64_t *changed, const struct err *e)
{
	struct sealing *s = arg;

	if (!e)
		note(s->r, &s->head);
	s->done(s->arg, e ? NULL : &s->head, e);
	registrar_work_end(s->r);
	free(s);
}

static bool keep(
	struct registrar *r, const struct seal *seal, seal_done *done, void *arg, struct err *e)
{
	struct sealing *s = mem_new(sizeof(*s), e);
	const struct records_writer w = {r->store, r->workers[0].loop, on_kept, s};

	if (!s)
		return false;
	*s = (struct sealing){r, seal->record.head, done, arg};
	registrar_work_begin(r);
	if (records_add_head(&w, &seal->record, e))
		return true;
	registrar_work_end(r);
	free(s);
	return false;
}

bool seal_now(struct registrar *r, seal_done *done, void *arg, struct err *e)
{
	SEAL_AUTO struct seal s;

	if (!seal_make(r, &s, e))
		return false;
	if (s.due)
		return keep(r, &s, done, arg, e);
	done(arg, &s.record.head, NULL);
	return true;
}

/* ---- At the start ---- */

static bool note_head(void *arg, const struct head_record *h, struct err *e)
{
	struct hash_chain_head *head = arg;

	*head = h->head;
	return true;
}

static bool note_chained(void *arg, const struct journal_line *line, struct err *e)
{
	bool *chained = arg;

	*chained = line->hash != NULL;
	return true;
}

/* False: it could not be read. *found: what is wrong with it; *signed_at: when its head was, 0
 * never.
 */
static bool examine(struct registrar *r, int64_t *signed_at, struct err *found, struct err *e)
{
	struct hash_chain_head last = {.sequence = 0};
	bool chained = false;

	if (!records_last_head(r->store, note_head, &last, e) ||
		!records_last_journal(r->store, note_chained, &chained, e))
		return false;
	*signed_at = last.at;
	if (last.sequence == 0 && chained)
		err_set(found, ERR_STORE,
			"no head of the journal is signed; the end of the last "
			"run in its first minute is the only good reason");
	else if (last.sequence != 0)
		(void)!leads_to(r, &last, found);
	return true;
}

static bool check(struct registrar *r, struct err *e)
{
	struct err found = ERR_INIT;
	int64_t signed_at;

	if (!examine(r, &signed_at, &found, e))
		return false;
	if (found.kind != ERR_NONE)
		log_err(&r->log, "alert-journal-altered", NULL, &found);
	return true;
}

bool seal_holds(struct registrar *r, int64_t *signed_at, struct err *e)
{
	bool young = registrar_now(r) - r->started_at < 2 * SEAL_MS / 1000;
	struct err found = ERR_INIT;

	if (!examine(r, signed_at, &found, e))
		return false;
	if (found.kind == ERR_NONE || (*signed_at == 0 && young))
		return true;
	*e = found;
	return false;
}

/* ---- By itself ---- */

static void on_sealed(void *arg, const struct hash_chain_head *head, const struct err *e)
{
	struct registrar *r = arg;

	if (e)
		log_err(&r->log, "seal-failed", NULL, e);
	loop_timer_arm(&r->seal, SEAL_MS);
}

static void on_time(void *registrar)
{
	struct err e = ERR_INIT;

	if (!seal_now(registrar, on_sealed, registrar, &e))
		on_sealed(registrar, NULL, &e);
}

bool seal_start(struct registrar *r, struct err *e)
{
	if (!check(r, e) || !loop_timer_init(&r->seal, r->workers[0].loop, on_time, r, e))
		return false;
	loop_timer_arm(&r->seal, SEAL_MS);
	return true;
}

void seal_end(struct registrar *r)
{
	SEAL_AUTO struct seal s = {.due = false};
	struct err e = ERR_INIT;

	if (!r->seal.ev)
		return;
	loop_timer_clear(&r->seal);
	if (!seal_make(r, &s, &e) || (s.due && !records_add_head_wait(r->store, &s.record, &e)))
		log_err(&r->log, "seal-failed", NULL, &e);
	else if (s.due)
		note(r, &s.record.head);
}
