# SPDX-License-Identifier: Apache-2.0
"""The table of verbs, and how the words after one are read.

    @verb(takes(devices=DEVICES, at=PART, main="devices"))
    def join(stage, devices, at=None): …

registers `join`, told as `- join: lamp` or as `- join: {devices: lamp, at: office}`. The docstring's
first sentence and the words are what `--list -v` shows.
"""
from . import story as s

VERBS = {}


class Unmet(Exception):
    """What must hold does not; the text says what was seen."""


class Verb:
    def __init__(self, reader, function):
        self.reader, self.function = reader, function
        self.about = " ".join((function.__doc__ or "").split())
        self.words = getattr(reader, "words", "names, each with what must hold")

    def arguments(self, said, step, story):
        return self.reader(said, step, story)

    def play(self, stage, arguments):
        return self.function(stage, **arguments)


def verb(reader, name=None):
    def register(function):
        known_as = name or function.__name__.replace("_", " ").strip()
        VERBS[known_as] = Verb(reader, function)
        return function
    return register


# -- kinds of words: (value, where, key, story) → what is meant

def plain(kind):
    return lambda value, where, key, _story: kind(value, where, key)


def name_of(what, many=False):
    """Of a device or part of this story; a list of them, when many."""
    def check(value, where, key, story):
        known = story.data[what]
        names = value if isinstance(value, list) else [value]
        for name in names:
            if name not in known:
                raise s.Wrong(where, key, f"there is no {name!r} among the {what} of this story")
        if not many and len(names) != 1:
            raise s.Wrong(where, key, f"one of the {what} is wanted here")
        return names if many else names[0]
    return check


def host_pair(value, where, key, story):
    """The two hosts of a link that the story speaks of."""
    links = [set(link["between"]) for link in story.data.get("links", [])]
    if not isinstance(value, list) or set(value) not in links:
        raise s.Wrong(where, key, "the two hosts of one of the story's links are wanted here")
    return value


DEVICE, DEVICES = name_of("devices"), name_of("devices", many=True)
PART, PARTS = name_of("parts"), name_of("parts", many=True)
SITE, LINK = name_of("sites"), host_pair
TEXT, PATTERN, NUMBER, SECONDS = plain(s.text), plain(s.pattern), plain(s.number), plain(s.duration)
BOOLEAN, SECTIONS = plain(s.boolean), plain(s.sections)
PATTERNS = plain(s.list_of(s.pattern))


def choice(*allowed):
    return plain(s.one_of(*allowed))


def takes(main=None, needs=(), **kinds):
    """Words by name; anything that is no mapping is the main one."""
    wanted = {main, *needs} - {None}

    def read(said, step, story):
        (key, _), = step.items()
        if not isinstance(said, dict):
            if main is None:
                raise s.Wrong(step, key, f"{key}: {', '.join(kinds)} are wanted here")
            return {main: kinds[main](said, step, key, story)}
        for name in said:
            if name.replace(" ", "_") not in kinds:
                known = ", ".join(kinds).replace("_", " ")
                raise s.Wrong(said, name, f"{key} knows no {name!r}; known are {known}")
        given = {name.replace(" ", "_"): kinds[name.replace(" ", "_")](value, said, name, story)
                 for name, value in said.items()}
        for name in sorted(wanted):
            if name not in given:
                raise s.Wrong(said, None, f"{key} needs {name.replace('_', ' ')!r}")
        return given
    read.words = ", ".join(f"{name.replace('_', ' ')}{' (needed)' if name in wanted else ''}" for name in kinds)
    return read


def by_name(of, kind, argument="wanted"):
    """A mapping with names of devices or parts, each with the same kind of word."""
    def read(said, step, story):
        (key, _), = step.items()
        if not isinstance(said, dict):
            raise s.Wrong(step, key, f"{key}: names are wanted here, each with what must hold")
        for name in said:
            of(name, said, name, story)
        return {argument: {name: kind(value, said, name, story) for name, value in said.items()}}
    return read
