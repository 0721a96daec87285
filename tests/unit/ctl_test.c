/* SPDX-License-Identifier: Apache-2.0 */
/* The admin tools' shared command line against a daemon in miniature: a real server on a Unix
 * socket in a thread of its own. What a tool prints is read back from a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/net/http_server.h"
#include "ctl/ctl.h"

struct fixture {
	char dir[64], socket[80], out[80], err[80];
	struct loop *loop;
	pthread_t thread;
	struct http_server *server;
	struct http_server_config config;
	struct log log;
	struct buf printed, complained;
};

/* ---- the daemon ---- */

static void json(struct call *c, const char *text)
{
	call_reply(c, 200, "application/json", bytes_of_str(text));
}

static void on_list(struct call *c, void *app)
{
	if (strcmp(call_query(c), "after=p%262") == 0)
		json(c, "{\"items\":[{\"id\":3,\"name\":\"with, "
			"comma\",\"more\":{\"x\":[1]}}],\"next\":null}");
	else
		json(c, "{\"items\":[{\"id\":1,\"name\":\"one\",\"more\":null},{\"id\":2,\"name\":"
			"\"\\u001b[31mred\"}],"
			"\"next\":\"p&2\"}");
}

static void on_item(struct call *c, void *app)
{
	struct err e = ERR_INIT;

	if (strcmp(call_path(c), "/api/v1/items/a%2Fb%20%25") == 0) {
		json(c, "{\"id\":7,\"name\":\"seven\"}");
		return;
	}
	if (strcmp(call_path(c), "/api/v1/items/forbidden") == 0)
		err_set(&e, ERR_REFUSED, "no");
	else if (strcmp(call_path(c), "/api/v1/items/broken") == 0)
		err_set(&e, ERR_BUG, "broken");
	else
		err_set(&e, ERR_NOT_FOUND, "no");
	err_tell(&e, "A sentence about it.");
	call_reply_err(c, NULL, "refused", &e);
}

static void on_put(struct call *c, void *app)
{
	call_reply(c, 200, "application/json", call_body(c));
}

static const struct http_route routes[] = {
	{"GET", "/api/v1/items", on_list, 0, NULL},
	{"GET", "/api/v1/items/*", on_item, 0, NULL},
	{"POST", "/api/v1/items", on_put, 65536, "application/json"},
};

