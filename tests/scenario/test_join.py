# SPDX-License-Identifier: Apache-2.0
"""Devices join a site: the three programs as processes, good days and bad ones."""
import concurrent.futures
import json
import re
import signal

import pytest
from cryptography import x509

import harness
from brski_peer import forge
from places import Device, Site

req = pytest.mark.req

JOINED, FAILED, USAGE, REFUSED, UNREACHABLE, BAD_VOUCHER, STILL_PENDING, NOT_ENROLLED = range(8)


def ldevid_of(pledge):
    """The certificate the pledge got: the one in its state that carries the newest validity."""
    found = []
    for path in pledge.state.rglob("*"):
        text = path.read_bytes() if path.is_file() else b""
        if b"BEGIN CERTIFICATE" in text:
            found += forge.load_certs(path)
    leaves = [c for c in found if not forge.is_ca(c)]
    assert leaves, "no end-entity certificate in the state directory"
    return max(leaves, key=lambda c: (c.not_valid_before, c.serial_number))


def joins(pledge, **more):
    done = pledge.join(**more)
    assert done.returncode == JOINED, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done


# -- good days

@pytest.fixture(scope="module", params=["TLSv1.2", "TLSv1.3"])
def one_version(request, site, place, acme, domain):
    """The site with a registrar that speaks one version of TLS only."""
    where = place / request.param
    registrar = harness.Registrar(where, domain, [acme], tls=request.param)
    with harness.running(registrar):
        shown = harness.run("sh", "-c", f"openssl s_client -connect 127.0.0.1:{registrar.port} </dev/null")
        assert f"New, {request.param}" in shown.stdout
        yield Site(where, acme, domain, site.masa, registrar)


@req("R8995-PLG-061", "R8995-REG-017", "R8995-REG-050", "R8995-MASA-001", "ENC-ALL-025", "R8995-REG-004",
     "R8995-PLG-013", "EA-01", "EE-07")
@pytest.mark.parametrize("idevid, ldevid", [
    ("ec-p256", "ec-p256"), ("ec-p384", "ec-p384"), ("rsa-3072", "ec-p256"), ("ec-p256", "ed25519"),
    ("ec-p256", "rsa-3072")])
def test_device_joins_with_each_key_type_and_tls_version(one_version, domain, idevid, ldevid):
    site = one_version
    device = site.device(key_type=idevid)
    pledge = site.pledge(device, changes={"device": {"key_type": ldevid}})
    done = joins(pledge)
    assert re.search(r"voucher.*accepted.*proximity", done.stdout, re.I), done.stdout
    certificate = ldevid_of(pledge)
    assert certificate.issuer == forge.load_certs(domain.file("issuing.crt"))[0].subject
    assert device.serial in certificate.subject.rfc4514_string()
    assert pledge.command("status").returncode == 0


@pytest.mark.parametrize("key_type", ["ec-p384", "rsa-3072"])
@req("ENC-ALL-025")
def test_site_and_manufacturer_with_other_key_types(lab, cell, key_type):
    maker = harness.Manufacturer(cell / "maker", "Maker", key_type)
    home = harness.Domain(cell / "home", "Home", key_type)
    masa = harness.Masa(cell / "masa", maker)
    registrar = harness.Registrar(cell / "registrar", home, [maker])
    with harness.running(masa, registrar):
        here = Site(cell, maker, home, masa, registrar)
        joins(here.pledge(here.device(key_type=key_type)))


@req("R8995-PLG-001")
def test_second_join_says_already_enrolled(site):
    pledge = site.pledge(site.device())
    joins(pledge)
    before = ldevid_of(pledge)
    done = joins(pledge)
    assert "already" in (done.stdout + done.stderr).lower()
    assert ldevid_of(pledge) == before


@req("R8995-PLG-058", "EE-09", "EE-10")
def test_enrolled_device_renews(site):
    pledge = site.pledge(site.device(), changes={"policy": {"renew_before": "400d"}})
    joins(pledge)
    before = ldevid_of(pledge)
    done = pledge.command("renew")
    assert done.returncode == 0, done.stderr
    after = ldevid_of(pledge)
    assert after.serial_number != before.serial_number and after.subject == before.subject


