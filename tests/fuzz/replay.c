/* SPDX-License-Identifier: Apache-2.0 */
/* main() of a fuzz target without libFuzzer: feed it the files named, or those of its own corpus
 * (corpus/NAME for a program NAME_fuzz), each once, and say so in TAP. A broken promise aborts. */
#include <dirent.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/file.h"
#include "tests/fuzz/fuzz.h"

#define INPUT_MAX (1u << 20) /* libFuzzer's own upper limit for a generated input */

/* Only named by the mutators, which do not run here. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t room)
{
	return len;
}

static size_t replay_file(const char *path)
{
	BUF_AUTO struct buf content = BUF_INIT(INPUT_MAX);
	struct err e = ERR_INIT;
	uint8_t *exact;

	if (!file_read(path, &content, &e)) {
		fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
	exact = malloc(content.len ? content.len : 1); /* nothing behind the last octet */
	FUZZ_REQUIRE(exact);
	if (content.len)
		memcpy(exact, content.data, content.len);
	LLVMFuzzerTestOneInput(exact, content.len);
	free(exact);
	return 1;
}

static size_t replay(const char *path)
{
	struct stat st;
	DIR *d = stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? opendir(path) : NULL;
	struct dirent *entry;
	char file[PATH_MAX];
	size_t count = 0;

	if (!d)
		return replay_file(path);
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (snprintf(file, sizeof(file), "%s/%s", path, entry->d_name) < (int)sizeof(file))
			count += replay_file(file);
	}
	closedir(d);
	return count;
}

int main(int argc, char **argv)
{
	char *name = basename(argv[0]);
	char corpus[PATH_MAX];
	size_t count = 0;

	for (int i = 1; i < argc; i++)
		count += replay(argv[i]);
	if (argc == 1) {
		snprintf(corpus, sizeof(corpus), FUZZ_DIR "/corpus/%.*s",
			(int)(strlen(name) - strlen("_fuzz")), name);
		count = replay(corpus);
	}
	printf("1..1\n%sok 1 - %s: corpus of %zu files\n", count ? "" : "not ", name, count);
	return count ? 0 : 1;
}
