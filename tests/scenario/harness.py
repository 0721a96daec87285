# SPDX-License-Identifier: Apache-2.0
"""What a scenario is made of: a Site (manufacturer, domain, MASA, registrar, devices, made by
brski-certs in a directory of its own) and the programs run in it as processes.

Every wait is a poll for a condition with a bound; every process is ended by its own pid and its
log is kept beside the configuration, to be printed when the test fails.
"""
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import time

import stores
from brski_peer.ports import free_port

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = (REPOSITORY / os.environ.get("BUILD", "build")).resolve()

# A sanitizer build is several times slower; waits end early when the condition holds.
PATIENCE = float(os.environ.get("BRSKI_TEST_PATIENCE", "20"))


ACCEPTS = "00010000"  # the kernel's __SO_ACCEPTCON


def program(name):
    return str(BUILD / name)


def wait_until(condition, what, timeout=None):
    """Poll until condition() is true and return its value; fail with `what` when time is up."""
    deadline = time.monotonic() + (timeout or PATIENCE)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout or PATIENCE:g} s in vain for: {what}")
        time.sleep(0.02)


def listening(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def accepts_at(pid, path):
    """The process, or another of its network's, takes connections at this Unix socket."""
    with open(f"/proc/{pid}/net/unix", encoding="utf-8", errors="replace") as sockets:
        rows = [line.split(maxsplit=7) for line in sockets]
    return any(row[7:] == [f"{path}\n"] or row[7:] == [str(path)] for row in rows if row[3] == ACCEPTS)


def run(*argv, timeout=60, env=None, check=None, cwd=None):
    """Run a program to its end; check=N demands that exit code."""
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=timeout,
                          env=dict(os.environ, **(env or {})), cwd=cwd)
    if check is not None and done.returncode != check:
        raise AssertionError(f"{' '.join(map(str, argv))}: exit {done.returncode}, not {check}\n"
                             f"{done.stdout}{done.stderr}")
    return done


class Process:
    """A program of ours running in the background with its output in a file."""

    known = []  # every one of this session, for the reports of failed tests

    def __init__(self, argv, log_path, env=None):
        Process.known.append(self)
        self.argv = [str(a) for a in argv]
        self.log_path = pathlib.Path(log_path)
        self.env = dict(os.environ, **(env or {}))
        self.popen = None

    def start(self):
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(self.argv, stdout=log, stderr=log, env=self.env,
                                          stdin=subprocess.DEVNULL)
        return self

    def alive(self):
        return self.popen is not None and self.popen.poll() is None

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_size(self):
        return len(self.log())

    def lines(self, pattern, since=0):
        return [line for line in self.log()[since:].splitlines() if re.search(pattern, line)]

    def wait_log(self, pattern, since=0, timeout=None):
        return wait_until(lambda: self.lines(pattern, since),
                          f"{pattern!r} in {self.log_path.name}", timeout)[0]

    def wait(self, timeout=None):
        return self.popen.wait(timeout or PATIENCE)

    def signal(self, number):
        if self.alive():
            os.kill(self.popen.pid, number)

    def stop(self, timeout=None):
        """SIGTERM, wait; SIGKILL when it does not go. Returns the exit code."""
        if self.popen is None:
            return None
        self.signal(signal.SIGTERM)
        try:
            return self.popen.wait(timeout or PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.argv[0]} did not end on SIGTERM")

    def kill(self):
        if self.popen is not None:
            self.signal(signal.SIGKILL)
            return self.popen.wait(10)
        return None


class Clock:
    """The offset a daemon's clock has from the system's (build/tools/clock.so)."""

    def __init__(self, path):
        self.path = path
        self.set(0)

    def set(self, offset_s):
        with open(self.path, "r+b" if self.path.exists() else "wb") as out:
            out.write(struct.pack("q", offset_s))

    def env(self):
        library = BUILD / "tools" / "clock.so"
        assert library.exists(), "make check builds it"
        return {"LD_PRELOAD": str(library), "CLOCK_OFFSET_FILE": str(self.path),
                "ASAN_OPTIONS": "verify_asan_link_order=0"}


class Daemon(Process):
    metrics = None  # the port it tells them on: the last that it opens
    socket = None   # its administrators'

    def __init__(self, name, directory, port, env=None):
        self.directory = pathlib.Path(directory)
        self.config = self.directory / f"{name}.conf"
        self.port = port
        super().__init__([program(f"brski-{name}"), "-c", self.config],
                         self.directory / f"{name}.log", env)

    def start(self):
        super().start()

        def up():
            if not self.alive():
                raise AssertionError(f"{self.argv[0]} ended with {self.popen.returncode}:\n{self.log()}")
            return (listening(self.port) and (not self.socket or accepts_at(self.popen.pid, self.socket))
                    and (not self.metrics or listening(self.metrics)))
        try:
            wait_until(up, f"{self.argv[0]} listening on {self.port}")
        except BaseException:
            self.kill()  # or it would stay, and have the port
            raise
        return self

    def restart(self):
        self.stop()
        return self.start()


