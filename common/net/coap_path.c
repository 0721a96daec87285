/* SPDX-License-Identifier: Apache-2.0 */
/* From the paths of HTTPS to those of CoAP: the last segment below one of our two well-known roots
 * has a short name (RFC 9148 §4.1; draft-ietf-anima-constrained-voucher §6.5), labels stay. */
#include "common/net/coap_path.h"

#include <string.h>

#define SEGMENT_MAX 255 /* RFC 7252 §5.10 */

#define EST   "/.well-known/est/"
#define BRSKI "/.well-known/brski/"

static const struct {
	const char *root, *name, *short_name;
} names[] = {
	{EST, "cacerts", "crts"},
	{EST, "simpleenroll", "sen"},
	{EST, "simplereenroll", "sren"},
	{EST, "serverkeygen", "skg"},
	{EST, "csrattrs", "att"},
	{BRSKI, "requestvoucher", "rv"},
	{BRSKI, "voucher_status", "vs"},
	{BRSKI, "enrollstatus", "es"},
};

static struct bytes shortened(const char *path, struct bytes last)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strncmp(path, names[i].root, strlen(names[i].root)) == 0 &&
			bytes_equal(last, bytes_of_str(names[i].name)))
			return bytes_of_str(names[i].short_name);
	return last;
}

static bool add_part(struct coap_message *m, uint16_t number, struct bytes part, struct err *e)
{
	if (part.len == 0 || part.len > SEGMENT_MAX || memchr(part.data, '%', part.len))
		return err_set(e, ERR_INPUT, "a path that cannot be sent over CoAP");
	return coap_message_add(m, number, part, e);
}

/* s up to one of stop, or its end. */
static struct bytes until(const char *s, const char *stop)
{
	return bytes_of(s, strcspn(s, stop));
}

static bool add_query(const char *query, struct coap_message *m, struct err *e)
{
	struct bytes part;

	for (; *query; query += part.len) {
		part = until(++query, "&"); /* behind '?' or '&' */
		if (!add_part(m, COAP_OPT_URI_QUERY, part, e))
			return false;
	}
	return true;
}

bool coap_path_add(const char *path, struct coap_message *m, struct err *e)
{
	const char *at = path;
	struct bytes part;

	if (*at != '/')
		return err_set(e, ERR_INPUT, "a path that is not absolute");
	if (at[1] == '\0' || at[1] == '?')
		return add_query(at + 1, m, e);
	while (*at == '/') {
		part = until(++at, "/?");
		at += part.len;
		if (*at != '/')
			part = shortened(path, part);
		if (!add_part(m, COAP_OPT_URI_PATH, part, e))
			return false;
	}
	return add_query(at, m, e);
}
