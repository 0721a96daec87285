/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files: every type, every complaint with its line, drop-ins, repeated sections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/file.h"
#include "common/run/config_changes.h"

#define MAKERS_MAX 2

struct maker {
	char name[32];
	char *anchors;
	int admit;
};

struct settings {
	char *listen;
	char *key;
	int64_t workers;
	int64_t wait_s;
	bool open;
	int level;
	unsigned classes;
	char *words;
	struct maker makers[MAKERS_MAX];
	size_t maker_count;
};

static const char *const levels[] = {"low", "high", NULL};
static const char *const classes[] = {"global", "private", "loopback", NULL};

#define AT(f) offsetof(struct settings, f)
#define IN(f) offsetof(struct maker, f)

static const struct config_option options[] = {
	{"server", "listen", CONFIG_STRING, AT(listen), NULL, 0, 0, NULL, "Where to listen."},
	{"server", "key", CONFIG_PATH, AT(key), "", 0, 0, NULL, "The key."},
	{"server", "workers", CONFIG_INT, AT(workers), "4", 0, 64, NULL, "Threads."},
	{"server", "wait", CONFIG_DURATION, AT(wait_s), "15m", 1, 86400, NULL, "Seconds."},
	{"server", "open", CONFIG_BOOL, AT(open), "yes", 0, 0, NULL, "Open?"},
	{"log", "level", CONFIG_CHOICE, AT(level), "low", 0, 0, levels, "How much."},
	{"log", "classes", CONFIG_FLAGS, AT(classes), "global,private", 0, 0, classes, "Which."},
	{"log", "words", CONFIG_WORDS, AT(words), "", 0, 0, NULL, "Words."},
	{"maker", "anchors", CONFIG_PATH, IN(anchors), NULL, 0, 0, NULL, "Anchors."},
	{"maker", "admit", CONFIG_CHOICE, IN(admit), "high", 0, 0, levels, "Admission."},
};

static void *instance(void *out, const char *name, struct err *e)
{
	struct settings *s = out;

	for (size_t i = 0; i < s->maker_count; i++)
		if (strcmp(s->makers[i].name, name) == 0)
			return &s->makers[i];
	if (s->maker_count == MAKERS_MAX) {
		err_set(e, ERR_INPUT, "more than %d makers", MAKERS_MAX);
		return NULL;
	}
	snprintf(s->makers[s->maker_count].name, sizeof(s->makers[0].name), "%s", name);
	return &s->makers[s->maker_count++];
}

static const char *const at_start_only[] = {"[server] listen", NULL};
static const struct config_schema schema = {.options = options,
	.option_count = sizeof(options) / sizeof(*options),
	.repeated_section = "maker",
	.instance = instance,
	.at_start_only = at_start_only};

struct fixture {
	char dir[64];
	char path[96];
	struct settings s;
	struct err e;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/config_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/a.conf", f->dir);
	*state = f;
	return 0;
}

static void clear(struct fixture *f)
{
	config_clear(&schema, &f->s);
	for (size_t i = 0; i < f->s.maker_count; i++)
		config_clear_instance(&schema, &f->s.makers[i]);
	memset(&f->s, 0, sizeof(f->s));
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char cmd[128];

	clear(f);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", f->dir);
	assert_int_equal(system(cmd), 0);
	free(f);
	return 0;
}

static void write_file(struct fixture *f, const char *path, const char *text)
{
	assert_true(file_write_atomic(path, bytes_of_str(text), 0600, &f->e));
}

static bool load(struct fixture *f, const char *text)
{
	clear(f);
	write_file(f, f->path, text);
	return config_load(f->path, &schema, &f->s, &f->e);
}

/* The message is "PATH:" and then what is expected. */
static void refused(struct fixture *f, const char *text, const char *reason)
{
	assert_false(load(f, text));
	assert_int_equal(strncmp(f->e.text, f->path, strlen(f->path)), 0);
	assert_string_equal(f->e.text + strlen(f->path), reason);
}

