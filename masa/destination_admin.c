/* SPDX-License-Identifier: Apache-2.0 */
/* Destinations as JSON: see destination_admin.h. */
#include "masa/destination_admin.h"

#include <stdlib.h>
#include <string.h>

#include "common/wire/json.h"
#include "common/wire/percent.h"
#include "masa/destination.h"
#include "masa/guard.h"
#include "masa/masa.h"

#define JSON_TYPE "application/json"
#define REFUSED	  "admin-refused"

static void refuse(struct call *c, const struct masa *m, const struct err *e)
{
	struct err told = *e;

	/* the administrator may read what is wrong with the input */
	if (!told.sentence[0] && (told.kind == ERR_INPUT || told.kind == ERR_NOT_FOUND))
		err_tell(&told, "%.190s", told.text);
	call_reply_err(c, m->log, REFUSED, &told);
}

static bool read_owner(struct call *c, struct masa *m, struct buf *name, struct err *e)
{
	if (!percent_decode(bytes_of_str(call_path(c) + strlen(DESTINATIONS_DIR)), name, e))
		return false;
	return owners_exist(m->owners, buf_str(name)) ||
	       err_set(e, ERR_NOT_FOUND, "no owner %s", buf_str(name));
}

/* ---- list ---- */

static json_t *item_of(const struct destination *d, struct err *e)
{
	CERT_AUTO struct cert *pin = d->pin.len ? cert_parse(buf_bytes(&d->pin), e) : NULL;
	json_t *o = json_pack("{ss ss so so so}", "kind", destination_kind_name(d->kind), "url",
		d->url, "weight",
		d->kind == DESTINATION_REGISTRAR ? json_integer(d->weight) : json_null(), "region",
		*d->region ? json_string(d->region) : json_null(), "pin",
		pin ? json_string(cert_subject(pin)) : json_null());

	if (!o && e->kind == ERR_NONE)
		err_set(e, ERR_NO_MEMORY, "no memory for an answer");
	return o;
}

static json_t *list_of(const struct destinations *all, struct err *e)
{
	JSON_AUTO json_t *items = json_array();

	for (size_t i = 0; i < all->count; i++) {
		json_t *item = item_of(&all->items[i], e);

		if (!item || json_array_append_new(items, item) != 0)
			return NULL;
	}
	return json_pack("{sO sn}", "items", items, "next");
}

void destination_list(struct call *c, void *masa)
{
	struct masa *m = masa;
	BUF_AUTO struct buf name = BUF_INIT(MASA_OWNER_NAME_MAX);
	BUF_AUTO struct buf text = BUF_INIT(MASA_ADMIN_REPLY_MAX);
	DESTINATIONS_AUTO struct destinations all = {.count = 0};
	JSON_AUTO json_t *reply = NULL;
	struct err e = ERR_INIT;

	if (read_owner(c, m, &name, &e) && destinations_find(m->store, buf_str(&name), &all, &e) &&
		(reply = list_of(&all, &e)) != NULL && json_format(reply, &text, &e)) {
		call_reply(c, 200, JSON_TYPE, buf_bytes(&text));
		return;
	}
	if (e.kind == ERR_NONE)
		err_set(&e, ERR_NO_MEMORY, "no memory for an answer");
	refuse(c, m, &e);
}

/* ---- changes ---- */

struct change {
	struct masa *m;
	struct call *call;
	struct buf owner;
	char url[DESTINATION_URL_MAX + 1];
	bool removes;
};

static struct change *change_new(struct call *c, struct masa *m)
{
	struct err e = ERR_INIT;
	struct change *ch = mem_new(sizeof(*ch), &e);

	if (!ch) {
		refuse(c, m, &e);
		return NULL;
	}
	ch->m = m;
	ch->call = c;
	buf_init(&ch->owner, MASA_OWNER_NAME_MAX);
	return ch;
}

static void change_free(struct change *ch)
{
	buf_clear(&ch->owner);
	free(ch);
}

static void on_written(void *arg, const int64_t *changed, const struct err *e)
{
	struct change *ch = arg;
	struct err failed = ERR_INIT;

	if (e && e->kind == ERR_CONFLICT)
		err_set(&failed, ERR_INPUT, "an owner has %d places at most", DESTINATIONS_MAX);
	else if (!e && ch->removes && changed[0] == 0)
		err_set(&failed, ERR_NOT_FOUND,
			"%s has no such place: masactl destinations list %s", buf_str(&ch->owner),
			buf_str(&ch->owner));
	else if (e)
		failed = *e;
	if (failed.kind == ERR_NONE) {
		log_event(ch->m->log, LOG_LEVEL_INFO,
			ch->removes ? "destination-removed" : "destination-set",
			call_exchange(ch->call), "owner", buf_str(&ch->owner), "url", ch->url,
			"peer", call_peer(ch->call)->address, "by", masa_asked_by(ch->call), NULL);
		call_reply(ch->call, 200, JSON_TYPE, bytes_of_str("{}"));
	} else {
		refuse(ch->call, ch->m, &failed);
	}
	change_free(ch);
}

static bool read_kind(const json_t *body, enum destination_kind *out, struct err *e)
{
	const char *kind;

	if (!json_get_string(body, "kind", &kind, e))
		return false;
	for (int k = 0; kind && k < DESTINATION_KIND_COUNT; k++)
		if (strcmp(kind, destination_kind_name((enum destination_kind)k)) == 0) {
			*out = (enum destination_kind)k;
			return true;
		}
	return err_set(e, ERR_INPUT, "kind is registrar, est or configuration");
}

