/* SPDX-License-Identifier: Apache-2.0 */
/* The device's memory, and what is left of it when the power goes away: a child process is stopped
 * before each of its system calls in turn, and what it left behind must be the old state or the new
 * one, and must let the work be done again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/base/file.h"
#include "pledge/state.h"
#include "tests/unit/pledge_fixture.h"
#include "tests/unit/skip.h"

#define INSTANTS_MAX 2000 /* system calls of one operation; more means it never ended */

struct world {
	char dir[64];
	struct fixture f;
	struct state *s;
	struct err e;
};

static void remove_dir(const char *path)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", path);
	assert_int_equal(system(command), 0);
}

static void reopen(struct world *w)
{
	state_close(w->s);
	w->s = state_open(w->dir, &w->e);
	if (!w->s)
		fail_msg("%s", w->e.text);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	fixture_init(&w->f);
	strcpy(w->dir, "/tmp/pledge_state_test.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	reopen(w);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	state_close(w->s);
	remove_dir(w->dir);
	fixture_clear(&w->f);
	free(w);
	return 0;
}

static void path_of(const struct world *w, const char *name, char out[256])
{
	snprintf(out, 256, "%s/%s", w->dir, name);
}

static void spki_of(const struct key *k, struct buf *out)
{
	struct err e = ERR_INIT;

	buf_clear(out);
	assert_true(key_public_spki(k, out, &e));
}

/* Take the next key, have it certified by the site, install it. */
static bool do_enroll(
	struct state *s, const struct fixture *f, const char *registrar, struct err *e)
{
	KEY_AUTO struct key *key = state_next_key(s, "ec-p256", e);
	CERT_LIST_AUTO struct cert_list chain = CERT_LIST_INIT, cacerts = CERT_LIST_INIT;
	CERT_AUTO struct cert *ldevid = NULL;
	struct peer_identity made;
	struct state_install in = {
		.chain = &chain,
		.cacerts = &cacerts,
		.voucher = bytes_of_str("voucher"),
		.registrar = registrar,
		.report_due = true,
	};

	if (!key || !state_save_next_csr(s, bytes_of_str("csr"), e))
		return false;
	made = peer_identity_make(
		&(struct peer_cert_wish){.cn = "device", .issuer = &f->sub, .key = key_evp(key)});
	ldevid = fixture_cert(made.cert);
	peer_identity_free(&made);
	in.ldevid = ldevid;
	return cert_list_add(&chain, f->sub_cert, e) && cert_list_add(&cacerts, f->root_cert, e) &&
	       state_install(s, &in, e);
}

static void enroll(struct world *w, const char *registrar)
{
	if (!do_enroll(w->s, &w->f, registrar, &w->e))
		fail_msg("%s", w->e.text);
}

static void expect_enrolled_by(struct world *w, const char *registrar)
{
	ENROLMENT_AUTO struct enrolment n;

	assert_true(state_is_enrolled(w->s));
	if (!state_load_enrolment(w->s, &n, &w->e))
		fail_msg("%s", w->e.text);
	assert_string_equal(n.registrar, registrar);
	assert_int_equal(n.ldevid.chain.count, 1);
	assert_int_equal(n.cacerts.count, 1);
	assert_string_equal(buf_str(&n.voucher), "voucher");
}

static unsigned count_enrolled_dirs(const struct world *w)
{
	DIR *d = opendir(w->dir);
	struct dirent *entry;
	unsigned n = 0;

	while ((entry = readdir(d)) != NULL)
		n += strncmp(entry->d_name, "enrolled.", 9) == 0;
	closedir(d);
	return n;
}

/* ---- keeping ---- */

static void state_open__new_directory__is_not_enrolled(void **state)
{
	struct world *w = *state;

	assert_false(state_is_enrolled(w->s));
}

static void state_open__while_another_holds_it__is_refused(void **state)
{
	struct world *w = *state;

	assert_null(state_open(w->dir, &w->e));
	assert_int_equal(w->e.kind, ERR_CONFLICT);
}

static void state_install__after_a_restart__is_all_there(void **state)
{
	struct world *w = *state;
	ENROLMENT_AUTO struct enrolment n;
	char path[256];
	struct stat st;

	enroll(w, "https://a");
	reopen(w);
	expect_enrolled_by(w, "https://a");
	assert_true(state_load_enrolment(w->s, &n, &w->e));
	assert_true(n.report_due);
	path_of(w, "current/ldevid.key", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void state_report_done__after_a_restart__is_not_due(void **state)
{
	struct world *w = *state;
	ENROLMENT_AUTO struct enrolment n;

	enroll(w, "https://a");
	assert_true(state_report_done(w->s, &w->e));
	reopen(w);
	assert_true(state_load_enrolment(w->s, &n, &w->e));
	assert_false(n.report_due);
}

static void state_install__again__replaces_and_leaves_nothing_of_the_old(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 3; i++)
		enroll(w, "https://a");
	enroll(w, "https://b");
	expect_enrolled_by(w, "https://b");
	assert_int_equal(count_enrolled_dirs(w), 1);
}

static void state_next_key__after_a_restart__is_the_same(void **state)
{
	struct world *w = *state;
	BUF_AUTO struct buf before = BUF_INIT(10000), after = BUF_INIT(10000), csr = BUF_INIT(100);
	struct key *k = state_next_key(w->s, "ec-p256", &w->e);
	bool exists;

	assert_non_null(k);
	spki_of(k, &before);
	key_free(k);
	assert_true(state_save_next_csr(w->s, bytes_of_str("csr"), &w->e));
	reopen(w);
	k = state_next_key(w->s, "ec-p256", &w->e);
	spki_of(k, &after);
	key_free(k);
	assert_true(bytes_equal(buf_bytes(&before), buf_bytes(&after)));
	assert_true(state_next_csr(w->s, &csr, &exists, &w->e));
	assert_true(exists);
	assert_string_equal(buf_str(&csr), "csr");
}

static void state_next_key__other_type__is_another_key_without_a_csr(void **state)
{
	struct world *w = *state;
	BUF_AUTO struct buf before = BUF_INIT(10000), after = BUF_INIT(10000), csr = BUF_INIT(100);
	struct key *k = state_next_key(w->s, "ec-p256", &w->e);
	bool exists;

	spki_of(k, &before);
	key_free(k);
	assert_true(state_save_next_csr(w->s, bytes_of_str("csr"), &w->e));
	k = state_next_key(w->s, "ec-p384", &w->e);
	spki_of(k, &after);
	key_free(k);
	assert_false(bytes_equal(buf_bytes(&before), buf_bytes(&after)));
	assert_true(state_next_csr(w->s, &csr, &exists, &w->e));
	assert_false(exists);
}

static void state_next_key__after_an_enrolment__is_a_new_one(void **state)
{
	struct world *w = *state;
	BUF_AUTO struct buf before = BUF_INIT(10000), after = BUF_INIT(10000);
	ENROLMENT_AUTO struct enrolment n;
	struct key *k;

	enroll(w, "https://a");
	assert_true(state_load_enrolment(w->s, &n, &w->e));
	spki_of(n.ldevid.key, &before);
	k = state_next_key(w->s, "ec-p256", &w->e);
	spki_of(k, &after);
	key_free(k);
	assert_false(bytes_equal(buf_bytes(&before), buf_bytes(&after)));
}

static void state_load_enrolment__without_voucher_or_address__is_enrolled_all_the_same(void **state)
{
	static const char *const files[] = {"voucher.vcj", "info"};
	struct world *w = *state;

	enroll(w, "https://a");
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		ENROLMENT_AUTO struct enrolment n;
		char path[256], name[64];

		snprintf(name, sizeof(name), "current/%s", files[i]);
		path_of(w, name, path);
		assert_int_equal(unlink(path), 0);
		assert_true(state_load_enrolment(w->s, &n, &w->e));
		assert_int_equal(n.voucher.len, 0);
		assert_string_equal(n.registrar, i ? "" : "https://a");
		assert_non_null(n.ldevid.cert);
	}
}

static void state_load_enrolment__each_file_missing_or_empty__is_said(void **state)
{
	static const char *const files[] = {"ldevid.key", "ldevid.crt", "cacerts.crt"};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		ENROLMENT_AUTO struct enrolment n;
		char path[256], name[64];

		enroll(w, "https://a");
		snprintf(name, sizeof(name), "current/%s", files[i]);
		path_of(w, name, path);
		assert_int_equal(unlink(path), 0);
		assert_false(state_load_enrolment(w->s, &n, &w->e));
		assert_int_equal(w->e.kind, ERR_STORE);
	}
}

