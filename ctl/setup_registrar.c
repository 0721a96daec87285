/* SPDX-License-Identifier: Apache-2.0 */
/* registrarctl setup: the site's CA or one that is there, the registrar's certificate below it, and
 * the configuration. RFC 8995 §5.5.1 (cmcRA), §2.3. */
#include "ctl/setup_registrar.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/net/local_links.h"
#include "common/wire/json.h"
#include "ctl/internal.h"
#include "ctl/setup_ca.h"

#define PORT	   "8443"
#define ADMIN_PORT "8444"
#define FIRST_USER "admin"
#define USERS_PATH "/api/v1/users"
#define PAGES	   "/usr/share/brski/web" /* where they are when they are nowhere else */
#define CONFIG_MAX 16384
#define NOWHERE	   "none"

const struct ctl_option setup_registrar_options[] = {
	SETUP_OPTIONS, {"announce", "INTERFACE…|" NOWHERE}, {NULL, NULL}};

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
	"[announce]\n"
	"# where devices are told of the registrar; nothing is sent elsewhere\n"
	"%sinterfaces = %s\n"
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
	"# for browsers and registrarctl from elsewhere, with users (registrarctl users): "
	"loopback, or an\n"
	"# address in the network of the administrators, not of the devices\n"
	"listen = 127.0.0.1:" ADMIN_PORT "\n"
	"%sweb = %s\n"
	"\n"
	"# for Prometheus: plain HTTP, anybody who reaches it may ask\n"
	"# [metrics]\n"
	"# listen = 127.0.0.1:9464\n";

/* ---- Where it is announced ---- */

/* One of this machine's own, not part of another one: a bridge to containers, a tunnel, a VLAN may
 * lead to devices as well, which only an administrator knows. */
static bool is_hardware(const char *name)
{
	char path[64 + IF_NAMESIZE];

	snprintf(path, sizeof(path), "/sys/class/net/%s/device", name);
	if (access(path, F_OK) != 0)
		return false;
	snprintf(path, sizeof(path), "/sys/class/net/%s/master", name);
	return access(path, F_OK) != 0;
}

static void suggest_interfaces(char out[SETUP_ANSWER_MAX])
{
	struct if_nameindex *all = if_nameindex();
	size_t len = 0;

	out[0] = '\0';
	for (const struct if_nameindex *i = all; i && i->if_index && len < SETUP_ANSWER_MAX / 2;
		i++)
		if (is_hardware(i->if_name))
			len += (size_t)snprintf(out + len, SETUP_ANSWER_MAX - len, "%s%s",
				len ? " " : "", i->if_name);
	if (all)
		if_freenameindex(all);
	if (!out[0])
		snprintf(out, SETUP_ANSWER_MAX, NOWHERE);
}

static bool ask_interfaces(const struct setup *s, char out[SETUP_ANSWER_MAX],
	struct local_interfaces *chosen, struct err *e)
{
	char suggestion[SETUP_ANSWER_MAX];

	suggest_interfaces(suggestion);
	return setup_ask(s, "announce",
		       "Interfaces to devices, where the registrar announces itself; " NOWHERE
		       ": it does not",
		       suggestion, out, e) &&
	       local_interfaces_parse(out, chosen, e);
}

/* It may come later, with its driver or its cable; a slip of the fingers does not. */
static void tell_missing(const struct setup *s, const struct local_interfaces *all)
{
	for (size_t i = 0; i < all->count; i++)
		if (!if_nametoindex(all->names[i]))
			setup_tell("not there",
				"interface %s: see `ip link`, and correct [announce] interfaces in "
				"%s",
				all->names[i], s->config_path);
}

static bool write_config(const struct setup *s, struct err *e)
{
	const char *at = s->state;
	char interfaces[SETUP_ANSWER_MAX];
	struct local_interfaces chosen;
	bool silent;
	BUF_AUTO struct buf text = BUF_INIT(CONFIG_MAX);
	FREE_AUTO char *pages = setup_data("web", e);

	if (!ask_interfaces(s, interfaces, &chosen, e))
		return false;
	silent = strcmp(interfaces, NOWHERE) == 0;
	if (!silent)
		tell_missing(s, &chosen);
	return buf_printf(&text, e, config_form, s->config_path, at, at, silent ? "# " : "",
		       silent ? "eth0" : interfaces, at, at, at, at, s->socket, pages ? "" : "# ",
		       pages ? pages : PAGES) &&
	       setup_text(s, s->config_path, buf_str(&text), e);
}

static bool make(struct setup_ca *a, struct err *e)
{
	static const struct setup_member registrar = {
		"registrar", PROFILE_REGISTRAR, NULL, true, HIERARCHY_SERVER_DAYS};
	FREE_AUTO char *drop_ins = str_printf(e, "%s.d", a->s.config_path);

	return drop_ins && setup_ca_make(a, e) && setup_folder(&a->s, drop_ins, false, e) &&
	       setup_ca_member(a, &registrar, e) && write_config(&a->s, e) && setup_check(&a->s, e);
}

/* ---- The first user ---- */

/* There is no password before somebody has chosen one: who has the socket gets a code for that. */
static enum ctl_exit make_user(const struct setup *s)
{
	JSON_AUTO json_t *body = json_pack("{ss ss}", "name", FIRST_USER, "role", "admin");
	JSON_AUTO json_t *reply = NULL;
	const char *code;
	enum ctl_exit result;

	s->c->socket = s->socket;
	result = ctl_request_json(s->c, FIRST_USER, "POST", USERS_PATH, body, &reply);
	code = json_string_value(json_object_get(reply, "code"));
	if (result == CTL_DONE && code)
		setup_tell(
			"log-in code", "%s, for the user " FIRST_USER " within 15 minutes", code);
	return result;
}

static void tell_user_command(const struct setup *s, const char *what)
{
	const char *options =
		s->complete ? "users code " FIRST_USER : "users add " FIRST_USER " --role admin";

	if (s->standard)
		setup_tell(what, "registrarctl %s", options);
	else
		setup_tell(what, "registrarctl -s %s %s", s->socket, options);
}

static void tell_next(const struct setup *s)
{
	if (s->standard)
		setup_tell("then", "registrarctl manufacturers add NAME --anchors FILE");
	else
		setup_tell("then",
			"registrarctl -s %s manufacturers add NAME --anchors FILE --directory %s",
			s->socket, s->directory);
}

static bool finish(struct setup_ca *a, struct err *e)
{
	const struct setup *s = &a->s;
	bool runs;

	if (s->complete)
		printf("%s is there: nothing was changed.\n", s->config_path);
	if (!setup_ca_tell(a, "only a new issuing CA needs it; take it elsewhere", e))
		return false;
	if (!s->complete) {
		setup_tell("for devices", "https://%s:" PORT, a->host);
		setup_tell("for browsers",
			"https://localhost:" ADMIN_PORT "/ ([admin] listen opens it to others)");
	}
	if (!setup_start(s, &runs, e))
		return false;
	if (!runs || s->complete || make_user(s) != CTL_DONE)
		tell_user_command(s, "log-in code");
	tell_next(s);
	return true;
}

enum ctl_exit setup_registrar(struct ctl *c, int argc, char **argv)
{
	struct setup_ca a = {.days = HIERARCHY_DOMAIN_DAYS, .for_service = true};
	struct err e = ERR_INIT;
	bool ok = setup_ca_begin(&a, c, &service, &e) && (a.s.complete || make(&a, &e)) &&
		  finish(&a, &e);

	setup_ca_clear(&a);
	return ok ? CTL_DONE : ctl_fail(c, "%s", e.text);
}
