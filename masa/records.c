/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that speak for the MASA's tables: see records.h. */
#include "masa/records.h"

#include <stdlib.h>
#include <string.h>

#include "common/wire/base64.h"
#include "masa/records_sql.h"

#define DUPLICATES_COUNTED_MAX 1024 /* counters in the log may stop here (RFC 8995 §5.8.1) */

/* ---- devices ---- */

void device_list_clear(struct device_list *l)
{
	for (size_t i = 0; i < l->count; i++) {
		free(l->items[i].serial);
		free(l->items[i].owner);
		buf_clear(&l->items[i].idevid_issuer);
		buf_clear(&l->items[i].issuer_key);
	}
	l->count = 0;
}

static struct device_row device_row_of(const struct store_row *r)
{
	return (struct device_row){
		.id = store_row_int(r, 0),
		.serial = store_row_text(r, 1),
		.owner = store_row_text(r, 2),
		.idevid_issuer = store_row_blob(r, 3),
		.issuer_key = store_row_blob(r, 4),
		.created = store_row_int(r, 5),
	};
}

static bool keep_octets(struct buf *to, struct bytes from, struct err *e)
{
	buf_init(to, from.len);
	return buf_append(to, from.data, from.len, e);
}

static bool keep_device(void *arg, const struct store_row *r, struct err *e)
{
	struct device_list *l = arg;
	struct device_row row = device_row_of(r);
	struct device *d = &l->items[l->count];

	if (l->count == MASA_NAMESAKES_MAX)
		return err_set(e, ERR_STORE, "more than %d devices called %s", MASA_NAMESAKES_MAX,
			row.serial);
	*d = (struct device){.id = row.id, .created = row.created};
	l->count++;
	d->serial = str_dup(row.serial, e);
	if (!d->serial || (row.owner && !(d->owner = str_dup(row.owner, e))))
		return false;
	return keep_octets(&d->idevid_issuer, row.idevid_issuer, e) &&
	       keep_octets(&d->issuer_key, row.issuer_key, e);
}

bool records_devices_find(
	struct store *s, const char *serial, struct device_list *out, struct err *e)
{
	struct store_value v = store_text(serial);

	out->count = 0;
	if (store_read(s, DEVICES_BY_SERIAL, &v, 1, keep_device, out, NULL, e))
		return true;
	device_list_clear(out);
	return false;
}

struct device_reader {
	device_row_fn *fn;
	void *arg;
};

static bool hand_device(void *arg, const struct store_row *r, struct err *e)
{
	struct device_reader *to = arg;
	struct device_row row = device_row_of(r);

	return to->fn(to->arg, &row, e);
}

bool records_devices_list(
	struct store *s, int64_t after, device_row_fn *fn, void *arg, struct err *e)
{
	struct store_value v[] = {STORE_I(after), STORE_I(MASA_PAGE_ROWS)};
	struct device_reader to = {fn, arg};

	return store_read(s, DEVICES_AFTER, v, 2, hand_device, &to, NULL, e);
}

/* An empty key stands for "any issuer" and must be a blob of no octets, not NULL. */
static struct store_value issuer_key_value(struct bytes key)
{
	return store_blob(key.len ? key : bytes_of("", 0));
}

void records_device_import(
	const struct device_row *row, int64_t now, struct store_op ops[DEVICE_IMPORT_OPS])
{
	struct store_value serial = store_text(row->serial),
			   key = issuer_key_value(row->issuer_key);
	struct store_value issuer = row->idevid_issuer.len
					    ? store_blob(row->idevid_issuer)
					    : (struct store_value){.type = STORE_NULL};

	ops[0] = (struct store_op){
		.statement = DEVICE_SET_ISSUER, .params = {serial, key, issuer}, .param_count = 3};
	ops[1] = (struct store_op){.statement = DEVICE_ADD,
		.params = {serial, key, issuer, STORE_I(now)},
		.param_count = 4};
	ops[2] = (struct store_op){.statement = DEVICE_SET_OWNER,
		.params = {serial, key, store_text(row->owner)},
		.param_count = 3};
}

/* ---- owners ---- */

struct owner_reader {
	owner_row_fn *fn;
	void *arg;
};

