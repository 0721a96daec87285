/* SPDX-License-Identifier: Apache-2.0 */
/* A switch is shown and asked about first: every certificate from then on is another CA's. */
#include "ctl/ca.h"

#include <string.h>

#include "ctl/confirm.h"

#define CA_PATH "/api/v1/ca"

const struct ctl_option ca_switch_options[] = {
	{"to", "NAME"}, {"reason", "TEXT"}, {"yes", NULL}, {"dry-run", NULL}, {NULL, NULL}};

static const struct ctl_column columns[] = {
	{"NAME", "name"},
	{"ISSUES", "issues"},
	{"ENDS", "not_after"},
	{"CRL-UNTIL", "crl_next_update"},
	{"SUBJECT", "subject"},
	{"FAULT", "fault"},
	{NULL, NULL},
};

enum ctl_exit ca_show(struct ctl *c, int argc, char **argv)
{
	return ctl_list(c, CA_PATH, columns);
}

static bool put_text(json_t *body, const char *member, const char *value)
{
	return !value || json_object_set_new(body, member, json_string(value)) == 0;
}

enum ctl_exit ca_switch(struct ctl *c, int argc, char **argv)
{
	JSON_AUTO json_t *items = NULL, *body = json_object(), *reply = NULL;
	enum ctl_exit code = ctl_fetch(c, CA_PATH, &items);

	if (code != CTL_DONE)
		return code;
	if (!put_text(body, "to", ctl_option(c, "to")) ||
		!put_text(body, "reason", ctl_option(c, "reason")))
		return ctl_fail(c, "an option is not UTF-8");
	if (json_array_size(items) > 1 && !ctl_confirm(c, "switch between", "issuing CAs",
						  json_array_size(items), items, columns, &code))
		return code;
	code = ctl_request_json(c, NULL, "POST", CA_PATH "/switch", body, &reply);
	if (code == CTL_DONE)
		ctl_fail(c, "%s issues%s", ctl_text(reply, "issues"),
			json_is_true(json_object_get(reply, "changed")) ? " from now on"
									: " already");
	return code;
}
