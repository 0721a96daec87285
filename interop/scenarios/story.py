# SPDX-License-Identifier: Apache-2.0
"""Reads a story from its file. What is wrong in it is told with file and line.

A story is plain data (dicts, lists, text, numbers) that has been checked against the tables below;
the verbs of its steps are checked against those of verbs.py. `cases` makes several stories of one
file, `broken` names the change that must make it fail.
"""
import copy
import functools
import pathlib
import re

import yaml

from conformance import catalogue

FOLDER = pathlib.Path(__file__).resolve().parent / "stories"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C, where libyaml is there
PACES = ("fast", "usual", "slow")
PLACES = ("namespaces", "loopback")
KEY_TYPES = ("ec-p256", "ec-p384", "rsa-3072")
_DURATION = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*(ms|s|min|h|d)")
_SECONDS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400}


class StoryError(Exception):
    """A story that cannot be told; the text begins with file:line."""


class Map(dict):
    """A mapping of the file that knows its lines."""
    line = 0
    lines = {}


class List(list):
    line = 0
    lines = ()


def line_of(where, key=None):
    lines = getattr(where, "lines", {})
    if isinstance(lines, dict):
        return lines.get(key, getattr(where, "line", 0))
    return lines[key] if key is not None and key < len(lines) else getattr(where, "line", 0)


class Wrong(Exception):
    """Something at this line; the file is added by the reader."""

    def __init__(self, where, key, why):
        super().__init__(why)
        self.line = line_of(where, key)


# -- YAML with lines

SCALARS = yaml.constructor.SafeConstructor()


def from_node(node):
    line = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        made = Map()
        made.line, made.lines = line, {}
        for key_node, value_node in node.value:
            key = SCALARS.construct_object(key_node)
            if key in made:
                mark = Map()
                mark.line = key_node.start_mark.line + 1
                raise Wrong(mark, None, f"{key!r} stands here a second time")
            made[key] = from_node(value_node)
            made.lines[key] = key_node.start_mark.line + 1
        return made
    if isinstance(node, yaml.SequenceNode):
        made = List(from_node(n) for n in node.value)
        made.line, made.lines = line, [n.start_mark.line + 1 for n in node.value]
        return made
    return SCALARS.construct_object(node)


# -- kinds of values: each takes (value, where, key) and returns what is meant

def text(value, where, key):
    if not isinstance(value, str):
        raise Wrong(where, key, f"{key}: text is wanted here, not {value!r}")
    return " ".join(value.split())


def pattern(value, where, key):
    try:
        re.compile(value)
    except (re.error, TypeError) as e:
        raise Wrong(where, key, f"{key}: no regular expression: {e}") from e
    return value


def number(value, where, key):
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Wrong(where, key, f"{key}: a number is wanted here, not {value!r}")
    return value


def boolean(value, where, key):
    if not isinstance(value, bool):
        raise Wrong(where, key, f"{key}: yes or no, not {value!r}")
    return value