static bool hand_owner(void *arg, const struct store_row *r, struct err *e)
{
	struct owner_reader *to = arg;

	return to->fn(to->arg, store_row_text(r, 0), store_row_text(r, 1), store_row_int(r, 2), e);
}

bool records_owners_list(struct store *s, owner_row_fn *fn, void *arg, struct err *e)
{
	struct owner_reader to = {fn, arg};

	return store_read(s, OWNERS_ALL, NULL, 0, hand_owner, &to, NULL, e);
}

static bool take_number(void *arg, const struct store_row *r, struct err *e)
{
	*(int64_t *)arg = store_row_int(r, 0);
	return true;
}

bool records_owners_revision(struct store *s, int64_t *revision, struct err *e)
{
	return store_read(s, OWNERS_REVISION, NULL, 0, take_number, revision, NULL, e);
}

struct store_op records_owner_put(const char *name, const char *anchors_pem, int64_t now)
{
	return (struct store_op){.statement = OWNER_PUT,
		.params = {store_text(name), store_text(anchors_pem), STORE_I(now)},
		.param_count = 3};
}

/* ---- the audit log ---- */

void records_event_write(const struct event *ev, struct store_op ops[EVENT_OPS])
{
	struct store_value digest = store_blob(bytes_of(ev->digest, SHA256_LEN)),
			   key = store_blob(bytes_of(ev->domain_key, SHA256_LEN));
	struct store_value expires =
		ev->expires_on ? STORE_I(ev->expires_on) : (struct store_value){.type = STORE_NULL};

	ops[0] = (struct store_op){.statement = EVENT_RELEASE_DIGEST,
		.params = {digest, STORE_I(ev->date)},
		.param_count = 2};
	ops[1] = (struct store_op){.statement = EVENT_RELEASE_NONCE,
		.params = {STORE_I(ev->device), STORE_I(ev->date), key, store_text(ev->nonce)},
		.param_count = 4};
	ops[2] = (struct store_op){.statement = EVENT_ADD,
		.params = {STORE_I(ev->device), STORE_I(ev->date), store_text(ev->domain_id), key,
			store_text(ev->nonce), store_text(voucher_assertion_name(ev->assertion)),
			digest, expires, store_text(ev->content), store_text(ev->registrar)},
		.param_count = 10};
}

void issued_clear(struct issued *i)
{
	free(i->content);
	*i = (struct issued){.found = false};
}

static bool keep_issued(void *arg, const struct store_row *r, struct err *e)
{
	struct issued *i = arg;

	i->device = store_row_int(r, 0);
	i->content = str_dup(store_row_text(r, 1), e);
	i->found = i->content != NULL;
	return i->found;
}

bool records_issued_find(struct store *s, const uint8_t digest[SHA256_LEN], int64_t now,
	struct issued *out, struct err *e)
{
	struct store_value v[] = {store_blob(bytes_of(digest, SHA256_LEN)), STORE_I(now)};

	*out = (struct issued){.found = false};
	return store_read(s, ISSUED_BY_DIGEST, v, 2, keep_issued, out, NULL, e);
}

bool records_issued_for_nonce(struct store *s, int64_t device, const uint8_t domain_key[SHA256_LEN],
	const char *nonce, int64_t now, struct issued *out, struct err *e)
{
	struct store_value v[] = {STORE_I(device), store_blob(bytes_of(domain_key, SHA256_LEN)),
		store_text(nonce), STORE_I(now)};

	*out = (struct issued){.found = false};
	return store_read(s, ISSUED_BY_NONCE, v, 4, keep_issued, out, NULL, e);
}

static bool keep_int(void *arg, const struct store_row *r, struct err *e)
{
	*(int64_t *)arg = store_row_int(r, 0);
	return true;
}

bool records_was_owner(struct store *s, int64_t device, const uint8_t domain_key[SHA256_LEN],
	bool *was, struct err *e)
{
	struct store_value v[] = {STORE_I(device), store_blob(bytes_of(domain_key, SHA256_LEN))};
	int64_t rows = 0;

	if (!store_read(s, WAS_OWNER, v, 2, NULL, NULL, &rows, e))
		return false;
	*was = rows > 0;
	return true;
}

