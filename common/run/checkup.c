/* SPDX-License-Identifier: Apache-2.0 */
/* Checks: see checkup.h. */
#include "common/run/checkup.h"

#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>

#include "common/run/store.h"
#include "common/wire/datetime.h"

#define SPACE_WANTED	 ((int64_t)1024 << 20) /* room for a backup */
#define FOUND_MAX	 600
#define MEBIBYTE(octets) ((long long)((octets) >> 20))

static const char *const verdict_names[] = {"ok", "warn", "fail"};

static json_t *text(const char *s)
{
	json_t *value = s ? json_string(s) : NULL;

	return value ? value : json_null();
}

void checkup_note(struct checkup *c, const char *check, enum checkup_verdict v, const char *next,
	const char *fmt, ...)
{
	char found[FOUND_MAX];
	json_t *item;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(found, sizeof(found), fmt, ap);
	va_end(ap);
	if (c->e.kind != ERR_NONE)
		return;
	item = json_pack("{ss ss so so}", "check", check, "verdict", verdict_names[v], "found",
		text(found), "next", text(v == CHECKUP_OK ? NULL : next));
	if (!item || json_array_append_new(c->items, item) != 0)
		err_set(&c->e, ERR_NO_MEMORY, "no memory for a checkup");
}

void checkup_time(struct checkup *c)
{
	struct timex t = {0};
	char text[DATETIME_LEN + 1] = "?";
	struct err ignored = ERR_INIT;
	int state = adjtimex(&t); /* only reads; a sandbox may forbid even that */

	(void)!datetime_format(c->now, text, &ignored);
	if (state == TIME_ERROR || (state >= 0 && (t.status & STA_UNSYNC)))
		checkup_note(c, "time", CHECKUP_WARN,
			"set a time service up, see timedatectl: certificates are judged by this "
			"clock",
			"%s, not synchronized", text);
	else
		checkup_note(c, "time", CHECKUP_OK, NULL, "%s, %s", text,
			state < 0 ? "whether it is synchronized cannot be seen" : "synchronized");
}

json_t *checkup_octets(int64_t octets)
{
	return octets < 0 ? json_null() : json_integer((json_int_t)octets);
}

void checkup_space(struct checkup *c, const char *path)
{
	char folder[PATH_MAX];
	struct statvfs fs;
	struct stat st;
	int64_t left, store;
	enum checkup_verdict v = CHECKUP_OK;

	if (store_is_remote(path)) {
		checkup_note(c, "store space", CHECKUP_OK, NULL,
			"not known: the store is a database, whose server has the disk");
		return;
	}
	snprintf(folder, sizeof(folder), "%s", path);
	if (stat(path, &st) != 0 || statvfs(dirname(folder), &fs) != 0) {
		checkup_note(c, "store space", CHECKUP_FAIL,
			"see why the store's folder cannot be read", "%s cannot be looked at",
			path);
		return;
	}
	left = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
	store = st.st_size;
	if (left < SPACE_WANTED || left < 2 * store)
		v = left < CHECKUP_SPACE_MIN ? CHECKUP_FAIL : CHECKUP_WARN;
	checkup_note(c, "store space", v,
		"make room: without it no device joins, and no backup fits",
		"%lld MiB free, the store has %lld", MEBIBYTE(left), MEBIBYTE(store));
}

void checkup_end(struct checkup *c, const char *check, int64_t end, const char *next)
{
	int64_t days = (end - c->now) / CHECKUP_DAY_S;

	if (end <= c->now)
		checkup_note(
			c, check, CHECKUP_FAIL, next, "expired %lld days ago", -(long long)days);
	else
		checkup_note(c, check, days < CHECKUP_RENEW_DAYS ? CHECKUP_WARN : CHECKUP_OK, next,
			"ends in %lld days", (long long)days);
}

static bool is_loopback(const char *listen)
{
	return strncmp(listen, "127.", 4) == 0 || strncmp(listen, "[::1]", 5) == 0;
}

void checkup_port(struct checkup *c, const char *check, const char *listen)
{
	if (listen)
		checkup_note(c, check, is_loopback(listen) ? CHECKUP_WARN : CHECKUP_OK,
			"only this machine can reach it: configure an address of the network",
			"listening on %s", listen);
}
