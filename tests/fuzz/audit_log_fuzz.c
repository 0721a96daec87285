/* SPDX-License-Identifier: Apache-2.0 */
/* A MASA's audit log: the liberal reader's result, written strictly, reads the same. */
#include <string.h>

#include "common/message/audit_log.h"
#include "tests/fuzz/fuzz.h"

static void check_same_event(const struct audit_event *a, const struct audit_event *b)
{
	FUZZ_REQUIRE(a->date == b->date);
	FUZZ_REQUIRE(a->truncated == b->truncated);
	FUZZ_REQUIRE(strcmp(a->domain_id, b->domain_id) == 0);
	FUZZ_REQUIRE(!a->nonce == !b->nonce && (!a->nonce || strcmp(a->nonce, b->nonce) == 0));
}

/* As the MASA makes one, event by event. */
static void check_copy(const struct audit_log *l)
{
	AUDIT_LOG_AUTO struct audit_log copy = {.version = 1};
	struct err e = ERR_INIT;

	for (size_t i = 0; i < l->event_count; i++)
		FUZZ_REQUIRE(audit_log_add(&copy, &l->events[i], &e));
	FUZZ_REQUIRE(copy.event_count == l->event_count);
}

static void check_round_trip(const struct audit_log *l)
{
	AUDIT_LOG_AUTO struct audit_log again = {.version = 0};
	BUF_AUTO struct buf text = BUF_INIT(4 * AUDIT_LOG_MAX);
	struct err e = ERR_INIT;

	if (!audit_log_format(l, &text, &e)) { /* a date before 1970 */
		FUZZ_REQUIRE(e.text[0]);
		return;
	}
	if (text.len > AUDIT_LOG_MAX)
		return;
	FUZZ_REQUIRE(audit_log_parse(buf_bytes(&text), &again, &e));
	FUZZ_REQUIRE(again.event_count == l->event_count);
	for (size_t i = 0; i < l->event_count; i++)
		check_same_event(&l->events[i], &again.events[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	AUDIT_LOG_AUTO struct audit_log l = {.version = 0};
	struct err e = ERR_INIT;
	bool ok = audit_log_parse(bytes_of(data, len), &l, &e);

	fuzz_check_promises(ok, &e);
	if (!ok)
		return 0;
	FUZZ_REQUIRE(l.event_count <= AUDIT_LOG_EVENTS_MAX);
	check_round_trip(&l);
	check_copy(&l);
	return 0;
}
