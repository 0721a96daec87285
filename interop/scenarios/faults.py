# SPDX-License-Identifier: Apache-2.0
"""Power cuts: a program dies at one chosen durable step (a write, a rename, …), for each of them.

The injector (build/tools/fault.so, preloaded) counts the steps of a run in a page that it shares with
us, kills the program at the step we name, and writes down what each step was.
"""
import concurrent.futures
import mmap
import shutil
import signal
import struct

from conformance.core import Broken

from .actions import to_the_end
from .cast import JOINED
from .expectations import record_of
from .programs import BUILD
from .verbs import BOOLEAN, DEVICE, PART, TEXT, Unmet, takes, verb

OFF, KILL = 0, 1
DIALS = ("kind", "at", "sticky", "count", "hits", "live")
NAME_MAX, NAMES_MAX = 128, 1024
AT_ONCE = 4


class Injector:
    """The dials of one program."""

    def __init__(self, path):
        path.write_bytes(bytes(8 * len(DIALS) + NAME_MAX * NAMES_MAX))
        self.path = path
        with open(path, "r+b") as f:
            self.page = mmap.mmap(f.fileno(), 0)

    def env(self):
        library = BUILD / "tools" / "fault.so"
        if not library.exists():
            raise Broken(f"{library} is not built")
        return {"LD_PRELOAD": str(library), "FAULT_CONTROL": str(self.path),
                "ASAN_OPTIONS": "verify_asan_link_order=0:allocator_may_return_null=1"}

    def arm(self, at):
        """Kill at this step, from 1; 0: count only."""
        struct.pack_into("<Q", self.page, 8 * DIALS.index("at"), at)
        struct.pack_into("<Q", self.page, 8 * DIALS.index("kind"), KILL)

    def steps(self):
        count = struct.unpack_from("<Q", self.page, 8 * DIALS.index("count"))[0]
        names = []
        for n in range(min(count, NAMES_MAX)):
            start = 8 * len(DIALS) + n * NAME_MAX
            names.append(self.page[start:start + NAME_MAX].split(b"\0")[0].decode(errors="replace"))
        return names


def run_with_cut(stage, name, at):
    """(device, its end, the steps that were counted) of a join with the power cut at a step."""
    device = stage.fresh(name)
    dials = Injector(device.folder / "dials")
    dials.arm(at)
    return device, to_the_end(stage, device, "join", env=dials.env()), dials.steps()


@verb(takes(device=DEVICE, steps=TEXT, registrar=PART, forgets=BOOLEAN, needs=["device", "steps", "registrar"]))
def power_cut_at_each(stage, device, steps, registrar, forgets=False):
    """For each durable step of that kind in a join: a new device is killed there, starts again, joins,
    and has one certificate. forgets: it loses what it has stored."""
    model, code, names = run_with_cut(stage, device, 0)
    if code != JOINED:
        raise Unmet(f"{model.serial} does not even join without a power cut: {model.log()[-800:]}")

    def one(number):
        cut, code, _ = run_with_cut(stage, device, number)
        if code != -signal.SIGKILL:
            return f"step {number} ({names[number - 1]}): not killed but exit {code}"
        if forgets:
            shutil.rmtree(cut.state, ignore_errors=True)
        if to_the_end(stage, cut, "join") != JOINED:
            return f"step {number} ({names[number - 1]}): does not join: {cut.log()[-600:]}"
        found = len(record_of(stage, registrar, cut).get("certificates", []))
        if found != 1:
            return f"step {number} ({names[number - 1]}): {found} certificates"
        stage.cuts.append(names[number - 1])
        return None
    chosen = [n for n, name in enumerate(names, 1) if name.startswith(steps)]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        wrong = [w for w in pool.map(one, chosen) if w]
    if wrong:
        raise Unmet(f"{len(wrong)} of {len(chosen)} power cuts:\n" + "\n".join(wrong[:5]))
