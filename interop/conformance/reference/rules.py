# SPDX-License-Identifier: Apache-2.0
"""Rules that can be switched off, and what every role needs to keep them."""
import traceback

from brski_peer.server import text

from ..core import Skipped
from ..target import LOG, Instance, Target


class Rules:
    """off: names of rules that do not hold for now. met: those that mattered since it was emptied."""

    def __init__(self):
        self.off = set()
        self.met = set()

    def __call__(self, name):
        """Does the rule hold? For what a role does:

            fields["nonce"] = asked["nonce"] if self.rule("copies the nonce") else voucher.new_nonce()
        """
        self.met.add(name)
        return name not in self.off


class Refused(Exception):
    """The role says no. status: HTTP's; kept for CoAP by those who speak it."""

    def __init__(self, status, why, close=False, headers=()):
        super().__init__(why)
        self.status, self.why, self.close, self.headers = status, why, close, list(headers)


class Role:
    """What a role that can be tested has: where it listens, which files a target file would name,
    what its admin can do.

    addresses  {"https": (host, port)}          files    {"voucher_anchors": path}
    actions    {"approve": function(**words)}; it returns nothing, or (exit code, output)
    """
    profiles = ("rfc8995", "8366bis", "est")
    variants = ()
    options = {}  # further tables of a target file

    def __init__(self, lab, folder, rules, variant="plain"):
        self.lab, self.folder, self.rule, self.variant = lab, folder, rules, variant
        self.addresses, self.files, self.actions = {}, {}, {}

    def refuse(self, rule, wrong, status, why, **more):
        """Refuse what is wrong, unless the rule is off. A rule is met only by what is wrong:

            self.refuse("compares both nonces", fields["nonce"] != prior["nonce"], 403, "the nonces differ")
        """
        if wrong and self.rule(rule):
            raise Refused(status, why, **more)

    def start(self):
        return self

    def stop(self):
        pass

    def write_log(self, line):
        with open(self.folder / LOG, "a", encoding="utf-8") as f:
            f.write(line + "\n")


def answered(handler, request):
    """The handler's Answer, its refusal in words, or a 500 with what went wrong in the reference."""
    try:
        return handler(request)
    except Refused as e:
        return text(e.status, e.why + "\n", close=e.close, headers=e.headers)
    except Exception:
        return text(500, traceback.format_exc())


class ReferenceTarget(Target):
    """A role as a target; all its instances keep the same rules."""

    def __init__(self, role, kind):
        super().__init__({"name": f"reference {role}", "role": role, "profiles": list(kind.profiles),
                          "run": {"variants": list(kind.variants)}, **kind.options}, None)
        self.kind, self.rules = kind, Rules()

    def begin(self, folder, lab, variant="plain", **words):
        instance = ReferenceInstance(self, folder, lab, variant, words)
        instance.start()
        return instance


class ReferenceInstance(Instance):
    """The same questions as an Instance, answered by a role in this process."""

    def start(self):
        more = {"words": self.words} if self.words else {}
        self.role = self.target.kind(self.lab, self.state, self.target.rules, self.variant, **more).start()
        self.role.write_log("started")

    def stop(self):
        self.role.stop()

    def address(self, kind):
        if kind not in self.role.addresses:
            raise Skipped(f"the reference has no {kind} address")
        return self.role.addresses[kind]

    def known_ports(self):
        return {port for _, port in self.role.addresses.values()}

    def file(self, name):
        if name not in self.role.files:
            raise Skipped(f"the reference has no file {name}")
        return self.role.files[name]

    def can(self, action):
        return action in self.role.actions

    def attempt(self, action, **words):
        if action not in self.role.actions:
            raise Skipped(f"the reference's admin cannot {action}")
        return self.role.actions[action](**words) or (0, "")
