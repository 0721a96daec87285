/* SPDX-License-Identifier: Apache-2.0 */
/* Fetching a voucher without a nonce, and giving it to its device. The device has not asked, so
 * that nothing of it goes along: its serial-number, and its IDevID's issuer where that is
 * configured (RFC 8995 §5.5). The MASA gives it to a registrar of the device's owner only. It is
 * vetted when it comes and again when it is used: the domain may have another CA by then. */
#include "registrar/ahead.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/pki/cms.h"
#include "common/pki/idevid.h"
#include "common/wire/datetime.h"
#include "registrar/endorse.h"
#include "registrar/masa.h"
#include "registrar/masa_watch.h"
#include "registrar/meters.h"
#include "registrar/records/ahead.h"
#include "registrar/vet.h"

#define MASA_URL_TEXT (URI_HOST_MAX + URI_PATH_MAX + 32)

struct fetch {
	struct registrar *r;
	struct loop *loop;
	struct registrar_setup *setup;
	struct registrar_face *face;
	const struct manufacturer *manufacturer;
	const struct voucher_format *format;
	char *serial, *by, *exchange;
	bool again, cose;
	struct uri masa;
	struct buf request, voucher;
	int64_t asked_us;
	ahead_done *done;
	void *arg;
};

const char *ahead_type(bool constrained)
{
	return constrained ? VOUCHER_COSE : "application/voucher-cms+json";
}

static void fetch_free(struct fetch *f)
{
	registrar_setup_free(f->setup);
	registrar_face_free(f->face);
	free(f->serial);
	free(f->by);
	free(f->exchange);
	buf_clear(&f->request);
	buf_clear(&f->voucher);
	registrar_work_end(f->r);
	free(f);
}

static void fetch_end(struct fetch *f, const struct err *e)
{
	f->done(f->arg, e);
	fetch_free(f);
}

/* ---- The request ---- */

static bool make_request(struct fetch *f, struct err *e)
{
	const struct endorsement w = {
		.format = f->format,
		.idevid_issuer = buf_bytes(&f->manufacturer->idevid_issuer),
		.serial = f->serial,
		.registrar = &f->face->identity,
		.now = registrar_now(f->r),
	};

	return endorse(&w, &f->request, e);
}

static bool find_masa(struct fetch *f, const char *url, struct err *e)
{
	unsigned tried = 0;

	return url ? idevid_masa_uri_parse(url, &f->masa, e)
		   : masa_address(f->r, f->manufacturer, NULL, &tried, &f->masa, e);
}

/* ---- The answer ---- */

static bool vet(const struct fetch *f, int64_t now, struct err *e)
{
	const struct vetting v = {
		.format = f->format,
		.masa_anchors = f->manufacturer->masa_anchors,
		.domain = &f->face->domain,
		.cache = f->r->cert_cache,
		.serial = f->serial,
		.now = now,
		.bare_keys = f->cose,
	};

	return vet_voucher(&v, buf_bytes(&f->voucher), e);
}

static bool read_end(const struct fetch *f, int64_t *until, struct err *e)
{
	SIGNED_VOUCHER_AUTO struct signed_voucher v;

	signed_voucher_init(&v);
	if (!f->format->parse(buf_bytes(&f->voucher), f->r->cert_cache, &v, e))
		return false;
	*until = v.fields.has_expires_on ? v.fields.expires_on : 0;
	return true;
}

static void on_kept(void *arg, const int64_t *changed, const struct err *e)
{
	fetch_end(arg, e);
}

/* Renewed when two thirds of its life are over: there is time to try again. */
static bool keep(struct fetch *f, int64_t now, int64_t until, struct err *e)
{
	const struct records_writer w = {f->r->store, f->loop, on_kept, f};
	BUF_AUTO struct buf url = BUF_INIT(MASA_URL_TEXT);
	char end[DATETIME_LEN + 1] = "", told[64];
	const struct device_key device = {f->manufacturer->config->name, f->serial};
	const struct ahead_row row = {
		.device = device,
		.type = f->format->media_type,
		.by = f->by,
		.fetched_at = now,
		.until = until,
		.renew_at = until ? now + (until - now) * 2 / 3 : 0,
		.voucher = buf_bytes(&f->voucher),
		.request = buf_bytes(&f->request),
	};
	struct ahead_row kept = row;
	const struct journal_entry line = {
		.at = now,
		.exchange = f->exchange,
		.device = device,
		.actor = f->again ? NULL : f->by,
		.step = "ahead",
		.outcome = f->again ? "renewed" : "fetched",
		.reason = told,
	};

	if (!uri_format(&f->masa, &url, e) || (until && !datetime_format(until, end, e)))
		return false;
	kept.masa = buf_str(&url);
	snprintf(told, sizeof(told), "%s%s", until ? "good until " : "without an end", end);
	return records_keep_ahead(&w, &kept, &line, e);
}

static bool take_answer(struct fetch *f, const struct http_reply *reply, struct err *e)
{
	const int64_t now = registrar_now(f->r);
	int64_t until;

	if (reply->status == 202)
		return err_set(e, ERR_RETRY_LATER, "the manufacturer has not decided yet");
	if (reply->status != 200)
		return masa_status_error(&f->masa, reply->status, reply->body, e);
	if (voucher_format_by_media_type(reply->content_type) != f->format &&
		!masa_media_type_is(f->manufacturer, f->format->media_type, reply->content_type))
		return err_set(e, ERR_PEER, "voucher of type \"%.100s\"", reply->content_type);
	return buf_append(&f->voucher, reply->body.data, reply->body.len, e) && vet(f, now, e) &&
	       read_end(f, &until, e) && keep(f, now, until, e);
}

