/* SPDX-License-Identifier: Apache-2.0 */
/* Loading a configuration with everything it names: see setup.h. What can be wrong with files is
 * found here, so that --check, a start and a reload say the same. */
#include "registrar/setup.h"

#include <grp.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/file.h"
#include "common/net/dtls.h"
#include "common/run/config_changes.h"
#include "registrar/cloud/allocate.h"
#include "registrar/cloud/regions.h"
#include "registrar/notify/hook_send.h"

#define CLOUD_ANCHORS_MAX (1 << 20)		  /* all that an operating system brings */
#define CHAIN_PEM_MAX	  (2 * CERT_LIST_PEM_MAX) /* our lines may be shorter than the file's */

/* The registrar's certificate signs requests and serves TLS: both uses have to be in it
 * (R8995-REG-034; clientAuth as well when it is shown to a MASA). */
static bool check_certificate(const struct cert *c, int64_t now, struct err *e)
{
	unsigned eku = cert_eku(c);

	if (!(eku & CERT_EKU_CMC_RA))
		return err_set(e, ERR_INPUT,
			"the certificate lacks the extended key usage cmcRA "
			"(1.3.6.1.5.5.7.3.28): no MASA would accept its requests");
	if (!(eku & CERT_EKU_SERVER_AUTH))
		return err_set(
			e, ERR_INPUT, "the certificate lacks the extended key usage serverAuth");
	if (cert_not_after(c) <= now)
		return err_set(e, ERR_INPUT, "the certificate is expired");
	if (cert_not_before(c) > now)
		return err_set(e, ERR_INPUT, "the certificate is not valid yet");
	return true;
}

static bool with_chain(const struct identity *id, struct cert_list *out, struct err *e)
{
	return cert_list_add(out, id->cert, e) && cert_list_append(out, &id->chain, e);
}

/* Devices accept us because we are under what the voucher pins: an end entity without its issuer
 * gives the MASA nothing but itself to pin. */
static bool take_identity(
	struct registrar_face *f, const struct registrar_config *c, int64_t now, struct err *e)
{
	CERT_LIST_AUTO struct cert_list all = CERT_LIST_INIT;

	if (identity_load(&f->identity, c->key, c->certificate, e) &&
		check_certificate(f->identity.cert, now, e) && with_chain(&f->identity, &all, e) &&
		chain_links_intact(&all, e) && cert_list_format_pem(&all, &f->certificate_pem, e) &&
		key_format_pem(f->identity.key, &f->key_pem, e))
		return true;
	return err_prefix(e, "[server]");
}

static struct registrar_face *face_new(struct err *e)
{
	struct registrar_face *f = mem_new(sizeof(*f), e);

	if (!f)
		return NULL;
	atomic_init(&f->refs, 1);
	buf_init(&f->certificate_pem, CHAIN_PEM_MAX);
	buf_init(&f->key_pem, KEY_PEM_MAX);
	return f;
}

struct registrar_face *registrar_face_ref(struct registrar_face *f)
{
	atomic_fetch_add(&f->refs, 1);
	return f;
}

void registrar_face_free(struct registrar_face *f)
{
	if (!f || atomic_fetch_sub(&f->refs, 1) != 1)
		return;
	identity_clear(&f->identity);
	buf_clear(&f->certificate_pem);
	buf_wipe(&f->key_pem);
	free(f);
}

struct registrar_face *registrar_face_shown(
	const struct registrar_setup *s, const struct peer *peer)
{
	struct registrar_face *shown = peer->tls ? tls_server_attached(peer->tls) : NULL;

	return shown ? shown : s->face;
}

static void drop_face(void *face)
{
	registrar_face_free(face);
}

static bool make_tls(struct registrar_setup *s, struct err *e)
{
	s->tls = tls_server_new(&s->face->identity, true, e);
	if (!s->tls)
		return err_prefix(e, "[server]");
	tls_server_attach(s->tls, registrar_face_ref(s->face), drop_face);
	return true;
}

/* One certificate for both carriers: a pledge finds the same registrar on either. */
static bool make_dtls(struct registrar_setup *s, struct err *e)
{
	if (!s->config.coaps_listen)
		return true;
	s->dtls = dtls_server_new(&s->face->identity, e);
	if (!s->dtls)
		return err_prefix(e, "[coaps]");
	tls_server_attach(s->dtls, registrar_face_ref(s->face), drop_face);
	return true;
}

static bool load_manufacturers(struct registrar_setup *s, struct err *e)
{
	for (size_t i = 0; i < s->config.manufacturer_count; i++) {
		if (!manufacturer_load(&s->manufacturers[i], s->config.manufacturers[i], e))
			return false;
		s->manufacturer_count++;
	}
	return true;
}

