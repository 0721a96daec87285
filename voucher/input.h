/* SPDX-License-Identifier: Apache-2.0 */
/* A voucher as people have it on disk: binary (DER, CBOR), base64 or hexadecimal of that, or PEM.
 */
#ifndef VOUCHER_INPUT_H
#define VOUCHER_INPUT_H

#include "common/message/voucher_format.h"

/* Octets of an input file: base64 of the largest container with its line breaks, and some. */
#define INPUT_MAX 131072

/* Read the file ("-": standard input) and append its binary form to out. *format is the container
 * it is in. ERR_IO, ERR_TOO_LARGE; ERR_INPUT when it is nothing we know; ERR_UNSUPPORTED_TYPE when
 * it is known but cannot be opened by this build. */
bool input_load(const char *path, struct buf *out, const struct voucher_format **format,
	struct err *e) MUST_CHECK;
/* The same for octets that are there already, e.g. a request inside a request. */
bool input_decode(struct bytes text, struct buf *out, const struct voucher_format **format,
	struct err *e) MUST_CHECK;

/* Certificates of a file, PEM (any number) or DER (one). */
bool input_load_certs(const char *path, struct cert_list *out, struct err *e) MUST_CHECK;

#endif