static void on_answer(void *arg, const struct http_reply *reply, const struct err *failure)
{
	struct fetch *f = arg;
	struct err e = ERR_INIT;

	meter_masa(f->r, METER_REQUESTVOUCHER, f->asked_us, reply);
	masa_watch_tell(f->r, f->loop, f->manufacturer->config->name, f->exchange, failure);
	if (failure)
		masa_transport_error(&f->masa, failure, &e);
	else if (take_answer(f, reply, &e))
		return;
	fetch_end(f, &e);
}

/* ---- All of it ---- */

static struct fetch *fetch_new(
	struct registrar *r, struct loop *l, const struct ahead_wish *w, struct err *e)
{
	struct fetch *f = mem_new(sizeof(*f), e);

	if (!f)
		return NULL;
	f->r = r;
	registrar_work_begin(r);
	f->loop = l;
	f->setup = registrar_setup_ref(w->setup);
	f->face = registrar_face_ref(w->setup->face);
	f->manufacturer = w->manufacturer;
	f->cose = w->constrained;
	f->again = w->again;
	f->format = voucher_format_by_media_type(ahead_type(w->constrained));
	buf_init(&f->request, CMS_DER_MAX);
	buf_init(&f->voucher, MASA_REPLY_MAX);
	if ((f->serial = str_dup(w->serial, e)) && (f->by = str_dup(w->by, e)) &&
		(f->exchange = str_dup(w->exchange, e)))
		return f;
	fetch_free(f);
	return NULL;
}

static bool send_it(struct fetch *f, struct err *e)
{
	const struct masa_request q = {
		.setup = f->setup,
		.face = f->face,
		.manufacturer = f->manufacturer,
		.uri = f->masa,
		.resource = "requestvoucher",
		.media_type = f->format->media_type,
		.accept = f->format->media_type,
		.exchange = f->exchange,
		.body = buf_bytes(&f->request),
		.reply_max = MASA_REPLY_MAX,
	};

	f->asked_us = clock_mono_us();
	return masa_send(f->r, f->loop, &q, on_answer, f, e);
}

bool ahead_fetch(struct registrar *r, struct loop *l, const struct ahead_wish *w, ahead_done *done,
	void *arg, struct err *e)
{
	struct fetch *f = fetch_new(r, l, w, e);

	if (!f)
		return false;
	f->done = done;
	f->arg = arg;
	if (find_masa(f, w->masa, e) && make_request(f, e) && send_it(f, e))
		return true;
	fetch_free(f);
	return false;
}

/* ---- Giving it to its device ---- */

struct found {
	struct onboard *o;
	bool is, over;
	int64_t fetched_at;
	struct buf voucher;
};

static bool take_row(void *arg, const struct ahead_row *row, struct err *e)
{
	struct found *f = arg;

	f->is = true;
	f->fetched_at = row->fetched_at;
	f->over = row->until && row->until <= f->o->now;
	return f->over || buf_append(&f->voucher, row->voucher.data, row->voucher.len, e);
}

static bool is_good(const struct onboard *o, const struct found *f, struct err *e)
{
	const struct vetting v = {
		.format = o->format,
		.masa_anchors = o->manufacturer->masa_anchors,
		.domain = &o->face->domain,
		.cache = o->r->cert_cache,
		.idevid = call_peer(o->call)->cert,
		.serial = o->serial,
		.now = clock_unix_s(&o->r->clock),
		.bare_keys = onboard_is_cose(o),
	};

	return vet_voucher(&v, buf_bytes(&f->voucher), e);
}

static bool find_good(struct onboard *o, struct found *f, struct err *e)
{
	if (!records_read_ahead(
		    o->r->store, onboard_device(o), o->format->media_type, take_row, f, e))
		return false;
	if (!f->is)
		return false; /* nothing to tell of */
	if (f->over)
		return err_set(e, ERR_REFUSED, "it has expired");
	return is_good(o, f, e);
}

bool ahead_use(struct onboard *o)
{
	struct found f = {.o = o, .voucher = BUF_INIT(MASA_REPLY_MAX)};
	struct err e = ERR_INIT, ignored = ERR_INIT;
	char fetched[DATETIME_LEN + 1] = "";

	if (o->setup->config.stored_vouchers != STORED_WHEN_UNREACHABLE)
		return false;
	if (!find_good(o, &f, &e)) {
		buf_clear(&f.voucher);
		if (e.kind != ERR_NONE)
			log_err(&o->r->log, "stored-voucher-not-used", call_exchange(o->call), &e);
		return false;
	}
	buf_clear(&o->voucher); /* what the MASA said of its failure */
	o->voucher = f.voucher;
	o->ahead = true;
	o->masa_status = 200;
	if (!datetime_format(f.fetched_at, fetched, &ignored))
		fetched[0] = '\0';
	snprintf(o->ahead_note, sizeof(o->ahead_note),
		"stored voucher of %s: the MASA cannot be reached; its audit log is not checked "
		"yet",
		fetched);
	meter_stored_voucher(o->r);
	log_event(&o->r->log, LOG_LEVEL_WARNING, "stored-voucher-used", call_exchange(o->call),
		"manufacturer", o->manufacturer->config->name, "serial", o->serial, "fetched",
		fetched, NULL);
	return true;
}
