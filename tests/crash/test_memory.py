# SPDX-License-Identifier: Apache-2.0
"""Every allocation of an onboarding fails once, in a registrar and a MASA that live through it.

For each step of the onboarding and each N: prepare in health, let the N-th allocation of the step
fail, look at the outcome, and have the same request served. An outcome is clean when the connection
is closed, the answer is 5xx, or it is the right answer after all. N goes up until the step needs no
N-th allocation, several times running. Requests that must be refused are never accepted meanwhile. Under sanitizers the
daemon's end also tells whether anything leaked.
"""
import itertools
import json
import re
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

import fault
import harness
from brski_peer import forge
from brski_peer.certs import new_key
from brski_peer.pledge import certs_of, corrupt_csr_signature, est_body
from brski_peer.wire import Closed
from places import Site
from ledger import CLEAN_FAILURES
from relay import Relay
from test_masa import Client

FAULTS_MAX = 200       # then a walk ends: they tell the story
STRIDE_IN_CHECK = 61   # in make check every so many-th; make check-all takes each
IN_HAND_S = 5          # longer than the registrar waits for its MASA here
BEYOND = 3             # a step that needed less memory than another time is not the end yet

_numbers = itertools.count(1)


class Pool:
    """Devices known to the MASA, made by the hundred."""

    BATCH = 200

    def __init__(self, place, manufacturer, masa, masa_url):
        self.place, self.manufacturer, self.masa, self.url = place, manufacturer, masa, masa_url
        self.ready = []

    def _make(self):
        out = self.place / f"batch-{next(_numbers)}"
        out.mkdir()
        serials = [f"MEM-{next(_numbers):06d}" for _ in range(self.BATCH)]
        (out / "in.csv").write_text("\n".join(["serial", *serials]) + "\n")
        harness.run(harness.program("brski-certs"), "idevid", "--ca", self.manufacturer.directory,
                    "--out", out, "--masa-url", self.url, "--csv", out / "in.csv", check=0)
        self.masa.ctl("devices", "import", out / "manifest.csv")
        self.ready = [PoolDevice(serial, out) for serial in serials]

    def take(self):
        if not self.ready:
            self._make()
        return self.ready.pop()


class PoolDevice:
    def __init__(self, serial, directory):
        self.serial = serial
        self.identity = forge.load(directory / f"{serial}.key", directory / f"{serial}.crt")


class Starving:
    """A daemon whose allocations fail on request."""

    def __init__(self, daemon, dials):
        self.daemon, self.dials = daemon, dials
        daemon.env.update(dials.env)

    def _settled(self):
        """What goes on after the answer belongs to the step too."""
        before = -1
        while before != self.dials.count:
            before = self.dials.count
            time.sleep(0.001)

    def once(self, at, attempt):
        """One attempt with allocation `at` failing: (hit, reply or None, complaint)."""
        self.dials.arm(fault.MEMORY, at)
        reply = complaint = None
        try:
            reply = attempt()
        except Closed:
            pass
        except OSError as e:
            complaint = f"no answer: {e!r}"
        self._settled()
        hit = self.dials.hits > 0
        self.dials.off()
        return hit, reply, complaint

    def walk(self, prepare, attempt, right, stride, bad=False, first=1):
        """prepare() → case; attempt(case) → reply; right(case, reply) raises if a 200 is wrong.
        bad: the case must never be granted, and only then there may be other refusals than 5xx."""
        faults, at, beyond = [], first, 0
        while len(faults) < FAULTS_MAX and beyond < BEYOND:
            case = prepare()
            hit, reply, complaint = self.once(at, lambda: attempt(case))
            try:
                assert not complaint, complaint
                self._judge(case, reply, right, bad)
                if not bad:
                    again = self.come_back(lambda: attempt(case))
                    assert again.status in (200, 204), f"afterwards {again.status} {again.text}"
                    right(case, again)
            except Exception as e:
                assert self.daemon.alive(), f"allocation {at}: died\n{self.daemon.log()[-4000:]}"
                faults.append((at, f"{e!r}"[:70], self.last_words()))
            case.close()
            beyond = 0 if hit else beyond + 1
            at += stride
        assert not faults, f"of {at} allocations:\n" + self.grouped(faults)
        assert at > first + BEYOND * stride, "no allocation was seen"

    @staticmethod
    def come_back(attempt):
        """What was in hand when a connection broke may be so still, for a moment."""
        until = time.monotonic() + IN_HAND_S
        while (reply := attempt()).status == 202 and time.monotonic() < until:
            time.sleep(0.1)
        return reply

    def last_words(self):
        """The last reason in the daemon's log, without what differs from run to run."""
        line = (self.daemon.lines(" reason=") or [""])[-1]
        return re.sub(r"MEM-\d+|port=\d+|exchange=\S+|time=\S+|program=\S+|localhost:\d+", "", line)[:300]

    @staticmethod
    def grouped(faults):
        groups = {}
        for at, what, why in faults:
            groups.setdefault((what, why), []).append(at)
        return "\n".join(f"{what} at {len(ats)} from {ats[0]} to {ats[-1]}: {why}"
                         for (what, why), ats in groups.items())

    @staticmethod
    def _judge(case, reply, right, bad):
        if reply is None or reply.status in CLEAN_FAILURES:
            return
        assert not bad or reply.status >= 400, f"granted: {reply.status}"
        if not bad:
            assert reply.status in (200, 204), f"{reply.status} {reply.text}"
            right(case, reply)