static bool check_group(const char *name, struct err *e)
{
	return !name || getgrnam(name) ||
	       err_set(e, ERR_INPUT, "[admin] group \"%s\" does not exist", name);
}

/* Whom rules may ask, and the secret shared with them. */
static bool load_decision(struct registrar_setup *s, struct err *e)
{
	struct buf *secret = &s->decision_secret;

	if (!s->config.decision_url)
		return true;
	if (!hook_url_parse(s->config.decision_url, &s->decision_uri, e))
		return err_prefix(e, "[policy] decision_url");
	if (!file_read(s->config.decision_secret, secret, e))
		return err_prefix(e, "[policy] decision_secret");
	while (secret->len > 0 && strchr("\r\n", secret->data[secret->len - 1]))
		secret->data[--secret->len] = '\0';
	s->has_decision = true;
	return secret->len > 0 || err_set(e, ERR_INPUT, "[policy] decision_secret: nothing in it");
}

/* What a cloud registrar decides by. */
static bool load_cloud(struct registrar_setup *s, struct err *e)
{
	const struct registrar_config *c = &s->config;

	if (c->cloud_regions && !(s->regions = regions_load(c->cloud_regions, e)))
		return err_prefix(e, "[cloud] regions");
	if (c->cloud_allocation != ALLOCATE_WEBHOOK || s->decision_uri.scheme != URI_HTTPS)
		return true;
	return file_read(c->hook_anchors, &s->cloud_hook_anchors, e) ||
	       err_prefix(e, "[hooks] anchors");
}

static bool make_list(struct registrar_setup *s, struct err *e)
{
	const struct config_schema *schema = &registrar_config_schema;

	if (!config_list(schema, &s->config, &s->list, e))
		return false;
	for (size_t i = 0; i < s->config.manufacturer_count; i++) {
		const struct manufacturer_config *m = s->config.manufacturers[i];

		if (!config_list_instance(schema, m->name, m, &s->list, e))
			return false;
	}
	return true;
}

static bool open_cas(struct registrar_setup *s, int64_t now, struct err *e)
{
	if (!ca_open_all(&s->config, now, s->cas, e))
		return false;
	s->ca = s->cas[CA_PRIMARY];
	return true;
}

static bool load(struct registrar_setup *s, const char *config_path, int64_t now, struct err *e)
{
	return registrar_config_load(&s->config, config_path, e) && make_list(s, e) &&
	       take_identity(s->face, &s->config, now, e) && open_cas(s, now, e) &&
	       domain_init(&s->face->domain, &s->face->identity, ca_certs(s->ca), e) &&
	       load_manufacturers(s, e) && load_decision(s, e) && load_cloud(s, e) &&
	       check_group(s->config.admin_group, e) && make_tls(s, e) && make_dtls(s, e) &&
	       admin_setup_load(&s->admin, &s->config, &s->face->identity, now, e);
}

struct registrar_setup *registrar_setup_load(const char *config_path, int64_t now, struct err *e)
{
	struct registrar_setup *s = mem_new(sizeof(*s), e);

	if (!s)
		return NULL;
	atomic_init(&s->refs, 1);
	buf_init(&s->list, CONFIG_LIST_MAX);
	buf_init(&s->decision_secret, HOOK_SECRET_MAX);
	buf_init(&s->cloud_hook_anchors, CLOUD_ANCHORS_MAX);
	s->face = face_new(e);
	if (s->face && load(s, config_path, now, e))
		return s;
	registrar_setup_free(s);
	return NULL;
}

struct registrar_setup *registrar_setup_ref(struct registrar_setup *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

void registrar_setup_free(struct registrar_setup *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	tls_server_free(s->tls);
	tls_server_free(s->dtls);
	admin_setup_clear(&s->admin);
	for (size_t i = 0; i < s->manufacturer_count; i++)
		manufacturer_clear(&s->manufacturers[i]);
	buf_wipe(&s->decision_secret);
	buf_clear(&s->cloud_hook_anchors);
	regions_free(s->regions);
	for (size_t i = 0; i < CA_SLOT_COUNT; i++)
		ca_free(s->cas[i]);
	registrar_face_free(s->face);
	registrar_config_clear(&s->config);
	buf_clear(&s->list);
	free(s);
}

const struct manufacturer *registrar_setup_manufacturer(
	const struct registrar_setup *s, const char *name)
{
	for (size_t i = 0; i < s->manufacturer_count; i++)
		if (strcmp(s->manufacturers[i].config->name, name) == 0)
			return &s->manufacturers[i];
	return NULL;
}
