/* SPDX-License-Identifier: Apache-2.0 */
/* What a MASA says of a device's owner, and the regions file: whatever comes, what is taken has
 * addresses that may stand in a Location, and texts and numbers within their bounds. */
#include <string.h>

#include "common/wire/uri.h"
#include "registrar/cloud/places.h"
#include "registrar/cloud/regions.h"
#include "tests/fuzz/fuzz.h"

static void check_url(const char *url)
{
	struct err e = ERR_INIT;
	struct uri u;

	FUZZ_REQUIRE(strlen(url) <= PLACE_URL_MAX && uri_parse(url, &u, &e));
	FUZZ_REQUIRE(!strpbrk(url, "\r\n "));
}

static void try_places(const uint8_t *data, size_t len)
{
	struct places p;
	struct err e = ERR_INIT;
	bool ok = cloud_places_parse(bytes_of(data, len), &p, &e);

	fuzz_check_promises(ok, &e);
	if (!ok)
		return;
	FUZZ_REQUIRE(p.count <= PLACES_MAX && strlen(p.owner) <= PLACE_OWNER_MAX);
	for (size_t i = 0; i < p.count; i++) {
		check_url(p.items[i].url);
		FUZZ_REQUIRE(p.items[i].weight >= 0 && p.items[i].weight <= PLACE_WEIGHT_MAX);
		FUZZ_REQUIRE(strlen(p.items[i].region) <= PLACE_REGION_MAX);
	}
	if (p.has_est)
		check_url(p.est);
}

static void try_regions(const uint8_t *data, size_t len)
{
	BUF_AUTO struct buf text = BUF_INIT(REGIONS_FILE_MAX);
	struct err e = ERR_INIT;
	struct regions *r;

	if (!buf_append(&text, data, len, &e) || !buf_append(&text, "", 1, &e))
		return;
	r = regions_parse((char *)text.data, &e);
	fuzz_check_promises(r != NULL, &e);
	FUZZ_REQUIRE(strlen(regions_find(r, "192.0.2.1")) <= PLACE_REGION_MAX);
	regions_find(r, "2001:db8::1");
	regions_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	try_places(data, len);
	try_regions(data, len);
	return 0;
}
