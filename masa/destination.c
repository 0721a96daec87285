/* SPDX-License-Identifier: Apache-2.0 */
/* Owners' destinations in the store: see destination.h. */
#include "masa/destination.h"

#include <stdio.h>
#include <string.h>

#include "common/wire/uri.h"
#include "masa/limits.h"
#include "masa/records_sql.h"

#define REQUEST_VOUCHER "/.well-known/brski/requestvoucher"

static const char *const kind_names[DESTINATION_KIND_COUNT] = {"registrar", "est", "configuration"};

const char *destination_kind_name(enum destination_kind k)
{
	return kind_names[k];
}

void destinations_clear(struct destinations *d)
{
	for (size_t i = 0; i < d->count; i++)
		buf_clear(&d->items[i].pin);
	d->count = 0;
}

/* ---- URLs ---- */

static bool fit_path(enum destination_kind kind, struct uri *u, struct err *e)
{
	bool none = !*u->path || strcmp(u->path, "/") == 0;

	switch (kind) {
	case DESTINATION_REGISTRAR:
		if (none)
			snprintf(u->path, sizeof(u->path), "%s", REQUEST_VOUCHER);
		return true;
	case DESTINATION_EST:
		snprintf(u->path, sizeof(u->path), "/");
		return none || err_set(e, ERR_INPUT, "an EST server has no path");
	case DESTINATION_CONFIGURATION:
	case DESTINATION_KIND_COUNT:
		return true;
	}
	return true;
}

bool destination_check_url(enum destination_kind kind, const char *text,
	char out[DESTINATION_URL_MAX + 1], struct err *e)
{
	BUF_AUTO struct buf whole = BUF_INIT(DESTINATION_URL_MAX);
	struct uri u;

	if (!uri_parse(text, &u, e) || !fit_path(kind, &u, e) || !uri_format(&u, &whole, e))
		return err_prefix(e, "url");
	snprintf(out, DESTINATION_URL_MAX + 1, "%s", buf_str(&whole));
	return true;
}

/* ---- The store ---- */

static bool keep(void *arg, const struct store_row *r, struct err *e)
{
	struct destinations *all = arg;
	struct destination *d = &all->items[all->count];
	struct bytes pin = store_row_blob(r, 4);
	const char *region = store_row_text(r, 3);

	if (all->count == DESTINATIONS_MAX)
		return err_set(e, ERR_STORE, "an owner with more than %d places", DESTINATIONS_MAX);
	*d = (struct destination){
		.kind = (enum destination_kind)store_row_int(r, 0), .weight = store_row_int(r, 2)};
	if (d->kind >= DESTINATION_KIND_COUNT)
		return err_set(e, ERR_STORE, "a destination of no known kind");
	all->count++;
	snprintf(d->url, sizeof(d->url), "%s", store_row_text(r, 1));
	snprintf(d->region, sizeof(d->region), "%s", region ? region : "");
	buf_init(&d->pin, CERT_DER_MAX);
	return buf_append(&d->pin, pin.data, pin.len, e);
}

bool destinations_find(struct store *s, const char *owner, struct destinations *out, struct err *e)
{
	struct store_value v = store_text(owner);

	out->count = 0;
	if (store_read(s, DESTINATIONS_OF, &v, 1, keep, out, NULL, e))
		return true;
	destinations_clear(out);
	return false;
}

const struct destination *destinations_only(
	const struct destinations *d, enum destination_kind kind)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->items[i].kind == kind)
			return &d->items[i];
	return NULL;
}

size_t destination_put(
	const char *owner, const struct destination *d, struct store_op ops[DESTINATION_PUT_OPS])
{
	size_t n = 0;

	if (d->kind != DESTINATION_REGISTRAR)
		ops[n++] = (struct store_op){.statement = DESTINATION_REPLACED,
			.params = {store_text(owner), STORE_I(d->kind), store_text(d->url)},
			.param_count = 3};
	ops[n++] = (struct store_op){.statement = DESTINATION_PUT,
		.params = {store_text(owner), STORE_I(d->kind), store_text(d->url),
			STORE_I(d->weight), store_text(*d->region ? d->region : NULL),
			d->pin.len ? store_blob(buf_bytes(&d->pin))
				   : (struct store_value){.type = STORE_NULL},
			STORE_I(DESTINATIONS_MAX)},
		.param_count = 7,
		.must_change = true};
	return n;
}

struct store_op destination_remove(const char *owner, const char *url)
{
	return (struct store_op){.statement = DESTINATION_REMOVE,
		.params = {store_text(owner), store_text(url)},
		.param_count = 2};
}
