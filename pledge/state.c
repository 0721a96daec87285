/* SPDX-License-Identifier: Apache-2.0 */
/* The device's memory. See state.h for the layout; every write here is either a file_write_atomic()
 * into a directory that does not count yet, or the one rename that makes it count. */
#include "pledge/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file.h"
#include "pledge/limits.h"
#include "pledge/lines.h"

#define DIR_MODE    0755
#define PUBLIC_MODE 0644
#define SECRET_MODE 0600
#define NUMBER_MAX  1000000000u

struct state {
	char *dir, *current_path, *pending_path;
	int lock_fd;
	unsigned current; /* N of enrolled.N; 0: not enrolled */
};

/* Every file that can stand in enrolled.N. */
static const char *const enrolled_files[] = {"key-type", "ldevid.key", "request.csr", "ldevid.crt",
	"cacerts.crt", "voucher.vcj", "voucher.vch", "info", "report-due"};

static char *path_in(const struct state *s, unsigned number, const char *file, struct err *e)
{
	return str_printf(e, "%s/enrolled.%u%s%s", s->dir, number, *file ? "/" : "", file);
}

/* ---- Opening -------------------------------------------------------------------------------- */

static bool take_lock(struct state *s, struct err *e)
{
	FREE_AUTO char *path = str_printf(e, "%s/lock", s->dir);

	if (!path)
		return false;
	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, SECRET_MODE);
	if (s->lock_fd < 0)
		return err_set_errno(e, ERR_IO, "%s", path);
	return flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0 ||
	       err_set(e, ERR_CONFLICT, "another brski-pledge is at work on %s", s->dir);
}

/* "enrolled.7" → 7; anything else → 0. */
static unsigned number_of(const char *name)
{
	static const char prefix[] = "enrolled.";
	unsigned long n;
	char *end;

	if (strncmp(name, prefix, strlen(prefix)) != 0)
		return 0;
	name += strlen(prefix);
	n = strtoul(name, &end, 10);
	return *name >= '1' && *name <= '9' && *end == '\0' && n <= NUMBER_MAX ? (unsigned)n : 0;
}

static bool read_current(struct state *s, struct err *e)
{
	char target[64];
	ssize_t n = readlink(s->current_path, target, sizeof(target) - 1);

	if (n < 0)
		return errno == ENOENT || err_set_errno(e, ERR_IO, "%s", s->current_path);
	target[n] = '\0';
	s->current = number_of(target);
	return s->current > 0 ||
	       err_set(e, ERR_STORE, "%s does not point to an enrolment", s->current_path);
}

static bool remove_enrolled(const struct state *s, unsigned number, struct err *e)
{
	FREE_AUTO char *dir = path_in(s, number, "", e);

	if (!dir)
		return false;
	for (size_t i = 0; i < sizeof(enrolled_files) / sizeof(*enrolled_files); i++) {
		FREE_AUTO char *file = path_in(s, number, enrolled_files[i], e);

		if (!file || (unlink(file) != 0 && errno != ENOENT && errno != ENOTDIR &&
				     !err_set_errno(e, ERR_IO, "remove %s", file)))
			return false;
	}
	return rmdir(dir) == 0 || errno == ENOENT || err_set_errno(e, ERR_IO, "remove %s", dir);
}

/* Temporary names of file_write_atomic() ("name.new.XXXXXX") that a crash left. */
static bool is_leftover(const char *name)
{
	return strstr(name, ".new.") != NULL;
}

static bool sweep_dir(const char *path, struct err *e)
{
	DIR *d = opendir(path);
	struct dirent *entry;

	if (!d)
		return errno == ENOENT || err_set_errno(e, ERR_IO, "%s", path);
	while ((entry = readdir(d)) != NULL)
		if (is_leftover(entry->d_name))
			unlinkat(dirfd(d), entry->d_name, 0);
	closedir(d);
	return true;
}

