/* SPDX-License-Identifier: Apache-2.0 */
/* Which claims or devices are meant, as a person writes it:
 *
 *   manufacturer=acme,model=gw-*,serial=A-1*,from=10.8.0.0/16,site=/eu,state=pending,
 *   older-than=1h,signal=second-key,label.rack=4
 *
 * A comma is "and"; a '*' at the end of a value is any rest; site means everything below it as
 * well; older-than is the time since a device was first seen, or approved before it was;
 * signal is a signal of fraud, or any. One
 * language for lists, bulk decisions and the command line. */
#ifndef REGISTRAR_ADMIN_MATCH_H
#define REGISTRAR_ADMIN_MATCH_H

#include "registrar/records/records.h"
#include "registrar/rules.h"

#define MATCH_LEN_MAX	 1024 /* octets: each key once, with the longest serials in use */
#define MATCH_LABELS_MAX 16   /* a device has no more */

enum match_of { MATCH_CLAIMS, MATCH_DEVICES }; /* whose states there are */

struct match_text {
	const char *value; /* without the '*'; NULL: anything matches */
	size_t len;
	bool prefix;
};
struct match_label {
	const char *name;
	struct match_text text;
};
struct match {
	char *written; /* owned: what all values are in */
	struct match_text manufacturer, model, serial;
	bool has_from;
	struct network from;
	const char *site;  /* NULL: anywhere */
	const char *state; /* a name of its kind; NULL: any */
	int64_t older_than_s;
	int64_t marks; /* any of these bits; 0: whatever it bears */
	struct match_label labels[MATCH_LABELS_MAX];
	size_t label_count;
};
#define MATCH_AUTO __attribute__((cleanup(match_clear)))
void match_clear(struct match *m);

/* ERR_INPUT or ERR_TOO_LARGE, with the sentence that says what is wrong with it. */
bool match_parse(const char *text, enum match_of of, struct match *out, struct err *e) MUST_CHECK;
/* Is the row meant? state: what its list calls it at the moment now. No I/O. */
bool match_has(const struct match *m, const struct claim_row *row, const char *state, int64_t now);

#endif
