# SPDX-License-Identifier: Apache-2.0
"""The stage of one story: its place, certificates, parts and devices, from the beginning to the end."""
import itertools
import pathlib
import re
import struct
import threading
import time

from conformance.core import Broken

from . import cast, hosts, liars
from .evidence import Captures
from .links import Line
from .programs import BUILD

RUNS = {"brski-masa": cast.Masa, "brski-registrar": cast.Registrar, "proxy": cast.Proxy,
        "the suite's MASA": liars.LyingMasa, "the suite's registrar": liars.LyingRegistrar,
        "registrar with vouchers fetched ahead": liars.PreparedRegistrar,
        "man in the middle": liars.ManInTheMiddle, "tampering proxy": liars.Tamperer}
MASAS = (cast.Masa, liars.LyingMasa)
FIRST = ("brski-masa", "the suite's MASA")  # registrars and devices are told where they are


class Stage:
    def __init__(self, story, folder, place_kind, captures=None):
        self.story, self.data = story, story.data
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        lines = [Line(tuple(link["between"]), **{k: v for k, v in link.items() if k != "between"})
                 for link in self.data.get("links", [])]
        self.place = {"namespaces": hosts.Namespaces, "loopback": hosts.Loopback}[place_kind](
            lines, Captures(captures))
        self.clock = self.folder / "clock" if self.data.get("clock") else None
        self.parts, self.devices, self.makers, self.sites = {}, {}, {}, {}
        self.record = []      # [(seconds, what, shown, octets)], for the report
        self.began = time.monotonic()
        self.answers = {}     # of the suite's own pledges, by device
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()
        self.cuts = []        # durable steps at which the power was cut

    def note(self, what, shown="", octets=None):
        self.record.append((time.monotonic() - self.began, what, shown, octets))

    # -- who is there

    def set(self):
        if self.clock:
            self.set_clock(0)
        self.makers = {n: cast.Maker(self.folder, n, s or {}) for n, s in self.data["makers"].items()}
        self.sites = {n: cast.Site(self.folder, n, s or {}) for n, s in self.data["sites"].items()}
        self._make_devices()
        self.place.join_declared()
        named = self.data["parts"]
        for name in sorted(named, key=lambda n: named[n]["runs"] not in FIRST):
            kind = RUNS.get(named[name]["runs"])
            if kind is None:
                raise Broken(f"{name}: nothing runs {named[name]['runs']!r}; known are {', '.join(RUNS)}")
            self.parts[name] = kind(self, name, named[name])
        for part in self.parts.values():
            if hasattr(part, "prepare"):
                part.prepare()
        self._introduce()
        waiting = [n for n, s in named.items() if s.get("waits") or s["runs"] == "proxy"]
        self.start(n for n in self.parts if n not in waiting and isinstance(self.parts[n], liars.LyingMasa))
        self._make_idevids()
        self.start(n for n in self.parts if n not in waiting and not isinstance(self.parts[n], liars.LyingMasa))
        for group in self.devices.values():
            for device in group:
                device.configure()

    def _introduce(self):
        """Every registrar finds every MASA."""
        masas = [p for p in self.parts.values() if isinstance(p, MASAS)]
        for part in self.parts.values():
            if isinstance(part, (cast.Registrar, liars.LyingRegistrar)):
                for masa in masas:
                    self.place.reach(part.host, masa.host, getattr(masa, "port", 0), "tcp")

    def start(self, names):
        for name in names:
            self.note(f"start {name}")
            self.parts[name].start()

    def _make_devices(self):
        for name, settings in self.data["devices"].items():
            count = settings.get("count", 1)
            name_of_one = settings.get("serial", name)
            serials = [f"{name}-{n}" for n in range(1, count + 1)] if count > 1 else [name_of_one]
            self.devices[name] = [cast.Device(self, name, serial, settings) for serial in serials]

    def _make_idevids(self):
        for name, group in self.devices.items():
            if "copy_of" not in self.data["devices"][name]:
                self.make_idevids(group)

    def make_idevids(self, group):
        cast.make_idevids(group[0].maker, [d.serial for d in group], self.masa_url(group[0]),
                          group[0].settings.get("key_type"), self.folder)

    def fresh(self, name):
        """One more device of the group, that nobody has seen."""
        model = self.devices[name][0]
        device = cast.Device(self, name, f"{name}-x{next(self.numbers)}", model.settings)
        with self.lock:
            self.make_idevids([device])
            masa = self.masa_of(device)
            if isinstance(masa, cast.Masa):
                masa.learn([device])
        device.configure()
        return device

    # -- who reaches whom

    def registrar_of(self, device):
        """The first one it asks, behind a proxy perhaps."""
        asks = device.settings.get("asks") or []
        part = self.parts[asks[0]] if asks else next(iter(self.parts.values()))
        to = getattr(part, "settings", {}).get("to")
        return self.parts[to] if to else part

    def masa_of(self, device):
        wanted = next((p.settings for p in self.parts.values() if getattr(p, "settings", None)
                       and device.maker.name in p.settings.get("masas_of", {})), {})
        maker = self.makers[wanted.get("masas_of", {}).get(device.maker.name, device.maker.name)]
        found = [p for p in self.parts.values() if isinstance(p, MASAS) and p.maker is maker]
        if not found:
            raise Broken(f"nobody runs a MASA of {maker.name}")
        return found[0]

    def masa_address(self, client_host, device):
        masa = self.masa_of(device)
        if not getattr(masa, "port", 0):
            raise Broken(f"{masa.name} has no port yet")
        return self.place.reach(client_host, masa.host, masa.port, "tcp")

    def masa_url(self, device):
        return self.masa_address(self.registrar_of(device).host, device)

    def url(self, client_host, name, over):
        part = self.parts[name]
        port, kind = part.ports(over)
        return f"{over}://{self.place.reach(client_host, part.host, port, kind)}"

    def filled(self, host, sections):
        """`{interface to HOST}` in a part's configuration is the name of its interface there."""
        def fill(value):
            return re.sub(r"\{interface to ([^}]+)\}", lambda m: self.place.interface(host, m[1]), value) \
                if isinstance(value, str) else value
        return {section: {k: fill(v) for k, v in keys.items()} for section, keys in (sections or {}).items()}

    def group(self, names):
        return [device for name in names for device in self.devices[name]]

    # -- time

    def clock_env(self):
        if not self.clock:
            return {}
        library = BUILD / "tools" / "clock.so"
        if not library.exists():
            raise Broken(f"{library} is not built")
        return {"LD_PRELOAD": str(library), "CLOCK_OFFSET_FILE": str(self.clock),
                "ASAN_OPTIONS": "verify_asan_link_order=0"}

    def set_clock(self, offset_s):
        self.offset = int(offset_s)
        with open(self.clock, "r+b" if self.clock.exists() else "wb") as out:
            out.write(struct.pack("q", self.offset))

    # -- the end

    def logs(self):
        """Everything that was written, by file."""
        for name, part in self.parts.items():
            if isinstance(part, liars.Peer):
                (self.folder / f"{name}.log").write_text(part.log())
        return {str(path.relative_to(self.folder)): path.read_text(errors="replace")
                for path in sorted(self.folder.rglob("*.log"))}

    def strike(self):
        """End everything. Sentences about who did not end well."""
        faults = []
        for group in self.devices.values():
            for device in group:
                if device.process and device.process.alive():
                    device.process.kill()
        for part in reversed(list(self.parts.values())):
            fault = part.stop()
            if fault:
                faults.append(fault)
        self.place.__exit__()
        return faults


