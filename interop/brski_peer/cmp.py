# SPDX-License-Identifier: Apache-2.0
"""CMP messages as lightweight clients and servers exchange them (RFC 4210, RFC 4211, RFC 9483), right and
wrong: what BRSKI-AE enrols with.

    octets = request(idevid, key, subject)                  # ir, protected by the IDevID's key
    octets = request(idevid, key, subject, kind="p10cr")
    box = parse(octets); box.kind, box.signer(); box.verify()  # raises InvalidSignature
    octets = reply(box, registrar, "ip", grant(box, certificate))

Built and read with asn1crypto, signed and verified with cryptography.
"""
import datetime
import hashlib
import os

from asn1crypto import algos, core, csr, keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from . import certs, cms, forge

MEDIA_TYPE = "application/pkixcmp"
BASE = "/.well-known/cmp/"
ACCEPTED, REJECTION = 0, 2
NOT_AUTHORIZED, BAD_MESSAGE_CHECK, BAD_REQUEST, BAD_DATA_FORMAT, BAD_POP = 23, 1, 2, 5, 9
CA_CERTS, TEMPLATE = (f"1.3.6.1.5.5.7.4.{n}" for n in (17, 19))  # what a genm asks
USUAL = object()
OPEN = ("genm", "genp", "nested")  # bodies whose form nobody knows in full


# -- the structures

class Whatever(core.Sequence):
    """Nothing here looks into it."""
    _fields = []


class FreeText(core.SequenceOf):
    _child_spec = core.UTF8String


class InfoTypeAndValue(core.Sequence):
    _fields = [("type", core.ObjectIdentifier), ("value", core.Any, {"optional": True})]


class InfoTypesAndValues(core.SequenceOf):
    _child_spec = InfoTypeAndValue


class Certificates(core.SequenceOf):
    _child_spec = asn1_x509.Certificate


class PkiHeader(core.Sequence):
    _fields = [("pvno", core.Integer), ("sender", asn1_x509.GeneralName),
               ("recipient", asn1_x509.GeneralName),
               ("message_time", core.GeneralizedTime, {"explicit": 0, "optional": True}),
               ("protection_alg", algos.SignedDigestAlgorithm, {"explicit": 1, "optional": True}),
               ("sender_kid", core.OctetString, {"explicit": 2, "optional": True}),
               ("recip_kid", core.OctetString, {"explicit": 3, "optional": True}),
               ("transaction_id", core.OctetString, {"explicit": 4, "optional": True}),
               ("sender_nonce", core.OctetString, {"explicit": 5, "optional": True}),
               ("recip_nonce", core.OctetString, {"explicit": 6, "optional": True}),
               ("free_text", FreeText, {"explicit": 7, "optional": True}),
               ("general_info", InfoTypesAndValues, {"explicit": 8, "optional": True})]


class CertTemplate(core.Sequence):
    _fields = [("version", core.Integer, {"implicit": 0, "optional": True}),
               ("serial_number", core.Integer, {"implicit": 1, "optional": True}),
               ("signing_alg", algos.SignedDigestAlgorithm, {"implicit": 2, "optional": True}),
               ("issuer", asn1_x509.Name, {"explicit": 3, "optional": True}),
               ("validity", Whatever, {"explicit": 4, "optional": True}),
               ("subject", asn1_x509.Name, {"explicit": 5, "optional": True}),
               ("public_key", keys.PublicKeyInfo, {"implicit": 6, "optional": True}),
               ("issuer_uid", core.BitString, {"implicit": 7, "optional": True}),
               ("subject_uid", core.BitString, {"implicit": 8, "optional": True}),
               ("extensions", asn1_x509.Extensions, {"implicit": 9, "optional": True})]


class CertRequest(core.Sequence):
    _fields = [("cert_req_id", core.Integer), ("cert_template", CertTemplate),
               ("controls", Whatever, {"optional": True})]


class PopoSigningKey(core.Sequence):
    _fields = [("poposk_input", Whatever, {"implicit": 0, "optional": True}),
               ("algorithm_identifier", algos.SignedDigestAlgorithm), ("signature", core.OctetBitString)]


