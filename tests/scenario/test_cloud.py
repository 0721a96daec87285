# SPDX-License-Identifier: Apache-2.0
"""A device that finds nobody near it, its manufacturer's cloud registrar, and its owner: with a registrar,
with an EST server, with several of either. Pledge, cloud registrar, MASA and owner's registrar are the real
ones; what is sent astray on purpose meets Python's."""
import contextlib
import json
import pathlib
import shutil
import socket
import ssl
import time
import urllib.parse

import pytest

import harness
import netns
from brski_peer import forge
from brski_peer.crl import CrlServer
from brski_peer.registrar import FakeRegistrar
from brski_peer.server import Answer
from brski_peer.wire import Connection
from places import Site
from test_decisions import SECRET, Decider
from test_revocation import LOOPBACK
from test_revocation import Site as Listed
from wire import LEFT, Wire, running_at

req = pytest.mark.req

PATH = "/.well-known/brski/requestvoucher"
JOINED, REFUSED, BAD_VOUCHER = 0, 3, 5


@pytest.fixture(scope="module")
def cloud_domain(place):
    """What pledges know their cloud registrar by, and nobody else."""
    domain = harness.Domain(place / "cloud-domain", "Cloud")
    domain.registrar_dir = place / "two-names"
    domain.registrar_identity(san="DNS:localhost,DNS:cloud.example")
    return domain


@pytest.fixture(scope="module")
def masa(place, acme, cloud_domain):
    tokens = place / "tokens"
    made = {kind: json.loads(harness.run(harness.program("masactl"), "tokens", "new", kind, f"--{kind}", "-o",
                                         "json").stdout) for kind in ("lookup", "read")}
    tokens.write_text("".join(t["line"] + "\n" for t in made.values()))
    tokens.chmod(0o600)
    admin_port = harness.free_port()
    masa = harness.Masa(place / "masa", acme, changes={
        "cloud": {"registrars": cloud_domain.file("root.crt")},
        "admin": {"tokens": tokens, "listen": f"127.0.0.1:{admin_port}"}})
    masa.admin_port = admin_port
    masa.tokens = {kind: t["token"] for kind, t in made.items()}
    with harness.running(masa):
        yield masa


def cloud_registrar(place, name, acme, cloud_domain, masa, changes=None):
    return harness.Registrar(place / name, cloud_domain, [acme], changes=harness.merged({
        "cloud": {"enabled": "yes", "retry_after": "1s"},
        f"manufacturer {acme.name}": {"masa_url": f"https://localhost:{masa.port}"}}, changes))


@pytest.fixture(scope="module")
def cloud(place, acme, cloud_domain, masa):
    """A Site whose registrar is the cloud registrar."""
    registrar = cloud_registrar(place, "cloud", acme, cloud_domain, masa)
    with harness.running(registrar):
        yield Site(place, acme, cloud_domain, masa, registrar)


@pytest.fixture(scope="module")
def owner(place, acme, domain, masa):
    """The owner's registrar, with a private CA."""
    registrar = harness.Registrar(place / "owner", domain, [acme])
    with harness.running(registrar):
        yield registrar


def claimed(site, device, *destinations, name="depot"):
    """Its owner, with these destinations: words of masactl."""
    site.masa.ctl("owners", "add", name, site.domain.file("root.crt"))
    site.masa.import_devices([{"serial": device.serial, "owner": name}])
    for kind, *words in destinations:
        site.masa.ctl("destinations", kind, name, *words)


def pledge(site, device, url=None, urls=(), **changes):
    return site.pledge(device, list(urls) or [""], harness.merged({"registrars": {
        "urls": " ".join(urls), "cloud": url or f"https://localhost:{site.registrar.port}",
        "cloud_anchors": site.domain.file("root.crt")}}, changes))


def journal(site, device):
    said = json.loads(site.registrar.ctl("audit", "list", "-o", "json").stdout)
    return [(line["step"], line["outcome"]) for line in said if line.get("serial") == device.serial]


def server(site, acme, where=None, san=None):
    """One that the pledge knows by its implicit anchors."""
    where = where or site.directory / "other"
    if not where.exists():
        site.domain.registrar_identity(where, san=san)
    key, certificate = where / "registrar.key", where / "registrar.crt"
    return FakeRegistrar(certificate, key, site.domain.directory, acme.directory)


