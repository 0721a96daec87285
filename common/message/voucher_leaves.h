/* SPDX-License-Identifier: Apache-2.0 */
/* The leaves of a voucher and a voucher-request as one table, which both encodings read and write
 * by: voucher.c JSON by the names, voucher_cbor.c CBOR by the SIDs (rfc8366bis §5, §9). */
#ifndef MESSAGE_VOUCHER_LEAVES_H
#define MESSAGE_VOUCHER_LEAVES_H

#include "common/message/voucher.h"

enum voucher_leaf_type {
	LEAF_DATE,	/* RFC 3339 */
	LEAF_ASSERTION, /* one of the names, or their number */
	LEAF_SERIAL,	/* the one mandatory leaf */
	LEAF_STRING,	/* kept as it stood */
	LEAF_NONCE,	/* JSON: the string as it stood; CBOR: octets, kept as their base64 */
	LEAF_FLAG,	/* boolean */
	LEAF_BINARY,	/* octets */
	LEAF_ISSUER,	/* octets; in a JSON request also what is no base64, as it stood */
	LEAF_CERT,	/* octets: exactly one DER element */
};

struct voucher_leaf {
	const char *name;
	const char *alias; /* the name rfc8366bis has in its prose (T-29), or NULL */
	enum voucher_leaf_type type;
	uint16_t sid[2]; /* by enum voucher_kind; 0: the leaf does not belong to that kind */
	size_t offset;
	size_t has_offset; /* dates only */
};
/* In the order JSON is written. */
extern const struct voucher_leaf voucher_leaves[];
extern const size_t voucher_leaf_count;

/* The names of the two containers, and their SIDs, from which the leaves' are counted. */
extern const char *const voucher_containers[2];
extern const uint16_t voucher_container_sids[2];

/* Of those that belong to the kind; NULL for others, which are unknown members there. */
const struct voucher_leaf *voucher_leaf_by_name(const char *name, enum voucher_kind kind);
const struct voucher_leaf *voucher_leaf_by_sid(uint64_t sid, enum voucher_kind kind);

void *voucher_leaf_at(const struct voucher_leaf *l, struct voucher *v);
const void *voucher_leaf_of(const struct voucher_leaf *l, const struct voucher *v);
bool voucher_leaf_present(const struct voucher_leaf *l, const struct voucher *v);

/* What is judged of a value whatever the encoding. ERR_INPUT. */
bool voucher_leaf_check_serial(const char *text, struct err *e) MUST_CHECK;
bool voucher_leaf_check_cert(const struct buf *der, struct err *e) MUST_CHECK;
/* Name the leaf in the error, for the log and for the peer. Always returns false. */
bool voucher_leaf_refuse(const struct voucher_leaf *l, struct err *e);
bool voucher_leaf_serial_missing(struct err *e);

#endif