@req("R8995-PLG-058")
def test_renewal_before_its_time_changes_nothing(site):
    pledge = site.pledge(site.device())
    joins(pledge)
    before = ldevid_of(pledge)
    pledge.command("renew")
    assert ldevid_of(pledge) == before


@req("R8995-PLG-009", "R8995-REG-059")
def test_device_joins_again_after_a_reset(site):
    device = site.device()
    pledge = site.pledge(device)
    joins(pledge)
    before = ldevid_of(pledge)
    assert pledge.command("reset").returncode == 0
    assert pledge.command("status").returncode == NOT_ENROLLED
    joins(pledge)
    assert ldevid_of(pledge).serial_number != before.serial_number
    log = site.masa.audit(device.serial)
    assert len(log) == 2, log


def test_masa_whose_first_address_is_dead_is_reached_by_its_second(place, acme, domain):
    """A name with two addresses: nobody listens on the first. The registrar sees a hosts file of ours
    in a mount namespace of its own."""
    where = place / "two-addresses"
    where.mkdir()
    hosts = where / "hosts"
    inside = ["unshare", "--mount", "sh", "-c", f"mount --bind {hosts} /etc/hosts && exec \"$@\"", "sh"]
    hosts.write_text("::1 masa.test\n127.0.0.1 masa.test\n")
    first = harness.run(*inside, "/usr/bin/python3", "-c",
                        "import socket; print(socket.getaddrinfo('masa.test', 1)[0][4][0])")
    if first.returncode or first.stdout.strip() != "::1":
        pytest.skip("needs root for a mount namespace, and an IPv6 loopback")
    harness.run(harness.program("brski-certs"), "masa", "--ca", acme.directory, "--out", where / "masa",
                "--san", "DNS:masa.test", check=0)
    masa = harness.Masa(where, acme, changes={"server": {"key": where / "masa" / "masa-tls.key",
                                                         "certificate": where / "masa" / "masa-tls.crt"}})
    registrar = harness.Registrar(where, domain, [acme])
    registrar.argv = inside + registrar.argv
    with harness.running(masa, registrar):
        here = Site(where, acme, domain, masa, registrar)
        joins(here.pledge(here.device(masa_url=f"masa.test:{masa.port}")))


def test_one_exchange_id_in_all_three_logs(site):
    pledge = site.pledge(site.device())
    done = joins(pledge)
    found = re.search(r"exchange=\"?([0-9A-Za-z-]{8,32})", done.stderr + done.stdout)
    assert found, "the pledge names its exchange"
    site.registrar.wait_log(f"exchange=\"?{found[1]}")
    site.masa.wait_log(f"exchange=\"?{found[1]}")


@req("ENC-ALL-026")
def test_eight_devices_at_once(site):
    pledges = [site.pledge(site.device()) for _ in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda p: p.join(), pledges))
    assert [d.returncode for d in done] == [JOINED] * 8, [d.stderr for d in done]
    assert len({ldevid_of(p).serial_number for p in pledges}) == 8
    assert site.masa.alive() and site.registrar.alive()


@req("R8995-PLG-007", "R8995-PLG-031")
def test_first_registrar_dead_second_good(site):
    urls = [f"https://127.0.0.1:{harness.free_port()}", site.url]
    joins(site.pledge(site.device(), urls=urls))


def test_registrar_knows_the_device_afterwards(site):
    device = site.device()
    joins(site.pledge(device))
    assert device.serial in site.registrar.ctl("devices", "list").stdout
    assert site.registrar.ctl("devices", "show", device.serial).stdout.strip()
    assert site.registrar.ctl("devices", "show", "NO-SUCH", check=None).returncode == 3


# -- policy

@pytest.fixture(scope="module")
def holding(place, acme, domain, site):
    """A second registrar of the site that holds every device."""
    registrar = harness.Registrar(place / "holding", domain, [acme],
                                  changes={"manufacturer Acme": {"admit": "hold"}})
    with harness.running(registrar):
        yield Site(place / "holding", acme, domain, site.masa, registrar)