def share(value, where, key):
    """10%, as 0.1."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", str(value))
    if not found or float(found[1]) > 100:
        raise Wrong(where, key, f"{key}: a share such as 10% is wanted here, not {value!r}")
    return float(found[1]) / 100


def duration(value, where, key):
    """200ms, 5s, 10min, 2d: in seconds."""
    found = _DURATION.fullmatch(str(value))
    if not found:
        raise Wrong(where, key, f"{key}: a time such as 200ms, 5s, 10min, 2h or 2d is wanted here, not {value!r}")
    return float(found[1]) * _SECONDS[found[2]]


def one_of(*allowed):
    def check(value, where, key):
        if value not in allowed:
            raise Wrong(where, key, f"{key}: {value!r} is none of {', '.join(map(str, allowed))}")
        return value
    return check


def list_of(kind):
    """One thing or a list of them; always a list afterwards."""
    def check(value, where, key):
        many = value if isinstance(value, list) else [value]
        checked = List(kind(v, where, key) for v in many)
        checked.line, checked.lines = line_of(where, key), getattr(value, "lines", ())
        return checked
    return check


def anything(value, _where, _key):
    return value


def sections(value, where, key):
    """Of a configuration file: section → option → value."""
    if not isinstance(value, dict) or not all(isinstance(v, dict) for v in value.values()):
        raise Wrong(where, key, f"{key}: sections with options are wanted, such as {{policy: {{nonceless: owners}}}}")
    return value


def table(allowed, required=()):
    """A mapping with these keys: name → kind."""
    def check(value, where, key):
        if value is None:
            value = Map()
            value.line = line_of(where, key)
        if not isinstance(value, dict):
            raise Wrong(where, key, f"{key}: a mapping is wanted here, not {value!r}")
        for name in value:
            if name not in allowed:
                raise Wrong(value, name, f"{name!r} means nothing here; known are {', '.join(sorted(allowed))}")
        for name in required:
            if name not in value:
                raise Wrong(value, None, f"{name!r} is missing here")
        for name in list(value):
            value[name] = allowed[name](value[name], value, name)
        return value
    return check


def named(kind):
    """name → what kind says, for every name."""
    def check(value, where, key):
        if not isinstance(value, dict):
            raise Wrong(where, key, f"{key}: names are wanted here, each with what it is")
        for name in value:
            value[name] = kind(value[name], value, name)
        return value
    return check


MAKER = table({"key_type": one_of(*KEY_TYPES)})
SITE = table({"key_type": one_of(*KEY_TYPES)})
LINK = table({"between": list_of(text), "loss": share, "delay": duration, "jitter": duration,
              "duplicate": share, "reorder": share, "mtu": number, "seed": number, "link_local": boolean}, ["between"])
PART = table({"runs": text, "host": text, "maker": text, "site": text, "admits": named(text), "coaps": boolean,
              "conf": sections, "device": text, "to": text, "relay": text, "lies": list_of(text),
              "waits": boolean, "devices_of": list_of(text), "ca_of": text,
              "masas_of": named(text)}, ["runs"])
DEVICE = table({"maker": text, "host": text, "asks": list_of(text), "over": one_of("https", "coaps"),
                "count": number, "key_type": one_of(*KEY_TYPES), "conf": sections, "known": boolean,
                "owner": text, "copy_of": text, "other_key": boolean, "serial": text})
BROKEN = table({"because": text, "change": anything, "without": list_of(text), "first": anything,
                "fails": pattern}, ["because", "fails"])
STORY = table({"story": text, "about": text, "rows": list_of(text), "pace": one_of(*PACES),
               "needs": table({"place": one_of(*PLACES), "because": text}, ["place", "because"]),
               "makers": named(MAKER), "sites": named(SITE), "parts": named(PART), "devices": named(DEVICE),
               "links": list_of(LINK), "steps": list_of(anything), "holds": list_of(anything),
               "also_holds": list_of(anything), "clock": boolean, "broken": BROKEN},
              ["story", "about", "rows", "parts", "steps", "holds", "broken"])


# -- whole stories

@functools.cache
def known_rows():
    return frozenset(catalogue.read())


class Story:
    """name: of the file, with the case; data: checked; steps: [(verb, arguments, line)]."""

    def __init__(self, name, path, data, verbs):
        self.name, self.path, self.data = name, path, STORY(data, Map(), "story")
        self.title, self.about = data["story"], data["about"]
        self.rows, self.pace = data["rows"], data.get("pace", "usual")
        self.needs = data.get("needs")
        for row in self.rows:
            if row not in known_rows():
                raise Wrong(data, "rows", f"the catalogue has no row {row}")
        self._names()
        parts = [data["steps"], data["holds"], data.get("also_holds", List())]
        self.steps = [self._step(part, i, verbs) for part in parts for i in range(len(part))]

    def _names(self):
        """Who is spoken of must be there."""
        data = self.data
        makers, sites = data.setdefault("makers", {"acme": {}}), data.setdefault("sites", {"home": {}})
        parts, devices = data["parts"], data.setdefault("devices", Map())
        kinds = {"maker": makers, "site": sites, "device": devices, "to": parts, "ca_of": sites}
        for part in parts.values():
            for key, known in kinds.items():
                if key in part and part[key] not in known:
                    raise Wrong(part, key, f"there is no {part[key]!r} in this story")
            for key, known in (("admits", makers), ("masas_of", makers), ("devices_of", makers)):
                for name in part.get(key, ()):
                    if name not in known:
                        raise Wrong(part, key, f"there is no maker {name!r} in this story")
        for device in devices.values():
            if device.get("maker", "acme") not in makers:
                raise Wrong(device, "maker", f"there is no maker {device.get('maker', 'acme')!r} in this story")
            for key, known in (("owner", sites), ("copy_of", devices)):
                if key in device and device[key] not in known:
                    raise Wrong(device, key, f"there is no {device[key]!r} in this story")
            for name in device.get("asks", ()):
                if name not in parts:
                    raise Wrong(device, "asks", f"there is no part {name!r} in this story")
        hosts = {d.get("host", "hall") for d in devices.values()} | {p.get("host", n) for n, p in parts.items()}
        for link in data.get("links", ()):
            if len(link["between"]) != 2 or not set(link["between"]) <= hosts:
                raise Wrong(link, "between", f"two of the hosts {', '.join(sorted(hosts))} are wanted")

    def _step(self, steps, number, verbs):
        step = steps[number]
        if not isinstance(step, Map) or len(step) != 1:
            raise Wrong(steps, number, "a step is one verb with what it is about, such as `- join: lamp`")
        (verb, said), = step.items()
        if verb not in verbs:
            raise Wrong(step, verb, f"{verb!r} is no verb; known are {', '.join(sorted(verbs))}")
        return verb, verbs[verb].arguments(said, step, self), line_of(step, verb)


def overlaid(base, change):
    """base with change laid over it: mappings key by key, everything else in whole; nothing (null)
    takes a key out."""
    if not (isinstance(base, dict) and isinstance(change, dict)):
        return copy.deepcopy(change)
    out = copy.copy(base)
    out.line, out.lines = getattr(base, "line", 0), {**getattr(base, "lines", {}), **getattr(change, "lines", {})}
    for key, value in change.items():
        if value is None:
            out.pop(key, None)
            continue
        out[key] = overlaid(base[key], value) if key in base else copy.deepcopy(value)
    return out


def mutated(data):
    """The story with its broken change in it."""
    broken = data["broken"]
    out = overlaid(data, broken.get("change", Map()))
    leave_out = broken.get("without", [])
    leave_out = leave_out if isinstance(leave_out, list) else [leave_out]
    steps = out["steps"] if isinstance(out["steps"], list) else [out["steps"]]
    out["steps"] = List([*broken.get("first", []), *(s for s in steps if not set(s) & set(leave_out))])
    return out


class Variant:
    """A story of a file, honest and broken: what the runner runs."""

    def __init__(self, name, path, data, verbs):
        self.name, self.path, self._data, self._verbs = name, path, data, verbs
        self.story = self._made(data)
        self.fails, self.because = self.story.data["broken"]["fails"], self.story.data["broken"]["because"]
        self.mutant = self._made(mutated(data))

    def _made(self, data):
        return Story(self.name, self.path, copy.deepcopy(data), self._verbs)


def read(path, verbs):
    """The Variants of one file."""
    path = pathlib.Path(path)
    shown = path.name
    try:
        data = from_node(yaml.compose(path.read_text(encoding="utf-8"), Loader=LOADER))
        if not isinstance(data, Map):
            raise StoryError(f"{shown}:1: a story is a mapping")
        cases = data.pop("cases", None)
        if cases is None:
            return [Variant(path.stem, path, data, verbs)]
        if not isinstance(cases, Map):
            raise Wrong(data, "cases", "cases have names, each with what is different")
        return [Variant(f"{path.stem}.{name}", path, overlaid(data, case or Map()), verbs)
                for name, case in cases.items()]
    except Wrong as e:
        raise StoryError(f"{shown}:{e.line}: {e}") from e
    except yaml.MarkedYAMLError as e:
        line = e.problem_mark.line + 1 if e.problem_mark else 1
        raise StoryError(f"{shown}:{line}: {e.problem}") from e


def read_all(verbs, folder=FOLDER):
    return [variant for path in sorted(folder.glob("*.yaml")) for variant in read(path, verbs)]
