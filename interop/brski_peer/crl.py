# SPDX-License-Identifier: Apache-2.0
"""Revocation lists (RFC 5280 §5) and a web server that serves them, or worse, on loopback."""
import datetime
import http.server
import threading

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from . import certs

DAY = datetime.timedelta(days=1)


def make_crl(issuer, revoked=(), signer=None, age=DAY, lifetime=2 * DAY, extensions=()):
    """DER; signer: another identity signs in the issuer's name. age: since thisUpdate."""
    at = datetime.datetime.utcnow().replace(microsecond=0) - age
    builder = (x509.CertificateRevocationListBuilder().issuer_name(issuer.cert.subject)
               .last_update(at).next_update(at + lifetime))
    for serial in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at).build())
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    key = (signer or issuer).key
    return builder.sign(key, certs.signing_hash(key)).public_bytes(serialization.Encoding.DER)


def points(*uris):
    """The extension cRLDistributionPoints with one point of these addresses."""
    names = [x509.UniformResourceIdentifier(uri) for uri in uris]
    return x509.CRLDistributionPoints([x509.DistributionPoint(names, None, None, None)]), False


def issuing_point(uri=None, **flags):
    """The extension issuingDistributionPoint."""
    wanted = {"only_contains_user_certs": False, "only_contains_ca_certs": False,
              "only_some_reasons": None, "indirect_crl": False,
              "only_contains_attribute_certs": False, **flags}
    names = [x509.UniformResourceIdentifier(uri)] if uri else None
    return x509.IssuingDistributionPoint(full_name=names, relative_name=None, **wanted), True


class CrlServer:
    """files: path → DER octets, or a function of the handler that answers itself. Others are 404."""

    def __init__(self, bind="127.0.0.1", host="127.0.0.1"):
        self.files, self.requests, self.host = {}, [], host
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests.append(self.path)
                answer = outer.files.get(self.path)
                if callable(answer):
                    answer(self)
                elif answer is None:
                    self.send_error(404)
                else:
                    self.send_response(200)
                    self.send_header("Content-Type", "application/pkix-crl")
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((bind, 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def uri(self, path):
        return f"http://{self.host}:{self.server.server_port}{path}"
