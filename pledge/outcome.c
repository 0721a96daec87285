/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/outcome.h"

/* weight: which of several outcomes is reported. "Refused by every registrar" and "none reachable"
 * are only true when nothing else happened, so they weigh least. */
static const struct {
	int exit_code;
	int weight;
	const char *advice;
} table[OUTCOME_COUNT] = {
	[OUTCOME_NONE] = {1, 0, "run 'brski-pledge join' again"},
	[OUTCOME_DONE] = {0, 0, "nothing is left to do"},
	[OUTCOME_UNREACHABLE] = {4, 1,
		"check the cable, the addresses under [registrars] and that the registrar runs"},
	[OUTCOME_STRANGER] = {4, 2,
		"what answers at that address is no registrar: look for a captive portal, another "
		"web server or a name server that answers wrongly"},
	[OUTCOME_REFUSED] = {3, 3,
		"ask the site's administrator to admit this serial number, then run "
		"'brski-pledge join' again"},
	[OUTCOME_BUSY] = {1, 4,
		"the registrar has a problem; look at its log, then run 'brski-pledge join' again"},
	[OUTCOME_FAILED] = {1, 5,
		"look at the registrar's log for why it issued no usable certificate"},
	[OUTCOME_PENDING] = {6, 6,
		"ask the site's administrator to decide on this serial number, then run "
		"'brski-pledge join' again"},
	[OUTCOME_VOUCHER] = {5, 7,
		"check that masa_anchors is this manufacturer's (over CoAPS the MASA's signer "
		"itself), that the clock is right or trusted_clock = no, and ask the manufacturer "
		"whether this device belongs to this site"},
	[OUTCOME_LOCAL] = {1, 8, "mend what the message names on this device and try again"},
};

int outcome_exit_code(enum outcome o)
{
	return table[o].exit_code;
}

const char *outcome_advice(enum outcome o)
{
	return table[o].advice;
}

enum outcome outcome_worse(enum outcome a, enum outcome b)
{
	return table[b].weight > table[a].weight ? b : a;
}

enum outcome outcome_of(const struct err *e, enum outcome otherwise)
{
	bool own = e->kind == ERR_NO_MEMORY || e->kind == ERR_IO || e->kind == ERR_STORE ||
		   e->kind == ERR_BUG;

	return own ? OUTCOME_LOCAL : otherwise;
}
