# SPDX-License-Identifier: Apache-2.0
"""Verbs that make something happen: what devices, admins and the weather do."""
import concurrent.futures
import re
import time

from brski_peer import cms
from brski_peer.pledge import Pledge as PeerPledge
from brski_peer import constrained

from conformance.core import Broken


from .expectations import claims_of
from .programs import soon
from .verbs import (BOOLEAN, DEVICE, DEVICES, LINK, NUMBER, PART, PARTS, PATTERN, SECONDS, SECTIONS, TEXT, Unmet,
                    choice, takes, verb)

JOIN_S = 180   # a device that has not ended by then hangs
AT_ONCE = 8    # runs of brski-pledge side by side, unless the story wants another number


def to_the_end(stage, device, word, *more, env=None):
    """brski-pledge WORD; its exit code is the device's from then on."""
    began = time.monotonic()
    device.process = device.command(word, *more, env=env).start()
    device.code = device.process.wait(JOIN_S)
    device.seconds = time.monotonic() - began
    stage.note(f"{device.serial}: brski-pledge {word}: exit {device.code}")
    return device.code


def all_of(stage, devices, word, at_once, *more):
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        list(pool.map(lambda d: to_the_end(stage, d, word, *more), stage.group(devices)))


@verb(takes(main="devices", devices=DEVICES, at_once=NUMBER))
def join(stage, devices, at_once=AT_ONCE):
    """Devices run `brski-pledge join` to its end."""
    all_of(stage, devices, "join", at_once)


@verb(takes(main="devices", devices=DEVICES, force=BOOLEAN))
def renew(stage, devices, force=True):
    """Devices renew their certificate."""
    all_of(stage, devices, "renew", AT_ONCE, *(["--force"] if force else []))


@verb(takes(main="devices", devices=DEVICES))
def reset(stage, devices):
    """Devices forget their site."""
    all_of(stage, devices, "reset", AT_ONCE)


@verb(takes(main="devices", devices=DEVICES))
def begin(stage, devices):
    """Devices begin to join, and the story goes on."""
    for device in stage.group(devices):
        device.began = time.monotonic()
        device.process = device.command("join").start()
        stage.note(f"{device.serial}: brski-pledge join begins")


@verb(takes(main="devices", devices=DEVICES))
def finish(stage, devices):
    """Devices that have begun come to the end of it."""
    for device in stage.group(devices):
        device.code = device.process.wait(JOIN_S)
        device.seconds = time.monotonic() - device.began
        stage.note(f"{device.serial}: brski-pledge join: exit {device.code}")


@verb(takes(main="devices", devices=DEVICES))
def power_off(stage, devices):
    """Devices stop wherever they are (SIGKILL)."""
    for device in stage.group(devices):
        device.process.kill()
        stage.note(f"{device.serial}: killed")


@verb(takes(device=DEVICE, part=PART, says=PATTERN, times=NUMBER, needs=["says"]))
def wait(stage, says, device=None, part=None, times=1):
    """The log of a part or a device says something (so often)."""
    speaker = stage.parts[part] if part else stage.devices[device][0]

    def heard():
        return len(re.findall(says, speaker.log(), re.M)) >= times

    def over():
        return heard() or device and not speaker.process.alive()
    soon(over)
    if not heard():
        raise Unmet(f"{part or device} never said {says!r}; it said:\n{speaker.log()[-1500:]}")


# -- the admin

def admin(stage, part, *words):
    done = stage.parts[part].ctl(*words)
    stage.note(f"{part}: {' '.join(map(str, words))}: exit {done.returncode}", done.stdout + done.stderr)
    if done.returncode:
        raise Broken(f"{part}: {' '.join(map(str, words))}: {done.stdout}{done.stderr}")
    return done.stdout


def decide(stage, word, devices, at, state=None):
    """As soon as each has asked; its claim is known by maker and serial-number."""
    for device in stage.group(devices):
        def claim(d=device):
            return [c["id"] for c in claims_of(stage, at, state)
                    if (c["manufacturer"], c["serial"]) == (d.maker.name, d.serial)]
        if not soon(claim):
            raise Unmet(f"{device.serial} has never asked {at}")
        admin(stage, at, "claims", word, claim()[0])


@verb(takes(devices=DEVICES, at=PART, needs=["devices", "at"]))
def approve(stage, devices, at):
    """The admin lets devices in that wait at a registrar."""
    decide(stage, "approve", devices, at, "pending")


@verb(takes(devices=DEVICES, at=PART, needs=["devices", "at"]))
def reject(stage, devices, at):
    """The admin turns devices away that wait at a registrar."""
    decide(stage, "reject", devices, at, "pending")


@verb(takes(devices=DEVICES, at=PART, to=choice("approve", "reject"), needs=["devices", "at", "to"]))
def change_of_mind(stage, devices, at, to):
    """The admin decides again about devices, whether they wait or not."""
    decide(stage, to, devices, at)