/* Keep: the current enrolment and the one that grows. */
static bool sweep(struct state *s, bool everything, struct err *e)
{
	DIR *d = opendir(s->dir);
	struct dirent *entry;
	bool ok = true;

	if (!d)
		return err_set_errno(e, ERR_IO, "%s", s->dir);
	while (ok && (entry = readdir(d)) != NULL) {
		unsigned n = number_of(entry->d_name);
		FREE_AUTO char *dir = n ? path_in(s, n, "", e) : NULL;

		ok = !n || (dir && sweep_dir(dir, e));
		if (ok && n && (everything || (n != s->current && n != s->current + 1)))
			ok = remove_enrolled(s, n, e);
	}
	closedir(d);
	return ok && sweep_dir(s->dir, e);
}

static bool set_paths(struct state *s, const char *dir, struct err *e)
{
	s->dir = str_dup(dir, e);
	s->current_path = s->dir ? str_printf(e, "%s/current", dir) : NULL;
	s->pending_path = s->current_path ? str_printf(e, "%s/pending", dir) : NULL;
	return s->pending_path != NULL;
}

struct state *state_open(const char *dir, struct err *e)
{
	struct state *s = mem_new(sizeof(*s), e);

	if (!s)
		return NULL;
	s->lock_fd = -1;
	if (set_paths(s, dir, e) && file_make_dir(dir, DIR_MODE, e) && take_lock(s, e) &&
		read_current(s, e) && sweep(s, false, e))
		return s;
	state_close(s);
	err_prefix(e, "state directory");
	return NULL;
}

void state_close(struct state *s)
{
	if (!s)
		return;
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	free(s->dir);
	free(s->current_path);
	free(s->pending_path);
	free(s);
}

void state_unref(struct state **s)
{
	state_close(*s);
	*s = NULL;
}

/* ---- The enrolment that counts -------------------------------------------------------------- */

void enrolment_init(struct enrolment *n)
{
	memset(n, 0, sizeof(*n));
	buf_init(&n->voucher, VOUCHER_REPLY_MAX);
}

void enrolment_clear(struct enrolment *n)
{
	identity_clear(&n->ldevid);
	cert_list_clear(&n->cacerts);
	buf_clear(&n->voucher);
}

bool state_is_enrolled(const struct state *s)
{
	return s->current > 0;
}

const char *state_current_path(const struct state *s)
{
	return s->current_path;
}

struct enrolled_paths {
	char *key, *cert, *cacerts, *info, *report_due;
	char *voucher[2]; /* in CMS, in COSE: one of them is there */
};

static void paths_clear(struct enrolled_paths *p)
{
	free(p->key);
	free(p->cert);
	free(p->cacerts);
	free(p->voucher[false]);
	free(p->voucher[true]);
	free(p->info);
	free(p->report_due);
}
#define PATHS_AUTO __attribute__((cleanup(paths_clear)))

static bool paths_of(
	const struct state *s, unsigned number, struct enrolled_paths *p, struct err *e)
{
	return (p->key = path_in(s, number, "ldevid.key", e)) &&
	       (p->cert = path_in(s, number, "ldevid.crt", e)) &&
	       (p->cacerts = path_in(s, number, "cacerts.crt", e)) &&
	       (p->voucher[false] = path_in(s, number, "voucher.vcj", e)) &&
	       (p->voucher[true] = path_in(s, number, "voucher.vch", e)) &&
	       (p->info = path_in(s, number, "info", e)) &&
	       (p->report_due = path_in(s, number, "report-due", e));
}

/* Both are of use when they are there, and no harm when not. */
static void get_cacerts_version(const struct buf *info, struct enrolment *out)
{
	BUF_AUTO struct buf etag = BUF_INIT(COAP_ETAG_MAX);
	struct err ignored = ERR_INIT;

	if (!lines_get_number(info, "cacerts-asked", &out->cacerts_asked_unix_s))
		out->cacerts_asked_unix_s = 0;
	if (!lines_get_octets(info, "cacerts-etag", &etag, &ignored) || etag.len == 0)
		return;
	memcpy(out->cacerts_etag.octets, etag.data, etag.len);
	out->cacerts_etag.len = etag.len;
}