/* ---- over CoAPS ---- */

static const struct etag etag_a = {.octets = {1, 0, 255, 4, 5, 6, 7, 8}, .len = 8};
static const struct etag etag_b = {.octets = {9}, .len = 1};

/* A certificate of the site for this key. */
static struct cert *certify(const struct fixture *f, const struct key *key)
{
	struct peer_identity made = peer_identity_make(
		&(struct peer_cert_wish){.cn = "device", .issuer = &f->sub, .key = key_evp(key)});
	struct cert *c = fixture_cert(made.cert);

	peer_identity_free(&made);
	return c;
}

static bool do_enroll_constrained(
	struct state *s, const struct fixture *f, const struct key *key, struct err *e)
{
	CERT_LIST_AUTO struct cert_list none = CERT_LIST_INIT, cacerts = CERT_LIST_INIT;
	CERT_AUTO struct cert *ldevid = certify(f, key);
	const struct state_install in = {
		.ldevid = ldevid,
		.chain = &none,
		.cacerts = &cacerts,
		.cacerts_etag = &etag_a,
		.cacerts_asked_unix_s = 1234567890123,
		.voucher = bytes_of_str("voucher"),
		.voucher_is_cose = true,
		.registrar = "coaps://a",
	};

	return cert_list_add(&cacerts, f->root_cert, e) && state_install(s, &in, e);
}

