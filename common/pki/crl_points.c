/* SPDX-License-Identifier: Apache-2.0 */
/* Distribution points: see crl_points.h. */
#include "common/pki/crl_points.h"

#include <string.h>

#include "common/pki/ossl.h"

static void take_uri(const ASN1_IA5STRING *s, struct crl_points *out)
{
	const char *text = (const char *)ASN1_STRING_get0_data(s);
	size_t len = (size_t)ASN1_STRING_length(s);
	struct err ignored = ERR_INIT;
	struct uri parsed;
	char *slot;

	if (out->count == CRL_POINTS_MAX || len > CRL_URI_MAX || memchr(text, '\0', len))
		return;
	slot = out->uri[out->count];
	memcpy(slot, text, len);
	slot[len] = '\0';
	if (uri_parse_web(slot, &parsed, &ignored))
		out->count++;
}

static void take_point(const DIST_POINT *p, struct crl_points *out)
{
	if (!p->distpoint || p->distpoint->type != 0 || p->reasons || p->CRLissuer)
		return;
	for (int i = 0; i < sk_GENERAL_NAME_num(p->distpoint->name.fullname); i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(p->distpoint->name.fullname, i);

		if (n->type == GEN_URI)
			take_uri(n->d.uniformResourceIdentifier, out);
	}
}

void crl_points_of(const struct cert *c, struct crl_points *out)
{
	OSSL_AUTO(CRL_DIST_POINTS) CRL_DIST_POINTS *points = NULL;

	out->count = 0;
	out->named = cert_extension(c, "2.5.29.31", NULL).data != NULL;
	if (!out->named)
		return; /* as in all that are plain: the others were parsed by OpenSSL */
	points = X509_get_ext_d2i(cert_x509(c), NID_crl_distribution_points, NULL, NULL);
	for (int i = 0; i < sk_DIST_POINT_num(points); i++)
		take_point(sk_DIST_POINT_value(points, i), out);
	ossl_forget();
}