static bool read_weight(const json_t *body, struct destination *d, struct err *e)
{
	const json_t *weight = json_object_get(body, "weight");

	d->weight = weight ? json_integer_value(weight) : 1;
	if ((weight && !json_is_integer(weight)) || d->weight < 0 ||
		d->weight > DESTINATION_WEIGHT_MAX)
		return err_set(e, ERR_INPUT, "weight is 0 to %d", DESTINATION_WEIGHT_MAX);
	return true;
}

static bool read_region(const json_t *body, struct destination *d, struct err *e)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	const char *region;

	if (!json_get_string(body, "region", &region, e))
		return false;
	if (!region)
		return true;
	if (!*region || strlen(region) > DESTINATION_REGION_MAX ||
		region[strspn(region, chars)] != '\0')
		return err_set(e, ERR_INPUT, "a region has 1 to %d of a-z, 0-9 and -",
			DESTINATION_REGION_MAX);
	memcpy(d->region, region, strlen(region) + 1);
	return true;
}

/* The first certificate of the file: the EST server's own, or a CA's above it. */
static bool read_pin(const json_t *body, struct destination *d, struct err *e)
{
	CERT_LIST_AUTO struct cert_list certs = CERT_LIST_INIT;
	const char *pem;
	struct bytes der;

	if (!json_get_string(body, "pin", &pem, e))
		return false;
	if (!pem != (d->kind != DESTINATION_EST))
		return err_set(e, ERR_INPUT, "a pin belongs to an EST server, and to it alone");
	if (!pem)
		return true;
	if (!cert_list_parse_pem(bytes_of_str(pem), &certs, e))
		return err_prefix(e, "pin");
	der = cert_der(certs.items[0]);
	buf_init(&d->pin, CERT_DER_MAX);
	return buf_append(&d->pin, der.data, der.len, e);
}

static bool read_destination(const json_t *body, struct destination *d, struct err *e)
{
	const char *url;

	return read_kind(body, &d->kind, e) && json_get_string(body, "url", &url, e) &&
	       (url || err_set(e, ERR_INPUT, "url is missing")) &&
	       destination_check_url(d->kind, url, d->url, e) && read_weight(body, d, e) &&
	       read_region(body, d, e) && read_pin(body, d, e);
}

static bool write_set(struct change *ch, struct err *e)
{
	JSON_AUTO json_t *body = json_parse_object(call_body(ch->call), e);
	DESTINATIONS_AUTO struct destinations one = {.count = 1};
	struct store_op ops[DESTINATION_PUT_OPS];
	size_t n;

	one.items[0] = (struct destination){.kind = DESTINATION_REGISTRAR};
	if (!body || !read_owner(ch->call, ch->m, &ch->owner, e) ||
		!read_destination(body, &one.items[0], e))
		return false;
	memcpy(ch->url, one.items[0].url, sizeof(ch->url));
	n = destination_put(buf_str(&ch->owner), &one.items[0], ops);
	return store_write(ch->m->store, ops, n, call_loop(ch->call), on_written, ch, e);
}

/* As it was handed out, or as it was given: made whole as what it was given for. Of several kinds
 * with one URL, the one that is listed first. */
static bool find_url(const struct change *ch, const char *given, char out[DESTINATION_URL_MAX + 1],
	struct err *e)
{
	DESTINATIONS_AUTO struct destinations all = {.count = 0};

	snprintf(out, DESTINATION_URL_MAX + 1, "%s", given);
	if (!destinations_find(ch->m->store, buf_str(&ch->owner), &all, e))
		return false;
	for (size_t i = 0; i < all.count; i++)
		if (strcmp(all.items[i].url, given) == 0)
			return true;
	for (size_t i = 0; i < all.count; i++) {
		char whole[DESTINATION_URL_MAX + 1];
		struct err none = ERR_INIT;

		if (destination_check_url(all.items[i].kind, given, whole, &none) &&
			strcmp(whole, all.items[i].url) == 0) {
			memcpy(out, whole, sizeof(whole));
			return true;
		}
	}
	return true;
}

static bool write_drop(struct change *ch, struct err *e)
{
	BUF_AUTO struct buf url = BUF_INIT(DESTINATION_URL_MAX);
	struct store_op op;
	bool found;

	if (!read_owner(ch->call, ch->m, &ch->owner, e) ||
		!percent_query(call_query(ch->call), "url", &url, &found, e))
		return false;
	if (!found)
		return err_set(e, ERR_INPUT, "url is missing");
	if (!find_url(ch, buf_str(&url), ch->url, e))
		return false;
	ch->removes = true;
	op = destination_remove(buf_str(&ch->owner), ch->url);
	return store_write(ch->m->store, &op, 1, call_loop(ch->call), on_written, ch, e);
}

static void change(struct call *c, struct masa *m, bool (*write)(struct change *, struct err *))
{
	struct change *ch = change_new(c, m);
	struct err e = ERR_INIT;

	if (ch && !write(ch, &e)) {
		refuse(c, m, &e);
		change_free(ch);
	}
}

void destination_set(struct call *c, void *masa)
{
	change(c, masa, write_set);
}

void destination_drop(struct call *c, void *masa)
{
	change(c, masa, write_drop);
}
