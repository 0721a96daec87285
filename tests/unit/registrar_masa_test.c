/* SPDX-License-Identifier: Apache-2.0 */
/* What a MASA's status means for the pledge, what is asked of it, and where it is. */
#include "common/net/status.h"
#include "common/base/clock.h"
#include "registrar/masa.h"
#include "registrar/masa_gate.h"
#include "tests/unit/registrar_fixture.h"

static const struct uri masa = {.host = "masa.example", .port = 443};

static void masa_status_error__each_status__is_one_of_ours(void **state)
{
	static const struct {
		int masa, pledge;
	} rows[] = {{400, 502}, {401, 502}, {403, 403}, {404, 404}, {406, 406}, {413, 502},
		{415, 502}, {429, 503}, {500, 502}, {502, 502}, {503, 503}, {301, 502}, {204, 502},
		{999, 502}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err e = ERR_INIT;

		assert_false(masa_status_error(&masa, rows[i].masa, bytes_of_str("no"), &e));
		if (status_of(e.kind) != rows[i].pledge)
			fail_msg("%d became %d", rows[i].masa, status_of(e.kind));
	}
}

static void masa_status_error__what_the_masa_says__is_logged_on_one_line_and_not_told(void **state)
{
	struct err e = ERR_INIT;

	assert_false(masa_status_error(&masa, 403, bytes_of_str("secret\r\nlevel=error"), &e));
	assert_non_null(strstr(e.text, "secret"));
	assert_null(strchr(e.text, '\n'));
	assert_null(strstr(err_sentence(&e), "secret"));
	assert_null(strstr(err_sentence(&e), "masa.example"));
}

static void masa_transport_error__each_kind__keeps_its_status(void **state)
{
	static const struct {
		enum err_kind kind;
		int pledge;
	} rows[] = {{ERR_RETRY_LATER, 503}, {ERR_PEER_TIMEOUT, 504}, {ERR_PEER, 502},
		{ERR_REFUSED, 403}, {ERR_NO_MEMORY, 503}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err cause = ERR_INIT, e = ERR_INIT;

		err_set(&cause, rows[i].kind, "why");
		assert_false(masa_transport_error(&masa, &cause, &e));
		assert_int_equal(status_of(e.kind), rows[i].pledge);
		assert_non_null(strstr(e.text, "masa.example"));
	}
}

static void masa_constrained_kind__401_and_415__go_through_to_the_pledge(void **state)
{
	/* req: R-08 */
	static const struct {
		int masa, pledge;
	} rows[] = {
		{401, 401}, {403, 403}, {404, 404}, {406, 406}, {415, 415}, {500, 502}, {503, 503}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err e = ERR_INIT;

		assert_false(masa_status_error(&masa, rows[i].masa, bytes_of_str("no"), &e));
		assert_int_equal(
			status_of(masa_constrained_kind(rows[i].masa, e.kind)), rows[i].pledge);
	}
}

static void masa_media_type__vouchers_in_cose__have_the_name_the_masa_knows(void **state)
{
	/* req: A-01 */
	static char older[] = "application/voucher-cose+cbor";
	const struct manufacturer_config config = {.cose_media_type = older};
	const struct manufacturer m = {.config = &config};

	assert_string_equal(masa_media_type(&m, VOUCHER_COSE), older);
	assert_string_equal(masa_media_type(&m, "application/json"), "application/json");
	assert_true(masa_media_type_is(&m, VOUCHER_COSE, "application/voucher-cose+cbor"));
	assert_true(masa_media_type_is(&m, VOUCHER_COSE, "Application/Voucher+COSE; v=1"));
	assert_false(masa_media_type_is(&m, VOUCHER_COSE, "application/voucher-cms+json"));
	assert_false(masa_media_type_is(&m, VOUCHER_COSE, NULL));
	assert_false(masa_media_type_is(&m, "application/json", older));
}

#define TYPE "application/voucher-cms+json"

static void masa_accept__the_pledges_or_the_type_of_its_request__is_sent(void **state)
{
	static const struct {
		const char *pledge, *want;
	} rows[] = {{NULL, TYPE}, {"*/*", TYPE}, {"*/*;q=0.5", TYPE}, {TYPE, TYPE},
		{TYPE ", application/voucher-jws+json;q=0.5",
			TYPE ", application/voucher-jws+json;q=0.5"}};
	char accept[ACCEPT_MAX + 1], huge[1000];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		masa_accept(rows[i].pledge, TYPE, accept);
		assert_string_equal(accept, rows[i].want);
	}
	memset(huge, 'a', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	masa_accept(huge, TYPE, accept);
	assert_string_equal(accept, TYPE);
}

