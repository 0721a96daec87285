/* SPDX-License-Identifier: Apache-2.0 */
/* PROGRAM [-s SOCKET] [-o FORMAT] NOUN VERB ARGUMENTS, options anywhere, found in a table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/internal.h"
#include "ctl/remote.h"

#define ARGS_MAX 4096 /* positional arguments: ids on one command line */

struct words { /* the positional ones */
	char *items[ARGS_MAX];
	int count;
};

/* ---- help ---- */

/* What stands in place of arguments ("ID… | --all") has been shown with them. */
static void print_options(FILE *out, const struct ctl_command *cmd)
{
	for (const struct ctl_option *o = cmd->options; o && o->name; o++) {
		if (cmd->arguments && strstr(cmd->arguments, o->name))
			continue;
		fprintf(out, o->value ? " [--%s %s]" : " [--%s]%s", o->name,
			o->value ? o->value : "");
	}
}

static void print_command(FILE *out, const struct ctl_program *p, const struct ctl_command *cmd)
{
	fprintf(out, "  %s %s%s%s", p->name, cmd->noun, *cmd->verb ? " " : "", cmd->verb);
	fprintf(out, "%s%s", cmd->arguments && *cmd->arguments ? " " : "",
		cmd->arguments ? cmd->arguments : "");
	print_options(out, cmd);
	fprintf(out, "\n      %s\n", cmd->help);
}

/* Whether the command is of the noun, and the verb if there is one of that name. */
static bool is_asked_about(const struct ctl *c, const struct ctl_command *cmd)
{
	bool verb_known = false;

	if (!c->noun || strcmp(cmd->noun, c->noun) != 0)
		return false;
	for (const struct ctl_command *any = c->program->commands; c->verb && any->noun; any++)
		verb_known |= strcmp(any->noun, c->noun) == 0 && strcmp(any->verb, c->verb) == 0;
	return !verb_known || strcmp(cmd->verb, c->verb) == 0;
}

static bool any_is_asked_about(const struct ctl *c)
{
	for (const struct ctl_command *cmd = c->program->commands; cmd->noun; cmd++)
		if (is_asked_about(c, cmd))
			return true;
	return false;
}

/* The commands the line speaks of; false when it speaks of none. */
static bool print_commands_meant(FILE *out, const struct ctl *c)
{
	bool any = false;

	for (const struct ctl_command *cmd = c->program->commands; cmd->noun; cmd++)
		if (c->command ? c->command == cmd : is_asked_about(c, cmd)) {
			print_command(out, c->program, cmd);
			any = true;
		}
	return any;
}

/* One after the other, each noun once: its commands stand together in the table. */
static void print_nouns(FILE *out, const struct ctl_program *p)
{
	fputs("  commands:", out);
	for (const struct ctl_command *cmd = p->commands; cmd->noun; cmd++)
		if (cmd == p->commands || strcmp(cmd->noun, cmd[-1].noun) != 0)
			fprintf(out, " %s", cmd->noun);
	fprintf(out, "\n  '%s COMMAND --help' tells about one, '%s --help' about all\n", p->name,
		p->name);
}

static void print_help(const struct ctl *c)
{
	const struct ctl_program *p = c->program;

	if (print_commands_meant(stdout, c))
		return;
	printf("%s - %s\n\nusage: %s [-s SOCKET%s] [-o table|json|csv|ids] COMMAND\n"
	       "'%s COMMAND --help' tells about one command only.\n\n",
		p->name, p->what_it_is, p->name,
		p->environment ? " | --url URL --token-file F" : "", p->name);
	for (const struct ctl_command *cmd = p->commands; cmd->noun; cmd++)
		print_command(stdout, p, cmd);
	printf("\n  -s, --socket PATH    the daemon's admin socket (default %s)\n"
	       "%s"
	       "  -o, --output FORMAT  how lists are printed: table, json, csv, ids\n"
	       "  -h, --help           this text\n"
	       "  -V, --version        the release\n\n"
	       "exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 done in part, 5 not "
	       "allowed,\n"
	       "6 daemon not reachable\n",
		p->default_socket,
		p->environment ? "      --url URL        the daemon elsewhere, https://HOST:PORT\n"
				 "      --token-file F   the token to show it\n"
				 "      --cacert F       the CA its certificate is of, PEM\n"
			       : "");
}

