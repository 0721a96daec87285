/* SPDX-License-Identifier: Apache-2.0 */
/* A MASA's answer about a device, read: see places.h. No I/O. */
#include "registrar/cloud/places.h"

#include <stdio.h>
#include <string.h>

#include "common/base/text.h"
#include "common/wire/json.h"
#include "common/wire/uri.h"

static bool take_text(const char *from, char *to, size_t max, const char *name, struct err *e)
{
	size_t len = from ? strlen(from) : 0;

	if (len > max)
		return err_set(e, ERR_PEER, "%s is too long", name);
	memcpy(to, from ? from : "", len);
	to[len] = '\0';
	text_make_safe(to, '?');
	return true;
}

static bool take_url(const char *from, char to[PLACE_URL_MAX + 1], struct err *e)
{
	struct uri u;

	return from && uri_parse(from, &u, e)
		       ? take_text(from, to, PLACE_URL_MAX, "url", e)
		       : err_set(e, ERR_PEER, "an address that is no https URI");
}

/* NULL also for null; false when it is there and no text. */
static bool text_or_null(const json_t *object, const char *name, const char **out, struct err *e)
{
	const json_t *member = json_object_get(object, name);

	*out = json_string_value(member);
	return !member || json_is_null(member) || *out ||
	       err_set(e, ERR_PEER, "%s is no text", name);
}

static bool take_place(const json_t *item, struct place *p, struct err *e)
{
	const json_t *weight = json_object_get(item, "weight");
	const char *url, *region;

	p->weight = weight ? json_integer_value(weight) : 1;
	if (!json_is_object(item) || (weight && !json_is_integer(weight)) || p->weight < 0 ||
		p->weight > PLACE_WEIGHT_MAX)
		return err_set(e, ERR_PEER, "a registrar that is none");
	return text_or_null(item, "url", &url, e) && take_url(url, p->url, e) &&
	       text_or_null(item, "region", &region, e) &&
	       take_text(region, p->region, PLACE_REGION_MAX, "region", e);
}

static bool take_registrars(const json_t *list, struct places *out, struct err *e)
{
	if (list && !json_is_array(list))
		return err_set(e, ERR_PEER, "registrars is no list");
	if (json_array_size(list) > PLACES_MAX)
		return err_set(e, ERR_PEER, "more than %d registrars", PLACES_MAX);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!take_place(json_array_get(list, i), &out->items[out->count++], e))
			return false;
	return true;
}

bool cloud_places_parse(struct bytes json, struct places *out, struct err *e)
{
	JSON_AUTO json_t *object = json_parse_object(json, e);
	const char *owner, *est;

	memset(out, 0, sizeof(*out));
	if (!object) {
		if (e->kind != ERR_NO_MEMORY)
			e->kind = ERR_PEER;
		return false;
	}
	if (!text_or_null(object, "owner", &owner, e) ||
		!text_or_null(object, "est_domain", &est, e) ||
		!take_text(owner, out->owner, PLACE_OWNER_MAX, "owner", e) ||
		!take_registrars(json_object_get(object, "registrars"), out, e))
		return false;
	out->has_est = est != NULL;
	return !est || take_url(est, out->est, e);
}
