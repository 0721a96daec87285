/* SPDX-License-Identifier: Apache-2.0 */
/* registrarctl setup: the site's CA or one that is there, the registrar's certificate below it, and
 * the configuration. RFC 8995 §5.5.1 (cmcRA), §2.3. */
#include "ctl/setup_registrar.h"

#include <stdio.h>
#include <string.h>

#include "common/base/file.h"
#include "ctl/setup.h"

#define PORT	     "8443"
#define CONFIG_MAX   16384
#define SAN_TEXT_MAX 2048

const struct ctl_option setup_registrar_options[] = {{"name", "ORG"}, {"host", "NAME"},
	{"existing-ca", "FILE"}, {"existing-key", "FILE"}, {"directory", "DIR"}, {"state", "DIR"},
	{"yes", NULL}, {NULL, NULL}};

static const struct setup_service service = {
	.program = "brski-registrar",
	.config = "registrar.conf",
	.directory = "/etc/brski",
	.state = "/var/lib/brski-registrar",
};

static const char config_form[] =
	"# Made by registrarctl setup. Every option with its default is in "
	"brski-registrar.conf(5)\n"
	"# and in brski-registrar --help. Whatever stands in %s.d/*.conf is read after this\n"
	"# file, manufacturers above all: registrarctl manufacturers add.\n"
	"\n"
	"[server]\n"
	"# where devices come\n"
	"listen = [::]:" PORT "\n"
	"key = %s/registrar.key\n"
	"# end entity first, then its issuers\n"
	"certificate = %s/registrar.crt\n"
	"\n"
	"# constrained devices, CoAP over DTLS\n"
	"# [coaps]\n"
	"# listen = [::]:5684\n"
	"\n"
	"[ca]\n"
	"# what issues certificates to devices\n"
	"key = %s/ca/issuing.key\n"
	"certificate = %s/ca/issuing.crt\n"
	"# the root, which devices come to trust\n"
	"chain = %s/ca/root.crt\n"
	"ldevid_days = 365\n"
	"\n"
	"[store]\n"
	"path = %s/registrar.db\n"
	"\n"
	"[admin]\n"
	"# for registrarctl: root, the service's own user, and whom `group` names\n"
	"socket = %s\n"
	"# group = brski-admin\n"
	"\n"
	"# for Prometheus: plain HTTP, anybody who reaches it may ask\n"
	"# [metrics]\n"
	"# listen = 127.0.0.1:9464\n";

struct plan {
	struct setup s;
	char name[SETUP_ANSWER_MAX], host[SETUP_ANSWER_MAX], ca[SETUP_ANSWER_MAX];
	const char *ca_key; /* of an existing CA; NULL: there is none */
	char *ca_dir;
	struct identity root, issuing, registrar;
};

/* ---- Questions ---- */

/* "CERTIFICATE KEY" at the terminal, two options otherwise. */
static bool split_ca(struct plan *p, struct err *e)
{
	char *blank = strchr(p->ca, ' ');

	p->ca_key = ctl_option(p->s.c, "existing-key");
	if (!p->ca_key && blank) {
		*blank = '\0';
		p->ca_key = blank + 1 + strspn(blank + 1, " ");
	}
	if (!p->ca[0] != !p->ca_key)
		return err_set(e, ERR_INPUT, "a CA has a certificate and a key: name both files");
	return true;
}

static bool ask(struct plan *p, struct err *e)
{
	char host[SETUP_ANSWER_MAX];

	setup_host_name(host);
	return setup_ask(&p->s, "name", "Organization, for the names of certificates", host,
		       p->name, e) &&
	       setup_ask(&p->s, "host", "Name of this machine as devices and browsers write it",
		       host, p->host, e) &&
	       setup_ask(&p->s, "existing-ca",
		       "Files of certificate and key of an issuing CA; nothing: make one", "",
		       p->ca, e) &&
	       split_ca(p, e);
}

