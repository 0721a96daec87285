# SPDX-License-Identifier: Apache-2.0
"""The ways in which a MASA may lie in a story: `lies: wrong serial`. Each sets up the suite's MASA, which
is brski_peer.masa.FakeMasa, before it starts."""
import os

from brski_peer import cms, forge, voucher
from brski_peer.server import Answer, text


def leaf(**changes):
    """A lie about leaves of the voucher: name=value, or a function that makes one. Octets are written as
    the voucher has them, in base64 or as they are."""
    def lie(masa, _stage):
        made = {name: value() if callable(value) else value for name, value in changes.items()}

        def tell(fields):
            in_json = isinstance(fields.get("nonce"), str)
            return forge.changed(fields, {name: forge.b64(value) if in_json and isinstance(value, bytes) else value
                                          for name, value in made.items()})
        masa.lie = tell
    return lie


def pin_of_another_site():
    return forge.der(forge.certs.make_ca("Another Site").cert)


def other_signer(masa, stage):
    made = forge.certs.make_masa_signer(forge.certs.make_ca("Stranger"))
    masa.signer = forge.save(stage.folder, "stranger", made.key, made.chain())


def always(*answer, **more):
    """The same answer to whoever asks for a voucher, in the type of a voucher unless it has another; without
    any it hangs up."""
    def lie(masa, _stage):
        def tell(request):
            if not request.path.endswith("/requestvoucher"):
                return NotImplemented
            said = Answer(*answer, **more) if answer else None
            if said and said.status == 200 and not said.content_type:
                said.content_type = request.header("content-type")
            return said
        masa.answer = tell
    return lie


def broken_signature(masa, _stage):
    def spoil(request):
        if not request.path.endswith("/requestvoucher"):
            return NotImplemented
        answer = masa.voucher(request)
        answer.body = forge.flip_signature(answer.body)
        return answer
    masa.answer = spoil


def never_answers(masa, _stage):
    masa.delay = 60


def claims_elsewhere(masa, _stage):
    masa.audit = masa.foreign_history


def history(answer):
    def lie(masa, _stage):
        masa.audit = lambda _serial: answer
    return lie


def older_type(masa, _stage):
    masa.cms = {"content_type": cms.ID_DATA}


def older_name(masa, _stage):
    masa.cose_type = "application/voucher-cose+cbor"


MASA_LIES = {
    "wrong serial": leaf(serial_number="ANOTHER-1"),
    "wrong pin": leaf(pinned_domain_cert=pin_of_another_site),
    "wrong nonce": leaf(nonce=lambda: os.urandom(16)),
    "no pin": leaf(pinned_domain_cert=None),
    "no serial": leaf(serial_number=None),
    "no nonce": leaf(nonce=None),
    "expired": leaf(expires_on=lambda: voucher.timestamp(seconds=-60)),
    "wrong signer": other_signer,
    "broken signature": broken_signature,
    "garbage": always(200, os.urandom(300)),
    "empty": always(200, b""),
    "huge": always(200, bytes(1 << 21)),
    "a page in HTML": always(200, b"<html>welcome</html>", "text/html"),
    "redirects": always(302, headers=[("Location", "https://127.0.0.1:9/")]),
    "server error": always(500, b"oops", "text/plain"),
    "hangs up": always(),
    "never answers": never_answers,
    "claimed elsewhere": claims_elsewhere,
    "history is garbage": history(Answer(200, b"{]", "application/json")),
    "history is missing": history(text(404, "no such log\n")),
    "id-data": older_type,
    "older name of COSE": older_name,
}
