/* SPDX-License-Identifier: Apache-2.0 */
/* `brski-voucher inspect`: everything a voucher or voucher-request says, and whether it is true. */
#ifndef VOUCHER_INSPECT_H
#define VOUCHER_INSPECT_H

#include "common/message/voucher_format.h"
#include "common/pki/chain.h"
#include "common/wire/json.h"

#define INSPECT_DEPTH_MAX 3 /* a registrar's request holds a pledge's, which holds none */

/* What the caller wants it held against. Nothing is checked that was not asked for. */
struct inspect_wish {
	const struct cert_list *signers; /* who must have signed; NULL: whom the container names */
	struct anchors *anchors;	 /* NULL: the chain is not checked */
	bool has_at;
	int64_t at;	   /* the moment chain and expires-on are judged at */
	const char *nonce; /* NULL: any, or none */
	const char *serial;
};

/* Open the container and everything signed inside of it. On true, *report is the JSON (json_decref)
 * and why the first reason against it, why->kind ERR_NONE when it is valid. False: not readable. */
bool inspect(struct bytes octets, const struct voucher_format *format,
	const struct inspect_wish *wish, json_t **report, struct err *why,
	struct err *e) MUST_CHECK;

#endif
