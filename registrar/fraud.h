/* SPDX-License-Identifier: Apache-2.0 */
/* Signals that a device is not what it seems to be: what is noticed on the road of its requests,
 * marks the device, stands in the journal (step fraud) and may quarantine it, all in the
 * transaction that the request has anyway. A mark stays until an administrator clears it; what is
 * marked already is not said again. All of it is about one identity, never about a source address:
 * a warehouse has one. Judging is free of I/O. */
#ifndef REGISTRAR_FRAUD_H
#define REGISTRAR_FRAUD_H

#include "common/pki/cert.h"
#include "common/wire/json.h"
#include "registrar/records/records.h"

enum fraud_signal {
	FRAUD_CLONE,	      /* asks from two networks in turns */
	FRAUD_SECOND_KEY,     /* another public key than this serial-number had */
	FRAUD_FOREIGN_DOMAIN, /* another domain got a voucher after we did */
	FRAUD_REJOIN,	      /* joins again while its certificate is being renewed */
	FRAUD_LOOPING,	      /* more vouchers or certificates in a day than the policy has it */
	FRAUD_SIGNAL_COUNT
};
#define FRAUD_BIT(signal) (1u << (signal))

/* As journal, configuration and metric have them; NULL-ended. */
extern const char *const fraud_signal_names[FRAUD_SIGNAL_COUNT + 1];
/* The names of marks, as an array. */
json_t *fraud_marks_json(int64_t marks);
#define FRAUD_MARKS_TEXT_MAX 128
/* The same as "second-key, looping". */
void fraud_marks_text(int64_t marks, char out[FRAUD_MARKS_TEXT_MAX]);

#define FRAUD_REASON_MAX 127

/* What was found about one request. */
struct fraud {
	unsigned quarantine_on; /* signals that quarantine, bits: the policy */
	unsigned found;		/* bits, of signals the device was not marked with */
	char reason[FRAUD_SIGNAL_COUNT][FRAUD_REASON_MAX + 1];
};
/* Add a signal, unless the device bears its mark. */
void fraud_add(struct fraud *f, const struct device_record *known, enum fraud_signal signal,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Does anything of it quarantine the device? */
bool fraud_quarantines(const struct fraud *f);

/* Where a device was, as far as it tells clones: kept with it. */
struct fraud_place {
	char before[ADDRESS_KEPT + 1]; /* the last address of the network it came from before */
	int64_t moved_at;	       /* when it came from another network first; 0: never */
};
/* A device that asks from `host` at the moment `now`: clone-suspected when that is the network it
 * had left within FRAUD_TURNS_S. Moving is no signal. */
void fraud_judge_place(struct fraud *f, const struct device_record *known, const char *host,
	int64_t now, struct fraud_place *out);
/* Its public key, as a digest, against the one of before. */
void fraud_judge_key(
	struct fraud *f, const struct device_record *known, const uint8_t key_sha256[SHA256_LEN]);
/* It asks for a voucher: is the certificate it has being renewed? */
void fraud_judge_rejoin(struct fraud *f, const struct device_record *known, int64_t now);
/* A certificate of issued_at is being renewed: has its device joined again since? */
void fraud_judge_renewal(struct fraud *f, const struct device_record *known, int64_t issued_at);
/* It wants one more voucher (certificate) today: false: it had as many as it may have, which is
 * looping. */
bool fraud_judge_joins(
	struct fraud *f, const struct device_record *known, int64_t most, int64_t now);
bool fraud_judge_certificates(
	struct fraud *f, const struct device_record *known, int64_t most, int64_t now);

struct registrar;
/* Count what was found, and say it in the log. */
void fraud_tell(
	struct registrar *r, const char *exchange, struct device_key device, const struct fraud *f);

#endif
