/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers of the fuzz targets: promises, the fixed keys, files in memory. */
#include "tests/fuzz/fuzz.h"

#include <ftw.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fuzz_broken(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

void fuzz_check_promises(bool ok, const struct err *e)
{
	FUZZ_REQUIRE(ERR_peek_error() == 0);
	ERR_clear_error(); /* frees what the queue keeps of errors that were taken from it */
	if (ok)
		return;
	FUZZ_REQUIRE(e->kind > ERR_NONE && e->kind < ERR_KIND_COUNT);
	FUZZ_REQUIRE(e->kind != ERR_BUG);
	FUZZ_REQUIRE(e->text[0] != '\0' && !strpbrk(e->text, "\r\n"));
	FUZZ_REQUIRE(!strpbrk(err_sentence(e), "\r\n"));
}

char *fuzz_text(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);

	FUZZ_REQUIRE(text);
	memcpy(text, data, len);
	text[len] = '\0';
	return text;
}

static void must(bool ok, const struct err *e)
{
	if (!ok)
		fuzz_broken(e->text, FUZZ_DIR "/pki", 0);
}

static void load_site(struct fuzz_site *s)
{
	struct err e = ERR_INIT;

	must(identity_load(&s->masa, FUZZ_DIR "/pki/masa.key", FUZZ_DIR "/pki/masa.crt", &e), &e);
	must(identity_load(&s->device, FUZZ_DIR "/pki/device.key", FUZZ_DIR "/pki/device.crt", &e),
		&e);
	must(identity_load(&s->registrar, FUZZ_DIR "/pki/registrar.key",
		     FUZZ_DIR "/pki/registrar.crt", &e),
		&e);
	must(cert_list_load(FUZZ_DIR "/pki/maker-root.crt", &s->maker_certs, &e), &e);
	must(cert_list_load(FUZZ_DIR "/pki/site-root.crt", &s->site_certs, &e), &e);
	must((s->maker = anchors_new(&s->maker_certs, &e)) != NULL, &e);
	must((s->maker_issuing = anchors_new(&s->masa.chain, &e)) != NULL, &e);
	must((s->site = anchors_new(&s->site_certs, &e)) != NULL, &e);
	must((s->certs = cert_cache_new(256, &e)) != NULL, &e);
}

struct fuzz_site *fuzz_site(void)
{
	static struct fuzz_site site;

	if (!site.certs)
		load_site(&site);
	return &site;
}

/* ---- files ---- */

static char directory[64];

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

static void remove_directory(void)
{
	nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_directory(void)
{
	if (directory[0])
		return directory;
	snprintf(directory, sizeof(directory), "%s/brski-fuzz-XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	FUZZ_REQUIRE(mkdtemp(directory));
	atexit(remove_directory);
	return directory;
}

void fuzz_write_file(const char *path, const uint8_t *data, size_t len)
{
	FILE *f = fopen(path, "we");

	FUZZ_REQUIRE(f && fwrite(data, 1, len, f) == len);
	FUZZ_REQUIRE(fclose(f) == 0);
}