class Case:
    """A device, and a connection that attempts share until it breaks."""

    def __init__(self, site, device, connect=True):
        self.site, self.device = site, device
        self.peer = site.peer(device, timeout=5) if connect else None

    def connected(self):
        self.peer = self.peer or self.site.peer(self.device, timeout=5)
        return self.peer

    def close(self):
        if self.peer:
            self.peer.connection.close()
        self.peer = None

    def ask(self, what):
        """what(peer) on the connection; a broken one is replaced the next time."""
        try:
            reply = what(self.connected())
        except (Closed, OSError):
            self.close()
            raise
        if reply.closed:
            self.close()
        return reply


every = pytest.mark.parametrize("stride", [
    pytest.param(STRIDE_IN_CHECK, id="some"),
    pytest.param(1, id="each", marks=pytest.mark.slow)])


# -- registrar

class RegistrarRig:
    def __init__(self, place, acme, domain, masa, coaps=False):
        self.masa = masa
        self.relay = Relay(self.masa.port)
        self.domain = domain
        self.registrar = harness.Registrar(place / "registrar", domain, [acme], coaps=coaps,
                                           changes={"log": {"level": "info"},
                                                    "policy": {"renewals_per_day": 1000000}})
        self.starving = Starving(self.registrar, fault.Fault(place / "dials"))
        self.site = Site(place, acme, domain, self.masa, self.registrar)
        self.pool = Pool(place, acme, self.masa, f"localhost:{self.relay.port}")
        self.issuing = forge.load_certs(domain.file("issuing.crt"))[0]

    def case(self, connect=True):
        return Case(self.site, self.pool.take(), connect)

    def right_voucher(self, case, reply):
        assert reply.media_type == "application/voucher-cms+json"
        fields = forge.read(reply.body).fields
        assert fields["serial-number"] == case.device.serial
        assert fields["nonce"] == case.nonce

    def right_certificate(self, case, reply):
        assert reply.media_type == "application/pkcs7-mime"
        certificate, = certs_of(reply)
        self.check_certificate(case, certificate)

    def check_certificate(self, case, certificate):
        self.issuing.public_key().verify(certificate.signature, certificate.tbs_certificate_bytes,
                                         ec.ECDSA(certificate.signature_hash_algorithm))
        assert certificate.public_key().public_numbers() == case.key.public_key().public_numbers()


@pytest.fixture(scope="module")
def rig(place, acme, domain):
    masa = harness.Masa(place / "masa", acme)
    rig = RegistrarRig(place, acme, domain, masa)
    with harness.running(masa, rig.registrar), rig.relay:
        yield rig


