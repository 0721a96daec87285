/* SPDX-License-Identifier: Apache-2.0 */
/* The journal and its heads as JSON. What is told here can be checked without trusting who tells
 * it. */
#include "registrar/admin/audit.h"

#include <stdlib.h>

#include "registrar/admin/answer.h"
#include "registrar/seal.h"

#define ANCHORS_PEM_MAX (1 << 20)

/* ---- Lines ---- */

static bool add_line(void *arg, const struct journal_line *line, struct err *e)
{
	struct admin_page *p = arg;
	const struct journal_entry *j = &line->entry;

	p->last_id = line->sequence;
	return admin_append(p->items,
		json_pack("{sI so so so so so so so so so}", "sequence", (json_int_t)line->sequence,
			"time", admin_moment(j->at), "exchange", admin_text(j->exchange),
			"manufacturer", admin_text(j->device.manufacturer), "serial",
			admin_text(j->device.serial), "by", admin_text(j->actor), "step",
			admin_text(j->step), "outcome", admin_text(j->outcome), "reason",
			admin_text(j->reason), "hash", seal_hash_object(line->hash)),
		e);
}

void audit_list(struct call *c, void *app)
{
	struct registrar *r = app;
	struct admin_page p = {.items = NULL};
	struct err e = ERR_INIT;
	int64_t after;

	if (admin_page_init(&p, c, &after, &e) &&
		records_list_journal(r->store, after, p.limit, add_line, &p, &e))
		admin_page_reply(c, r, &p);
	else
		call_reply_err(c, &r->log, "admin-failed", &e);
	json_decref(p.items);
}

/* ---- Heads ---- */

static bool add_head(void *arg, const struct head_record *h, struct err *e)
{
	struct hash_chain_head head = h->head;
	struct admin_page *p = arg;

	head.log = SEAL_LOG;
	p->last_id = head.sequence;
	return admin_append(p->items, seal_head_object(&head, h->signature, h->certificates), e);
}

void audit_heads(struct call *c, void *app)
{
	struct registrar *r = app;
	struct admin_page p = {.items = NULL};
	struct err e = ERR_INIT;
	int64_t after;

	if (admin_page_init(&p, c, &after, &e) &&
		records_list_heads(r->store, after, p.limit, add_head, &p, &e))
		admin_page_reply(c, r, &p);
	else
		call_reply_err(c, &r->log, "admin-failed", &e);
	json_decref(p.items);
}

/* ---- Sealing now ---- */

struct wish {
	struct registrar *r;
	struct call *call;
};

static void on_sealed(void *arg, const struct hash_chain_head *h, const struct err *e)
{
	struct wish *w = arg;

	if (e) {
		call_reply_err(w->call, &w->r->log, "admin-failed", e);
	} else {
		JSON_AUTO json_t *answer = json_pack("{sI so}", "sequence", (json_int_t)h->sequence,
			"hash", seal_hash_object(h->sequence ? h->hash : NULL));

		admin_reply(w->call, w->r, answer);
	}
	free(w);
}

void audit_seal(struct call *c, void *app)
{
	struct registrar *r = app;
	struct err e = ERR_INIT;
	struct wish *w = mem_new(sizeof(*w), &e);

	if (w) {
		*w = (struct wish){r, c};
		if (seal_now(r->seal, on_sealed, w, &e))
			return;
	}
	free(w);
	call_reply_err(c, &r->log, "admin-failed", &e);
}

/* ---- Who signs ---- */

void audit_anchors(struct call *c, void *app)
{
	struct registrar *r = app;
	struct registrar_setup *s = registrar_setup_take(r);
	const struct identity *own = &s->face->identity;
	BUF_AUTO struct buf pem = BUF_INIT(ANCHORS_PEM_MAX);
	struct err e = ERR_INIT;

	if (cert_list_format_pem(ca_certs(s->ca), &pem, &e) &&
		cert_list_format_pem(&own->chain, &pem, &e) &&
		cert_format_pem(own->cert, &pem, &e)) {
		JSON_AUTO json_t *answer = json_pack("{ss}", "pem", buf_str(&pem));

		admin_reply(c, r, answer);
	} else {
		call_reply_err(c, &r->log, "admin-failed", &e);
	}
	registrar_setup_free(s);
}
