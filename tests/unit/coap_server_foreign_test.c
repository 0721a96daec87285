/* SPDX-License-Identifier: Apache-2.0 */
/* Others at both ends: OpenSSL's s_client and libcoap's client ask our server, our client asks
 * OpenSSL's s_server. Skipped where a program is missing. */
#include "tests/unit/coap_server_fixture.h"
#include "tests/unit/skip.h"

#include <signal.h>
#include <sys/wait.h>

#define OUTPUT_MAX  65536
#define PROGRAM_MAX 64

static struct fixture fx;
static char dir[] = "/tmp/coap_foreign_XXXXXX";
static char key_path[64], cert_path[64], body_path[64], out_path[64];
static uint8_t body[4096];

static void save(const char *path, struct bytes b)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(b.data, 1, b.len, f), b.len);
	fclose(f);
}

static int set_up(void **state)
{
	struct buf pem BUF_AUTO = BUF_INIT(65536);
	struct err e = ERR_INIT;

	start_server(&fx, NULL);
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(key_path, sizeof(key_path), "%s/key.pem", dir);
	snprintf(cert_path, sizeof(cert_path), "%s/cert.pem", dir);
	snprintf(body_path, sizeof(body_path), "%s/body", dir);
	snprintf(out_path, sizeof(out_path), "%s/out", dir);
	MUST(key_save(fx.device.key, key_path, &e));
	MUST(cert_format_pem(fx.device.cert, &pem, &e));
	save(cert_path, buf_bytes(&pem));
	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)(i * 31 + i / 256);
	save(body_path, bytes_of(body, sizeof(body)));
	return 0;
}

static int tear_down(void **state)
{
	stop_server(&fx);
	unlink(key_path);
	unlink(cert_path);
	unlink(body_path);
	unlink(out_path);
	rmdir(dir);
	return 0;
}

/* ---- Programs ------------------------------------------------------------------------------- */

struct program {
	pid_t pid;
	int in, out;
	char text[OUTPUT_MAX]; /* what it has said, NULs as they come */
	size_t len;
};