def pending_claim(site, device):
    def found():
        return [c for c in site.registrar.claims("pending") if device.serial in json.dumps(c)]
    return harness.wait_until(found, f"a claim of {device.serial}")[0]


@req("R8995-REG-016", "R8995-PLG-027")
def test_held_device_joins_when_approved(holding):
    device = holding.device()
    pledge = holding.pledge(device)
    pledge.start()
    pending_claim(holding, device)
    holding.registrar.ctl("claims", "approve", device.serial)
    assert pledge.wait(30) == JOINED
    assert not [c for c in holding.registrar.claims("pending") if device.serial in json.dumps(c)]


@req("R8995-REG-012", "R8995-PLG-031")
def test_rejected_device_is_told_and_stops(holding):
    device = holding.device()
    pledge = holding.pledge(device)
    pledge.start()
    pending_claim(holding, device)
    holding.registrar.ctl("claims", "reject", device.serial, "--reason", "not ordered")
    assert pledge.wait(30) == REFUSED
    assert pledge.command("status").returncode == NOT_ENROLLED


@req("R8995-REG-012")
def test_rejected_device_joins_after_a_change_of_mind(holding):
    device = holding.device()
    pledge = holding.pledge(device)
    pledge.start()
    pending_claim(holding, device)
    holding.registrar.ctl("claims", "reject", device.serial)
    assert pledge.wait(30) == REFUSED
    holding.registrar.ctl("claims", "approve", device.serial)
    joins(pledge)


@req("R8995-REG-016")
def test_approval_survives_a_restart_of_the_registrar(holding):
    device = holding.device()
    pledge = holding.pledge(device, changes={"retry": {"attempts": 0}})
    pledge.start()
    pending_claim(holding, device)
    holding.registrar.restart()
    assert pending_claim(holding, device)
    holding.registrar.ctl("claims", "approve", device.serial)
    holding.registrar.restart()
    assert pledge.wait(40) == JOINED


@req("R8995-REG-016")
def test_all_pending_claims_are_approved_at_once(holding):
    devices = [holding.device() for _ in range(3)]
    pledges = [holding.pledge(d).start() for d in devices]
    for device in devices:
        pending_claim(holding, device)
    holding.registrar.ctl("claims", "approve", "--all", "--yes")
    assert [p.wait(30) for p in pledges] == [JOINED] * 3


# -- who must not join

@req("R8995-REG-006", "R8995-REG-012", "R8995-REG-049", "R8995-REG-058")
def test_device_of_an_unknown_manufacturer_is_refused(site, stranger):
    device = Device(stranger, site.masa_url)
    pledge = site.pledge(device)
    done = pledge.join()
    assert done.returncode == REFUSED
    assert pledge.command("status").returncode == NOT_ENROLLED


@req("R8995-MASA-011", "R8995-REG-018")
def test_device_the_masa_does_not_know_is_refused(site):
    assert site.pledge(site.device(known=False)).join().returncode == REFUSED


@req("R8995-PLG-032")
def test_device_with_another_built_in_anchor_does_not_believe_the_voucher(site, stranger):
    device = site.device()
    pledge = site.pledge(device, changes={"device": {"masa_anchors": stranger.anchors}})
    assert pledge.join().returncode == BAD_VOUCHER
    site.registrar.wait_log(r"voucher.*status.*false|status=false|refused")
    assert pledge.command("status").returncode == NOT_ENROLLED


@req("R8995-MASA-017", "R8995-REG-018")
def test_device_of_another_owner_is_refused(place, acme, domain, other_domain):
    masa = harness.Masa(place / "owners", acme, changes={"policy": {"ownership": "known-owner"}})
    registrar = harness.Registrar(place / "owners-registrar", domain, [acme])
    with harness.running(masa, registrar):
        here = Site(place / "owners", acme, domain, masa, registrar)
        masa.ctl("owners", "add", "us", domain.file("root.crt"))
        masa.ctl("owners", "add", "them", other_domain.file("root.crt"))
        assert here.pledge(here.device(owner="them")).join().returncode == REFUSED
        joins(here.pledge(here.device(owner="us")))


