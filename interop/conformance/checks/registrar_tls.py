# SPDX-License-Identifier: Apache-2.0
"""A registrar's TLS (RFC 8995 §5.1, RFC 7030 §3.3): versions, suites, names, and the certificate it shows."""
import base64
import socket
import ssl
import warnings

from brski_peer import forge, wire

from ..core import MUST, SHOULD, check

BOTH = ("rfc8995", "est")


def offering(version=None, ciphers=None):
    """A client that offers this version at most, these suites only."""
    context = wire.client_context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python warns of the old ones
        if version:
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = version
    if ciphers:
        context.set_ciphers(ciphers)
    return context


def suite_after(t, context):
    """(version, suite) of a handshake; None when there is none."""
    with t.hangs_up_or() as ended:
        with t.pledge(None, context=context) as p:
            return p.connection.tls.version(), p.connection.tls.cipher()[0]
    return t.need(ended, "neither a handshake nor an end")


@check("R8995-REG-001", "ET-01", level=MUST, role="registrar", profiles=BOTH, mutant="speaks TLS only")
def nothing_is_answered_in_clear(t):
    """The port speaks TLS over TCP; HTTP without it gets no certificates."""
    host, port = t.instance.address("https")
    with socket.create_connection((host, port), timeout=t.session.patience) as clear:
        clear.sendall(b"GET /.well-known/est/cacerts HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            said = clear.recv(4096)
        except OSError:
            said = b""
    t.record("received", "in clear", said.decode("latin-1"), said)
    t.need(b" 200 " not in said.split(b"\r\n")[0], "200 over plain HTTP")
    with t.pledge(t.approved_device()) as p:
        t.status(p.cacerts(), 200, 401, 403)


@check("R8995-REG-004", "ET-02", level=MUST, role="registrar", profiles=BOTH,
       mutant="speaks TLS 1.2 and later only")
def tls_before_1_2_is_refused(t):
    """TLS 1.2 and 1.3 work, nothing lower."""
    for version in ("1.2", "1.3"):
        with t.pledge(t.approved_device(), tls=version) as p:
            t.equal(p.connection.tls.version(), f"TLSv{version}", "the version")
    old = suite_after(t, offering(ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0"))
    t.need(old is None, f"the handshake succeeds: {old}")


@check("ET-04", "ENC-ALL-025", "EK-08", level=MUST, role="registrar", profiles=BOTH,
       mutant="refuses suites without protection")
def suites_without_protection_are_refused(t):
    """Suites without encryption or without authentication end in no handshake."""
    weak = suite_after(t, offering(ssl.TLSVersion.TLSv1_2, "aNULL:eNULL:@SECLEVEL=0"))
    t.need(weak is None, f"the handshake succeeds: {weak}")


@check("R8995-REG-005", "ET-12", level=MUST, role="registrar", profiles=BOTH, mutant="passes over the server's name")
def server_name_changes_nothing(t):
    """A pledge cannot know the registrar's name: whichever it sends, certificate and answers are the same."""
    with t.pledge(t.approved_device()) as p:
        usual = p.registrar_der
    for name in ("nonexistent.example", "a" * 60 + ".example"):
        with t.pledge(t.approved_device(), sni=name) as p:
            t.equal(p.registrar_der, usual, f"the certificate for the name {name}")
            t.status(p.request_voucher(), 200, why=f"the server name is {name}")


@check("R8995-REG-034", "ET-14", "ET-03", level=MUST, role="registrar", profiles=BOTH,
       mutant="shows a certificate with the usages of a server")
def certificate_of_the_listener_has_its_usages(t):
    """The certificate of the TLS server is for registration authorities and for servers."""
    with t.pledge(None) as nobody:
        shown = forge.parse(nobody.registrar_der)
    wanted = {"1.3.6.1.5.5.7.3.28": "id-kp-cmcRA", "1.3.6.1.5.5.7.3.1": "serverAuth"}
    missing = [name for oid, name in wanted.items() if oid not in forge.ekus(shown)]
    t.need(not missing, f"the certificate lacks {' and '.join(missing)}")


@check("ET-15", "R8995-REG-043", level=MUST, role="registrar", profiles=BOTH, mutant="works with a certificate of its own")
def self_signed_registrar_onboards(t):
    """The configuration "self-signed": the registrar's certificate is its own issuer, and has the usages all
    the same. It is what the MASA pins, and the device gets its certificate."""
    t.variant("self-signed")
    with t.pledge(t.approved_device()) as p:
        shown = forge.parse(p.registrar_der)
        t.equal(shown.issuer, shown.subject, "the issuer of the registrar's certificate")
        t.need("1.3.6.1.5.5.7.3.28" in forge.ekus(shown), "it lacks id-kp-cmcRA")
        pin = base64.b64decode(t.voucher(p).fields["pinned-domain-cert"])
        if t.rvr().signer != shown:
            t.skip("the registrar signs with another certificate than it shows: see R8995-REG-035")
        t.equal(pin, p.registrar_der, "what the MASA has pinned")
        t.status(p.voucher_status(), 200, 404)
        t.status(p.enroll()[0], 200)


@check("R8995-REG-045", level=SHOULD, role="registrar", profiles=("rfc8995",),
       mutant="shows a certificate with a key identifier")
def certificate_of_the_listener_has_a_key_identifier(t):
    """subjectKeyIdentifier is what a domainID is made of."""
    with t.pledge(None) as nobody:
        t.need(forge.ski(forge.parse(nobody.registrar_der)), "the certificate has no subjectKeyIdentifier")