static void enroll_constrained(struct world *w)
{
	KEY_AUTO struct key *key = state_next_key(w->s, "ec-p256", &w->e);

	assert_non_null(key);
	if (!do_enroll_constrained(w->s, &w->f, key, &w->e))
		fail_msg("%s", w->e.text);
}

static void state_install__of_a_constrained_join__is_all_there(void **state)
{
	struct world *w = *state;
	char cms[256], cose[256];

	path_of(w, "current/voucher.vcj", cms);
	path_of(w, "current/voucher.vch", cose);
	for (int i = 0; i < 2; i++) {
		ENROLMENT_AUTO struct enrolment n;

		enroll(w, "https://a");
		assert_true(access(cms, F_OK) == 0 && access(cose, F_OK) != 0);
		enroll_constrained(w);
		assert_true(access(cms, F_OK) != 0 && access(cose, F_OK) == 0);
		reopen(w);
		assert_true(state_load_enrolment(w->s, &n, &w->e));
		assert_string_equal(buf_str(&n.voucher), "voucher");
		assert_true(n.voucher_is_cose);
		assert_false(n.report_due);
		assert_true(n.cacerts_asked_unix_s == 1234567890123);
		assert_int_equal(n.cacerts_etag.len, 8);
		assert_memory_equal(n.cacerts_etag.octets, etag_a.octets, 8);
	}
}

static void state_load_enrolment__no_or_bad_version_of_the_cas__is_none(void **state)
{
	static const char *const lines[] = {"", "cacerts-etag\n", "cacerts-etag \n",
		"cacerts-etag AQIDBAUGBwgJ\n", "cacerts-etag @@\n", "cacerts-asked soon\n"};
	struct world *w = *state;
	char path[256];

	enroll_constrained(w);
	path_of(w, "current/info", path);
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		ENROLMENT_AUTO struct enrolment n;
		BUF_AUTO struct buf text = BUF_INIT(1000);

		assert_true(buf_printf(&text, &w->e, "registrar coaps://a\n%s", lines[i]));
		assert_true(file_write_atomic(path, buf_bytes(&text), 0644, &w->e));
		assert_true(state_load_enrolment(w->s, &n, &w->e));
		assert_int_equal(n.cacerts_etag.len, 0);
		assert_true(n.cacerts_asked_unix_s == 0);
	}
}

