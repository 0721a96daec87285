/* SPDX-License-Identifier: Apache-2.0 */
/* The sequence of a cloud registrar, as a table of steps like an onboarding's, and its routes: see
 * cloud.h. Before a positive answer leaves its record is durable. */
#include "registrar/cloud/cloud.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fair_rate.h"
#include "common/message/status_report.h"
#include "registrar/cloud/ask_owner.h"
#include "registrar/cloud/regions.h"
#include "registrar/cloud/report.h"
#include "registrar/cloud/webhook.h"
#include "registrar/onboard.h"
#include "registrar/records/allocations.h"

#define SENTENCE_MAX	80 /* of those to a device that nobody has claimed */
#define DEVICE_NAME_MAX 512
#define TEXT_TYPE	"text/plain; charset=utf-8"
#define TEXT_MAX	(PLACE_URL_MAX + 128)

void cloud_free(struct cloud *c)
{
	if (!c)
		return;
	buf_clear(&c->answer);
	free(c);
}

/* ---- May it ask now? ---- */

struct cloud_rate {
	pthread_mutex_t lock;
	int64_t per_second; /* that the rate is made for; -1: none yet */
	struct fair_rate rate;
};

struct cloud_rate *cloud_rate_new(struct err *e)
{
	struct cloud_rate *r = mem_new(sizeof(*r), e);

	if (!r)
		return NULL;
	pthread_mutex_init(&r->lock, NULL);
	r->per_second = -1;
	return r;
}

