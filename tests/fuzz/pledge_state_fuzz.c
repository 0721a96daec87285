/* SPDX-License-Identifier: Apache-2.0 */
/* What a pledge finds on its own disk after anything may have happened to it. The first octet says
 * which file the rest is put into; the others are as a good enrolment left them. Whatever stands
 * there, the state opens, and what is loaded can be saved and loaded again. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/pki/digest.h"
#include "common/wire/base64.h"
#include "pledge/limits.h"
#include "pledge/state.h"
#include "tests/fuzz/fuzz.h"

enum { PENDING, INFO, CERT, CACERTS, KEY, NEXT_KEY, FILE_COUNT };
static const char *const names[FILE_COUNT] = {"pending", "enrolled.1/info", "enrolled.1/ldevid.crt",
	"enrolled.1/cacerts.crt", "enrolled.1/ldevid.key", "enrolled.2/ldevid.key"};

struct world {
	char dir[96];
	struct buf good[FILE_COUNT]; /* empty: the file is usually not there */
};

static void put(const struct world *w, const char *name, const uint8_t *data, size_t len)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	fuzz_write_file(path, data, len);
}

static void put_back(const struct world *w, int which)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", w->dir, names[which]);
	if (w->good[which].len)
		fuzz_write_file(path, w->good[which].data, w->good[which].len);
	else
		unlink(path);
}

static void make_dir(const struct world *w, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	FUZZ_REQUIRE(mkdir(path, 0755) == 0);
}

static void make_good_files(struct world *w)
{
	const struct fuzz_site *site = fuzz_site();
	struct err e = ERR_INIT;

	for (int i = 0; i < FILE_COUNT; i++)
		buf_init(&w->good[i], STATE_FILE_MAX);
	FUZZ_REQUIRE(buf_append_str(&w->good[INFO], "registrar https://a:1\n", &e));
	FUZZ_REQUIRE(cert_format_pem(site->device.cert, &w->good[CERT], &e));
	FUZZ_REQUIRE(cert_format_pem(site->site_certs.items[0], &w->good[CACERTS], &e));
	FUZZ_REQUIRE(file_read(FUZZ_DIR "/pki/device.key", &w->good[KEY], &e));
}

/* As after state_install(). */
static const struct world *world(void)
{
	static struct world w;
	char link[PATH_MAX];

	if (w.dir[0])
		return &w;
	snprintf(w.dir, sizeof(w.dir), "%s/state", fuzz_directory());
	make_good_files(&w);
	make_dir(&w, "");
	make_dir(&w, "enrolled.1");
	make_dir(&w, "enrolled.2");
	snprintf(link, sizeof(link), "%s/current", w.dir);
	FUZZ_REQUIRE(symlink("enrolled.1", link) == 0);
	for (int i = 0; i < FILE_COUNT; i++)
		put_back(&w, i);
	put(&w, "enrolled.1/voucher.vcj", (const uint8_t *)"v", 1);
	put(&w, "enrolled.2/key-type", (const uint8_t *)"ec-p256", 7);
	return &w;
}

static void check_same(const struct pending *a, const struct pending *b)
{
	FUZZ_REQUIRE(bytes_equal(buf_bytes(&a->request), buf_bytes(&b->request)));
	FUZZ_REQUIRE(bytes_equal(buf_bytes(&a->server_cert), buf_bytes(&b->server_cert)));
	FUZZ_REQUIRE(a->waited_s == b->waited_s);
	FUZZ_REQUIRE(strcmp(a->registrar, b->registrar) == 0);
	FUZZ_REQUIRE(strcmp(a->server, b->server) == 0 && strcmp(a->nonce, b->nonce) == 0);
}

static void check_pending(struct state *s)
{
	PENDING_AUTO struct pending p, again;
	struct err e = ERR_INIT;
	bool exists;

	pending_init(&again);
	FUZZ_REQUIRE(state_load_pending(s, &p, &exists, &e));
	if (!exists)
		return;
	FUZZ_REQUIRE(state_save_pending(s, &p, &e));
	FUZZ_REQUIRE(state_load_pending(s, &again, &exists, &e) && exists);
	check_same(&p, &again);
}

static void check_enrolment(const struct state *s)
{
	ENROLMENT_AUTO struct enrolment n;
	struct err e = ERR_INIT;
	bool ok = state_load_enrolment(s, &n, &e);

	fuzz_check_promises(ok, &e);
	FUZZ_REQUIRE(!ok || (n.ldevid.key && n.ldevid.cert && n.cacerts.count));
	FUZZ_REQUIRE(ok || e.kind == ERR_STORE);
}

/* What a proxy asks for, without the lock. */
static void check_peek(const struct world *w)
{
	char registrar[STATE_URL_MAX];
	struct err e = ERR_INIT;
	bool enrolled;
	bool ok = state_peek(w->dir, &enrolled, registrar, &e);

	fuzz_check_promises(ok, &e);
	FUZZ_REQUIRE(!ok || enrolled);
}

/* Most of what a mutation makes has no seal; what it says is read all the same. */
static void check_sealed_pending(const struct world *w, struct state *s, struct bytes text)
{
	BUF_AUTO struct buf sealed = BUF_INIT(2 * STATE_FILE_MAX);
	uint8_t digest[SHA256_LEN];
	struct err e = ERR_INIT;

	FUZZ_REQUIRE(buf_append(&sealed, text.data, text.len, &e) &&
		     buf_append_str(&sealed, "\n", &e) &&
		     digest_sha256(buf_bytes(&sealed), digest, &e) &&
		     buf_append_str(&sealed, "sha256 ", &e) &&
		     base64_encode(bytes_of(digest, sizeof(digest)), &sealed, &e) &&
		     buf_append_str(&sealed, "\n", &e));
	put(w, names[PENDING], sealed.data, sealed.len);
	check_pending(s);
}

/* A damaged key is replaced; it never ends the attempt. */
static void check_next_key(struct state *s)
{
	struct err e = ERR_INIT;
	KEY_AUTO struct key *k = state_next_key(s, "ec-p256", &e);

	FUZZ_REQUIRE(k);
	fuzz_check_promises(true, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct world *w = world();
	int which = len ? data[0] % FILE_COUNT : PENDING;
	struct err e = ERR_INIT;
	struct state *s;

	put(w, names[which], data + (len > 0), len - (len > 0));
	s = state_open(w->dir, &e);
	FUZZ_REQUIRE(s);
	if (which == PENDING) {
		check_pending(s);
		check_sealed_pending(w, s, bytes_of(data + (len > 0), len - (len > 0)));
	} else if (which == NEXT_KEY)
		check_next_key(s);
	else
		check_enrolment(s);
	check_peek(w);
	state_unref(&s);
	put_back(w, which);
	return 0;
}

/* Reading keys and certificates back takes OpenSSL a millisecond; the file that is ours alone gets
 * most of the time. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t room, unsigned seed)
{
	len = LLVMFuzzerMutate(data, len, room);
	if (len && seed % 16)
		data[0] = PENDING;
	return len;
}
