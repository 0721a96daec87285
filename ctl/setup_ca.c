/* SPDX-License-Identifier: Apache-2.0 */
/* Making or adopting a CA: see setup_ca.h. */
#include "ctl/setup_ca.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/file.h"

#define SAN_TEXT_MAX 2048

const struct ctl_option setup_options[] = {SETUP_OPTIONS, {NULL, NULL}};

bool setup_ca_begin(
	struct setup_ca *a, struct ctl *c, const struct setup_service *service, struct err *e)
{
	if (!setup_begin(&a->s, c, service, e))
		return false;
	a->dir = str_printf(e, "%s/" SETUP_CA_FOLDER, a->s.state);
	return a->dir != NULL;
}

void setup_ca_clear(struct setup_ca *a)
{
	identity_clear(&a->root);
	identity_clear(&a->issuing);
	free_ptr(&a->dir);
	setup_end(&a->s);
}

/* ---- Questions ---- */

/* "CERTIFICATE KEY" at the terminal, two options otherwise. */
static bool split_ca(struct setup_ca *a, struct err *e)
{
	char *blank = strchr(a->given, ' ');

	a->given_key = ctl_option(a->s.c, "existing-key");
	if (!a->given_key && blank) {
		*blank = '\0';
		a->given_key = blank + 1 + strspn(blank + 1, " ");
	}
	if (!a->given[0] != !a->given_key)
		return err_set(e, ERR_INPUT, "a CA has a certificate and a key: name both files");
	return true;
}

static bool ask(struct setup_ca *a, struct err *e)
{
	char host[SETUP_ANSWER_MAX];

	setup_host_name(host);
	return setup_ask(&a->s, "name", "Organization, for the names of certificates", host,
		       a->name, e) &&
	       setup_ask(&a->s, "host", "Name of this machine as devices and browsers write it",
		       host, a->host, e) &&
	       setup_ask(&a->s, "existing-ca",
		       "Files of certificate and key of an issuing CA; nothing: make one", "",
		       a->given, e) &&
	       split_ca(a, e);
}

/* ---- The CA ---- */

static struct hierarchy_order order(const struct setup_ca *a, int days)
{
	return (struct hierarchy_order){.key_type = KEY_EC_P256, .now = a->s.now, .days = days};
}

static bool certify_root(void *arg, struct identity *out, struct err *e)
{
	const struct setup_ca *a = arg;
	const struct hierarchy_order o = order(a, a->days);

	return hierarchy_root(&o, a->name, out, e);
}

static bool certify_issuing(void *arg, struct identity *out, struct err *e)
{
	struct setup_ca *a = arg;
	const struct hierarchy_order o = order(a, a->days);
	const struct setup_pair root = {a->dir, "root", false, certify_root, a};

	return setup_pair(&a->s, &root, &a->root, e) &&
	       hierarchy_issuing(&o, a->name, &a->root, out, e);
}

/* Every self-signed certificate of the file is a root devices may be led to. */
static bool write_roots(const struct setup_ca *a, struct err *e)
{
	FREE_AUTO char *path = str_printf(e, "%s/root.crt", a->dir);
	CERT_LIST_AUTO struct cert_list all = CERT_LIST_INIT;
	BUF_AUTO struct buf pem = BUF_INIT(CERT_LIST_PEM_MAX);

	if (!path || !cert_list_load(a->given, &all, e))
		return false;
	for (size_t i = 0; i < all.count; i++)
		if (cert_is_self_signed(all.items[i]) && !cert_format_pem(all.items[i], &pem, e))
			return false;
	if (pem.len == 0)
		return err_set(e, ERR_INPUT,
			"%s: the root is missing; put it behind the issuing CA's certificate",
			a->given);
	return setup_text(&a->s, path, buf_str(&pem), e);
}

static bool adopt_key(const struct setup_ca *a, const char *to, struct err *e)
{
	KEY_AUTO struct key *k = key_load(a->given_key, e);

	return k && key_save(k, to, e);
}