# -- a MASA that is away or lies (the fake one), seen from the real pledge

@req("R8995-REG-018", "R8995-PLG-031")
def test_masa_down_then_up_again(place, acme, domain):
    masa = harness.Masa(place / "away", acme)
    registrar = harness.Registrar(place / "away-registrar", domain, [acme])
    here = Site(place / "away", acme, domain, masa, registrar)
    with harness.running(masa, registrar):
        device = here.device()
        masa.stop()
        pledge = here.pledge(device)
        assert pledge.join().returncode != JOINED
        masa.start()
        joins(pledge)


@req("R8995-REG-018")
def test_slow_masa_does_not_keep_the_device_out_for_good(fake_site, fake_masa):
    fake_masa.delay = 20
    pledge = fake_site.pledge(fake_site.device())
    assert pledge.join().returncode != JOINED
    fake_masa.delay = 0
    joins(pledge)


@req("R8995-REG-037", "R8995-PLG-055")
@pytest.mark.parametrize("lie", ["nonce", "serial", "pin", "signer", "expired", "empty"])
def test_no_lie_of_a_masa_gets_a_device_in(fake_site, fake_masa, stranger, other_domain, lie):
    from brski_peer import voucher
    from brski_peer.server import Answer
    foreign = forge.load_certs(other_domain.file("issuing.crt"))[0]
    changes = {"nonce": {"nonce": voucher.new_nonce()}, "serial": {"serial_number": "ANOTHER"},
               "pin": {"pinned_domain_cert": forge.b64(forge.der(foreign))},
               "expired": {"expires_on": voucher.timestamp(seconds=-60)}}
    if lie in changes:
        fake_masa.lie = lambda f: forge.changed(f, changes[lie])
    elif lie == "signer":
        masa = stranger.directory / "masa"
        fake_masa.signer = forge.load(masa / "masa-signer.key", masa / "masa-signer.crt")
    else:
        fake_masa.answer = lambda _r: Answer(200, b"", "application/voucher-cms+json")
    pledge = fake_site.pledge(fake_site.device())
    done = pledge.join()
    assert done.returncode in (REFUSED, BAD_VOUCHER, UNREACHABLE, FAILED), done.stderr
    assert pledge.command("status").returncode == NOT_ENROLLED


# -- interruptions

@req("R8995-PLG-026", "R8995-PLG-027")
def test_registrar_restart_in_the_middle(site, place, acme, domain):
    registrar = harness.Registrar(place / "restarted", domain, [acme],
                                  changes={"manufacturer Acme": {"admit": "hold"}})
    here = Site(place / "restarted", acme, domain, site.masa, registrar)
    with harness.running(registrar):
        device = here.device()
        pledge = here.pledge(device, changes={"retry": {"attempts": 0}})
        pledge.start()
        pending_claim(here, device)
        registrar.kill()
        registrar.start()
        registrar.ctl("claims", "approve", device.serial)
        assert pledge.wait(40) == JOINED


def steps_of(pledge_output):
    """The step lines on standard output: 'word: text'."""
    return [line for line in pledge_output.splitlines() if re.match(r"^[a-z][a-z -]*:", line)]


@req("R8995-PLG-001", "R8995-PLG-009")
def test_pledge_killed_after_each_step_joins_the_next_time(site):
    reference = steps_of(joins(site.pledge(site.device())).stdout)
    assert len(reference) >= 4, reference
    for number in range(1, len(reference) + 1):
        device = site.device()
        pledge = site.pledge(device)
        pledge.start()

        def reached():
            return len(steps_of(pledge.log())) >= number or not pledge.alive()
        harness.wait_until(reached, f"step {number}: {reference[number - 1]}")
        pledge.kill()
        done = pledge.join()
        assert done.returncode == JOINED, (reference[number - 1], done.stdout, done.stderr)
        certificate = ldevid_of(pledge)
        assert device.serial in certificate.subject.rfc4514_string()
        assert pledge.command("status").returncode == 0


