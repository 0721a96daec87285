/* SPDX-License-Identifier: Apache-2.0 */
/* The one error type: a kind, a chain of text for the log, a sentence for the peer.
 *
 * It lives on the caller's stack, has a fixed size and never allocates. A function that can fail
 * takes `struct err *e` last and returns bool (true = fine) or a pointer (NULL = failed, *e set).
 * Who finds the fault calls err_set(); each caller that knows more calls err_prefix(), so that the
 * text reads outermost first: "voucher from https://masa.example: signature: digest differs".
 * The text goes to the log once, where the error stops travelling. The peer gets err_sentence().
 * status_of() in net/status.h is the only place that turns a kind into a status code.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

enum err_kind { /* with the HTTP status each becomes */
	ERR_NONE,
	ERR_INPUT,	      /* 400 bytes that do not parse, a value out of its range */
	ERR_TOO_LARGE,	      /* 413 over a named limit */
	ERR_UNAUTHENTICATED,  /* 403 signature, chain or proof of possession not good */
	ERR_PROXIMITY,	      /* 401 and close: somebody between pledge and registrar */
	ERR_REFUSED,	      /* 403 policy says no; an administrator could change that */
	ERR_UNWANTED,	      /* 404 policy says no, finally */
	ERR_UNKNOWN_DEVICE,   /* 404 no such device here */
	ERR_HISTORY,	      /* 406 the device's audit log or inventory speaks against it */
	ERR_NOT_ACCEPTABLE,   /* 406 no Accept type can be served */
	ERR_UNSUPPORTED_TYPE, /* 415 Content-Type not known */
	ERR_NOT_FOUND,	      /* 404 no such path or object */
	ERR_CONFLICT,	      /* 409 state differs from what the caller expected */
	ERR_LOGIN,	      /* 401 nobody has logged in */
	ERR_NOT_ALLOWED,      /* 403 who has logged in may not do this */
	ERR_STALE,	      /* 412 changed since the caller looked at it */
	ERR_KEY_REUSED,	      /* 422 an Idempotency-Key that came with another request before */
	ERR_TOO_MANY,	      /* 429 more tries than anybody needs */
	ERR_RETRY_LATER,      /* 503 and Retry-After: busy, or a dependency is away */
	ERR_PEER,	      /* 502 the upstream answered wrongly */
	ERR_PEER_LOGIN,	      /* 401 the upstream wants to know who asks */
	ERR_PEER_TIMEOUT,     /* 504 the upstream did not answer in time */
	ERR_STORE,	      /* 503 could not be made durable */
	ERR_NO_MEMORY,	      /* 503 */
	ERR_IO,		      /* 500 file or socket */
	ERR_BUG,	      /* 500 a promise of our own code broken */
	ERR_KIND_COUNT
};

struct err {
	enum err_kind kind;
	char text[600];	    /* full reason, for the log; always one line */
	char sentence[200]; /* what the peer may read; empty = the default of the kind */
	const char *code;   /* what a program may go by; NULL = the name of the kind */
};

#define ERR_INIT                                                                                   \
	{                                                                                          \
		.kind = ERR_NONE                                                                   \
	}
#define MUST_CHECK   __attribute__((warn_unused_result))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Set kind and text, dropping what was there. Always returns false: `return err_set(...)`. */
bool err_set(struct err *e, enum err_kind kind, const char *fmt, ...) PRINTF(3, 4);

/* As err_set() with ": " and strerror(errno) added; ENOMEM makes it ERR_NO_MEMORY. */
bool err_set_errno(struct err *e, enum err_kind kind, const char *fmt, ...) PRINTF(3, 4);

/* Put "phrase: " in front of the text. Always returns false. */
bool err_prefix(struct err *e, const char *fmt, ...) PRINTF(2, 3);

/* Choose the sentence the peer may read. Always returns false. */
bool err_tell(struct err *e, const char *fmt, ...) PRINTF(2, 3);

/* Choose what a program may go by, a lasting constant of lower-case letters and dashes. Returns
 * false. */
bool err_code(struct err *e, const char *code);

/* The code: chosen by err_code(), else the name of the kind. */
const char *err_code_of(const struct err *e);

/* The sentence for the peer: chosen by err_tell(), else the default of the kind. Never NULL. */
const char *err_sentence(const struct err *e);

/* The kind's name as it stands in logs, e.g. "unauthenticated". */
const char *err_kind_name(enum err_kind kind);
extern const char *const err_kind_names[ERR_KIND_COUNT + 1]; /* by kind, then NULL */

#endif
