/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody gives to `brski-voucher inspect`: a voucher or a request from anywhere, in any
 * wrapping. What was unwrapped stays the same when it is unwrapped again, and what is reported is
 * JSON that says of which kind it is, and is called good only when a reason against it is missing.
 */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "voucher/input.h"
#include "voucher/inspect.h"

/* PEM only says that a CMS is inside. */
static void check_unwrapped(struct bytes octets, const struct voucher_format *format)
{
	BUF_AUTO struct buf again = BUF_INIT(INPUT_MAX);
	const struct voucher_format *same;
	struct err e = ERR_INIT;

	FUZZ_REQUIRE(input_decode(octets, &again, &same, &e));
	FUZZ_REQUIRE(same == format && bytes_equal(octets, buf_bytes(&again)));
}

/* Reasons against it, and against what is inside of it. */
static size_t count_problems(const json_t *report)
{
	size_t count = 0;

	for (; json_is_object(report); report = json_object_get(report, "nested"))
		count += json_array_size(json_object_get(report, "problems"));
	return count;
}

static void check_report(json_t *report, const struct err *why)
{
	const char *type = json_string_value(json_object_get(report, "type"));
	const char *signature = json_string_value(json_object_get(report, "signature"));

	FUZZ_REQUIRE(type && signature && json_object_get(report, "problems"));
	FUZZ_REQUIRE((why->kind == ERR_NONE) == (count_problems(report) == 0));
	FUZZ_REQUIRE(why->kind != ERR_NONE || strcmp(signature, "valid") == 0);
}

/* Who opens a voucher to act on it believes the signature, too. */
static void check_opens(struct bytes octets, const struct voucher_format *format, json_t *report)
{
	const char *signature = json_string_value(json_object_get(report, "signature"));
	SIGNED_VOUCHER_AUTO struct signed_voucher v;
	struct err e = ERR_INIT;
	bool ok = format->open(octets, NULL, NULL, &v, &e);

	FUZZ_REQUIRE(ok == (strcmp(signature, "valid") == 0));
}

/* With one wish or the other: each costs as much as all the rest. */
static void look(struct bytes octets, const struct voucher_format *format)
{
	const struct fuzz_site *s = fuzz_site();
	const struct inspect_wish wishes[] = {
		{.at = FUZZ_NOW},
		{.signers = &s->masa.chain,
			.anchors = s->maker,
			.has_at = true,
			.at = FUZZ_NOW,
			.nonce = FUZZ_NONCE,
			.serial = "FUZZ-1"},
	};
	struct err why = ERR_INIT, e = ERR_INIT;
	json_t *report = NULL;
	bool ok = inspect(octets, format, &wishes[octets.len % 2], &report, &why, &e);

	fuzz_check_promises(ok, &e);
	FUZZ_REQUIRE(ok == (report != NULL));
	if (ok)
		check_report(report, &why);
	if (ok && !wishes[octets.len % 2].signers)
		check_opens(octets, format, report);
	json_decref(report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	BUF_AUTO struct buf octets = BUF_INIT(INPUT_MAX);
	const struct voucher_format *format;
	struct err e = ERR_INIT;
	bool ok = input_decode(bytes_of(data, len), &octets, &format, &e);

	fuzz_check_promises(ok, &e);
	if (!ok)
		return 0;
	FUZZ_REQUIRE(format);
	if (!memmem(data, len, "-----", 5))
		check_unwrapped(buf_bytes(&octets), format);
	look(buf_bytes(&octets), format);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t room, unsigned seed)
{
	const struct fuzz_site *s = fuzz_site();
	struct cert *certs[] = {s->registrar.cert, s->device.cert, s->registrar.chain.items[0]};
	struct cert_list bag = {.items = certs, .count = sizeof(certs) / sizeof(*certs)};

	const bool is_cose = len > 0 && data[0] == 0xd2, is_der = len > 0 && data[0] == 0x30;

	/* what nobody signed is shown as well: every fourth is signed again */
	if (is_cose && seed % 4)
		return fuzz_mutate_cbor(data, len, room, seed / 4);
	if (is_cose)
		return fuzz_mutate_cose(data, len, room, seed / 4, &s->registrar, &s->device, &bag);
	if (is_der && seed % 4)
		return fuzz_mutate_der(data, len, room, seed / 4);
	if (is_der)
		return fuzz_mutate_signed(
			data, len, room, seed / 4, &s->registrar, &s->device, false);
	return LLVMFuzzerMutate(data, len, room);
}
