# SPDX-License-Identifier: Apache-2.0
"""The dials of tests/fault/fault.c from this side: which step of a program fails, and how.

A Fault is one file that the program maps; its environment goes to the program that is to suffer.
"""
import mmap
import struct

import harness

OFF, KILL, TORN, EIO, ENOSPC, MEMORY, DONE = range(7)
KIND_NAMES = {KILL: "kill", TORN: "torn", EIO: "EIO", ENOSPC: "ENOSPC", MEMORY: "memory",
              DONE: "done"}

DEADLY = (KILL, TORN, DONE)

_DIALS = ("kind", "at", "sticky", "count", "hits", "live")
_NAME_MAX, _NAMES_MAX = 128, 1024
_SIZE = 8 * len(_DIALS) + _NAME_MAX * _NAMES_MAX


class Fault:
    def __init__(self, path):
        path.write_bytes(bytes(_SIZE))
        self.path = path
        with open(path, "r+b") as f:
            self.page = mmap.mmap(f.fileno(), _SIZE)

    @property
    def env(self):
        library = harness.BUILD / "tools" / "fault.so"
        assert library.exists(), f"not built: {library} (run make check)"
        return {"LD_PRELOAD": str(library), "FAULT_CONTROL": str(self.path),
                # under sanitizers the injector comes first and hands on to them
                "ASAN_OPTIONS": "verify_asan_link_order=0:allocator_may_return_null=1"}

    def _get(self, dial):
        return struct.unpack_from("<Q", self.page, 8 * _DIALS.index(dial))[0]

    def _set(self, dial, value):
        struct.pack_into("<Q", self.page, 8 * _DIALS.index(dial), value)

    kind = property(lambda self: self._get("kind"))
    count = property(lambda self: self._get("count"))
    hits = property(lambda self: self._get("hits"))

    @property
    def live(self):
        """Allocations not yet freed (meaningful as a difference)."""
        return self._get("live")

    def off(self):
        self._set("kind", OFF)

    def arm(self, kind, at=0, sticky=False):
        """Count from now on; at=N: step N fails, and with sticky all after it; at=0: none."""
        self.off()
        for dial, value in (("at", at), ("sticky", int(sticky)), ("count", 0), ("hits", 0)):
            self._set(dial, value)
        self._set("kind", kind)

    def name(self, number):
        """What durable step `number` was: "pwrite /…/masa.db-wal"."""
        start = 8 * len(_DIALS) + (number - 1) * _NAME_MAX
        return self.page[start:start + _NAME_MAX].split(b"\0")[0].decode(errors="replace")

    def names(self):
        assert self.count <= _NAMES_MAX, f"{self.count} steps: there is no room for the names of all"
        return [self.name(n) for n in range(1, self.count + 1)]