/* ---- The CA ---- */

static struct hierarchy_order order(const struct plan *p, int days)
{
	return (struct hierarchy_order){.key_type = KEY_EC_P256, .now = p->s.now, .days = days};
}

static bool certify_root(void *arg, struct identity *out, struct err *e)
{
	const struct plan *p = arg;
	const struct hierarchy_order o = order(p, HIERARCHY_DOMAIN_DAYS);

	return hierarchy_root(&o, p->name, out, e);
}

static bool certify_issuing(void *arg, struct identity *out, struct err *e)
{
	struct plan *p = arg;
	const struct hierarchy_order o = order(p, HIERARCHY_DOMAIN_DAYS);
	const struct setup_pair root = {p->ca_dir, "root", false, certify_root, p};

	return setup_pair(&p->s, &root, &p->root, e) &&
	       hierarchy_issuing(&o, p->name, &p->root, out, e);
}

/* Every self-signed certificate of the file is a root devices may be led to. */
static bool write_roots(const struct plan *p, struct err *e)
{
	FREE_AUTO char *path = str_printf(e, "%s/root.crt", p->ca_dir);
	CERT_LIST_AUTO struct cert_list all = CERT_LIST_INIT;
	BUF_AUTO struct buf pem = BUF_INIT(CERT_LIST_PEM_MAX);

	if (!path || !cert_list_load(p->ca, &all, e))
		return false;
	for (size_t i = 0; i < all.count; i++)
		if (cert_is_self_signed(all.items[i]) && !cert_format_pem(all.items[i], &pem, e))
			return false;
	if (pem.len == 0)
		return err_set(e, ERR_INPUT,
			"%s: the root is missing; put it behind the issuing CA's certificate",
			p->ca);
	return setup_text(&p->s, path, buf_str(&pem), e);
}

static bool adopt_key(const struct plan *p, const char *to, struct err *e)
{
	KEY_AUTO struct key *k = key_load(p->ca_key, e);

	return k && key_save(k, to, e);
}

/* With the key in its place the rest is as for one of our own, but for who signs it: nobody. */
static bool certify_adopted(void *arg, struct identity *out, struct err *e)
{
	struct plan *p = arg;
	struct identity theirs = {0};

	if (!identity_load(&theirs, p->ca_key, p->ca, e))
		return false;
	if (!cert_is_ca(theirs.cert)) {
		identity_clear(&theirs);
		return err_set(e, ERR_INPUT, "%s is no certificate of a CA", p->ca);
	}
	out->cert = cert_ref(theirs.cert);
	out->chain = theirs.chain;
	theirs.chain = (struct cert_list)CERT_LIST_INIT;
	identity_clear(&theirs);
	return true;
}

static bool adopt_ca(struct plan *p, struct err *e)
{
	FREE_AUTO char *key = str_printf(e, "%s/issuing.key", p->ca_dir);
	IDENTITY_AUTO struct identity judged = {0};
	bool is_there = false;
	BUF_AUTO_WIPE struct buf kept = BUF_INIT(KEY_PEM_MAX);

	return key && certify_adopted(p, &judged, e) && write_roots(p, e) &&
	       file_read_if_exists(key, &kept, &is_there, e) && (is_there || adopt_key(p, key, e));
}

static bool want_issuing(struct plan *p, struct err *e)
{
	struct setup_pair pair = {p->ca_dir, "issuing", true, certify_issuing, p};

	if (p->ca_key) {
		if (!adopt_ca(p, e))
			return false;
		pair.certify = certify_adopted;
	}
	return setup_pair(&p->s, &pair, &p->issuing, e);
}

/* ---- The registrar ---- */

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

