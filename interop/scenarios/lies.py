# SPDX-License-Identifier: Apache-2.0
"""The ways in which a MASA may lie in a story: `lies: wrong serial`. Each sets up the suite's MASA, which
is brski_peer.masa.FakeMasa, before it starts."""
import os

from brski_peer import cms, forge, voucher
from brski_peer.server import Answer, text

CMS_TYPE = "application/voucher-cms+json"


def leaf(**changes):
    """A lie about leaves of the voucher: name=value, a value may be a function of the stage."""
    def lie(masa, stage):
        made = {k: v(stage) if callable(v) else v for k, v in changes.items()}
        masa.lie = lambda fields: forge.changed(fields, made)
    return lie


def pin_of_another_site(stage):
    made = forge.certs.make_ca("Another Site")
    return forge.b64(forge.der(made.cert))


def other_signer(masa, stage):
    made = forge.certs.make_masa_signer(forge.certs.make_ca("Stranger"))
    masa.signer = forge.save(stage.folder, "stranger", made.key, made.chain())


def always(*answer, **more):
    """The same answer to whoever asks for a voucher; None: it hangs up."""
    def lie(masa, _stage):
        said = Answer(*answer, **more) if answer else None
        masa.answer = lambda r: said if r.path.endswith("/requestvoucher") else NotImplemented
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
    "wrong nonce": leaf(nonce=lambda _s: voucher.new_nonce()),
    "no pin": leaf(pinned_domain_cert=None),
    "no serial": leaf(serial_number=None),
    "expired": leaf(nonce=None, expires_on=lambda _s: voucher.timestamp(seconds=-60)),
    "wrong signer": other_signer,
    "broken signature": broken_signature,
    "garbage": always(200, os.urandom(300), CMS_TYPE),
    "empty": always(200, b"", CMS_TYPE),
    "huge": always(200, bytes(1 << 21), CMS_TYPE),
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