class ProofOfPossession(core.Choice):
    _alternatives = [("ra_verified", core.Null, {"implicit": 0}), ("signature", PopoSigningKey, {"implicit": 1})]


class CertReqMsg(core.Sequence):
    _fields = [("cert_req", CertRequest), ("popo", ProofOfPossession, {"optional": True}),
               ("reg_info", Whatever, {"optional": True})]


class CertReqMessages(core.SequenceOf):
    _child_spec = CertReqMsg


class PkiStatusInfo(core.Sequence):
    _fields = [("status", core.Integer), ("status_string", FreeText, {"optional": True}),
               ("fail_info", core.BitString, {"optional": True})]


class CertOrEncCert(core.Choice):
    _alternatives = [("certificate", asn1_x509.Certificate, {"explicit": 0}),
                     ("encrypted", Whatever, {"explicit": 1})]


class CertifiedKeyPair(core.Sequence):
    _fields = [("cert", CertOrEncCert), ("private_key", Whatever, {"explicit": 0, "optional": True}),
               ("publication_info", Whatever, {"explicit": 1, "optional": True})]


class CertResponse(core.Sequence):
    _fields = [("cert_req_id", core.Integer), ("status", PkiStatusInfo),
               ("certified_key_pair", CertifiedKeyPair, {"optional": True}),
               ("rsp_info", core.OctetString, {"optional": True})]


class CertResponses(core.SequenceOf):
    _child_spec = CertResponse


class CertRepMessage(core.Sequence):
    _fields = [("ca_pubs", Certificates, {"explicit": 1, "optional": True}), ("response", CertResponses)]


class CertStatus(core.Sequence):
    _fields = [("cert_hash", core.OctetString), ("cert_req_id", core.Integer),
               ("status_info", PkiStatusInfo, {"optional": True}),
               ("hash_alg", algos.DigestAlgorithm, {"explicit": 0, "optional": True})]


class CertConfirm(core.SequenceOf):
    _child_spec = CertStatus


class ErrorMsg(core.Sequence):
    _fields = [("status", PkiStatusInfo), ("error_code", core.Integer, {"optional": True}),
               ("error_details", FreeText, {"optional": True})]


class PkiBody(core.Choice):
    _alternatives = [("ir", CertReqMessages, {"explicit": 0}), ("ip", CertRepMessage, {"explicit": 1}),
                     ("cr", CertReqMessages, {"explicit": 2}), ("cp", CertRepMessage, {"explicit": 3}),
                     ("p10cr", csr.CertificationRequest, {"explicit": 4}),
                     ("kur", CertReqMessages, {"explicit": 7}), ("kup", CertRepMessage, {"explicit": 8}),
                     ("pkiconf", core.Null, {"explicit": 19}), ("nested", Whatever, {"explicit": 20}),
                     ("genm", InfoTypesAndValues, {"explicit": 21}),
                     ("genp", InfoTypesAndValues, {"explicit": 22}), ("error", ErrorMsg, {"explicit": 23}),
                     ("cert_conf", CertConfirm, {"explicit": 24})]


class ProtectedPart(core.Sequence):
    _fields = [("header", PkiHeader), ("body", PkiBody)]


class PkiMessage(core.Sequence):
    _fields = [("header", PkiHeader), ("body", PkiBody),
               ("protection", core.OctetBitString, {"explicit": 0, "optional": True}),
               ("extra_certs", Certificates, {"explicit": 1, "optional": True})]


# -- writing

def asn1_cert(cert):
    return asn1_x509.Certificate.load(certs.cert_der(cert))


def directory_name(name):
    """A GeneralName of an x509.Name."""
    return asn1_x509.GeneralName("directory_name", asn1_x509.Name.load(name.public_bytes()))


def signature_algorithm(key):
    return {"algorithm": cms.usual_digest(key) + "_ecdsa"} if hasattr(key, "curve") else (
        cms.signature_algorithm(key, cms.usual_digest(key), "with-hash"))


