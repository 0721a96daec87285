/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/proxy_uplinks.h"

#include <ifaddrs.h>
#include <string.h>

static bool add(struct uplinks *u, const char *name, struct err *e)
{
	struct local_interfaces one;

	for (size_t i = 0; i < u->interfaces.count; i++)
		if (strcmp(u->interfaces.names[i], name) == 0)
			return true;
	if (u->interfaces.count == LOCAL_INTERFACES_MAX)
		return true; /* a proxy between so many networks has enough of them */
	if (!local_interfaces_parse(name, &one, e))
		return false;
	memcpy(u->interfaces.names[u->interfaces.count++], one.names[0], IF_NAMESIZE);
	return true;
}

static bool configured(const char *configured_words, struct uplinks *out, struct err *e)
{
	FREE_AUTO char *words = str_dup(configured_words, e);
	char *rest = NULL;

	if (!words)
		return false;
	for (char *w = strtok_r(words, " \t\r\n,", &rest); w;
		w = strtok_r(NULL, " \t\r\n,", &rest)) {
		struct err no_address = ERR_INIT;

		if (!address_parse(w, 0, &out->at, &no_address) && !add(out, w, e))
			return err_prefix(e, "[proxy] uplinks");
	}
	return true;
}

static bool is_place(const struct place *places, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(places[i].interface, name) == 0)
			return true;
	return false;
}

/* Devices are not asked where the registrar is. */
static bool others(
	const struct place *places, size_t place_count, struct uplinks *out, struct err *e)
{
	const unsigned wanted = IFF_UP | IFF_MULTICAST;
	struct ifaddrs *all;
	bool ok = true;

	if (getifaddrs(&all) != 0)
		return err_set_errno(e, ERR_IO, "interfaces");
	for (struct ifaddrs *i = all; ok && i; i = i->ifa_next)
		if ((i->ifa_flags & wanted) == wanted && !(i->ifa_flags & IFF_LOOPBACK) &&
			!is_place(places, place_count, i->ifa_name))
			ok = add(out, i->ifa_name, e);
	freeifaddrs(all);
	return ok;
}

bool uplinks_find(const struct proxy_options *o, const struct place *places, size_t place_count,
	struct uplinks *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	return o->uplinks ? configured(o->uplinks, out, e) : others(places, place_count, out, e);
}
