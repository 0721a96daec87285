# SPDX-License-Identifier: Apache-2.0
"""Who plays in a story: makers and sites with their certificates (of brski-certs), devices with their
IDevIDs, and the programs of this repository that run for them. Liars are in liars.py."""
import pathlib
import re

from brski_peer import certs as forge_certs
from brski_peer import forge

from conformance.core import Broken
from conformance.target import free_port

from .programs import Daemon, Process, certs, merged, program, run, soon, write_conf

JOINED = 0
ENDS = ("joined", "failed", "usage", "refused", "unreachable", "bad voucher", "still pending", "not enrolled")
ANY_ADDRESS = "loopback,global,private"


class Maker:
    """A manufacturer: root, issuing CA, the identities of its MASA."""

    def __init__(self, folder, name, settings):
        self.name, self.directory = name, folder / name
        types = ["--key-type", settings["key_type"]] if "key_type" in settings else []
        certs("manufacturer", "--out", self.directory, "--name", name, *types)
        self.anchors = self.directory / "root.crt"

    def masa_identity(self, names):
        if not (self.directory / "masa").exists():
            certs("masa", "--ca", self.directory, "--out", self.directory / "masa", "--san", names)

    @property
    def signer_anchor(self):
        """A constrained voucher brings no certificates: its device has the signer's built in."""
        return self.directory / "masa" / "masa-signer.crt"


class Site:
    """A domain: root, issuing CA, the identity of its registrar."""

    def __init__(self, folder, name, settings):
        self.name, self.directory = name, folder / name
        self.types = ["--key-type", settings["key_type"]] if "key_type" in settings else []
        certs("domain", "--out", self.directory, "--name", name, *self.types)
        self.issuer, self.chain = "issuing", self.directory / "root.crt"

    def file(self, name):
        return self.directory / name

    def identity(self, part, names):
        """The files of a registrar of this site, made for the part."""
        out = self.directory / part
        if not out.exists():
            certs("registrar", "--ca", self.directory, "--out", out, "--san", names, *self.types)
        return out / "registrar.key", out / "registrar.crt"

    def roll_over(self):
        """A new issuing CA below the same root; certificates of the old one stay good."""
        root = forge.load(self.file("root.key"), self.file("root.crt"))
        made = forge_certs.make_ca(f"{self.name} second issuing CA", root, path_length=0)
        old, self.issuer = self.issuer, "second"
        made.write(self.directory, self.issuer)
        self.chain = self.file("chain.crt")
        self.chain.write_bytes(self.file(f"{old}.crt").read_bytes() + self.file("root.crt").read_bytes())

    def issuer_names(self, which=None):
        """Of the first or second issuing CA; of whichever there are."""
        names = {"first": ["issuing"], "second": ["second"], None: ["issuing", self.issuer]}[which]
        files = [self.file(f"{name}.crt") for name in names]
        return {forge.load_certs(path)[0].subject for path in files if path.exists()}


class Device:
    """One device: serial, IDevID, and what became of its runs of brski-pledge."""

    def __init__(self, stage, group, serial, settings):
        self.stage, self.group, self.serial, self.settings = stage, group, serial, settings
        self.host = settings.get("host", "hall")
        self.maker = stage.makers[settings.get("maker", "acme")]
        self.folder = stage.folder / (group if "serial" in settings else serial)
        self.state = self.folder / "state"
        self.process = None
        self.code = self.seconds = None

    def certificate_files(self):
        original = self.settings.get("copy_of")
        if original:
            source = self.stage.devices[original][0]
            if not self.settings.get("other_key"):
                return source.certificate_files()
            made = forge.idevid(self.folder, source.serial, self.stage.masa_url(source), self.maker)
            return made.key_path, made.cert_path
        where = self.maker.directory / "devices"
        return where / f"{self.serial}.key", where / f"{self.serial}.crt"

    @property
    def identity(self):
        return forge.load(*self.certificate_files())

    def configure(self):
        """Its configuration file, once everybody's addresses are known."""
        self.folder.mkdir(exist_ok=True)
        key, certificate = self.certificate_files()
        over = self.settings.get("over", "https")
        anchors = self.maker.signer_anchor if over == "coaps" else self.maker.anchors
        urls = [self.stage.url(self.host, name, over) for name in self.settings.get("asks", [])]
        sections = {
            "device": {"idevid_key": key, "idevid_certificate": certificate, "masa_anchors": anchors,
                       "state_dir": self.state},
            "registrars": {"urls": " ".join(urls)},
            "policy": {"revocation_addresses": "loopback global private"},
            "retry": {"attempts": 1, "backoff_min": "1s", "backoff_max": "1s", "retry_after_max": "1s",
                      "timeout": "10s", "connect_timeout": "5s"},
        }
        changes = self.stage.filled(self.host, self.settings.get("conf"))
        self.conf = write_conf(self.folder / "pledge.conf", merged(sections, changes))

    def command(self, verb, *words, env=None):
        argv = [program("brski-pledge"), verb, "-c", self.conf, "-v", *words]
        return Process(self.stage.place, self.host, argv, self.folder / "pledge.log",
                       {**self.stage.clock_env(), **(env or {})})

    def log(self):
        path = self.folder / "pledge.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def certificate(self):
        path = self.state / "current" / "ldevid.crt"
        return forge.load_certs(path)[0] if path.exists() else None

    def voucher(self):
        for name in ("voucher.vcj", "voucher.vch"):
            if (self.state / "current" / name).exists():
                return (self.state / "current" / name).read_bytes()
        raise Broken(f"{self.serial} has no voucher")


