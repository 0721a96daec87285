# SPDX-License-Identifier: Apache-2.0
"""Messages of BRSKI with a pledge in responder mode (draft-ietf-anima-brski-prm), honest unless told
otherwise. Nothing here judges.

    data = agent_signed_data(agent, "SN-1")
    body = trigger(registrar.der, data)                  # agent → pledge: tpvr
    pvr = sign_pvr(pvr_fields(idevid, body), idevid)     # pledge → agent → registrar: requestvoucher
    rvr = sign_rvr(rvr_fields(pvr, agent), registrar)    # registrar → MASA
    voucher = jws.countersign(…, registrar, typ=None, x5c=[…])
    per = enroll_request(idevid, csr)                    # pledge → agent → registrar: requestenroll

Signed ones are JWS in the General JSON Serialization (brski_peer.jws); the leaves of a payload are a
dict, whatever its top member is called: leaves(parse(octets)).
"""
import base64
import binascii
import json

from . import certs, forge, jws, voucher

BASE = "/.well-known/brski/"
JSON_TYPE = "application/json"
VOUCHER_TYPE = jws.MEDIA_TYPE
JOSE_TYPE = "application/jose+json"
CERTS_TYPE = "application/pkcs7-mime; smime-type=certs-only"
PROXIMITY, SIGNED_DATA = "agent-provided-proximity-registrar-cert", "agent-signed-data"
ENROLL_TYPE = "enroll-generic-cert"
SERVICE = "_brski-pledge._tcp.local"
CREATED = "created-on"


def to_json(value):
    return json.dumps(value, separators=(",", ":")).encode()


def sign_json(value, signer, **how):
    """A JWS that is no voucher: without typ. how: of jws.signature()."""
    return jws.sign(to_json(value), signer, **{"typ": None, **how})


def leaves(box):
    """The members of a payload, without the one name around them that drafts differ in."""
    said = json.loads(box.payload)
    if isinstance(said, dict) and len(said) == 1:
        (inner,) = said.values()
        if isinstance(inner, dict):
            return inner
    return said


def opened(octets):
    """(jws.Jws, its leaves)"""
    box = jws.parse(octets)
    return box, leaves(box)


# -- agent → pledge

def agent_signed_data(agent, serial, kid=None, created=None, how=None, **more):
    """Octets of the JWS; how: of jws.signature()."""
    said = {CREATED: created or voucher.timestamp(), "serial-number": serial, **more}
    return sign_json(said, agent, x5c=None, kid=kid or jws.key_id(agent.cert), **(how or {}))


def trigger(registrar_der, data, **changes):
    """What is posted to tpvr."""
    return to_json(forge.changed({PROXIMITY: forge.b64(registrar_der), SIGNED_DATA: forge.b64(data)}, changes))


def enroll_trigger(kind=ENROLL_TYPE):
    return to_json({"enroll-type": kind})


def status_trigger(agent, serial, kind="bootstrap", how=None, **changes):
    """What is posted to qps. how: of jws.signature()."""
    said = {"version": 1, CREATED: voucher.timestamp(), "serial-number": serial, "status-type": kind}
    return sign_json(forge.changed(said, changes), agent, **{"x5c": agent.chain(), **(how or {})})


# -- pledge → registrar, by the agent

def pvr_fields(idevid, body):
    """For the trigger that came."""
    asked = json.loads(body)
    return {CREATED: voucher.timestamp(), "nonce": voucher.new_nonce(),
            "serial-number": voucher.serial_of(idevid.cert), "assertion": "agent-proximity",
            PROXIMITY: asked[PROXIMITY], SIGNED_DATA: asked[SIGNED_DATA]}


def sign_pvr(fields, idevid, **how):
    return jws.sign_request(fields, idevid, **how)


def enroll_request(idevid, csr, created=None, signer=None, members=None, payload=None, **how):
    """The PER around a PKCS #10 request. members: further ones of the header; how: of jws.signature()."""
    more = {"crit": [CREATED], CREATED: created or voucher.timestamp(), **(members or {})}
    said = payload if payload is not None else {"ietf-ztp-types": {"p10-csr": forge.b64(csr)}}
    return sign_json(said, signer or idevid, x5c=idevid.chain(), more=more, **how)


def csr_of(octets):
    """DER of the request in a PER."""
    return base64.b64decode(leaves(jws.parse(octets))["p10-csr"], validate=True)


def csr_for(idevid, key):
    return certs.make_csr(key, idevid.cert.subject)


def report(signer, details, status=True, reason="It went well.", how=None, **changes):
    """A vStatus, eStatus or pStatus. details: ("pvs-details", "…")."""
    said = {"version": 1, "status": status, "reason": reason, "reason-context": dict([details])}
    return sign_json(forge.changed(said, changes), signer, **(how or {}))


# -- registrar

def rvr_fields(pvr, agent, idevid=None):
    """Around a pledge's request; agent: who signed the data in it."""
    box, asked = opened(pvr)
    idevid = idevid or box.signatures[0].certs[0]
    return {CREATED: voucher.timestamp(), "nonce": asked["nonce"], "serial-number": asked["serial-number"],
            "idevid-issuer": forge.b64(forge.aki_tlv(idevid)), "prior-signed-voucher-request": forge.b64(pvr),
            "assertion": "agent-proximity",
            "agent-sign-cert": [forge.b64(forge.der(c)) for c in agent.chain(with_root=True)]}


def sign_rvr(fields, registrar, **how):
    return jws.sign_request(fields, registrar, **{"x5c": registrar.chain(with_root=True), **how})


def countersign(octets, registrar, pin=None, **how):
    """A voucher with the registrar's signature too; pin: the certificate its chain ends below."""
    chain = registrar.chain()
    below = chain[:chain.index(pin)] or chain[:1] if pin in chain else chain
    return jws.countersign(octets, registrar, **{"typ": None, "x5c": below, **how})


def ca_bag(registrar, cas, **how):
    """caCerts: what wrappedcacerts serves."""
    found = [forge.b64(forge.der(c)) for c in cas]
    return sign_json({"x5bag": found[0] if len(found) == 1 else found}, registrar,
                     **{"x5c": registrar.chain()[:1], **how})


def bag_of(box):
    """The certificates of a caCerts."""
    said = json.loads(box.payload)["x5bag"]
    return [forge.parse(base64.b64decode(c)) for c in ([said] if isinstance(said, str) else said)]


def est_der(body):
    """DER of a body that may be base64, as EST has it."""
    if body[:1] == b"\x30":
        return body
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error as e:
        raise ValueError(f"neither DER nor base64: {e}") from e