static void with_masa_url(const struct site *s, struct identity *out, const char *ext)
{
	const struct recipe r = {.cn = "Device",
		.serial_number = FIXTURE_SERIAL,
		.ext = {{"1.3.6.1.5.5.7.1.32", ext}}};

	fixture_leaf(out, &r, &s->maker, false);
}

static void masa_address__from_the_idevid_or_configured__is_found(void **state)
{
	const struct site *s = *state;
	struct manufacturer plain = {.masa_count = 0}, fixed = {.masas = {masa}, .masa_count = 1};
	IDENTITY_AUTO struct identity device;
	unsigned tried = 0;
	struct uri uri;
	struct err e = ERR_INIT;
	struct registrar r = {.masa_gates = masa_gates_new(&e)};

	with_masa_url(s, &device, "ASN1:IA5STRING:masa.acme.example:9443");
	MUST(masa_address(&r, &plain, device.cert, &tried, &uri, &e));
	assert_string_equal(uri.host, "masa.acme.example");
	assert_int_equal(uri.port, 9443);
	assert_string_equal(uri.path, "/.well-known/brski");
	MUST(masa_address(&r, &fixed, device.cert, &tried, &uri, &e));
	assert_string_equal(uri.host, "masa.example");
	assert_false(masa_has_another(&r, &fixed, tried));
	masa_gates_free(r.masa_gates);
}

static void fail_at(struct masa_gates *g, const char *name)
{
	const struct masa_gate_limits limits = {1, 60000};
	enum masa_gate_state now_is;
	struct masa_pass pass;
	int64_t wait_ms;

	assert_true(masa_gate_enter(g, name, clock_mono_ms(), &pass, &wait_ms));
	assert_true(masa_gate_leave(g, &pass, MASA_FAILED, &limits, clock_mono_ms(), &now_is));
}

static void masa_address__of_several__is_one_that_can_be_asked_and_was_not_yet(void **state)
{
	struct manufacturer m = {.masas = {masa, masa, masa}, .masa_count = 3};
	struct err e = ERR_INIT;
	struct registrar r = {.masa_gates = masa_gates_new(&e)};
	unsigned tried = 0;
	struct uri uri;

	m.masas[1].port = 1001;
	m.masas[2].port = 1002;
	fail_at(r.masa_gates, "masa.example:443");
	MUST(masa_address(&r, &m, NULL, &tried, &uri, &e));
	assert_int_equal(uri.port, 1001);
	assert_true(masa_has_another(&r, &m, tried));
	MUST(masa_address(&r, &m, NULL, &tried, &uri, &e));
	assert_int_equal(uri.port, 1002);
	assert_false(masa_has_another(&r, &m, tried));
	MUST(masa_address(&r, &m, NULL, &tried, &uri, &e)); /* better than none */
	assert_int_equal(uri.port, 443);
	REFUSED(masa_address(&r, &m, NULL, &tried, &uri, &e), ERR_UNWANTED);
	masa_gates_free(r.masa_gates);
}

static void masa_address__absent_or_not_https__is_404(void **state)
{
	const struct site *s = *state;
	const struct manufacturer plain = {.masa_count = 0};
	IDENTITY_AUTO struct identity clear;
	unsigned tried = 0;
	struct uri uri;
	struct err e = ERR_INIT;

	with_masa_url(s, &clear, "ASN1:IA5STRING:http://masa.acme.example/");
	REFUSED(masa_address(NULL, &plain, clear.cert, &tried, &uri, &e), ERR_UNWANTED);
	REFUSED(masa_address(NULL, &plain, s->idevid.cert, &tried, &uri, &e), ERR_UNWANTED);
	assert_int_equal(status_of(e.kind), 404);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(masa_status_error__each_status__is_one_of_ours),
		cmocka_unit_test(
			masa_status_error__what_the_masa_says__is_logged_on_one_line_and_not_told),
		cmocka_unit_test(masa_transport_error__each_kind__keeps_its_status),
		cmocka_unit_test(masa_constrained_kind__401_and_415__go_through_to_the_pledge),
		cmocka_unit_test(masa_media_type__vouchers_in_cose__have_the_name_the_masa_knows),
		cmocka_unit_test(masa_accept__the_pledges_or_the_type_of_its_request__is_sent),
		cmocka_unit_test(masa_address__from_the_idevid_or_configured__is_found),
		cmocka_unit_test(
			masa_address__of_several__is_one_that_can_be_asked_and_was_not_yet),
		cmocka_unit_test(masa_address__absent_or_not_https__is_404),
	};

	return cmocka_run_group_tests(tests, site_set_up, site_tear_down);
}
