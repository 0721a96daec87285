# SPDX-License-Identifier: Apache-2.0
"""The implementation under test: where it is, what it trusts, how an admin is played.

A target file (TOML):

    name = "our registrar"
    role = "registrar"                    # registrar, masa, pledge, proxy, cloud, agent or prm-…
    profiles = ["rfc8995", "est"]         # what it means to implement; all of them when left out
    also = ["CLOUD-PLG-003"]              # … and rows of other profiles

    [address]                             # where it listens; {port:NAME}: a free port of our choice
    https = "127.0.0.1:{port:https}"
    coaps = "127.0.0.1:{port:coaps}"
    http = "127.0.0.1:{port:http}"        # a pledge in responder mode
    jpy = "127.0.0.1:{port:jpy}"          # a registrar: for stateless join proxies
    discovery = "127.0.0.1:5683"          # a registrar: answers questions in plain CoAP,
    discovery_group = "[ff02::fd%eth0]:5683"  # and those to the group

    [suite]                               # where the suite's own servers listen, as the target sees them
    host = "localhost"                    # name or address in IDevIDs and in URLs for a pledge
    bind = "127.0.0.1"
    masa_port = 0                         # 0: any
    flood_s = 60                          # how often a registrar's operator has it flood in GRASP

    [trust]                               # files the target's own side is known by
    voucher_anchors = "…/root.crt"        # a MASA: verifies its vouchers
    domain_ca = "…/domain.crt"            # a registrar: what its vouchers have to pin

    [run]                                 # optional: without it the target is expected to be running
    start = "python3 start.py {state} …"  # in the foreground; ended with SIGTERM
    variants = ["known-owner"]            # other values of {variant}; the usual one is "plain"
    log = "/var/log/acme.log"             # where it logs, when that is not what it writes to its outputs
    ready = "listening"                   # what it writes when it is up; else a TCP address has to answer

    [lacks]                               # what it cannot do, and says so; the reason is shown
    dtls13 = "its library has none"

    [pledge]
    coaps = true                          # it can join over CoAPS

    [device]                              # a pledge whose IDevID the suite cannot choose
    key = "idevid.key"
    certificate = "idevid.crt"
    masa_key = "signer.key"               # what its vouchers are signed with
    masa_certificate = "signer.crt"

    [do]                                  # what an admin does, as shell commands; exit code 0 is success
    approve = "ctl approve {serial}"

Every command may use {state} (a folder of this run), {lab} (the suite's folder of keys and certificates),
{variant}, {here} (the folder of the target file), {port:NAME}, {multicast} (an interface where a group of
the link can be asked, or nothing), and what its action is about: see docs of each trial. The environment has BUILD as the caller set it.
"""
import contextlib
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import tempfile
import time
import tomllib
import urllib.parse

from brski_peer.ports import free_port

from .core import PROFILES, ROLES, Broken, Skipped

LOG = "target.log"
START_TIMEOUT_S = 20
STOP_TIMEOUT_S = 10
COMMAND_TIMEOUT_S = 60
FILE_MAX = 1 << 30   # octets of a file that the target or a command writes; SIGXFSZ ends what writes more
COMMAND_FILE_MAX = 64 << 20
END_SHOWN = 400      # characters from either end of what a failing command wrote
SAID_MAX = 1 << 20   # of what a command wrote that are looked at, and of the log during one check
ULIMIT_BLOCK = 512   # octets, by POSIX
URL_PORTS = {"https": 443, "coaps": 5684, "http": 80}
ENTRIES = {"name": str, "role": str, "profiles": list, "also": list, "address": dict, "suite": dict, "trust": dict,
           "run": dict, "lacks": dict, "pledge": dict, "agent": dict, "cloud": dict, "device": dict, "do": dict}
KINDS = {str: "a text", list: "a list", dict: "a table"}
EXTENSIONS = ("jws", "ae", "discovery")
REACH_S = 10         # for a target that runs already
_ADDRESS = re.compile(r".+:(\d+|\{port:\w+\})(/.*)?")
_PLACE = re.compile(r"\{port:(\w+)\}|\{(\w+)\}")


def multicast_interface():
    """Where a group of a link can be asked: an interface with a link-local address; "" without one."""
    try:
        lines = pathlib.Path("/proc/net/if_inet6").read_text().split("\n")
    except OSError:
        return ""
    return next((words[5] for line in lines if (words := line.split()) and words[0].startswith("fe80")), "")


def begin_shell(command, out, file_max=FILE_MAX):
    """A command in a group of its own, everything it writes to this file."""
    limit = f"ulimit -f {file_max // ULIMIT_BLOCK} || :; "
    return subprocess.Popen(["/bin/sh", "-c", limit + command], stdout=out, stderr=out,
                            stdin=subprocess.DEVNULL, start_new_session=True)


