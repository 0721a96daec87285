/* SPDX-License-Identifier: Apache-2.0 */
/* Events for others: each is a line of the journal, told as a CloudEvent 1.0. There is one table
 * from (step, outcome) to the type of the event, brski.NOUN.PAST; who wants a new event writes a
 * line and adds a row. A name that is told once stays: programs of others hang on it. */
#ifndef REGISTRAR_NOTIFY_EVENT_H
#define REGISTRAR_NOTIFY_EVENT_H

#include "common/wire/json.h"
#include "registrar/records/records.h"

#define EVENT_TYPE_MAX	 95
#define EVENT_TYPES_MAX	 512 /* of a list of patterns */
#define EVENT_SOURCE_MAX 320
#define EVENT_PREFIX	 "brski."

struct event_row {
	const char *step;
	const char *outcome; /* NULL: any that has no row, which is the kind of an error */
	const char *type;
	bool inner; /* about the administration itself: for auditors */
};
extern const struct event_row event_rows[];
extern const size_t event_row_count;

/* The row, or NULL: nobody told the table of this one. */
const struct event_row *event_row_of(const char *step, const char *outcome);
/* Its type; of one without a row brski.STEP.OUTCOME. */
void event_type(const char *step, const char *outcome, char out[EVENT_TYPE_MAX + 1]);

/* A list of patterns "claim.*,device.enrolled": a type with or without its prefix, '*' at the end
 * only, and each matches some type of the table. ERR_INPUT. */
bool event_types_check(const char *types, struct err *e) MUST_CHECK;
/* NULL or "": all match. */
bool event_types_have(const char *types, const char *type);

/* A new CloudEvent; NULL without memory. */
json_t *event_json(const struct journal_line *line, const char *source);
/* Where our events come from: "//HOST/brski-registrar". */
void event_source(char out[EVENT_SOURCE_MAX + 1]);

#endif
