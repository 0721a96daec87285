/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of brski-certs: what to make and how. */
#ifndef CERTS_OPTIONS_H
#define CERTS_OPTIONS_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/pki/hierarchy.h"

#define DEFAULT_SAN  "DNS:localhost,IP:127.0.0.1,IP:::1"
#define DAYS_MAX     36500 /* a hundred years */
#define DAYS_FOREVER HIERARCHY_DAYS_FOREVER

enum command {
	COMMAND_MANUFACTURER,
	COMMAND_DOMAIN,
	COMMAND_MASA,
	COMMAND_REGISTRAR,
	COMMAND_STANDBY,
	COMMAND_IDEVID,
	COMMAND_COUNT
};

/* What the command line said; NULL where it said nothing and there is no default. */
struct options {
	enum command command;
	const char *out, *ca, *name, *san, *masa_url, *serial, *csv, *organization, *model;
	enum key_type key_type;
	int days;
	bool help, version;
};

/* ERR_INPUT with what is wrong with the command line. */
bool options_parse(int argc, char **argv, struct options *out, struct err *e) MUST_CHECK;
/* The whole help text. */
extern const char options_help[];

#endif
