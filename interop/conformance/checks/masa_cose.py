# SPDX-License-Identifier: Apache-2.0
"""The same MASA asked in COSE for constrained devices (draft-ietf-anima-constrained-voucher)."""
import base64

import cbor2

from brski_peer import cose, forge
from brski_peer.masa import COSE_TYPE

from ..core import MUST, SHOULD, check

CBRSKI = ("cbrski",)
KID, X5 = 4, range(32, 36)  # COSE header parameters


def ask(r, rvr):
    return r.ask(rvr, content_type=COSE_TYPE, accept=COSE_TYPE)


def opened(t, reply):
    """The voucher of an answer. Its media type and its signer are the business of masa_voucher."""
    t.status(reply, 200, why="an honest request")
    return cose.parse(reply.body)


def honest_voucher(t):
    device = t.device()
    with t.registrar() as r:
        return opened(t, ask(r, r.cose_rvr(device)))


@check("A-04", level=MUST, role="masa", profiles=CBRSKI, mutant="compares both nonces")
def cose_nonce_that_is_not_the_pledges_is_403(t):
    """The nonces of the registrar's request in COSE and of the pledge's inside it agree."""
    device = t.device()
    with t.registrar() as r:
        t.status(ask(r, r.cose_rvr(device, nonce=b"another nonce 16")), 403)


@check("A-04", level=MUST, role="masa", profiles=CBRSKI,
       mutant="takes requests of registration authorities only")
def cose_request_signed_without_cmcra_is_403(t):
    """The certificate that signs a registrar's request in COSE has cmcRA, too."""
    device = t.device()
    plain = t.lab.domain.registrar_identity(eku=[forge.certs.SERVER_AUTH, forge.certs.CLIENT_AUTH])
    with t.registrar(plain) as r:
        t.status(ask(r, r.cose_rvr(device)), 403)


@check("Y-10", level=MUST, role="masa", profiles=CBRSKI,
       mutant="takes the first name of the registrar in order")
def cose_hash_of_another_registrars_key_counts_first(t):
    """proximity-registrar-pubk-sha256 of another key: no proximity, whatever proximity-registrar-pubk
    says."""
    device = t.device()
    with t.registrar() as r:
        prior = r.cose_pvr(device, proximity_registrar_pubk_sha256=b"\x5a" * 32)
        reply = ask(r, r.cose_rvr(device, prior))
        if reply.status == 200:
            t.need(opened(t, reply).fields.get("assertion") != "proximity",
                   "the voucher says proximity")
        else:
            t.refused(reply, 403)


@check("Y-03", level=MUST, role="masa", profiles=CBRSKI, mutant="writes SIDs")
def cose_voucher_is_written_with_sids(t):
    """The maps of a voucher in CBOR have numbers as keys."""
    ((top, leaves),) = cbor2.loads(honest_voucher(t).payload).items()
    keys = [top, *leaves]
    t.need(all(isinstance(key, int) for key in keys), f"the keys are {keys}")


@check("Y-08", level=MUST, role="masa", profiles=CBRSKI,
       mutant="leaves an end out of vouchers with a nonce")
def cose_nonce_and_end_exclude_each_other(t):
    """A voucher in COSE with a nonce has no expires-on."""
    fields = honest_voucher(t).fields
    t.need("nonce" in fields, "the voucher has no nonce")
    t.need("expires-on" not in fields, "the voucher has a nonce and an end")


@check("O-10", level=SHOULD, role="masa", profiles=CBRSKI, mutant="names no key in the protected header")
def cose_voucher_names_no_key_in_its_protected_header(t):
    """The device knows who signs its vouchers: no kid, and no certificate under the signature."""
    there = [label for label in honest_voucher(t).protected if label == KID or label in X5]
    t.need(not there, f"the protected header has {there}")


@check("A-05", level=SHOULD, role="masa", profiles=CBRSKI, mutant="pins the lowest CA")
def cose_voucher_pins_the_lowest_ca(t):
    """A voucher with a nonce pins the CA that issued the registrar's certificate."""
    fields = honest_voucher(t).fields
    t.equal(fields.get("pinned-domain-cert"), t.lab.domain.issuing.der, "pinned-domain-cert")


@check("A-09", level=SHOULD, role="masa", profiles=CBRSKI, mutant="answers requests for the log in COSE")
def cose_request_gets_the_log(t):
    """The audit log is JSON for who asks in COSE as well."""
    device = t.device()
    with t.registrar() as r:
        rvr = r.cose_rvr(device)
        opened(t, ask(r, rvr))
        reply = r.audit(rvr, COSE_TYPE)
        t.status(reply, 200)
        nonces = [base64.b64decode(e["nonce"]) for e in t.json(reply)["events"]]
        t.need(cose.parse(rvr).fields["nonce"] in nonces, "the log has no event with the nonce")
