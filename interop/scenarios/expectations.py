# SPDX-License-Identifier: Apache-2.0
"""Verbs that say what must hold. Each raises Unmet with what was seen instead; logs and records are
given the time to say it."""
import json
import re

from brski_peer import voucher

from . import cast, story as s
from .programs import soon
from .verbs import (DEVICE, DEVICES, LINK, NUMBER, PART, PARTS, PATTERN, PATTERNS, SECONDS, SITE, TEXT, Unmet,
                    by_name, choice, plain, takes, verb)

MANY = 20  # devices, above which each is judged by its files alone


def need(condition, why):
    if not condition:
        raise Unmet(why)


def words_of(log, count=1200):
    return log[-count:]


# -- devices

@verb(takes(main="devices", devices=DEVICES, site=SITE, issuer=choice("first", "second")))
def joined(stage, devices, site="home", issuer=None):
    """Devices have ended well and hold a certificate of the site with their serial-number."""
    group, where = stage.group(devices), stage.sites[site]
    for device in group:
        need(device.code == cast.JOINED, f"{device.serial} ended {end_of(device)}: {words_of(device.log())}")
        certificate = device.certificate()
        need(certificate is not None, f"{device.serial} ended well and has no certificate")
        need(certificate.issuer in where.issuer_names(issuer),
             f"{device.serial} has a certificate of {certificate.issuer.rfc4514_string()}")
        serial = voucher.serial_of(device.identity.cert)
        need(serial in certificate.subject.rfc4514_string(),
             f"{device.serial} has a certificate for {certificate.subject.rfc4514_string()}")
        if len(group) <= MANY:
            code = device.command("status").start().wait()
            need(code == cast.JOINED, f"brski-pledge status of {device.serial}: exit {code}")


@verb(takes(main="devices", devices=DEVICES))
def not_joined(stage, devices):
    """Devices hold no certificate, and know it."""
    for device in stage.group(devices):
        need(device.certificate() is None, f"{device.serial} has a certificate")
        code = device.command("status").start().wait()
        need(code == cast.ENDS.index("not enrolled"), f"brski-pledge status of {device.serial}: exit {code}")


def end_of(device):
    if device.code is None:
        return "not at all"
    return f"as {cast.ENDS[device.code]!r}" if 0 <= device.code < len(cast.ENDS) else f"with {device.code}"


@verb(by_name(DEVICES, plain(s.list_of(s.one_of(*cast.ENDS)))))
def ended(stage, wanted):
    """How brski-pledge has ended the last time (its exit code, in words)."""
    for name, allowed in wanted.items():
        for device in stage.group([name]):
            need(device.code in [cast.ENDS.index(w) for w in allowed],
                 f"{device.serial} ended {end_of(device)}, not as {' or '.join(allowed)}: {words_of(device.log())}")


@verb(by_name(DEVICE, PATTERNS))
def says(stage, wanted):
    """What stands in the log of a device."""
    for name, patterns in wanted.items():
        for pattern in patterns:
            log = stage.devices[name][0].log()
            need(re.search(pattern, log, re.M), f"{name} has not said {pattern!r}: {words_of(log)}")


@verb(by_name(DEVICES, SECONDS))
def within(stage, wanted):
    """How long a device took at most."""
    for name, seconds in wanted.items():
        for device in stage.group([name]):
            need(device.seconds is not None and device.seconds <= seconds,
                 f"{device.serial} took {device.seconds:.1f} s")


@verb(takes(main="devices", devices=DEVICES))
def different_certificates(stage, devices):
    """No two devices have certificates with the same number or key."""
    group = stage.group(devices)
    found = [d.certificate() for d in group]
    need(all(found), "not each has a certificate")
    numbers = {c.serial_number for c in found}
    keys = {c.public_key().public_numbers() for c in found}
    need(len(numbers) == len(keys) == len(group),
         f"{len(group)} devices, {len(numbers)} numbers, {len(keys)} keys")


# -- logs and records

@verb(by_name(PART, PATTERNS))
def log(stage, wanted):
    """What stands in the log of a part."""
    for name, patterns in wanted.items():
        part = stage.parts[name]
        for pattern in patterns:
            need(soon(lambda p=pattern, n=part: n.lines(p), 5),
                 f"{name} has not logged {pattern!r}: {words_of(part.log())}")


@verb(by_name(PART, PATTERNS))
def no_log(stage, wanted):
    """What does not stand there."""
    for name, patterns in wanted.items():
        for pattern in patterns:
            found = stage.parts[name].lines(pattern)
            need(not found, f"{name} has logged {found[:1]}")


@verb(takes(part=PART, says=PATTERN, times=NUMBER, needs=["part", "says", "times"]))
def logged(stage, part, says, times):
    """How often exactly something stands in the log of a part."""
    soon(lambda: len(stage.parts[part].lines(says)) >= times, 5)
    found = len(stage.parts[part].lines(says))
    need(found == times, f"{part} has logged {says!r} {found} times instead of {times}")