def nothing_to_check(_case, _reply):
    pass


@every
def test_connection_and_cacerts(rig, stride):
    rig.starving.walk(lambda: rig.case(connect=False), lambda c: c.ask(lambda p: p.cacerts()),
                      nothing_to_check, stride)


def voucher_case(rig, **changes):
    case = rig.case()
    case.pvr = case.peer.pvr(**changes)
    case.nonce = case.peer.nonce
    return case


def ask_voucher(case):
    return case.ask(lambda peer: peer.request_voucher(case.pvr))


def ask_certificate(case):
    return case.ask(lambda peer: peer.post_csr(est_body(case.csr)))


def csr_case(rig, device):
    """A device that has its voucher, and a request for a certificate of its own."""
    case = Case(rig.site, device)
    case.key = new_key()
    case.csr = case.peer.csr(case.key)
    return case


@pytest.fixture(scope="module")
def vouched(rig):
    """A device with a voucher."""
    case = voucher_case(rig)
    assert ask_voucher(case).status == 200
    case.close()
    return case.device


@pytest.fixture(scope="module")
def enrolled(rig, vouched):
    """The identity of a device with a certificate."""
    case = csr_case(rig, vouched)
    certificate = certs_of(ask_certificate(case))[0]
    case.close()
    return forge.save(rig.site.directory, "enrolled", case.key, [certificate, rig.issuing])


@every
def test_voucher_over_a_new_connection_to_the_masa(rig, stride):
    def prepare():
        case = voucher_case(rig)
        rig.relay.cut()
        return case

    rig.starving.walk(prepare, ask_voucher, rig.right_voucher, stride)


@every
def test_voucher_over_a_standing_connection_to_the_masa(rig, stride):
    rig.starving.walk(lambda: voucher_case(rig), ask_voucher, rig.right_voucher, stride)


@every
@pytest.mark.parametrize("step", ["voucher_status", "cacerts", "csrattrs"])
def test_small_steps(rig, vouched, stride, step):
    rig.starving.walk(lambda: Case(rig.site, vouched), lambda c: c.ask(
        lambda peer: getattr(peer, step)()), nothing_to_check, min(stride, 5))


@every
def test_certificate(rig, vouched, stride):
    rig.starving.walk(lambda: csr_case(rig, vouched), ask_certificate, rig.right_certificate, stride)


@every
def test_status_over_a_connection_with_the_new_certificate(rig, enrolled, stride):
    rig.starving.walk(lambda: Case(rig.site, enrolled, connect=False), lambda c: c.ask(
        lambda peer: peer.enrollstatus()), nothing_to_check, stride)


# what must be refused is not granted for lack of memory

def _broken_pvr(rig):
    case = voucher_case(rig)
    case.pvr = forge.flip_signature(case.pvr)
    return case


def _other_proximity(rig):
    return voucher_case(rig, proximity_registrar_cert=forge.b64(forge.der(rig.issuing)))


def _other_serial(rig):
    return voucher_case(rig, serial_number="SOMEBODY-ELSE")


@every
@pytest.mark.parametrize("lie", [_broken_pvr, _other_proximity, _other_serial])
def test_bad_voucher_request_is_never_granted(rig, stride, lie):
    rig.starving.walk(lambda: lie(rig), ask_voucher, nothing_to_check, stride, bad=True)


@every
def test_stranger_is_never_granted_a_voucher(rig, stride, stranger_devices):
    def prepare():
        case = Case(rig.site, stranger_devices.take())
        case.pvr = case.peer.pvr()
        return case

    rig.starving.walk(prepare, ask_voucher, nothing_to_check, stride, bad=True)


@pytest.fixture(scope="module")
def stranger_devices(rig, place, stranger):
    class Unknown(Pool):
        def _make(self):
            device = stranger.idevid(f"STR-{next(_numbers):06d}", self.url, where=self.place)
            self.ready = [PoolDevice(device[0].stem, self.place)]
    where = place / "strangers"
    where.mkdir()
    return Unknown(where, stranger, None, rig.pool.url)


