/* SPDX-License-Identifier: Apache-2.0 */
/* What masactl and registrarctl share: the command line as a table of NOUN VERB commands, one
 * request and its JSON reply over the daemon's Unix socket or HTTPS, lists as table, JSON, CSV or
 * bare ids, exit codes.
 *
 * The daemon's side of the agreement: routes under /api/v1/, application/json; a list is
 *   {"items": [{…}, …], "next": "TEXT" or null}
 * and is continued with ?after=TEXT (percent-encoded); errors are text/plain sentences with the
 * status of net/status.h.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stdio.h>

#include "common/base/buf.h"
#include "common/wire/json.h"

enum ctl_exit {
	CTL_DONE = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
	CTL_NOT_FOUND = 3,
	CTL_PARTLY = 4, /* some of several objects failed; each has its line on stderr */
	CTL_NOT_ALLOWED = 5,
	CTL_UNREACHABLE = 6, /* the daemon does not run, or the socket is somewhere else */
};

struct ctl;	  /* one invocation */
struct audit_log; /* ctl/audit.h */

struct ctl_option {
	const char *name;  /* "state": given as --state VALUE or --state=VALUE */
	const char *value; /* what the value is called in the help; NULL: a flag */
};

struct ctl_command {
	const char *noun, *verb;	  /* verb "" for a noun that stands alone */
	const char *arguments;		  /* for the help: "SERIAL", "ID… | --all" */
	const char *help;		  /* one sentence */
	int args_min, args_max;		  /* positional arguments; args_max -1: any number */
	const struct ctl_option *options; /* ended by a NULL name; NULL: none */
	enum ctl_exit (*run)(struct ctl *c, int argc, char **argv); /* positional arguments only */
};

struct ctl_program {
	const char *name;		    /* "masactl" */
	const char *what_it_is;		    /* one line for the help */
	const char *default_socket;	    /* "/run/brski-masa/admin.sock" */
	const struct ctl_command *commands; /* ended by a NULL noun */
	const struct audit_log *audit;	    /* ctl/audit.h */
	const char *environment;	    /* NAME of NAME_URL and others; NULL: the socket only */
	const char *token_command;	    /* "tokens add": what makes a token */
};

/* The whole of main(): parses -s/--socket, -o/--output, --help, --version, finds and runs the
 * command. */
int ctl_main(int argc, char **argv, const struct ctl_program *program);

/* The option's value, "" for a flag that was given, NULL when it was not. */
const char *ctl_option(const struct ctl *c, const char *name);

/* The values of an option that may be given several times: *at begins at 0; NULL: no more. */
const char *ctl_option_next(const struct ctl *c, const char *name, size_t *at);

/* Send one request. body may be empty; content_type goes with it. On CTL_DONE *reply is the JSON
 * object (json_decref; NULL for an empty 204 body). Otherwise one line saying why was printed to
 * stderr, beginning with `about` (a serial, an id) when that is not NULL, and the exit code that
 * stands for it is returned; but a refusal that is a JSON object itself becomes *reply, with
 * nothing printed. reply may be NULL. */
enum ctl_exit ctl_request(struct ctl *c, const char *about, const char *method, const char *path,
	const char *content_type, struct bytes body, json_t **reply);
/* The same with a JSON body; body is borrowed. */
enum ctl_exit ctl_request_json(struct ctl *c, const char *about, const char *method,
	const char *path, const json_t *body, json_t **reply);
/* POST a change of what was seen at this revision, and of no other (If-Match); 0: of any. */
enum ctl_exit ctl_change_json(struct ctl *c, const char *about, const char *path, int64_t revision,
	const json_t *body, json_t **reply);

/* Append a path segment, percent-encoded. */
bool ctl_path_add(struct buf *path, const char *segment, struct err *e) MUST_CHECK;

struct ctl_column {
	const char *title;  /* "SERIAL" */
	const char *member; /* "serial"; a member that is an object or array is printed as JSON */
};

/* Fetch all pages of a list and print them as -o says; ids prints the first column alone.
 * columns end with a NULL title. */
enum ctl_exit ctl_list(struct ctl *c, const char *path, const struct ctl_column *columns);
/* The items of all pages, a new array (json_decref(), also when it failed). */
enum ctl_exit ctl_fetch(struct ctl *c, const char *path, json_t **items);
/* Page by page: the whole answer, {"items": […], …}. */
typedef bool ctl_page_fn(void *arg, const json_t *page, struct err *e);
enum ctl_exit ctl_each_page(
	struct ctl *c, const char *path, ctl_page_fn *fn, void *arg, struct err *e);
/* Print items that came otherwise, an array of objects. */
enum ctl_exit ctl_print_list(struct ctl *c, const json_t *items, const struct ctl_column *columns);
/* Print one object: member per line (with -o table), or JSON. */
enum ctl_exit ctl_print_object(struct ctl *c, const json_t *object);

/* What several results amount to: all done → CTL_DONE, some → CTL_PARTLY, none → the first failure.
 */
struct ctl_tally {
	size_t done, failed;
	enum ctl_exit first_failure;
};
void ctl_tally_add(struct ctl_tally *t, enum ctl_exit result);
enum ctl_exit ctl_tally_exit(const struct ctl_tally *t);

/* A member that is text; "-" where there is none. */
const char *ctl_text(const json_t *object, const char *name);

/* Write text that others chose: what would drive the terminal becomes '?', each octet of it. */
void ctl_put(FILE *out, const char *text);

/* One line on stderr: "masactl: …", made safe in the same way. Returns CTL_FAILED. */
enum ctl_exit ctl_fail(const struct ctl *c, const char *fmt, ...) PRINTF(2, 3);

#endif
