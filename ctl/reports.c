/* SPDX-License-Identifier: Apache-2.0 */
/* Lists and sums as the registrar tells them. */
#include "ctl/reports.h"

#include "common/wire/percent.h"

#define REPORTS_PATH "/api/v1/"
#define PATH_LEN_MAX 200

const struct ctl_option certificates_list_options[] = {{"expiring", "DAYS"}, {NULL, NULL}};

enum ctl_exit manufacturers_list(struct ctl *c, int argc, char **argv)
{
	static const struct ctl_column columns[] = {
		{"NAME", "name"},
		{"ADMIT", "admit"},
		{"DEVICES", "devices"},
		{"PENDING", "pending"},
		{"MASA-UP", "masa_up"},
		{"MASA", "masa_url"},
		{NULL, NULL},
	};

	return ctl_list(c, REPORTS_PATH "manufacturers", columns);
}

enum ctl_exit certificates_list(struct ctl *c, int argc, char **argv)
{
	static const struct ctl_column columns[] = {
		{"SERIAL", "serial"},
		{"DEVICE", "device_serial"},
		{"MANUFACTURER", "manufacturer"},
		{"SITE", "site"},
		{"ISSUED", "issued"},
		{"ENDS", "not_after"},
		{"REVOKED", "revoked"},
		{NULL, NULL},
	};
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);
	const char *days = ctl_option(c, "expiring");
	struct err e = ERR_INIT;

	if (!buf_append_str(&path, REPORTS_PATH "certificates", &e) ||
		(days && (!buf_append_str(&path, "?expiring=", &e) ||
				 !percent_encode(bytes_of_str(days), &path, &e))))
		return ctl_fail(c, "%s", e.text);
	return ctl_list(c, buf_str(&path), columns);
}

enum ctl_exit statistics_show(struct ctl *c, int argc, char **argv)
{
	JSON_AUTO json_t *reply = NULL;
	enum ctl_exit code = ctl_request(
		c, NULL, "GET", REPORTS_PATH "statistics", NULL, bytes_of(NULL, 0), &reply);

	return code == CTL_DONE ? ctl_print_object(c, reply) : code;
}
