/* SPDX-License-Identifier: Apache-2.0 */
/* The questions and the files of a setup: see setup.h. */
#include "ctl/setup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/pki/digest.h"
#include "ctl/internal.h"

#define FOLDER_MODE	    0755
#define PRIVATE_FOLDER_MODE 0700
#define TEXT_MODE	    0640
#define CERTIFICATE_MODE    0644
#define SAN_TEXT_MAX	    1024

/* ---- Where and whose ---- */

static const char *option_or(const struct ctl *c, const char *name, const char *otherwise)
{
	const char *given = ctl_option(c, name);

	return given && *given ? given : otherwise;
}

static char *full_path(const char *path, struct err *e)
{
	FREE_AUTO char *here = NULL;

	if (path[0] == '/')
		return str_dup(path, e);
	here = getcwd(NULL, 0);
	if (!here) {
		err_set_errno(e, ERR_IO, "the current directory");
		return NULL;
	}
	return str_printf(e, "%s/%s", here, path);
}

static void find_owner(struct setup *s)
{
	const struct passwd *user = geteuid() == 0 ? getpwnam(s->service->program) : NULL;

	s->has_owner = user != NULL;
	s->uid = user ? user->pw_uid : geteuid();
	s->gid = user ? user->pw_gid : getegid();
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

bool setup_begin(struct setup *s, struct ctl *c, const struct setup_service *service, struct err *e)
{
	const char *directory = option_or(c, "directory", service->directory);
	const char *state = option_or(c, "state", service->state);

	*s = (struct setup){.c = c, .service = service, .now = clock_unix_s(NULL)};
	s->standard =
		strcmp(directory, service->directory) == 0 && strcmp(state, service->state) == 0;
	s->asks = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !ctl_option(c, "yes");
	s->directory = full_path(directory, e);
	s->state = s->directory ? full_path(state, e) : NULL;
	s->config_path = s->state ? str_printf(e, "%s/%s", s->directory, service->config) : NULL;
	if (!s->config_path)
		return false;
	s->socket = s->standard ? str_dup(c->program->default_socket, e)
				: str_printf(e, "%s/admin.sock", s->state);
	s->complete = exists(s->config_path);
	find_owner(s);
	if (!s->socket)
		return false;
	if (!s->complete && !s->asks && !ctl_option(c, "yes"))
		return err_set(e, ERR_INPUT,
			"nobody to ask at a terminal: --yes takes what is suggested for whatever "
			"no option says");
	return true;
}

void setup_end(struct setup *s)
{
	free((char *)(uintptr_t)s->directory);
	free((char *)(uintptr_t)s->state);
	free(s->config_path);
	free(s->socket);
}

/* ---- Questions ---- */

static bool read_answer(char out[SETUP_ANSWER_MAX], struct err *e)
{
	size_t len;

	if (!fgets(out, SETUP_ANSWER_MAX, stdin))
		return err_set(e, ERR_INPUT, "no answer");
	len = strcspn(out, "\r\n");
	out[len] = '\0';
	return true;
}

bool setup_ask(const struct setup *s, const char *option, const char *question,
	const char *suggestion, char out[SETUP_ANSWER_MAX], struct err *e)
{
	const char *given = ctl_option(s->c, option);

	out[0] = '\0';
	if (!given && s->asks) {
		printf("%s [%s]: ", question, suggestion);
		fflush(stdout);
		if (!read_answer(out, e))
			return false;
	}
	if (!out[0])
		snprintf(out, SETUP_ANSWER_MAX, "%s", given ? given : suggestion);
	return true;
}

void setup_host_name(char out[SETUP_ANSWER_MAX])
{
	const struct addrinfo hints = {.ai_flags = AI_CANONNAME};
	struct addrinfo *found = NULL;

	if (gethostname(out, SETUP_ANSWER_MAX - 1) != 0 || !out[0])
		snprintf(out, SETUP_ANSWER_MAX, "localhost");
	out[SETUP_ANSWER_MAX - 1] = '\0';
	if (getaddrinfo(out, NULL, &hints, &found) == 0 && found->ai_canonname &&
		strchr(found->ai_canonname, '.') && strlen(found->ai_canonname) < SETUP_ANSWER_MAX)
		snprintf(out, SETUP_ANSWER_MAX, "%s", found->ai_canonname);
	if (found)
		freeaddrinfo(found);
}

bool setup_san(const char *host, struct buf *out, struct err *e)
{
	uint8_t address[sizeof(struct in6_addr)];
	bool is_address =
		inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
	bool is_own = strcmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 ||
		      strcmp(host, "::1") == 0;

	if (!is_own && !buf_printf(out, e, "%s:%s,", is_address ? "IP" : "DNS", host))
		return false;
	return buf_append_str(out, "DNS:localhost,IP:127.0.0.1,IP:::1", e);
}

/* ---- Files ---- */

static bool give(const struct setup *s, const char *path, bool to_service, struct err *e)
{
	if (!s->has_owner)
		return true;
	return chown(path, to_service ? s->uid : geteuid(), s->gid) == 0 ||
	       err_set_errno(e, ERR_IO, "owner of %s", path);
}

bool setup_folder(const struct setup *s, const char *path, bool is_private, struct err *e)
{
	if (exists(path))
		return true;
	return file_make_dir(path, is_private ? PRIVATE_FOLDER_MODE : FOLDER_MODE, e) &&
	       (!is_private || give(s, path, true, e));
}

bool setup_text(const struct setup *s, const char *path, const char *text, struct err *e)
{
	if (exists(path))
		return true;
	if (!file_write_atomic(path, bytes_of_str(text), TEXT_MODE, e) || !give(s, path, false, e))
		return false;
	setup_tell("made", "%s", path);
	return true;
}

static bool write_certificates(const char *path, const struct identity *id, struct err *e)
{
	BUF_AUTO struct buf pem = BUF_INIT(CERT_LIST_PEM_MAX);

	return cert_format_pem(id->cert, &pem, e) &&
	       (id->chain.count == 0 || cert_list_format_pem(&id->chain, &pem, e)) &&
	       file_write_atomic(path, buf_bytes(&pem), CERTIFICATE_MODE, e);
}

/* The key before its certificate: a certificate that is there always has its key. */
static bool make_pair(const struct setup *s, const struct setup_pair *p, const char *key,
	const char *certificate, struct identity *out, struct err *e)
{
	bool has_key = exists(key);

	if (!has_key && exists(certificate))
		return err_set(e, ERR_CONFLICT, "%s is there without its key %s", certificate, key);
	out->key = has_key ? key_load(key, e) : key_generate(KEY_EC_P256, e);
	if (!out->key || !p->certify(p->arg, out, e))
		return false;
	if (!has_key && !key_save(out->key, key, e))
		return false;
	if ((p->for_service && !give(s, key, true, e)) || !write_certificates(certificate, out, e))
		return false;
	if (!has_key)
		setup_tell("made", "%s", key);
	setup_tell("made", "%s: %s", certificate, cert_subject(out->cert));
	return true;
}

bool setup_pair(
	const struct setup *s, const struct setup_pair *p, struct identity *out, struct err *e)
{
	FREE_AUTO char *key = str_printf(e, "%s/%s.key", p->dir, p->stem);
	FREE_AUTO char *certificate = key ? str_printf(e, "%s/%s.crt", p->dir, p->stem) : NULL;

	if (!certificate)
		return false;
	if (exists(key) && exists(certificate))
		return identity_load(out, key, certificate, e);
	return make_pair(s, p, key, certificate, out, e);
}

/* ---- The summary ---- */

void setup_tell(const char *what, const char *fmt, ...)
{
	va_list ap;

	printf("  %-16s ", what);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

void setup_tell_fingerprint(const char *what, const struct cert *c)
{
	const uint8_t *digest = cert_sha256(c);
	char text[3 * SHA256_LEN + 1];

	for (size_t i = 0; i < SHA256_LEN; i++)
		snprintf(text + 3 * i, 4, "%02X:", digest[i]);
	text[3 * SHA256_LEN - 1] = '\0';
	setup_tell(what, "SHA-256 %s", text);
}