static bool update_cacerts(struct state *s, const struct fixture *f, struct err *e)
{
	CERT_LIST_AUTO struct cert_list cacerts = CERT_LIST_INIT;

	return cert_list_add(&cacerts, f->sub_cert, e) &&
	       cert_list_add(&cacerts, f->root_cert, e) &&
	       state_update_cacerts(s, &cacerts, &etag_b, 2000, e);
}

/* An answer is only left out for the version that is there, so the version never runs ahead. */
static void old_or_new_cacerts(struct world *w)
{
	ENROLMENT_AUTO struct enrolment n;

	assert_true(state_load_enrolment(w->s, &n, &w->e));
	assert_string_equal(buf_str(&n.voucher), "voucher");
	assert_true(n.cacerts.count == 1 || n.cacerts.count == 2);
	if (n.cacerts_etag.len == etag_b.len)
		assert_int_equal(n.cacerts.count, 2);
}

static void new_cacerts(struct world *w)
{
	ENROLMENT_AUTO struct enrolment n;

	assert_true(state_load_enrolment(w->s, &n, &w->e));
	assert_int_equal(n.cacerts.count, 2);
	assert_int_equal(n.cacerts_etag.len, etag_b.len);
	assert_true(n.cacerts_asked_unix_s == 2000);
	assert_string_equal(n.registrar, "coaps://a");
}

static void state_update_cacerts__after_a_restart__are_the_new_ones(void **state)
{
	struct world *w = *state;

	enroll_constrained(w);
	assert_true(update_cacerts(w->s, &w->f, &w->e));
	reopen(w);
	new_cacerts(w);
}

static void state_put_next_key__is_for_the_next_certificate_and_no_other(void **state)
{
	struct world *w = *state;
	KEY_AUTO struct key *own = state_next_key(w->s, "ec-p256", &w->e);
	KEY_AUTO struct key *theirs = key_generate(KEY_EC_P256, &w->e), *again = NULL;
	BUF_AUTO struct buf given = BUF_INIT(10000), kept = BUF_INIT(10000);
	ENROLMENT_AUTO struct enrolment n;

	assert_true(own && theirs);
	spki_of(theirs, &given);
	assert_true(state_put_next_key(w->s, theirs, &w->e));
	reopen(w); /* power cut: nobody else's key is ever taken for one of our own */
	again = state_next_key(w->s, "ec-p256", &w->e);
	assert_non_null(again);
	spki_of(again, &kept);
	assert_false(bytes_equal(buf_bytes(&given), buf_bytes(&kept)));
	assert_true(state_put_next_key(w->s, theirs, &w->e));
	assert_true(do_enroll_constrained(w->s, &w->f, theirs, &w->e));
	assert_true(state_load_enrolment(w->s, &n, &w->e));
	spki_of(n.ldevid.key, &kept);
	assert_true(bytes_equal(buf_bytes(&given), buf_bytes(&kept)));
}

static void state_open__temporary_files_of_a_crash__are_removed(void **state)
{
	struct world *w = *state;
	static const char *const names[] = {
		"pending.new.abc123", "current.new.link", "enrolled.1/info.new.x1y2z3"};
	char path[256];

	enroll(w, "https://a");
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		path_of(w, names[i], path);
		assert_true(file_write_atomic(path, bytes_of_str("x"), 0600, &w->e));
	}
	reopen(w);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		path_of(w, names[i], path);
		assert_int_not_equal(access(path, F_OK), 0);
	}
	expect_enrolled_by(w, "https://a");
}

/* ---- pending ---- */

