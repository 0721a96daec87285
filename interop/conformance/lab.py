# SPDX-License-Identifier: Apache-2.0
"""The suite's own manufacturers, MASA and domains, in a folder.

    lab = Lab("my-lab")            # made when it is not there, the same again when it is
    device = lab.device("masa.example:9443")

    my-lab/maker/root.crt          the manufacturer that the implementation under test is told to trust
    my-lab/maker/masa/             its MASA: masa-tls.*, masa-signer.*
    my-lab/cautious/               a second one, whose devices wait until an admin approves them
    my-lab/stranger/               a third one, that nobody has been told about
    my-lab/domain/                 a site: root, issuing CA, registrar/registrar.{key,crt}, and its
                                   registrar-agent, agent/agent.{key,crt}
    my-lab/other-domain/           a neighbour
    my-lab/devices/                IDevIDs

Whoever tests a registrar installs maker/root.crt as the anchor of IDevIDs and of the MASA's TLS
certificate; who tests a MASA, as the anchor of IDevIDs; who tests a pledge, maker/anchors.crt as the
anchor of vouchers.
"""
import itertools
import os
import pathlib
import uuid

from brski_peer import certs, forge

MANUFACTURERS = ("maker", "cautious", "stranger")
DOMAINS = ("domain", "other-domain")


class Manufacturer:
    """A root, an issuing CA, a MASA's TLS and voucher-signing identities."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.name = self.directory.name
        if not self.anchors.exists():
            self._make()
        self.issuing = forge.issuing(self.directory)
        self.root = forge.load_certs(self.directory / "root.crt")[0]
        self.signer = forge.load(self.file("masa/masa-signer.key"), self.file("masa/masa-signer.crt"))

    @property
    def anchors(self):
        """PEM of what a device has built in: the root, and the signer, because a constrained
        voucher brings no certificates along."""
        return self.directory / "anchors.crt"

    def file(self, name):
        return self.directory / name

    def _make(self):
        title = self.name.capitalize()
        root = certs.make_ca(f"{title} Root")
        issuing = certs.make_ca(f"{title} Issuing", root, path_length=0)
        signer = certs.make_masa_signer(issuing, f"{title} MASA")
        root.write(self.directory, "root", with_root=True)
        issuing.write(self.directory, "issuing", with_root=True)
        signer.write(self.file("masa"), "masa-signer")
        self.make_tls("localhost")
        self.anchors.write_bytes(certs.cert_pem(root.cert) + certs.cert_pem(signer.cert))

    def make_tls(self, host):
        """The TLS identity of a MASA that is reached by this name or address."""
        issuing = forge.issuing(self.directory)
        certs.make_tls_server(issuing, host, alt=alternative_names(host)).write(
            self.file("masa"), "masa-tls")
        return forge.load(self.file("masa/masa-tls.key"), self.file("masa/masa-tls.crt"))


class Domain:
    """A site: root, issuing CA, its registrar, and whatever else it certifies."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        if not self.file("agent/agent.crt").exists():
            self._make()
        self.issuing = forge.issuing(self.directory)
        self.root = forge.load_certs(self.file("root.crt"))[0]
        self.registrar = forge.load(self.file("registrar/registrar.key"),
                                    self.file("registrar/registrar.crt"))

    def file(self, name):
        return self.directory / name

    def _make(self):
        title = self.directory.name.capitalize()
        root = certs.make_ca(f"{title} Root")
        issuing = certs.make_ca(f"{title} Issuing", root, path_length=0)
        root.write(self.directory, "root", with_root=True)
        issuing.write(self.directory, "issuing", with_root=True)
        certs.make_registrar(issuing).write(self.file("registrar"), "registrar", with_root=True)
        make_agent(issuing).write(self.file("agent"), "agent", with_root=True)

    def registrar_identity(self, **changes):
        """Another registrar of this domain; changes go to certs.make_registrar()."""
        return self.saved(certs.make_registrar(self.issuing, **changes))

    @property
    def agent(self):
        """Its registrar-agent."""
        return forge.load(self.file("agent/agent.key"), self.file("agent/agent.crt"))

    def agent_identity(self, **changes):
        """Another registrar-agent of this domain; changes go to certs.make_cert()."""
        return self.saved(make_agent(self.issuing, **changes))

    def saved(self, identity):
        """The identity in files, as TLS libraries want it."""
        name = f"made-{uuid.uuid4().hex[:12]}"
        return forge.save(self.file("made"), name, identity.key, identity.chain(with_root=True))


def make_agent(issuing, **changes):
    """A registrar-agent: a client, known by its key identifier."""
    usual = {"eku": [certs.CLIENT_AUTH], "key_usage": {"digital_signature"}}
    return certs.make_cert(certs.name("registrar-agent", organization="Site"), issuing, **{**usual, **changes})


class Device:
    """A serial number, its IDevID, and the manufacturer that made it."""

    def __init__(self, manufacturer, identity, serial):
        self.manufacturer, self.identity, self.serial = manufacturer, identity, serial

    @property
    def idevid_issuer(self):
        """Octets of the leaf of that name."""
        return forge.aki_tlv(self.identity.cert)


class Issuer:
    """A CA that makes devices, no more."""

    def __init__(self, directory):
        self.directory = directory
        self.anchors = directory / "issuing.crt"


class Lab:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory).resolve()
        os.makedirs(self.directory, exist_ok=True)
        self.made_now = not (self.directory / MANUFACTURERS[0]).exists()  # nobody else can know it yet
        self.maker, self.cautious, self.stranger = (
            Manufacturer(self.directory / name) for name in MANUFACTURERS)
        self.domain, self.other_domain = (Domain(self.directory / name) for name in DOMAINS)
        self._run = uuid.uuid4().hex[:6].upper()
        self._numbers = itertools.count(1)

    def new_serial(self):
        """One that no run before this one has used."""
        return f"CONF-{self._run}-{next(self._numbers):04d}"

    def device(self, masa_url, manufacturer=None, serial=None, **idevid):
        """A new device. idevid: changes to its certificate, as forge.idevid() takes them."""
        manufacturer = manufacturer or self.maker
        serial = serial or self.new_serial()
        folder = self.directory / "devices" / self._run
        identity = forge.idevid(folder, serial, masa_url, manufacturer, **idevid)
        return Device(manufacturer, identity, serial)

    def twin_issuer(self):
        """A second issuing CA below the manufacturer's root, to make devices with."""
        twin = Issuer(self.maker.file("twin"))
        if not twin.directory.exists():
            root = forge.load(self.maker.file("root.key"), self.maker.file("root.crt"))
            made = certs.make_ca("Maker Twin", root, path_length=0)
            made.write(twin.directory, "issuing", with_root=True)
        return twin

    def some_certificate(self):
        """A registrar's certificate that has nothing to do with any party of a test."""
        return self.other_domain.registrar.der

    def folder(self, name):
        path = self.directory / name
        path.mkdir(parents=True, exist_ok=True)
        return path


def alternative_names(host):
    """subjectAltName of a server reached by this name or address, and on loopback."""
    names = ["DNS:localhost", "IP:127.0.0.1", "IP:::1"]
    kind = "IP" if host.replace(".", "").isdigit() or ":" in host else "DNS"
    if f"{kind}:{host}" not in names:
        names.append(f"{kind}:{host}")
    return ",".join(names)