def end_group(process, how):
    """The process, and what it has started that is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, how)
    process.wait()


def both_ends(said):
    """Of what a command wrote: a usage is long, and its fault stands before or behind it."""
    said = said.strip()
    return said if len(said) <= 2 * END_SHOWN else f"{said[:END_SHOWN]}\n…\n{said[-END_SHOWN:]}"


def wait_until(condition, what, timeout=START_TIMEOUT_S):
    """Poll until condition() is true and return its value; Broken when time is up."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise Broken(f"waited {timeout:g} s in vain for {what}")
        time.sleep(0.02)
    return value


def read_target(path, asked=()):
    """A Target from its file, or from an address: https://host:port or coaps://host:port. An address does
    not say which extensions are meant: those of the profiles that are asked for."""
    text = str(path)
    if "://" in text:
        profiles = [p for p in PROFILES if p in asked or p not in EXTENSIONS]
        return Target({"name": text, "address": address_of(text), "profiles": profiles}, pathlib.Path("."))
    with open(path, "rb") as f:
        try:
            settings = tomllib.load(f)
        except ValueError as e:
            raise Broken(f"{path} is no target file: {e}") from e
    for fault in faults(settings):
        raise Broken(f"{path}: {fault}")
    return Target(settings, pathlib.Path(path).resolve().parent)


def address_of(url):
    """The entry of [address] that a URL is; its path does not matter."""
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port or URL_PORTS.get(parts.scheme)
    except ValueError as e:
        raise Broken(f"{url}: {e}") from e
    if parts.scheme not in URL_PORTS or not parts.hostname:
        raise Broken(f"{url} is no address: {', '.join(f'{s}://host:port' for s in URL_PORTS)} are")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return {parts.scheme: f"{host}:{port}"}


def faults(settings):
    """Sentences about what a target file says and nobody would understand."""
    for name, value in settings.items():
        if name not in ENTRIES:
            yield f"there is no entry {name!r}; there are {', '.join(ENTRIES)}"
        elif not isinstance(value, ENTRIES[name]):
            yield f"{name} has to be {KINDS[ENTRIES[name]]}"
    if settings.get("role", ROLES[0]) not in ROLES:
        yield f"there is no role {settings['role']!r}; there are {', '.join(ROLES)}"
    for profile in settings.get("profiles", ()):
        if profile not in PROFILES:
            yield f"there is no profile {profile!r}; there are {', '.join(PROFILES)}"
    for kind, text in settings.get("address", {}).items():
        if not _ADDRESS.fullmatch(str(text)):
            yield f"address.{kind} is {text!r}, which is no host:port"


class Target:
    """What the file says, before anything runs. begin() makes it an Instance."""

    def __init__(self, settings, here):
        self.settings, self.here = settings, here
        self.name = settings.get("name", "target")
        self.role = settings.get("role")
        self.profiles = set(settings.get("profiles", PROFILES))
        self.also = set(settings.get("also", ()))
        suite = settings.get("suite", {})
        self.suite_host = suite.get("host", "localhost")
        self.suite_bind = suite.get("bind", "127.0.0.1")
        self.suite_masa_port = suite.get("masa_port", 0)
        self.variants = settings.get("run", {}).get("variants", [])

    def means_to(self, check):
        """Is it of a profile or a row that the target implements?"""
        return bool(self.profiles & set(check.profiles) or self.also & set(check.rows))

    def has_variant(self, variant):
        return variant == "plain" or variant in self.variants

    def begin(self, folder, lab, variant="plain", **words):
        """Start it with everything of this run in folder; words: what else its commands may name.
        Returns the Instance."""
        instance = Instance(self, folder, lab, variant, words)
        try:
            instance.start()
        except BaseException:  # interrupted, too: nothing stays behind
            instance.stop()
            raise
        return instance

    def runs_already(self):
        return "start" not in self.settings.get("run", {})


