/* SPDX-License-Identifier: Apache-2.0 */
/* status: rows of a screen, each from members that may be missing; both daemons are told so. */
#include "ctl/status.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/wire/datetime.h"
#include "ctl/internal.h"

#define STATUS_PATH "/api/v1/status"
#define LABEL_WIDTH 15
#define MINUTE_S    60
#define HOUR_S	    3600
#define DAY_S	    86400
#define SPAN_MAX    48

const struct ctl_option status_options[] = {{"quiet", NULL}, {NULL, NULL}};

/* ---- Values ---- */

static const char *text(const json_t *o, const char *member)
{
	return json_string_value(json_object_get(o, member));
}

static json_int_t number(const json_t *o, const char *member)
{
	return json_integer_value(json_object_get(o, member));
}

/* Seconds from the moment in the member to now; false when there is none. */
static bool age(const json_t *o, const char *member, int64_t *out)
{
	const char *at = text(o, member);
	struct err ignored = ERR_INIT;
	int64_t then;

	if (!at || !datetime_parse(at, &then, &ignored))
		return false;
	*out = clock_unix_s(NULL) - then;
	return true;
}

/* "3 days", "2 hours": the largest unit that fits, as people say it. */
static const char *span(int64_t s, char out[SPAN_MAX])
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = {{DAY_S, "day"}, {HOUR_S, "hour"}, {MINUTE_S, "minute"}, {1, "second"}};
	size_t i = 0;

	if (s < 0)
		s = -s;
	while (units[i].seconds > 1 && s < units[i].seconds)
		i++;
	snprintf(out, SPAN_MAX, "%lld %s%s", (long long)(s / units[i].seconds), units[i].name,
		s / units[i].seconds == 1 ? "" : "s");
	return out;
}

static const char *size(json_int_t octets, char out[SPAN_MAX])
{
	static const char *const units[] = {"octets", "KiB", "MiB", "GiB", "TiB"};
	double n = (double)octets;
	size_t i = 0;

	while (n >= 1024 && i + 1 < sizeof(units) / sizeof(*units)) {
		n /= 1024;
		i++;
	}
	snprintf(out, SPAN_MAX, n < 10 && i > 0 ? "%.1f %s" : "%.0f %s", n, units[i]);
	return out;
}

/* ---- Rows ---- */

static void label(const char *what)
{
	printf("  %-*s ", LABEL_WIDTH, what);
}

static void show_end(const json_t *o, const char *member, const char *what)
{
	char left[SPAN_MAX];
	int64_t s;

	if (!age(o, member, &s))
		return;
	label(what);
	printf(s < 0 ? "%s left\n" : "over since %s\n", span(s, left));
}

static void show_number(const json_t *o, const char *member, const char *what)
{
	if (!json_object_get(o, member))
		return;
	label(what);
	printf("%lld\n", (long long)number(o, member));
}

static void show_pending(const json_t *o)
{
	char waited[SPAN_MAX];
	int64_t s;

	if (!json_object_get(o, "claims_pending"))
		return;
	label("claims");
	printf("%lld pending", (long long)number(o, "claims_pending"));
	if (age(o, "oldest_pending", &s))
		printf(", the oldest waits for %s", span(s, waited));
	putchar('\n');
}

/* Those that are not none: "12 active, 1 quarantined". */
static void show_counts(const json_t *o, const char *member)
{
	json_t *counts = json_object_get(o, member), *count;
	const char *name, *comma = "";

	if (!json_is_object(counts))
		return;
	label(member);
	json_object_foreach(counts, name, count)
	{
		if (json_integer_value(count) == 0)
			continue;
		printf("%s%lld %s", comma, (long long)json_integer_value(count), name);
		comma = ", ";
	}
	puts(*comma ? "" : "none");
}

static void show_expiring(const json_t *o)
{
	if (!json_object_get(o, "expiring"))
		return;
	label("expiring");
	printf("%lld\n", (long long)number(o, "expiring"));
}

