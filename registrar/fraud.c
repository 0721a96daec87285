/* SPDX-License-Identifier: Apache-2.0 */
/* The judgements behind each signal. What they compare is kept in the device's row: its key, the
 * last two networks, when its certificate was renewed, and how much it had today. */
#include "registrar/fraud.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "registrar/meters.h"
#include "registrar/rules.h"

#define NETWORK_BITS_V4 24 /* what one site's uplink has, seen from the registrar */
#define NETWORK_BITS_V6 48
#define DAY_S		86400

const char *const fraud_signal_names[FRAUD_SIGNAL_COUNT + 1] = {
	[FRAUD_CLONE] = "clone-suspected",
	[FRAUD_SECOND_KEY] = "second-key",
	[FRAUD_FOREIGN_DOMAIN] = "foreign-domain",
	[FRAUD_REJOIN] = "rejoin-while-renewing",
	[FRAUD_LOOPING] = "looping",
};

json_t *fraud_marks_json(int64_t marks)
{
	json_t *names = json_array();

	for (int i = 0; names && i < FRAUD_SIGNAL_COUNT; i++)
		if (marks & FRAUD_BIT(i) &&
			json_array_append_new(names, json_string(fraud_signal_names[i])) != 0) {
			json_decref(names);
			return NULL;
		}
	return names;
}

void fraud_marks_text(int64_t marks, char out[FRAUD_MARKS_TEXT_MAX])
{
	size_t len = 0;

	out[0] = '\0';
	for (int i = 0; i < FRAUD_SIGNAL_COUNT && len < FRAUD_MARKS_TEXT_MAX; i++)
		if (marks & FRAUD_BIT(i))
			len += (size_t)snprintf(out + len, FRAUD_MARKS_TEXT_MAX - len, "%s%s",
				len ? ", " : "", fraud_signal_names[i]);
}

void fraud_add(struct fraud *f, const struct device_record *known, enum fraud_signal signal,
	const char *fmt, ...)
{
	va_list args;

	if (known->marks & FRAUD_BIT(signal))
		return;
	f->found |= FRAUD_BIT(signal);
	va_start(args, fmt);
	vsnprintf(f->reason[signal], sizeof(f->reason[signal]), fmt, args);
	va_end(args);
}

bool fraud_quarantines(const struct fraud *f)
{
	return (f->found & f->quarantine_on) != 0;
}

/* ---- Places ---- */

/* Addresses of two families tell nothing about each other. */
static bool comparable(const struct network *a, const struct network *b)
{
	return a->bits == b->bits;
}

static bool same_network(const char *a, const char *b)
{
	struct network n;

	return network_of(a, NETWORK_BITS_V4, NETWORK_BITS_V6, &n) && network_has(&n, b);
}

static bool moved(const char *from, const char *to)
{
	struct network a, b;

	return network_of(from, NETWORK_BITS_V4, NETWORK_BITS_V6, &a) &&
	       network_of(to, NETWORK_BITS_V4, NETWORK_BITS_V6, &b) && comparable(&a, &b) &&
	       !network_has(&a, to);
}

void fraud_judge_place(struct fraud *f, const struct device_record *known, const char *host,
	int64_t now, struct fraud_place *out)
{
	memcpy(out->before, known->address_before, sizeof(out->before));
	out->moved_at = known->moved_at;
	if (!moved(known->address, host))
		return;
	if (same_network(known->address_before, host) && now - known->moved_at < FRAUD_TURNS_S)
		fraud_add(f, known, FRAUD_CLONE, "it asks from %.40s and %.40s in turns",
			known->address, host);
	memcpy(out->before, known->address, sizeof(out->before));
	out->moved_at = now;
}

/* ---- Keys ---- */

void fraud_judge_key(
	struct fraud *f, const struct device_record *known, const uint8_t key_sha256[SHA256_LEN])
{
	static const uint8_t none[SHA256_LEN]; /* it never asked, or before keys were kept */

	if (memcmp(known->key_sha256, none, SHA256_LEN) != 0 &&
		memcmp(known->key_sha256, key_sha256, SHA256_LEN) != 0)
		fraud_add(f, known, FRAUD_SECOND_KEY,
			"its IDevID has another public key than before");
}

/* ---- Joining again ---- */

void fraud_judge_rejoin(struct fraud *f, const struct device_record *known, int64_t now)
{
	if (known->state == DEVICE_ENROLLED && known->not_after > now && known->renewed_at &&
		now - known->renewed_at < FRAUD_RECENT_S)
		fraud_add(f, known, FRAUD_REJOIN,
			"it joins again, %lld s after its certificate was renewed",
			(long long)(now - known->renewed_at));
}

void fraud_judge_renewal(struct fraud *f, const struct device_record *known, int64_t issued_at)
{
	if (issued_at < known->vouched_at)
		fraud_add(f, known, FRAUD_REJOIN,
			"a certificate is renewed that is older than its last joining");
}

/* ---- Looping ---- */

static bool within(struct fraud *f, const struct device_record *known, int64_t had, int64_t most,
	int64_t now, const char *what)
{
	if (known->day != now / DAY_S || had < most)
		return true;
	fraud_add(f, known, FRAUD_LOOPING, "%lld %s today", (long long)had, what);
	return false;
}

bool fraud_judge_joins(
	struct fraud *f, const struct device_record *known, int64_t most, int64_t now)
{
	return within(f, known, known->joins, most, now, "vouchers");
}

bool fraud_judge_certificates(
	struct fraud *f, const struct device_record *known, int64_t most, int64_t now)
{
	return within(f, known, known->certificates, most, now, "certificates");
}

/* ---- Telling ---- */

void fraud_tell(
	struct registrar *r, const char *exchange, struct device_key device, const struct fraud *f)
{
	for (int i = 0; i < FRAUD_SIGNAL_COUNT; i++) {
		if (!(f->found & FRAUD_BIT(i)))
			continue;
		meter_fraud(r, (enum fraud_signal)i);
		log_event(&r->log, LOG_LEVEL_WARNING, "alert-fraud", exchange, "signal",
			fraud_signal_names[i], "manufacturer", device.manufacturer, "serial",
			device.serial, "reason", f->reason[i], "quarantined",
			f->quarantine_on & FRAUD_BIT(i) ? "yes" : "no", NULL);
	}
}
