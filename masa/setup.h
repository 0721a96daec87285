/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that comes from the configuration, loaded and checked as a whole and never changed
 * afterwards. A reload makes a new one and puts it in the old one's place; a request takes a
 * reference at its start, so that one policy and one signer serve it from its first step to its
 * last. Owners are not in it: they live in the store and change with masactl. */
#ifndef MASA_SETUP_H
#define MASA_SETUP_H

#include <stdatomic.h>

#include "common/pki/chain.h"
#include "common/pki/crl.h"
#include "common/pki/identity.h"
#include "masa/config.h"
#include "masa/issue.h"
#include "masa/owner.h"
#include "masa/revocation.h"
#include "masa/tokens.h"

struct masa_setup {
	atomic_uint refs;
	const struct masa_config *config; /* own, or borrowed from a test */
	struct masa_config own;
	struct identity signer, nonceless_signer;
	bool has_nonceless_signer;
	struct anchors *devices;
	struct anchors *cloud_registrars; /* NULL: none given */
	struct crl_set *crls;		  /* NULL: none given */
	struct masa_tokens *tokens;	  /* NULL: none given */
	struct buf list;		  /* of all options, to tell what a reload changed */
};

/* Read the file and all it names, at the moment `now`. ERR_INPUT: a signer that has expired, among
 * others. */
struct masa_setup *masa_setup_load(const char *config_path, int64_t now, struct err *e) MUST_CHECK;
/* ... of a configuration that is there already; borrowed for the setup's life. */
struct masa_setup *masa_setup_new(
	const struct masa_config *config, int64_t now, struct err *e) MUST_CHECK;
struct masa_setup *masa_setup_ref(struct masa_setup *s);
void masa_setup_free(struct masa_setup *s);

struct owner_policy masa_owner_policy(const struct masa_setup *s);
struct issue_policy masa_issue_policy(const struct masa_setup *s);
struct revocation_rules masa_revocation_rules(const struct masa_setup *s);
struct signers masa_signers(const struct masa_setup *s);

#endif
