#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL to throw away, on loopback and a socket in its own folder.

    tests/tools/postgres.py installed        is there one at all? (exit code)
    tests/tools/postgres.py start FOLDER     make it when it is not there, start it, print its URI
    tests/tools/postgres.py stop FOLDER      shut it down
    tests/tools/postgres.py kill FOLDER      kill -9 it with all its processes
    tests/tools/postgres.py freeze FOLDER    every process of it stands still: it hangs, refuses nobody
    tests/tools/postgres.py thaw FOLDER

PostgreSQL does not run as root: then it is the user postgres, to whom the folder is given. The
superuser is "brski" with the password "sesame" over TCP, with none on the socket.
"""
import contextlib
import glob
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "interop"))
from brski_peer.ports import free_port  # noqa: E402 pylint: disable=wrong-import-position

START_S = 30
PASSWORD = "sesame"
# nothing here outlives the test: no flush is waited for, little memory is taken
SETTINGS = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "200", "listen_addresses": "127.0.0.1",
            "max_wal_size": "256MB", "autovacuum": "off", "logging_collector": "off", "max_wal_senders": "1",
            "wal_level": "replica", "jit": "off"}


def is_installed():
    return bool(binaries())


def binaries():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(re.search(r"/(\d+)/bin$", p).group(1)))
    return found[-1] if found else os.path.dirname(shutil.which("initdb") or "")


def as_owner(*command):
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *command]


class Postgres:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder).absolute()
        self.data = self.folder / "data"

    def make(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        secret = self.folder / "secret"
        secret.write_text(PASSWORD + "\n")
        secret.chmod(0o644)
        subprocess.run(as_owner(f"{binaries()}/initdb", "-D", str(self.data), "-U", "brski", "-E", "UTF8",
                                "--locale=C.UTF-8", "--auth-local=trust", "--auth-host=scram-sha-256",
                                f"--pwfile={secret}", "--no-sync", "--no-instructions"),
                       check=True, stdout=subprocess.DEVNULL, cwd="/")
        with open(self.data / "postgresql.conf", "a", encoding="ascii") as out:
            out.write(f"port = {free_port()}\nunix_socket_directories = '{self.folder}'\n")
            out.writelines(f"{key} = '{value}'\n" for key, value in SETTINGS.items())

    def port(self):
        return re.findall(r"^port = (\d+)", (self.data / "postgresql.conf").read_text(), re.M)[-1]

    def uri(self):
        """Over TCP, as hosts have it in real life."""
        return f"postgresql://brski:{PASSWORD}@127.0.0.1:{self.port()}/postgres"

    def answers(self):
        done = subprocess.run([f"{binaries()}/pg_isready", "-q", "-h", str(self.folder), "-p", self.port()])
        return done.returncode == 0

    def start(self):
        """What was killed may still be about to end: then the next try does it."""
        if not (self.data / "PG_VERSION").exists():
            self.make()
        end = time.monotonic() + START_S
        with open(self.folder / "log", "ab") as log:
            while True:
                server = subprocess.Popen(as_owner(f"{binaries()}/postgres", "-D", str(self.data)), stdout=log,
                                          stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, cwd="/")
                while server.poll() is None and time.monotonic() < end:
                    if self.answers():
                        return self
                    time.sleep(0.02)
                if time.monotonic() >= end:
                    raise SystemExit((self.folder / "log").read_text()[-2000:])
                time.sleep(0.1)

    def pid(self):
        try:
            return int((self.data / "postmaster.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None

    def processes(self):
        """The server, which stands still and has no more children from now on, and those it has."""
        first = self.pid()
        if first is None:
            return []
        with contextlib.suppress(ProcessLookupError):
            os.kill(first, signal.SIGSTOP)
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(first)], stdout=subprocess.PIPE, text=True)
        return [first, *map(int, children.stdout.split())]

    def signal(self, number):
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def stop(self):
        first = self.pid()
        self.thaw()
        if first is not None:
            try:
                os.kill(first, signal.SIGQUIT)
            except ProcessLookupError:
                return
        end = time.monotonic() + START_S
        while (self.data / "postmaster.pid").exists() and time.monotonic() < end:
            time.sleep(0.02)


def main(argv):
    if argv == ["installed"]:
        return 0 if is_installed() else 1
    if len(argv) != 2 or argv[0] not in ("start", "stop", "kill", "freeze", "thaw"):
        print(__doc__, file=sys.stderr)
        return 2
    server = Postgres(argv[1])
    getattr(server, argv[0])()
    if argv[0] == "start":
        print(server.uri())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
