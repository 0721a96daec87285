/* SPDX-License-Identifier: Apache-2.0 */
/* Sites as rows. Devices are placed in them by path; a site something is placed in is there. */
#ifndef REGISTRAR_RECORDS_SITES_H
#define REGISTRAR_RECORDS_SITES_H

#include "common/wire/json.h"
#include "registrar/records/records.h"

struct site_row { /* borrowed strings; NULL where there is none */
	const char *path, *name, *note;
	int64_t approvers;    /* administrators that have to agree: 1 or 2 */
	bool rejects_unknown; /* devices nobody announced are rejected, not held */
	int64_t revision;
	int64_t devices, below; /* claims and devices here; and in the sites within */
	bool has_sites;		/* within it */
};
typedef bool records_site_fn(void *arg, const struct site_row *row, struct err *e);
/* By path, those behind `after`. */
bool records_list_sites(struct store *s, const char *after, int64_t limit, records_site_fn *fn,
	void *arg, struct err *e) MUST_CHECK;
/* fn is called when there is one. */
bool records_site(struct store *s, const char *path, records_site_fn *fn, void *arg,
	struct err *e) MUST_CHECK;
bool records_site_exists(struct store *s, const char *path, bool *exists, struct err *e) MUST_CHECK;

/* What holds at a site: the strictest of its own and of all sites it is in. */
struct site_policy {
	int64_t approvers;
	bool rejects_unknown;
};
bool records_site_policy(
	struct store *s, const char *path, struct site_policy *out, struct err *e) MUST_CHECK;

/* What names a site besides the devices in it. */
struct site_uses {
	bool rules, roles; /* of users or tokens */
};
bool records_site_uses(
	struct store *s, const char *path, struct site_uses *out, struct err *e) MUST_CHECK;

/* With the sites it is in that are not there yet, plain ones. ERR_CONFLICT: it is there. */
bool records_add_site(const struct records_writer *w, const struct site_row *site,
	const struct journal_entry *j, struct err *e) MUST_CHECK;
/* ERR_CONFLICT: it is gone, or its revision is another by now. */
bool records_set_site(const struct records_writer *w, const struct site_row *site,
	const struct journal_entry *j, struct err *e) MUST_CHECK;
/* ERR_CONFLICT as well when something is in it or names it. */
bool records_remove_site(const struct records_writer *w, const char *path, int64_t revision,
	const struct journal_entry *j, struct err *e) MUST_CHECK;

#endif
