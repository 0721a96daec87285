# SPDX-License-Identifier: Apache-2.0
"""A person at a terminal, who is asked something by a command and answers."""
import contextlib
import os
import pty
import subprocess
import time

import harness


def _read_until(master, what, patience=20):
    said = b""
    deadline = time.monotonic() + patience
    while what not in said:
        assert time.monotonic() < deadline, said
        said += os.read(master, 65536)
    return said


def at_terminal(registrar, answer, *arguments):
    """registrarctl as (exit code, output, what was said). answer: what is typed at the question, or
    what returns that and may do something else first."""
    argv = [harness.program("registrarctl"), "-s", str(registrar.socket), *map(str, arguments)]
    master, slave = pty.openpty()
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, master)
        child = subprocess.Popen(argv, stdin=slave, stdout=subprocess.PIPE, stderr=slave, text=True)
        stack.callback(child.wait)
        stack.callback(child.kill)
        os.close(slave)
        said = _read_until(master, b"[y/N] ")
        os.write(master, (answer() if callable(answer) else answer).encode())
        output = child.communicate(timeout=60)[0]
        with contextlib.suppress(OSError):  # Linux's way to say that nobody has it open any more
            while part := os.read(master, 65536):
                said += part
        return child.returncode, output, said.decode()