/* With the key in its place the rest is as for one of our own, but for who signs it: nobody. */
static bool certify_adopted(void *arg, struct identity *out, struct err *e)
{
	struct setup_ca *a = arg;
	struct identity theirs = {0};

	if (!identity_load(&theirs, a->given_key, a->given, e))
		return false;
	if (!cert_is_ca(theirs.cert)) {
		identity_clear(&theirs);
		return err_set(e, ERR_INPUT, "%s is no certificate of a CA", a->given);
	}
	out->cert = cert_ref(theirs.cert);
	out->chain = theirs.chain;
	theirs.chain = (struct cert_list)CERT_LIST_INIT;
	identity_clear(&theirs);
	return true;
}

static bool adopt_ca(struct setup_ca *a, struct err *e)
{
	FREE_AUTO char *key = str_printf(e, "%s/issuing.key", a->dir);
	IDENTITY_AUTO struct identity judged = {0};
	bool is_there = false;
	BUF_AUTO_WIPE struct buf kept = BUF_INIT(KEY_PEM_MAX);

	return key && certify_adopted(a, &judged, e) && write_roots(a, e) &&
	       file_read_if_exists(key, &kept, &is_there, e) && (is_there || adopt_key(a, key, e));
}

static bool want_issuing(struct setup_ca *a, struct err *e)
{
	struct setup_pair pair = {a->dir, "issuing", a->for_service, certify_issuing, a};

	if (a->given_key) {
		if (!adopt_ca(a, e))
			return false;
		pair.certify = certify_adopted;
	}
	return setup_pair(&a->s, &pair, &a->issuing, e);
}

bool setup_ca_make(struct setup_ca *a, struct err *e)
{
	return ask(a, e) && setup_folder(&a->s, a->s.state, true, e) &&
	       setup_folder(&a->s, a->dir, false, e) &&
	       setup_folder(&a->s, a->s.directory, false, e) && want_issuing(a, e);
}

/* ---- Below it ---- */

/* Behind it goes what leads to the root, without the root. */
static bool add_issuers(const struct identity *ca, struct cert_list *chain, struct err *e)
{
	if (!cert_list_add(chain, ca->cert, e))
		return false;
	for (size_t i = 0; i < ca->chain.count; i++)
		if (!cert_is_self_signed(ca->chain.items[i]) &&
			!cert_list_add(chain, ca->chain.items[i], e))
			return false;
	return true;
}

struct membership {
	struct setup_ca *a;
	const struct setup_member *m;
};

static bool certify_member(void *arg, struct identity *out, struct err *e)
{
	const struct membership *in = arg;
	const struct setup_ca *a = in->a;
	const struct hierarchy_order o = order(a, in->m->days);
	BUF_AUTO struct buf san = BUF_INIT(SAN_TEXT_MAX);
	struct hierarchy_member m = {
		in->m->profile, in->m->common_name ? in->m->common_name : a->host, NULL};

	if (in->m->has_san && !setup_san(a->host, &san, e))
		return false;
	m.san = in->m->has_san ? buf_str(&san) : NULL;
	return hierarchy_member(&o, &m, &a->issuing, out, e) &&
	       add_issuers(&a->issuing, &out->chain, e);
}

bool setup_ca_member(struct setup_ca *a, const struct setup_member *m, struct err *e)
{
	struct membership in = {a, m};
	const struct setup_pair pair = {a->s.state, m->stem, true, certify_member, &in};
	IDENTITY_AUTO struct identity made = {0};

	return setup_pair(&a->s, &pair, &made, e);
}

/* ---- The summary ---- */

bool setup_ca_tell(const struct setup_ca *a, const char *who_needs_it, struct err *e)
{
	FREE_AUTO char *path = str_printf(e, "%s/root.crt", a->dir);
	FREE_AUTO char *key = path ? str_printf(e, "%s/root.key", a->dir) : NULL;
	CERT_LIST_AUTO struct cert_list roots = CERT_LIST_INIT;
	struct err ignored = ERR_INIT;

	if (!key)
		return false;
	if (!cert_list_load(path, &roots, &ignored))
		return true; /* somebody's own arrangement */
	setup_tell_fingerprint("CA fingerprint", roots.items[0]);
	if (!a->s.complete && access(key, F_OK) == 0)
		setup_tell("keep safe", "%s: %s", key, who_needs_it);
	return true;
}