static bool load_voucher(const struct enrolled_paths *p, struct enrolment *out, struct err *e)
{
	bool exists;

	out->voucher_is_cose = false;
	if (!file_read_if_exists(p->voucher[false], &out->voucher, &exists, e) || exists)
		return exists;
	out->voucher_is_cose = true;
	return file_read(p->voucher[true], &out->voucher, e);
}

static bool load_info(const struct enrolled_paths *p, struct enrolment *out, struct err *e)
{
	BUF_AUTO struct buf info = BUF_INIT(STATE_FILE_MAX);

	if (!file_read(p->info, &info, e))
		return false;
	if (!lines_get_text(&info, "registrar", out->registrar, sizeof(out->registrar)))
		return err_set(e, ERR_STORE, "%s: no registrar", p->info);
	get_cacerts_version(&info, out);
	return true;
}

/* What a device of the site cannot be without. */
static bool load_identity(const struct enrolled_paths *p, struct enrolment *out, struct err *e)
{
	out->report_due = access(p->report_due, F_OK) == 0;
	return identity_load(&out->ldevid, p->key, p->cert, e) &&
	       cert_list_load(p->cacerts, &out->cacerts, e);
}

static bool load_enrolled(const struct enrolled_paths *p, struct enrolment *out, struct err *e)
{
	return load_identity(p, out, e) && load_voucher(p, out, e) && load_info(p, out, e);
}

/* The voucher has done its work, and a registrar is configured or found: a disk that has lost one
 * of the two costs no device its certificate. */
static bool load_what_is_left(const struct enrolled_paths *p, struct enrolment *out, struct err *e)
{
	struct err why = ERR_INIT;

	if (!load_identity(p, out, e))
		return false;
	if (!load_voucher(p, out, &why))
		buf_clear(&out->voucher);
	if (why.kind != ERR_NO_MEMORY && !load_info(p, out, &why))
		out->registrar[0] = '\0';
	if (why.kind == ERR_NO_MEMORY)
		*e = why;
	return why.kind != ERR_NO_MEMORY;
}

bool state_load_enrolment(const struct state *s, struct enrolment *out, struct err *e)
{
	PATHS_AUTO struct enrolled_paths p = {.key = NULL};

	enrolment_init(out);
	if (!paths_of(s, s->current, &p, e))
		return false;
	if (load_what_is_left(&p, out, e))
		return true;
	enrolment_clear(out);
	if (e->kind != ERR_NO_MEMORY)
		e->kind = ERR_STORE;
	return err_prefix(e, "enrolment in %s cannot be read", s->current_path);
}

bool state_peek(const char *dir, bool *enrolled, char registrar[STATE_URL_MAX], struct err *e)
{
	FREE_AUTO char *path = str_printf(e, "%s/current/info", dir);
	BUF_AUTO struct buf info = BUF_INIT(STATE_FILE_MAX);

	*enrolled = false;
	if (!path || !file_read_if_exists(path, &info, enrolled, e))
		return false;
	return !*enrolled || lines_get_text(&info, "registrar", registrar, STATE_URL_MAX) ||
	       err_set(e, ERR_STORE, "%s: no registrar", path);
}

bool state_report_done(struct state *s, struct err *e)
{
	FREE_AUTO char *path = path_in(s, s->current, "report-due", e);

	return path && file_remove(path, e);
}

/* ---- The enrolment that is being made ------------------------------------------------------- */

static bool make_next_dir(const struct state *s, struct err *e)
{
	FREE_AUTO char *dir = path_in(s, s->current + 1, "", e);

	return dir && file_make_dir(dir, DIR_MODE, e);
}

static bool is_text(const char *path, const char *expected, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(STATE_FILE_MAX);
	bool exists;

	return file_read_if_exists(path, &text, &exists, e) && exists &&
	       strcmp(buf_str(&text), expected) == 0;
}

/* The type is written before the key and the key is removed before the type changes, so the two
 * files never contradict each other. */