static bool certify_registrar(void *arg, struct identity *out, struct err *e)
{
	struct plan *p = arg;
	const struct hierarchy_order o = order(p, HIERARCHY_SERVER_DAYS);
	BUF_AUTO struct buf san = BUF_INIT(SAN_TEXT_MAX);
	struct hierarchy_member m = {PROFILE_REGISTRAR, p->host, NULL};

	if (!setup_san(p->host, &san, e))
		return false;
	m.san = buf_str(&san);
	return hierarchy_member(&o, &m, &p->issuing, out, e) &&
	       add_issuers(&p->issuing, &out->chain, e);
}

static bool write_config(const struct plan *p, struct err *e)
{
	const char *at = p->s.state;
	BUF_AUTO struct buf text = BUF_INIT(CONFIG_MAX);

	return buf_printf(&text, e, config_form, p->s.config_path, at, at, at, at, at, at,
		       p->s.socket) &&
	       setup_text(&p->s, p->s.config_path, buf_str(&text), e);
}

static bool make(struct plan *p, struct err *e)
{
	const struct setup_pair registrar = {p->s.state, "registrar", true, certify_registrar, p};
	FREE_AUTO char *drop_ins = str_printf(e, "%s.d", p->s.config_path);

	return drop_ins && ask(p, e) && setup_folder(&p->s, p->s.state, true, e) &&
	       setup_folder(&p->s, p->ca_dir, false, e) &&
	       setup_folder(&p->s, p->s.directory, false, e) &&
	       setup_folder(&p->s, drop_ins, false, e) && want_issuing(p, e) &&
	       setup_pair(&p->s, &registrar, &p->registrar, e) && write_config(p, e);
}

/* ---- The summary ---- */

static bool tell_ca(const struct plan *p, struct err *e)
{
	FREE_AUTO char *path = str_printf(e, "%s/root.crt", p->ca_dir);
	FREE_AUTO char *key = path ? str_printf(e, "%s/root.key", p->ca_dir) : NULL;
	CERT_LIST_AUTO struct cert_list roots = CERT_LIST_INIT;
	struct err ignored = ERR_INIT;
	BUF_AUTO_WIPE struct buf kept = BUF_INIT(KEY_PEM_MAX);
	bool is_there;

	if (!key)
		return false;
	if (!cert_list_load(path, &roots, &ignored))
		return true; /* somebody's own arrangement */
	setup_tell_fingerprint("CA fingerprint", roots.items[0]);
	if (!p->s.complete && file_read_if_exists(key, &kept, &is_there, &ignored) && is_there)
		setup_tell(
			"keep safe", "%s: only a new issuing CA needs it; take it elsewhere", key);
	return true;
}

static bool finish(struct plan *p, struct err *e)
{
	bool runs;

	if (p->s.complete)
		printf("%s is there: nothing was changed.\n", p->s.config_path);
	else if (!setup_check(&p->s, e))
		return false;
	if (!tell_ca(p, e))
		return false;
	if (!p->s.complete)
		setup_tell("for devices", "https://%s:" PORT, p->host);
	if (!setup_start(&p->s, &runs, e))
		return false;
	setup_tell("then", "registrarctl%s%s manufacturers add NAME --anchors FILE%s%s",
		p->s.standard ? "" : " -s ", p->s.standard ? "" : p->s.socket,
		p->s.standard ? "" : " --directory ", p->s.standard ? "" : p->s.directory);
	return true;
}

enum ctl_exit setup_registrar(struct ctl *c, int argc, char **argv)
{
	struct plan p = {.ca_key = NULL};
	struct err e = ERR_INIT;
	bool ok = setup_begin(&p.s, c, &service, &e) &&
		  (p.ca_dir = str_printf(&e, "%s/ca", p.s.state)) != NULL &&
		  (p.s.complete || make(&p, &e)) && finish(&p, &e);

	identity_clear(&p.root);
	identity_clear(&p.issuing);
	identity_clear(&p.registrar);
	free_ptr(&p.ca_dir);
	setup_end(&p.s);
	return ok ? CTL_DONE : ctl_fail(c, "%s", e.text);
}
