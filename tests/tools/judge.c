/* SPDX-License-Identifier: Apache-2.0 */
/* Reads one artifact with our libraries and says whether it is one, for tests in other languages:
 *
 *   judge ARTIFACT < octets
 *
 * ARTIFACT is telemetry-json, telemetry-cbor, audit-log, csr, csrattrs, certs-only, multipart-core,
 * jpy, idevid (its serial number and its MASA's URI are printed), or the content of a voucher in
 * JSON (its nonce in octets as well). Exit 0: good; 1: refused, with the reason on stderr. Not
 * installed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/file.h"
#include "common/message/audit_log.h"
#include "common/message/status_report.h"
#include "common/message/voucher.h"
#include "common/pki/csr.h"
#include "common/pki/idevid.h"
#include "common/pki/pkcs7_certs.h"
#include "common/wire/jpy.h"
#include "common/wire/multipart_core.h"

#define INPUT_MAX 65536
#define PARTS_MAX 4

static bool read_telemetry_json(struct bytes in, struct buf *out, struct err *e)
{
	STATUS_REPORT_AUTO struct status_report r = {.version = 0};

	return status_report_parse(in, &r, e) && status_report_format(&r, out, e);
}

static bool read_telemetry_cbor(struct bytes in, struct buf *out, struct err *e)
{
	STATUS_REPORT_AUTO struct status_report r = {.version = 0};

	return status_report_parse_cbor(in, &r, e) && status_report_format(&r, out, e);
}

static bool read_audit_log(struct bytes in, struct buf *out, struct err *e)
{
	AUDIT_LOG_AUTO struct audit_log l = {.version = 0};

	return audit_log_parse(in, &l, e) && audit_log_format(&l, out, e);
}

static bool read_csr(struct bytes in, struct buf *out, struct err *e)
{
	CSR_AUTO struct csr *c = csr_parse(in, e);
	const char *serial = c ? csr_serial_number(c) : NULL;

	return c && csr_verify(c, e) && buf_append_str(out, serial ? serial : "", e);
}

static bool read_csrattrs(struct bytes in, struct buf *out, struct err *e)
{
	CSRATTRS_AUTO struct csrattrs a = {.key_bits = 0};
	enum key_type type = KEY_EC_P256;

	return csrattrs_parse(in, &a, e) && csrattrs_key_type(&a, &type, e) &&
	       buf_append_str(out, a.wants_challenge_password ? "challengePassword" : "", e);
}

static bool read_certs_only(struct bytes in, struct buf *out, struct err *e)
{
	CERT_LIST_AUTO struct cert_list certs = CERT_LIST_INIT;

	return pkcs7_certs_parse(in, &certs, e) && pkcs7_certs_format(&certs, out, e);
}

static bool read_multipart_core(struct bytes in, struct buf *out, struct err *e)
{
	struct multipart_part parts[PARTS_MAX];
	size_t count;

	return multipart_core_read(in, parts, PARTS_MAX, &count, e) &&
	       multipart_core_put(out, parts, count, e);
}

static bool read_jpy(struct bytes in, struct buf *out, struct err *e)
{
	struct jpy m;

	return jpy_parse(in, &m, e) && jpy_format(&m, out, e);
}

static bool read_idevid(struct bytes in, struct buf *out, struct err *e)
{
	CERT_AUTO struct cert *c = cert_parse(in, e);
	char *serial = c ? idevid_serial_number(c, IDEVID_SERIAL_SUBJECT, e) : NULL;
	struct uri masa;
	bool ok = serial && buf_append_str(out, serial, e) && buf_append_str(out, "\n", e) &&
		  idevid_masa_uri(c, &masa, e) && uri_format(&masa, out, e);

	free(serial);
	return ok;
}

static bool read_voucher_json(struct bytes in, struct buf *out, struct err *e)
{
	VOUCHER_AUTO struct voucher v;

	voucher_init(&v, VOUCHER);
	return voucher_parse_json(in, &v, e) && (!v.nonce || voucher_nonce_octets(v.nonce, out, e));
}

static const struct artifact {
	const char *name;
	bool (*read)(struct bytes in, struct buf *out, struct err *e);
} artifacts[] = {
	{"telemetry-json", read_telemetry_json},
	{"telemetry-cbor", read_telemetry_cbor},
	{"audit-log", read_audit_log},
	{"csr", read_csr},
	{"csrattrs", read_csrattrs},
	{"certs-only", read_certs_only},
	{"multipart-core", read_multipart_core},
	{"jpy", read_jpy},
	{"idevid", read_idevid},
	{"voucher-json", read_voucher_json},
};

int main(int argc, char **argv)
{
	BUF_AUTO struct buf in = BUF_INIT(INPUT_MAX);
	BUF_AUTO struct buf out = BUF_INIT(2 * INPUT_MAX);
	struct err e = ERR_INIT;

	for (size_t i = 0; argc == 2 && i < sizeof(artifacts) / sizeof(artifacts[0]); i++) {
		if (strcmp(argv[1], artifacts[i].name) != 0)
			continue;
		if (!file_read("/dev/stdin", &in, &e) ||
			!artifacts[i].read(buf_bytes(&in), &out, &e)) {
			fprintf(stderr, "judge %s: %s: %s\n", argv[1], err_kind_name(e.kind),
				e.text);
			return 1;
		}
		return out.len == 0 || fwrite(out.data, out.len, 1, stdout) == 1 ? 0 : 1;
	}
	fprintf(stderr, "usage: judge ARTIFACT, see tests/tools/judge.c\n");
	return 2;
}
