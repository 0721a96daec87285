/* SPDX-License-Identifier: Apache-2.0 */
/* The question and its answer: see webhook.h. */
#include "registrar/cloud/webhook.h"

#include <stdio.h>
#include <string.h>

#include "common/wire/json.h"
#include "registrar/admin/answer.h"
#include "registrar/cloud/cloud.h"
#include "registrar/notify/ask_answer.h"
#include "registrar/notify/hook_send.h"

const struct place *webhook_read(
	struct bytes body, const char *id, const struct places *places, struct err *e)
{
	JSON_AUTO json_t *object = json_parse_object(body, e);
	const struct place *chosen = NULL;
	const char *said, *url;

	if (!object || !json_get_string(object, "id", &said, e) ||
		!json_get_string(object, "registrar", &url, e))
		err_prefix(e, "its answer");
	else if (!said || strcmp(said, id) != 0)
		err_set(e, ERR_PEER, "it answers another question");
	else if (!url || !(chosen = allocate_find(places, url)))
		err_set(e, ERR_PEER, "it names no registrar of the owner");
	return chosen;
}

static bool read_reply(struct onboard *o, const struct http_reply *reply, struct err *e)
{
	if (reply->status != 200)
		return err_set(e, ERR_PEER, "answered %d", reply->status);
	if (!ask_answer_verify(reply->body, reply->brski_timestamp, reply->brski_signature,
		    buf_str(&o->setup->decision_secret), registrar_now(o->r), e))
		return false;
	o->cloud->chosen = webhook_read(reply->body, o->cloud->question, &o->cloud->places, e);
	return o->cloud->chosen != NULL;
}

static void on_answer(void *arg, const struct http_reply *reply, const struct err *failure)
{
	struct onboard *o = arg;
	struct err e = ERR_INIT;

	if (failure)
		e = *failure;
	if (!failure && read_reply(o, reply, &e)) {
		snprintf(o->cloud->by, sizeof(o->cloud->by), "webhook");
		onboard_resume(o, NULL);
		return;
	}
	if (e.kind != ERR_NO_MEMORY)
		e.kind = ERR_RETRY_LATER;
	err_prefix(&e, "decision %s", o->setup->decision_uri.host);
	err_tell(&e, "Where this device belongs is not decided yet.");
	onboard_resume(o, &e);
}

static json_t *registrars_of(const struct places *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->count; i++)
		if (json_array_append_new(list,
			    json_pack("{ss sI so}", "url", p->items[i].url, "weight",
				    (json_int_t)p->items[i].weight, "region",
				    admin_text(*p->items[i].region ? p->items[i].region : NULL))) !=
			0)
			break;
	return list;
}

/* What it was before is told, unless policy has forgotten it. */
static bool write_question(const struct onboard *o, struct buf *out, struct err *e)
{
	const struct cloud *c = o->cloud;
	bool known = c->before.found &&
		     o->setup->config.cloud_reprovision != REPROVISION_MOVE_RESET &&
		     strcmp(c->before.owner, c->places.owner) == 0;
	JSON_AUTO json_t *body = json_pack("{ss ss so ss ss so ss so so so}", "id", c->question,
		"question", "allocation", "time", admin_moment(o->now), "manufacturer",
		o->manufacturer->config->name, "serial", o->serial, "address",
		admin_text(call_peer(o->call)->address), "owner", c->places.owner, "region",
		admin_text(*c->region ? c->region : NULL), "registrars", registrars_of(&c->places),
		"previous", admin_text(known ? c->before.url : NULL));

	if (!body)
		return err_set(e, ERR_NO_MEMORY, "no memory for a question");
	return json_format(body, out, e);
}

bool webhook_ask(struct onboard *o, struct err *e)
{
	BUF_AUTO struct buf body = BUF_INIT(HOOK_BODY_MAX);
	const struct hook_target t = {
		.uri = o->setup->decision_uri,
		.secret = buf_str(&o->setup->decision_secret),
		.ca_pem = buf_bytes(&o->setup->cloud_hook_anchors),
		.addresses = o->setup->config.hook_addresses,
		.timeout_ms = o->setup->config.decision_timeout * 1000,
	};
	struct hook_message m = {
		.content_type = "application/json",
		.accept = "application/json",
		.at = registrar_now(o->r),
		.reply_max = ASK_ANSWER_MAX,
	};

	if (!rng_exchange_id(o->cloud->question, e) || !write_question(o, &body, e))
		return false;
	m.body = buf_bytes(&body);
	return hook_send(registrar_masa_client(o->r, call_loop(o->call)), &t, &m, on_answer, o, e);
}
