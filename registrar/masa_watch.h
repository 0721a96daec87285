/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the manufacturers' MASAs can be reached, as what is asked of them shows: a line in the
 * journal when that changes, not one for each device that suffers. One that comes and goes is said
 * to be gone once a minute at most. Any thread. */
#ifndef REGISTRAR_MASA_WATCH_H
#define REGISTRAR_MASA_WATCH_H

#include "registrar/limits.h"
#include "registrar/records/records.h"

struct masa_watch;

struct masa_watch *masa_watch_new(struct err *e) MUST_CHECK;
void masa_watch_free(struct masa_watch *w);

enum masa_change { MASA_AS_BEFORE, MASA_UNREACHABLE, MASA_RECOVERED };
/* What was asked of this manufacturer's MASA was answered, whatever it said, or nothing that could
 * be trusted came back. *for_ms: MASA_RECOVERED: how long it was gone. */
enum masa_change masa_watch_note(struct masa_watch *w, const char *manufacturer, bool answered,
	int64_t now_ms, int64_t *for_ms);
/* What is known of one; not asked: nothing yet. */
enum masa_state { MASA_NOT_ASKED, MASA_UP, MASA_GONE };
enum masa_state masa_watch_state(struct masa_watch *w, const char *manufacturer);
/* How many manufacturers' are gone now. */
size_t masa_watch_gone(struct masa_watch *w);

struct registrar;
/* Note it, and write the line when it changed. failure: NULL when there was an answer. */
void masa_watch_tell(struct registrar *r, struct loop *l, const char *manufacturer,
	const char *exchange, const struct err *failure);

#endif
