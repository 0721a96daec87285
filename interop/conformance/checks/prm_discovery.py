# SPDX-License-Identifier: Apache-2.0
"""Pledges that are found, and agents that find them (draft-ietf-anima-brski-discovery §3.4, §5)."""
import contextlib
import os
import socket

from brski_peer import mdns

from ..core import MUST, SHOULD, check

DISCOVERY = ("discovery",)
MANY = 64      # connections; no pledge has room for so many of one initiator
DOMAIN = "maker.example"


@check("DISC-PLG-003", level=MUST, role="prm-pledge", profiles=DISCOVERY,
       mutant="bounds the connections of one initiator")
def one_initiator_does_not_lock_the_agent_out(t):
    """While somebody holds as many connections as he can get, an agent at another address gets its
    voucher-request."""
    address = t.instance.address("http")
    if not address[0].startswith("127."):
        t.skip("initiators at several addresses can be played on loopback only")
    device = t.factory()
    source = ".".join(["127", *(str(1 + octet % 254) for octet in os.urandom(3))])
    for _ in range(MANY):
        with contextlib.suppress(OSError):
            t.later(socket.create_connection(address, t.session.patience, (source, 0)).close)
    t.record("sent", f"{MANY} connections from {source}")
    t.status(t.ask_pvr(device), 200)


@check("DISC-RA-001", level=SHOULD, role="agent", profiles=DISCOVERY,
       mutant="builds names with the manufacturer's domain")
def agent_builds_the_name_as_the_manufacturer_does(t):
    """Where a manufacturer's names are SERIAL.DOMAIN the agent asks for that; the serial number alone is
    tried as well."""
    for label in (f"{t.device.serial}.{DOMAIN}", t.device.serial):
        t.pledge.requests.clear()
        responder = t.responder(label)
        done = t.run("discover_named", mdns="{}:{}".format(*responder.address), domain=DOMAIN)
        asked = {name[0] for name, _ in responder.asked}
        t.need(any(mdns.same((a,), (label,)) for a in asked), f"the agent asks for {sorted(asked)}, not {label}")
        t.need(done, f"the agent does not go on: {t.said[-300:]!r}")