def place_of(made, path=PATH):
    return f"https://localhost:{made.port}{path}"


# -- to the owner

@req("CLOUD-CR-003", "CLOUD-CR-005", "CLOUD-CR-006", "CLOUD-CR-007", "CLOUD-PLG-001", "CLOUD-PLG-003", "CLOUD-PLG-006",
     "CLOUD-PLG-007", "CLOUD-PLG-010", "CLOUD-PLG-015")
def test_device_is_unknown_then_unclaimed_then_joins_at_its_owner(cloud, owner):
    device = cloud.device(known=False)
    first = pledge(cloud, device).join()
    assert first.returncode == REFUSED and "Nothing is known of this device" in first.stdout
    cloud.masa.import_devices([{"serial": device.serial}])
    waiting = pledge(cloud, device).start()
    waiting.wait_log("no owner has claimed this device yet")
    claimed(cloud, device, ("registrar", f"https://127.0.0.1:{owner.port}"))
    assert waiting.wait() == JOINED
    assert "not trusted yet" in waiting.log() and "as its anchors know it" in waiting.log()
    assert ("allocate", "redirected") in journal(cloud, device)
    assert ("owner", "unclaimed") in journal(cloud, device)
    said = json.loads(cloud.registrar.ctl("audit", "list", "-o", "json").stdout)
    assert "Nobody has claimed this device yet." in [line.get("reason") for line in said]
    assert owner.lines(f"voucher-delivered.*{device.serial}")


@req("CLOUD-CR-001", "CLOUD-CR-004", "CLOUD-CR-011")
def test_cloud_registrar_answers_a_device_about_itself_only_and_is_no_est_server(cloud, stranger, owner):
    device, other = cloud.device(), cloud.device()
    claimed(cloud, device, ("registrar", f"https://127.0.0.1:{owner.port}"))
    with cloud.peer(other) as p:
        assert p.request_voucher(p.pvr(serial_number=device.serial)).status == 403
        assert p.request_voucher(p.pvr(serial_number=device.serial, signer=device.identity)).status == 403
        assert p.request_voucher(b"0\x03\x02\x01\x05").status == 400
        # a 401 would say that nobody has claimed it
        assert p.request_voucher(p.pvr(proximity_registrar_cert=None)).status == 403
        for path in ("/.well-known/est/csrattrs", "/.well-known/est/cacerts", "/.well-known/est/crl"):
            assert p.connection.get(path).status == 404
    impostor = cloud.device(manufacturer=stranger, serial=device.serial, known=False)
    with cloud.peer(impostor) as p:
        assert p.request_voucher().status == 403
    with cloud.peer() as p:
        p.identity = device.identity
        assert p.request_voucher().status == 403


@req("CLOUD-CR-002", "CLOUD-CR-003")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_every_name_it_has_is_served(cloud, version):
    context = ssl.create_default_context(cafile=cloud.domain.file("root.crt"))
    context.minimum_version = context.maximum_version = version
    for name in ("localhost", "cloud.example"):
        with socket.create_connection(("127.0.0.1", cloud.registrar.port)) as tcp:
            context.wrap_socket(tcp, server_hostname=name).close()


@req("CLOUD-CR-005")
def test_more_than_it_serves_is_503(cloud, acme, owner):
    device = cloud.device()
    claimed(cloud, device, ("registrar", f"https://127.0.0.1:{owner.port}"))
    slow = cloud_registrar(cloud.directory, "slow", acme, cloud.domain, cloud.masa,
                           {"cloud": {"requests_per_second": 4}})
    with harness.running(slow):
        site = Site(cloud.directory, acme, cloud.domain, cloud.masa, slow)
        with site.peer(device) as p:
            replies = [p.request_voucher() for _ in range(20)]
    assert replies[0].status == 307 and replies[-1].status == 503
    assert replies[-1].header("retry-after")


