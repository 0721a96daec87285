/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge voucher-request (RFC 8995 §3.4, §5.2): made once per attempt, kept as octets, sent
 * again unchanged after a 202. */
#ifndef PLEDGE_REQUEST_H
#define PLEDGE_REQUEST_H

#include "common/pki/identity.h"
#include "pledge/pin.h"
#include "pledge/state.h"

struct request_input { /* all borrowed */
	const struct identity *idevid;
	const char *serial_number;
	const char *media_type;	   /* of a voucher_format */
	enum pin_form proximity;   /* how the server is named */
	const struct cert *server; /* first certificate of the handshake */
	bool trusted_clock;
	int64_t now_unix_s;
};
/* A fresh nonce and the signed octets, into out's nonce, request and server_cert. */
bool request_make(const struct request_input *in, struct pending *out, struct err *e) MUST_CHECK;

#endif
