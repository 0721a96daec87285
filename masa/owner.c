/* SPDX-License-Identifier: Apache-2.0 */
/* Inventory and ownership: see owner.h. */
#include "masa/owner.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "masa/destination.h"

struct owner {
	char *name;
	struct anchors *anchors;
};

struct owner_set {	     /* immutable once made */
	struct owner *items; /* in order of name, as the store gives them */
	size_t count;
	struct cert_list all;	  /* every owner's anchors */
	struct anchors *union_of; /* NULL when there are none */
	size_t refs;		  /* guarded by struct owners' lock */
};

struct owners {
	pthread_mutex_t lock; /* guards the pointer and its count */
	struct owner_set *set;
};

static void set_free(struct owner_set *s)
{
	for (size_t i = 0; i < s->count; i++) {
		free(s->items[i].name);
		anchors_free(s->items[i].anchors);
	}
	free(s->items);
	cert_list_clear(&s->all);
	anchors_free(s->union_of);
	free(s);
}

static struct owner_set *set_take(struct owners *o)
{
	struct owner_set *s;

	pthread_mutex_lock(&o->lock);
	s = o->set;
	s->refs++;
	pthread_mutex_unlock(&o->lock);
	return s;
}

static void set_give(struct owners *o, struct owner_set *s)
{
	bool last;

	pthread_mutex_lock(&o->lock);
	last = --s->refs == 0;
	pthread_mutex_unlock(&o->lock);
	if (last)
		set_free(s);
}

struct owners *owners_new(struct err *e)
{
	struct owners *o = mem_new(sizeof(*o), e);

	if (!o)
		return NULL;
	pthread_mutex_init(&o->lock, NULL);
	o->set = mem_new(sizeof(*o->set), e);
	if (!o->set) {
		owners_free(o);
		return NULL;
	}
	o->set->refs = 1;
	return o;
}