static struct key *make_next_key(
	const char *type_path, const char *key_path, const char *key_type, struct err *e)
{
	KEY_AUTO struct key *fresh = NULL;
	enum key_type type;

	if (!key_type_parse(key_type, &type, e) || !file_remove(key_path, e) ||
		!file_write_atomic(type_path, bytes_of_str(key_type), PUBLIC_MODE, e))
		return NULL;
	fresh = key_generate(type, e);
	if (!fresh || !key_save(fresh, key_path, e))
		return NULL;
	return key_load(key_path, e); /* what will be there after a restart */
}

struct key *state_next_key(struct state *s, const char *key_type, struct err *e)
{
	FREE_AUTO char *type_path = path_in(s, s->current + 1, "key-type", e);
	FREE_AUTO char *key_path = path_in(s, s->current + 1, "ldevid.key", e);
	FREE_AUTO char *csr_path = path_in(s, s->current + 1, "request.csr", e);
	struct err why = ERR_INIT;
	struct key *kept;

	if (!type_path || !key_path || !csr_path || !make_next_dir(s, e))
		return NULL;
	kept = is_text(type_path, key_type, &why) ? key_load(key_path, &why) : NULL;
	if (kept)
		return kept;
	if (why.kind == ERR_NO_MEMORY) { /* the key may be good, and known to a registrar */
		*e = why;
		return NULL;
	}
	if (!file_remove(csr_path, e))
		return NULL;
	return make_next_key(type_path, key_path, key_type, e);
}

/* Without its type it is no key to begin with: after a crash the next one is made anew. */
bool state_put_next_key(struct state *s, const struct key *key, struct err *e)
{
	FREE_AUTO char *type_path = path_in(s, s->current + 1, "key-type", e);
	FREE_AUTO char *key_path = path_in(s, s->current + 1, "ldevid.key", e);

	return type_path && key_path && file_remove(type_path, e) && key_save(key, key_path, e);
}

bool state_next_csr(struct state *s, struct buf *out, bool *exists, struct err *e)
{
	FREE_AUTO char *path = path_in(s, s->current + 1, "request.csr", e);

	return path && file_read_if_exists(path, out, exists, e);
}

bool state_save_next_csr(struct state *s, struct bytes der, struct err *e)
{
	FREE_AUTO char *path = path_in(s, s->current + 1, "request.csr", e);

	return path && file_write_atomic(path, der, SECRET_MODE, e);
}

static bool write_certs(
	const char *path, const struct cert *first, const struct cert_list *rest, struct err *e)
{
	BUF_AUTO struct buf pem = BUF_INIT(STATE_FILE_MAX);

	if (first && !cert_format_pem(first, &pem, e))
		return false;
	for (size_t i = 0; i < rest->count; i++)
		if (!cert_format_pem(rest->items[i], &pem, e))
			return false;
	return file_write_atomic(path, buf_bytes(&pem), PUBLIC_MODE, e);
}

static bool write_info(const char *path, const char *registrar, const struct etag *etag,
	int64_t cacerts_asked_unix_s, struct err *e)
{
	BUF_AUTO struct buf info = BUF_INIT(STATE_FILE_MAX);

	if (!buf_printf(&info, e, "registrar %s\n", registrar))
		return false;
	if (cacerts_asked_unix_s &&
		!buf_printf(&info, e, "cacerts-asked %lld\n", (long long)cacerts_asked_unix_s))
		return false;
	if (etag && etag->len &&
		!lines_put_octets(&info, "cacerts-etag", bytes_of(etag->octets, etag->len), e))
		return false;
	return file_write_atomic(path, buf_bytes(&info), PUBLIC_MODE, e);
}

static bool write_next(
	const struct enrolled_paths *p, const struct state_install *in, struct err *e)
{
	if (!write_info(p->info, in->registrar, in->cacerts_etag, in->cacerts_asked_unix_s, e))
		return false;
	if (!(in->report_due ? file_write_atomic(p->report_due, bytes_of_str(""), PUBLIC_MODE, e)
			     : file_remove(p->report_due, e)))
		return false;
	return write_certs(p->cert, in->ldevid, in->chain, e) &&
	       write_certs(p->cacerts, NULL, in->cacerts, e) &&
	       file_remove(p->voucher[!in->voucher_is_cose], e) &&
	       file_write_atomic(p->voucher[in->voucher_is_cose], in->voucher, PUBLIC_MODE, e);
}

