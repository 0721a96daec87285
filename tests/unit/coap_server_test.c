/* SPDX-License-Identifier: Apache-2.0 */
/* The CoAPS server over real sockets: messages, repeats, late answers, refusals, peers, limits.
 * Bodies in blocks are coap_server_blocks_test.c's. */
#include "tests/unit/coap_server_fixture.h"

static struct fixture fx;

static int set_up(void **state)
{
	start_server(&fx, NULL);
	return 0;
}

static int tear_down(void **state)
{
	stop_server(&fx);
	return 0;
}

#define GET(p)	   (&(struct ask){.code = COAP_GET, .path = (p)})
#define POST(p, b) (&(struct ask){.code = COAP_POST, .path = (p), .payload = bytes_of_str(b)})

/* req: C-05, C-11, C-25 */
static void request__small__is_answered_with_its_ack(void **state)
{
	struct mote m;

	mote_open(&m, &fx);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(mote_ask(&m, GET("/now")), COAP_CONTENT);
		assert_true(said(&m, "now"));
		assert_int_equal(option_of(&m, COAP_OPT_CONTENT_FORMAT), COAP_FORMAT_CBOR);
		assert_int_equal(mote_ask(&m, POST("/echo", "hi")), COAP_CHANGED);
		assert_true(said(&m, "hi"));
	}
	mote_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			request__small__is_answered_with_its_ack, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
