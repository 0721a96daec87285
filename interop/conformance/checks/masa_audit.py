# SPDX-License-Identifier: Apache-2.0
"""The audit log (RFC 8995 §5.8): who may see it, what it says."""
import base64
import hashlib

from brski_peer import forge

from ..core import MUST, SHOULD, check

RFC8995 = ("rfc8995",)


def log_after(t, registrar, requests):
    """The log after these requests have their vouchers."""
    for rvr in requests:
        registrar.voucher(rvr)
    reply = registrar.audit(requests[-1])
    t.status(reply, 200)
    return t.json(reply)


@check("R8995-MASA-029", "R8995-MASA-036", level=MUST, role="masa", profiles=RFC8995,
       mutant="shows the log to former owners only")
def log_is_not_for_strangers(t):
    """A registrar that never had a voucher for the device does not get its log: 404 (or 403)."""
    device = t.device()
    with t.registrar() as r:
        r.voucher(r.rvr(device))
    with t.registrar(t.lab.other_domain.registrar) as r:
        t.refused(r.audit(r.rvr(device)), 404, 403, 401)


@check("R8995-MASA-029", level=MUST, role="masa", profiles=RFC8995, mutant="has no log of unknown devices")
def log_of_an_unknown_device_is_404(t):
    """There is no log of a device that the MASA does not have."""
    if not t.can("import"):
        t.skip("this MASA knows every device of the manufacturer")
    device = t.new_device()
    with t.registrar() as r:
        t.status(r.audit(r.rvr(device)), 404)


@check("R8995-MASA-029", level=MUST, role="masa", profiles=RFC8995, mutant="remembers former owners")
def former_owner_still_sees_the_log(t):
    """Who had a voucher once sees what came later, too."""
    device = t.device()
    with t.registrar() as r:
        rvr = r.rvr(device)
        r.voucher(rvr)
    with t.registrar(t.lab.other_domain.registrar) as r:
        r.voucher(r.rvr(device))
    with t.registrar() as r:
        reply = r.audit(rvr)
        t.status(reply, 200)
        t.equal(len(t.json(reply)["events"]), 2, "the number of events")


@check("R8995-MASA-031", level=SHOULD, role="masa", profiles=RFC8995, mutant="writes the log as specified")
def log_has_the_members_of_the_standard(t):
    """application/json: version is a number; each event has date, domainID, nonce and assertion, and
    they are what the CDDL says."""
    device = t.device()
    with t.registrar() as r:
        rvr = r.rvr(device)
        r.voucher(rvr)
        reply = r.audit(rvr)
    t.equal(reply.media_type, "application/json", "the media type")
    log = t.json(reply)
    t.need(type(log.get("version")) is int, f"version is {log.get('version')!r}")
    t.need(isinstance(log.get("events"), list) and log["events"], "there are no events")
    for event in log["events"]:
        forge.parse_time(event["date"])
        t.need(base64.b64decode(event["domainID"], validate=True), "domainID is empty")
        t.need(isinstance(event["nonce"], str), f"nonce is {event['nonce']!r}")
        t.need(event["assertion"] in ("verified", "logged", "proximity"),
               f"assertion is {event['assertion']!r}")


@check("R8995-MASA-032", "R8995-MASA-028", level=MUST, role="masa", profiles=RFC8995,
       mutant="logs vouchers without a nonce")
def voucher_without_a_nonce_is_in_the_log(t):
    """A nonceless voucher is in the log with the nonce null."""
    t.variant("known-owner")
    device = t.device(owner=t.lab.domain)
    with t.registrar() as r:
        events = log_after(t, r, [r.nonceless(device)])["events"]
        t.equal([e.get("nonce") for e in events], [None], "the nonces of the log")


@check("R8995-MASA-034", level=MUST, role="masa", profiles=RFC8995, mutant="takes the key identifier as domainID")
def domain_id_is_the_key_identifier_of_the_pin(t):
    """domainID is the subject key identifier of the certificate that the voucher pinned."""
    device = t.device()
    with t.registrar() as r:
        rvr = r.rvr(device)
        pin = base64.b64decode(r.voucher(rvr).fields["pinned-domain-cert"])
        t.equal(t.json(r.audit(rvr))["events"][-1].get("domainID"), forge.b64(forge.ski(forge.parse(pin))),
                "domainID")


@check("R8995-MASA-034", "R8995-MASA-035", level=MUST, role="masa", profiles=RFC8995,
       mutant="takes the SHA-256 of the key without a key identifier")
def domain_id_without_a_key_identifier_is_the_hash_of_the_key(t):
    """When the pinned certificate has no key identifier, domainID is the SHA-256 of its public key."""
    device = t.device()
    root = forge.certs.make_ca("Bare Root", with_ski=False)
    bare = t.lab.domain.saved(forge.certs.make_registrar(root, with_ski=False))
    with t.registrar(bare) as r:
        rvr = r.rvr(device)
        pin = forge.parse(base64.b64decode(r.voucher(rvr).fields["pinned-domain-cert"]))
        t.equal(t.json(r.audit(rvr))["events"][-1].get("domainID"),
                forge.b64(hashlib.sha256(forge.spki(pin)).digest()), "domainID")


@check("R8995-MASA-043", level=SHOULD, role="masa", profiles=RFC8995,
       mutant="logs each voucher")
def log_hides_no_voucher(t):
    """After three vouchers the events and what they say was left out make three."""
    device = t.device()
    with t.registrar() as r:
        log = log_after(t, r, [r.rvr(device) for _ in range(3)])
        omitted = sum(e.get("truncated", 0) for e in log["events"])
        t.equal(len(log["events"]) + omitted, 3, "the number of events with those left out")


@check("R8995-MASA-006", "R8995-MASA-029", level=MUST, role="masa", profiles=RFC8995,
       mutant="verifies who asks for the log")
def log_for_a_broken_signature_is_403(t):
    """A request for the log is verified like one for a voucher."""
    device = t.device()
    with t.registrar() as r:
        rvr = r.rvr(device)
        r.voucher(rvr)
        t.refused(r.audit(forge.flip_signature(rvr)), 403)
