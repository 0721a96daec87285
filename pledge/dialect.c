/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/dialect.h"

#define PKCS7 "application/pkcs7-mime"
/* With its parameter, where a number stands for it (RFC 9148 §9.1). */
#define PKCS7_CERTS "application/pkcs7-mime; smime-type=certs-only"

static const char *const pkcs7[] = {PKCS7, NULL};
/* Every server of EST-coaps has certs-only (C-07), those for BRSKI the smaller ones, too. */
static const char *const several[] = {"application/multipart-core", PKCS7_CERTS, NULL};
static const char *const one[] = {"application/pkix-cert", PKCS7_CERTS, NULL};

static const struct dialect over_https = {
	.voucher = "application/voucher-cms+json",
	.telemetry = &status_report_json,
	.cacerts = pkcs7,
	.certificate = pkcs7,
	.base64 = true,
	.cacerts_first = true,
};

static const struct dialect constrained = {
	.voucher = "application/voucher+cose",
	.telemetry = &status_report_cbor,
	.cacerts = several,
	.certificate = one,
	.reports_renewal = true,
};

const struct dialect *dialect_of(const struct session *s)
{
	return session_is_constrained(s) ? &constrained : &over_https;
}