static void config_load__every_type__is_read(void **state)
{
	struct fixture *f = *state;
	char path[128];

	assert_true(load(f,
		"\xef\xbb\xbf# comment\n[server]\n listen = [::1]:8443 \r\nkey=k/a.pem\nworkers=2\n"
		"wait=2h\nopen = off\n; another\n[log]\nlevel=high\nclasses=loopback global\n"
		"words = https://a:1 https://b;x=1#y"));
	snprintf(path, sizeof(path), "%s/k/a.pem", f->dir);
	assert_string_equal(f->s.listen, "[::1]:8443");
	assert_string_equal(f->s.key, path);
	assert_int_equal(f->s.workers, 2);
	assert_int_equal(f->s.wait_s, 7200);
	assert_false(f->s.open);
	assert_int_equal(f->s.level, 1);
	assert_int_equal(f->s.classes, 5);
	assert_string_equal(f->s.words, "https://a:1 https://b;x=1#y");
}

static void config_load__nothing_but_the_required__takes_defaults(void **state)
{
	struct fixture *f = *state;

	assert_true(load(f, "[server]\nlisten=x\n"));
	assert_null(f->s.key);
	assert_int_equal(f->s.workers, 4);
	assert_int_equal(f->s.wait_s, 900);
	assert_true(f->s.open);
	assert_int_equal(f->s.classes, 3);
	assert_null(f->s.words);
}

static void config_load__absolute_path__stays(void **state)
{
	struct fixture *f = *state;

	assert_true(load(f, "[server]\nlisten=x\nkey=/etc/k\n"));
	assert_string_equal(f->s.key, "/etc/k");
}

static void config_load__value_beyond_libinihs_buffer__is_whole(void **state)
{
	struct fixture *f = *state;
	char text[4096] = "[server]\nlisten=x\n[log]\nwords=", want[3500] = "";

	for (int i = 0; i < 100; i++)
		snprintf(want + strlen(want), 40, "%shttps://host%03d.example:8443;#",
			i ? "  " : "", i);
	strcat(text, want);
	assert_true(load(f, text));
	assert_string_equal(f->s.words, want);
}

static void config_load__repeated_sections__are_instances(void **state)
{
	struct fixture *f = *state;

	assert_true(load(f,
		"[maker A]\nanchors=/a\n[server]\nlisten=x\n[maker  B]\nanchors=/b\nadmit=low\n"));
	assert_int_equal(f->s.maker_count, 2);
	assert_string_equal(f->s.makers[0].anchors, "/a");
	assert_int_equal(f->s.makers[0].admit, 1);
	assert_string_equal(f->s.makers[1].name, "B");
	assert_int_equal(f->s.makers[1].admit, 0);
}

static void config_load__drop_ins__override_in_order_of_name(void **state)
{
	struct fixture *f = *state;
	char path[160];

	snprintf(path, sizeof(path), "%s.d", f->path);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s.d/20.conf", f->path);
	write_file(f, path, "[server]\nworkers=20\n[maker A]\nadmit=low\n");
	snprintf(path, sizeof(path), "%s.d/10.conf", f->path);
	write_file(f, path, "[server]\nworkers=10\nopen=no\n");
	snprintf(path, sizeof(path), "%s.d/30.conf~", f->path);
	write_file(f, path, "nonsense");
	assert_true(load(f, "[server]\nlisten=x\nworkers=1\n[maker A]\nanchors=/a\n"));
	assert_int_equal(f->s.workers, 20);
	assert_false(f->s.open);
	assert_int_equal(f->s.maker_count, 1);
	assert_int_equal(f->s.makers[0].admit, 0);
}

static void config_load__broken_drop_in__names_its_file(void **state)
{
	struct fixture *f = *state;
	char path[160];

	snprintf(path, sizeof(path), "%s.d", f->path);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s.d/10.conf", f->path);
	write_file(f, path, "[server]\n\nworkers=many\n");
	assert_false(load(f, "[server]\nlisten=x\n"));
	assert_non_null(strstr(
		f->e.text, "a.conf.d/10.conf:3: [server] workers: 'many' is not a whole number"));
}

