/* SPDX-License-Identifier: Apache-2.0 */
/* masactl setup: the CA of the devices' IDevIDs or one that is there, what signs vouchers and the
 * TLS server below it, and the configuration. The CA's keys stay with who sets up: the factory
 * needs them, the service does not. */
#include "ctl/setup_masa.h"

#include <stdio.h>

#include "ctl/setup_ca.h"

#define PORT	   "9443"
#define CONFIG_MAX 16384

static const struct setup_service service = {
	.program = "brski-masa",
	.config = "masa.conf",
	.directory = "/etc/brski",
	.state = "/var/lib/brski-masa",
};

static const char config_form[] =
	"# Made by masactl setup. Every option with its default is in brski-masa.conf(5) and in\n"
	"# brski-masa --help. Whatever stands in %s.d/*.conf is read after this file.\n"
	"\n"
	"[server]\n"
	"# where registrars come\n"
	"listen = [::]:" PORT "\n"
	"key = %s/masa-tls.key\n"
	"certificate = %s/masa-tls.crt\n"
	"\n"
	"[signer]\n"
	"# what vouchers are signed with\n"
	"key = %s/masa-signer.key\n"
	"certificate = %s/masa-signer.crt\n"
	"\n"
	"[devices]\n"
	"# the root of the devices' IDevIDs\n"
	"anchors = %s/ca/root.crt\n"
	"\n"
	"[store]\n"
	"path = %s/masa.db\n"
	"\n"
	"[admin]\n"
	"# for masactl: root, the service's own user, and whom `group` names\n"
	"socket = %s\n"
	"# group = brski-admin\n"
	"\n"
	"[policy]\n"
	"# any registrar beside the device, and logged; known-owner: the device's owner only\n"
	"ownership = audit-only\n"
	"\n"
	"# for Prometheus: plain HTTP, anybody who reaches it may ask\n"
	"# [metrics]\n"
	"# listen = 127.0.0.1:9465\n";

static bool write_config(const struct setup *s, struct err *e)
{
	const char *at = s->state;
	BUF_AUTO struct buf text = BUF_INIT(CONFIG_MAX);

	return buf_printf(
		       &text, e, config_form, s->config_path, at, at, at, at, at, at, s->socket) &&
	       setup_text(s, s->config_path, buf_str(&text), e);
}

static bool make(struct setup_ca *a, struct err *e)
{
	static const struct setup_member signer = {"masa-signer", PROFILE_MASA_SIGNER,
						 "MASA voucher signer", false,
						 HIERARCHY_SIGNER_DAYS},
					 server = {"masa-tls", PROFILE_TLS_SERVER, NULL, true,
						 HIERARCHY_SERVER_DAYS};

	return setup_ca_make(a, e) && setup_ca_member(a, &signer, e) &&
	       setup_ca_member(a, &server, e) && write_config(&a->s, e) && setup_check(&a->s, e);
}

static void tell_next(const struct setup_ca *a)
{
	if (!a->s.complete)
		setup_tell("in the factory",
			"brski-certs idevid --ca %s --masa-url %s:" PORT " --out DIR --csv FILE",
			a->dir, a->host);
	setup_tell("then", "masactl%s%s devices import DIR/manifest.csv",
		a->s.standard ? "" : " -s ", a->s.standard ? "" : a->s.socket);
}

static bool finish(struct setup_ca *a, struct err *e)
{
	bool runs;

	if (a->s.complete)
		printf("%s is there: nothing was changed.\n", a->s.config_path);
	if (!setup_ca_tell(a, "only a new issuing CA needs it; take it elsewhere", e))
		return false;
	setup_tell("for sites",
		"%s/root.crt: their registrars trust it, and devices (masa_anchors)", a->dir);
	if (!setup_start(&a->s, &runs, e))
		return false;
	tell_next(a);
	return true;
}

enum ctl_exit setup_masa(struct ctl *c, int argc, char **argv)
{
	struct setup_ca a = {.days = HIERARCHY_DAYS_FOREVER, .for_service = false};
	struct err e = ERR_INIT;
	bool ok = setup_ca_begin(&a, c, &service, &e) && (a.s.complete || make(&a, &e)) &&
		  finish(&a, &e);

	setup_ca_clear(&a);
	return ok ? CTL_DONE : ctl_fail(c, "%s", e.text);
}