@req("CLOUD-CR-012")
def test_two_cloud_registrars_never_send_a_device_back(cloud, acme, stranger):
    """The manufacturer's sends the device to a reseller's, whose MASA has never heard of it."""
    reseller_masa = harness.Masa(cloud.directory / "reseller-masa", stranger, changes={
        "devices": {"anchors": acme.anchors}, "cloud": {"registrars": cloud.domain.file("root.crt")}})
    reseller = harness.Registrar(cloud.directory / "reseller", cloud.domain, [acme], changes={
        "cloud": {"enabled": "yes"},
        f"manufacturer {acme.name}": {"masa_url": f"https://localhost:{reseller_masa.port}",
                                      "masa_anchors": stranger.anchors}})
    device = cloud.device()
    with harness.running(reseller_masa, reseller):
        claimed(cloud, device, ("registrar", f"https://localhost:{reseller.port}"), name="reseller")
        done = pledge(cloud, device).join()
        assert done.returncode == REFUSED and "redirected" in done.stdout
        with Site(cloud.directory, acme, cloud.domain, reseller_masa, reseller).peer(device) as p:
            reply = p.request_voucher()
    assert reply.status == 404 and reply.header("location") is None


# -- to an EST server

@pytest.fixture(scope="module")
def est_server(domain, acme):
    """Another implementation's, and it makes no vouchers."""
    key, certificate = domain.registrar_dir / "registrar.key", domain.registrar_dir / "registrar.crt"
    with FakeRegistrar(certificate, key, domain.directory, acme.directory) as made:
        made.on["requestvoucher"] = lambda _request: Answer(404)
        yield made


@req("CLOUD-CR-008", "CLOUD-CR-010", "CLOUD-CR-013", "CLOUD-CR-014", "CLOUD-PLG-008", "CLOUD-PLG-009",
     "CLOUD-PLG-011", "CLOUD-PLG-013", "CLOUD-PLG-014")
def test_device_joins_at_the_est_server_of_its_voucher(cloud, est_server, domain, other_domain, acme):
    device = cloud.device()
    with server(cloud, acme) as config:
        config.on["settings"] = lambda _request: Answer(200, b"level = 7\n", "text/plain")
        # the certificate is not the right one yet: nothing is said to the server
        claimed(cloud, device, ("est", place_of(est_server, "/"), other_domain.file("root.crt")),
                ("configuration", place_of(config, "/settings")), name="est-owner")
        est_server.requests.clear()
        attempt = pledge(cloud, device)
        assert attempt.join().returncode not in (JOINED, REFUSED) and not est_server.requests
        assert ("voucher-status", "false") in journal(cloud, device)
        assert not config.steps()
        cloud.masa.ctl("destinations", "est", "est-owner", place_of(est_server, "/"), domain.file("root.crt"))
        done = attempt.join()
        assert done.returncode == JOINED, done.stdout + done.stderr
        assert "settings" in config.steps()
    assert "simpleenroll" in est_server.steps() and "requestvoucher" not in est_server.steps()
    assert est_server.reports("enrollstatus")[-1]["status"] is True
    assert ("voucher-status", "true") in journal(cloud, device)
    assert ("allocate", "est-named") in journal(cloud, device)
    kept = attempt.state / "additional-configuration"
    assert kept.read_bytes() == b"level = 7\n" and kept.stat().st_mode & 0o777 == 0o600
    assert cloud.masa.audit(device.serial)[-1]["assertion"] == "verified"


@req("CLOUD-PLG-013")
def test_est_server_that_ends_an_idle_connection_is_met_again(cloud, est_server, domain, acme):
    """Whatever additional configuration takes, and however it ends, costs no onboarding."""
    device = cloud.device()

    def late(_request):
        for tls in list(est_server.open):
            tls.shutdown(socket.SHUT_RDWR)
        return Answer(302, headers=[("Location", "http://localhost/")])
    with server(cloud, acme) as config:
        config.on["settings"] = late
        claimed(cloud, device, ("est", place_of(est_server, "/"), domain.file("root.crt")),
                ("configuration", place_of(config, "/settings")), name="late-owner")
        done = pledge(cloud, device).join()
        assert done.returncode == JOINED and "configuration: not fetched" in done.stdout, done.stdout + done.stderr
        assert config.steps() == ["settings"], "it follows no redirect"


@req("CLOUD-PLG-012")
@pytest.mark.parametrize("lie", [{"serial-number": "OTHER-1"}, {"nonce": "AAECAwQFBgcICQoLDA0ODw=="},
                                 {"est-domain": "http://localhost/"}])