@verb(takes(part=PART, conf=SECTIONS, needs=["part", "conf"]))
def configure(stage, part, conf):
    """The admin changes a registrar's configuration and has it read again."""
    stage.parts[part].configure(conf)


@verb(takes(main="part", part=PART))
def roll_over(stage, part):
    """The site of a registrar gets a new issuing CA under its root."""
    registrar = stage.parts[part]
    registrar.site.roll_over()
    registrar.configure({})
    stage.note(f"{part}: issues with another CA now")


@verb(takes(devices=DEVICES, owner=TEXT, needs=["devices", "owner"]))
def sell(stage, devices, owner):
    """The manufacturer writes down another owner for devices."""
    for device in stage.group(devices):
        device.settings = {**device.settings, "owner": owner}
        stage.masa_of(device).learn([device])


# -- what goes wrong

@verb(takes(main="parts", parts=PARTS))
def start(stage, parts):
    """Parts that have waited, or were stopped, start."""
    stage.start(parts)


@verb(takes(main="parts", parts=PARTS))
def stop(stage, parts):
    """Parts end in good order."""
    for name in parts:
        fault = stage.parts[name].stop()
        stage.note(f"stop {name}")
        if fault:
            raise Unmet(fault)


@verb(takes(main="parts", parts=PARTS))
def kill(stage, parts):
    """Parts end at once (SIGKILL)."""
    for name in parts:
        stage.parts[name].kill()
        stage.note(f"kill {name}")


@verb(takes(main="part", part=PART))
def lose_the_store(stage, part):
    """The database of a part that does not run is gone."""
    for path in stage.parts[part].log_path.parent.glob("*.db*"):
        path.unlink()


@verb(takes(main="between", between=LINK))
def cut(stage, between):
    """Nothing passes a link any more."""
    stage.place.cut(*between)
    stage.note(f"cut {between}")


@verb(takes(main="between", between=LINK))
def mend(stage, between):
    """It does again."""
    stage.place.mend(*between)
    stage.note(f"mend {between}")


@verb(takes(main="by", by=SECONDS))
def clock(stage, by):
    """Every clock of the story is put forward (or back)."""
    stage.set_clock(stage.offset + by)
    stage.note(f"clock {by:+g} s")


# -- attacks, and the suite's own pledge

@verb(takes(voucher_of=DEVICE, part=PART, needs=["voucher_of", "part"]))
def steal(stage, voucher_of, part):
    """A lying registrar hands out the voucher that a device has been given before."""
    stage.parts[part].stolen = stage.devices[voucher_of][0].voucher()
    stage.note(f"{part} has the voucher of {voucher_of}")


@verb(takes(devices=DEVICES, at=PART, needs=["devices", "at"]))
def fetch_ahead(stage, devices, at):
    """A prepared registrar asks the MASA for vouchers without a nonce."""
    for device in stage.group(devices):
        status = stage.parts[at].fetch(device)
        stage.answers[device.group] = status
        stage.note(f"{at}: a voucher ahead for {device.serial}: {status}")


@verb(takes(main="part", part=PART))
def be_honest(stage, part):
    """A lying MASA lies no more."""
    stage.parts[part].server.be_honest()


class Visit:
    """The suite's pledge at a registrar: one connection."""

    def __init__(self, stage, device, at):
        part = stage.parts[at]
        over = device.settings.get("over", "https")
        host, port = stage.url(device.host, at, over).split("//")[1].rsplit(":", 1)
        kind = constrained.Pledge if over == "coaps" else PeerPledge
        self.made = kind(int(port), device.identity, host=host)
        self.over, self.part = over, part

    def __enter__(self):
        return self.made

    def __exit__(self, *_):
        self.made.__exit__()


FORMS = {"usual": {}, "id-data": {"content_type": cms.ID_DATA}}


@verb(takes(device=DEVICE, at=PART, form=choice(*FORMS), request_of=DEVICE, does=choice("asks", "joins"),
            needs=["device", "at"]))
def visit(stage, device, at, form="usual", request_of=None, does="asks"):
    """The suite's own pledge asks for a voucher with a device's IDevID, or joins. request_of: it sends
    what it sent as another device before."""
    me = stage.devices[device][0]

    def go():
        with Visit(stage, me, at) as pledge:
            body = stage.answers.get(("request", request_of)) if request_of else None
            if body is None:
                body = pledge.pvr(cms=FORMS[form]) if me.settings.get("over") != "coaps" else pledge.pvr()
            stage.answers["request", device] = body
            reply = pledge.request_voucher(body)
            stage.answers[device] = status_of(reply)
            if does == "joins" and status_of(reply) == 200:
                reply, _ = pledge.enroll()
                stage.answers[device] = status_of(reply)
    stage.place.run(me.host, go)
    stage.note(f"{device} at {at}: {stage.answers[device]}")


def status_of(reply):
    """HTTP's; a CoAP code as the number with the same meaning."""
    if hasattr(reply, "status"):
        return reply.status
    major, minor = reply.said.split(".")
    return 200 if major == "2" else int(major) * 100 + int(minor)


