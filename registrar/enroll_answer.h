/* SPDX-License-Identifier: Apache-2.0 */
/* What an enrolment is answered with, in the form its carrier has: base64 and multipart/mixed over
 * HTTPS (RFC 7030 §4.2.3, §4.4.2), DER and multipart-core over CoAP (RFC 9148 §4.3). No I/O. */
#ifndef REGISTRAR_ENROLL_ANSWER_H
#define REGISTRAR_ENROLL_ANSWER_H

#include "common/pki/cert.h"
#include "common/pki/key.h"
#include "registrar/est_body.h"

#define ENROLL_ANSWER_MAX      131072 /* one certificate and one key in base64 */
#define ENROLL_ANSWER_TYPE_MAX 128

struct enroll_answer {
	struct cert *cert;
	const struct key *key; /* made for the client; NULL: the certificate alone */
	enum est_wrapping wrapping;
	uint32_t format; /* of the certificate: COAP_FORMAT_PKCS7_CERTS or _PKIX_CERT */
};

/* Append the body, and write its media type into type. The body holds a private key when there is
 * one: the caller wipes it. */
bool enroll_answer_write(const struct enroll_answer *a, struct buf *out,
	char type[ENROLL_ANSWER_TYPE_MAX], struct err *e) MUST_CHECK;

#endif