static void *serve(void *arg)
{
	loop_run(arg);
	return NULL;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err e = ERR_INIT;

	snprintf(f->dir, sizeof(f->dir), "/tmp/ctl_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->socket, sizeof(f->socket), "unix:%s/s", f->dir);
	snprintf(f->out, sizeof(f->out), "%s/out", f->dir);
	snprintf(f->err, sizeof(f->err), "%s/err", f->dir);
	f->log = (struct log){.program = "test", .level = LOG_LEVEL_ERROR, .fd = 2};
	f->config = (struct http_server_config){.listen = f->socket,
		.routes = routes,
		.route_count = 3,
		.limits = http_limits_default,
		.log = &f->log,
		.unix_mode = 0600};
	f->loop = loop_new(&e);
	f->server = http_server_new(&f->config, &f->loop, 1, &e);
	if (!f->server)
		fail_msg("%s", e.text);
	assert_int_equal(pthread_create(&f->thread, NULL, serve, f->loop), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char cmd[128];

	loop_stop(f->loop);
	pthread_join(f->thread, NULL);
	http_server_free(f->server);
	loop_free(f->loop);
	buf_clear(&f->printed);
	buf_clear(&f->complained);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", f->dir);
	assert_int_equal(system(cmd), 0);
	free(f);
	return 0;
}

/* ---- the tool ---- */

static enum ctl_exit list(struct ctl *c, int argc, char **argv)
{
	static const struct ctl_column columns[] = {
		{"NAME", "name"}, {"ID", "id"}, {"MORE", "more"}, {NULL, NULL}};

	return ctl_list(c, "/api/v1/items", columns);
}

static enum ctl_exit show(struct ctl *c, int argc, char **argv)
{
	struct ctl_tally t = {0};

	for (int i = 0; i < argc; i++) {
		BUF_AUTO struct buf path = BUF_INIT(1000);
		struct err e = ERR_INIT;
		json_t *item = NULL;
		enum ctl_exit code;

		assert_true(buf_append_str(&path, "/api/v1/items", &e) &&
			    ctl_path_add(&path, argv[i], &e));
		code = ctl_request(
			c, argv[i], "GET", buf_str(&path), NULL, (struct bytes){NULL, 0}, &item);
		if (code == CTL_DONE)
			code = ctl_print_object(c, item);
		json_decref(item);
		ctl_tally_add(&t, code);
	}
	return ctl_tally_exit(&t);
}

static enum ctl_exit put(struct ctl *c, int argc, char **argv)
{
	const char *colour = ctl_option(c, "colour"), *all = ctl_option(c, "all");
	json_t *body =
		json_pack("{s:s, s:b}", "colour", colour ? colour : "none", "all", all != NULL);
	json_t *reply = NULL;
	enum ctl_exit code = ctl_request_json(c, NULL, "POST", "/api/v1/items", body, &reply);

	if (code == CTL_DONE)
		code = ctl_print_object(c, reply);
	json_decref(reply);
	json_decref(body);
	return code;
}

static const struct ctl_option put_options[] = {{"colour", "NAME"}, {"all", NULL}, {NULL, NULL}};
static const struct ctl_command commands[] = {
	{"items", "list", "", "List.", 0, 0, NULL, list},
	{"items", "show", "ID…", "Show.", 1, -1, NULL, show},
	{"items", "put", "", "Put.", 0, 0, put_options, put},
	{"status", "", "", "Alone.", 0, 0, NULL, list},
	{.noun = NULL},
};
static const struct ctl_program program = {
	"tool", "does things", "/nowhere/default.sock", commands};

static void read_back(const char *path, struct buf *out)
{
	struct err e = ERR_INIT;

	buf_clear(out);
	buf_init(out, 1 << 20);
	assert_true(file_read(path, out, &e));
}

/* Run the tool with these words, its output in f->printed and f->complained. */
static int run_words(struct fixture *f, char *line)
{
	char *argv[16] = {NULL}, *rest = line;
	int argc = 0, code, saved_out = dup(1), saved_err = dup(2);

	while (argc < 15 && (argv[argc] = strsep(&rest, "|")) != NULL)
		argc++;
	fflush(stdout);
	assert_non_null(freopen(f->out, "w", stdout));
	assert_non_null(freopen(f->err, "w", stderr));
	code = ctl_main(argc, argv, &program);
	fflush(stdout);
	fflush(stderr);
	dup2(saved_out, 1);
	dup2(saved_err, 2);
	close(saved_out);
	close(saved_err);
	read_back(f->out, &f->printed);
	read_back(f->err, &f->complained);
	return code;
}

/* words: "%s" is the socket's path; separated by '|'. */
static int run(struct fixture *f, const char *words)
{
	char line[512];
	int used = snprintf(line, sizeof(line), "tool|-s|%s|", f->socket + strlen("unix:"));

	snprintf(line + used, sizeof(line) - (size_t)used, "%s", words);
	return run_words(f, line);
}

static void ctl_list__all_pages__are_printed_in_each_format(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, "items|list"), CTL_DONE);
	assert_string_equal(buf_str(&f->printed), "NAME         ID  MORE\n"
						  "one          1   -\n"
						  "?[31mred     2   -\n"
						  "with, comma  3   {\"x\":[1]}\n");
	assert_int_equal(run(f, "-o|csv|items|list"), CTL_DONE);
	assert_string_equal(buf_str(&f->printed),
		"name,id,more\none,1,\n?[31mred,2,\n\"with, comma\",3,\"{\"\"x\"\":[1]}\"\n");
	assert_int_equal(run(f, "items|list|--output=ids"), CTL_DONE);
	assert_string_equal(buf_str(&f->printed), "one\n?[31mred\nwith, comma\n");
	assert_int_equal(run(f, "items|--output|json|list"), CTL_DONE);
	assert_int_equal(buf_str(&f->printed)[0], '[');
	assert_null(strchr(buf_str(&f->printed), '\x1b'));
	assert_int_equal(run(f, "status"), CTL_DONE);
}

