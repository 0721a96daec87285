/* SPDX-License-Identifier: Apache-2.0 */
/* What `registrarctl setup` and `masactl setup` share: where things go and whose they are, the
 * questions, files that are made where nothing stood before, and the start of the service.
 *
 * What is there stays as it is, keys above all: a setup that was cut short is simply repeated, and
 * one that is complete changes nothing. The configuration file is written last and stands for the
 * whole. */
#ifndef CTL_SETUP_H
#define CTL_SETUP_H

#include <limits.h>
#include <sys/types.h>

#include "common/pki/hierarchy.h"
#include "ctl/ctl.h"

#define SETUP_ANSWER_MAX 1024

struct setup_service {
	const char *program;   /* "brski-registrar": its user and its unit are called so as well */
	const char *config;    /* "registrar.conf" */
	const char *directory; /* "/etc/brski" */
	const char *state;     /* "/var/lib/brski-registrar" */
};

struct setup {
	struct ctl *c;
	const struct setup_service *service;
	const char *directory, *state;
	char *config_path, *socket;
	bool standard;	/* everything where the unit looks for it */
	bool asks;	/* somebody sits at a terminal and did not say --yes */
	bool complete;	/* the configuration was there already */
	bool has_owner; /* the service has a user of its own, and we may give things away */
	uid_t uid;
	gid_t gid;
	int64_t now;
};

/* Reads --directory, --state and --yes. Nothing is written yet. setup_end() in any case. */
bool setup_begin(struct setup *s, struct ctl *c, const struct setup_service *service,
	struct err *e) MUST_CHECK;
void setup_end(struct setup *s);

/* What the option says; else, at a terminal, what is answered; else the suggestion. */
bool setup_ask(const struct setup *s, const char *option, const char *question,
	const char *suggestion, char out[SETUP_ANSWER_MAX], struct err *e) MUST_CHECK;
/* This machine's name as others write it; "localhost" when it has none. */
void setup_host_name(char out[SETUP_ANSWER_MAX]);
/* The host and the names of loopback as a subjectAltName. */
bool setup_san(const char *host, struct buf *out, struct err *e) MUST_CHECK;

/* The folder, the service's own when private. */
bool setup_folder(
	const struct setup *s, const char *path, bool is_private, struct err *e) MUST_CHECK;
/* A text for the service to read; not over one that is there. */
bool setup_text(
	const struct setup *s, const char *path, const char *text, struct err *e) MUST_CHECK;

struct setup_pair {
	const char *dir, *stem;
	bool for_service; /* the service reads the key; otherwise it stays with who sets up */
	/* out->key is there; out->cert and what belongs behind it in the file, out->chain, not. */
	bool (*certify)(void *arg, struct identity *out, struct err *e);
	void *arg;
};
/* DIR/STEM.key and .crt: what is there is loaded, what is not is made and written. */
bool setup_pair(const struct setup *s, const struct setup_pair *pair, struct identity *out,
	struct err *e) MUST_CHECK;

/* Let the program itself look at what was made; what it does not take has no configuration. */
bool setup_check(const struct setup *s, struct err *e) MUST_CHECK;
/* Start the unit where there is one and wait for its socket; else say how to start it.
 * *runs: the daemon answers. */
bool setup_start(const struct setup *s, bool *runs, struct err *e) MUST_CHECK;
/* Where what was installed beside this tool keeps `name` of its data: PREFIX/share/brski/NAME, or
 * NAME in the source tree. NULL: nowhere; the caller's. */
char *setup_data(const char *name, struct err *e);
/* The daemon beside this tool, as it is built and installed; else wherever PATH has it. */
bool setup_program(const char *name, char out[PATH_MAX], struct err *e) MUST_CHECK;
/* "  WHAT   VALUE" in the summary. */
void setup_tell(const char *what, const char *fmt, ...) PRINTF(2, 3);
/* The same with a certificate's SHA-256, as browsers show it. */
void setup_tell_fingerprint(const char *what, const struct cert *c);

#endif
