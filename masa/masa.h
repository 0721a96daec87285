/* SPDX-License-Identifier: Apache-2.0 */
/* Everything one MASA has: made once in main.c, handed to every handler. */
#ifndef MASA_MASA_H
#define MASA_MASA_H

#include "common/base/clock.h"
#include "common/base/log.h"
#include "masa/authenticate.h"
#include "masa/config.h"
#include "masa/issue.h"
#include "masa/owner.h"
#include "masa/rate.h"
#include "masa/records.h"

struct masa {
	const struct masa_config *config; /* borrowed */
	struct log log;
	struct clock clock;
	struct identity signer, nonceless_signer;
	bool has_nonceless_signer;
	struct authenticator authenticator;
	struct rate *rate;
	struct owners *owners;
	struct store *store; /* set by masa_open_store() */
};

/* Load what the configuration names: keys, certificates, anchors. Nothing is opened for writing.
 * clock: NULL is the system's. ERR_INPUT: a signer that has expired, among others. */
struct masa *masa_new(const struct masa_config *config, const struct log *l,
	const struct clock *clock, struct err *e) MUST_CHECK;
/* Open the store and read the owners. */
bool masa_open_store(struct masa *m, struct err *e) MUST_CHECK;
void masa_free(struct masa *m);

struct owner_policy masa_owner_policy(const struct masa *m);
struct issue_policy masa_issue_policy(const struct masa *m);
struct signers masa_signers(const struct masa *m);

#endif
