/* SPDX-License-Identifier: Apache-2.0 */
/* One run of the protocol with one registrar: the session, what was learnt on it so far, and how an
 * answer counts. The steps in join.c and renew.c fill it in one after the other. */
#ifndef PLEDGE_EXCHANGE_H
#define PLEDGE_EXCHANGE_H

#include "common/base/rng.h"
#include "common/net/session.h"
#include "common/pki/digest.h"
#include "pledge/accept.h"
#include "pledge/dialect.h"
#include "pledge/outcome.h"
#include "pledge/pledge.h"
#include "pledge/retry.h"

/* Whom we talk to, and how it is known. */
struct exchange_side {
	struct session *session;
	struct uri server;
	struct anchors *anchors; /* owned */
	enum server_name named;
	bool else_provisional, verified;
	struct cert_list chain;
};

/* The way from the manufacturer's cloud registrar to the owner; see cloud.h. */
struct cloud_walk {
	bool begun;	     /* this exchange starts at the cloud registrar */
	bool looped;	     /* it was sent to where it had been */
	unsigned claim_asks; /* so often it was told that nobody has claimed it */
	size_t visited_count;
	uint8_t visited[CLOUD_PLACES_MAX][SHA256_LEN];
	struct exchange_side est; /* the server that the voucher names, until it is x's own */
};

struct exchange {
	struct pledge *pledge;
	char id[EXCHANGE_ID_MAX + 1];
	const struct candidate *candidate;   /* borrowed */
	const struct uri *registrar;	     /* its URI */
	struct uri server;		     /* whom we talk to: another after a redirect */
	char request_path[URI_PATH_MAX + 1]; /* of requestvoucher: another after a redirect */
	const struct identity *identity;     /* IDevID; LDevID when renewing */
	bool renews;
	bool of_cloud; /* the server is one of the manufacturer's cloud registrars */
	struct anchors *server_anchors; /* owned; NULL: the server is provisional or the one of the
					   voucher */
	enum server_name server_named;	/* beside the anchors' word */
	bool server_else_provisional;	/* where the anchors do not know it */
	bool server_verified;		/* they knew the one we talk to */
	struct cloud_walk cloud;
	struct session *session;
	/* Is there somebody else to try? NULL: that does not matter, this one is waited for. */
	bool (*others_wait)(const void *arg);
	const void *others_arg;
	int connected;	     /* a TCP connection to the candidate, for the first session; or -1 */
	bool waited_on;	     /* nothing was sent on the session since a 202 was waited out */
	unsigned sessions;   /* how many there were: a number for the current one */
	int64_t deadline_ms; /* on a lossy link: until when a lost session is opened again */
	struct cert_list server_chain; /* kept from the first handshake, judged by the voucher */
	/* request and voucher */
	struct pending ask; /* the voucher-request and what belongs to it */
	bool resumed;	    /* ask comes from before a restart */
	unsigned same_origin_redirects, other_origin_redirects;
	struct buf voucher;
	char voucher_type[128];
	struct accepted accepted;
	/* enrolment */
	struct cert_list cacerts; /* what the site's CAs are, as far as we were told */
	struct anchors *domain_anchors;
	struct etag cacerts_etag;
	int64_t cacerts_asked_unix_s; /* when the site told them; 0: it did not yet */
	struct csrattrs csrattrs;
	struct cert *ldevid;
	struct cert_list ldevid_chain;
	/* waiting and ending */
	int64_t waited_s;      /* with 202, before a restart too; no clock that could jump */
	bool remembered;       /* the request is on disk */
	int64_t retry_after_s; /* it asks for so much time before the next request; 0: for none */
	enum setback setback;  /* set by whoever knows; SETBACK_NONE leaves it to the step */
};

void exchange_init(struct exchange *x, struct pledge *p, const struct candidate *c);
void exchange_clear(struct exchange *x);
#define EXCHANGE_AUTO __attribute__((cleanup(exchange_clear)))

/* Connect (again). Provisional unless server_anchors is set; once a certificate of the server is
 * kept, it must show that one again (RFC 8995 §5, §5.6). */
bool exchange_open(struct exchange *x, struct err *e) MUST_CHECK;
/* "connect: https://h:443 VERB <subject>REST", once it is open. */
void exchange_say_server(const struct exchange *x, const char *verb, const char *rest);

/* The same when the last session was lost: on a lossy link as long as time is left. */
bool exchange_reopen(struct exchange *x, struct err *e) MUST_CHECK;

/* How long one who has not proved anything yet may take for an answer: while there are others, less
 * than any, and longer each time. */
int64_t exchange_patience_ms(const struct exchange *x);

/* Send one request on the session; any status is fine. */
bool exchange_send(struct exchange *x, const struct session_request *rq,
	struct session_reply *reply, struct err *e) MUST_CHECK;

/* After a failed exchange_send(): may the same octets be sent again? Over HTTPS only when the
 * connection died while we waited on it after a 202; on a lossy link as long as time is left
 * (RFC 8995 §5, row D-12: the same certificates on both sides). There is a new session then. */
bool exchange_recover(struct exchange *x, struct err *e) MUST_CHECK;

/* Send it until there is an answer, whatever it says, or no session to get one on. */
bool exchange_ask(struct exchange *x, const struct session_request *rq, struct session_reply *reply,
	struct err *e) MUST_CHECK;

/* After a 202: wait as long as it asks, with a session to send on afterwards; false when
 * pending_max has passed or the server cannot be reached again. `what` is the step's name for the
 * line. */
bool exchange_wait(struct exchange *x, const char *what, const struct session_reply *reply,
	struct err *e) MUST_CHECK;

/* Say what a status other than the wanted one means, or a 200 that is a page for browsers. Always
 * false. */
bool exchange_refused(struct exchange *x, const struct session_reply *reply, struct err *e);

/* Telemetry: the answer, and even its absence, changes nothing (R8995-PLG-046). Says whether it
 * could be sent. reason NULL: success. */
bool exchange_report(struct exchange *x, const char *path, const char *reason);

/* Reasons of a failure report. */
#define REASON_VOUCHER	"The voucher could not be validated."
#define REASON_EST	"The EST server of the voucher could not be trusted."
#define REASON_CACERTS	"The CA certificates could not be used."
#define REASON_CSRATTRS "The attributes for the request could not be used."
#define REASON_CERT	"No usable certificate was issued."
#define REASON_STORE	"The certificate could not be stored."

/* A step of a protocol: false with *e set ends the run. */
struct step {
	const char *name; /* what the technician reads */
	bool (*run)(struct exchange *x, struct err *e);
	enum setback setback; /* of a failure, unless the step knew better */
	const char
		*failure_path; /* where a failure is reported to, on the same connection; or NULL */
	const char *failure_reason; /* no detail a stranger could use (R8995-PLG-044) */
};
/* The steps in order until one fails. OUTCOME_DONE or why not, *e set, and x->setback the row of
 * the table in retry.c that says what to do next. */
enum outcome exchange_run(
	struct exchange *x, const struct step *steps, size_t count, struct err *e);

#endif
