/* SPDX-License-Identifier: Apache-2.0 */
/* manufacturers add and remove: see manufacturers.h. What the registrar does not take is not left
 * behind. */
#include "ctl/manufacturers.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/pki/cert.h"

#define DIRECTORY     "/etc/brski"
#define RELOAD_PATH   "/api/v1/reload"
#define NAME_LEN_MAX  36 /* with its section it has to fit into what the reader of files takes */
#define DROP_IN_MAX   4096
#define DROP_IN_MODE  0640
#define ANCHORS_MODE  0644
#define SAFE_IN_NAMES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

const struct ctl_option manufacturers_add_options[] = {{"anchors", "FILE"},
	{"masa-anchors", "FILE"}, {"masa-url", "URL"}, {"directory", "DIR"}, {NULL, NULL}};
const struct ctl_option manufacturers_remove_options[] = {{"directory", "DIR"}, {NULL, NULL}};

struct drop_in {
	struct ctl *c;
	const char *name;
	char *config;		      /* the file everything hangs off */
	char *path, *off;	      /* the drop-in; where it waits while it is taken away */
	char *anchors, *masa_anchors; /* its files, beside it */
	struct stat like;	      /* whose all this is */
};

static void drop_in_clear(struct drop_in *d)
{
	free_ptr(&d->config);
	free_ptr(&d->path);
	free_ptr(&d->off);
	free_ptr(&d->anchors);
	free_ptr(&d->masa_anchors);
}

static bool check_name(const char *name, struct err *e)
{
	size_t len = strlen(name);

	if (len == 0 || len > NAME_LEN_MAX || name[0] == '.' || name[0] == '-' ||
		strspn(name, SAFE_IN_NAMES) != len)
		return err_set(e, ERR_INPUT,
			"%s: a name is 1 to %d letters, digits, dots, dashes and underscores", name,
			NAME_LEN_MAX);
	return true;
}

static bool drop_in_init(struct drop_in *d, struct ctl *c, const char *name, struct err *e)
{
	const char *dir = ctl_option(c, "directory");

	if (!dir || !*dir)
		dir = DIRECTORY;
	*d = (struct drop_in){.c = c, .name = name};
	if (!check_name(name, e))
		return false;
	d->config = str_printf(e, "%s/registrar.conf", dir);
	d->path = str_printf(e, "%s/registrar.conf.d/manufacturer-%s.conf", dir, name);
	d->off = str_printf(e, "%s/registrar.conf.d/manufacturer-%s.off", dir, name);
	d->anchors = str_printf(e, "%s/registrar.conf.d/manufacturer-%s.pem", dir, name);
	d->masa_anchors = str_printf(e, "%s/registrar.conf.d/manufacturer-%s-masa.pem", dir, name);
	if (!d->config || !d->path || !d->off || !d->anchors || !d->masa_anchors)
		return false;
	return stat(d->config, &d->like) == 0 ||
	       err_set_errno(e, ERR_IO, "%s (registrarctl setup makes it)", d->config);
}

/* ---- Telling the registrar ---- */

/* CTL_DONE as well when none runs: it will read the files. */
static enum ctl_exit put_in_force(struct drop_in *d, const char *what)
{
	JSON_AUTO json_t *body =
		json_pack("{s o}", "reason", json_sprintf("manufacturer %s %s", d->name, what));
	enum ctl_exit code;

	code = body ? ctl_request_json(d->c, d->name, "POST", RELOAD_PATH, body, NULL)
		    : ctl_fail(d->c, "no memory");
	if (code != CTL_UNREACHABLE)
		return code;
	printf("%s: %s; a registrar takes it when it starts\n", d->name, what);
	return CTL_DONE;
}

/* ---- Adding ---- */

/* The certificates of a file, as they are understood here and nothing around them. */
static bool read_anchors(const char *path, struct buf *pem, struct err *e)
{
	CERT_LIST_AUTO struct cert_list all = CERT_LIST_INIT;

	return cert_list_load(path, &all, e) && cert_list_format_pem(&all, pem, e);
}

struct texts {
	struct buf anchors, masa_anchors, section;
};

static void texts_clear(struct texts *t)
{
	buf_clear(&t->anchors);
	buf_clear(&t->masa_anchors);
	buf_clear(&t->section);
}
#define TEXTS_AUTO __attribute__((cleanup(texts_clear)))

static bool write_section(const struct drop_in *d, struct texts *t, struct err *e)
{
	const char *url = ctl_option(d->c, "masa-url");

	if (url && strpbrk(url, " \t\r\n"))
		return err_set(e, ERR_INPUT, "%s: no URL", url);
	return buf_printf(&t->section, e,
		       "# Made by registrarctl manufacturers add.\n"
		       "[manufacturer %s]\n"
		       "anchors = manufacturer-%s.pem\n"
		       "masa_anchors = manufacturer-%s%s.pem\n"
		       "# each device waits for an administrator or a rule\n"
		       "admit = hold\n",
		       d->name, d->name, d->name, t->masa_anchors.len ? "-masa" : "") &&
	       (!url || buf_printf(&t->section, e, "masa_url = %s\n", url));
}

