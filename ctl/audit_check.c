/* SPDX-License-Identifier: Apache-2.0 */
/* Following an audit log line by line, from head to head. */
#include "ctl/audit_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/base64.h"
#include "common/wire/datetime.h"
#include "common/wire/hex.h"

#define SIGNER_PEM_MAX 65536
#define SIGNATURE_MAX  1024
#define NUMBER_LEN     24

/* ---- Forms ---- */

static bool is_registrar(const struct cert *signer, struct err *e)
{
	return (cert_eku(signer) & CERT_EKU_CMC_RA) ||
	       err_set(e, ERR_UNAUTHENTICATED, "signed by %s, which is no registrar",
		       cert_subject(signer));
}

/* A device's certificate, below the same CA, names its serial-number. */
static bool is_no_device(const struct cert *signer, struct err *e)
{
	return (!cert_serial_number(signer) && !cert_is_ca(signer)) ||
	       err_set(e, ERR_UNAUTHENTICATED, "signed by %s, which is no MASA",
		       cert_subject(signer));
}

static const struct audit_field registrar_fields[] = {{"exchange", false}, {"manufacturer", false},
	{"serial", false}, {"by", false}, {"step", false}, {"outcome", false}, {"reason", false},
	{NULL, false}};
const struct audit_form audit_form_registrar = {"registrar", registrar_fields, is_registrar};

static const struct audit_field masa_fields[] = {{"serial", false}, {"domainID", false},
	{"domain_key", false}, {"nonce", false}, {"assertion", false}, {"expires_on", true},
	{"content", false}, {"registrar", false}, {NULL, false}};
const struct audit_form audit_form_masa = {"masa", masa_fields, is_no_device};

void audit_check_init(struct audit_check *c, const struct audit_form *form, struct anchors *anchors)
{
	memset(c, 0, sizeof(*c));
	c->form = form;
	c->anchors = anchors;
	buf_init(&c->signer_pem, SIGNER_PEM_MAX);
}

void audit_check_clear(struct audit_check *c)
{
	free(c->heads);
	buf_clear(&c->signer_pem);
	cert_list_clear(&c->signer);
	c->heads = NULL;
}

/* ---- Members ---- */

static bool get_number(const json_t *o, const char *name, int64_t *out, struct err *e)
{
	const json_t *value = json_object_get(o, name);

	if (!json_is_integer(value))
		return err_set(e, ERR_INPUT, "no number \"%s\"", name);
	*out = json_integer_value(value);
	return true;
}

static bool get_moment(const json_t *o, int64_t *out, struct err *e)
{
	const char *text = json_string_value(json_object_get(o, "time"));

	if (!text)
		return err_set(e, ERR_INPUT, "no \"time\"");
	return datetime_parse(text, out, e);
}

/* A member as it goes into the hash; room holds a moment's digits. */
static bool get_field(const json_t *o, const struct audit_field *f, char room[NUMBER_LEN],
	struct bytes *out, struct err *e)
{
	const json_t *value = json_object_get(o, f->member);
	int64_t at;

	*out = (struct bytes){0};
	if (!json_is_string(value))
		return true;
	*out = bytes_of(json_string_value(value), json_string_length(value));
	if (!f->is_moment)
		return true;
	if (!datetime_parse(json_string_value(value), &at, e))
		return err_prefix(e, "%s", f->member);
	snprintf(room, NUMBER_LEN, "%lld", (long long)at);
	*out = bytes_of_str(room);
	return true;
}

