/* SPDX-License-Identifier: Apache-2.0 */
/* CoAP's Content-Format numbers and our media types, one table (RFC 7252 §12.3, RFC 9148 §9.1,
 * draft-ietf-anima-constrained-voucher §15.3), and the codes that HTTP's statuses become. */
#ifndef WIRE_COAP_FORMAT_H
#define WIRE_COAP_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#define COAP_FORMAT_NONE	 UINT32_MAX
#define COAP_FORMAT_TEXT	 0
#define COAP_FORMAT_COSE_SIGN1	 18
#define COAP_FORMAT_LINK	 40
#define COAP_FORMAT_JSON	 50
#define COAP_FORMAT_CBOR	 60
#define COAP_FORMAT_MULTIPART	 62
#define COAP_FORMAT_PKCS7_KEY	 280 /* smime-type=server-generated-key */
#define COAP_FORMAT_PKCS7_CERTS	 281 /* smime-type=certs-only */
#define COAP_FORMAT_PKCS8	 284
#define COAP_FORMAT_CSRATTRS	 285
#define COAP_FORMAT_PKCS10	 286
#define COAP_FORMAT_PKIX_CERT	 287
#define COAP_FORMAT_VOUCHER_COSE 836

/* NULL: a number we do not know. */
const char *coap_format_media_type(uint32_t format);
/* Parameters count where the table has them; a type without its parameter is what EST means by it
 * (application/pkcs7-mime: certs-only). NULL and what is unknown: COAP_FORMAT_NONE. */
uint32_t coap_format_number(const char *media_type);
/* enum coap_code for a status (rows 0.5): 200 is 2.05 for a GET and 2.04 for a POST, 202 is 5.03
 * (Retry-After becomes Max-Age), and back. */
uint8_t coap_code_from_status(int status, bool is_get);
int coap_code_to_status(uint8_t code, bool has_max_age);
/* "4.04" into out[5]. */
const char *coap_code_text(uint8_t code, char out[5]);

#endif