static void ctl_request__odd_characters__travel_in_the_path(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, "items|show|a/b %"), CTL_DONE);
	assert_string_equal(buf_str(&f->printed), "id    7\nname  seven\n");
}

static void ctl_request__refusals__have_their_exit_codes_and_sentence(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, "items|show|nix"), CTL_NOT_FOUND);
	assert_string_equal(buf_str(&f->complained), "tool: nix: A sentence about it.\n");
	assert_int_equal(run(f, "items|show|forbidden"), CTL_NOT_ALLOWED);
	assert_int_equal(run(f, "items|show|broken"), CTL_FAILED);
	assert_int_equal(run(f, "items|show|nix|a/b %"), CTL_PARTLY);
	assert_int_equal(run(f, "items|show|nix|forbidden"), CTL_NOT_FOUND);
}

static void ctl_request__nobody_listens__is_unreachable(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run_words(f, (char[]){"tool|items|list"}), CTL_UNREACHABLE);
	assert_non_null(strstr(buf_str(&f->complained), "/nowhere/default.sock: No such file"));
	assert_int_equal(run(f, "-s|/dev/null|items|list"), CTL_UNREACHABLE);
}

static void ctl_option__value_and_flag__reach_the_command(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, "items|put"), CTL_DONE);
	assert_string_equal(buf_str(&f->printed), "colour  none\nall     false\n");
	assert_int_equal(run(f, "items|--colour|red|put|--all"), CTL_DONE);
	assert_string_equal(buf_str(&f->printed), "colour  red\nall     true\n");
	assert_int_equal(run(f, "items|put|--colour=blue"), CTL_DONE);
	assert_string_equal(buf_str(&f->printed), "colour  blue\nall     false\n");
}

static void ctl_main__mistakes__are_usage_errors(void **state)
{
	static const char *const bad[] = {"", "items", "items|frob", "items|list|extra",
		"items|show", "items|list|--all", "items|put|--colour", "items|put|--all=yes",
		"items|put|--nonsense", "-x|items|list", "-o|xml|items|list", "items|list|-o",
		"-so|items|list"};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (run(f, bad[i]) != CTL_USAGE)
			fail_msg("%s", bad[i]);
		assert_int_equal(f->printed.len, 0);
		assert_int_equal(strncmp(buf_str(&f->complained), "tool: ", 6), 0);
	}
}

static void ctl_main__help_and_version__need_no_daemon(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run_words(f, (char[]){"tool|--help"}), CTL_DONE);
	assert_non_null(strstr(
		buf_str(&f->printed), "tool items put [--colour NAME] [--all]\n      Put.\n"));
	assert_int_equal(run_words(f, (char[]){"tool|-V"}), CTL_DONE);
	assert_string_equal(buf_str(&f->printed), "tool " BRSKI_VERSION "\n");
}

static void ctl_main__after_two_dashes__everything_is_an_argument(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, "items|show|--|--help"), CTL_NOT_FOUND);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(ctl_list__all_pages__are_printed_in_each_format),
		TEST(ctl_request__odd_characters__travel_in_the_path),
		TEST(ctl_request__refusals__have_their_exit_codes_and_sentence),
		TEST(ctl_request__nobody_listens__is_unreachable),
		TEST(ctl_option__value_and_flag__reach_the_command),
		TEST(ctl_main__mistakes__are_usage_errors),
		TEST(ctl_main__help_and_version__need_no_daemon),
		TEST(ctl_main__after_two_dashes__everything_is_an_argument),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