@every
def test_csr_with_a_broken_signature_is_never_granted(rig, vouched, stride):
    def prepare():
        case = csr_case(rig, vouched)
        case.csr = corrupt_csr_signature(case.csr)
        return case

    rig.starving.walk(prepare, ask_certificate, nothing_to_check, stride, bad=True)


@every
def test_device_without_a_voucher_is_never_enrolled(rig, stride):
    device = rig.pool.take()
    rig.starving.walk(lambda: csr_case(rig, device), ask_certificate, nothing_to_check, stride,
                      bad=True)


# -- MASA

class MasaRig:
    def __init__(self, place, acme, domain):
        self.masa = harness.Masa(place / "masa-alone", acme, changes={"log": {"level": "info"}})
        self.starving = Starving(self.masa, fault.Fault(place / "masa-dials"))
        self.identity = forge.load(domain.registrar_dir / "registrar.key",
                                   domain.registrar_dir / "registrar.crt")
        self.pool = Pool(place, acme, self.masa, f"localhost:{self.masa.port}")

    def case(self):
        return MasaCase(self)

    @staticmethod
    def right_voucher(case, reply):
        fields = forge.read(reply.body).fields
        assert fields["serial-number"] == case.device.serial
        assert fields["nonce"] == forge.read(case.rvr).fields["nonce"]

    @staticmethod
    def right_log(case, reply):
        assert json.loads(reply.body)["events"], reply.text


class MasaCase:
    """A registrar's request for a new device."""

    def __init__(self, rig):
        self.rig, self.device, self.client = rig, rig.pool.take(), None
        self.pvr = forge.sign_request(forge.pvr_fields(self.device.identity, rig.identity.der),
                                      self.device.identity)
        self.rvr = self.sign()

    def sign(self, signer=None, **changes):
        fields = forge.rvr_fields(self.pvr, self.device.identity.cert)
        return forge.sign_request(forge.changed(fields, changes), signer or self.rig.identity)

    def ask(self, what):
        self.client = self.client or Client(self.rig.masa, self.rig.identity)
        self.client.connection.tls.settimeout(5)
        try:
            reply = what(self.client)
        except (Closed, OSError):
            self.close()
            raise
        if reply.closed:
            self.close()
        return reply

    def close(self):
        if self.client:
            self.client.connection.close()
        self.client = None


@pytest.fixture(scope="module")
def masa_rig(place, acme, domain):
    rig = MasaRig(place, acme, domain)
    with harness.running(rig.masa):
        yield rig


def ask_masa(case):
    return case.ask(lambda client: client.ask(case.rvr))


@every
def test_masa_voucher(masa_rig, stride):
    masa_rig.starving.walk(masa_rig.case, ask_masa, masa_rig.right_voucher, stride)


@every
def test_masa_audit_log(masa_rig, stride):
    def prepare():
        case = masa_rig.case()
        assert ask_masa(case).status == 200
        case.rvr = case.sign()  # another request of the same registrar: nothing to recall
        return case

    masa_rig.starving.walk(prepare, lambda c: c.ask(lambda client: client.audit(c.rvr)),
                           masa_rig.right_log, stride)


def _broken_rvr(case):
    return forge.flip_signature(case.rvr)


def _broken_prior(case):
    case.pvr = forge.flip_signature(case.pvr)
    return case.sign()


def _other_nonce(case):
    return case.sign(nonce=forge.b64(bytes(16)))


def _other_device(case):
    return case.sign(serial_number="SOMEBODY-ELSE")


@every
@pytest.mark.parametrize("lie", [_broken_rvr, _broken_prior, _other_nonce, _other_device])
def test_masa_never_grants_a_bad_request(masa_rig, stride, lie):
    def prepare():
        case = masa_rig.case()
        case.rvr = lie(case)
        return case

    masa_rig.starving.walk(prepare, ask_masa, nothing_to_check, stride, bad=True)