static void fill_pending(struct pending *p)
{
	pending_init(p);
	strcpy(p->registrar, "https://a");
	strcpy(p->server, "https://b:8443/.well-known/brski/requestvoucher");
	strcpy(p->nonce, "AAECAwQFBgcICQoLDA0ODw==");
	p->waited_s = 86400;
	fixture_put(&p->request, bytes_of("\x30\x00\xff", 3));
	fixture_put(&p->server_cert, bytes_of("\x30\x01\xfe", 3));
}

static void save_pending(struct world *w)
{
	PENDING_AUTO struct pending p;

	fill_pending(&p);
	assert_true(state_save_pending(w->s, &p, &w->e));
}

static void state_pending__after_a_restart__is_octet_for_octet_the_same(void **state)
{
	struct world *w = *state;
	PENDING_AUTO struct pending before, after;
	bool exists;

	save_pending(w);
	reopen(w);
	fill_pending(&before);
	assert_true(state_load_pending(w->s, &after, &exists, &w->e));
	assert_true(exists);
	assert_string_equal(after.registrar, before.registrar);
	assert_string_equal(after.server, before.server);
	assert_string_equal(after.nonce, before.nonce);
	assert_int_equal(after.waited_s, before.waited_s);
	assert_true(bytes_equal(buf_bytes(&after.request), buf_bytes(&before.request)));
	assert_true(bytes_equal(buf_bytes(&after.server_cert), buf_bytes(&before.server_cert)));
}

static void state_pending__dropped_or_never_saved__is_absent(void **state)
{
	struct world *w = *state;
	PENDING_AUTO struct pending p;
	bool exists;

	assert_true(state_load_pending(w->s, &p, &exists, &w->e));
	assert_false(exists);
	save_pending(w);
	assert_true(state_drop_pending(w->s, &w->e));
	assert_true(state_load_pending(w->s, &p, &exists, &w->e));
	assert_false(exists);
}

static void state_pending__cut_anywhere__is_dropped_or_whole(void **state)
{
	struct world *w = *state;
	BUF_AUTO struct buf text = BUF_INIT(100000);
	char path[256];

	save_pending(w);
	path_of(w, "pending", path);
	assert_true(file_read(path, &text, &w->e));
	for (size_t n = 0; n < text.len; n++) {
		PENDING_AUTO struct pending p;
		bool exists;

		assert_true(file_write_atomic(path, bytes_of(text.data, n), 0600, &w->e));
		assert_true(state_load_pending(w->s, &p, &exists, &w->e));
		assert_false(exists);
		assert_int_not_equal(access(path, F_OK), 0);
	}
}

/* One octet that is not what was written, wherever: nobody's words are believed. */
static void state_pending__one_octet_changed__is_dropped(void **state)
{
	struct world *w = *state;
	BUF_AUTO struct buf text = BUF_INIT(100000);
	char path[256];

	save_pending(w);
	path_of(w, "pending", path);
	assert_true(file_read(path, &text, &w->e));
	for (size_t n = 0; n < text.len; n++) {
		PENDING_AUTO struct pending p;
		bool exists;

		text.data[n] ^= 1;
		assert_true(file_write_atomic(path, buf_bytes(&text), 0600, &w->e));
		text.data[n] ^= 1;
		assert_true(state_load_pending(w->s, &p, &exists, &w->e));
		assert_false(exists);
	}
}

/* ---- reset ---- */

static void state_reset__everything_of_ours__is_gone_and_nothing_else(void **state)
{
	struct world *w = *state;
	PENDING_AUTO struct pending p;
	char path[256];
	bool exists;

	enroll(w, "https://a");
	key_free(state_next_key(w->s, "ec-p256", &w->e));
	save_pending(w);
	path_of(w, "idevid.key", path);
	assert_true(file_write_atomic(path, bytes_of_str("factory"), 0600, &w->e));
	assert_true(state_reset(w->s, &w->e));
	reopen(w);
	assert_false(state_is_enrolled(w->s));
	assert_true(state_load_pending(w->s, &p, &exists, &w->e));
	assert_false(exists);
	assert_int_equal(count_enrolled_dirs(w), 0);
	assert_int_equal(access(path, F_OK), 0);
}

