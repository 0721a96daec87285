/* SPDX-License-Identifier: Apache-2.0 */
/* May this registrar have a voucher for this device? The inventory says which devices exist, owners
 * are domains the administrator configured with their anchors, and policy says what either is
 * needed for (RFC 8995 §5.5.4, §7.4, §11). */
#ifndef MASA_OWNER_H
#define MASA_OWNER_H

#include "masa/authenticate.h"
#include "masa/records.h"

enum ownership { OWNERSHIP_AUDIT_ONLY, OWNERSHIP_KNOWN_OWNER };
enum nonceless { NONCELESS_REFUSE, NONCELESS_OWNERS };

struct owners; /* all owners with their anchors, in memory; replaced as a whole, safe between
		  threads */

struct owners *owners_new(struct err *e) MUST_CHECK;
void owners_free(struct owners *o);
/* Read them from the store: at the start and after every change. What was there stays when it
 * fails. */
bool owners_load(struct owners *o, struct store *s, struct err *e) MUST_CHECK;
bool owners_exist(struct owners *o, const char *name);
size_t owners_count(struct owners *o);
/* Does the chain lead to one of this owner's anchors? path: out, signer first, anchor last.
 * ERR_UNAUTHENTICATED when not, ERR_NOT_FOUND when there is no such owner. */
bool owners_verify(struct owners *o, const char *name, struct cert *signer,
	const struct cert_list *certs, int64_t now, struct cert_list *path,
	struct err *e) MUST_CHECK;
/* ... to any owner's anchor? */
bool owners_know(struct owners *o, struct cert *signer, const struct cert_list *certs, int64_t now);

struct owner_policy {
	enum ownership ownership;
	enum nonceless nonceless;
};

struct permit { /* views into what was handed in */
	const struct device *device;
	bool namesakes;	     /* the serial number alone does not name the device (R8995-MASA-023) */
	bool owner_verified; /* the registrar is its owner's; path is then that chain */
	char *est_domain, *configuration; /* for a cloud registrar: where the owner wants it; owned.
					     The path is then the pin alone */
	struct cert_list path;		  /* the chain to choose the pin from: signer first */
};
void permit_clear(struct permit *p);

/* found: the devices with the request's serial number.
 * ERR_UNKNOWN_DEVICE is told only to whoever proved to stand beside the device or to be one of the
 * owners, so that nobody enumerates serials; others get the ERR_REFUSED of a stranger. */
bool owner_permit(struct owners *o, const struct owner_policy *policy, const struct authentic *a,
	const struct device_list *found, int64_t now, struct permit *out, struct err *e) MUST_CHECK;
/* The same for a cloud registrar, which speaks for no domain: the device's owner decides, and has
 * to have an EST server. ERR_REFUSED: it has none, or is not known (brski-cloud §3.2.3, §9.4). */
bool owner_permit_cloud(struct store *s, const struct authentic *a, const struct device_list *found,
	struct permit *out, struct err *e) MUST_CHECK;
/* The device meant among those with the serial number, or NULL. */
const struct device *owner_find_device(const struct device_list *found, const struct authentic *a);

#endif