void cloud_rate_free(struct cloud_rate *r)
{
	if (!r)
		return;
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static bool has_room(struct cloud_rate *r, int64_t per_second, struct bytes source, struct err *e)
{
	int64_t now_ms = clock_mono_ms();
	bool ok = true;

	pthread_mutex_lock(&r->lock);
	if (r->per_second != per_second) {
		ok = fair_rate_init(&r->rate, per_second, now_ms, e);
		r->per_second = ok ? per_second : -1;
	}
	ok = ok && (fair_rate_admit(&r->rate, source.data, source.len, 1, now_ms) ||
			   err_set(e, ERR_RETRY_LATER, "more requests than [cloud] allows"));
	pthread_mutex_unlock(&r->lock);
	return ok;
}

/* Before its request is verified, and after its certificate: strangers take nobody's place. */
static enum step_result limit(struct onboard *o, struct err *e)
{
	struct bytes source = bytes_of(cert_sha256(call_peer(o->call)->cert), SHA256_LEN);

	o->cloud = mem_new(sizeof(*o->cloud), e);
	if (!o->cloud)
		return STEP_FAILED;
	buf_init(&o->cloud->answer, PLACES_ANSWER_MAX);
	return has_room(o->r->cloud_rate, o->setup->config.cloud_requests_per_second, source, e)
		       ? STEP_NEXT
		       : STEP_FAILED;
}

/* A 401 says "nobody has claimed you" here, so that nothing else may be one (T-13). */
static enum step_result admit_request_here(struct onboard *o, struct err *e)
{
	enum step_result result = admit_request(o, e);

	if (result == STEP_FAILED && e->kind == ERR_PROXIMITY) {
		e->kind = ERR_REFUSED;
		err_tell(e, "The request names another registrar than this one.");
	}
	return result;
}

/* ---- Whose is it? ---- */

static void on_journaled(void *arg, const int64_t *changed, const struct err *e)
{
	struct registrar *r = arg;

	if (e)
		log_err(&r->log, "journal-failed", NULL, e);
}

static enum step_result unclaimed(struct onboard *o, const char *sentence)
{
	char answer[SENTENCE_MAX];
	const struct records_writer w = {o->r->store, call_loop(o->call), on_journaled, o->r};
	const struct journal_entry line = onboard_journal_entry(o, "unclaimed", sentence);
	int64_t after = o->setup->config.cloud_retry_after;
	struct err e = ERR_INIT;

	if (!records_failure(&w, &line, DEVICE_LINES_MAX, &e))
		log_err(&o->r->log, "journal-failed", line.exchange, &e);
	log_event(&o->r->log, LOG_LEVEL_INFO, "cloud-unclaimed", call_exchange(o->call),
		"manufacturer", o->manufacturer->config->name, "serial", o->serial, "owner",
		*o->cloud->places.owner ? o->cloud->places.owner : NULL, NULL);
	o->cloud->unclaimed = true;
	if (after)
		onboard_tell_retry_after(o->call, after);
	snprintf(answer, sizeof(answer), "%s\n", sentence);
	call_reply(o->call, 401, TEXT_TYPE, bytes_of_str(answer));
	return STEP_DONE;
}

/* 404, or 401 while there is nowhere to send it. */
static enum step_result read_owner(struct onboard *o, struct err *e)
{
	const struct places *p = &o->cloud->places;

	if (!ask_owner_read(o, e))
		return STEP_FAILED;
	if (!*p->owner)
		return unclaimed(o, "Nobody has claimed this device yet.");
	if (p->count == 0 && !p->has_est)
		return unclaimed(o, "The owner has not said yet where this device belongs.");
	return STEP_NEXT;
}

/* ---- Which of the owner's registrars? ---- */

static void decided(struct onboard *o, const struct place *chosen, const char *by)
{
	o->cloud->chosen = chosen;
	snprintf(o->cloud->by, sizeof(o->cloud->by), "%s", by);
}

static bool by_policy(struct onboard *o, struct err *e)
{
	static const char *const names[] = {"static", "hashed", "latency", "webhook"};
	BUF_AUTO struct buf device = BUF_INIT(DEVICE_NAME_MAX);
	enum allocation policy = (enum allocation)o->setup->config.cloud_allocation;

	if (!buf_printf(&device, e, "%s/%s", o->manufacturer->config->name, o->serial))
		return false;
	decided(o, allocate(policy, &o->cloud->places, buf_str(&device), o->cloud->region, e),
		names[policy]);
	return o->cloud->chosen != NULL;
}

static enum step_result choose(struct onboard *o, struct err *e)
{
	struct cloud *c = o->cloud;
	const struct registrar_config *k = &o->setup->config;
	const struct place *again;

	if (!records_allocation(o->r->store, onboard_device(o), &c->before, e))
		return STEP_FAILED;
	snprintf(c->region, sizeof(c->region), "%s", regions_find(o->setup->regions, o->host));
	decided(o, NULL, "est");
	if (c->places.count == 0)
		return STEP_NEXT;
	again = allocate_again((enum reprovision)k->cloud_reprovision, &c->before, &c->places);
	if (again)
		decided(o, again, "as before");
	else if (k->cloud_allocation == ALLOCATE_WEBHOOK && c->places.count > 1)
		return webhook_ask(o, e) ? STEP_WAIT : STEP_FAILED;
	return again || by_policy(o, e) ? STEP_NEXT : STEP_FAILED;
}

/* ---- A voucher, where there is an EST server to be named ---- */

static enum step_result endorse_est(struct onboard *o, struct err *e)
{
	return o->cloud->chosen ? STEP_NEXT : onboard_endorse(o, e);
}

static enum step_result ask_for_voucher(struct onboard *o, struct err *e)
{
	return o->cloud->chosen ? STEP_NEXT : onboard_ask_masa(o, e);
}

static enum step_result read_voucher(struct onboard *o, struct err *e)
{
	return o->cloud->chosen ? STEP_NEXT : onboard_read_answer(o, e);
}

static enum step_result vet_voucher_of_est(struct onboard *o, struct err *e)
{
	return o->cloud->chosen ? STEP_NEXT : onboard_vet(o, e);
}

/* ---- Written down, then told ---- */

static const char *where(const struct onboard *o)
{
	return o->cloud->chosen ? o->cloud->chosen->url : o->cloud->places.est;
}

static bool is_same_owner(const struct onboard *o)
{
	return o->cloud->before.found &&
	       strcmp(o->cloud->before.owner, o->cloud->places.owner) == 0;
}

static bool is_same_place(const struct onboard *o)
{
	return is_same_owner(o) && strcmp(o->cloud->before.url, where(o)) == 0;
}

/* What stays known of a device that is sent elsewhere is policy; another owner knows nothing. */
static struct allocation_record record_of(const struct onboard *o)
{
	const struct cloud *c = o->cloud;
	bool keeps = is_same_place(o) || (is_same_owner(o) && o->setup->config.cloud_reprovision !=
								      REPROVISION_MOVE_RESET);

	return (struct allocation_record){
		.owner = c->places.owner,
		.url = where(o),
		.region = *c->region ? c->region : NULL,
		.est = !c->chosen,
		.first_at = keeps ? c->before.first_at : o->now,
		.moves = keeps ? c->before.moves + !is_same_place(o) : 0,
	};
}

static void on_recorded(void *arg, const int64_t *changed, const struct err *e)
{
	onboard_resume(arg, e);
}

static enum step_result record(struct onboard *o, struct err *e)
{
	const struct records_writer w = {o->r->store, call_loop(o->call), on_recorded, o};
	const struct allocation_record a = record_of(o);
	bool moved = is_same_owner(o) && !is_same_place(o);
	char reason[JOURNAL_REASON_MAX + 1];
	struct journal_entry line;

	snprintf(reason, sizeof(reason), "to %.300s of %.80s, %s%s%s%s%.100s", a.url, a.owner,
		o->cloud->by, a.region ? ", region " : "", a.region ? a.region : "",
		moved ? ", before " : "", moved ? o->cloud->before.url : "");
	line = onboard_journal_entry(o,
		a.est	? "est-named"
		: moved ? "moved"
			: "redirected",
		reason);
	o->journaled = true;
	return records_allocate(&w, &a, &line, e) ? STEP_WAIT : STEP_FAILED;
}

static enum step_result tell(struct onboard *o, struct err *e)
{
	const struct cloud *c = o->cloud;
	char text[TEXT_MAX];

	log_event(&o->r->log, LOG_LEVEL_INFO, c->chosen ? "cloud-redirected" : "cloud-est-named",
		call_exchange(o->call), "manufacturer", o->manufacturer->config->name, "serial",
		o->serial, "owner", c->places.owner, "to", where(o), "by", c->by, NULL);
	if (!c->chosen) {
		call_reply(o->call, 200, onboard_answer_type(o), buf_bytes(&o->voucher));
		return STEP_DONE;
	}
	snprintf(text, sizeof(text), "The registrar of this device's owner is %s\n", where(o));
	call_set_header(o->call, "Location", where(o));
	call_reply(o->call, 307, TEXT_TYPE, bytes_of_str(text));
	return STEP_DONE;
}

/* ---- The sequence ---- */

static const struct onboard_step steps[] = {
	{"admit", admit_media},	       /* 415, 406 */
	{"admit", admit_device},       /* an IDevID of a known manufacturer: 403 */
	{"admit", limit},	       /* 503 */
	{"admit", admit_reserve},      /* one exchange at a time for each device: 202 */
	{"admit", admit_request_here}, /* signature, serial, proximity, nonce: 400, 403 */
	{"admit", suspect_space},      /* is there room to write it down? 503 */
	{"owner", ask_owner},	       /* whose is it? 503, 504, 502 */
	{"owner", read_owner},	       /* 404, 401 */
	{"allocate", choose},	       /* which registrar, or the EST server: 503 */
	{"endorse", endorse_est},      /* then a voucher: our request around the pledge's */
	{"masa", ask_for_voucher},     /* 503, 504, 502 */
	{"masa", read_voucher},	       /* its status: 4xx, 502, 202 */
	{"vet", vet_voucher_of_est},   /* one that names and pins an EST server: 502 */
	{"allocate", record},	       /* durable before anybody is told */
	{"deliver", tell},	       /* 307, 200 */
};

static void request_voucher(struct call *c, void *app)
{
	onboard_start(c, app, steps, sizeof(steps) / sizeof(*steps));
}

/* Whatever else there may be at a registrar is 404 here: CLOUD-CR-011. */
const struct http_route cloud_routes[] = {
	{"POST", "/.well-known/brski/requestvoucher", request_voucher, PLEDGE_REQUEST_MAX, NULL},
	{"POST", "/.well-known/brski/voucher_status", report_voucher_status, STATUS_REPORT_MAX,
		NULL},
};
const size_t cloud_route_count = sizeof(cloud_routes) / sizeof(*cloud_routes);
