/* SPDX-License-Identifier: Apache-2.0 */
/* What comes from the link by mDNS, or from a resolver: reading ends, names are names, what is kept
 * lies within the message, and a question that is written again reads the same. */
#include "common/net/dns_message.h"
#include "tests/fuzz/fuzz.h"

static void require_name(const struct dns_name *n)
{
	char text[DNS_NAME_TEXT_MAX + 1];
	size_t at = 0;

	FUZZ_REQUIRE(n->len >= 1 && n->len <= DNS_NAME_MAX);
	while (n->octets[at]) {
		FUZZ_REQUIRE(n->octets[at] <= DNS_LABEL_MAX);
		at += 1u + n->octets[at];
		FUZZ_REQUIRE(at < n->len);
	}
	FUZZ_REQUIRE(at == n->len - 1);
	FUZZ_REQUIRE(dns_name_equal(n, n));
	dns_name_format(n, text);
}

static void check_question(const struct dns_question *q)
{
	BUF_AUTO struct buf out = BUF_INIT(1024);
	struct dns_reader r;
	struct dns_question again;
	struct err e = ERR_INIT;
	bool end;

	require_name(&q->name);
	FUZZ_REQUIRE(dns_put_query(&out, 1, 0, 1, &e) && dns_put_question(&out, q, &e));
	FUZZ_REQUIRE(dns_open(buf_bytes(&out), &r, &e));
	FUZZ_REQUIRE(dns_next_question(&r, &again, &end, &e) && !end);
	FUZZ_REQUIRE(dns_name_equal(&q->name, &again.name) && q->type == again.type &&
		     q->class == again.class && q->unicast == again.unicast);
}

static void check_record(const struct dns_record *record, struct bytes whole)
{
	struct bytes left = record->data, string;

	require_name(&record->name);
	FUZZ_REQUIRE(record->data.data >= whole.data &&
		     record->data.data + record->data.len <= whole.data + whole.len);
	if (record->type == DNS_PTR || record->type == DNS_SRV)
		require_name(&record->target);
	while (record->type == DNS_TXT && dns_txt_next(&left, &string))
		FUZZ_REQUIRE(string.data + string.len <= whole.data + whole.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes whole = bytes_of(data, len);
	struct dns_reader r;
	struct dns_question q;
	struct dns_record record;
	struct err e = ERR_INIT;
	bool end = false, ok = dns_open(whole, &r, &e);
	int n = 0;

	while (ok && !end && (ok = dns_next_question(&r, &q, &end, &e)) && !end)
		check_question(&q);
	for (end = false; ok && !end; n++)
		if ((ok = dns_next_record(&r, &record, &end, &e)) && !end)
			check_record(&record, whole);
	FUZZ_REQUIRE(n <= DNS_RECORDS_MAX + 1);
	fuzz_check_promises(ok, &e);
	return 0;
}