/* ---- power cuts ---- */

typedef bool operation(struct state *s, const struct fixture *f, struct err *e);

static bool enroll_with_b(struct state *s, const struct fixture *f, struct err *e)
{
	return do_enroll(s, f, "https://b", e);
}

static bool reset_all(struct state *s, const struct fixture *f, struct err *e)
{
	return state_reset(s, e);
}

static bool save_a_pending(struct state *s, const struct fixture *f, struct err *e)
{
	PENDING_AUTO struct pending p;

	fill_pending(&p);
	strcpy(p.nonce, "new");
	return state_save_pending(s, &p, e);
}

static void child(const struct world *w, operation *op)
{
	struct err e = ERR_INIT;
	struct state *s;

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(77);
	raise(SIGSTOP);
	s = state_open(w->dir, &e);
	_exit(s && op(s, &w->f, &e) ? 0 : 1);
}

/* Run op in a child and stop it before its system call number `instant`. Returns whether it got to
 * its end instead. */
static bool run_until(struct world *w, operation *op, int instant)
{
	pid_t pid;
	int status;

	state_close(w->s); /* the lock is the child's now */
	w->s = NULL;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		child(w, op);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		SKIP_BECAUSE("no ptrace");
	/* the first stop is the child's own, then each call stops at its entry and at its exit */
	for (int stops = 0; WIFSTOPPED(status); stops++) {
		if (stops == 2 * instant + 1) {
			kill(pid, SIGKILL);
			assert_int_equal(waitpid(pid, &status, 0), pid);
			return false;
		}
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	return true;
}

/* For every instant: prepare, cut, look, and let the work be done again. */
static void cut_at_every_instant(struct world *w, operation *op, void (*prepare)(struct world *),
	void (*look)(struct world *), void (*look_after)(struct world *))
{
	for (int instant = 0; instant < INSTANTS_MAX; instant++) {
		bool ended;

		reopen(w);
		assert_true(state_reset(w->s, &w->e));
		prepare(w);
		ended = run_until(w, op, instant);
		reopen(w);
		if (!ended)
			look(w);
		if (!op(w->s, &w->f, &w->e))
			fail_msg("instant %d: %s", instant, w->e.text);
		reopen(w);
		look_after(w);
		if (ended)
			return;
	}
	fail_msg("did not end");
}

static bool take_p384_key(struct state *s, const struct fixture *f, struct err *e)
{
	KEY_AUTO struct key *k = state_next_key(s, "ec-p384", e);

	return k != NULL;
}

static void next_key_is_p256(struct world *w)
{
	KEY_AUTO struct key *k = state_next_key(w->s, "ec-p256", &w->e);

	assert_non_null(k);
}

static void next_key_is_p384(struct world *w)
{
	KEY_AUTO struct key *k = state_next_key(w->s, "ec-p384", &w->e);
	BUF_AUTO struct buf spki = BUF_INIT(10000);

	assert_non_null(k);
	spki_of(k, &spki);
	assert_int_equal(spki.len, 120);
}

static void nothing(struct world *w)
{
}

static void enrolled_with_a(struct world *w)
{
	enroll(w, "https://a");
}

static void enrolled_with_b(struct world *w)
{
	expect_enrolled_by(w, "https://b");
	assert_true(count_enrolled_dirs(w) == 1);
}

static void not_enrolled_or_b(struct world *w)
{
	if (state_is_enrolled(w->s))
		expect_enrolled_by(w, "https://b");
}

static void a_or_b(struct world *w)
{
	ENROLMENT_AUTO struct enrolment n;

	assert_true(state_load_enrolment(w->s, &n, &w->e));
	expect_enrolled_by(w, strcmp(n.registrar, "https://a") == 0 ? "https://a" : "https://b");
}

static void not_enrolled_or_a(struct world *w)
{
	if (state_is_enrolled(w->s))
		expect_enrolled_by(w, "https://a");
}

static void gone(struct world *w)
{
	assert_false(state_is_enrolled(w->s));
	assert_int_equal(count_enrolled_dirs(w), 0);
}

static void expect_nonce(struct world *w, const char *a, const char *b)
{
	PENDING_AUTO struct pending p;
	bool exists;

	assert_true(state_load_pending(w->s, &p, &exists, &w->e));
	assert_true(exists);
	assert_true(strcmp(p.nonce, a) == 0 || strcmp(p.nonce, b) == 0);
	assert_int_equal(p.request.len, 3);
}

static void old_or_new_pending(struct world *w)
{
	expect_nonce(w, "AAECAwQFBgcICQoLDA0ODw==", "new");
}

static void new_pending(struct world *w)
{
	expect_nonce(w, "new", "new");
}

static void state_install__power_cut_at_any_instant__is_nothing_or_whole(void **state)
{
	cut_at_every_instant(*state, enroll_with_b, nothing, not_enrolled_or_b, enrolled_with_b);
}

static void state_install__power_cut_while_renewing__is_old_or_new(void **state)
{
	cut_at_every_instant(*state, enroll_with_b, enrolled_with_a, a_or_b, enrolled_with_b);
}

static void state_reset__power_cut_at_any_instant__is_whole_or_gone(void **state)
{
	cut_at_every_instant(*state, reset_all, enrolled_with_a, not_enrolled_or_a, gone);
}

static void state_save_pending__power_cut_at_any_instant__is_old_or_new(void **state)
{
	cut_at_every_instant(*state, save_a_pending, save_pending, old_or_new_pending, new_pending);
}

static void state_next_key__power_cut_while_the_type_changes__never_gives_the_old_type(void **state)
{
	cut_at_every_instant(
		*state, take_p384_key, next_key_is_p256, next_key_is_p384, next_key_is_p384);
}

static void state_update_cacerts__power_cut_at_any_instant__is_old_or_new(void **state)
{
	cut_at_every_instant(
		*state, update_cacerts, enroll_constrained, old_or_new_cacerts, new_cacerts);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(state_open__new_directory__is_not_enrolled),
		TEST(state_open__while_another_holds_it__is_refused),
		TEST(state_install__after_a_restart__is_all_there),
		TEST(state_report_done__after_a_restart__is_not_due),
		TEST(state_install__again__replaces_and_leaves_nothing_of_the_old),
		TEST(state_next_key__after_a_restart__is_the_same),
		TEST(state_next_key__other_type__is_another_key_without_a_csr),
		TEST(state_next_key__after_an_enrolment__is_a_new_one),
		TEST(state_load_enrolment__each_file_missing_or_empty__is_said),
		TEST(state_load_enrolment__without_voucher_or_address__is_enrolled_all_the_same),
		TEST(state_install__of_a_constrained_join__is_all_there),
		TEST(state_load_enrolment__no_or_bad_version_of_the_cas__is_none),
		TEST(state_update_cacerts__after_a_restart__are_the_new_ones),
		TEST(state_put_next_key__is_for_the_next_certificate_and_no_other),
		TEST(state_update_cacerts__power_cut_at_any_instant__is_old_or_new),
		TEST(state_open__temporary_files_of_a_crash__are_removed),
		TEST(state_pending__after_a_restart__is_octet_for_octet_the_same),
		TEST(state_pending__dropped_or_never_saved__is_absent),
		TEST(state_pending__cut_anywhere__is_dropped_or_whole),
		TEST(state_pending__one_octet_changed__is_dropped),
		TEST(state_reset__everything_of_ours__is_gone_and_nothing_else),
		TEST(state_install__power_cut_at_any_instant__is_nothing_or_whole),
		TEST(state_install__power_cut_while_renewing__is_old_or_new),
		TEST(state_reset__power_cut_at_any_instant__is_whole_or_gone),
		TEST(state_next_key__power_cut_while_the_type_changes__never_gives_the_old_type),
		TEST(state_save_pending__power_cut_at_any_instant__is_old_or_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