def message(kind, content, signer, about=None, recipient=None, transaction=None,
            protected=True, chain=USUAL, protector=None):
    """Octets of a message.

    kind, content  name and value of the body: "ir", CertReqMessages(…)
    signer         Identity whose key protects it; protector: another key than its own
    about          the message (Parsed) it answers; transaction: a further one of its transaction
    chain          x509 certificates to bring along; USUAL: the signer's and its issuers below the root
    """
    key = protector or signer.key
    before = about or transaction
    fields = {"pvno": 2, "sender": directory_name(signer.cert.subject),
              "recipient": directory_name(recipient or (x509.Name([]))),
              "message_time": datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0),
              "transaction_id": before.transaction_id if before else os.urandom(16),
              "sender_nonce": os.urandom(16)}
    if before:
        fields["recip_nonce"] = before.sender_nonce
    if protected:
        fields["protection_alg"] = signature_algorithm(key)
        if forge.ski(signer.cert):
            fields["sender_kid"] = forge.ski(signer.cert)
    header, body = PkiHeader(fields), PkiBody(kind, content)
    made = {"header": header, "body": body}
    if protected:
        part = ProtectedPart({"header": header, "body": body}).dump()
        made["protection"] = cms.raw_sign(key, part, cms.usual_digest(key))
    brought = signer.chain() if chain is USUAL else chain
    if brought:
        made["extra_certs"] = [asn1_cert(c) for c in brought]
    return PkiMessage(made).dump()


def request(signer, key, subject, kind="ir", pop_key=None, **how):
    """A certification request for a key. kind: ir or p10cr; pop_key: who proves to have the key instead."""
    if kind == "p10cr":
        content = csr.CertificationRequest.load(certs.make_csr(key, subject))
    else:
        asked = CertRequest({"cert_req_id": 0, "cert_template": {
            "subject": asn1_x509.Name.load(subject.public_bytes()),
            "public_key": keys.PublicKeyInfo.load(spki(key))}})
        prover = pop_key or key
        proof = PopoSigningKey({"algorithm_identifier": signature_algorithm(prover),
                                "signature": cms.raw_sign(prover, asked.dump(), cms.usual_digest(prover))})
        content = CertReqMessages([{"cert_req": asked, "popo": ProofOfPossession("signature", proof)}])
    return message(kind, content, signer, **how)


def spki(key):
    return key.public_key().public_bytes(forge.serialization.Encoding.DER,
                                         forge.serialization.PublicFormat.SubjectPublicKeyInfo)


def question(signer, info_type, **how):
    """A genm: what the CA certificates are, what a request has to contain."""
    return message("genm", [{"type": info_type}], signer, **how)


def confirmation(signer, answer, cert, **how):
    """A certConf for the certificate in an answer (Parsed)."""
    digest = hashlib.new(cert.signature_hash_algorithm.name, certs.cert_der(cert)).digest()
    return message("cert_conf", [{"cert_hash": digest, "cert_req_id": answer.request_id}], signer,
                   transaction=answer, **how)


def status_info(status, failure=None, said=None):
    fields = {"status": status}
    if said:
        fields["status_string"] = [said]
    if failure is not None:
        fields["fail_info"] = tuple(int(i == failure) for i in range(failure + 1))
    return fields


def grant(asked, cert, ca_pubs=()):
    """The content of an ip or a cp with this certificate."""
    fields = {"response": [{"cert_req_id": asked.request_id, "status": status_info(ACCEPTED),
                            "certified_key_pair": {"cert": CertOrEncCert("certificate", asn1_cert(cert))}}]}
    if ca_pubs:
        fields["ca_pubs"] = [asn1_cert(c) for c in ca_pubs]
    return CertRepMessage(fields)


def refusal(failure, said="No."):
    """The content of an error message."""
    return ErrorMsg({"status": status_info(REJECTION, failure, said)})


def reply(asked, signer, kind, content, **how):
    """Octets that answer a message (Parsed)."""
    return message(kind, content, signer, about=asked, **how)


# -- reading