static void start(struct program *p, char *const argv[])
{
	int in[2], out[2];

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	*p = (struct program){.pid = fork(), .in = in[1], .out = out[0]};
	if (p->pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(out[1], 2);
		for (int fd = 3; fd < 256; fd++)
			close(fd);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
}

/* Read until it has said so; false when it ends or takes too long. */
static bool await_text(struct program *p, const void *text, size_t len)
{
	int64_t deadline = clock_mono_ms() + PATIENCE_MS;

	while (!memmem(p->text, p->len, text, len)) {
		struct pollfd f = {.fd = p->out, .events = POLLIN};
		int64_t left = deadline - clock_mono_ms();
		ssize_t n;

		if (left <= 0 || p->len == OUTPUT_MAX || poll(&f, 1, (int)left) != 1)
			return false;
		n = read(p->out, p->text + p->len, OUTPUT_MAX - p->len);
		if (n <= 0)
			return false;
		p->len += (size_t)n;
	}
	return true;
}

/* Its exit status; -1: it had to be killed. */
static int finish(struct program *p, bool now)
{
	int status;

	close(p->in);
	if (now)
		kill(p->pid, SIGKILL);
	else
		await_text(p, "\0never said\0", 12); /* to the end of its output */
	waitpid(p->pid, &status, 0);
	close(p->out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void need(const char *program)
{
	char command[PROGRAM_MAX];

	snprintf(command, sizeof(command), "command -v %s >/dev/null", program);
	if (system(command) != 0) /* NOLINT(cert-env33-c): a constant of ours */
		SKIP_BECAUSE(program);
}

/* ---- OpenSSL -------------------------------------------------------------------------------- */

#define WORD(s) ((char *)(uintptr_t)(s)) /* argv knows no const */

/* req: C-01, C-23, D-03, D-07, B-12 */
static void s_client__ccm_8_and_small_fragments__gets_a_small_block(void **state)
{
	static const uint8_t get[] = "\x40\x01\x12\x34\xb3"
				     "big\x61\x3c"; /* Accept: 60 */
	char at[32];
	struct program p;
	const struct {
		const char *suite, *group, *fragment;
		size_t block;
	} rows[] = {
		{"ECDHE-ECDSA-AES128-CCM8", "P-256", "512", 256},
		{"ECDHE-ECDSA-AES128-CCM", "P-384:P-256", "1024", 512},
		{"ECDHE-ECDSA-AES256-GCM-SHA384", "X25519:P-256", "1024", 512},
		{"ECDHE-ECDSA-CHACHA20-POLY1305", "P-256", "512", 256},
	};

	need("openssl");
	snprintf(at, sizeof(at), "127.0.0.1:%u", coap_server_port(fx.server));
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *const argv[] = {WORD("openssl"), WORD("s_client"), WORD("-dtls1_2"),
			WORD("-quiet"), WORD("-connect"), at, WORD("-cert"), cert_path,
			WORD("-key"), key_path, WORD("-cipher"), WORD(rows[i].suite),
			WORD("-groups"), WORD(rows[i].group), WORD("-maxfraglen"),
			WORD(rows[i].fragment), NULL};
		uint8_t end[32]; /* of the first block */

		start(&p, argv);
		assert_int_equal(write(p.in, get, sizeof(get) - 1), sizeof(get) - 1);
		for (size_t k = 0; k < sizeof(end); k++)
			end[k] = (uint8_t)((rows[i].block - sizeof(end) + k) % 97);
		if (!await_text(&p, end, sizeof(end)))
			fail_msg("%s: %.*s", rows[i].suite, (int)p.len, p.text);
		finish(&p, true);
	}
}

/* req: C-01 */
static void s_client__without_certificate__is_refused(void **state)
{
	char at[32];
	char *const argv[] = {
		WORD("openssl"), WORD("s_client"), WORD("-dtls1_2"), WORD("-connect"), at, NULL};
	struct program p;

	need("openssl");
	snprintf(at, sizeof(at), "127.0.0.1:%u", coap_server_port(fx.server));
	start(&p, argv);
	assert_true(await_text(&p, "alert handshake failure", 23));
	finish(&p, true);
}

static void s_server__our_client__talks_to_it(void **state)
{
	const struct dtls_client_config config = {.identity = &fx.device, .max_fragment = 512};
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t len = sizeof(sa);
	char port[8];
	int probe = socket(AF_INET, SOCK_DGRAM, 0);
	char *const argv[] = {WORD("openssl"), WORD("s_server"), WORD("-dtls1_2"), WORD("-accept"),
		port, WORD("-cert"), cert_path, WORD("-key"), key_path, WORD("-Verify"), WORD("1"),
		WORD("-listen"), NULL};
	struct program p;
	struct mote m;

	need("openssl");
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(probe, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(getsockname(probe, (struct sockaddr *)&sa, &len), 0);
	close(probe);
	snprintf(port, sizeof(port), "%u", ntohs(sa.sin_port));
	start(&p, argv);
	if (!await_text(&p, "ACCEPT", 6))
		fail_msg("%.*s", (int)p.len, p.text);
	mote_start(&m, udp_connect(ntohs(sa.sin_port)), NULL, &config);
	m.own_fd = true;
	if (!mote_finish(&m))
		fail_msg("%s; %.*s", m.why.text, (int)p.len, p.text);
	mote_send_octets(&m, "heard you\n", 10);
	assert_true(await_text(&p, "heard you", 9));
	assert_int_equal(dtls_plaintext_max(m.d), 512);
	assert_int_equal(write(p.in, "and you\n", 8), 8);
	while (m.in_count == 0) {
		struct mote *one = &m;

		assert_true(motes_receive(&one, 1, PATIENCE_MS));
	}
	assert_memory_equal(m.in[0].octets, "and you", 7);
	mote_close(&m);
	finish(&p, true);
}

/* ---- libcoap -------------------------------------------------------------------------------- */

static char uri[96];

static size_t fetched(uint8_t *out, size_t room)
{
	FILE *f = fopen(out_path, "rb");
	size_t n = f ? fread(out, 1, room, f) : 0;

	if (f)
		fclose(f);
	return n;
}

/* One request of libcoap's client; what it has written as the answer. */
static size_t coap_client(
	const char *method, const char *path, const char *const *more, uint8_t *out, size_t room)
{
	char *argv[32] = {WORD("coap-client-openssl"), WORD("-v"), WORD("4"), WORD("-B"),
		WORD("10"), WORD("-c"), cert_path, WORD("-j"), key_path, WORD("-n"), WORD("-o"),
		out_path, WORD("-m"), WORD(method)};
	size_t n = 14;
	struct program p;

	unlink(out_path);
	while (more && *more)
		argv[n++] = WORD(*more++);
	snprintf(uri, sizeof(uri), "coaps://127.0.0.1:%u%s", coap_server_port(fx.server), path);
	argv[n] = uri;
	start(&p, argv);
	if (finish(&p, false) != 0)
		fail_msg("%s: %.*s", uri, (int)p.len, p.text);
	return fetched(out, room);
}

/* req: C-15, B-01, B-08 */
static void libcoap__large_both_ways__is_whole(void **state)
{
	static const char *const cbor[] = {"-A", "60", NULL};
	const char *const post[] = {"-f", body_path, "-t", "60", NULL};
	const char *const small_blocks[] = {"-f", body_path, "-t", "60", "-b", "128", NULL};
	uint8_t got[8192];

	need("coap-client-openssl");
	assert_int_equal(coap_client("get", "/big", cbor, got, sizeof(got)), BIG);
	for (size_t i = 0; i < BIG; i++)
		assert_int_equal(got[i], i % 97);
	assert_int_equal(coap_client("post", "/echo", post, got, sizeof(got)), sizeof(body));
	assert_memory_equal(got, body, sizeof(body));
	assert_int_equal(
		coap_client("post", "/echo", small_blocks, got, sizeof(got)), sizeof(body));
	assert_memory_equal(got, body, sizeof(body));
}

static void *release_soon(void *app)
{
	struct call *c = await_kept(app);

	poll(NULL, 0, 20); /* far more than ack_ms: only now is the answer late */
	release(c);
	return NULL;
}

/* The one that drops a separate response in blocks to a small request: it gets none. */
static void libcoap__small_request_late_large_answer__is_read(void **state)
{
	static const char *const small[] = {"-e", "csr", "-t", "60", NULL};
	const char *const large[] = {"-f", body_path, "-t", "60", NULL};
	uint8_t got[8192];
	pthread_t other;

	need("coap-client-openssl");
	stop_server(&fx);
	start_server(&fx, &(struct coap_limits){.ack_ms = 1});
	{
		struct err e = ERR_INIT;
		struct buf pem BUF_AUTO = BUF_INIT(65536);

		MUST(key_save(fx.device.key, key_path, &e));
		MUST(cert_format_pem(fx.device.cert, &pem, &e));
		save(cert_path, buf_bytes(&pem));
	}
	for (int i = 0; i < 2; i++) {
		pthread_create(&other, NULL, release_soon, &fx.app);
		assert_int_equal(
			coap_client("post", "/keep", i ? large : small, got, sizeof(got)), 1200);
		pthread_join(other, NULL);
		assert_int_equal(got[1199], 'k');
	}
	assert_int_equal(atomic_load(&fx.app.count), 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(s_client__ccm_8_and_small_fragments__gets_a_small_block),
		T(s_client__without_certificate__is_refused),
		T(s_server__our_client__talks_to_it),
		T(libcoap__large_both_ways__is_whole),
		T(libcoap__small_request_late_large_answer__is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
