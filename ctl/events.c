/* SPDX-License-Identifier: Apache-2.0 */
/* events tail: asks for what comes after the last event, again and again. The service answers when
 * there is some. */
#include "ctl/events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/wire/percent.h"
#include "ctl/internal.h"

#define EVENTS_PATH  "/api/v1/events"
#define PATH_LEN_MAX 2048
#define LINE_LEN_MAX 8192
#define WAIT_S	     30 /* below the time an answer may take */

const struct ctl_option events_tail_options[] = {
	{"type", "TYPES"}, {"after", "SEQUENCE"}, {"once", NULL}, {NULL, NULL}};

/* What came from devices must not drive the terminal. */
static enum ctl_exit print_line(struct ctl *c, const json_t *event)
{
	const json_t *data = json_object_get(event, "data");
	BUF_AUTO struct buf line = BUF_INIT(LINE_LEN_MAX);
	struct err e = ERR_INIT;

	if (!buf_printf(&line, &e, "%s  %s  %s  %s  %s  %s", ctl_text(event, "id"),
		    ctl_text(event, "time"), ctl_text(event, "type"), ctl_text(event, "subject"),
		    ctl_text(data, "by"), ctl_text(data, "reason")))
		return ctl_fail(c, "%s", e.text);
	text_make_safe((char *)line.data, '?');
	puts(buf_str(&line));
	return CTL_DONE;
}

static enum ctl_exit print_json(struct ctl *c, const json_t *event)
{
	char *text = json_dumps(event, JSON_COMPACT | JSON_ENSURE_ASCII);

	if (!text)
		return ctl_fail(c, "no memory");
	puts(text);
	free(text);
	return CTL_DONE;
}

static enum ctl_exit print_events(struct ctl *c, const json_t *items)
{
	enum ctl_exit code = CTL_DONE;
	const json_t *event;
	size_t i;

	json_array_foreach(items, i, event)
	{
		if (c->output == CTL_JSON)
			code = print_json(c, event);
		else if (c->output == CTL_IDS)
			puts(ctl_text(event, "id"));
		else
			code = print_line(c, event);
		if (code != CTL_DONE)
			return code;
	}
	return fflush(stdout) == 0 ? CTL_DONE : ctl_fail(c, "nobody reads what is written");
}

static bool page_path(
	struct buf *path, const char *after, const char *types, bool once, struct err *e)
{
	return buf_printf(path, e, EVENTS_PATH "?wait=%d&after=", once ? 0 : WAIT_S) &&
	       percent_encode(bytes_of_str(after), path, e) &&
	       (!types || (buf_append_str(path, "&type=", e) &&
				  percent_encode(bytes_of_str(types), path, e)));
}

/* *after: where to go on; malloc'd. *more: it has moved. */
static enum ctl_exit one_page(struct ctl *c, char **after, bool once, bool *more)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);
	JSON_AUTO json_t *page = NULL;
	struct err e = ERR_INIT;
	enum ctl_exit code;
	const char *next;

	if (!page_path(&path, *after, ctl_option(c, "type"), once, &e))
		return ctl_fail(c, "%s", e.text);
	code = ctl_request(c, NULL, "GET", buf_str(&path), NULL, (struct bytes){NULL, 0}, &page);
	if (code != CTL_DONE)
		return code;
	code = print_events(c, json_object_get(page, "items"));
	next = json_string_value(json_object_get(page, "next"));
	if (code != CTL_DONE || !next)
		return code != CTL_DONE ? code : ctl_fail(c, "the service's answer is no page");
	*more = strcmp(next, *after) != 0;
	free(*after);
	*after = str_dup(next, &e);
	return *after ? CTL_DONE : ctl_fail(c, "%s", e.text);
}

enum ctl_exit events_tail(struct ctl *c, int argc, char **argv)
{
	bool once = ctl_option(c, "once") != NULL, more = true;
	const char *from = ctl_option(c, "after");
	FREE_AUTO char *after = NULL;
	enum ctl_exit code = CTL_DONE;
	struct err e = ERR_INIT;

	if (!from)
		from = once ? "0" : "end";
	after = str_dup(from, &e);
	if (!after)
		return ctl_fail(c, "%s", e.text);
	while (code == CTL_DONE && after && (more || !once))
		code = one_page(c, &after, once, &more);
	return code;
}