/* *present false: it is null. */
static bool get_hash(const json_t *o, bool *present, uint8_t out[SHA256_LEN], struct err *e)
{
	const char *text = json_string_value(json_object_get(o, "hash"));

	*present = text != NULL;
	if (!text)
		return true;
	if (strlen(text) != 2 * SHA256_LEN || strspn(text, "0123456789abcdef") != 2 * SHA256_LEN)
		return err_set(e, ERR_INPUT, "\"hash\" is no SHA-256 in hexadecimal");
	for (size_t i = 0; i < SHA256_LEN; i++)
		out[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
	return true;
}

/* ---- Heads ---- */

/* Of consecutive heads mostly the same: parsed once. */
static bool take_signer(struct audit_check *c, const char *pem, struct err *e)
{
	if (c->signer.count && strcmp(buf_str(&c->signer_pem), pem) == 0)
		return true;
	cert_list_clear(&c->signer);
	buf_clear(&c->signer_pem);
	return buf_append_str(&c->signer_pem, pem, e) &&
	       cert_list_parse_pem(buf_bytes(&c->signer_pem), &c->signer, e);
}

static bool judge_signer(const struct audit_check *c, int64_t at, struct err *e)
{
	struct cert *signer = c->signer.items[0];

	return c->form->may_sign(signer, e) &&
	       chain_verify(c->anchors, signer, &c->signer, at, NULL, e);
}

static bool verify_head(
	struct audit_check *c, const json_t *o, struct hash_chain_head *h, struct err *e)
{
	const char *signature = json_string_value(json_object_get(o, "signature"));
	const char *pem = json_string_value(json_object_get(o, "certificates"));
	BUF_AUTO struct buf octets = BUF_INIT(SIGNATURE_MAX);

	if (!signature || !pem)
		return err_set(e, ERR_INPUT, "no signature or certificates");
	return base64_decode(bytes_of_str(signature), &octets, e) && take_signer(c, pem, e) &&
	       judge_signer(c, h->at, e) &&
	       hash_chain_head_verify(h, c->signer.items[0], buf_bytes(&octets), e);
}

static bool add_head(struct audit_check *c, const struct hash_chain_head *h, struct err *e)
{
	struct audit_head *heads = c->heads;
	size_t room = c->head_room ? 2 * c->head_room : 64;

	if (c->head_count && c->heads[c->head_count - 1].sequence >= h->sequence)
		return err_set(e, ERR_UNAUTHENTICATED, "it is not behind the head before it");
	if (c->head_count == AUDIT_HEADS_MAX)
		return err_set(e, ERR_TOO_LARGE, "more than %d heads", AUDIT_HEADS_MAX);
	if (c->head_count == c->head_room) {
		heads = realloc(c->heads, room * sizeof(*heads));
		if (!heads)
			return err_set(e, ERR_NO_MEMORY, "no memory for a head");
		c->heads = heads;
		c->head_room = room;
	}
	heads[c->head_count].sequence = h->sequence;
	memcpy(heads[c->head_count++].hash, h->hash, SHA256_LEN);
	return true;
}

bool audit_check_head(struct audit_check *c, const json_t *head, struct err *e)
{
	struct hash_chain_head h = {.log = json_string_value(json_object_get(head, "head"))};
	bool present;

	if (!h.log || !get_number(head, "sequence", &h.sequence, e))
		return err_set(e, ERR_INPUT, "this is no head of a log");
	if (strcmp(h.log, c->form->log) != 0)
		return err_set(e, ERR_INPUT, "this is a head of the log of another: %.40s", h.log);
	if (!get_moment(head, &h.at, e) || !get_hash(head, &present, h.hash, e) ||
		(!present && !err_set(e, ERR_INPUT, "no \"hash\"")) ||
		!verify_head(c, head, &h, e) || !add_head(c, &h, e))
		return err_prefix(e, "head %lld", (long long)h.sequence);
	return true;
}

/* ---- Lines ---- */

static const struct audit_head *head_of(const struct audit_check *c, int64_t sequence)
{
	for (size_t i = 0; i < c->head_count; i++)
		if (c->heads[i].sequence == sequence)
			return &c->heads[i];
	return NULL;
}

static bool line_hash(const struct audit_check *c, const json_t *o, int64_t sequence,
	uint8_t out[SHA256_LEN], struct err *e)
{
	struct bytes fields[HASH_CHAIN_FIELDS_MAX] = {{NULL, 0}};
	char number[NUMBER_LEN], moments[HASH_CHAIN_FIELDS_MAX][NUMBER_LEN];
	size_t count = 2;
	int64_t at;

	if (!get_moment(o, &at, e))
		return false;
	snprintf(number, sizeof(number), "%lld", (long long)sequence);
	snprintf(moments[1], NUMBER_LEN, "%lld", (long long)at);
	fields[0] = bytes_of_str(number);
	fields[1] = bytes_of_str(moments[1]);
	for (const struct audit_field *f = c->form->fields; f->member; f++, count++)
		if (!get_field(o, f, moments[count], &fields[count], e))
			return false;
	return hash_chain_next(c->hash, fields, count, out, e);
}

/* Where may a log begin? With line 1, with the first behind lines that had no hash yet, or behind a
 * signed head: earlier lines have aged out. */
static bool begin(struct audit_check *c, int64_t sequence, struct err *e)
{
	const struct audit_head *before = head_of(c, sequence - 1);

	if (before)
		memcpy(c->hash, before->hash, SHA256_LEN);
	else if (sequence != 1 && c->unchained == 0)
		return err_set(e, ERR_UNAUTHENTICATED,
			"it is the first there is, and no signed head says that what stood before "
			"it has aged out");
	c->chained = true;
	return true;
}

/* hash NULL: the line has none, so it was never signed. */
static bool meets_head(struct audit_check *c, int64_t sequence, const uint8_t *hash, struct err *e)
{
	while (c->next_head < c->head_count && c->heads[c->next_head].sequence < sequence)
		c->next_head++; /* of lines that have aged out */
	if (c->next_head == c->head_count || c->heads[c->next_head].sequence != sequence)
		return true;
	return (hash && memcmp(c->heads[c->next_head++].hash, hash, SHA256_LEN) == 0) ||
	       err_set(e, ERR_UNAUTHENTICATED, "its hash is not the one that was signed");
}

static bool follow(struct audit_check *c, const json_t *line, int64_t sequence, struct err *e)
{
	uint8_t stated[SHA256_LEN], computed[SHA256_LEN];
	bool hashed;

	if (!get_hash(line, &hashed, stated, e))
		return false;
	if (!hashed) {
		c->unchained++;
		return (!c->chained || err_set(e, ERR_UNAUTHENTICATED, "it has no hash")) &&
		       meets_head(c, sequence, NULL, e);
	}
	if ((!c->chained && !begin(c, sequence, e)) || !line_hash(c, line, sequence, computed, e))
		return false;
	memcpy(c->hash, computed, SHA256_LEN);
	if (memcmp(stated, c->hash, SHA256_LEN) != 0)
		return err_set(e, ERR_UNAUTHENTICATED,
			"its hash does not follow from it and the line before it");
	return meets_head(c, sequence, c->hash, e);
}

bool audit_check_line(struct audit_check *c, const json_t *line, struct err *e)
{
	int64_t sequence = 0;

	if (!get_number(line, "sequence", &sequence, e) || sequence < 1)
		return err_set(e, ERR_INPUT, "this is no line of a log");
	if (c->last && sequence != c->last + 1)
		return err_set(e, ERR_UNAUTHENTICATED, "line %lld stands behind line %lld",
			(long long)sequence, (long long)c->last);
	if (!follow(c, line, sequence, e))
		return err_prefix(e, "line %lld", (long long)sequence);
	if (!c->first && !get_moment(line, &c->since, e))
		return false;
	c->first = c->first ? c->first : sequence;
	c->last = sequence;
	return true;
}

bool audit_check_end(struct audit_check *c, const struct audit_head *expected, struct err *e)
{
	const struct audit_head *last = c->head_count ? &c->heads[c->head_count - 1] : NULL;
	const struct audit_head *there = expected ? head_of(c, expected->sequence) : NULL;

	if (!last && c->last)
		return err_set(e, ERR_UNAUTHENTICATED, "no head of the log is signed");
	if (last && last->sequence > c->last)
		return err_set(e, ERR_UNAUTHENTICATED,
			"the log ends with line %lld, and line %lld was signed", (long long)c->last,
			(long long)last->sequence);
	if (!expected || (there && memcmp(there->hash, expected->hash, SHA256_LEN) == 0))
		return true;
	return err_set(e, ERR_UNAUTHENTICATED, "it has no signed head %lld with the hash expected",
		(long long)expected->sequence);
}
