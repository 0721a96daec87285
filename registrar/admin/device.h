/* SPDX-License-Identifier: Apache-2.0 */
/* A device by its name, and what administrators do to it:
 *   POST /api/v1/devices/NAME/{quarantine,release,revoke,decommission,replace,move,label,clear}
 * NAME is the number, or the serial-number where no other device goes by it; "manufacturer" in the
 * body says whose serial-number it is. All take "reason", "dry_run" and If-Match, and answer with
 * the device as it is then. move: "site"; label: "set" {name: value}, "remove" [name]; replace:
 * "with" (a serial-number, of "with_manufacturer" or the same), "force" when it is in use;
 * clear, of its marks: "reason" is not left out. */
#ifndef REGISTRAR_ADMIN_DEVICE_H
#define REGISTRAR_ADMIN_DEVICE_H

#include "common/net/call.h"
#include "registrar/records/records.h"
#include "registrar/registrar.h"

#define DEVICES_PATH	"/api/v1/devices/"
#define DEVICE_NAME_MAX 1024

/* What is known of a device while it is decided about. */
struct device_facts {
	int64_t id, revision;
	char *manufacturer, *serial, *labels; /* labels NULL: none */
	char site[SITE_LEN_MAX + 1];
	enum claim_state claim;
	enum device_state state;
	enum standing standing;
	int64_t replaced_by, marks;
	bool seen;
};
void device_facts_clear(struct device_facts *d);
/* The one device of this name that c's principal may see; manufacturer NULL: anybody's.
 * ERR_NOT_FOUND; ERR_CONFLICT: the name is that of several. */
bool device_find(struct registrar *r, const struct call *c, const char *name,
	const char *manufacturer, struct device_facts *out, struct err *e) MUST_CHECK;

void devices_list(struct call *c, void *registrar);
/* GET /api/v1/devices/NAME and …/NAME/history?after=SEQUENCE */
void devices_show(struct call *c, void *registrar);
/* GET /api/v1/devices/find?text=…: claims and devices whose serial-number begins so; with
 * anywhere=true those that have it in them, a bounded number of rows looked at for an answer. */
void devices_find(struct call *c, void *registrar);
void devices_change(struct call *c, void *registrar);

#endif
