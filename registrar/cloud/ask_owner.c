/* SPDX-License-Identifier: Apache-2.0 */
/* The question to the MASA, and its answer: see ask_owner.h. */
#include "registrar/cloud/ask_owner.h"

#include <stdio.h>

#include "common/pki/idevid.h"
#include "common/wire/hex.h"
#include "common/wire/percent.h"
#include "registrar/cloud/cloud.h"
#include "registrar/masa.h"

#define LOOKUP_DIR  "/api/v1/lookup/"
#define KEY_ID_MAX  64
#define BEARER_MAX  1024
#define BUSY_WAIT_S 30 /* of a MASA that is busy: soon enough for who stands beside the device */

static bool issuer_hex(const struct cert *idevid, char out[2 * KEY_ID_MAX + 1], struct err *e)
{
	BUF_AUTO struct buf issuer = BUF_INIT(CERT_DER_MAX);
	struct err ignored = ERR_INIT;
	struct bytes key;

	out[0] = '\0';
	if (!idevid_issuer(idevid, &issuer, &ignored)) /* it has none: the serial alone decides */
		return ignored.kind != ERR_NO_MEMORY || err_set(e, ERR_NO_MEMORY, "no memory");
	key = idevid_issuer_key_id(buf_bytes(&issuer));
	if (key.len > 0 && key.len <= KEY_ID_MAX)
		hex_encode(key, out);
	return true;
}

static bool make_path(const struct onboard *o, struct uri *uri, struct err *e)
{
	BUF_AUTO struct buf path = BUF_INIT(URI_PATH_MAX);
	char issuer[2 * KEY_ID_MAX + 1];

	if (!issuer_hex(call_peer(o->call)->cert, issuer, e) ||
		!buf_append_str(&path, LOOKUP_DIR, e) ||
		!percent_encode(bytes_of_str(o->serial), &path, e) ||
		(*issuer && !buf_printf(&path, e, "?issuer=%s", issuer)))
		return false;
	snprintf(uri->path, sizeof(uri->path), "%s", buf_str(&path));
	return true;
}

static bool ask_another(struct onboard *o)
{
	struct err e = ERR_INIT;

	return masa_has_another(o->r, o->manufacturer, o->cloud->masas_tried) &&
	       ask_owner(o, &e) == STEP_WAIT;
}

static void on_reply(void *arg, const struct http_reply *reply, const struct err *failure)
{
	struct onboard *o = arg;
	struct err e = ERR_INIT;

	if (!masa_has_answered(reply) && ask_another(o))
		return;
	if (failure) {
		masa_transport_error(&o->masa, failure, &e);
		onboard_resume(o, &e);
		return;
	}
	o->cloud->status = reply->status;
	buf_clear(&o->cloud->answer);
	if (buf_append(&o->cloud->answer, reply->body.data, reply->body.len, &e))
		onboard_resume(o, NULL);
	else
		onboard_resume(o, &e);
}

enum step_result ask_owner(struct onboard *o, struct err *e)
{
	const struct buf *token = &o->manufacturer->lookup_token;
	char bearer[BEARER_MAX];
	const struct http_field_text fields[] = {{"Authorization", bearer}};
	struct masa_request q = {
		.setup = o->setup,
		.face = o->face,
		.manufacturer = o->manufacturer,
		.accept = "application/json",
		.exchange = call_exchange(o->call),
		.reply_max = PLACES_ANSWER_MAX,
		.fields = fields,
		.field_count = token->len ? 1 : 0,
		.wait_ms = &o->masa_wait_ms,
	};
	bool sent;

	if (!masa_address(o->r, o->manufacturer, call_peer(o->call)->cert, &o->cloud->masas_tried,
		    &o->masa, e))
		return STEP_FAILED;
	q.uri = o->masa;
	if (!make_path(o, &q.uri, e))
		return STEP_FAILED;
	snprintf(bearer, sizeof(bearer), "Bearer %s", token->len ? buf_str(token) : "");
	sent = masa_send(o->r, call_loop(o->call), &q, on_reply, o, e);
	explicit_bzero(bearer, sizeof(bearer));
	return sent ? STEP_WAIT : STEP_FAILED;
}

bool ask_owner_read(struct onboard *o, struct err *e)
{
	int status = o->cloud->status;

	if (status == 200)
		return cloud_places_parse(buf_bytes(&o->cloud->answer), &o->cloud->places, e) ||
		       err_prefix(e, "whose it is, as the MASA says");
	if (status == 404) {
		err_set(e, ERR_UNKNOWN_DEVICE, "the MASA knows no such device");
		return err_tell(e, "Nothing is known of this device here.");
	}
	if (status == 503 || status == 429) {
		onboard_tell_retry_after(o->call, BUSY_WAIT_S);
		err_set(e, ERR_RETRY_LATER, "the MASA answered %d", status);
		return err_tell(e, "The MASA of this device is busy.");
	}
	err_set(e, ERR_PEER, "the MASA answered %d when asked whose it is", status);
	return err_tell(e, "The MASA of this device answered with an error.");
}
