/* SPDX-License-Identifier: Apache-2.0 */
/* Lines, heads and anchors of the audit log as JSON: see audit.h. */
#include "masa/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/datetime.h"
#include "common/wire/percent.h"
#include "masa/limits.h"

#define LINES_PAGE  200 /* with the content of their vouchers they fit into an answer */
#define NUMBER_LEN  20
#define ANCHORS_MAX (1 << 20)

/* ---- Answers ---- */

static void answer(struct call *c, const struct masa *m, const json_t *value, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(MASA_ADMIN_REPLY_MAX);

	if (!value && e->kind == ERR_NONE)
		err_set(e, ERR_NO_MEMORY, "no memory for an answer");
	if (value && e->kind == ERR_NONE && json_format(value, &text, e))
		call_reply(c, 200, "application/json", buf_bytes(&text));
	else
		call_reply_err(c, m->log, "admin-failed", e);
}

static json_t *text_or_null(const char *s)
{
	json_t *value = s ? json_string(s) : NULL;

	return value ? value : json_null();
}

static json_t *moment(int64_t unix_s)
{
	char text[DATETIME_LEN + 1];
	struct err ignored = ERR_INIT;

	return text_or_null(unix_s && datetime_format(unix_s, text, &ignored) ? text : NULL);
}

/* ---- Lists ---- */

struct page {
	json_t *items;
	int64_t after, last;
};

static bool keep(struct page *p, int64_t id, json_t *item, struct err *e)
{
	p->last = id;
	if (item && json_array_append_new(p->items, item) == 0)
		return true;
	return err_set(e, ERR_NO_MEMORY, "no memory for an item");
}

static bool add_line(void *arg, const struct audit_line *l, struct err *e)
{
	return keep(arg, l->sequence,
		json_pack("{sI so so so so so so so so so so}", "sequence", (json_int_t)l->sequence,
			"time", moment(l->date), "serial", text_or_null(l->serial), "domainID",
			text_or_null(l->domain_id), "domain_key", text_or_null(l->domain_key),
			"nonce", text_or_null(l->nonce), "assertion", text_or_null(l->assertion),
			"expires_on", moment(l->expires_on), "content", text_or_null(l->content),
			"registrar", text_or_null(l->registrar), "hash", seal_hash_object(l->hash)),
		e);
}

static bool add_head(void *arg, const struct hash_chain_head *h, struct bytes signature,
	const char *certificates, struct err *e)
{
	return keep(arg, h->sequence, seal_head_object(h, signature, certificates), e);
}

static bool read_after(const struct call *c, int64_t *after, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(NUMBER_LEN);
	bool found;
	char *end;

	*after = 0;
	if (!percent_query(call_query(c), "after", &text, &found, e))
		return err_prefix(e, "after");
	if (!found)
		return true;
	*after = strtoll(buf_str(&text), &end, 10);
	return (text.len > 0 && !*end && *after >= 0) ||
	       err_set(e, ERR_INPUT, "after is not a number");
}

static json_t *list_of(const struct page *p, bool more)
{
	return json_pack("{sO so}", "items", p->items, "next",
		more ? json_sprintf("%lld", (long long)p->last) : json_null());
}

void audit_lines(struct call *c, void *masa)
{
	struct masa *m = masa;
	struct page p = {.items = json_array()};
	JSON_AUTO json_t *list = NULL;
	struct err e = ERR_INIT;

	if (p.items && read_after(c, &p.after, &e) &&
		records_audit_lines(m->store, p.after, LINES_PAGE, add_line, &p, &e))
		list = list_of(&p, json_array_size(p.items) == LINES_PAGE);
	json_decref(p.items);
	answer(c, m, list, &e);
}

void audit_heads(struct call *c, void *masa)
{
	struct masa *m = masa;
	struct page p = {.items = json_array()};
	JSON_AUTO json_t *list = NULL;
	struct err e = ERR_INIT;

	if (p.items && read_after(c, &p.after, &e) &&
		records_audit_heads(m->store, p.after, MASA_PAGE_ROWS, add_head, &p, &e))
		list = list_of(&p, json_array_size(p.items) == MASA_PAGE_ROWS);
	json_decref(p.items);
	answer(c, m, list, &e);
}

/* ---- Sealing now ---- */

struct wish {
	struct masa *m;
	struct call *call;
};

static void on_sealed(void *arg, const struct hash_chain_head *h, const struct err *failed)
{
	struct wish *w = arg;
	struct err e = ERR_INIT;
	JSON_AUTO json_t *told = NULL;

	if (failed)
		e = *failed;
	else
		told = json_pack("{sI so}", "sequence", (json_int_t)h->sequence, "hash",
			seal_hash_object(h->sequence ? h->hash : NULL));
	answer(w->call, w->m, told, &e);
	free(w);
}

void audit_seal(struct call *c, void *masa)
{
	struct masa *m = masa;
	struct err e = ERR_INIT;
	struct wish *w = mem_new(sizeof(*w), &e);

	if (w) {
		*w = (struct wish){m, c};
		if (seal_now(m->seal, on_sealed, w, &e))
			return;
	}
	free(w);
	answer(c, m, NULL, &e);
}

/* ---- Who signs ---- */

void audit_anchors(struct call *c, void *masa)
{
	struct masa *m = masa;
	struct masa_setup *s = masa_setup_take(m);
	BUF_AUTO struct buf pem = BUF_INIT(ANCHORS_MAX);
	JSON_AUTO json_t *told = NULL;
	struct err e = ERR_INIT;

	if (cert_format_pem(s->signer.cert, &pem, &e) &&
		(s->signer.chain.count == 0 || cert_list_format_pem(&s->signer.chain, &pem, &e)))
		told = json_pack("{ss}", "pem", buf_str(&pem));
	masa_setup_free(s);
	answer(c, m, told, &e);
}

/* ---- Life ---- */

static int64_t now(void *app)
{
	return masa_now(app);
}

static bool lend(void *app, seal_sign_fn *fn, void *arg, struct err *e)
{
	struct masa_setup *s = masa_setup_take(app);
	bool ok = fn(arg, &s->signer, e);

	masa_setup_free(s);
	return ok;
}

bool audit_start(struct masa *m, struct loop *l, struct err *e)
{
	const struct seal_daemon d = {
		.name = AUDIT_LOG_NAME,
		.log = m->log,
		.store = m->store,
		.loop = l,
		.sql = records_seal_statements(),
		.app = m,
		.now = now,
		.lend = lend,
	};

	m->seal = seal_new(&d, e);
	return m->seal != NULL;
}
