/* SPDX-License-Identifier: Apache-2.0 */
/* Where this device may join: every place it was told or has found, what happened there, and in
 * which order they are tried (RFC 8995 §4.1; draft-ietf-anima-brski-discovery §3.2.1). The set
 * lives as long as the process, so that a place that failed is known to have failed; none is ever
 * refused for good.
 *
 * Found places are strangers' words. However many a flood of liars sends, there are
 * CANDIDATES_FOUND_MAX of them; one sender has a few, no source takes the room of another, and a
 * newcomer only takes the place of one that has failed. Whose place was given away is remembered:
 * he does not come back as one who never failed. */
#ifndef PLEDGE_CANDIDATES_H
#define PLEDGE_CANDIDATES_H

#include <stdint.h>

#include "common/net/address.h"
#include "common/wire/uri.h"
#include "pledge/limits.h"

enum candidate_source { /* configured ones are tried first, the cloud's last */
	CANDIDATE_CONFIG,
	CANDIDATE_MDNS,
	CANDIDATE_DNS_SD, /* by unicast */
	CANDIDATE_GRASP,
	CANDIDATE_CORE, /* CoAP's link-format */
	CANDIDATE_CLOUD,
	CANDIDATE_SOURCE_COUNT
};

#define CANDIDATE_VARIATION_MAX 31

struct candidate {
	/* what was said */
	struct uri uri;
	enum candidate_source source;
	bool proxy;		   /* a join proxy's, as far as it says */
	unsigned priority, weight; /* as of an SRV record (RFC 2782); configured: the order */
	unsigned preference;	   /* of what it speaks; 0 is what we like best */
	char variation[CANDIDATE_VARIATION_MAX + 1]; /* "" is the usual one */
	uint8_t sender[ADDRESS_KEY_LEN];	     /* who said so */
	bool own;				     /* of himself: this is his address */
	/* what happened */
	bool held;		    /* it is being tried: its place is not given away */
	unsigned failures;	    /* since it last worked */
	bool tried;		    /* in this round, in vain */
	bool was_tried;		    /* ever: the failures are its own */
	int64_t penalised_until_ms; /* not tried before; 0: at any time */
	int64_t latency_ms;	    /* of the last connection; 0: none yet */
};

/* Who had a place that failed and was given away. */
struct candidate_memory {
	uint8_t sender[ADDRESS_KEY_LEN];
	unsigned failures; /* 0: free */
};

struct candidates {
	struct candidate all[CANDIDATES_MAX];
	size_t count;
	struct candidate_memory gone[CANDIDATES_GONE_MAX];
	bool turned_away; /* for want of room: somebody who never failed, as far as we know */
	uint32_t (*draw)(uint32_t below); /* rng_below */
};

void candidates_init(struct candidates *s, uint32_t (*draw)(uint32_t below));

/* One with nothing known but where it is. */
struct candidate candidate_of(const struct uri *uri, enum candidate_source source);
/* "config", "mdns", "dns-sd", "grasp", "core", "cloud". */
const char *candidate_source_name(enum candidate_source source);

/* Add it, or renew what is said of one that is there; what happened stays known. True when it was
 * not there before: somebody new to try. False, too, when there is no room for it. */
bool candidates_add(struct candidates *s, const struct candidate *c);
/* The configured ones are these, in this order. */
void candidates_set_configured(struct candidates *s, const struct uri *uris, size_t count);

/* Those that may be tried now and were not yet in this round, the best first: configured ones in
 * their order; found ones by failures, what they speak, priority, latency, and of equal ones by
 * chance and weight; the cloud's. The pointers hold until the set is changed. Returns how many. */
size_t candidates_rank(struct candidates *s, int64_t now_ms, struct candidate *out[CANDIDATES_MAX]);
/* When the first of those that are left alone may be tried again; INT64_MAX: there is none such. */
int64_t candidates_next_ms(const struct candidates *s, int64_t now_ms);

/* Each may be tried once more. */
void candidates_begin_round(struct candidates *s);
/* It worked; it did not, and is left alone for the round and until then. */
void candidate_worked(struct candidate *c);
void candidate_failed(struct candidate *c, int64_t until_ms);
/* The link came up: whoever could not be reached before may be there now. */
void candidates_forgive(struct candidates *s);

#endif