@verb(by_name(DEVICES, NUMBER))
def vouchers_in_the_masas_record(stage, wanted):
    """How many vouchers the MASA's audit log has for a device."""
    for name, count in wanted.items():
        for device in stage.group([name]):
            events = events_of(stage, device)
            need(len(events) == count, f"{len(events)} vouchers for {device.serial}: {json.dumps(events)[:600]}")


def events_of(stage, device):
    serial = voucher.serial_of(device.identity.cert)
    done = stage.masa_of(device).ctl("audit", "show", serial, "-o", "json")
    if done.returncode:
        return []
    found = json.loads(done.stdout)
    return found["items"] if isinstance(found, dict) else found


def claims_of(stage, at, state=None):
    done = stage.parts[at].ctl("claims", "list", *(["--state", state] if state else []), "-o", "json")
    found = json.loads(done.stdout or "[]")
    return found["items"] if isinstance(found, dict) else found


@verb(takes(at=PART, state=choice("pending", "approved", "rejected"), count=NUMBER, needs=["at", "state", "count"]))
def claims(stage, at, state, count):
    """How many claims a registrar has in a state."""
    soon(lambda: len(claims_of(stage, at, state)) == count, 5)
    found = claims_of(stage, at, state)
    need(len(found) == count, f"{len(found)} claims {state} at {at}: {[c['serial'] for c in found][:10]}")


def record_of(stage, at, device):
    done = stage.parts[at].ctl("devices", "show", voucher.serial_of(device.identity.cert), "-o", "json")
    return json.loads(done.stdout) if done.returncode == 0 else {}


@verb(takes(at=PART, of=DEVICES, count=NUMBER, needs=["at", "of", "count"]))
def certificates(stage, at, of, count):
    """How many certificates a registrar has issued to each device."""
    for device in stage.group(of):
        found = record_of(stage, at, device).get("certificates", [])
        need(len(found) == count, f"{len(found)} certificates for {device.serial} at {at}: {found}")


@verb(takes(at=PART, of=DEVICE, shows=lambda v, w, k, st: v, needs=["at", "of", "shows"]))
def record(stage, at, of, shows):
    """What `registrarctl devices show` says of a device."""
    for name, wanted in shows.items():
        found = soon(lambda n=name, w=wanted: re.search(str(w), str(record_of(
            stage, at, stage.devices[of][0]).get(n))), 5)
        need(found, f"{at} says of {of}: {name} = {record_of(stage, at, stage.devices[of][0]).get(name)!r}")


# -- the suite's peers

@verb(by_name(DEVICE, plain(s.list_of(s.number))))
def answered(stage, wanted):
    """The status that the suite's pledge (or a prepared registrar) was answered for a device."""
    for name, allowed in wanted.items():
        found = stage.answers.get(name)
        need(found in allowed, f"the answer for {name} was {found}, not {' or '.join(map(str, allowed))}")


@verb(takes(main="at", at=PART, step=TEXT, count=NUMBER, needs=["step", "count"]))
def asked(stage, at, step, count):
    """How often one of the suite's servers was asked for a step."""
    found = stage.parts[at].count(step)
    need(found == count, f"{at} was asked for {step} {found} times instead of {count}")


@verb(takes(at=PART, step=TEXT, needs=["at", "step"], status=lambda v, w, k, st: v))
def reported(stage, at, step, status):
    """The status that devices have reported to one of the suite's registrars."""
    found = [r.get("status") for r in stage.parts[at].reports(step)]
    need(found and all(f is status for f in found), f"{at} has the reports {found}")


# -- parts and links

@verb(takes(main="parts", parts=PARTS))
def running(stage, parts):
    """Parts still run."""
    for name in parts:
        need(stage.parts[name].alive(), f"{name} does not run any more")


@verb(by_name(PART, NUMBER))
def memory_mib(stage, wanted):
    """How much memory a program has had at most, in MiB."""
    for name, most in wanted.items():
        found = stage.parts[name].measure() / 1024
        need(0 < found <= most, f"{name} has had {found:.1f} MiB")


@verb(takes(main="between", between=LINK, at_least=NUMBER))
def lost(stage, between, at_least=1):
    """A link has lost so many packets at least."""
    line = stage.place.line(*between)
    need(line.count["lost"] >= at_least, f"of {line.count['sent']} packets {line.count['lost']} were lost")


@verb(takes(main="at_least", at_least=NUMBER))
def power_cuts_survived(stage, at_least):
    """So many power cuts have been tried, and the device joined after each."""
    need(len(stage.cuts) >= at_least, f"{len(stage.cuts)} power cuts: {stage.cuts}")
