/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/access/access.h"

#include <stdlib.h>
#include <string.h>

#include "registrar/access/principal.h"

bool access_start(struct registrar *r, struct err *e)
{
	struct access *a = mem_new(sizeof(*a), e);

	r->access = a;
	return a && (a->denials = denials_new(e)) && (a->insiders = denials_new(e)) &&
	       (a->attempts = attempts_new(clock_mono_ms(), e)) && (a->hasher = hasher_new(e));
}

void access_end(struct registrar *r)
{
	if (!r->access)
		return;
	hasher_free(r->access->hasher);
	attempts_free(r->access->attempts);
	denials_free(r->access->denials);
	denials_free(r->access->insiders);
	free(r->access);
	r->access = NULL;
}

bool user_name_is_valid(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strspn(name, letters);

	return len >= 1 && len <= USER_NAME_LEN_MAX && name[len] == '\0' &&
	       strspn(name, "._-") == 0;
}
