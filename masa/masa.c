/* SPDX-License-Identifier: Apache-2.0 */
/* Putting a MASA together from its setup, replacing the setup, and taking it apart. */
#include "masa/masa.h"

#include <stdio.h>
#include <stdlib.h>

#include "masa/follow.h"
#include "masa/limits.h"
#include "masa/meters.h"

struct masa *masa_new(
	struct masa_setup *setup, const struct log *l, const struct clock *clock, struct err *e)
{
	struct masa *m = setup ? mem_new(sizeof(*m), e) : NULL;

	if (!m) {
		masa_setup_free(setup);
		return NULL;
	}
	pthread_mutex_init(&m->setup_lock, NULL);
	m->setup = setup;
	m->log = l;
	if (clock)
		m->clock = *clock;
	if ((m->certs = cert_cache_new(MASA_CERTS_CACHED, e)) &&
		(m->domains = domain_cache_new(MASA_DOMAINS_CACHED, e)) &&
		(m->revocation = revocation_new(l, e)) &&
		(m->rate = rate_new(
			 MASA_RATES_COUNTED, setup->config->per_registrar_per_minute, e)) &&
		(m->owners = owners_new(e)) && (m->metrics = masa_meters_new(e)))
		return m;
	masa_free(m);
	return NULL;
}

bool masa_open_store(struct masa *m, struct err *e)
{
	m->store = store_open_logging(m->setup->config->store_path, &masa_schema, m->log, e);
	masa_now(m); /* what later moments are compared with */
	return m->store && owners_load(m->owners, m->store, e);
}

void masa_free(struct masa *m)
{
	if (!m)
		return;
	store_close(m->store);
	follow_end(m);
	metrics_free(m->metrics);
	owners_free(m->owners);
	rate_free(m->rate);
	revocation_free(m->revocation);
	domain_cache_free(m->domains);
	cert_cache_free(m->certs);
	masa_setup_free(m->setup);
	pthread_mutex_destroy(&m->setup_lock);
	free(m);
}

int64_t masa_now(struct masa *m)
{
	char seconds[24];
	int64_t by_s;

	if (clock_watch_jumped(&m->clock_watch, &m->clock, &by_s)) {
		snprintf(seconds, sizeof(seconds), "%+lld", (long long)by_s);
		log_event(m->log, LOG_LEVEL_WARNING, "alert-clock-jumped", NULL, "seconds", seconds,
			"hint", "certificates are judged and vouchers dated by the new time", NULL);
	}
	return clock_unix_s(&m->clock);
}

struct masa_setup *masa_setup_take(struct masa *m)
{
	struct masa_setup *s;

	pthread_mutex_lock(&m->setup_lock);
	s = masa_setup_ref(m->setup);
	pthread_mutex_unlock(&m->setup_lock);
	return s;
}

struct masa_setup *masa_setup_replace(struct masa *m, struct masa_setup *fresh)
{
	struct masa_setup *old;

	pthread_mutex_lock(&m->setup_lock);
	old = m->setup;
	m->setup = fresh;
	pthread_mutex_unlock(&m->setup_lock);
	rate_set(m->rate, fresh->config->per_registrar_per_minute);
	return old;
}

struct authenticator masa_authenticator(const struct masa *m, const struct masa_setup *s)
{
	return (struct authenticator){
		.certs = m->certs,
		.domains = m->domains,
		.devices = s->devices,
		.crls = s->crls,
		.serial_from = (enum idevid_serial_source)s->config->serial_from,
		.require_prior = s->config->require_prior,
	};
}