def test_voucher_is_judged_in_full_before_its_est_server_is_met(cloud, est_server, domain, acme, lie):
    with server(cloud, acme) as liar:
        liar.lie = lambda fields: {**fields, "est-domain": place_of(est_server, "/"),
                                   "pinned-domain-cert": forge.b64(forge.der(est_server.root)), **lie}
        connections = est_server.connections
        assert pledge(cloud, cloud.device(), place_of(liar)).join().returncode == BAD_VOUCHER
        assert est_server.connections == connections
        assert [r["status"] for r in liar.reports("voucher_status")] == [False]


@req("CLOUD-PLG-008", "CLOUD-PLG-011")
def test_name_of_the_est_server_counts_where_a_ca_is_pinned(cloud, domain, acme):
    """Any server of that CA could be there; one whose very certificate is pinned is known by that."""
    key, certificate = domain.registrar_identity(cloud.directory / "est-elsewhere", san="DNS:elsewhere.example")
    with server(cloud, acme) as sender, FakeRegistrar(certificate, key, domain.directory, acme.directory) as est:
        def join_with(pin):
            sender.lie = lambda fields: {**fields, "est-domain": place_of(est, "/"),
                                         "pinned-domain-cert": forge.b64(forge.der(pin))}
            return pledge(cloud, cloud.device(), place_of(sender)).join()
        assert join_with(est.root).returncode != JOINED and est.connections and not est.requests
        done = join_with(forge.load_certs(certificate)[0])
        assert done.returncode == JOINED and "simpleenroll" in est.steps(), done.stdout


@req("CLOUD-PLG-011", "R8995-PLG-040")
def test_revocation_check_that_the_voucher_demands_is_made_of_the_est_servers_certificate(cloud, domain, acme, cell):
    issuer = forge.issuing(domain.directory)
    with CrlServer() as web, server(cloud, acme) as sender:
        listed = Listed(web, issuer)
        saved = forge.save(cell, "est", listed.made.key, listed.made.chain(with_root=True))
        with FakeRegistrar(saved.cert_path, saved.key_path, domain.directory, acme.directory) as est:
            sender.lie = lambda fields: {**fields, "est-domain": place_of(est, "/"),
                                         "domain-cert-revocation-checks": True,
                                         "pinned-domain-cert": forge.b64(forge.der(issuer.cert))}

            def join_with(*revoked):
                listed.publish(revoked)
                return pledge(cloud, cloud.device(), place_of(sender), **LOOPBACK).join()
            done = join_with(listed.made.cert.serial_number)
            assert done.returncode == BAD_VOUCHER and "revoked" in done.stdout, done.stdout
            assert est.connections and not est.requests
            done = join_with(4711)
            assert done.returncode == JOINED and "simpleenroll" in est.steps(), done.stdout


@req("CLOUD-CR-004")
def test_who_is_no_cloud_registrar_gets_no_voucher_with_an_est_server(cloud, owner, est_server, domain):
    """The MASA names the EST server to cloud registrars alone."""
    device = cloud.device()
    claimed(cloud, device, ("est", place_of(est_server, "/"), domain.file("root.crt")), name="est-owner")
    with Site(cloud.directory, cloud.manufacturer, domain, cloud.masa, owner).peer(device) as p:
        reply = p.request_voucher()
    assert reply.status == 200 and b"est-domain" not in reply.body


# -- the way there

@req("CLOUD-PLG-001", "CLOUD-PLG-002")
def test_cloud_registrar_of_another_name_or_ca_hears_no_http(cloud, acme, domain):
    device = cloud.device(known=False)
    key, certificate = domain.registrar_dir / "registrar.key", domain.registrar_dir / "registrar.crt"
    with server(cloud, acme, cloud.directory / "elsewhere", "DNS:elsewhere.example") as elsewhere, \
            FakeRegistrar(certificate, key, domain.directory, acme.directory) as foreign:
        for made in (elsewhere, foreign):
            assert pledge(cloud, device, place_of(made)).join().returncode not in (JOINED, REFUSED)
            assert made.connections and not made.requests
            assert made.server_names[0] == "localhost"