class Parsed:
    """A message as it came: kind of its body, transaction_id, sender_nonce, certs it brought."""

    def __init__(self, octets):
        self.octets = octets
        self.message = PkiMessage.load(octets, strict=True)
        self.header, self.body = self.message["header"], self.message["body"]
        self.kind = self.body.name
        for part in (self.header, *([] if self.kind in OPEN else [self.body])):
            part.native  # everything is readable, or a ValueError
        self.transaction_id = self.header["transaction_id"].native
        self.sender_nonce, self.recip_nonce = (self.header[n].native for n in ("sender_nonce", "recip_nonce"))
        self.certs = [x509.load_der_x509_certificate(c.dump()) for c in self.message["extra_certs"] or ()]

    @property
    def is_protected(self):
        return self.message["protection"].native is not None

    def signer(self, hints=()):
        """The certificate of whoever it names as its sender, or None."""
        sender = self.header["sender"].chosen.untag().dump()
        kid = self.header["sender_kid"].native
        for cert in [*self.certs, *hints]:
            if cert.subject.public_bytes() == sender and kid in (None, forge.ski(cert)):
                return cert
        return None

    def verify(self, hints=()):
        """The certificate whose key protects it."""
        cert = self.signer(hints)
        if cert is None or not self.is_protected:
            raise InvalidSignature("nobody protects it")
        part = ProtectedPart({"header": self.header, "body": self.body}).dump()
        digest = self.header["protection_alg"].hash_algo if hasattr(cert.public_key(), "curve") else (
            cms.usual_digest(cert.public_key()))
        cms.raw_verify(cert.public_key(), self.message["protection"].native, part, digest)
        return cert

    @property
    def request_id(self):
        """certReqId: 0 for CRMF, −1 for PKCS #10."""
        content = self.body.chosen
        if self.kind in ("ir", "cr", "kur"):
            return content[0]["cert_req"]["cert_req_id"].native
        if self.kind in ("ip", "cp", "kup"):
            return content["response"][0]["cert_req_id"].native
        return -1

    def subject_and_key(self):
        """(x509.Name, public key) of a request whose proof of possession holds."""
        content = self.body.chosen
        if self.kind == "p10cr":
            asked = x509.load_der_x509_csr(content.untag().dump())
            if not asked.is_signature_valid:
                raise InvalidSignature("the request inside")
            return asked.subject, asked.public_key()
        asked, proof = content[0]["cert_req"], content[0]["popo"].chosen
        template = asked["cert_template"]
        public = forge.serialization.load_der_public_key(template["public_key"].untag().dump())
        cms.raw_verify(public, proof["signature"].native, asked.dump(),
                       proof["algorithm_identifier"].hash_algo if hasattr(public, "curve") else (
                           cms.usual_digest(public)))
        return name_of(template["subject"]), public

    @property
    def certificate(self):
        """Of an ip or a cp; None where there is none."""
        if self.kind not in ("ip", "cp", "kup"):
            return None
        pair = self.body.chosen["response"][0]["certified_key_pair"]
        if pair.native is None:
            return None
        return x509.load_der_x509_certificate(pair["cert"].chosen.untag().dump())

    @property
    def ca_pubs(self):
        found = self.body.chosen["ca_pubs"] if self.kind in ("ip", "cp", "kup") else ()
        return [x509.load_der_x509_certificate(c.dump()) for c in found or ()]

    @property
    def failure(self):
        """(status, number of the first bit of failInfo) of a refusal; None of anything else."""
        if self.kind == "error":
            info = self.body.chosen["status"]
        elif self.kind in ("ip", "cp", "kup"):
            info = self.body.chosen["response"][0]["status"]
        else:
            return None
        if info["status"].native != REJECTION:
            return None
        bits = info["fail_info"].native or ()
        return REJECTION, next((i for i, bit in enumerate(bits) if bit), None)

    def certificates_of(self, info_type):
        """Those of a genp about CA certificates."""
        for item in self.body.chosen:
            if item["type"].native == info_type and item["value"].contents:
                return [x509.load_der_x509_certificate(c.dump()) for c in item["value"].parse(Certificates)]
        return []


def name_of(value):
    """An x509.Name of asn1crypto's."""
    return x509.Name([x509.RelativeDistinguishedName(
        [x509.NameAttribute(x509.ObjectIdentifier(part["type"].dotted), part["value"].native) for part in rdn])
        for rdn in value.chosen])


def parse(octets):
    """Read a message; ValueError when it is none."""
    try:
        return Parsed(octets)
    except (TypeError, KeyError) as e:
        raise ValueError(str(e)) from e