static char *own(const char *s, struct err *e)
{
	return s ? str_dup(s, e) : NULL;
}

static enum voucher_assertion assertion_of(const char *name)
{
	static const enum voucher_assertion all[] = {ASSERTION_VERIFIED, ASSERTION_LOGGED,
		ASSERTION_PROXIMITY, ASSERTION_AGENT_PROXIMITY};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (strcmp(voucher_assertion_name(all[i]), name) == 0)
			return all[i];
	return ASSERTION_OTHER;
}

static char *domain_id_of(const struct store_row *r, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(2 * SHA256_LEN);
	struct bytes key = store_row_blob(r, 5);

	if (!key.len)
		return own(store_row_text(r, 1), e);
	return base64_encode(key, &text, e) ? str_dup(buf_str(&text), e) : NULL;
}

static bool keep_event(void *arg, const struct store_row *r, struct err *e)
{
	struct audit_log *log = arg;
	FREE_AUTO char *domain_id = domain_id_of(r, e);
	FREE_AUTO char *nonce = own(store_row_text(r, 2), e);
	int64_t of_kind = store_row_int(r, 4);
	struct audit_event ev = {.date = store_row_int(r, 0),
		.domain_id = domain_id,
		.nonce = nonce,
		.assertion = assertion_of(store_row_text(r, 3))};
	uint32_t *duplicates = nonce ? &log->nonced_duplicates : &log->nonceless_duplicates;

	if (!domain_id || (store_row_text(r, 2) && !nonce))
		return false;
	ev.truncated =
		of_kind > DUPLICATES_COUNTED_MAX ? DUPLICATES_COUNTED_MAX : (uint32_t)of_kind - 1;
	if (log->event_count ==
		AUDIT_LOG_EVENTS_MAX) { /* more domains than fit: say so (MASA-043) */
		if (log->arbitrary < DUPLICATES_COUNTED_MAX)
			log->arbitrary++;
		return true;
	}
	*duplicates += ev.truncated;
	if (*duplicates > DUPLICATES_COUNTED_MAX)
		*duplicates = DUPLICATES_COUNTED_MAX;
	return audit_log_add(log, &ev, e);
}

struct one_key_reader {
	struct audit_log *log;
	int64_t device;
	uint8_t key[SHA256_LEN];
	bool any, several;
};

/* Stops at the second key. */
static bool keep_event_of_one(void *arg, const struct store_row *r, struct err *e)
{
	struct one_key_reader *to = arg;
	struct bytes key = store_row_blob(r, 6);

	if (!to->any && key.len == sizeof(to->key))
		memcpy(to->key, key.data, key.len);
	to->any = true;
	to->device = store_row_int(r, 7);
	to->several = !bytes_equal(key, bytes_of(to->key, sizeof(to->key)));
	return !to->several && keep_event(to->log, r, e);
}

static void begin_log(struct audit_log *log)
{
	audit_log_clear(log);
	*log = (struct audit_log){.version = 1};
}

/* Of the device, or of the one that the request with this digest was about. */
static bool read_log(struct store *s, struct store_value device, struct store_value digest,
	int64_t full, bool *found, struct audit_log *out, struct err *e)
{
	struct store_value v[] = {device, STORE_I(full + 1), digest};
	struct one_key_reader one = {.log = out};
	int64_t rows = 0;

	*out = (struct audit_log){.version = 1};
	if (!store_read(s, EVENTS_OF_ONE, v, 3, keep_event_of_one, &one, &rows, e))
		return false;
	*found = one.any;
	v[0] = STORE_I(one.device);
	if (one.several) {
		begin_log(out);
		if (!store_read(s, EVENTS_FULL, v, 2, keep_event, out, &rows, e))
			return false;
	}
	if (rows <= full)
		return true;
	begin_log(out); /* more than are shown one by one */
	return store_read(s, EVENTS_ABRIDGED, v, 1, keep_event, out, NULL, e);
}

bool records_audit_log(
	struct store *s, int64_t device, int64_t full, struct audit_log *out, struct err *e)
{
	bool any;

	return read_log(s, STORE_I(device), store_blob((struct bytes){0}), full, &any, out, e);
}

