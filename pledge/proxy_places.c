/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/proxy_places.h"

#include <stdio.h>
#include <string.h>

static bool parse_one(const char *word, struct place *out, struct err *e)
{
	struct err not_an_address = ERR_INIT;

	out->interface[0] = '\0';
	if (strlen(word) >= sizeof(out->word))
		return err_set(e, ERR_INPUT, "a word of %zu characters", strlen(word));
	snprintf(out->word, sizeof(out->word), "%s", word);
	if (address_parse(word, 0, &out->at, &not_an_address)) {
		if (address_is_wildcard(&out->at))
			return err_set(e, ERR_INPUT,
				"%s is every address of this machine: name those on the side of "
				"the devices",
				word);
		if (address_is_link_local(&out->at) && !out->at.v6.sin6_scope_id)
			return err_set(e, ERR_INPUT,
				"%s is link-local: say on which interface, as in %s%%eth0", word,
				word);
		return true;
	}
	if (strlen(word) >= IF_NAMESIZE || strpbrk(word, ":%/"))
		return err_set(e, ERR_INPUT, "%s is neither an interface nor an address", word);
	snprintf(out->interface, sizeof(out->interface), "%s", word);
	return address_of_interface(word, &out->at, e);
}

bool places_parse(const char *words, struct place out[PLACES_MAX], size_t *count, struct err *e)
{
	FREE_AUTO char *copy = str_dup(words, e);
	char *rest = NULL;

	*count = 0;
	if (!copy)
		return false;
	for (char *w = strtok_r(copy, " \t\r\n,", &rest); w;
		w = strtok_r(NULL, " \t\r\n,", &rest)) {
		if (*count == PLACES_MAX)
			return err_set(e, ERR_INPUT, "more than %d", PLACES_MAX);
		if (!parse_one(w, &out[(*count)++], e))
			return false;
	}
	return *count > 0 || err_set(e, ERR_INPUT, "nothing given");
}
