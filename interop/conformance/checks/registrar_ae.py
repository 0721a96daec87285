# SPDX-License-Identifier: Apache-2.0
"""A registrar that enrols devices with CMP (BRSKI-AE §4.1 to §4.3, §5.1, §7; RFC 9483)."""
from brski_peer import certs, cmp, forge

from ..core import MUST, check
from ..trial_masa import leads_to

AE = ("ae",)


def send(p, operation, octets):
    return p.connection.post(cmp.BASE + operation, octets, cmp.MEDIA_TYPE, p.headers())


def message(t, reply, what):
    """The message of CMP in an answer."""
    if reply.status == 404:
        t.skip(f"the registrar does not do {what} over CMP: 404")
    try:
        return cmp.parse(reply.body)
    except ValueError as e:
        return t.need(False, f"the answer to {what} is no message of CMP: {e}")


def enrolled(t, p, operation="initialization", kind="ir"):
    """(the answer, the certificate in it) to an honest request of a device that may enrol."""
    key = certs.new_key()
    answer = message(t, send(p, operation, cmp.request(p.identity, key, p.identity.cert.subject, kind)), operation)
    cert = answer.certificate
    t.need(cert is not None, f"{operation} brings no certificate but {answer.kind} {answer.failure}")
    t.need(forge.spki(cert) == cmp.spki(key), "the certificate is for another key")
    return answer, cert


@check("AE-REG-001", level=MUST, role="registrar", profiles=AE, mutant="speaks CMP at its well-known paths")
def device_is_certified_over_cmp(t):
    """After the voucher an ir at /.well-known/cmp/initialization brings a certificate."""
    with t.admitted() as p:
        reply = send(p, "initialization", cmp.request(p.identity, certs.new_key(), p.identity.cert.subject))
    t.need(reply.status != 404, "there is no /.well-known/cmp/initialization")
    t.need(message(t, reply, "initialization").certificate is not None, "the answer has no certificate")


@check("AE-REG-001", level=MUST, role="registrar", profiles=AE, mutant="has nothing at other paths")
def unknown_operation_is_404(t):
    """A protocol or an operation that the registrar does not have: 404."""
    with t.admitted() as p:
        octets = cmp.request(p.identity, certs.new_key(), p.identity.cert.subject)
        t.status(send(p, "no-such-operation", octets), 404, why="nobody has this operation")


@check("AE-REG-002", level=MUST, role="registrar", profiles=AE, mutant="takes PKCS #10 over CMP")
def certification_request_of_pkcs10_is_taken(t):
    """/.well-known/cmp/pkcs10 takes a p10cr and answers with a cp."""
    with t.admitted() as p:
        answer, _ = enrolled(t, p, "pkcs10", "p10cr")
    t.equal(answer.kind, "cp", "the answer to a p10cr")


@check("AE-REG-002", level=MUST, role="registrar", profiles=AE, mutant="answers CMP under its media type")
def answer_over_cmp_has_its_media_type(t):
    """What the registrar answers over CMP is application/pkixcmp."""
    with t.admitted() as p:
        reply = send(p, "initialization", cmp.request(p.identity, certs.new_key(), p.identity.cert.subject))
    message(t, reply, "initialization")
    t.equal(reply.media_type, cmp.MEDIA_TYPE, "the media type of the answer")


@check("AE-REG-002", level=MUST, role="registrar", profiles=AE, mutant="says no in CMP")
def refusal_is_a_message_of_cmp(t):
    """A request with a false protection is refused by a message of CMP that says so."""
    with t.admitted() as p:
        honest = cmp.request(p.identity, certs.new_key(), p.identity.cert.subject)
        reply = send(p, "initialization", cmp.request(p.identity, certs.new_key(), p.identity.cert.subject,
                                                      protector=certs.new_key()))
        if send(p, "initialization", honest).status == 404:
            t.skip("the registrar does not do initialization over CMP: 404")
    t.need(reply.status == 200 or 400 <= reply.status < 500, f"the refusal has the status {reply.status}")
    answer = message(t, reply, "initialization")
    t.need(answer.certificate is not None or answer.failure, f"the refusal is {answer.kind} without a rejection")


@check("AE-REG-002", level=MUST, role="registrar", profiles=AE, mutant="wants messages protected by the device")
def request_with_a_false_protection_is_refused(t):
    """The protection of a request has to be made with the key of the IDevID."""
    with t.admitted() as p:
        reply = send(p, "initialization", cmp.request(p.identity, certs.new_key(), p.identity.cert.subject,
                                                      protector=certs.new_key()))
    if reply.status == 200:
        t.need(message(t, reply, "initialization").certificate is None, "a certificate is issued")


@check("AE-REG-003", level=MUST, role="registrar", profiles=AE,
       mutant="protects its answers with the credential it has shown")
def answer_is_protected_by_who_is_trusted(t):
    """A device believes answers that lead to the certificate its voucher pins: the registrar's own, with the
    credential it has shown in TLS, or those of the authority of its domain."""
    with t.pledge(t.approved_device()) as p:
        voucher = t.voucher(p)
        p.voucher_status()
        answer, _ = enrolled(t, p)
        shown = forge.parse(p.registrar_der)
    signer = answer.verify([shown])
    pinned = forge.parse(forge.base64.b64decode(voucher.fields["pinned-domain-cert"]))
    t.need(signer == shown or leads_to(signer, answer.certs, [pinned]),
           f"{signer.subject.rfc4514_string()!r} protects the answer, which is neither the registrar nor of the "
           "domain that is pinned")


@check("AE-REG-004", level=MUST, role="registrar", profiles=AE, mutant="certifies over CMP after the voucher only")
def device_without_voucher_is_not_certified(t):
    """No device gets a certificate without the registrar's consent: before its voucher it is refused."""
    with t.pledge(t.approved_device()) as p:
        with t.hangs_up_or() as ended:
            reply = send(p, "initialization", cmp.request(p.identity, certs.new_key(), p.identity.cert.subject))
        if not ended and reply.status == 200:
            t.need(message(t, reply, "initialization").certificate is None,
                   "a device that has no voucher gets a certificate")


@check("AE-REG-005", level=MUST, role="registrar", profiles=AE, mutant="acknowledges confirmations")
def confirmation_is_acknowledged(t):
    """A certConf for the new certificate is answered with a pkiConf."""
    with t.admitted() as p:
        answer, cert = enrolled(t, p)
        reply = send(p, "initialization", cmp.confirmation(p.identity, answer, cert))
    t.equal(message(t, reply, "initialization").kind, "pkiconf", "the answer to a certConf")


@check("AE-REG-005", level=MUST, role="registrar", profiles=AE, mutant="serves every CA certificate over CMP")
def ca_certificates_over_cmp_are_complete(t):
    """Who asks for the CA certificates gets every one that a new certificate needs, up to the root."""
    with t.admitted() as p:
        _, cert = enrolled(t, p)
        answer = message(t, send(p, "getcacerts", cmp.question(p.identity, cmp.CA_CERTS)), "getcacerts")
    found = answer.certificates_of(cmp.CA_CERTS) if answer.kind == "genp" else []
    if not found:
        t.skip("the registrar has no CA certificates to say over CMP")
    roots = [c for c in found if c.subject == c.issuer]
    t.need(leads_to(cert, found, roots), "the new certificate does not lead to a root among them")
