/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that comes from the configuration, loaded and checked as a whole and never changed
 * afterwards. A reload makes a new one and puts it in the old one's place; an exchange takes a
 * reference at its start, so that it is judged by one policy from its first step to its last.
 *
 * What we show to others is apart, with references of its own: a pledge's request names the
 * certificate it saw in its TLS connection, so an exchange on a connection made before a reload is
 * finished with the certificate of that connection (RFC 8995 §5.5: proximity-registrar-cert). */
#ifndef REGISTRAR_SETUP_H
#define REGISTRAR_SETUP_H

#include <stdatomic.h>

#include "common/net/call.h"
#include "common/net/tls.h"
#include "registrar/admin/setup.h"
#include "registrar/ca.h"
#include "registrar/config.h"
#include "registrar/domain.h"
#include "registrar/manufacturer.h"

struct registrar_face {
	atomic_uint refs;
	struct identity identity; /* TLS server, RVR signer, TLS client of the MASA */
	struct domain domain;
	struct buf certificate_pem, key_pem; /* the same once more, for the TLS client */
};

struct registrar_setup {
	atomic_uint refs;
	struct registrar_config config;
	struct registrar_face *face;
	struct tls_server *tls;	 /* with the face attached */
	struct tls_server *dtls; /* the same for CoAPS; NULL without it */
	struct admin_setup admin;
	struct ca *cas[CA_SLOT_COUNT]; /* the one that stands by: or NULL */
	struct ca *_Atomic ca; /* of these the one that issues; changed by issuing.h alone */
	atomic_llong foreign_choice_at; /* when another one was chosen; 0: none was. As above */
	struct manufacturer manufacturers[MANUFACTURERS_MAX];
	size_t manufacturer_count;
	bool has_decision; /* a program is asked where a rule says so: */
	struct uri decision_uri;
	struct buf decision_secret;
	struct buf cloud_hook_anchors; /* PEM, for who allocates by webhook */
	struct regions *regions;       /* or NULL */
	struct buf list;	       /* of all options, to tell what a reload changed */
};

/* Load and check everything the configuration names, at the moment `now`. The error names the one
 * thing that is wrong. */
struct registrar_setup *registrar_setup_load(
	const char *config_path, int64_t now, struct err *e) MUST_CHECK;
struct registrar_setup *registrar_setup_ref(struct registrar_setup *s);
void registrar_setup_free(struct registrar_setup *s);

/* Of this name in the configuration; NULL: none. The setup's. */
const struct manufacturer *registrar_setup_manufacturer(
	const struct registrar_setup *s, const char *name);

/* What the peer of this connection was shown; borrowed from the connection, or from the setup where
 * there is no TLS. */
struct registrar_face *registrar_face_shown(
	const struct registrar_setup *s, const struct peer *peer);
struct registrar_face *registrar_face_ref(struct registrar_face *f);
void registrar_face_free(struct registrar_face *f);

#endif