bool records_audit_log_for(struct store *s, const uint8_t digest[SHA256_LEN], int64_t full,
	bool *found, struct audit_log *out, struct err *e)
{
	return read_log(s, (struct store_value){.type = STORE_NULL},
		store_blob(bytes_of(digest, SHA256_LEN)), full, found, out, e);
}

struct event_reader {
	event_row_fn *fn;
	void *arg;
};

static bool hand_event(void *arg, const struct store_row *r, struct err *e)
{
	struct event_reader *to = arg;
	struct event_row row = {
		.id = store_row_int(r, 0),
		.date = store_row_int(r, 1),
		.expires_on = store_row_int(r, 2),
		.serial = store_row_text(r, 3),
		.domain_id = store_row_text(r, 4),
		.nonce = store_row_text(r, 5),
		.assertion = store_row_text(r, 6),
		.registrar = store_row_text(r, 7),
	};

	return to->fn(to->arg, &row, e);
}

bool records_events_list(struct store *s, const char *serial, int64_t after, event_row_fn *fn,
	void *arg, struct err *e)
{
	struct store_value v[] = {store_text(serial), STORE_I(after), STORE_I(MASA_PAGE_ROWS)};
	struct event_reader to = {fn, arg};

	return store_read(s, EVENTS_BY_SERIAL, v, 3, hand_event, &to, NULL, e);
}

struct audit_reader {
	union {
		audit_line_fn *line;
		audit_head_fn *head;
	};
	void *arg;
};

static bool hand_line(void *arg, const struct store_row *r, struct err *e)
{
	const struct audit_reader *to = arg;
	struct bytes hash = store_row_blob(r, 10);
	const struct audit_line line = {
		.sequence = store_row_int(r, 0),
		.date = store_row_int(r, 1),
		.serial = store_row_text(r, 2),
		.domain_id = store_row_text(r, 3),
		.domain_key = store_row_text(r, 4),
		.nonce = store_row_text(r, 5),
		.assertion = store_row_text(r, 6),
		.expires_on = store_row_int(r, 7),
		.content = store_row_text(r, 8),
		.registrar = store_row_text(r, 9),
		.hash = hash.len == SHA256_LEN ? hash.data : NULL,
	};

	return to->line(to->arg, &line, e);
}

bool records_audit_lines(
	struct store *s, int64_t after, int64_t limit, audit_line_fn *fn, void *arg, struct err *e)
{
	struct store_value v[] = {STORE_I(after), STORE_I(limit)};
	struct audit_reader to = {.line = fn, .arg = arg};

	return store_read(s, AUDIT_LINES, v, 2, hand_line, &to, NULL, e);
}

static bool hand_head(void *arg, const struct store_row *r, struct err *e)
{
	const struct audit_reader *to = arg;
	struct bytes hash = store_row_blob(r, 2);
	struct hash_chain_head head = {
		.log = AUDIT_LOG_NAME, .sequence = store_row_int(r, 0), .at = store_row_int(r, 1)};

	if (hash.len != SHA256_LEN)
		return err_set(e, ERR_STORE, "head %lld of the audit log is damaged",
			(long long)head.sequence);
	memcpy(head.hash, hash.data, SHA256_LEN);
	return to->head(to->arg, &head, store_row_blob(r, 3), store_row_text(r, 4), e);
}

bool records_audit_heads(
	struct store *s, int64_t after, int64_t limit, audit_head_fn *fn, void *arg, struct err *e)
{
	struct store_value v[] = {STORE_I(after), STORE_I(limit)};
	struct audit_reader to = {.head = fn, .arg = arg};

	return store_read(s, AUDIT_HEADS, v, 2, hand_head, &to, NULL, e);
}

struct seal_statements records_seal_statements(void)
{
	return (struct seal_statements){
		AUDIT_LINE, AUDIT_LAST_LINE, AUDIT_LAST_HEAD, AUDIT_ADD_HEAD};
}

bool records_last_device(struct store *s, int64_t *id, struct err *e)
{
	*id = 0;
	return store_read(s, LAST_DEVICE, NULL, 0, keep_int, id, NULL, e);
}

bool records_last_event(struct store *s, int64_t *id, struct err *e)
{
	*id = 0;
	return store_read(s, LAST_EVENT, NULL, 0, keep_int, id, NULL, e);
}