static bool usage(const struct ctl *c, const char *problem, const char *word)
{
	bool joined = problem[strlen(problem) - 1] == '-'; /* "no such option: --" */

	ctl_fail(c, "%s%s%s", problem, word && !joined ? " " : "", word ? word : "");
	if (!print_commands_meant(stderr, c))
		print_nouns(stderr, c->program);
	return false;
}

/* ---- options ---- */

static const struct {
	const char *name;
	enum ctl_output output;
} outputs[] = {{"table", CTL_TABLE}, {"json", CTL_JSON}, {"csv", CTL_CSV}, {"ids", CTL_IDS}};

static bool set_output(struct ctl *c, const char *name)
{
	for (size_t i = 0; i < sizeof(outputs) / sizeof(*outputs); i++)
		if (strcmp(outputs[i].name, name) == 0) {
			c->output = outputs[i].output;
			return true;
		}
	ctl_fail(c, "no such output format: %s; there are table, json, csv and ids", name);
	return false;
}

struct parser {
	struct ctl *c;
	char **argv;
	int argc, at;
	struct words words;
	int stop; /* exit code when the parser has done all there is to do; -1: go on */
};

/* The value behind "=" or the next word. */
static const char *take_value(struct parser *p, const char *inline_value)
{
	if (inline_value)
		return inline_value;
	return p->at < p->argc ? p->argv[p->at++] : NULL;
}

static bool remember(struct parser *p, const char *name, const char *inline_value)
{
	struct ctl *c = p->c;

	if (c->given_count == CTL_OPTIONS_MAX)
		return usage(c, "too many options", NULL);
	c->given[c->given_count++] = (struct ctl_given){name, inline_value};
	return true;
}

static bool is_option(const struct parser *p, const char *word, size_t len, bool *takes_value)
{
	for (const struct ctl_command *cmd = p->c->program->commands; cmd->noun; cmd++)
		for (const struct ctl_option *o = cmd->options; o && o->name; o++)
			if (strlen(o->name) == len && strncmp(o->name, word, len) == 0) {
				*takes_value = o->value != NULL;
				return true;
			}
	return false;
}

static bool long_is(const char *word, size_t len, const char *name)
{
	return strlen(name) == len && strncmp(word, name, len) == 0;
}

/* Those of every command. */
static bool is_general(const struct ctl *c, const char *word, size_t len)
{
	return long_is(word, len, "socket") || long_is(word, len, "output") ||
	       (c->program->environment &&
		       (long_is(word, len, "url") || long_is(word, len, "token-file") ||
			       long_is(word, len, "cacert")));
}

static bool set_general(struct ctl *c, const char *word, size_t len, const char *value)
{
	if (long_is(word, len, "output"))
		return set_output(c, value);
	if (long_is(word, len, "socket")) {
		c->socket = value;
		c->socket_given = true;
	} else if (long_is(word, len, "url")) {
		c->url = value;
	} else if (long_is(word, len, "token-file")) {
		c->token_file = value;
	} else {
		c->cacert = value;
	}
	return true;
}

static bool stop(struct parser *p)
{
	p->stop = CTL_DONE;
	return true;
}

static bool parse_long(struct parser *p, const char *word)
{
	const char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	const char *value = equals ? equals + 1 : NULL;
	bool takes_value;

	if (long_is(word, len, "help")) {
		print_help(p->c);
		return stop(p);
	}
	if (long_is(word, len, "version")) {
		printf("%s %s\n", p->c->program->name, BRSKI_VERSION);
		return stop(p);
	}
	if (is_general(p->c, word, len)) {
		value = take_value(p, value);
		if (!value)
			return usage(p->c, "a value is missing after", word);
		return set_general(p->c, word, len, value);
	}
	if (!is_option(p, word, len, &takes_value))
		return usage(p->c, "no such option: --", word);
	if (takes_value && !(value = take_value(p, value)))
		return usage(p->c, "a value is missing after --", word);
	if (!takes_value && value)
		return usage(p->c, "this option takes no value: --", word);
	return remember(p, word, value ? value : "");
}

static bool parse_short(struct parser *p, const char *word)
{
	static const struct {
		char letter;
		const char *name;
	} shorts[] = {
		{'s', "socket"}, {'o', "output"}, {'f', "file"}, {'h', "help"}, {'V', "version"}};

	for (size_t i = 0; i < sizeof(shorts) / sizeof(*shorts) && word[0] && !word[1]; i++)
		if (shorts[i].letter == word[0])
			return parse_long(p, shorts[i].name);
	return usage(p->c, "no such option: -", word);
}

