/* SPDX-License-Identifier: Apache-2.0 */
/* subjectAltName from the list an administrator writes. Written here and not by OpenSSL's
 * configuration syntax, which also understands references to files and other sections. */
#include "common/pki/san.h"

#include <arpa/inet.h>
#include <string.h>

#include "common/wire/der.h"

#define DNS_NAME_MAX  253 /* RFC 1035 §3.1, in text */
#define DNS_LABEL_MAX 63
#define ENTRY_MAX     (DNS_NAME_MAX + 8)

static bool is_label_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

static bool is_dns_name(const char *name)
{
	size_t label = 0;

	if (strncmp(name, "*.", 2) == 0)
		name += 2;
	if (!*name || strlen(name) > DNS_NAME_MAX)
		return false;
	for (; *name; name++) {
		if (*name == '.' ? label == 0 : !is_label_character(*name))
			return false;
		label = *name == '.' ? 0 : label + 1;
		if (label > DNS_LABEL_MAX)
			return false;
	}
	return label > 0;
}

static bool add_entry(const char *entry, struct buf *names, struct err *e)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (strncmp(entry, "DNS:", 4) == 0 && is_dns_name(entry + 4))
		return der_put(names, DER_CONTEXT(2), bytes_of_str(entry + 4), e);
	if (strncmp(entry, "IP:", 3) == 0 && inet_pton(AF_INET, entry + 3, &v4) == 1)
		return der_put(names, DER_CONTEXT(7), bytes_of(&v4, sizeof(v4)), e);
	if (strncmp(entry, "IP:", 3) == 0 && inet_pton(AF_INET6, entry + 3, &v6) == 1)
		return der_put(names, DER_CONTEXT(7), bytes_of(&v6, sizeof(v6)), e);
	return err_set(e, ERR_INPUT,
		"\"%s\" is no subject alternative name; write DNS:name or IP:address", entry);
}

bool san_format(const char *text, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf names = BUF_INIT(SAN_DER_MAX);
	size_t count = 0;

	for (const char *p = text; *p || count == 0; count++) {
		char entry[ENTRY_MAX + 1];
		size_t len = strcspn(p, ",");

		if (count == SAN_NAMES_MAX || len > ENTRY_MAX)
			return err_set(e, ERR_TOO_LARGE, "subject alternative names too long");
		memcpy(entry, p, len);
		entry[len] = '\0';
		if (!add_entry(entry, &names, e))
			return false;
		p += len;
		if (*p == ',' && !*++p)
			return err_set(e, ERR_INPUT, "subject alternative names end in a comma");
	}
	return der_put(out, DER_SEQUENCE, buf_bytes(&names), e);
}