static void config_load__mistakes__are_named_with_their_line(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{"[server]\nlisten=x\nworker=1\n",
			":3: unknown key 'worker' in [server]; did you mean 'workers'?"},
		{"[server]\nlisten=x\nlevel=low\n",
			":3: unknown key 'level' in [server]; it belongs in [log]"},
		{"[server]\nxyzzyplugh=1\n", ":2: unknown key 'xyzzyplugh' in [server]"},
		{"\n[servre]\n", ":2: unknown section [servre]; did you mean [server]?"},
		{"[zzzzzzzz]\n", ":1: unknown section [zzzzzzzz]"},
		{"listen=x\n", ":1: 'listen' stands before any [section]"},
		{"[server]\nlisten=x\n\nlisten=y\n", ":4: 'listen' stands in line 2 already"},
		{"[server]\nworkers=1\n", ": [server] listen is missing"},
		{"[server]\nlisten=\n", ":2: 'listen' needs a value"},
		{"[server]\nlisten=x\n[maker A]\nadmit=low\n", ": [maker A] anchors is missing"},
		{"[server]\nlisten=x\n[maker A]\n", ": [maker A] anchors is missing"},
		{"[maker]\nanchors=x\n", ":1: section [maker NAME] needs a name"},
		{"[server A]\n", ":1: section [server] takes no name"},
		{"[maker A]\n[maker B]\n[maker C]\n", ":3: more than 2 makers"},
		{"[server\n", ":1: a section is one [name] on a line of its own"},
		{"[server] x=1\n", ":1: a section is one [name] on a line of its own"},
		{"[server]\nlisten\n", ":2: neither [section] nor key = value"},
		{"[server]\nlisten: a=b\n", ":2: 'listen: a' is no name of an option"},
		{"[server]\n=x\n", ":2: '' is no name of an option"},
		{"[server]\nlisten=x # here\n", ":2: a comment stands on a line of its own"},
		{"[server]\nlisten=x ;here\n", ":2: a comment stands on a line of its own"},
		{"[server]\nworkers=65\n", ":2: [server] workers: 65 is not between 0 and 64"},
		{"[server]\nworkers=-1\n", ":2: [server] workers: -1 is not between 0 and 64"},
		{"[server]\nworkers=1x\n", ":2: [server] workers: '1x' is not a whole number"},
		{"[server]\nworkers=99999999999999999999\n",
			":2: [server] workers: '99999999999999999999' is not a whole number"},
		{"[server]\nwait=5w\n", ":2: [server] wait: '5w' is not a duration such as 90, "
					"90s, 15m, 12h or 30d"},
		{"[server]\nwait=0\n", ":2: [server] wait: 0 is not between 1 and 86400"},
		{"[server]\nopen=maybe\n", ":2: [server] open: 'maybe' is neither yes nor no"},
		{"[log]\nlevel=medium\n", ":2: [log] level: 'medium' is none of: low, high"},
		{"[log]\nclasses=global, local\n",
			":2: [log] classes: 'local' is none of: global, private, loopback"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		refused(*state, cases[i].text, cases[i].reason);
}

static void config_load__line_too_long__is_refused_not_cut(void **state)
{
	char text[6000] = "[log]\nwords=";

	memset(text + strlen(text), 'x', 5000);
	refused(*state, text, ":2: line longer than 4096 octets");
}

static void config_load__blanks_that_cannot_be_cut__are_refused(void **state)
{
	char text[600] = "[log]\nwords=a";
	size_t len = strlen(text);

	memset(text + len, ' ', 400);
	text[len + 400] = 'b';
	refused(*state, text, ":2: too many blanks in a row");
}

static void config_load__nul_octet__is_refused(void **state)
{
	struct fixture *f = *state;

	assert_true(file_write_atomic(f->path, bytes_of("[log]\n\0words=x\n", 15), 0600, &f->e));
	assert_false(config_load(f->path, &schema, &f->s, &f->e));
	assert_non_null(strstr(f->e.text, ":2: a NUL octet"));
}

static void config_load__no_file__says_so(void **state)
{
	struct fixture *f = *state;

	assert_false(config_load("/nowhere/x.conf", &schema, &f->s, &f->e));
	assert_int_equal(f->e.kind, ERR_IO);
	assert_non_null(strstr(f->e.text, "/nowhere/x.conf: No such file"));
}

static void config_describe__schema__lists_type_default_and_help(void **state)
{
	struct fixture *f = *state;
	BUF_AUTO struct buf text = BUF_INIT(8192);

	assert_true(config_describe(&schema, &text, &f->e));
	assert_non_null(strstr(buf_str(&text),
		"# Which.\n# any of: global private loopback\n#classes = global,private\n"));
	assert_non_null(strstr(
		buf_str(&text), "[server]\n# Where to listen.\n# text; required\nlisten =\n"));
	assert_non_null(strstr(buf_str(&text), "\n[maker NAME]\n"));
}

/* ---- what a reload changed ---- */

static void list(struct fixture *f, const char *text, struct buf *out)
{
	struct err e = ERR_INIT;

	buf_init(out, CONFIG_LIST_MAX);
	assert_true(file_write_atomic(f->path, bytes_of_str(text), 0600, &e));
	assert_true(config_load(f->path, &schema, &f->s, &e));
	assert_true(config_list(&schema, &f->s, out, &e));
	for (size_t i = 0; i < f->s.maker_count; i++)
		assert_true(config_list_instance(
			&schema, f->s.makers[i].name, &f->s.makers[i], out, &e));
	clear(f);
}

static void differ(
	const struct buf *old, const struct buf *fresh, enum config_scope scope, const char *want)
{
	BUF_AUTO struct buf names = BUF_INIT(2 * CONFIG_CHANGES_MAX);
	struct err e = ERR_INIT;

	assert_true(config_compare(&schema, old, fresh, scope, &names, &e));
	assert_string_equal(buf_str(&names), want);
}

static void config_compare__options_and_sections__are_named_once_each(void **state)
{
	struct fixture *f = *state;
	BUF_AUTO struct buf a, b;

	list(f, "[server]\nlisten=x\n[maker one]\nanchors=r\n[maker two]\nanchors=r\n", &a);
	list(f,
		"[server]\nlisten=y\nwait=2m\nopen=no\n[log]\nlevel=high\nclasses=private\n"
		"[maker one]\nanchors=r\nadmit=low\n[maker three]\nanchors=r\n",
		&b);
	differ(&a, &a, CONFIG_RELOADED, "");
	differ(&a, &a, CONFIG_AT_START, "");
	differ(&a, &b, CONFIG_AT_START, "[server] listen");
	differ(&a, &b, CONFIG_RELOADED,
		"[server] wait, [server] open, [log] level, [log] classes, [maker one] admit, "
		"[maker three], [maker two]");
}

static void config_compare__a_file_with_another_content__has_changed(void **state)
{
	static const char text[] = "[server]\nlisten=x\nkey=k.pem\n";
	struct fixture *f = *state;
	BUF_AUTO struct buf none, first, again, second;
	struct err e = ERR_INIT;
	FREE_AUTO char *key = str_printf(&e, "%s/k.pem", f->dir);

	list(f, text, &none);
	assert_true(file_write_atomic(key, bytes_of_str("one"), 0600, &e));
	list(f, text, &first);
	assert_true(file_write_atomic(key, bytes_of_str("one"), 0600, &e));
	list(f, text, &again);
	assert_true(file_write_atomic(key, bytes_of_str("two"), 0600, &e));
	list(f, text, &second);
	differ(&none, &first, CONFIG_RELOADED, "[server] key");
	differ(&first, &again, CONFIG_RELOADED, "");
	differ(&first, &second, CONFIG_RELOADED, "[server] key");
	assert_null(strstr(buf_str(&second), "two"));
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(config_load__every_type__is_read),
		TEST(config_load__nothing_but_the_required__takes_defaults),
		TEST(config_load__absolute_path__stays),
		TEST(config_load__value_beyond_libinihs_buffer__is_whole),
		TEST(config_load__repeated_sections__are_instances),
		TEST(config_load__drop_ins__override_in_order_of_name),
		TEST(config_load__broken_drop_in__names_its_file),
		TEST(config_load__mistakes__are_named_with_their_line),
		TEST(config_load__line_too_long__is_refused_not_cut),
		TEST(config_load__blanks_that_cannot_be_cut__are_refused),
		TEST(config_load__nul_octet__is_refused),
		TEST(config_load__no_file__says_so),
		TEST(config_describe__schema__lists_type_default_and_help),
		TEST(config_compare__options_and_sections__are_named_once_each),
		TEST(config_compare__a_file_with_another_content__has_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
