/* SPDX-License-Identifier: Apache-2.0 */
/* Everything the device keeps, under one directory:
 *
 *   lock          held while a command runs
 *   additional-configuration  what a voucher's additional-configuration-url gave; kept, not used
 *   pending       the voucher-request a registrar has answered with "not yet" (202)
 *   enrolled.N/   ldevid.key ldevid.crt cacerts.crt voucher.vcj|vch info [report-due]
 *   current       symbolic link to the enrolled.N that counts
 *
 * A new enrolment grows in enrolled.N+1: first its key, then the CSR, last everything else. It
 * counts from the moment one rename turns `current` to it, and not before. A power cut at any
 * instant leaves either the old enrolment or the new one, and a key and CSR that were already shown
 * to a registrar are used again.
 */
#ifndef PLEDGE_STATE_H
#define PLEDGE_STATE_H

#include "common/message/voucher.h"
#include "common/pki/identity.h"
#include "common/wire/coap_message.h"
#include "common/wire/uri.h"
#include "pledge/pending.h"

/* Which version of the CA certificates we have, as the server calls it; len 0: it did not say. */
struct etag {
	uint8_t octets[COAP_ETAG_MAX];
	size_t len;
};

struct state;

/* Make the directory if need be, take the lock, remove what a crash left behind.
 * ERR_CONFLICT: another brski-pledge is at work. */
struct state *state_open(const char *dir, struct err *e) MUST_CHECK;
void state_close(struct state *s);
void state_unref(struct state **s);

/* ---- the enrolment that counts ---- */

/* Is there one under dir, and which registrar did it come from (out)? Takes no lock and reads no
 * secret, for who only wants to know. ERR_IO, ERR_STORE. */
bool state_peek(
	const char *dir, bool *enrolled, char registrar[STATE_URL_MAX], struct err *e) MUST_CHECK;

struct enrolment {
	struct identity ldevid;
	struct cert_list cacerts; /* what the site gave as its CAs, and the pinned certificate */
	struct etag cacerts_etag;
	int64_t cacerts_asked_unix_s; /* when they were asked for; 0: not by themselves yet */
	struct buf voucher;	      /* octets as received */
	bool voucher_is_cose;
	char registrar[STATE_URL_MAX]; /* https://host:port or coaps://host:port it came from */
	bool report_due;	       /* the registrar has not heard of the success yet */
};
void enrolment_init(struct enrolment *n);
void enrolment_clear(struct enrolment *n);
#define ENROLMENT_AUTO __attribute__((cleanup(enrolment_clear)))

bool state_is_enrolled(const struct state *s);
/* ERR_STORE: something is missing or damaged that the device needs; without the voucher or the
 * registrar's address, which are empty then, it still is one of its site. */
bool state_load_enrolment(const struct state *s, struct enrolment *out, struct err *e) MUST_CHECK;
/* The registrar has been told. */
bool state_report_done(struct state *s, struct err *e) MUST_CHECK;
/* The site has told its CA certificates anew, at asked_unix_s. */
bool state_update_cacerts(struct state *s, const struct cert_list *certs, const struct etag *etag,
	int64_t asked_unix_s, struct err *e) MUST_CHECK;
/* Where the files are, for people: DIR/current. */
const char *state_current_path(const struct state *s);

/* ---- the enrolment that is being made ---- */

/* The key for the next certificate: the one a crash interrupted, or a new one, durable before it is
 * returned. */
struct key *state_next_key(struct state *s, const char *key_type, struct err *e) MUST_CHECK;
/* The key that a registrar made for us takes the place of that one, for the certificate installed
 * next and for no other. */
bool state_put_next_key(struct state *s, const struct key *key, struct err *e) MUST_CHECK;
/* The CSR already made for it; *exists says whether there is one. */
bool state_next_csr(struct state *s, struct buf *out, bool *exists, struct err *e) MUST_CHECK;
bool state_save_next_csr(struct state *s, struct bytes der, struct err *e) MUST_CHECK;

struct state_install { /* all borrowed; the key is the next one */
	const struct cert *ldevid;
	const struct cert_list *chain; /* issuers to send along */
	const struct cert_list *cacerts;
	const struct etag *cacerts_etag; /* may be NULL */
	int64_t cacerts_asked_unix_s;	 /* 0: not asked for by themselves */
	struct bytes voucher;
	bool voucher_is_cose;
	const char *registrar;
	bool report_due;
};
/* Make the next enrolment the one that counts. */
bool state_install(struct state *s, const struct state_install *in, struct err *e) MUST_CHECK;

/* ---- a request that was answered "not yet" ---- */

/* A file that is not whole, by the digest at its end, is dropped: the request is made anew. */
bool state_load_pending(
	struct state *s, struct pending *out, bool *exists, struct err *e) MUST_CHECK;
bool state_save_pending(struct state *s, const struct pending *p, struct err *e) MUST_CHECK;
bool state_drop_pending(struct state *s, struct err *e) MUST_CHECK;

/* ---- additional configuration ---- */

/* Keep it in DIR/additional-configuration, in place of what was there. */
bool state_save_configuration(struct state *s, struct bytes octets, struct err *e) MUST_CHECK;

/* ---- factory reset ---- */

/* Remove all of the above, `current` first; nothing else in the directory is touched. */
bool state_reset(struct state *s, struct err *e) MUST_CHECK;

#endif
