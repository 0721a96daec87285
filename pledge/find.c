/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/find.h"

#include <string.h>

#include "common/net/address.h"
#include "common/net/coap_discovery.h"

/* Whom to ask, taken apart: interfaces together, addresses one by one. */
struct whom {
	char *text; /* the words point into it */
	const char *interfaces[FIND_WORDS_MAX];
	size_t interface_count;
	struct address addresses[FIND_WORDS_MAX];
	size_t address_count;
	bool all;
};

static void whom_clear(struct whom *w)
{
	free_ptr(&w->text);
}

static bool add_word(struct whom *w, const char *word, uint16_t port, struct err *e)
{
	struct err no_address = ERR_INIT;

	if (w->interface_count + w->address_count == FIND_WORDS_MAX)
		return err_set(e, ERR_INPUT, "more than %d words", FIND_WORDS_MAX);
	if (strcmp(word, FIND_WORD_ALL) == 0)
		w->all = true;
	else if (address_parse(word, port, &w->addresses[w->address_count], &no_address))
		w->address_count++;
	else
		w->interfaces[w->interface_count++] = word;
	return true;
}

static bool parse_words(const char *words, uint16_t port, struct whom *w, struct err *e)
{
	char *rest = NULL;

	w->text = str_dup(words, e);
	if (!w->text)
		return false;
	for (char *p = strtok_r(w->text, " \t\r\n,", &rest); p;
		p = strtok_r(NULL, " \t\r\n,", &rest))
		if (!add_word(w, p, port, e))
			return false;
	return true;
}

/* "[fe80::1%eth0]:5684" as a URI has it. */
static bool to_uri(const struct coap_candidate *c, struct uri *out, struct err *e)
{
	struct address a = address_of((const struct sockaddr *)&c->at, c->at_len);
	BUF_AUTO struct buf text = BUF_INIT(2 * ADDRESS_TEXT_MAX);
	char where[ADDRESS_TEXT_MAX];
	size_t zone;

	address_format(&a, where);
	zone = strcspn(where, "%");
	return buf_printf(&text, e, "coaps://%.*s%s%s", (int)zone, where, where[zone] ? "%25" : "",
		       where + zone + (where[zone] ? 1 : 0)) &&
	       uri_parse_server(buf_str(&text), out, e);
}

static bool is_known(const struct uri *all, size_t count, const struct uri *u)
{
	for (size_t i = 0; i < count; i++)
		if (uri_same_origin(&all[i], u))
			return true;
	return false;
}

/* An answer that is no place for us (an address of a kind we cannot write) is passed over. */
static void keep(
	const struct coap_candidate *found, size_t n, struct uri out[FOUND_MAX], size_t *count)
{
	for (size_t i = 0; i < n && *count < FOUND_MAX; i++) {
		struct err ignored = ERR_INIT;

		if (to_uri(&found[i], &out[*count], &ignored) &&
			!is_known(out, *count, &out[*count]))
			(*count)++;
	}
}

static bool ask(
	const struct coap_query_config *q, struct uri out[FOUND_MAX], size_t *count, struct err *e)
{
	struct coap_candidate found[COAP_CANDIDATES_MAX];
	size_t n;

	if (!coap_discover(q, found, &n, e))
		return false;
	keep(found, n, out, count);
	return true;
}

/* One that cannot be asked (an interface that is down) keeps the others from nothing. */
static bool ask_all(const struct whom *w, uint16_t port, struct uri out[FOUND_MAX], size_t *count,
	struct err *e)
{
	struct coap_query_config q = {.find = COAP_FIND_JOIN_PORT, .port = port};
	bool asked = false;

	for (size_t i = 0; i < w->address_count; i++) {
		q.to = &w->addresses[i].sa;
		q.to_len = w->addresses[i].len;
		q.stop_at_first = true;
		asked = ask(&q, out, count, e) || asked;
	}
	q = (struct coap_query_config){.find = COAP_FIND_JOIN_PORT, .port = port};
	if (!w->all) {
		q.interfaces = w->interfaces;
		q.interface_count = w->interface_count;
	}
	if (w->all || w->interface_count)
		asked = ask(&q, out, count, e) || asked;
	return asked;
}

bool find_registrars(
	const char *words, uint16_t port, struct uri out[FOUND_MAX], size_t *count, struct err *e)
{
	__attribute__((cleanup(whom_clear))) struct whom w = {.text = NULL};

	*count = 0;
	return parse_words(words, port, &w, e) &&
	       (ask_all(&w, port, out, count, e) || err_prefix(e, "[registrars] discover"));
}
