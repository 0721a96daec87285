/* SPDX-License-Identifier: Apache-2.0 */
/* What the place of a store says about it. Apart, for programs that read configurations and have no
 * store. */
#include <string.h>

#include "common/run/store.h"

bool store_is_remote(const char *where)
{
	static const char *const schemes[] = {"postgresql://", "postgres://"};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
		if (strncmp(where, schemes[i], strlen(schemes[i])) == 0)
			return true;
	return false;
}

bool store_where_check(const char *where, struct err *e)
{
	return store_is_remote(where) || !strstr(where, "://") ||
	       err_set(e, ERR_INPUT, "this is neither a file nor a postgresql:// URI");
}
