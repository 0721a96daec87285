/* SPDX-License-Identifier: Apache-2.0 */
/* What claims.c and claims_decide.c share. */
#ifndef CTL_CLAIMS_IMPL_H
#define CTL_CLAIMS_IMPL_H

#include "ctl/claims.h"

#define CLAIMS_PATH   "/api/v1/claims"
#define PATH_LEN_MAX  4096
#define MATCH_LEN_MAX 2048
#define PAGE	      "limit=1000"

extern const struct ctl_column claims_columns[];

/* path with the size of a page, and the match where one is given. */
bool claims_list_path(
	struct buf *out, const char *path, bool given, const char *match, struct err *e) MUST_CHECK;
/* …/claims/NAME/VERB; verb NULL: the claim itself. */
bool claims_path(struct buf *out, const char *name, const char *verb, struct err *e) MUST_CHECK;
/* Look at a job until it has ended, and say what came of it; accepted: what began it. */
enum ctl_exit claims_follow_job(struct ctl *c, const json_t *accepted);
/* One claim, a new object; what went wrong was said. */
enum ctl_exit claims_get(struct ctl *c, const char *name, json_t **claim);

#endif
