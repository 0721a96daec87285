/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/service_names.h"

#include <ctype.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

const struct service_name service_dns_names[] = {
	{"_brski-registrar._tcp", SERVICE_REGISTRAR, URI_HTTPS, IPPROTO_TCP},
	{"_brski-proxy._tcp", SERVICE_PROXY, URI_HTTPS, IPPROTO_TCP},
	{"_brski-registrar._udp", SERVICE_REGISTRAR, URI_COAPS, IPPROTO_UDP},
	{"_brski-proxy._udp", SERVICE_PROXY, URI_COAPS, IPPROTO_UDP},
	{"_brski-jp._udp", SERVICE_PROXY, URI_COAPS, IPPROTO_UDP},
	{"_brski-rjp._udp", SERVICE_REGISTRAR, URI_JPY, IPPROTO_UDP},
};
const size_t service_dns_name_count = sizeof(service_dns_names) / sizeof(*service_dns_names);

const struct service_name service_grasp_names[] = {
	{"AN_join_registrar", SERVICE_REGISTRAR, URI_HTTPS, IPPROTO_TCP},
	{"AN_Proxy", SERVICE_PROXY, URI_HTTPS, IPPROTO_TCP},
	{"AN_join_registrar", SERVICE_REGISTRAR, URI_COAPS, IPPROTO_UDP},
	{"AN_Proxy", SERVICE_PROXY, URI_COAPS, IPPROTO_UDP},
	{"AN_join_registrar_rjp", SERVICE_REGISTRAR, URI_JPY, IPPROTO_UDP},
};
const size_t service_grasp_name_count = sizeof(service_grasp_names) / sizeof(*service_grasp_names);

const struct service_variation service_variations[] = {
	{"est-tls", "EST-TLS", "", URI_HTTPS, true},
	{"prm-jose", "prm-jose", "prm-jose", URI_HTTPS, false},
	{"cmp", "cmp", "cmp", URI_HTTPS, false},
	{"rrm-cose", "", "", URI_COAPS, true},
};
const size_t service_variation_count = sizeof(service_variations) / sizeof(*service_variations);

const struct service_name *service_grasp_find(const char *objective, uint8_t protocol)
{
	for (size_t i = 0; i < service_grasp_name_count; i++)
		if (service_grasp_names[i].protocol == protocol &&
			strcasecmp(service_grasp_names[i].name, objective) == 0)
			return &service_grasp_names[i];
	return NULL;
}

bool service_speaks(enum uri_scheme scheme, struct bytes variation)
{
	if (variation.len == 0)
		return true;
	for (size_t i = 0; i < service_variation_count; i++) {
		const struct service_variation *v = &service_variations[i];

		if (v->ours && v->scheme == scheme && strlen(v->dns) == variation.len &&
			strncasecmp(v->dns, (const char *)variation.data, variation.len) == 0)
			return true;
	}
	return false;
}

/* ---- Variations ----------------------------------------------------------------------------- */

bool variations_have(const struct variations *v, const char *one)
{
	for (size_t i = 0; i < v->count; i++)
		if (strcmp(v->list[i], one) == 0)
			return true;
	return false;
}

void variations_add(struct variations *v, struct bytes text)
{
	char one[VARIATION_MAX];

	if (text.len == 0 || text.len >= sizeof(one) || v->count == VARIATIONS_MAX)
		return;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] <= ' ' || text.data[i] > '~' || text.data[i] == '=')
			return;
		one[i] = (char)tolower(text.data[i]);
	}
	one[text.len] = '\0';
	if (!variations_have(v, one))
		memcpy(v->list[v->count++], one, sizeof(one));
}

void variations_usual_if_none(struct variations *v)
{
	if (v->count == 0)
		variations_add(v, bytes_of_str(VARIATION_USUAL));
}
