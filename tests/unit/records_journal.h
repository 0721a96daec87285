/* SPDX-License-Identifier: Apache-2.0 */
/* The journal in a test's store: how many lines it has, and that they are one chain. */
#ifndef TESTS_UNIT_RECORDS_JOURNAL_H
#define TESTS_UNIT_RECORDS_JOURNAL_H

#include "tests/unit/records_fixture.h"

static inline bool count_line(void *arg, const struct journal_line *line, struct err *e)
{
	int *lines = arg;

	++*lines;
	assert_string_equal(line->entry.device.serial, "SN-1");
	assert_string_equal(line->entry.exchange, "x-1");
	return true;
}

static inline int journal_lines(struct fixture *f)
{
	struct err e = ERR_INIT;
	int lines = 0;

	assert_true(records_read_journal(f->store, "SN-1", 100, count_line, &lines, &e));
	return lines;
}

struct chain {
	uint8_t hash[SHA256_LEN];
	int64_t first, last;
};

static inline struct bytes field(const char *s)
{
	return s ? bytes_of_str(s) : (struct bytes){0};
}

/* The hash of the line over `c`, from the fields that records.h names. */
static inline bool follow(void *arg, const struct journal_line *line, struct err *e)
{
	const struct journal_entry *j = &line->entry;
	struct chain *c = arg;
	char sequence[24], at[24];
	struct bytes fields[9];

	snprintf(sequence, sizeof(sequence), "%lld", (long long)line->sequence);
	snprintf(at, sizeof(at), "%lld", (long long)j->at);
	memcpy(fields,
		(struct bytes[]){field(sequence), field(at), field(j->exchange),
			field(j->device.manufacturer), field(j->device.serial), field(j->actor),
			field(j->step), field(j->outcome), field(j->reason)},
		sizeof(fields));
	assert_true(hash_chain_next(c->hash, fields, 9, c->hash, e));
	assert_non_null(line->hash);
	assert_memory_equal(line->hash, c->hash, SHA256_LEN);
	assert_true(c->last == 0 || line->sequence == c->last + 1);
	c->first = c->first ? c->first : line->sequence;
	c->last = line->sequence;
	return true;
}

static inline struct chain read_chain(struct fixture *f, const uint8_t *begin)
{
	struct chain c = {.first = 0};
	struct err e = ERR_INIT;

	if (begin)
		memcpy(c.hash, begin, SHA256_LEN);
	assert_true(records_list_journal(f->store, 0, 1000, follow, &c, &e));
	return c;
}

#endif