/* A MASA has the anchors of its manufacturer unless something else is said. */
static bool compose(const struct drop_in *d, struct texts *t, struct err *e)
{
	const char *anchors = ctl_option(d->c, "anchors");
	const char *masa = ctl_option(d->c, "masa-anchors");

	if (!anchors)
		return err_set(e, ERR_INPUT, "--anchors FILE is missing: the manufacturer's CA");
	return read_anchors(anchors, &t->anchors, e) &&
	       (!masa || read_anchors(masa, &t->masa_anchors, e)) && write_section(d, t, e);
}

static bool holds(const char *path, const struct buf *wanted, bool *same, struct err *e)
{
	BUF_AUTO struct buf now = BUF_INIT(CERT_LIST_PEM_MAX);
	bool is_there;

	if (!file_read_if_exists(path, &now, &is_there, e))
		return false;
	*same = is_there == (wanted->len > 0) && bytes_equal(buf_bytes(&now), buf_bytes(wanted));
	return true;
}

static bool is_there_already(
	const struct drop_in *d, const struct texts *t, bool *already, struct err *e)
{
	bool section, anchors, masa;

	if (!holds(d->path, &t->section, &section, e) ||
		!holds(d->anchors, &t->anchors, &anchors, e) ||
		!holds(d->masa_anchors, &t->masa_anchors, &masa, e))
		return false;
	*already = section && anchors && masa;
	return *already || access(d->path, F_OK) != 0 ||
	       err_set(e, ERR_CONFLICT,
		       "%s is there with something else in it; registrarctl manufacturers remove "
		       "%s comes first",
		       d->path, d->name);
}

static bool put(const struct drop_in *d, const char *path, const struct buf *text, mode_t mode,
	struct err *e)
{
	if (text->len == 0)
		return true;
	return file_write_atomic(path, buf_bytes(text), mode, e) &&
	       (geteuid() != 0 || chown(path, d->like.st_uid, d->like.st_gid) == 0 ||
		       err_set_errno(e, ERR_IO, "owner of %s", path));
}

static bool take_away(const struct drop_in *d, struct err *e)
{
	return file_remove(d->path, e) && file_remove(d->off, e) && file_remove(d->anchors, e) &&
	       file_remove(d->masa_anchors, e);
}

/* The section last: it names the others. */
static bool write_files(const struct drop_in *d, const struct texts *t, struct err *e)
{
	struct err ignored = ERR_INIT;

	if (put(d, d->anchors, &t->anchors, ANCHORS_MODE, e) &&
		put(d, d->masa_anchors, &t->masa_anchors, ANCHORS_MODE, e) &&
		put(d, d->path, &t->section, DROP_IN_MODE, e))
		return true;
	(void)!take_away(d, &ignored);
	return false;
}

static bool make_folder(const struct drop_in *d, struct err *e)
{
	FREE_AUTO char *dir = str_printf(e, "%s.d", d->config);

	return dir && file_make_dir(dir, 0755, e);
}

static enum ctl_exit add(struct drop_in *d, const struct texts *t)
{
	struct err e = ERR_INIT;
	enum ctl_exit code;

	if (!make_folder(d, &e) || !write_files(d, t, &e))
		return ctl_fail(d->c, "%s", e.text);
	code = put_in_force(d, "added");
	if (code != CTL_DONE && !take_away(d, &e))
		ctl_fail(d->c, "%s", e.text);
	return code;
}

enum ctl_exit manufacturers_add(struct ctl *c, int argc, char **argv)
{
	TEXTS_AUTO struct texts t = {
		BUF_INIT(CERT_LIST_PEM_MAX), BUF_INIT(CERT_LIST_PEM_MAX), BUF_INIT(DROP_IN_MAX)};
	struct drop_in d;
	struct err e = ERR_INIT;
	bool already = false;
	enum ctl_exit code;

	if (!drop_in_init(&d, c, argv[0], &e) || !compose(&d, &t, &e) ||
		!is_there_already(&d, &t, &already, &e))
		code = ctl_fail(c, "%s", e.text);
	else if (already)
		code = printf("%s: nothing was changed\n", d.name) < 0 ? CTL_FAILED : CTL_DONE;
	else
		code = add(&d, &t);
	drop_in_clear(&d);
	return code;
}

/* ---- Removing ---- */

static enum ctl_exit remove_it(struct drop_in *d)
{
	struct err e = ERR_INIT;
	enum ctl_exit code;

	if (rename(d->path, d->off) != 0) {
		ctl_fail(d->c, "%s: %s", d->path, "no manufacturer that was added with this tool");
		return CTL_NOT_FOUND;
	}
	code = put_in_force(d, "removed");
	if (code != CTL_DONE) {
		if (rename(d->off, d->path) != 0)
			ctl_fail(d->c, "%s is now %s", d->path, d->off);
		return code;
	}
	return take_away(d, &e) ? CTL_DONE : ctl_fail(d->c, "%s", e.text);
}

enum ctl_exit manufacturers_remove(struct ctl *c, int argc, char **argv)
{
	struct drop_in d;
	struct err e = ERR_INIT;
	enum ctl_exit code =
		drop_in_init(&d, c, argv[0], &e) ? remove_it(&d) : ctl_fail(c, "%s", e.text);

	drop_in_clear(&d);
	return code;
}
