/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of DNS as service discovery needs them (RFC 1035 §4.1, RFC 2782, RFC 3596, RFC 6762,
 * RFC 6763): questions are written and read, records are read. Anybody on the link sends such
 * octets. Nothing is allocated; a name's pointers only lead backwards, so they come to an end; a
 * message has at most DNS_RECORDS_MAX records.
 *
 *	struct dns_reader r;
 *	struct dns_record record;
 *	bool end;
 *	if (!dns_open(octets, &r, e))
 *		return false;
 *	while (dns_next_question(&r, &question, &end, e) && !end) ...
 *	while (dns_next_record(&r, &record, &end, e) && !end) ...
 */
#ifndef NET_DNS_MESSAGE_H
#define NET_DNS_MESSAGE_H

#include "common/base/buf.h"

#define DNS_MESSAGE_MAX	  9000 /* RFC 6762 §17 */
#define DNS_NAME_MAX	  255  /* octets, RFC 1035 §2.3.4 */
#define DNS_LABEL_MAX	  63
#define DNS_NAME_TEXT_MAX (4 * DNS_NAME_MAX)
#define DNS_QUESTIONS_MAX 32
#define DNS_RECORDS_MAX	  128 /* of all sections; an announcement of ours has five */

enum dns_type {
	DNS_A = 1,
	DNS_PTR = 12,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_ANY = 255,
};
#define DNS_CLASS_IN 1

#define DNS_FLAG_RESPONSE  0x8000
#define DNS_OPCODE_MASK	   0x7800
#define DNS_FLAG_TRUNCATED 0x0200
#define DNS_FLAG_RECURSE   0x0100 /* desired: asks a resolver */
#define DNS_RCODE_MASK	   0x000f

/* Labels as they travel, each after its length, the empty one last; no pointers. */
struct dns_name {
	uint8_t octets[DNS_NAME_MAX];
	size_t len;
};

/* From text, labels separated by dots, a dot at the end or none; no escapes: for names of services
 * and domains, not of instances. ERR_INPUT. */
bool dns_name_parse(const char *text, struct dns_name *out, struct err *e) MUST_CHECK;
/* For people: what is not printable, blanks and dots in labels are \DDD (RFC 1035 §5.1). Returns
 * out. */
const char *dns_name_format(const struct dns_name *n, char out[DNS_NAME_TEXT_MAX + 1]);
/* As DNS compares: ASCII letters of either case are the same. */
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b);
/* Does `of` have exactly one label more than domain: an instance of a service. */
bool dns_name_is_under(const struct dns_name *of, const struct dns_name *domain);

struct dns_head {
	uint16_t id;
	uint16_t flags;
	uint16_t counts[4]; /* questions, answers, authorities, additional ones */
};

struct dns_question {
	struct dns_name name;
	uint16_t type, class;
	bool unicast; /* mDNS: the asker would have the answer to itself (QU) */
};

struct dns_record {
	struct dns_name name;
	uint16_t type, class;
	bool flush; /* mDNS: replaces what was known */
	uint32_t ttl_s;
	struct bytes data;	/* as it stands, within the message */
	struct dns_name target; /* PTR, SRV */
	struct {
		uint16_t priority, weight, port;
	} srv;
};

struct dns_reader {
	struct bytes whole;
	size_t at;
	struct dns_head head;
	size_t questions_left, records_left;
};

/* ERR_INPUT: no DNS message; ERR_TOO_LARGE: more in it than anybody needs. */
bool dns_open(struct bytes message, struct dns_reader *out, struct err *e) MUST_CHECK;
bool dns_next_question(
	struct dns_reader *r, struct dns_question *out, bool *end, struct err *e) MUST_CHECK;
/* After the questions; those not read are passed over. A, AAAA: data has their length. TXT: data is
 * well formed for dns_txt_next(). */
bool dns_next_record(
	struct dns_reader *r, struct dns_record *out, bool *end, struct err *e) MUST_CHECK;
/* The next string of a TXT record; false when there is none left. Empty ones are passed over. */
bool dns_txt_next(struct bytes *left, struct bytes *out);

/* ---- asking ---- */

/* A message's head; `questions` of them follow. */
bool dns_put_query(
	struct buf *out, uint16_t id, uint16_t flags, size_t questions, struct err *e) MUST_CHECK;
bool dns_put_question(struct buf *out, const struct dns_question *q, struct err *e) MUST_CHECK;

#endif
