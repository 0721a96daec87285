/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/pledge.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/base/text.h"
#include "common/pki/idevid.h"
#include "pledge/discover.h"

static bool add_registrar(struct pledge *p, const char *url, struct err *e)
{
	struct uri *to = &p->registrars[p->registrar_count];

	if (p->registrar_count == REGISTRARS_MAX)
		return err_set(e, ERR_INPUT, "more than %d registrars", REGISTRARS_MAX);
	if (!uri_parse_server(url, to, e))
		return err_prefix(e, "'%s'", url);
	if (to->path[0] && strcmp(to->path, "/") != 0)
		return err_set(e, ERR_INPUT, "'%s': only %s://host:port, no path", url,
			uri_scheme_name(to->scheme));
	to->path[0] = '\0';
	p->registrar_count++;
	return true;
}

static bool parse_cloud(struct pledge *p, struct err *e)
{
	if (!p->config.cloud)
		return true;
	p->cloud.source = CANDIDATE_CLOUD;
	if (!uri_parse(p->config.cloud, &p->cloud.uri, e))
		return err_prefix(e, "[registrars] cloud");
	if (strcmp(p->cloud.uri.path, "/") == 0)
		p->cloud.uri.path[0] = '\0';
	p->has_cloud = true;
	return true;
}

static bool discovers(const struct pledge *p)
{
	const char *words = p->config.discover;

	if (!words || strcmp(words, DISCOVER_AUTO) == 0)
		return p->registrar_count == 0;
	return strcmp(words, DISCOVER_OFF) != 0;
}

/* "https://a:1 coaps://b:2" into registrars. */
static bool parse_registrars(struct pledge *p, struct err *e)
{
	FREE_AUTO char *words = str_dup(p->config.urls ? p->config.urls : "", e);
	char *rest = NULL;

	if (!words)
		return false;
	for (char *w = strtok_r(words, " \t\r\n,", &rest); w; w = strtok_r(NULL, " \t\r\n,", &rest))
		if (!add_registrar(p, w, e))
			return err_prefix(e, "[registrars] urls");
	p->discovers = discovers(p);
	return p->registrar_count > 0 || p->discovers || p->has_cloud ||
	       err_set(e, ERR_INPUT,
		       "[registrars] urls: none given, discover is off and cloud unset");
}

bool pledge_set_registrar(struct pledge *p, const char *url, struct err *e)
{
	p->registrar_count = 0;
	p->discovers = p->has_cloud = false;
	return add_registrar(p, url, e);
}

static bool load_device(struct pledge *p, struct err *e)
{
	const struct pledge_config *c = &p->config;

	if (!identity_load(&p->idevid, c->idevid_key, c->idevid_certificate, e))
		return err_prefix(e, "IDevID");
	p->serial_number = idevid_serial_number(p->idevid.cert, IDEVID_SERIAL_SUBJECT, e);
	if (!p->serial_number)
		return err_prefix(e, "IDevID");
	p->masa_anchors = anchors_load(c->masa_anchors, e);
	return p->masa_anchors || err_prefix(e, "manufacturer's anchors");
}

bool pledge_init_config(struct pledge *p, const char *config_path, struct err *e)
{
	return config_load(config_path, &pledge_config_schema, &p->config, e);
}

bool pledge_init(struct pledge *p, const char *config_path, struct err *e)
{
	candidates_init(&p->candidates, rng_below);
	if (!pledge_init_config(p, config_path, e) || !parse_cloud(p, e) ||
		!parse_registrars(p, e) || !load_device(p, e))
		return false;
	p->state = state_open(p->config.state_dir, e);
	return p->state != NULL;
}

void pledge_clear(struct pledge *p)
{
	discover_free(p->discover);
	p->discover = NULL;
	config_clear(&pledge_config_schema, &p->config);
	identity_clear(&p->idevid);
	free_ptr(&p->serial_number);
	anchors_unref(&p->masa_anchors);
	state_unref(&p->state);
}

int64_t pledge_judging_time(const struct pledge *p)
{
	return p->config.trusted_clock ? clock_unix_s(&p->clock) : CHAIN_NO_TIME;
}

int64_t pledge_now_ms(const struct pledge *p)
{
	return clock_mono_ms() + p->ahead_ms;
}

void pledge_pause(struct pledge *p, int64_t ms)
{
	int64_t until_ms = pledge_now_ms(p) + ms, now_ms;

	p->pause(p->pause_arg, ms);
	now_ms = pledge_now_ms(p);
	if (now_ms < until_ms)
		p->ahead_ms += until_ms - now_ms;
}

void pledge_begin_budget(struct pledge *p)
{
	p->give_up_ms = p->config.budget_s ? pledge_now_ms(p) + p->config.budget_s * 1000 : 0;
}

int64_t pledge_time_left_ms(const struct pledge *p)
{
	return p->give_up_ms ? p->give_up_ms - pledge_now_ms(p) : INT64_MAX;
}

void pledge_say(const struct pledge *p, const char *fmt, ...)
{
	char line[LINE_MAX_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	text_make_safe(line, ' ');
	fprintf(p->out, "%s\n", line);
	fflush(p->out);
}