static void show_masas(const json_t *o)
{
	const json_t *masas = json_object_get(o, "masas"), *masa;
	size_t i;

	json_array_foreach(masas, i, masa)
	{
		const char *name = text(masa, "manufacturer"), *state = text(masa, "state");
		char what[64];

		snprintf(what, sizeof(what), "MASA %s", name ? name : "?");
		label(what);
		puts(state ? state : "?");
	}
}

static void show_announced(const json_t *o)
{
	const json_t *all = json_object_get(o, "announced"), *one;
	size_t i;

	json_array_foreach(all, i, one)
	{
		const char *state = text(one, "state");

		label(i ? "" : "announced");
		printf("%s on %s at %s by %s%s\n", text(one, "service"), text(one, "interface"),
			text(one, "place"), text(one, "by"),
			state && strcmp(state, "announced") == 0 ? ""
								 : ": still asking for the name");
	}
}

/* Those that are not as they should be. */
static void show_gates(const json_t *o)
{
	const json_t *gates = json_object_get(o, "masa_addresses"), *gate;
	char left[SPAN_MAX];
	size_t i;

	json_array_foreach(gates, i, gate)
	{
		const char *name = text(gate, "masa"), *state = text(gate, "state");

		if (!state || strcmp(state, "closed") == 0)
			continue;
		label("left alone");
		ctl_put(stdout, name ? name : "?");
		printf(": failed %lld times in a row, asked again in %s\n",
			(long long)number(gate, "failures"),
			span(number(gate, "again_in_s"), left));
	}
}

static void show_store(const json_t *o)
{
	char used[SPAN_MAX], left[SPAN_MAX];

	if (!json_object_get(o, "store_bytes"))
		return;
	label("store");
	printf("%s", size(number(o, "store_bytes"), used));
	if (json_is_integer(json_object_get(o, "store_free_bytes")))
		printf(", %s free", size(number(o, "store_free_bytes"), left));
	putchar('\n');
}

static void show_backup(const json_t *o)
{
	char ago[SPAN_MAX];
	int64_t s;

	if (!json_object_get(o, "backup"))
		return;
	label("backup");
	if (age(o, "backup", &s))
		printf("%s ago\n", span(s, ago));
	else
		puts("none since the start");
}

static void show_itself(const struct ctl *c, const json_t *o)
{
	const char *health = text(o, "health"), *version = text(o, "version");
	char up[SPAN_MAX];
	int64_t s = 0;

	(void)age(o, "started", &s);
	printf("%s %s, up for %s: %s\n", c->program->name, version ? version : "?", span(s, up),
		health ? health : "?");
}

static void show_problems(const json_t *o)
{
	const json_t *problems = json_object_get(o, "problems"), *problem;
	size_t i;

	json_array_foreach(problems, i, problem)
	{
		fputs(i ? "" : "\n", stdout);
		ctl_put(stdout, json_string_value(problem));
		putchar('\n');
	}
	if (json_array_size(problems) > 0)
		puts("The doctor command tells what to do.");
}

static void show(const struct ctl *c, const json_t *o)
{
	show_itself(c, o);
	show_pending(o);
	show_number(o, "devices_known", "devices");
	show_number(o, "owners", "owners");
	show_number(o, "vouchers", "vouchers");
	show_counts(o, "devices");
	show_expiring(o);
	show_masas(o);
	show_announced(o);
	show_gates(o);
	show_store(o);
	show_backup(o);
	show_end(o, "certificate_not_after", "certificate");
	show_end(o, "signer_not_after", "voucher signer");
	show_end(o, "ca_not_after", "CA");
	show_end(o, "crl_next_update", "revocation list");
	show_problems(o);
}

enum ctl_exit status(struct ctl *c, int argc, char **argv)
{
	JSON_AUTO json_t *reply = NULL;
	const char *health;
	enum ctl_exit code =
		ctl_request(c, NULL, "GET", STATUS_PATH, NULL, (struct bytes){0}, &reply);

	if (code != CTL_DONE)
		return code;
	health = text(reply, "health");
	if (ctl_option(c, "quiet"))
		return health && strcmp(health, "fail") == 0 ? CTL_FAILED : CTL_DONE;
	if (c->output != CTL_TABLE)
		return ctl_print_object(c, reply);
	show(c, reply);
	return CTL_DONE;
}
