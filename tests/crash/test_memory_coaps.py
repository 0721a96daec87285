# SPDX-License-Identifier: Apache-2.0
"""Every allocation of a constrained device's onboarding fails once in the registrar (see
test_memory.py). Over CoAPS silence is an outcome too: a datagram that could not be read, or an
association that could not be kept, is lost to the device, which then comes back.
"""
import pytest

import harness
from brski_peer import coap, constrained, cose, dtls
from brski_peer.certs import new_key
from brski_peer.wire import Closed
from test_memory import RegistrarRig, nothing_to_check

# What gets no answer is waited for: each allocation in turn would take the better part of an hour.
pytestmark = pytest.mark.slow
every = pytest.mark.parametrize("stride", [29])

ACK_TIMEOUT_S = 0.15  # five tries outlast the registrar's patience with its MASA


class Reply:
    """An answer in HTTP's words, as the walk judges it."""

    def __init__(self, message):
        self.message, self.text = message, message.text
        number = message.code
        self.status = 200 if number >> 5 == 2 else (number >> 5) * 100 + (number & 31)


class Case:
    """A device, and an association that attempts share until it breaks."""

    def __init__(self, site, device, connect=True):
        self.site, self.device = site, device
        self.peer = self.connect() if connect else None

    def connect(self):
        return self.site.constrained_peer(self.device, ack_timeout=ACK_TIMEOUT_S, timeout=6)

    def close(self):
        if self.peer:
            self.peer.client.close()
        self.peer = None

    def ask(self, what):
        """As a device does: an association that has ended meanwhile is replaced once."""
        for last in (False, True):
            try:
                self.peer = self.peer or self.connect()
                return Reply(what(self.peer))
            except (coap.Silence, dtls.Failed, OSError) as e:
                ended = self.peer and self.peer.client.link.ended
                self.close()
                if last or not ended:
                    raise Closed(str(e)) from e


class Rig(RegistrarRig):
    def __init__(self, place, acme, domain):
        super().__init__(place, acme, domain, coaps=True)

    def case(self, connect=True):
        return Case(self.site, self.pool.take(), connect)

    def right_voucher(self, case, reply):
        fields = cose.parse(reply.message.payload).fields
        assert fields["serial-number"] == case.device.serial and fields["nonce"] == case.nonce

    def right_certificate(self, case, reply):
        certificate, = constrained.certs_of(reply.message)
        self.check_certificate(case, certificate)


@pytest.fixture(scope="module")
def rig(place, acme, domain):
    rig = Rig(place, acme, domain)
    try:
        with rig.relay, harness.running(rig.registrar):
            yield rig
    finally:
        rig.masa.stop()


def voucher_case(rig, **changes):
    case = rig.case()
    case.pvr = case.peer.pvr(**changes)
    case.nonce = case.peer.nonce
    return case


def ask_voucher(case):
    return case.ask(lambda peer: peer.request_voucher(case.pvr))


@pytest.fixture(scope="module")
def vouched(rig):
    """A device with a voucher."""
    case = voucher_case(rig)
    assert ask_voucher(case).status == 200
    case.close()
    return case.device


@every
def test_association_and_ca_certificates(rig, stride):
    rig.starving.walk(lambda: rig.case(connect=False), lambda c: c.ask(lambda p: p.crts()),
                      nothing_to_check, stride)


@every
@pytest.mark.parametrize("form", ["proximity-registrar-pubk", "proximity-registrar-cert"])
def test_voucher(rig, stride, form):
    """In one message, then in two blocks."""
    rig.starving.walk(lambda: voucher_case(rig, proximity=form), ask_voucher, rig.right_voucher,
                      stride)


@every
@pytest.mark.parametrize("step", ["voucher_status", "crts", "enrollstatus"])
def test_small_steps(rig, vouched, stride, step):
    rig.starving.walk(lambda: Case(rig.site, vouched), lambda c: c.ask(
        lambda peer: getattr(peer, step)()), nothing_to_check, min(stride, 5))


@every
@pytest.mark.parametrize("step, accept", [("sen", constrained.PKIX_CERT),
                                          ("sen", constrained.PKCS7_CERTS)])
def test_certificate(rig, vouched, stride, step, accept):
    def prepare():
        case = Case(rig.site, vouched)
        case.key = new_key()
        case.csr = case.peer.csr(case.key)
        return case
    rig.starving.walk(prepare, lambda c: c.ask(lambda p: p.post_csr(c.csr, step, accept)),
                      rig.right_certificate, stride)


@every
def test_key_of_the_registrars_making(rig, vouched, stride):
    def prepare():
        case = Case(rig.site, vouched)
        case.csr = case.peer.csr(new_key())
        return case
    rig.starving.walk(prepare, lambda c: c.ask(
        lambda p: p.post_csr(c.csr, "skc", constrained.MULTIPART)), nothing_to_check, stride)


@every
@pytest.mark.parametrize("lie", [{"proximity_registrar_pubk": bytes(91)},
                                 {"serial_number": "SOMEBODY-ELSE"}, "signature"])
def test_bad_voucher_request_is_never_granted(rig, stride, lie):
    def prepare():
        case = voucher_case(rig, **(lie if isinstance(lie, dict) else {}))
        if lie == "signature":
            case.pvr = case.pvr[:-1] + bytes([case.pvr[-1] ^ 1])
        return case
    rig.starving.walk(prepare, ask_voucher, nothing_to_check, stride, bad=True)
