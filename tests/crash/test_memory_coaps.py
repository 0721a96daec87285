# SPDX-License-Identifier: Apache-2.0
"""Every allocation of a constrained device's onboarding fails once in the registrar (see
test_memory.py). Over CoAPS silence is an outcome too: a datagram that could not be read, or an
association that could not be kept, is lost to the device, which then comes back.

Who gets no answer has to wait for it: so several registrars, behind one MASA, share the numbers of
the allocations among them.
"""
import concurrent.futures
import contextlib

import pytest

import harness
from brski_peer import coap, constrained, cose, dtls
from brski_peer.certs import new_key
from brski_peer.wire import Closed
from test_memory import RegistrarRig, nothing_to_check

pytestmark = pytest.mark.slow

SIDE_BY_SIDE = 8      # registrars
ACK_TIMEOUT_S = 0.15  # five tries outlast the registrar's patience with its MASA
HANDSHAKE_S = 1.5     # of one that may be lost: its first flight goes out again after a second


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
        self.patience_s = 6 if connect else HANDSHAKE_S
        self.peer = self.connect() if connect else None

    def connect(self):
        patience_s, self.patience_s = self.patience_s, 6
        return self.site.constrained_peer(self.device, ack_timeout=ACK_TIMEOUT_S, timeout=patience_s)

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
    def __init__(self, place, acme, domain, masa):
        super().__init__(place, acme, domain, masa, coaps=True)
        self.vouched = None

    def case(self, connect=True):
        return Case(self.site, self.pool.take(), connect)

    def voucher_case(self, **changes):
        case = self.case()
        case.pvr = case.peer.pvr(**changes)
        case.nonce = case.peer.nonce
        return case

    def vouched_case(self):
        """A device with a voucher."""
        if not self.vouched:
            first = self.voucher_case()
            assert ask_voucher(first).status == 200
            first.close()
            self.vouched = first.device
        return Case(self.site, self.vouched)

    def csr_case(self):
        case = self.vouched_case()
        case.key = new_key()
        case.csr = case.peer.csr(case.key)
        return case

    def right_voucher(self, case, reply):
        fields = cose.parse(reply.message.payload).fields
        assert fields["serial-number"] == case.device.serial and fields["nonce"] == case.nonce

    def right_certificate(self, case, reply):
        certificate, = constrained.certs_of(reply.message)
        self.check_certificate(case, certificate)


class Rigs:
    """Each takes its share of the allocations of a step."""

    def __init__(self, rigs):
        self.rigs = rigs

    def walk(self, prepare, what, right=None, bad=False):
        """prepare(rig) → case; what(case) → reply; right(rig): what judges one."""
        def share(i):
            rig = self.rigs[i]
            rig.starving.walk(lambda: prepare(rig), what, right(rig) if right else nothing_to_check,
                              len(self.rigs), bad, first=1 + i)

        with concurrent.futures.ThreadPoolExecutor(len(self.rigs)) as pool:
            faults = [f.exception() for f in [pool.submit(share, i) for i in range(len(self.rigs))]]
        assert not any(faults), "\n".join(str(f) for f in faults if f)


@pytest.fixture(scope="module")
def rigs(place, acme, domain):
    masa = harness.Masa(place / "masa", acme)
    rigs = [Rig(place / f"rig-{i}", acme, domain, masa) for i in range(SIDE_BY_SIDE)]
    with contextlib.ExitStack() as stack:
        stack.enter_context(harness.running(masa, *(r.registrar for r in rigs)))
        for rig in rigs:
            stack.enter_context(rig.relay)
        yield Rigs(rigs)


def ask_voucher(case):
    return case.ask(lambda peer: peer.request_voucher(case.pvr))


def test_association_and_ca_certificates(rigs):
    rigs.walk(lambda rig: rig.case(connect=False), lambda c: c.ask(lambda p: p.crts()))


@pytest.mark.parametrize("form", ["proximity-registrar-pubk", "proximity-registrar-cert"])
def test_voucher(rigs, form):
    """In one message, then in two blocks."""
    rigs.walk(lambda rig: rig.voucher_case(proximity=form), ask_voucher, lambda rig: rig.right_voucher)


@pytest.mark.parametrize("step", ["voucher_status", "crts", "enrollstatus"])
def test_small_steps(rigs, step):
    rigs.walk(lambda rig: rig.vouched_case(), lambda c: c.ask(lambda peer: getattr(peer, step)()))


@pytest.mark.parametrize("accept", [constrained.PKIX_CERT, constrained.PKCS7_CERTS])
def test_certificate(rigs, accept):
    rigs.walk(lambda rig: rig.csr_case(), lambda c: c.ask(lambda p: p.post_csr(c.csr, "sen", accept)),
              lambda rig: rig.right_certificate)


def test_key_of_the_registrars_making(rigs):
    rigs.walk(lambda rig: rig.csr_case(), lambda c: c.ask(
        lambda p: p.post_csr(c.csr, "skc", constrained.MULTIPART)))


@pytest.mark.parametrize("lie", [{"proximity_registrar_pubk": bytes(91)},
                                 {"serial_number": "SOMEBODY-ELSE"}, "signature"])
def test_bad_voucher_request_is_never_granted(rigs, lie):
    def prepare(rig):
        case = rig.voucher_case(**(lie if isinstance(lie, dict) else {}))
        if lie == "signature":
            case.pvr = case.pvr[:-1] + bytes([case.pvr[-1] ^ 1])
        return case
    rigs.walk(prepare, ask_voucher, bad=True)