@req("CLOUD-PLG-005")
def test_chain_of_two_dozen_redirects_leads_to_the_owner_and_a_loop_ends(cloud, owner, acme):
    device = cloud.device()
    with server(cloud, acme) as hop:
        def onward(request):
            number = int(request.path.rsplit("/", 2)[-2] or 0) if request.path != PATH else 0
            place = f"https://127.0.0.1:{owner.port}{PATH}" if number == 23 else \
                place_of(hop, f"/{number + 1}/requestvoucher")
            return Answer(307, headers=[("Location", place)])
        hop.on["requestvoucher"] = onward
        assert pledge(cloud, device, place_of(hop)).join().returncode == JOINED
        assert len(hop.seen("requestvoucher")) == 24
        hop.requests.clear()
        hop.on["requestvoucher"] = lambda _r: Answer(307, headers=[("Location", place_of(hop).upper().replace(
            PATH.upper(), PATH).replace("HTTPS", "https"))])
        done = pledge(cloud, cloud.device(), place_of(hop)).join()
        assert done.returncode != JOINED and "circles" in done.stdout + done.stderr
        assert len(hop.seen("requestvoucher")) == 1


@req("CLOUD-PLG-015")
def test_after_a_loop_it_begins_again_with_whoever_is_near(cloud, domain, acme):
    """However long they wanted to be left alone: the cloud registrar did not know better."""
    key, certificate = domain.registrar_dir / "registrar.key", domain.registrar_dir / "registrar.crt"
    answers = [Answer(503, headers=[("Retry-After", "50")]), NotImplemented]
    with FakeRegistrar(certificate, key, domain.directory, acme.directory) as local, server(cloud, acme) as far:
        local.on["requestvoucher"] = lambda _r: answers.pop(0)
        far.on["requestvoucher"] = lambda _r: Answer(307, headers=[("Location", place_of(far))])
        attempt = pledge(cloud, cloud.device(), place_of(far), [f"https://127.0.0.1:{local.port}"],
                         retry={"attempts": 2})
        done = attempt.join()
        assert done.returncode == JOINED and "circles" in done.stdout + done.stderr, done.stdout
        assert len(local.seen("requestvoucher")) == 2 and len(far.seen("requestvoucher")) == 1


@req("CLOUD-PLG-004")
def test_registrar_that_is_not_trusted_sends_nobody_anywhere(cloud, acme, domain):
    device = cloud.device()
    key, certificate = domain.registrar_dir / "registrar.key", domain.registrar_dir / "registrar.crt"
    with FakeRegistrar(certificate, key, domain.directory, acme.directory) as private, \
            server(cloud, acme) as elsewhere:
        private.on["requestvoucher"] = lambda _r: Answer(307, headers=[("Location", place_of(elsewhere))])
        claimed(cloud, device, ("registrar", place_of(private)), name="private")
        assert pledge(cloud, device).join().returncode != JOINED
        assert private.seen("requestvoucher") and not elsewhere.connections
    assert ("voucher-status", "false") in journal(cloud, device)


@req("R8995-PLG-012")
def test_manufacturer_is_not_asked_while_there_is_somebody_else(cloud, acme, domain):
    """Who is near lets the device in: the cloud registrar does not even get a connection."""
    key, certificate = domain.registrar_dir / "registrar.key", domain.registrar_dir / "registrar.crt"
    with FakeRegistrar(certificate, key, domain.directory, acme.directory) as local, server(cloud, acme) as far:
        attempt = pledge(cloud, cloud.device(), place_of(far), [f"https://127.0.0.1:{local.port}"])
        assert attempt.join().returncode == JOINED
        assert local.seen("requestvoucher") and not far.connections


@req("CLOUD-PLG-007")
def test_others_are_asked_while_nobody_has_claimed_it(cloud, acme, domain):
    """A long Retry-After keeps the device from the cloud registrar, not from who turns up meanwhile."""
    key, certificate = domain.registrar_dir / "registrar.key", domain.registrar_dir / "registrar.crt"
    answers = [Answer(404), NotImplemented]
    with FakeRegistrar(certificate, key, domain.directory, acme.directory) as local, server(cloud, acme) as far:
        local.on["requestvoucher"] = lambda _r: answers.pop(0) if len(answers) > 1 else answers[0]
        far.on["requestvoucher"] = lambda _r: Answer(401, headers=[("Retry-After", "3600")])
        attempt = pledge(cloud, cloud.device(), place_of(far), [f"https://127.0.0.1:{local.port}"],
                         retry={"attempts": 4})
        assert attempt.join().returncode == JOINED
        assert len(far.seen("requestvoucher")) == 1 and len(local.seen("requestvoucher")) == 2


