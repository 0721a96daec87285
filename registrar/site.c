/* SPDX-License-Identifier: Apache-2.0 */
/* One spelling for each site: what is compared as text, in grants, rules and lists, cannot be said
 * in two ways. */
#include "registrar/site.h"

#include <string.h>

#include "common/base/text.h"

#define SEGMENT_CHARS "abcdefghijklmnopqrstuvwxyz0123456789._-"
#define LABEL_CHARS   SEGMENT_CHARS "/"

static bool bad_site(const char *path, const char *why, struct err *e)
{
	err_set(e, ERR_INPUT, "site \"%.300s\": %s", path, why);
	return err_tell(e,
		"A site is / or like /eu/berlin-3/dock: %d names at most of a-z, 0-9, dot, dash "
		"and "
		"underscore.",
		SITE_DEPTH_MAX);
}

bool site_check(const char *path, struct err *e)
{
	const char *at = path;

	if (strcmp(path, "/") == 0)
		return true;
	if (strlen(path) > SITE_LEN_MAX)
		return bad_site(path, "too long", e);
	for (int depth = 0; *at; depth++) {
		size_t len = at[0] == '/' ? strspn(at + 1, SEGMENT_CHARS) : 0;

		if (len == 0 || (at[len + 1] && at[len + 1] != '/'))
			return bad_site(path, "not a path of names", e);
		if (strspn(at + 1, ".") == len)
			return bad_site(path, "a name of dots", e);
		if (depth == SITE_DEPTH_MAX)
			return bad_site(path, "too deep", e);
		at += len + 1;
	}
	return at > path || bad_site(path, "empty", e);
}

json_t *site_chain(const char *path, struct err *e)
{
	json_t *chain = json_pack("[s]", "/");

	for (size_t i = 1; chain && path[i - 1]; i++)
		if (i > 1 && (path[i] == '/' || !path[i]) &&
			json_array_append_new(chain, json_stringn(path, i)) != 0) {
			json_decref(chain);
			chain = NULL;
		}
	if (!chain)
		err_set(e, ERR_NO_MEMORY, "no memory for the sites of a path");
	return chain;
}

bool label_check(const char *name, const char *value, struct err *e)
{
	size_t len = strlen(name);
	bool text = value && strlen(value) <= LABEL_VALUE_MAX;

	for (const char *at = value; text && *at; at++)
		text = (unsigned char)*at >= 0x20 && *at != 0x7f;
	if (len > 0 && len <= LABEL_NAME_MAX && strspn(name, LABEL_CHARS) == len && text)
		return true;
	err_set(e, ERR_INPUT, "label \"%.80s\"", name);
	return err_tell(e,
		"A label is a name of at most %d of a-z, 0-9, dot, dash, slash and underscore, and "
		"one line of at most %d octets.",
		LABEL_NAME_MAX, LABEL_VALUE_MAX);
}

bool labels_check(const json_t *labels, struct err *e)
{
	json_t *object = (json_t *)(uintptr_t)labels; /* the iterators know no const */
	const char *name;
	json_t *value;

	if (!json_is_object(labels)) {
		err_set(e, ERR_INPUT, "labels are no object");
		return err_tell(e, "Labels are an object of names and texts.");
	}
	if (json_object_size(labels) > LABELS_MAX) {
		err_set(e, ERR_INPUT, "%zu labels", json_object_size(labels));
		return err_tell(e, "A device has at most %d labels.", LABELS_MAX);
	}
	json_object_foreach(object, name,
		value) if (!label_check(name, json_string_value(value), e)) return false;
	return true;
}
