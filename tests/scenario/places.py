# SPDX-License-Identifier: Apache-2.0
"""A device with its IDevID, and a site with its registrar and MASA: what the tests are about."""
import contextlib
import itertools
import pathlib

import harness
from brski_peer import constrained, forge
from brski_peer.pledge import Pledge as PeerPledge

_serials = itertools.count(1)


class Device:
    """A serial number with its IDevID."""

    def __init__(self, manufacturer, masa_url, key_type=None, serial=None, model=None):
        self.serial = serial or f"TEST-{next(_serials):05d}"
        self.key, self.certificate = manufacturer.idevid(self.serial, masa_url, key_type, model=model)
        self.manufacturer = manufacturer

    @property
    def identity(self):
        return forge.load(self.key, self.certificate)


class Site:
    """A registrar and the MASA it talks to (real or fake), and devices that know that MASA."""

    def __init__(self, directory, manufacturer, domain, masa, registrar):
        self.directory = pathlib.Path(directory)
        self.manufacturer, self.domain = manufacturer, domain
        self.masa, self.registrar = masa, registrar

    @property
    def masa_url(self):
        return f"localhost:{self.masa.port}"

    @property
    def url(self):
        return f"https://127.0.0.1:{self.registrar.port}"

    @property
    def coaps_url(self):
        return f"coaps://127.0.0.1:{self.registrar.coaps_port}"

    def device(self, key_type=None, manufacturer=None, masa_url=None, known=True, owner=None,
               **more):
        """A new device; known: a real MASA has it in its inventory."""
        device = Device(manufacturer or self.manufacturer, masa_url or self.masa_url, key_type,
                        **more)
        if known and isinstance(self.masa, harness.Masa):
            row = {"serial": device.serial}
            self.masa.import_devices([dict(row, owner=owner) if owner else row])
        return device

    def pledge(self, device, urls=None, changes=None):
        """The real pledge for the device, ready to run."""
        return harness.Pledge(self.directory / f"pledge-{device.serial}", device.key,
                              device.certificate, device.manufacturer.anchors, urls or [self.url],
                              changes)

    def coaps_pledge(self, device, port=None, changes=None):
        """The real pledge for the device over CoAPS; it knows the MASA's signer, because no voucher
        brings it along. port: of a relay before the registrar."""
        url = f"coaps://127.0.0.1:{port}" if port else self.coaps_url
        signer = device.manufacturer.directory / "masa" / "masa-signer.crt"
        return self.pledge(device, [url],
                           harness.merged({"device": {"masa_anchors": signer}}, changes))

    def peer(self, device=None, **more):
        """The Python pledge for the device (None: without a client certificate)."""
        identity = device.identity if hasattr(device, "identity") else device
        return PeerPledge(self.registrar.port, identity, **more)

    def constrained_peer(self, device, port=None, **more):
        """The Python pledge for the device over CoAPS; port: of a relay before the registrar."""
        identity = device.identity if hasattr(device, "identity") else device
        return constrained.Pledge(port or self.registrar.coaps_port, identity, **more)


@contextlib.contextmanager
def site_of_two_makers(directory, acme, stranger, domain):
    """A running Site that holds the devices of both, with a listener for administrators at
    registrar.admin_port; the MASA is acme's."""
    port = harness.free_port()
    masa = harness.Masa(directory / "masa", acme)
    registrar = harness.Registrar(directory / "registrar", domain, [acme, stranger], changes={
        "admin": {"listen": f"127.0.0.1:{port}"},
        f"manufacturer {acme.name}": {"admit": "hold"},
        f"manufacturer {stranger.name}": {"admit": "hold"}})
    registrar.admin_port = port
    with harness.running(masa, registrar):
        yield Site(directory, acme, domain, masa, registrar)
