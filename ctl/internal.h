/* SPDX-License-Identifier: Apache-2.0 */
/* What ctl.c, command_line.c and print.c share and the tools need not see. */
#ifndef CTL_INTERNAL_H
#define CTL_INTERNAL_H

#include <curl/curl.h>
#include <errno.h>

#include "ctl/ctl.h"

#define CTL_OPTIONS_MAX 16 /* options one command line may carry */

enum ctl_output { CTL_TABLE, CTL_JSON, CTL_CSV, CTL_IDS };

struct ctl_given { /* an option that was given */
	const char *name, *value;
};

struct ctl {
	const struct ctl_program *program;
	const struct ctl_command *command;
	const char *noun, *verb; /* what the command line names so far, or NULL */
	const char *socket;
	bool socket_given;
	const char *url, *token_file, *cacert; /* instead of the socket; or NULL */
	char *authorization;		       /* the header field; a secret */
	enum ctl_output output;
	struct ctl_given given[CTL_OPTIONS_MAX];
	size_t given_count;
	CURL *curl;
	int64_t revision; /* what the request is about; 0: whatever there is */
};

#endif