def write_conf(path, sections):
    """sections: {"server": {"listen": …}, …}; a value of None leaves the key out."""
    text = []
    for section, keys in sections.items():
        text.append(f"[{section}]")
        text += [f"{key} = {value}" for key, value in keys.items() if value is not None]
        text.append("")
    path.write_text("\n".join(text))
    return path


def merged(base, changes):
    """base with the keys of changes laid over it, section by section."""
    out = {section: dict(keys) for section, keys in base.items()}
    for section, keys in (changes or {}).items():
        if keys is None:
            out.pop(section, None)
        else:
            out.setdefault(section, {}).update(keys)
    return out


# A daemon is held to one TLS version by the library's own configuration file.
TLS_VERSION_CONF = """openssl_conf = conf
[conf]
ssl_conf = ssl
[ssl]
system_default = tls
[tls]
MinProtocol = {version}
MaxProtocol = {version}
"""


class Manufacturer:
    """A manufacturer: root, issuing CA, MASA identities, and the IDevIDs it has made."""

    def __init__(self, directory, name="Acme", key_type=None):
        self.directory = pathlib.Path(directory)
        self.name = name
        self.key_type = key_type
        args = ["--key-type", key_type] if key_type else []
        run(program("brski-certs"), "manufacturer", "--out", self.directory, "--name", name, *args,
            check=0)
        run(program("brski-certs"), "masa", "--ca", self.directory, "--out", self.directory / "masa",
            check=0)

    @property
    def anchors(self):
        return self.directory / "root.crt"

    def file(self, name):
        return self.directory / name

    def idevid(self, serial, masa_url, key_type=None, where=None, model=None):
        out = pathlib.Path(where or self.directory / "devices")
        args = (["--key-type", key_type] if key_type else []) + (["--model", model] if model else [])
        run(program("brski-certs"), "idevid", "--ca", self.directory, "--out", out,
            "--masa-url", masa_url, "--serial", serial, *args, check=0)
        return out / f"{serial}.key", out / f"{serial}.crt"


class Domain:
    """A site's own CA and its registrar's certificate."""

    def __init__(self, directory, name="Example Site", key_type=None):
        self.directory = pathlib.Path(directory)
        args = ["--key-type", key_type] if key_type else []
        run(program("brski-certs"), "domain", "--out", self.directory, "--name", name, *args, check=0)
        self.registrar_dir = self.directory / "registrar"
        self.registrar_identity()

    def registrar_identity(self, where=None, key_type=None, san=None):
        out = pathlib.Path(where or self.registrar_dir)
        args = (["--key-type", key_type] if key_type else []) + (["--san", san] if san else [])
        run(program("brski-certs"), "registrar", "--ca", self.directory, "--out", out, *args, check=0)
        return out / "registrar.key", out / "registrar.crt"

    def file(self, name):
        return self.directory / name


class Masa(Daemon):
    def __init__(self, directory, manufacturer, port=None, changes=None):
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        self.manufacturer = manufacturer
        self.socket = directory / "masa.sock"
        super().__init__("masa", directory, port or free_port())
        masa = manufacturer.directory / "masa"
        base = {
            "server": {"listen": f"127.0.0.1:{self.port}", "key": masa / "masa-tls.key",
                       "certificate": masa / "masa-tls.crt", "workers": 1},
            "store": {"path": stores.path(directory, "masa")},
            "log": {"level": "debug"},
            "admin": {"socket": self.socket},
            "signer": {"key": masa / "masa-signer.key", "certificate": masa / "masa-signer.crt"},
            "devices": {"anchors": manufacturer.anchors},
            "policy": {"ownership": "audit-only"},
        }
        write_conf(self.config, merged(base, changes))

    def ctl(self, *args, check=0):
        return run(program("masactl"), "-s", self.socket, *args, check=check)

    def import_devices(self, rows):
        """rows: dicts with serial, and optionally idevid_issuer and owner."""
        columns = sorted({key for row in rows for key in row}, key=lambda k: (k != "serial", k))
        path = self.directory / "import.csv"
        lines = [",".join(columns)] + [",".join(str(row.get(c, "")) for c in columns) for row in rows]
        path.write_text("\n".join(lines) + "\n")
        return self.ctl("devices", "import", path)

    def audit(self, serial):
        return json.loads(self.ctl("audit", "show", serial, "-o", "json").stdout)