class Masa(Daemon):
    """brski-masa for one maker."""

    def __init__(self, stage, name, settings):
        self.stage, self.maker = stage, stage.makers[settings.get("maker", "acme")]
        self.port = free_port()
        folder = stage.folder / name
        folder.mkdir()
        host = settings.get("host", name)
        self.maker.masa_identity(stage.place.names_of(host))
        masa, self.socket = self.maker.directory / "masa", folder / "admin"
        trusted = folder / "devices.crt"
        trusted.write_bytes(b"".join(stage.makers[m].anchors.read_bytes()
                                     for m in settings.get("devices_of", [self.maker.name])))
        sections = {
            "server": {"listen": f"{stage.place.everywhere}:{self.port}", "key": masa / "masa-tls.key",
                       "certificate": masa / "masa-tls.crt", "workers": 1},
            "store": {"path": folder / "masa.db"}, "log": {"level": "debug"}, "admin": {"socket": self.socket},
            "signer": {"key": masa / "masa-signer.key", "certificate": masa / "masa-signer.crt"},
            "devices": {"anchors": trusted}, "policy": {"ownership": "audit-only"},
        }
        conf = write_conf(folder / "masa.conf", merged(sections, settings.get("conf")))
        super().__init__(stage.place, host, name, [program("brski-masa"), "-c", conf], folder,
                         stage.clock_env())

    def ctl(self, *words):
        return run(program("masactl"), "-s", self.socket, *words)

    def start(self):
        """With its maker's devices, and who owns them, in its inventory."""
        super().start()
        known = [d for group in self.stage.devices.values() for d in group
                 if d.maker is self.maker and d.settings.get("known", True) and "copy_of" not in d.settings]
        self.learn(known)
        return self

    def learn(self, devices):
        owners = sorted({d.settings["owner"] for d in devices if "owner" in d.settings})
        for owner in owners:
            self.must("owners", "add", owner, self.stage.sites[owner].file("root.crt"))
        if devices:
            path = self.stage.folder / f"{self.name}.csv"
            columns = "serial,owner" if owners else "serial"
            lines = [f"{d.serial},{d.settings.get('owner', '')}" if owners else d.serial for d in devices]
            path.write_text("\n".join([columns, *lines]) + "\n")
            self.must("devices", "import", path)

    def must(self, *words):
        done = self.ctl(*words)
        if done.returncode:
            raise Broken(f"masactl {' '.join(map(str, words))}: {done.stdout}{done.stderr}")