@req("CLOUD-PLG-006", "R8995-PLG-027")
def test_device_that_waits_at_its_owner_goes_on_there_after_a_power_cut(cloud, acme, domain):
    """With the same octets, and without asking the cloud registrar once more."""
    key, certificate = domain.registrar_dir / "registrar.key", domain.registrar_dir / "registrar.crt"
    device = cloud.device()
    with FakeRegistrar(certificate, key, domain.directory, acme.directory) as private, server(cloud, acme) as far:
        far.on["requestvoucher"] = lambda _r: Answer(307, headers=[("Location", place_of(private))])
        private.on["requestvoucher"] = lambda _r: Answer(202, headers=[("Retry-After", "60")])
        waiting = pledge(cloud, device, place_of(far)).start()
        waiting.wait_log("not decided yet")
        waiting.kill()
        del private.on["requestvoucher"]
        assert pledge(cloud, device, place_of(far)).join().returncode == JOINED
        assert len(far.seen("requestvoucher")) == 1
        first, second = private.seen("requestvoucher")
        assert first.body == second.body


@contextlib.contextmanager
def names_in(namespace, **hosts):
    """What programs in the namespace know names by: ip lays it over /etc/hosts."""
    folder = pathlib.Path("/etc/netns") / namespace
    folder.mkdir(parents=True)
    (folder / "hosts").write_text("".join(f"{address} {name.replace('_', '.')}\n" for name, address in hosts.items()))
    try:
        yield
    finally:
        shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.skipif(netns.missing() is not None, reason=str(netns.missing()))
@pytest.mark.parametrize("said", ["voucher: requested", "voucher: redirected to", "certificate: requested"])
@req("CLOUD-PLG-003", "CLOUD-PLG-006", "CLOUD-PLG-015")
def test_uplink_cut_on_the_way_to_the_owner_costs_time_only(cell, acme, cloud_domain, domain, said):
    """Cloud registrar, MASA and owner are beyond the uplink; nobody is on the device's own link."""
    token = json.loads(harness.run(harness.program("masactl"), "tokens", "new", "l", "--lookup", "-o", "json").stdout)
    (cell / "tokens").write_text(token["line"] + "\n")
    (cell / "tokens").chmod(0o600)
    (cell / "token").write_text(token["token"] + "\n")
    far = harness.Masa(cell / "masa", acme, changes={
        "cloud": {"registrars": cloud_domain.file("root.crt")}, "admin": {"tokens": cell / "tokens"}})
    ports = [harness.free_port(), harness.free_port()]
    sending = cloud_registrar(cell, "cloud", acme, cloud_domain, far, {"server": {"listen": f"{LEFT}:{ports[0]}"}})
    home = harness.Registrar(cell / "home", domain, [acme], changes={"server": {"listen": f"{LEFT}:{ports[1]}"}})
    sending.port, home.port = ports
    with contextlib.ExitStack() as up:
        wire = up.enter_context(Wire(delay_ms=60))
        up.enter_context(names_in(wire.right, cloud_example=LEFT, localhost="127.0.0.1"))
        up.enter_context(running_at(wire, wire.left, far, "127.0.0.1"))
        for registrar in (sending, home):
            up.enter_context(running_at(wire, wire.left, registrar, LEFT))
        site = Site(cell, acme, cloud_domain, far, sending)
        device = site.device()
        claimed(site, device, ("registrar", f"https://{LEFT}:{home.port}"))
        joining = pledge(site, device, f"https://cloud.example:{sending.port}", retry={"attempts": 0, "timeout": "3s"})
        joining.argv = netns.inside(wire.right, joining.argv)
        joining.start()
        joining.wait_log(said)
        wire.cut()
        time.sleep(5)
        wire.mend()
        assert joining.wait(40) == JOINED, joining.log()[-3000:]
        assert home.lines(f"voucher-delivered.*{device.serial}")
        assert not sending.lines(f"voucher-delivered.*{device.serial}")


# -- several registrars

def locations(site, *devices):
    found = []
    for device in devices:
        with site.peer(device) as p:
            reply = p.request_voucher()
        assert reply.status == 307, reply.text
        found.append(urllib.parse.urlsplit(reply.header("location")).hostname.split(".")[0])
    return found


