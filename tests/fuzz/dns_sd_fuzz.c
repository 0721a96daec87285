/* SPDX-License-Identifier: Apache-2.0 */
/* Two messages of anybody, one after the other, as service discovery puts them together: what comes
 * out is a service that was looked for, and questions come to an end. */
#include "common/net/dns_sd.h"
#include "tests/fuzz/fuzz.h"

#define LINK 2

static void on_found(void *arg, const struct dns_sd_place *place)
{
	const struct service_name *s = place->service;

	FUZZ_REQUIRE(s && (s->scheme == URI_HTTPS || s->scheme == URI_COAPS));
	FUZZ_REQUIRE(place->at.sa.sa_family == AF_INET || place->at.sa.sa_family == AF_INET6);
	FUZZ_REQUIRE(service_speaks(s->scheme, bytes_of_str(place->variation)));
}

static void take(struct dns_sd *d, struct bytes message)
{
	const struct dns_sd_origin from = {.interface = LINK};
	struct err e = ERR_INIT;

	fuzz_check_promises(dns_sd_take(d, message, &from, on_found, NULL, &e), &e);
	FUZZ_REQUIRE(d->count <= DNS_SD_INSTANCES_MAX);
	for (size_t i = 0; i < d->count; i++)
		FUZZ_REQUIRE(d->all[i].service && d->all[i].name.len <= DNS_NAME_MAX);
}

/* Two octets say how long the first one is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct dns_sd d;
	struct dns_question q[4];
	size_t first, rounds = 0;

	if (len < 2)
		return 0;
	first = (size_t)(data[0] << 8 | data[1]);
	data += 2;
	len -= 2;
	if (first > len)
		first = len;
	dns_sd_init(&d, "local", false);
	take(&d, bytes_of(data, first));
	take(&d, bytes_of(data + first, len - first));
	while (dns_sd_missing(&d, q, 4) > 0)
		FUZZ_REQUIRE(++rounds <= DNS_SD_INSTANCES_MAX * DNS_SD_ASKS_MAX);
	return 0;
}