class Registrar(Daemon):
    """brski-registrar of one site."""

    def __init__(self, stage, name, settings):
        self.stage, self.settings = stage, settings
        self.site = stage.sites[settings.get("site", "home")]
        self.folder = stage.folder / name
        self.folder.mkdir()
        self.port, self.coaps_port, self.jpy_port = free_port(), free_port(), free_port()
        self.socket = self.folder / "admin"
        host = settings.get("host", name)
        self.files = self.site.identity(name, stage.place.names_of(host))
        self.changes = [stage.filled(host, settings.get("conf"))]
        self.conf = self.folder / "registrar.conf"
        super().__init__(stage.place, host, name, [program("brski-registrar"), "-c", self.conf], self.folder,
                         stage.clock_env())
        self.write()

    def write(self):
        everywhere = self.place.everywhere
        key, certificate = self.files
        sections = {
            "server": {"listen": f"{everywhere}:{self.port}", "key": key, "certificate": certificate,
                       "workers": 1},
            "store": {"path": self.folder / "registrar.db"}, "log": {"level": "debug"},
            "admin": {"socket": self.socket},
            "ca": {"key": self.site.file(f"{self.site.issuer}.key"),
                   "certificate": self.site.file(f"{self.site.issuer}.crt"), "chain": self.site.chain},
            "policy": {"retry_after": "1s"},
            "masa": {"connect_timeout": "2s", "timeout": "3s", "addresses": ANY_ADDRESS},
        }
        if self.settings.get("coaps"):
            sections["coaps"] = {"listen": f"{everywhere}:{self.coaps_port}",
                                 "jpy_listen": f"{everywhere}:{self.jpy_port}"}
        for name, admit in self.settings.get("admits", {"acme": "all"}).items():
            sections[f"manufacturer {name}"] = self.manufacturer(name, admit)
        for changes in self.changes:
            sections = merged(sections, changes)
        write_conf(self.conf, sections)

    def manufacturer(self, name, admit):
        """admit: as the option, or the devices that are listed: "only lamp"."""
        maker = self.stage.makers[name]
        masa = self.stage.makers[self.settings.get("masas_of", {}).get(name, name)]
        keys = {"anchors": maker.anchors, "masa_anchors": masa.anchors, "admit": admit}
        only = re.fullmatch(r"only (\S+)", admit)
        if only:
            serials = self.folder / "serials.txt"
            serials.write_text("".join(f"{d.serial}\n" for d in self.stage.devices[only[1]]))
            keys.update(admit="listed", serials=serials)
        return keys

    def configure(self, changes):
        self.changes.append(changes)
        self.write()
        self.reload()

    def ctl(self, *words):
        return run(program("registrarctl"), "-s", self.socket, *words)

    def ports(self, over):
        return {"https": (self.port, "tcp"), "coaps": (self.coaps_port, "udp"), "jpy": (self.jpy_port, "udp")}[over]


class Proxy(Process):
    """`brski-pledge proxy` on a device that has joined. relay: circuit, stateful or stateless."""

    def __init__(self, stage, name, settings):
        self.stage, self.name, self.settings = stage, name, settings
        self.device = stage.devices[settings["device"]][0]
        self.port, self.coaps_port = free_port(), free_port()
        super().__init__(stage.place, self.device.host, [], stage.folder / f"{name}.log", stage.clock_env())

    @property
    def site(self):
        return self.stage.parts[self.settings["to"]].site

    def ports(self, over):
        return {"https": (self.port, "tcp"), "coaps": (self.coaps_port, "udp")}[over]

    def start(self):
        relay, to = self.settings.get("relay", "circuit"), self.settings["to"]
        kinds = {"circuit": ["https"], "stateful": ["coaps"], "stateless": ["jpy"]}[relay]
        urls = [self.stage.url(self.host, to, kind) for kind in kinds]
        coap = "off" if relay == "circuit" else relay
        options = {"listen": self.place.own_address(self.host), "registrars": " ".join(urls), "coap": coap,
                   "circuit": relay == "circuit", "https_port": self.port, "coaps_port": self.coaps_port,
                   "discovery_port": 0}
        proxy = merged({"proxy": options}, self.stage.filled(self.host, self.settings.get("conf")))
        conf = write_conf(self.stage.folder / f"{self.name}.conf", proxy)
        conf.write_text(self.device.conf.read_text() + "\n" + conf.read_text())
        self.argv = [program("brski-pledge"), "proxy", "-v", "-c", str(conf)]
        before = len(self.lines("event=proxy-ready"))
        super().start()
        if not soon(lambda: not self.alive() or len(self.lines("event=proxy-ready")) > before) or not self.alive():
            raise Broken(f"{self.name} did not start: {self.log()[-1000:]}")
        return self


def make_idevids(maker, serials, masa_url, key_type, folder):
    """All of a group at once."""
    table = folder / f"{maker.name}-serials.csv"
    table.write_text("\n".join(["serial", *serials]) + "\n")
    types = ["--key-type", key_type] if key_type else []
    certs("idevid", "--ca", maker.directory, "--out", maker.directory / "devices", "--masa-url", masa_url,
          "--csv", pathlib.Path(table), *types)