static void take_word(struct parser *p, char *word)
{
	if (p->words.count == 0)
		p->c->noun = word;
	else if (p->words.count == 1)
		p->c->verb = word;
	p->words.items[p->words.count++] = word;
}

static bool parse(struct parser *p)
{
	bool ok = true, only_words = false;

	while (ok && p->stop < 0 && p->at < p->argc) {
		char *word = p->argv[p->at++];

		if (!only_words && strcmp(word, "--") == 0)
			only_words = true;
		else if (!only_words && strncmp(word, "--", 2) == 0)
			ok = parse_long(p, word + 2);
		else if (!only_words && word[0] == '-' && word[1])
			ok = parse_short(p, word + 1);
		else if (p->words.count == ARGS_MAX)
			ok = usage(p->c, "too many arguments", NULL);
		else
			take_word(p, word);
	}
	return ok;
}

static bool is_named(const char *given, const char *name)
{
	size_t len = strlen(name);

	return strncmp(given, name, len) == 0 && (given[len] == '\0' || given[len] == '=');
}

const char *ctl_option_next(const struct ctl *c, const char *name, size_t *at)
{
	while (*at < c->given_count) {
		const struct ctl_given *given = &c->given[(*at)++];

		if (is_named(given->name, name))
			return given->value;
	}
	return NULL;
}

const char *ctl_option(const struct ctl *c, const char *name)
{
	size_t at = 0;

	return ctl_option_next(c, name, &at);
}

/* ---- commands ---- */

/* How many words the command's name takes; 0 when it is another. */
static int match(const struct ctl_command *cmd, const struct words *w)
{
	if (w->count < 1 || strcmp(cmd->noun, w->items[0]) != 0)
		return 0;
	if (!*cmd->verb)
		return 1;
	return w->count >= 2 && strcmp(cmd->verb, w->items[1]) == 0 ? 2 : 0;
}

static bool knows_option(const struct ctl_command *cmd, const char *given)
{
	for (const struct ctl_option *o = cmd->options; o && o->name; o++)
		if (long_is(given, strcspn(given, "="), o->name))
			return true;
	return false;
}

/* NULL after saying what is wrong; *used: words that name the command. */
static const struct ctl_command *find_command(struct ctl *c, const struct words *w, int *used)
{
	char words[80];
	int args;

	for (const struct ctl_command *cmd = c->program->commands; cmd->noun; cmd++) {
		*used = match(cmd, w);
		if (*used == 0)
			continue;
		c->command = cmd;
		args = w->count - *used;
		if (args < cmd->args_min || (cmd->args_max >= 0 && args > cmd->args_max)) {
			usage(c, "wrong number of arguments", NULL);
			return NULL;
		}
		for (size_t i = 0; i < c->given_count; i++)
			if (!knows_option(cmd, c->given[i].name)) {
				usage(c, "not an option of this command: --", c->given[i].name);
				return NULL;
			}
		return cmd;
	}
	if (w->count == 0) {
		usage(c, "a command is missing", NULL);
	} else if (w->count == 1 && any_is_asked_about(c)) {
		usage(c, "a word is missing after", c->noun);
	} else {
		snprintf(words, sizeof(words), "%s%s%s", c->noun, c->verb ? " " : "",
			c->verb ? c->verb : "");
		usage(c, "no such command:", words);
	}
	return NULL;
}

static int run(struct ctl *c, const struct words *w)
{
	int used = 0, code;
	const struct ctl_command *cmd = find_command(c, w, &used);
	char **args = (char **)(uintptr_t)w->items + used;

	if (!cmd || !remote_prepare(c))
		return CTL_USAGE;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(c->curl = curl_easy_init()))
		return ctl_fail(c, "no memory");
	code = cmd->run(c, w->count - used, args);
	curl_easy_cleanup(c->curl);
	curl_global_cleanup();
	remote_clear(c);
	if (fflush(stdout) != 0 && code == CTL_DONE)
		return ctl_fail(c, "the output could not be written");
	return code;
}

int ctl_main(int argc, char **argv, const struct ctl_program *program)
{
	struct ctl c = {.program = program, .socket = program->default_socket};
	struct err e = ERR_INIT;
	struct parser *p = mem_new(sizeof(*p), &e);
	int code;

	if (!p)
		return ctl_fail(&c, "no memory");
	p->c = &c;
	p->argv = argv;
	p->argc = argc;
	p->at = 1;
	p->stop = -1;
	if (!parse(p))
		code = CTL_USAGE;
	else
		code = p->stop >= 0 ? p->stop : run(&c, &p->words);
	free(p);
	return code;
}
