/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files of the three daemons; the first octet says whose (m, p, else registrar). */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "masa/config.h"
#include "pledge/config.h"
#include "registrar/config.h"
#include "tests/fuzz/fuzz.h"

static void load_masa(const char *path, struct err *e)
{
	struct masa_config c = {.listen = NULL};

	fuzz_check_promises(masa_config_load(path, &c, e), e);
	masa_config_clear(&c);
}

static void load_pledge(const char *path, struct err *e)
{
	struct pledge_config c = {.urls = NULL};
	bool ok = config_load(path, &pledge_config_schema, &c, e);

	fuzz_check_promises(ok, e);
	FUZZ_REQUIRE(!ok || (c.idevid_key && c.masa_anchors)); /* what is required is there */
	config_clear(&pledge_config_schema, &c);
}

static void load_registrar(const char *path, struct err *e)
{
	struct registrar_config c = {.listen = NULL};
	bool ok = registrar_config_load(&c, path, e);

	fuzz_check_promises(ok, e);
	FUZZ_REQUIRE(!ok || (c.key && c.certificate && c.ca_key && c.ca_certificate));
	/* there may be none, but not half a one */
	for (size_t i = 0; ok && i < c.manufacturer_count; i++)
		FUZZ_REQUIRE(c.manufacturers[i]->anchors && c.manufacturers[i]->masa_anchors);
	registrar_config_clear(&c);
}

/* What follows the mark is a drop-in beside the file. */
static void write_files(const char *path, const uint8_t *data, size_t len)
{
	static const char mark[] = "\n----\n";
	const uint8_t *at = memmem(data, len, mark, strlen(mark));
	char drop_in[160];

	snprintf(drop_in, sizeof(drop_in), "%s.d", path);
	mkdir(drop_in, 0755);
	snprintf(drop_in, sizeof(drop_in), "%s.d/x.conf", path);
	unlink(drop_in);
	if (at) {
		const uint8_t *second = at + strlen(mark);

		fuzz_write_file(drop_in, second, len - (size_t)(second - data));
		len = (size_t)(at - data);
	}
	fuzz_write_file(path, data, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char path[128];
	struct err e = ERR_INIT;

	if (len == 0)
		return 0;
	snprintf(path, sizeof(path), "%s/fuzz.conf", fuzz_directory());
	write_files(path, data + 1, len - 1);
	if (data[0] == 'm')
		load_masa(path, &e);
	else if (data[0] == 'p')
		load_pledge(path, &e);
	else
		load_registrar(path, &e);
	return 0;
}
