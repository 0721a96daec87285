/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/request.h"

#include <stdio.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/message/voucher_format.h"
#include "common/wire/base64.h"
#include "pledge/limits.h"

/* Distinct per attempt and per registrar, also over restarts: from the kernel (R8995-PLG-009). */
static bool fresh_nonce(char *out, size_t size, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(VOUCHER_NONCE_MAX * 2);
	uint8_t octets[NONCE_LEN];

	if (!rng_bytes(octets, sizeof(octets), e) ||
		!base64_encode(bytes_of(octets, sizeof(octets)), &text, e))
		return false;
	snprintf(out, size, "%s", buf_str(&text));
	return true;
}

static bool fill_in(
	const struct request_input *in, const char *nonce, struct voucher *v, struct err *e)
{
	v->assertion = ASSERTION_PROXIMITY;
	v->has_created_on = in->trusted_clock;
	v->created_on = in->now_unix_s;
	v->serial_number = str_dup(in->serial_number, e);
	v->nonce = v->serial_number ? str_dup(nonce, e) : NULL;
	return v->nonce && pin_put_proximity(in->proximity, in->server, v, e);
}

bool request_make(const struct request_input *in, struct pending *out, struct err *e)
{
	const struct voucher_format *format = voucher_format_by_media_type(in->media_type);
	struct bytes server = cert_der(in->server);
	VOUCHER_AUTO struct voucher v;

	voucher_init(&v, VOUCHER_REQUEST);
	pending_clear(out);
	return fresh_nonce(out->nonce, sizeof(out->nonce), e) && fill_in(in, out->nonce, &v, e) &&
	       format->seal(&v, in->idevid, &in->idevid->chain, in->now_unix_s, &out->request, e) &&
	       buf_append(&out->server_cert, server.data, server.len, e);
}
