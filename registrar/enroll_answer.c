/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the answer to an enrolment. The certificate goes out alone, its issuers are what /cacerts
 * is for (EE-02). */
#include "registrar/enroll_answer.h"

#include <stdio.h>

#include "common/base/rng.h"
#include "common/pki/pkcs7_certs.h"
#include "common/wire/coap_format.h"
#include "common/wire/multipart_core.h"

#define KEY_DER_MAX   8192  /* PKCS#8 of what we generate; RSA-3072 is below 2 kB */
#define CERT_PART_MAX 65536 /* one certificate in certs-only CMS, base64 */

#define CERTS_ONLY "application/pkcs7-mime; smime-type=certs-only"

static bool write_certificate(const struct enroll_answer *a, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf p7 = BUF_INIT(PKCS7_CERTS_DER_MAX);
	CERT_LIST_AUTO struct cert_list one = CERT_LIST_INIT;

	if (a->format == COAP_FORMAT_PKIX_CERT)
		return est_body_write(cert_der(a->cert), a->wrapping, out, e);
	return cert_list_add(&one, a->cert, e) && pkcs7_certs_format(&one, &p7, e) &&
	       est_body_write(buf_bytes(&p7), a->wrapping, out, e);
}

/* The key is broken into lines whatever the client reads otherwise (EK-04). */
static bool write_key(const struct enroll_answer *a, struct buf *out, struct err *e)
{
	BUF_AUTO_WIPE struct buf der = BUF_INIT(KEY_DER_MAX);

	return key_format_pkcs8(a->key, &der, e) &&
	       est_body_write(buf_bytes(&der), a->wrapping == EST_BINARY ? EST_BINARY : EST_WRAPPED,
		       out, e);
}

/* RFC 7030 §4.4.2: two parts, the key and the certificate. */
static bool join_mixed(
	struct bytes key, struct bytes cert, struct buf *out, char *type, struct err *e)
{
	char boundary[EXCHANGE_ID_MAX + 1];

	if (!rng_exchange_id(boundary, e))
		return false;
	snprintf(type, ENROLL_ANSWER_TYPE_MAX, "multipart/mixed; boundary=%s", boundary);
	return buf_printf(out, e,
		       "--%s\r\nContent-Type: application/pkcs8\r\n"
		       "Content-Transfer-Encoding: base64\r\n\r\n",
		       boundary) &&
	       buf_append(out, key.data, key.len, e) &&
	       buf_printf(out, e,
		       "\r\n--%s\r\nContent-Type: " CERTS_ONLY "\r\n"
		       "Content-Transfer-Encoding: base64\r\n\r\n",
		       boundary) &&
	       buf_append(out, cert.data, cert.len, e) &&
	       buf_printf(out, e, "\r\n--%s--\r\n", boundary);
}

/* RFC 9148 §4.3, §4.8: a format and a part in turn. */
static bool join_core(const struct enroll_answer *a, struct bytes key, struct bytes cert,
	struct buf *out, char *type, struct err *e)
{
	const struct multipart_part parts[] = {
		{COAP_FORMAT_PKCS8, key},
		{(uint16_t)a->format, cert},
	};

	snprintf(type, ENROLL_ANSWER_TYPE_MAX, "%s", coap_format_media_type(COAP_FORMAT_MULTIPART));
	return multipart_core_put(out, parts, 2, e);
}

static bool write_both(const struct enroll_answer *a, struct buf *out, char *type, struct err *e)
{
	BUF_AUTO_WIPE struct buf key = BUF_INIT(2 * KEY_DER_MAX);
	BUF_AUTO struct buf cert = BUF_INIT(CERT_PART_MAX);

	if (!write_key(a, &key, e) || !write_certificate(a, &cert, e))
		return false;
	if (a->wrapping == EST_BINARY)
		return join_core(a, buf_bytes(&key), buf_bytes(&cert), out, type, e);
	return join_mixed(buf_bytes(&key), buf_bytes(&cert), out, type, e);
}

bool enroll_answer_write(const struct enroll_answer *a, struct buf *out,
	char type[ENROLL_ANSWER_TYPE_MAX], struct err *e)
{
	if (a->key)
		return write_both(a, out, type, e);
	snprintf(type, ENROLL_ANSWER_TYPE_MAX, "%s", coap_format_media_type(a->format));
	return write_certificate(a, out, e);
}