class Instance:
    """A target that runs: addresses to talk to, actions to ask of its admin."""

    def __init__(self, target, folder, lab, variant="plain", words=None):
        self.target, self.lab, self.variant, self.words = target, lab, variant, words or {}
        self.state = pathlib.Path(folder).resolve()
        self.state.mkdir(parents=True, exist_ok=True)
        self.ports = {}
        self.process = None
        self.log_path = self.state / LOG  # of its outputs, and of what its admin does

    @property
    def name(self):
        return self.target.name

    # -- words in commands

    def fill(self, text, **words):
        known = {"state": self.state, "lab": self.lab.directory, "variant": self.variant,
                 "here": self.target.here, "multicast": multicast_interface(), **self.words, **words}

        def place(match):
            port, word = match.groups()
            if port:
                return str(self.ports.setdefault(port, None) or self._new_port(port))
            if word not in known:
                raise Broken(f"the target file uses {{{word}}}, which means nothing here: {text}")
            return str(known[word])
        return _PLACE.sub(place, text)

    def _new_port(self, name):
        self.ports[name] = free_port()
        return self.ports[name]

    # -- addresses and files

    def address(self, kind):
        """(host, port) of "https", "coaps", …; Skipped when the target has none."""
        text = self.target.settings.get("address", {}).get(kind)
        if text is None:
            raise Skipped(f"the target has no {kind} address")
        host, _, port = self.fill(text).rpartition(":")
        return host.strip("[]"), int(port.split("/")[0])

    def known_ports(self):
        """Where it listens, and what else it was given."""
        return {self.address(kind)[1] for kind in self.target.settings.get("address", {})} | set(self.ports.values())

    def file(self, name):
        """A file of [trust]; Skipped when the target file names none."""
        text = self.target.settings.get("trust", {}).get(name)
        if text is None:
            raise Skipped(f"the target file does not say trust.{name}")
        path = pathlib.Path(self.fill(text))
        return path if path.is_absolute() else self.target.here / path

    # -- actions

    def can(self, action):
        return action in self.target.settings.get("do", {})

    def do(self, action, **words):
        """Play the admin. Skipped when the target file has no such action, Broken when it fails."""
        code, said = self.attempt(action, **words)
        if code:
            command = self.target.settings["do"][action]
            raise Broken(f"do.{action} of the target file ends with {code}: {command}\n{both_ends(said)}")
        return said

    def attempt(self, action, **words):
        """The same for what may end either way: (exit code, output)."""
        text = self.target.settings.get("do", {}).get(action)
        if text is None:
            raise Skipped(f"the target file has no command for {action!r}")
        return self.run(self.fill(text, **{k: shlex.quote(str(v)) for k, v in words.items()}))

    def run(self, command, timeout=COMMAND_TIMEOUT_S):
        """A shell command to its end: (exit code, output); the output goes to the log too. What it starts
        and leaves behind may live on, unless its time is up."""
        with tempfile.TemporaryFile(dir=self.state) as out:
            process = begin_shell(command, out, COMMAND_FILE_MAX)
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired as e:
                raise Broken(f"no end within {timeout} s; an action has to end by itself, a pledge that is refused "
                             f"with an exit code that is not 0: {command}") from e
            finally:
                if process.returncode is None:
                    end_group(process, signal.SIGKILL)
            out.seek(0)
            said = out.read(SAID_MAX).decode(errors="replace")
        with open(self.log_path, "a", encoding="utf-8") as log:
            log.write(f"$ {command}\n{said}exit {code}\n")
        return code, said

    # -- life

    def start(self):
        command = self.target.settings.get("run", {}).get("start")
        if command is None:
            return
        with open(self.log_path, "ab") as log:
            self.process = begin_shell("exec " + self.fill(command), log)
        wait_until(self._listening, f"{self.name} to listen; its log is {self.log_path}")

    def reach(self):
        """Is a target there that runs already? Broken when not; datagrams do not tell."""
        for kind in {"https", "circuit"} & set(self.target.settings.get("address", {})):
            host, port = self.address(kind)
            try:
                socket.create_connection((host, port), timeout=REACH_S).close()
            except OSError as e:
                raise Broken(f"nobody answers at {host}:{port} ({e.strerror or e}): start the target, or let the "
                             "suite start it ([run] start in a target file)") from e

    def _listening(self):
        if self.process.poll() is not None:
            raise Broken(f"{self.name} ended with {self.process.returncode}: {self.log()[-1500:]}")
        ready = self.target.settings.get("run", {}).get("ready")
        if ready:
            return ready in self.log()
        has = self.target.settings.get("address", {})
        kind = next((k for k in ("https", "http", "circuit") if k in has), None)
        if kind is None:
            return True
        try:
            with socket.create_connection(self.address(kind), timeout=1):
                return True
        except OSError:
            return False

    def stop(self):
        """SIGTERM, then SIGKILL. Says what went wrong, or None."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return f"{self.name} did not end on SIGTERM"
        finally:
            end_group(self.process, signal.SIGKILL)
        return f"{self.name} ended with {code}: {self.log()[-1500:]}" if code else None

    def ended(self):
        """The exit code of a target that the suite has started and not stopped; None while it runs."""
        return self.process and self.process.poll()

    def _log_file(self):
        named = self.target.settings.get("run", {}).get("log")
        return pathlib.Path(self.fill(named)) if named else self.log_path

    def log_size(self):
        """Octets that the target has written until now."""
        path = self._log_file()
        return path.stat().st_size if path.exists() else 0

    def log(self, since=0):
        """What it has written since then, the last of it where it is very much."""
        size = self.log_size()
        if not size:
            return ""
        with open(self._log_file(), "rb") as f:
            f.seek(max(since, size - SAID_MAX))
            return f.read(SAID_MAX).decode(errors="replace")
