/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar as client of a MASA: where it is, how it is asked, what its status codes mean for
 * the pledge (RFC 8995 §5.4, §5.6). */
#ifndef REGISTRAR_MASA_H
#define REGISTRAR_MASA_H

#include "registrar/registrar.h"

/* The registered name; a MASA may know an older one (draft-ietf-anima-constrained-voucher §7.1). */
#define VOUCHER_COSE "application/voucher+cose"

/* The base URI: what is configured for the manufacturer, else what the IDevID says. Of several, the
 * first that can be asked now and whose bit in *tried is not set; it is set then. idevid NULL: what
 * is configured. ERR_UNWANTED (404) when there is none to be used (R8995-REG-020). */
bool masa_address(struct registrar *r, const struct manufacturer *m, const struct cert *idevid,
	unsigned *tried, struct uri *out, struct err *e) MUST_CHECK;
/* Is there another one that could be asked now? */
bool masa_has_another(struct registrar *r, const struct manufacturer *m, unsigned tried);

struct masa_request {
	const struct registrar_setup *setup; /* time-outs and address classes */
	const struct registrar_face *face;   /* who asks; this and the manufacturer until done */
	const struct manufacturer *manufacturer;
	struct uri uri;		/* the base, or with resource NULL the whole */
	const char *resource;	/* "requestvoucher", "requestauditlog" */
	const char *media_type; /* of body; NULL: GET */
	const char *accept, *exchange;
	struct bytes body;
	size_t reply_max;
	const struct http_field_text *fields; /* further ones, for the call */
	size_t field_count;
	bool foreign_origin; /* not the MASA itself: no credentials */
	bool at_once;	     /* whether or not it is left alone now */
	int64_t *wait_ms;    /* or NULL: how long it is left alone, with ERR_RETRY_LATER */
};
/* done as in http_client.h, on l's thread. ERR_RETRY_LATER: it is left alone now (masa_gate.h). */
bool masa_send(struct registrar *r, struct loop *l, const struct masa_request *q, http_done *done,
	void *arg, struct err *e) MUST_CHECK;

/* A transport error in words for pledge and log. Always returns false. */
bool masa_transport_error(const struct uri *base, const struct err *cause, struct err *e);
/* Did it say something about the device at all? An answer of 500 and above is none. */
bool masa_has_answered(const struct http_reply *reply);
/* Any status but 200 and 202 as an error for the pledge (R8995-REG-018). Always returns false. */
bool masa_status_error(const struct uri *base, int status, struct bytes text, struct err *e);

/* What a constrained pledge is told of some of them instead (draft-ietf-anima-constrained-voucher
 * §6.6, row R-08): there the MASA's 401 and 415 go through. */
enum err_kind masa_constrained_kind(int status, enum err_kind kind);

/* What this manufacturer's MASA calls the type: vouchers in COSE have two names. */
const char *masa_media_type(const struct manufacturer *m, const char *type);
/* Is it what that MASA calls `type`? */
bool masa_media_type_is(const struct manufacturer *m, const char *type, const char *said);

/* The Accept to send: the pledge's when it names types, else the type of its request
 * (R8995-REG-026, T-19). out holds ACCEPT_MAX + 1. */
void masa_accept(const char *pledge_accept, const char *request_type, char *out);

#endif
