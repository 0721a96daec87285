# SPDX-License-Identifier: Apache-2.0
"""Programs of this repository as processes on the hosts of a story, and their configuration files."""
import os
import pathlib
import re
import signal
import subprocess
import time

from conformance.core import Broken

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = (REPOSITORY / os.environ.get("BUILD", "build")).resolve()
PATIENCE_S = float(os.environ.get("BRSKI_TEST_PATIENCE", "20"))
POLL_S = 0.02
SANITIZERS = re.compile("AddressSanitizer|LeakSanitizer|runtime error:")


def program(name):
    path = BUILD / name
    if not path.exists():
        raise Broken(f"{path} is not built")
    return str(path)


def soon(condition, patience=None):
    """The value of condition() as soon as it is true; the last one when it does not become true."""
    deadline = time.monotonic() + (PATIENCE_S if patience is None else patience)
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(POLL_S)


def environment(more=None):
    """What a program is started with; where keys are written down, its keys too."""
    env = {**os.environ, **(more or {})}
    library = BUILD / "tools" / "keylog.so"
    if "SSLKEYLOGFILE" in env and library.exists():
        env["LD_PRELOAD"] = " ".join([*env.get("LD_PRELOAD", "").split(), str(library)])
        env.setdefault("ASAN_OPTIONS", "verify_asan_link_order=0")  # in a build with sanitizers
    return env


def run(*argv, timeout=60, env=None):
    argv = [str(a) for a in argv]
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, errors="replace",
                              stdin=subprocess.DEVNULL, env=environment(env))
    except subprocess.TimeoutExpired as e:
        raise Broken(f"{' '.join(argv)} did not end within {timeout} s") from e


def certs(*words):
    """brski-certs; what it makes in a folder is not made twice."""
    done = run(program("brski-certs"), *words)
    if done.returncode:
        raise Broken(f"brski-certs {' '.join(map(str, words))}: {done.stderr.strip()}")


def merged(base, changes):
    """base with the sections and keys of changes laid over it; None takes a key out."""
    out = {section: dict(keys) for section, keys in base.items()}
    for section, keys in (changes or {}).items():
        out.setdefault(section, {}).update(keys or {})
    return {section: {k: v for k, v in keys.items() if v is not None} for section, keys in out.items()}


def written(value):
    """As the programs read it: YAML's booleans are yes and no."""
    return {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value


def write_conf(path, sections):
    lines = []
    for section, keys in sections.items():
        lines += [f"[{section}]", *(f"{key} = {written(value)}" for key, value in keys.items()), ""]
    path.write_text("\n".join(lines))
    return path


class Process:
    """A program on a host; what it writes goes into a file."""

    def __init__(self, place, host, argv, log_path, env=None):
        self.place, self.host, self.argv = place, host, [str(a) for a in argv]
        self.log_path = pathlib.Path(log_path)
        self.env = env if env is not None else {}
        self.popen = None
        self.peak_kib = 0

    def start(self):
        def begin():
            with open(self.log_path, "ab") as log:
                return subprocess.Popen(self.argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                        env=environment(self.env))
        self.popen = self.place.run(self.host, begin)
        return self

    def alive(self):
        return self.popen is not None and self.popen.poll() is None

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def lines(self, pattern):
        found = re.compile(pattern)
        return [line for line in self.log().splitlines() if found.search(line)]

    def wait(self, patience=PATIENCE_S):
        """The exit code."""
        try:
            return self.popen.wait(patience)
        except subprocess.TimeoutExpired as e:
            raise Broken(f"{pathlib.Path(self.argv[0]).name} did not end within {patience:g} s: "
                         f"{self.log()[-800:]}") from e

    def measure(self):
        """The most memory it has had so far, in KiB."""
        if self.alive():
            status = pathlib.Path(f"/proc/{self.popen.pid}/status").read_text()
            found = re.search(r"VmHWM:\s+(\d+)", status)
            self.peak_kib = max(self.peak_kib, int(found[1]) if found else 0)
        return self.peak_kib

    def signal(self, number):
        if self.alive():
            os.kill(self.popen.pid, number)

    def kill(self):
        if self.popen is not None:
            self.signal(signal.SIGKILL)
            self.popen.wait()

    def stop(self):
        """SIGTERM and its end. A sentence about what was wrong, or None."""
        if self.popen is None:
            return None
        name = self.log_path.stem
        ended = not self.alive()
        self.signal(signal.SIGTERM)
        try:
            code = self.popen.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
            return f"{name} did not end on SIGTERM"
        said = SANITIZERS.search(self.log())
        if said:
            return f"{name}: {self.log()[said.start() - 200:][:3000]}"
        if code:
            when = "by itself " if ended else ""
            return f"{name} ended {when}with {code}: {self.log()[-800:]}"
        return None


class Daemon(Process):
    """A registrar or MASA of ours. ready: the line of its log by which it says that it listens."""

    def __init__(self, place, host, name, argv, folder, env=None):
        super().__init__(place, host, argv, folder / f"{name}.log", env)
        self.name = name

    def start(self):
        before = len(self.lines("event=(started|listening) "))
        super().start()

        def up():
            return not self.alive() or len(self.lines("event=(started|listening) ")) > before
        if not soon(up) or not self.alive():
            raise Broken(f"{self.name} did not start: {self.log()[-1500:]}")
        return self

    def reload(self):
        before = len(self.lines("event=(reloaded|reload-failed)"))
        self.signal(signal.SIGHUP)
        soon(lambda: len(self.lines("event=(reloaded|reload-failed)")) > before)
        if len(self.lines("event=reloaded")) + len(self.lines("event=reload-failed")) <= before:
            raise Broken(f"{self.name} said nothing to SIGHUP")