@pytest.fixture(scope="module")
def fleet(cloud):
    """Devices of an owner with three registrars."""
    devices = [cloud.device() for _ in range(6)]
    for device in devices:
        claimed(cloud, device, name="fleet")
    for name, weight, region in (("a", 5, "north"), ("b", 3, "south"), ("c", 0, "south")):
        cloud.masa.ctl("destinations", "registrar", "fleet", f"https://{name}.example", "--weight", weight,
                       "--region", region)
    return devices


def test_static_allocation_is_the_heaviest_and_never_means_never(cloud, fleet):
    assert set(locations(cloud, *fleet)) == {"a"}
    cloud.masa.ctl("destinations", "registrar", "fleet", "https://b.example", "--weight", 9, "--region", "south")
    try:
        assert set(locations(cloud, *fleet)) == {"a"}, "never: where it was sent first"
        fresh = cloud.device()
        claimed(cloud, fresh, name="fleet")
        assert locations(cloud, fresh) == ["b"]
    finally:
        cloud.masa.ctl("destinations", "registrar", "fleet", "https://b.example", "--weight", 3, "--region", "south")


def test_hashed_allocation_is_the_same_at_every_cloud_registrar(cloud, acme):
    """Who has the weight gets the devices; whoever answers says the same, as they share nothing."""
    devices = [cloud.device() for _ in range(20)]
    for device in devices:
        claimed(cloud, device, name="spread")
    for name, weight in (("a", 1), ("b", 1), ("c", 0)):
        cloud.masa.ctl("destinations", "registrar", "spread", f"https://{name}.example", "--weight", weight)
    said = []
    for name in ("one", "another"):
        hashed = cloud_registrar(cloud.directory, name, acme, cloud.domain, cloud.masa,
                                 {"cloud": {"allocation": "hashed"}})
        with harness.running(hashed):
            said.append(locations(Site(cloud.directory, acme, cloud.domain, cloud.masa, hashed), *devices))
    assert said[0] == said[1] and set(said[0]) == {"a", "b"}


@pytest.mark.parametrize("policy", ["move-keep", "move-reset"])
def test_device_that_comes_again_moves_when_policy_says_so(cloud, fleet, acme, policy):
    moving = cloud_registrar(cloud.directory, policy, acme, cloud.domain, cloud.masa,
                             {"cloud": {"reprovision": policy}})
    with harness.running(moving):
        site = Site(cloud.directory, acme, cloud.domain, cloud.masa, moving)
        assert locations(site, fleet[0]) == ["a"]
        cloud.masa.ctl("destinations", "registrar", "fleet", "https://b.example", "--weight", 9)
        try:
            assert locations(site, fleet[0]) == ["b"]
        finally:
            cloud.masa.ctl("destinations", "registrar", "fleet", "https://b.example", "--weight", 3, "--region",
                           "south")
        moves = harness.run("sqlite3", moving.directory / "registrar.db",
                            "SELECT moves FROM allocation").stdout.split()
        assert ("allocate", "moved") in journal(site, fleet[0])
        assert moves in ([], ["1" if policy == "move-keep" else "0"])  # []: no sqlite3 here


def test_regions_say_who_is_near(cloud, fleet, acme):
    regions = cloud.directory / "regions"
    regions.write_text("127.0.0.0/8 south\n0.0.0.0/0 north\n")
    near = cloud_registrar(cloud.directory, "near", acme, cloud.domain, cloud.masa,
                           {"cloud": {"allocation": "latency", "regions": regions}})
    with harness.running(near):
        assert set(locations(Site(cloud.directory, acme, cloud.domain, cloud.masa, near), *fleet)) == {"b"}


