/* SPDX-License-Identifier: Apache-2.0 */
/* Reading of decisions: octets from outside, which may let a device in. */
#include "registrar/notify/ask_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/wire/json.h"
#include "registrar/notify/hook_send.h"

#define DIGITS_MAX 15

const char *const ask_decision_names[ASK_DECISION_COUNT + 1] = {"approve", "hold", "reject", NULL};

void ask_answer_clear(struct ask_answer *a)
{
	buf_clear(&a->labels);
}

static bool parse_timestamp(const char *text, int64_t *out)
{
	size_t len = text ? strlen(text) : 0;

	if (len == 0 || len > DIGITS_MAX || strspn(text, "0123456789") != len)
		return false;
	*out = strtoll(text, NULL, 10);
	return true;
}

bool ask_answer_verify(struct bytes body, const char *timestamp, const char *signature,
	const char *secret, int64_t now, struct err *e)
{
	char want[HOOK_SIGNATURE_LEN + 1];
	int64_t at;

	if (!parse_timestamp(timestamp, &at) || !signature)
		return err_set(e, ERR_PEER, "its answer is not signed");
	if (at > now + ASK_CLOCKS_S || at < now - ASK_CLOCKS_S)
		return err_set(e, ERR_PEER, "its answer is of another time");
	if (!hook_sign(secret, at, body, want, e))
		return false;
	return bytes_equal_ct(bytes_of_str(want), bytes_of_str(signature)) ||
	       err_set(e, ERR_PEER, "the signature of its answer is wrong");
}

static bool parse_decision(const char *name, enum ask_decision *out)
{
	for (size_t i = 0; name && i < ASK_DECISION_COUNT; i++)
		if (strcmp(name, ask_decision_names[i]) == 0) {
			*out = (enum ask_decision)i;
			return true;
		}
	return false;
}

static bool read_labels(const json_t *object, struct ask_answer *out, struct err *e)
{
	const json_t *labels = json_object_get(object, "labels");

	return !labels || json_is_null(labels) ||
	       (labels_check(labels, e) && json_format(labels, &out->labels, e));
}

static bool read_members(
	const json_t *object, const char *id, struct ask_answer *out, struct err *e)
{
	const char *said = NULL, *decision = NULL, *reason = NULL, *site = NULL;

	if (!json_get_string(object, "id", &said, e) ||
		!json_get_string(object, "decision", &decision, e) ||
		!json_get_string(object, "reason", &reason, e) ||
		!json_get_string(object, "site", &site, e))
		return false;
	if (!said || strcmp(said, id) != 0)
		return err_set(e, ERR_PEER, "it answers another question");
	if (!parse_decision(decision, &out->decision))
		return err_set(e, ERR_PEER, "no decision in it");
	if (reason && strlen(reason) > REASON_LEN_MAX)
		return err_set(e, ERR_PEER, "its reason is too long");
	if (site && !site_check(site, e))
		return false;
	snprintf(out->reason, sizeof(out->reason), "%s", reason ? reason : "");
	snprintf(out->site, sizeof(out->site), "%s", site ? site : "");
	text_make_safe(out->reason, '?');
	return read_labels(object, out, e);
}

bool ask_answer_parse(struct bytes body, const char *id, struct ask_answer *out, struct err *e)
{
	JSON_AUTO json_t *object = NULL;

	memset(out, 0, sizeof(*out));
	buf_init(&out->labels, LABELS_TEXT_MAX);
	out->decision = ASK_HOLD;
	if (body.len > ASK_ANSWER_MAX)
		return err_set(e, ERR_PEER, "its answer is too long");
	object = json_parse_object(body, e);
	if (object && read_members(object, id, out, e))
		return true;
	out->decision = ASK_HOLD;
	if (e->kind != ERR_NO_MEMORY)
		e->kind = ERR_PEER;
	return false;
}