def test_registrar_drains_on_sigterm(site, place, acme, domain):
    registrar = harness.Registrar(place / "drained", domain, [acme])
    here = Site(place / "drained", acme, domain, site.masa, registrar)
    with harness.running(registrar):
        joins(here.pledge(here.device()))
        with here.peer(here.device()) as peer:
            octets = peer.connection.request_octets(
                "POST", "/.well-known/brski/requestvoucher", peer.pvr(), "application/voucher-cms+json")
            peer.connection.send(octets[:-10])
            registrar.signal(signal.SIGTERM)
            harness.wait_until(lambda: not harness.listening(registrar.port), "no new connections")
            peer.connection.send(octets[-10:])
            reply = peer.connection.read_reply()
            assert reply.status in (200, 503)
        assert registrar.wait() == 0


def test_masa_ends_cleanly_on_sigterm(place, acme):
    masa = harness.Masa(place / "sigterm", acme)
    masa.start()
    assert masa.stop() == 0


# -- configuration

@pytest.mark.parametrize("name", ["registrar", "masa"])
def test_check_of_a_good_configuration_is_exit_0(site, name):
    daemon = getattr(site, name)
    done = harness.run(harness.program(f"brski-{name}"), "-c", daemon.config, "--check")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("section, key, value", [
    ("manufacturer Acme", "serials", "/nonexistent/serials"), ("server", "listen", "127.0.0.1:http-and-more"),
    ("server", "listen", "127.0.0.1:99999"), ("server", "key", "/nonexistent/key"),
    ("manufacturer Acme", "anchors", "/dev/null"), ("policy", "retry_after", "soon"), ("ca", "key", "/dev/null")])
def test_configuration_that_killed_others_is_a_clear_error(cell, domain, acme, section, key, value):
    registrar = harness.Registrar(cell, domain, [acme], changes={section: {key: value}})
    done = harness.run(harness.program("brski-registrar"), "-c", registrar.config, "--check")
    assert done.returncode in (1, 2) and done.stderr.strip(), done


@pytest.mark.parametrize("name", ["registrar", "masa", "pledge"])
def test_unknown_key_is_an_error_with_its_line(site, cell, name):
    source = site.pledge(site.device()).config if name == "pledge" else getattr(site, name).config
    config = cell / f"{name}.conf"
    text = source.read_text()
    config.write_text(text + "colour = red\n")
    line = text.count("\n") + 1
    argv = ["status"] if name == "pledge" else []
    done = harness.run(harness.program(f"brski-{name}"), *argv, "-c", config,
                       *([] if name == "pledge" else ["--check"]))
    assert done.returncode == 2 or (name != "pledge" and done.returncode == 1)
    assert "colour" in done.stderr and re.search(rf"\b{line}\b", done.stderr), done.stderr


@pytest.mark.parametrize("name", ["brski-pledge", "brski-registrar", "brski-masa", "brski-certs",
                                  "brski-voucher", "registrarctl", "masactl"])
def test_help_and_version(lab, name):
    for option in ("--help", "--version"):
        done = harness.run(harness.program(name), option)
        assert done.returncode == 0 and done.stdout.strip(), (name, option)


@req("R8995-PLG-062")
def test_minted_idevid_is_what_802_1ar_wants(acme):
    device = Device(acme, "masa.example:9443")
    certificate = device.identity.cert
    text = harness.run("openssl", "x509", "-in", device.certificate, "-noout", "-text").stdout
    assert "Dec 31 23:59:59 9999" in text
    assert forge.extension(certificate, x509.oid.ExtensionOID.KEY_USAGE) is None
    assert not forge.ekus(certificate)
    url = certificate.extensions.get_extension_for_oid(forge.certs.MASA_URL_OID)
    assert not url.critical and url.value.value == b"\x16\x11masa.example:9443"
    assert forge.ski(certificate) and forge.aki_tlv(certificate)
    assert (device.certificate.parent / "manifest.csv").read_text().startswith("serial,")
