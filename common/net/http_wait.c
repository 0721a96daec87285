/* SPDX-License-Identifier: Apache-2.0 */
/* A request that is waited for: see http_wait.h. */
#include "common/net/http_wait.h"

struct wait {
	struct loop *loop;
	struct buf *out;
	struct err *e;
	bool ok;
};

static void on_done(void *arg, const struct http_reply *reply, const struct err *e)
{
	struct wait *w = arg;

	if (e)
		*w->e = *e;
	else if (reply->status != 200)
		err_set(w->e, ERR_PEER, "answered %d", reply->status);
	else
		w->ok = buf_append(w->out, reply->body.data, reply->body.len, w->e);
	loop_stop(w->loop);
}

bool http_fetch_and_wait(const struct http_fetch *f, struct buf *out, struct err *e)
{
	struct wait w = {.loop = loop_new(e), .out = out, .e = e};
	struct http_client *client = w.loop ? http_client_new(w.loop, e) : NULL;

	if (client && http_fetch(client, f, on_done, &w, e))
		loop_run(w.loop);
	http_client_free(client);
	loop_free(w.loop);
	return w.ok;
}
