/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up owners for cloud registrars: see lookup.h. */
#include "masa/lookup.h"

#include <string.h>
#include <strings.h>

#include "common/wire/hex.h"
#include "common/wire/json.h"
#include "common/wire/percent.h"
#include "masa/destination.h"

#define BEARER	   "Bearer "
#define REPLY_MAX  (DESTINATIONS_MAX * 1024)
#define KEY_ID_MAX 64
#define JSON_TYPE  "application/json"

/* ---- Who asks ---- */

/* Devices are under the manufacturer's CA as well: what tells a registrar is cmcRA. */
bool lookup_is_cloud(
	const struct masa_setup *s, struct cert *c, const struct cert_list *chain, int64_t now)
{
	struct err ignored = ERR_INIT;

	return s->cloud_registrars && (cert_eku(c) & CERT_EKU_CMC_RA) &&
	       chain_verify(s->cloud_registrars, c, chain, now, NULL, &ignored);
}

static bool has_token(const struct masa_setup *s, struct call *c, int64_t now, struct err *e)
{
	const char *field = call_header(c, "Authorization");
	const struct masa_token *t;

	if (!field || strncasecmp(field, BEARER, strlen(BEARER)) != 0)
		return err_set(e, ERR_LOGIN, "neither a cloud registrar's certificate nor a token");
	t = masa_tokens_find(s->tokens, field + strlen(BEARER), now, e);
	return t && (t->lookup || err_set(e, ERR_NOT_ALLOWED, "the token %s is not for lookups",
					  t->name));
}

static bool may_ask(const struct masa_setup *s, struct call *c, int64_t now, struct err *e)
{
	const struct peer *p = call_peer(c);

	if (!(p->cert && lookup_is_cloud(s, p->cert, &p->chain, now)) && !has_token(s, c, now, e))
		return false;
	call_sender_is_known(c);
	return true;
}

/* ---- Which device ---- */

/* The key identifier as hexadecimal; empty: it was not said. */
static bool read_issuer(struct call *c, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(2 * KEY_ID_MAX);
	bool found;

	if (!percent_query(call_query(c), "issuer", &text, &found, e) || !found)
		return e->kind == ERR_NONE;
	for (size_t i = 0; i + 1 < text.len; i += 2) {
		int high = hex_digit((char)text.data[i]), low = hex_digit((char)text.data[i + 1]);
		uint8_t octet = (uint8_t)(high << 4 | low);

		if (high < 0 || low < 0 || !buf_append(out, &octet, 1, e))
			return err_set(e, ERR_INPUT, "issuer is not hexadecimal");
	}
	return text.len % 2 == 0 || err_set(e, ERR_INPUT, "issuer is not hexadecimal");
}

static const struct device *choose(const struct device_list *found, struct bytes issuer)
{
	const struct device *any = NULL;

	for (size_t i = 0; i < found->count; i++) {
		const struct device *d = &found->items[i];

		if (issuer.len && d->issuer_key.len &&
			bytes_equal(issuer, buf_bytes(&d->issuer_key)))
			return d;
		if (!d->issuer_key.len || (!issuer.len && found->count == 1))
			any = d;
	}
	return any;
}

/* ---- The answer ---- */

static bool add_registrar(json_t *list, const struct destination *d)
{
	json_t *o = json_pack("{ss sI so}", "url", d->url, "weight", (json_int_t)d->weight,
		"region", *d->region ? json_string(d->region) : json_null());

	return o && json_array_append_new(list, o) == 0;
}

static json_t *answer_of(const struct device *d, const struct destinations *places, struct err *e)
{
	const struct destination *est = destinations_only(places, DESTINATION_EST);
	JSON_AUTO json_t *registrars = json_array();
	bool ok = registrars != NULL;
	json_t *o;

	for (size_t i = 0; ok && i < places->count; i++)
		ok = places->items[i].kind != DESTINATION_REGISTRAR ||
		     add_registrar(registrars, &places->items[i]);
	o = ok ? json_pack("{ss so sO so}", "serial", d->serial, "owner",
			 d->owner ? json_string(d->owner) : json_null(), "registrars", registrars,
			 "est_domain", est ? json_string(est->url) : json_null())
	       : NULL;
	if (!o)
		err_set(e, ERR_NO_MEMORY, "no memory for an answer");
	return o;
}

static bool look_up(struct masa *m, struct call *c, struct buf *text, struct err *e)
{
	BUF_AUTO struct buf serial = BUF_INIT(VOUCHER_SERIAL_MAX);
	BUF_AUTO struct buf issuer = BUF_INIT(KEY_ID_MAX);
	DEVICE_LIST_AUTO struct device_list found = {.count = 0};
	DESTINATIONS_AUTO struct destinations places = {.count = 0};
	JSON_AUTO json_t *answer = NULL;
	const struct device *d;

	if (!percent_decode(bytes_of_str(call_path(c) + strlen(LOOKUP_DIR)), &serial, e) ||
		!read_issuer(c, &issuer, e) ||
		!records_devices_find(m->store, buf_str(&serial), &found, e))
		return false;
	d = choose(&found, buf_bytes(&issuer));
	if (!d)
		return err_set(e, ERR_NOT_FOUND, "no device %s", buf_str(&serial));
	if (d->owner && !destinations_find(m->store, d->owner, &places, e))
		return false;
	answer = answer_of(d, &places, e);
	return answer && json_format(answer, text, e);
}

void lookup_serve(struct call *c, void *masa)
{
	struct masa *m = masa;
	struct masa_setup *s = masa_setup_take(m);
	BUF_AUTO struct buf text = BUF_INIT(REPLY_MAX);
	struct err e = ERR_INIT;

	if (may_ask(s, c, masa_now(m), &e) && look_up(m, c, &text, &e))
		call_reply(c, 200, JSON_TYPE, buf_bytes(&text));
	else
		call_reply_err(c, m->log, "lookup-refused", &e);
	masa_setup_free(s);
}