def test_program_decides_and_without_its_answer_nobody_is_sent_anywhere(cloud, fleet, acme):
    decider = Decider()
    secret = cloud.directory / "secret"
    secret.write_text(SECRET + "\n")
    asking = cloud_registrar(cloud.directory, "asking", acme, cloud.domain, cloud.masa, {
        "cloud": {"allocation": "webhook", "reprovision": "move-keep"},
        "policy": {"decision_url": decider.url, "decision_secret": secret}})
    with harness.running(asking):
        site = Site(cloud.directory, acme, cloud.domain, cloud.masa, asking)
        decider.say = lambda q: decider.answer(q, registrar=f"https://c.example{PATH}")
        assert locations(site, fleet[1]) == ["c"]
        asked = decider.questions(fleet[1].serial)[0]
        assert (asked["question"], asked["owner"], asked["previous"]) == ("allocation", "fleet", None)
        assert {r["url"] for r in asked["registrars"]} == {f"https://{n}.example{PATH}" for n in "abc"}
        assert locations(site, fleet[1]) == ["c"]
        assert decider.questions(fleet[1].serial)[1]["previous"] == f"https://c.example{PATH}"
        for lie in (lambda q: decider.answer(q, registrar="https://evil.example/x"),
                    lambda q: decider.answer(q, registrar=f"https://a.example{PATH}", secret="another"),
                    lambda q: decider.answer(dict(q, id="other"), registrar=f"https://a.example{PATH}"),
                    lambda q: (500, b"", {})):
            decider.say = lie
            with site.peer(fleet[2]) as p:
                reply = p.request_voucher()
            assert reply.status == 503 and reply.header("location") is None


# -- whom the MASA tells

@req("CLOUD-CR-004")
def test_owners_are_looked_up_by_cloud_registrars_alone(cloud, fleet, domain):
    path = f"/api/v1/lookup/{fleet[0].serial}"

    def look(at=path, identity=None, token=None, port=None):
        files = {"key": identity[0], "certificate": identity[1]} if identity else {}
        headers = [("Authorization", f"Bearer {cloud.masa.tokens[token]}")] if token else []
        connection = Connection(port or cloud.masa.port, **files)
        try:
            return connection.get(at, headers)
        finally:
            connection.close()
    folder = cloud.domain.registrar_dir
    ours = folder / "registrar.key", folder / "registrar.crt"
    said = json.loads(look(identity=ours).body)
    assert (said["owner"], said["est_domain"]) == ("fleet", None)
    assert {r["url"] for r in said["registrars"]} == {f"https://{n}.example{PATH}" for n in "abc"}
    assert json.loads(look(token="lookup").body) == said
    assert look("/api/v1/lookup/nobody", token="lookup").status == 404
    assert look().status == 401 and look(token="read").status == 403
    theirs = domain.registrar_dir / "registrar.key", domain.registrar_dir / "registrar.crt"
    assert look(identity=theirs).status == 401
    assert look(identity=(fleet[0].key, fleet[0].certificate)).status == 401
    assert look("/api/v1/devices", token="lookup").status == 404, "no administration on this port"
    for at in ("/api/v1/devices", f"/api/v1/devices/{fleet[0].serial}", path):
        assert look(at, token="lookup", port=cloud.masa.admin_port).status in (403, 404), "nor by this token"
    assert look("/api/v1/devices", token="read", port=cloud.masa.admin_port).status == 200


def test_destinations_are_set_shown_and_removed(cloud, fleet, domain):
    def shown():
        return {d["url"]: d for d in json.loads(cloud.masa.ctl("destinations", "list", "fleet", "-o", "json").stdout)}
    assert shown()[f"https://a.example{PATH}"]["weight"] == 5
    for words in (("registrar", "fleet", "http://a.example"), ("registrar", "nobody", "https://a.example"),
                  ("registrar", "fleet", "https://a.example", "--weight", "1001"),
                  ("registrar", "fleet", "https://a.example", "--region", "North Pole"),
                  ("est", "fleet", "https://est.example/x", domain.file("root.crt")),
                  ("remove", "fleet", "https://gone.example/")):
        assert cloud.masa.ctl("destinations", *words, check=None).returncode != 0, words
    for url in ("https://est.example", "https://est2.example:8443/"):
        cloud.masa.ctl("destinations", "est", "fleet", url, domain.file("root.crt"))
    assert [d["kind"] for d in shown().values()].count("est") == 1, "of EST servers there is one"
    assert shown()["https://est2.example:8443/"]["pin"]
    cloud.masa.ctl("destinations", "remove", "fleet", "https://est2.example:8443/")
    assert "est" not in [d["kind"] for d in shown().values()]
    cloud.masa.ctl("destinations", "registrar", "fleet", "https://short.example")
    cloud.masa.ctl("destinations", "remove", "fleet", "https://short.example")  # as it was given
    assert f"https://short.example{PATH}" not in shown()
