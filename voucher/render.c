/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate the way the rest of BRSKI looks at it: who, by whom, how long, which key, what for,
 * and which MASA it names (RFC 5280; RFC 8995 §2.3).
 */
#include "voucher/render.h"

#include <string.h>

#include "common/pki/idevid.h"
#include "common/wire/datetime.h"
#include "common/wire/der.h"
#include "common/wire/hex.h"

#define EKU_OID	     "2.5.29.37"
#define TIME_FOREVER INT64_C(253402300799) /* 9999-12-31T23:59:59Z: does not expire (802.1AR) */
#define OID_TEXT_MAX 256
#define URI_TEXT_MAX 1024

#define OID_OCTETS(...)                                                                            \
	{                                                                                          \
		(const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})             \
	}

static const struct {
	const char *name;
	struct bytes oid;
} purposes[] = {
	{"serverAuth", OID_OCTETS(0x2b, 6, 1, 5, 5, 7, 3, 1)},
	{"clientAuth", OID_OCTETS(0x2b, 6, 1, 5, 5, 7, 3, 2)},
	{"codeSigning", OID_OCTETS(0x2b, 6, 1, 5, 5, 7, 3, 3)},
	{"emailProtection", OID_OCTETS(0x2b, 6, 1, 5, 5, 7, 3, 4)},
	{"cmcCA", OID_OCTETS(0x2b, 6, 1, 5, 5, 7, 3, 27)},
	{"cmcRA", OID_OCTETS(0x2b, 6, 1, 5, 5, 7, 3, 28)},
	{"anyExtendedKeyUsage", OID_OCTETS(0x55, 0x1d, 0x25, 0)},
};

bool render_put(json_t *object, const char *name, json_t *value, struct err *e)
{
	if (json_object_set_new(object, name, value) == 0)
		return true;
	return err_set(e, ERR_NO_MEMORY, "no memory for JSON");
}

json_t *render_time(int64_t unix_s)
{
	char text[DATETIME_LEN + 1];
	struct err ignored = ERR_INIT;
	if (unix_s > TIME_FOREVER)
		unix_s = TIME_FOREVER;
	return datetime_format(unix_s, text, &ignored) ? json_string(text) : json_null();
}

static json_t *hex_string(struct bytes octets)
{
	char text[2 * CERT_DER_MAX + 1];
	if (octets.len > CERT_DER_MAX)
		return json_null();
	hex_encode(octets, text);
	return json_string(text);
}

/* An OID in dots; NULL when it does not fit or is none. */
static json_t *dotted(struct bytes oid)
{
	struct buf BUF_AUTO text = BUF_INIT(OID_TEXT_MAX);
	struct err ignored = ERR_INIT;
	uint64_t arc = 0;
	bool first = true;
	for (size_t i = 0; i < oid.len; i++) {
		if (arc >> 56)
			return json_string("malformed");
		arc = arc << 7 | (oid.data[i] & 0x7f);
		if (oid.data[i] & 0x80)
			continue;
		uint64_t top = arc < 80 ? arc / 40 : 2;
		bool ok = first ? buf_printf(&text, &ignored, "%u.%llu", (unsigned)top,
					  (unsigned long long)(arc - top * 40))
				: buf_printf(&text, &ignored, ".%llu", (unsigned long long)arc);
		if (!ok)
			return json_string("malformed");
		first = false;
		arc = 0;
	}
	return json_string(buf_str(&text));
}

static json_t *purpose(struct bytes oid)
{
	for (size_t i = 0; i < sizeof(purposes) / sizeof(purposes[0]); i++)
		if (bytes_equal(oid, purposes[i].oid))
			return json_string(purposes[i].name);
	return dotted(oid);
}

/* The extended key usages; an empty array when the extension cannot be read. */
static bool put_ekus(json_t *object, const struct cert *c, struct err *e)
{
	struct bytes value = cert_extension(c, EKU_OID, NULL);
	struct der d = der_of(value);
	struct der_tlv list, oid;
	struct err ignored = ERR_INIT;
	if (value.len == 0)
		return true;
	json_t *array = json_array();
	if (!render_put(object, "extendedKeyUsage", array, e))
		return false;
	if (!der_expect(&d, DER_SEQUENCE, &list, EKU_OID, &ignored))
		return true;
	for (struct der in = list.content; !der_at_end(&in);) {
		if (!der_expect(&in, DER_OID, &oid, EKU_OID, &ignored))
			return true;
		if (json_array_append_new(
			    array, purpose(bytes_of(oid.content.p, oid.content.len))) != 0)
			return err_set(e, ERR_NO_MEMORY, "no memory for JSON");
	}
	return true;
}

static bool put_masa_url(json_t *object, const struct cert *c, struct err *e)
{
	struct err why = ERR_INIT;
	struct uri uri;
	struct buf BUF_AUTO text = BUF_INIT(URI_TEXT_MAX);
	if (idevid_masa_uri(c, &uri, &why))
		return uri_format(&uri, &text, e) &&
		       render_put(object, "masa-url", json_string(buf_str(&text)), e);
	if (why.kind == ERR_NOT_FOUND)
		return true;
	return render_put(object, "masa-url-error", json_string(why.text), e);
}

static bool put_optional_hex(json_t *object, const char *name, struct bytes octets, struct err *e)
{
	return octets.len == 0 || render_put(object, name, hex_string(octets), e);
}

static bool put_all(json_t *o, const struct cert *c, struct err *e)
{
	const char *serial_number = cert_serial_number(c);
	return render_put(o, "subject", json_string(cert_subject(c)), e) &&
	       render_put(o, "issuer", json_string(cert_issuer(c)), e) &&
	       render_put(o, "serial", hex_string(cert_serial(c)), e) &&
	       (!serial_number || render_put(o, "serialNumber", json_string(serial_number), e)) &&
	       render_put(o, "notBefore", render_time(cert_not_before(c)), e) &&
	       render_put(o, "notAfter", render_time(cert_not_after(c)), e) &&
	       render_put(o, "sha256", hex_string(bytes_of(cert_sha256(c), 32)), e) &&
	       put_optional_hex(o, "ski", cert_ski(c), e) &&
	       put_optional_hex(o, "aki", cert_aki(c), e) &&
	       render_put(o, "ca", json_boolean(cert_is_ca(c)), e) && put_ekus(o, c, e) &&
	       put_masa_url(o, c, e);
}

json_t *render_cert(const struct cert *c, struct err *e)
{
	json_t *object = json_object();
	if (put_all(object, c, e))
		return object;
	json_decref(object);
	return NULL;
}

json_t *render_certs(const struct cert_list *list, struct err *e)
{
	json_t *array = json_array();
	for (size_t i = 0; i < list->count; i++) {
		if (json_array_append_new(array, render_cert(list->items[i], e)) != 0) {
			json_decref(array);
			err_set(e, ERR_NO_MEMORY, "no memory for JSON");
			return NULL;
		}
	}
	return array;
}
