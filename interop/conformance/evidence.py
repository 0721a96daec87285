# SPDX-License-Identifier: Apache-2.0
"""What is kept of a check that failed: it is run again with a packet capture and the keys for it.

    captures/CHECK.pcap, captures/CHECK.keys    tshark -o tls.keylog_file:CHECK.keys -r CHECK.pcap

Every leg the suite takes part in can be read: one end of it is the suite's. Who may not listen to the
network (who is not root) gets no capture; whether a check is flaky is found out all the same.
"""
import contextlib
import os
import socket
import struct
import threading
import time

ALL_PROTOCOLS = 0x0003
OUTGOING = 4              # packets on their way out; on loopback each comes in as well
LINKTYPE_RAW = 101        # packets begin with their IP header
SNAPLEN = 65535
CAPTURE_MAX = 8 << 20     # octets of one capture: a target may send for ever
LINGER_S = 0.5            # for what is still on its way when a check has ended
TCP, UDP = 6, 17
IPV4_PROTOCOL_AT, IPV6_PROTOCOL_AT, IPV6_HEADER = 9, 6, 40


def run_again(session, result, folder):
    """Marks the result flaky when its check passes this time."""
    captures = folder / "captures"
    captures.mkdir(parents=True, exist_ok=True)
    keys, packets = (captures / f"{result.check.id}{end}" for end in (".keys", ".pcap"))
    with keys_to(keys, session), capture(packets, session.ports()):
        again = session.run(result.check)
    if packets.exists():
        result.captured = f"captures/{packets.name}"
    if again.verdict == "passed":
        result.flaky = True
        result.reason += "\nIt passed when it was run again: flaky."


@contextlib.contextmanager
def keys_to(path, session):
    """TLS keys of new connections go to the file."""
    os.environ["SSLKEYLOGFILE"] = str(path)
    if session.masa:
        session.masa.context.keylog_filename = str(path)
    try:
        yield
    finally:
        del os.environ["SSLKEYLOGFILE"]
        if session.masa:
            session.masa.context.keylog_filename = os.devnull


@contextlib.contextmanager
def capture(path, ports):
    """Packets of these ports (all when none is known) as long as it lasts."""
    try:
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL_PROTOCOLS))
    except PermissionError:
        yield
        return
    tap.settimeout(0.1)
    done = threading.Event()
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAPLEN, LINKTYPE_RAW))
        thread = threading.Thread(target=_listen, args=(tap, out, set(ports), done), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            tap.close()


def _listen(tap, out, ports, done):
    """Until done and nothing more comes, or others on this machine have been at it for too long."""
    last = None
    while last is None or time.monotonic() < last:
        if last is None and done.is_set():
            last = time.monotonic() + LINGER_S
        try:
            packet, address = tap.recvfrom(SNAPLEN)
        except socket.timeout:
            if last is not None:
                return
            continue
        if address[0] == "lo" and address[2] == OUTGOING:
            continue
        if out.tell() < CAPTURE_MAX and (not ports or ports & set(ports_of(packet))):
            now = time.time()
            header = int(now), int(now % 1 * 1e6), len(packet), len(packet)
            out.write(struct.pack("<IIII", *header) + packet)


def ports_of(packet):
    """Source and destination port of an IP packet with TCP or UDP in it; () of others."""
    version = packet[0] >> 4 if packet else 0
    if version == 4 and packet[IPV4_PROTOCOL_AT] in (TCP, UDP):
        at = (packet[0] & 15) * 4
    elif version == 6 and len(packet) > IPV6_HEADER and packet[IPV6_PROTOCOL_AT] in (TCP, UDP):
        at = IPV6_HEADER
    else:
        return ()
    return struct.unpack_from("!HH", packet, at) if len(packet) >= at + 4 else ()
