# SPDX-License-Identifier: Apache-2.0
"""The pledge's CoAPS session against libcoap's example server, directly and over a bad link."""
import pathlib
import shutil
import socket
import subprocess

import pytest

from harness import Domain, Manufacturer, free_port, program, wait_until
from udp_relay import UP, Relay

pytestmark = pytest.mark.skipif(not shutil.which("coap-server-openssl"), reason="no coap-server-openssl (libcoap3-bin)")
req = pytest.mark.req

TEXT = "text/plain"
GET = "GET /example_data - -"
PUT = f"PUT /example_data {TEXT} -"


@pytest.fixture(scope="module")
def identities(tmp_path_factory):
    """(key, certificates) of a device and of a server."""
    device = Manufacturer(tmp_path_factory.mktemp("maker")).idevid("TINY-1", "https://masa.example")
    site = Domain(tmp_path_factory.mktemp("site"))
    return device, (site.registrar_dir / "registrar.key", site.registrar_dir / "registrar.crt")


def takes_datagrams(port):
    with socket.socket(type=socket.SOCK_DGRAM) as s:
        s.connect(("127.0.0.1", port))
        try:
            s.send(b"x")
            s.settimeout(0.05)
            s.recv(1)
        except ConnectionRefusedError:
            return False
        except TimeoutError:
            pass
        return True


@pytest.fixture(scope="module")
def port(identities, tmp_path_factory):
    """Of a server that demands a client certificate and does not know who made it."""
    both = tmp_path_factory.mktemp("server") / "both.pem"
    both.write_bytes(b"".join(pathlib.Path(p).read_bytes() for p in identities[1]))
    plain = free_port()
    server = subprocess.Popen(["coap-server-openssl", "-A", "127.0.0.1", "-p", str(plain), "-c", both, "-n", "-d", "10"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: takes_datagrams(plain + 1), "coap-server listening")
    yield plain + 1
    server.terminate()
    server.wait(10)


def talk(port, device, *requests, body=b"", mtu=1024, timeout_ms=10000):
    """[(status, retry, type, body)…]; the reason when one failed."""
    words = [w for r in requests for w in r.split()]
    done = subprocess.run([program("tools/coaps"), *device, str(mtu), str(timeout_ms), f"coaps://127.0.0.1:{port}", *words],
                          input=body, capture_output=True, timeout=60)
    if done.returncode:
        return done.stderr.decode()
    answers, rest = [], done.stdout
    while rest:
        head, _, rest = rest.partition(b"\n")
        status, length, retry, *kind = head.decode().split(" ", 3)
        answers.append((int(status), retry, kind[0], rest[:int(length)]))
        rest = rest[int(length):]
    return answers


@req("C-23", "D-03")
def test_a_stock_server_is_talked_to(identities, port):
    root, missing = talk(port, identities[0], "GET / - -", "GET /nothing - -")
    assert root[0] == 200 and b"libcoap" in root[3]
    assert missing[0] == 404 and missing[2].startswith(TEXT)


@req("B-01", "B-06", "B-12", "C-15", "D-07")
@pytest.mark.parametrize("mtu", [400, 1024, 1280])
def test_4_kib_go_both_ways_in_blocks(identities, port, mtu):
    body = bytes(i % 251 for i in range(4096))
    put, get = talk(port, identities[0], PUT, GET, body=body, mtu=mtu)
    assert put[0] in (200, 201)
    assert get[0] == 200 and get[3] == body


@req("C-16")
def test_a_separate_answer_is_waited_for(identities, port):
    (late,) = talk(port, identities[0], "GET /async?1 - -")
    assert late[0] == 200 and late[3]


@req("B-09", "B-12", "D-07")
def test_nothing_longer_than_the_link_carries_is_sent_or_asked_for(identities, port):
    body = bytes(i % 251 for i in range(3000))
    with Relay(port, mtu=600) as link:
        put, get = talk(link.port, identities[0], PUT, GET, body=body, mtu=500)
        assert put[0] in (200, 201) and get[3] == body
        assert link.longest[UP] <= 500


@req("B-06", "C-15", "R-21")
@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_15_percent_of_loss_repetition_and_reordering_are_survived(identities, port, seed):
    """Downwards: upwards libcoap 4.3.1 runs a repeated request again and forgets the blocks before it."""
    body = bytes((i * seed) % 251 for i in range(4096))
    assert talk(port, identities[0], PUT, body=body)[0][0] in (200, 201)
    with Relay(port, loss=0.15, duplicate=0.1, reorder=0.1, delay=0.02, jitter=0.02, seed=seed) as link:
        (answer,) = talk(link.port, identities[0], GET, timeout_ms=55000)
    assert answer[0] == 200 and answer[3] == body