/* First the certificates: a version that is too old only costs an answer. */
bool state_update_cacerts(struct state *s, const struct cert_list *certs, const struct etag *etag,
	int64_t asked_unix_s, struct err *e)
{
	PATHS_AUTO struct enrolled_paths p = {.key = NULL};
	ENROLMENT_AUTO struct enrolment n;

	return state_load_enrolment(s, &n, e) && paths_of(s, s->current, &p, e) &&
	       write_certs(p.cacerts, NULL, certs, e) &&
	       write_info(p.info, n.registrar, etag, asked_unix_s, e);
}

static bool sync_dir(const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;

	if (!ok)
		err_set_errno(e, ERR_IO, "fsync %s", path);
	if (fd >= 0)
		close(fd);
	return ok;
}

/* The instant at which the new enrolment counts. */
static bool turn_current(struct state *s, unsigned number, struct err *e)
{
	FREE_AUTO char *tmp = str_printf(e, "%s/current.new.link", s->dir);
	char target[32];

	if (!tmp)
		return false;
	snprintf(target, sizeof(target), "enrolled.%u", number);
	unlink(tmp);
	if (symlink(target, tmp) != 0 || rename(tmp, s->current_path) != 0)
		return err_set_errno(e, ERR_IO, "%s", s->current_path);
	return sync_dir(s->dir, e);
}

bool state_install(struct state *s, const struct state_install *in, struct err *e)
{
	PATHS_AUTO struct enrolled_paths p = {.key = NULL};
	struct enrolment check;
	struct err ignored = ERR_INIT;
	unsigned before = s->current;

	/* read back as a restart would, then make it count (the directory's own name is durable
	 * once its parent was synced) */
	if (!paths_of(s, before + 1, &p, e) || !write_next(&p, in, e) || !sync_dir(s->dir, e))
		return err_prefix(e, "store the enrolment");
	enrolment_init(&check);
	if (!load_enrolled(&p, &check, e)) {
		enrolment_clear(&check);
		return err_prefix(e, "read the enrolment back");
	}
	enrolment_clear(&check);
	if (!turn_current(s, before + 1, e))
		return false;
	s->current = before + 1;
	(void)!(before && remove_enrolled(s, before, &ignored)); /* else swept at the next start */
	return true;
}

/* ---- A request that was answered "not yet" -------------------------------------------------- */

bool state_load_pending(struct state *s, struct pending *out, bool *exists, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(STATE_FILE_MAX);

	pending_init(out);
	if (!file_read_if_exists(s->pending_path, &text, exists, e))
		return false;
	if (!*exists || pending_parse(&text, out, e))
		return true;
	*exists = false;
	pending_clear(out);
	if (e->kind == ERR_NO_MEMORY)
		return false;
	return file_remove(s->pending_path, e);
}

bool state_save_pending(struct state *s, const struct pending *p, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(STATE_FILE_MAX);

	return pending_format(p, &text, e) &&
	       file_write_atomic(s->pending_path, buf_bytes(&text), SECRET_MODE, e);
}

bool state_drop_pending(struct state *s, struct err *e)
{
	return file_remove(s->pending_path, e);
}

/* ---- Additional configuration --------------------------------------------------------------- */

static char *configuration_path(const struct state *s, struct err *e)
{
	return str_printf(e, "%s/additional-configuration", s->dir);
}

bool state_save_configuration(struct state *s, struct bytes octets, struct err *e)
{
	FREE_AUTO char *path = configuration_path(s, e);

	return path && file_write_atomic(path, octets, SECRET_MODE, e);
}

/* ---- Factory reset -------------------------------------------------------------------------- */

bool state_reset(struct state *s, struct err *e)
{
	FREE_AUTO char *configuration = configuration_path(s, e);

	if (!configuration || !file_remove(s->current_path, e) ||
		!file_remove(s->pending_path, e) || !file_remove(configuration, e))
		return false;
	s->current = 0;
	return sweep(s, true, e) && sync_dir(s->dir, e);
}