void owners_free(struct owners *o)
{
	if (!o)
		return;
	if (o->set)
		set_give(o, o->set);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

/* ---- reading them ---- */

static bool add_owner(
	void *arg, const char *name, const char *anchors_pem, int64_t created, struct err *e)
{
	struct owner_set *s = arg;
	CERT_LIST_AUTO struct cert_list certs = CERT_LIST_INIT;
	struct owner *grown;

	if (s->count == MASA_OWNERS_MAX)
		return err_set(e, ERR_TOO_LARGE, "more than %d owners", MASA_OWNERS_MAX);
	if (!cert_list_parse_pem(bytes_of_str(anchors_pem), &certs, e))
		return err_prefix(e, "anchors of owner %s", name);
	grown = realloc(s->items, (s->count + 1) * sizeof(*grown));
	if (!grown)
		return err_set(e, ERR_NO_MEMORY, "no memory for the owners");
	s->items = grown;
	grown[s->count] =
		(struct owner){.name = str_dup(name, e), .anchors = anchors_new(&certs, e)};
	s->count++;
	if (!grown[s->count - 1].name || !grown[s->count - 1].anchors)
		return false;
	return cert_list_append(&s->all, &certs, e);
}

bool owners_load(struct owners *o, struct store *store, struct err *e)
{
	struct owner_set *fresh = mem_new(sizeof(*fresh), e), *old;

	if (!fresh)
		return false;
	fresh->refs = 1;
	if (!records_owners_list(store, add_owner, fresh, e) ||
		(fresh->all.count && !(fresh->union_of = anchors_new(&fresh->all, e)))) {
		set_free(fresh);
		return false;
	}
	pthread_mutex_lock(&o->lock);
	old = o->set;
	o->set = fresh;
	pthread_mutex_unlock(&o->lock);
	set_give(o, old);
	return true;
}

static int by_name(const void *name, const void *item)
{
	return strcmp(name, ((const struct owner *)item)->name);
}

static const struct owner *find_owner(const struct owner_set *s, const char *name)
{
	if (s->count == 0)
		return NULL;
	return bsearch(name, s->items, s->count, sizeof(*s->items), by_name);
}

bool owners_exist(struct owners *o, const char *name)
{
	struct owner_set *s = set_take(o);
	bool found = find_owner(s, name) != NULL;

	set_give(o, s);
	return found;
}

size_t owners_count(struct owners *o)
{
	struct owner_set *s = set_take(o);
	size_t n = s->count;

	set_give(o, s);
	return n;
}

bool owners_verify(struct owners *o, const char *name, struct cert *signer,
	const struct cert_list *certs, int64_t now, struct cert_list *path, struct err *e)
{
	struct owner_set *s = set_take(o);
	const struct owner *owner = find_owner(s, name);
	bool ok = owner ? chain_verify(owner->anchors, signer, certs, now, path, e)
			: err_set(e, ERR_NOT_FOUND, "no owner %s", name);

	set_give(o, s);
	return ok;
}

bool owners_know(struct owners *o, struct cert *signer, const struct cert_list *certs, int64_t now)
{
	struct owner_set *s = set_take(o);
	struct err ignored = ERR_INIT;
	bool ok = s->union_of && chain_verify(s->union_of, signer, certs, now, NULL, &ignored);

	set_give(o, s);
	return ok;
}

/* ---- the device ---- */

static bool issuer_matches(const struct device *d, const struct authentic *a)
{
	struct bytes key;

	if (a->has_pvr)
		return idevid_issuer_matches(a->pvr.signer, buf_bytes(&d->idevid_issuer));
	key = idevid_issuer_key_id(buf_bytes(&a->rvr.fields.idevid_issuer));
	return key.len > 0 && bytes_equal(key, buf_bytes(&d->issuer_key));
}

/* T-08: an idevid-issuer in a shape nobody knows says nothing; the serial alone decides then, if it
 * can. */
const struct device *owner_find_device(const struct device_list *found, const struct authentic *a)
{
	const struct device *any = NULL;
	bool says =
		a->has_pvr || idevid_issuer_key_id(buf_bytes(&a->rvr.fields.idevid_issuer)).len > 0;

	for (size_t i = 0; i < found->count; i++) {
		const struct device *d = &found->items[i];

		if (d->issuer_key.len && says && issuer_matches(d, a))
			return d;
		if (!d->issuer_key.len || (!says && found->count == 1))
			any = d;
	}
	return any;
}

/* ---- the decision ---- */

void permit_clear(struct permit *p)
{
	cert_list_clear(&p->path);
	free_ptr(&p->est_domain);
	free_ptr(&p->configuration);
}

static bool refuse_stranger(struct err *e)
{
	err_set(e, ERR_REFUSED, "the registrar is no owner's, and no pledge vouches for it");
	return err_tell(e,
		"This registrar may not have a voucher for this device without the device's "
		"own signed request.");
}

/* R8995-MASA-009: without the pledge's word, only an owner is heard at all. */
static bool unknown_device(struct owners *o, const struct authentic *a, int64_t now, struct err *e)
{
	if (a->has_pvr || owners_know(o, a->rvr.signer, &a->rvr.certs, now))
		return err_set(e, ERR_UNKNOWN_DEVICE, "no device %s", a->rvr.fields.serial_number);
	return refuse_stranger(e);
}

static bool owner_holds(
	struct owners *o, const struct authentic *a, int64_t now, struct permit *p, struct err *e)
{
	const struct device *d = p->device;

	if (d->owner &&
		owners_verify(o, d->owner, a->rvr.signer, &a->rvr.certs, now, &p->path, e)) {
		p->owner_verified = true;
		return true;
	}
	if (d->owner && e->kind == ERR_NO_MEMORY)
		return false;
	if (!a->has_pvr && !owners_know(o, a->rvr.signer, &a->rvr.certs, now))
		return refuse_stranger(e);
	if (d->owner) {
		err_set(e, ERR_REFUSED, "the device belongs to %s", d->owner);
		return err_tell(e, "This device belongs to another owner.");
	}
	err_set(e, ERR_REFUSED, "the device has no owner on record");
	return err_tell(e, "This device has no owner on record; the manufacturer can enter one.");
}

bool owner_permit(struct owners *o, const struct owner_policy *policy, const struct authentic *a,
	const struct device_list *found, int64_t now, struct permit *out, struct err *e)
{
	bool nonceless = a->rvr.fields.nonce == NULL;

	*out = (struct permit){
		.device = owner_find_device(found, a), .namesakes = found->count > 1};
	if (nonceless && policy->nonceless == NONCELESS_REFUSE) {
		err_set(e, ERR_REFUSED, "nonceless request, and policy refuses those");
		return err_tell(e, "This MASA does not issue vouchers without a nonce.");
	}
	if (!out->device)
		return unknown_device(o, a, now, e);
	if (nonceless || !a->has_pvr || policy->ownership == OWNERSHIP_KNOWN_OWNER)
		return owner_holds(o, a, now, out, e);
	return cert_list_append(&out->path, &a->domain, e);
}

/* ---- for a cloud registrar ---- */

static bool take_est(const struct destinations *places, struct permit *p, struct err *e)
{
	const struct destination *est = destinations_only(places, DESTINATION_EST);
	const struct destination *more = destinations_only(places, DESTINATION_CONFIGURATION);
	CERT_AUTO struct cert *pin = NULL;

	if (!est) {
		err_set(e, ERR_REFUSED, "the owner %s has no EST server", p->device->owner);
		return err_tell(e, "The owner of this device has no EST server.");
	}
	pin = cert_parse(buf_bytes(&est->pin), e);
	if (!pin || !cert_list_add(&p->path, pin, e))
		return false;
	p->est_domain = str_dup(est->url, e);
	p->configuration = more ? str_dup(more->url, e) : NULL;
	return p->est_domain && (!more || p->configuration);
}

bool owner_permit_cloud(struct store *s, const struct authentic *a, const struct device_list *found,
	struct permit *out, struct err *e)
{
	DESTINATIONS_AUTO struct destinations places = {.count = 0};

	*out = (struct permit){
		.device = owner_find_device(found, a), .namesakes = found->count > 1};
	if (!a->has_pvr || !a->rvr.fields.nonce) {
		err_set(e, ERR_REFUSED, "a cloud registrar without the device's own request");
		return err_tell(e, "A cloud registrar needs the device's own signed request.");
	}
	if (!out->device)
		return err_set(e, ERR_UNKNOWN_DEVICE, "no device %s", a->rvr.fields.serial_number);
	if (!out->device->owner) {
		err_set(e, ERR_REFUSED, "the device has no owner on record");
		return err_tell(e, "No owner has claimed this device.");
	}
	return destinations_find(s, out->device->owner, &places, e) && take_est(&places, out, e);
}
