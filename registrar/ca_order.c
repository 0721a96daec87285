/* SPDX-License-Identifier: Apache-2.0 */
/* Names and key identifiers decide who certified whom: that the signatures hold was checked when
 * the CA was opened. */
#include "registrar/ca_order.h"

#include "common/pki/pkcs7_certs.h"
#include "common/wire/coap_format.h"
#include "common/wire/multipart_core.h"

static bool certified(const struct cert *issuer, const struct cert *subject)
{
	struct bytes wanted = cert_aki(subject), has = cert_ski(issuer);

	return bytes_equal(cert_subject_der(issuer), cert_issuer_der(subject)) &&
	       (wanted.len == 0 || has.len == 0 || bytes_equal(wanted, has));
}

/* The certificate above `below` that is not in the path yet; NULL at its end. */
static struct cert *next_above(
	const struct cert_list *certs, const struct cert_list *path, const struct cert *below)
{
	if (cert_is_self_signed(below))
		return NULL;
	for (size_t i = 0; i < certs->count; i++)
		if (certified(certs->items[i], below) && !cert_list_contains(path, certs->items[i]))
			return certs->items[i];
	return NULL;
}

bool ca_order(const struct cert_list *certs, struct cert_list *out, size_t *on_path, struct err *e)
{
	struct cert *next = certs->count ? certs->items[0] : NULL;

	for (; next; next = next_above(certs, out, next))
		if (!cert_list_add(out, next, e))
			return false;
	*on_path = out->count;
	return cert_list_merge(out, certs, e);
}

bool ca_order_multipart(const struct cert_list *certs, size_t max, struct buf *out, struct err *e)
{
	struct multipart_part parts[PKCS7_CERTS_MAX];
	size_t count = 0;

	for (; count < certs->count && count < max && count < PKCS7_CERTS_MAX; count++)
		parts[count] = (struct multipart_part){
			COAP_FORMAT_PKIX_CERT, cert_der(certs->items[count])};
	return multipart_core_put(out, parts, count, e);
}