class Registrar(Daemon):
    """coaps: it serves constrained devices too, and join proxies on jpy_port."""

    coaps_port = jpy_port = None

    def __init__(self, directory, domain, manufacturers, port=None, changes=None, identity=None,
                 tls=None, coaps=False):
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        self.domain = domain
        self.socket = directory / "registrar.sock"
        env = {}
        if tls:
            env["OPENSSL_CONF"] = str(directory / "openssl.cnf")
            (directory / "openssl.cnf").write_text(TLS_VERSION_CONF.format(version=tls))
        super().__init__("registrar", directory, port or free_port(), env)
        key, certificate = identity or (domain.registrar_dir / "registrar.key",
                                        domain.registrar_dir / "registrar.crt")
        self.certificate = certificate
        base = {
            "server": {"listen": f"127.0.0.1:{self.port}", "key": key, "certificate": certificate,
                       "workers": 1},
            "store": {"path": stores.path(directory, "registrar")},
            "log": {"level": "debug"},
            "admin": {"socket": self.socket},
            "ca": {"key": domain.file("issuing.key"), "certificate": domain.file("issuing.crt"),
                   "chain": domain.file("root.crt")},
            "policy": {"retry_after": "1s"},
            "masa": {"connect_timeout": "1s", "timeout": "3s",
                     "addresses": "loopback,global,private"},
        }
        for m in manufacturers:
            base[f"manufacturer {m.name}"] = {"anchors": m.anchors, "masa_anchors": m.anchors,
                                              "admit": "all"}
        if coaps:
            self.coaps_port, self.jpy_port = free_port(), free_port()
            base["coaps"] = {"listen": f"127.0.0.1:{self.coaps_port}",
                             "jpy_listen": f"127.0.0.1:{self.jpy_port}"}
        write_conf(self.config, merged(base, changes))

    def start(self):
        """What devices speak by UDP is opened after what they speak by TCP."""
        mark = self.log_size()
        super().start()
        if self.coaps_port:
            self.wait_log("event=started", mark)
        return self

    def ctl(self, *args, check=0):
        return run(program("registrarctl"), "-s", self.socket, *args, check=check)

    def claims(self, state=None):
        args = ["--state", state] if state else []
        return json.loads(self.ctl("claims", "list", *args, "-o", "json").stdout)


class Pledge(Process):
    """brski-pledge with a configuration and a state directory of its own."""

    def __init__(self, directory, key, certificate, anchors, urls, changes=None):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.state = self.directory / "state"
        self.config = self.directory / "pledge.conf"
        base = {
            "device": {"idevid_key": key, "idevid_certificate": certificate,
                       "masa_anchors": anchors, "state_dir": self.state},
            "registrars": {"urls": " ".join(urls), "discover": "off"},
            "retry": {"attempts": 1, "backoff_min": "1s", "backoff_max": "1s",
                      "retry_after_max": "1s", "timeout": "10s", "connect_timeout": "2s"},
        }
        write_conf(self.config, merged(base, changes))
        super().__init__([program("brski-pledge"), "join", "-c", self.config, "-v"],
                         self.directory / "pledge.log")

    def command(self, verb, *args, timeout=60):
        """Run `brski-pledge VERB` to its end; output goes to the log too."""
        done = run(program("brski-pledge"), verb, "-c", self.config, "-v", *args,
                   timeout=timeout, env=self.env)
        with open(self.log_path, "a") as log:
            log.write(f"$ brski-pledge {verb} {' '.join(args)}\n{done.stdout}{done.stderr}"
                      f"exit {done.returncode}\n")
        return done

    def join(self, *args, timeout=60):
        return self.command("join", *args, timeout=timeout)


SANITIZERS = re.compile("AddressSanitizer|LeakSanitizer|runtime error:")


@contextlib.contextmanager
def running(*processes):
    """Start all, stop all in reverse order; each has to end well, under sanitizers without a word."""
    started, faults = [], []
    try:
        for p in processes:
            started.append(p.start())
        yield processes
    finally:
        for p in reversed(started):
            code = p.stop() if p.alive() else 0
            said = SANITIZERS.search(p.log())
            if code or said:
                faults.append(f"{p.argv[0]} ended with {code}:\n"
                              + (p.log()[said.start() - 200:][:6000] if said else p.log()[-2000:]))
    if faults:
        raise AssertionError("\n".join(faults))
