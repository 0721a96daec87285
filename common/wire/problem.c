/* SPDX-License-Identifier: Apache-2.0 */
/* Problem details for HTTP, RFC 9457 §3, with two members of our own: code and exchange. */
#include "common/wire/problem.h"

#include "common/wire/json.h"

bool problem_format(const struct problem *p, struct buf *out, struct err *e)
{
	const char *exchange = p->exchange && *p->exchange ? p->exchange : NULL;
	JSON_AUTO json_t *o = json_pack("{ss ss si ss ss ss*}", "type", "about:blank", "title",
		p->title, "status", p->status, "detail", p->detail, "code", p->code, "exchange",
		exchange);

	if (!o)
		return err_set(e, ERR_INPUT, "a problem that is no UTF-8");
	return json_format(o, out, e);
}
