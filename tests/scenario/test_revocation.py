# SPDX-License-Identifier: Apache-2.0
"""Revocation lists that certificates point to: the MASA consults them by its policy, the pledge
when its voucher says so. The lists come from a web server that can be wrong in many ways."""
import contextlib
import itertools
import threading

import pytest

import harness
from brski_peer import certs, forge
from brski_peer.crl import DAY, CrlServer, issuing_point, make_crl, points
from places import Device
from test_masa import Client, new_device, running_masa
from test_pledge import JOINED, Try, refuses, replaced, with_certificate  # noqa: F401 (fixture)
from test_registrar import assert_refused

req = pytest.mark.req

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def web():
    with CrlServer() as server:
        yield server


@pytest.fixture(scope="module")
def tree():
    """A site's root and issuing CA, and one that has nothing to do with them."""
    root = certs.make_ca("Revocation Root")
    return root, certs.make_ca("Revocation Issuing", issuer=root), certs.make_ca("Nobody")


class Site:
    """A registrar whose certificate points to a list of its own on the web server."""

    def __init__(self, web, issuer, path=None, uris=None, **more):
        self.web, self.issuer = web, issuer
        self.path = path or f"/{next(_numbers)}.crl"
        self.uri = web.uri(self.path)
        self.made = certs.make_registrar(issuer, extensions=[points(*(uris or [self.uri]))], **more)

    def serve(self, answer):
        self.web.files[self.path] = answer
        return self

    def publish(self, revoked=(), **more):
        return self.serve(make_crl(self.issuer, revoked, **more))

    def fetches(self):
        return self.web.requests.count(self.path)


def reply_with(status, headers=(), body=b"", hold=None):
    def answer(handler):
        if hold:
            hold.wait(20)
        with contextlib.suppress(OSError):
            handler.send_response(status)
            for name, value in headers:
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
    return answer


# -- the MASA

@pytest.fixture(scope="module")
def masas(place, acme):
    """One for each policy."""
    made = {policy: running_masa(place, acme, f"revocation-{policy}", {
        "policy": {"revocation": policy, "revocation_addresses": "loopback"}})
        for policy in ("require", "prefer", "off")}
    with harness.running(*made.values()):
        yield made


@pytest.fixture
def masa(masas):
    return masas["require"]


def ask(masa, acme, cell, site, chain=None, device=None, **more):
    with Client(masa, forge.save(cell, f"r{next(_numbers)}", site.made.key,
                                 site.made.chain(with_root=True))) as client:
        device = device or new_device(masa, acme)
        return client.ask(client.rvr(device, chain=chain), **more)


def good(reply):
    assert reply.status == 200, (reply.status, reply.text)


@req("R8995-MASA-007")
@pytest.mark.parametrize("policy, revoked_gets", [("require", 403), ("prefer", 403), ("off", 200)])
def test_list_the_certificate_points_to_decides(masas, acme, cell, web, tree, policy, revoked_gets):
    fine, gone = Site(web, tree[1]).publish([4711]), Site(web, tree[1])
    gone.publish([gone.made.cert.serial_number, 4711])
    good(ask(masas[policy], acme, cell, fine))
    reply = ask(masas[policy], acme, cell, gone)
    assert reply.status == revoked_gets, reply.text
    assert fine.fetches() == gone.fetches() == (0 if policy == "off" else 1)
    if revoked_gets == 403:
        assert_refused(reply, 403)
        assert "revoked" in reply.text


@req("R8995-MASA-007")
def test_revoked_registrar_learns_nothing_from_the_audit_log_either(masa, acme, cell, web, tree):
    gone = Site(web, tree[1])
    gone.publish([gone.made.cert.serial_number])
    assert_refused(ask(masa, acme, cell, gone, path="requestauditlog", accept="application/json"), 403)


def marked(*extensions, **more):
    return lambda s, _: make_crl(s.issuer, extensions=extensions, **more)


def unknown(size, critical):
    return certs.x509.UnrecognizedExtension(certs.ObjectIdentifier("2.999.1"), bytes(size)), critical


KEY_COMPROMISE = frozenset([certs.x509.ReasonFlags.key_compromise])

SETTLES_NOTHING = {  # made for a site; the stranger signs some
    "404": lambda s, _: None,
    "500": lambda s, _: reply_with(500),
    "garbage": lambda s, _: b"garbage",
    "nothing": lambda s, _: b"",
    "cut off": lambda s, _: make_crl(s.issuer)[:-5],
    "one octet more": lambda s, _: make_crl(s.issuer) + b"\0",
    "pem": lambda s, _: b"-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n",
    "signature broken": lambda s, _: broken(make_crl(s.issuer)),
    "a stranger's": lambda s, nobody: make_crl(nobody),
    "a stranger's in the CA's name": lambda s, nobody: make_crl(s.issuer, signer=nobody),
    "expired": marked(age=10 * DAY, lifetime=DAY),
    "from the future": marked(age=-DAY),
    "huge": marked(unknown(1 << 20, False)),
    "for CAs only": marked(issuing_point(only_contains_ca_certs=True)),
    "of another point": lambda s, _: make_crl(s.issuer, extensions=[issuing_point(s.uri + "x")]),
    "some reasons": marked(issuing_point(only_some_reasons=KEY_COMPROMISE)),
    "indirect": marked(issuing_point(indirect_crl=True)),
    "delta": marked((certs.x509.DeltaCRLIndicator(1), True)),
    "unknown critical extension": marked(unknown(2, True)),
}


def broken(crl):
    return crl[:-1] + bytes([crl[-1] ^ 1])


@req("R8995-MASA-007")
@pytest.mark.parametrize("kind", SETTLES_NOTHING)
def test_list_that_settles_nothing_counts_by_policy(masas, acme, cell, web, tree, kind):
    for policy, status in (("require", 403), ("prefer", 200)):
        site = Site(web, tree[1])
        site.serve(SETTLES_NOTHING[kind](site, tree[2]))
        mark = masas[policy].log_size()
        reply = ask(masas[policy], acme, cell, site)
        assert reply.status == status, reply.text
        assert site.fetches() == 1
        if policy == "require":
            assert_refused(reply, 403)
            assert "could not be found out" in reply.text
        else:
            assert masas[policy].lines("event=revocation-not-checked", mark)


@req("R8995-MASA-007")
@pytest.mark.parametrize("policy, status", [("require", 403), ("prefer", 200), ("off", 200)])
def test_server_that_is_not_there_counts_by_policy(masas, acme, cell, web, tree, policy, status):
    site = Site(web, tree[1], uris=[f"http://127.0.0.1:{harness.free_port()}/x.crl"])
    assert ask(masas[policy], acme, cell, site).status == status


@req("R8995-MASA-007")
def test_server_that_does_not_answer_holds_nobody_for_long(masas, acme, cell, web, tree):
    end = threading.Event()
    site = Site(web, tree[1]).serve(reply_with(200, hold=end))
    try:
        assert_refused(ask(masas["require"], acme, cell, site), 403)
        assert masas["require"].lines("crl-not-to-be-had.*peer-timeout")
    finally:
        end.set()


@req("R8995-MASA-007")
def test_redirects_are_not_followed(masa, acme, cell, web, tree):
    target = Site(web, tree[1]).publish()
    site = Site(web, tree[1]).serve(reply_with(302, [("Location", target.uri)]))
    assert_refused(ask(masa, acme, cell, site), 403)
    assert (site.fetches(), target.fetches()) == (1, 0)


@req("R8995-MASA-007")
@pytest.mark.parametrize("kind", ["whole", "for users only", "of this point"])
def test_list_that_covers_the_certificate_is_believed(masa, acme, cell, web, tree, kind):
    site = Site(web, tree[1])
    parts = {"whole": [], "for users only": [issuing_point(only_contains_user_certs=True)],
             "of this point": [issuing_point(site.uri)]}
    good(ask(masa, acme, cell, site.publish(extensions=parts[kind])))


@req("R8995-MASA-007")
def test_list_is_fetched_once_for_many(masa, acme, cell, web, tree):
    first = Site(web, tree[1]).publish()
    second = Site(web, tree[1], path=first.path)
    first.publish([second.made.cert.serial_number])
    good(ask(masa, acme, cell, first))
    good(ask(masa, acme, cell, first))
    assert_refused(ask(masa, acme, cell, second), 403)
    assert first.fetches() == 1


@req("R8995-MASA-007")
def test_one_fetch_serves_all_who_wait(masa, acme, cell, web, tree):
    arrived, answers = threading.Event(), []
    site = Site(web, tree[1])
    site.serve(reply_with(200, body=make_crl(tree[1]), hold=arrived))
    asking = [threading.Thread(target=lambda d=new_device(masa, acme): answers.append(
        ask(masa, acme, cell, site, device=d).status)) for _ in range(3)]
    for t in asking:
        t.start()
    harness.wait_until(site.fetches, "the fetch")
    arrived.wait(0.5)  # the others come while it hangs
    arrived.set()
    for t in asking:
        t.join()
    assert answers == [200] * 3
    assert site.fetches() == 1


@req("R8995-MASA-007")
def test_list_that_was_not_to_be_had_is_left_alone_for_a_while(masa, acme, cell, web, tree):
    site = Site(web, tree[1])
    for _ in range(3):
        assert_refused(ask(masa, acme, cell, site), 403)
    assert site.fetches() == 1


@req("R8995-MASA-007")
def test_strangers_ca_at_the_same_address_spoils_nothing(masa, acme, cell, web, tree):
    """The failure of one CA's certificates at an address is not another CA's."""
    site = Site(web, tree[1]).publish()
    rogue = Site(web, tree[2], path=site.path)
    assert_refused(ask(masa, acme, cell, rogue), 403)
    good(ask(masa, acme, cell, site))
    assert_refused(ask(masa, acme, cell, rogue), 403)


@req("R8995-MASA-007")
def test_next_address_is_tried(masa, acme, cell, web, tree):
    real = Site(web, tree[1]).publish()
    site = Site(web, tree[1], uris=["ldap://127.0.0.1/cn=x", web.uri("/nothing.crl"), real.uri])
    good(ask(masa, acme, cell, site))
    assert real.fetches() == 1


@req("R8995-MASA-007")
@pytest.mark.parametrize("uris", [["ldap://127.0.0.1/cn=x"], ["file:///etc/passwd"], ["http://u@h/x"],
                                  ["http://h/" + "x" * 2000]])
def test_addresses_that_are_none_of_ours_are_never_fetched(masas, acme, cell, web, tree, uris):
    site = Site(web, tree[1], uris=uris)
    assert_refused(ask(masas["require"], acme, cell, site), 403)
    good(ask(masas["prefer"], acme, cell, site))


@req("R8995-MASA-007")
def test_sub_ca_is_checked_too(masa, acme, cell, web, tree):
    where = Site(web, tree[0])
    sub = certs.make_ca("Revoked Sub", issuer=tree[0], extensions=[points(where.uri)])
    where.publish([sub.cert.serial_number])
    registrar = Site(web, sub).publish()
    assert_refused(ask(masa, acme, cell, registrar, chain=registrar.made.chain(with_root=True)), 403)
    assert where.fetches() == 1


@req("R8995-MASA-007")
def test_owners_anchor_above_the_chain_is_the_end_of_what_is_checked(place, masas, acme, cell, web,
                                                                      tree):
    """The registrar sends its issuing CA only; the owner's root says who revokes that."""
    where = Site(web, tree[0])
    sub = certs.make_ca("Owned Sub", issuer=tree[0], extensions=[points(where.uri)])
    where.publish([sub.cert.serial_number])
    registrar = Site(web, sub).publish()
    root = cell / "root.pem"
    root.write_bytes(certs.cert_pem(tree[0].cert))
    good(ask(masas["require"], acme, cell, registrar, chain=registrar.made.chain()))
    masa = running_masa(place, acme, "revocation-owners", {"policy": {
        "ownership": "known-owner", "revocation_addresses": "loopback"}})
    with harness.running(masa):
        masa.ctl("owners", "add", "site", root)
        device = new_device(masa, acme, owner="site")
        with Client(masa, forge.save(cell, "owned", registrar.made.key,
                                     registrar.made.chain())) as client:
            assert_refused(client.ask(client.rvr(device, chain=registrar.made.chain())), 403)
    assert where.fetches() == 1


@req("R8995-MASA-007")
def test_leaving_the_issuer_out_is_no_way_round_the_list(masas, acme, cell, web, tree):
    gone = Site(web, tree[1])
    gone.publish([gone.made.cert.serial_number])
    assert_refused(ask(masas["require"], acme, cell, gone, chain=[gone.made.cert]), 403)
    assert gone.fetches() == 0


@req("R8995-MASA-007")
def test_addresses_not_allowed_are_not_connected_to(place, acme, cell, web, tree):
    """The default: a stranger's certificate cannot make the MASA talk to its own neighbours."""
    site = Site(web, tree[1]).publish()
    masa = running_masa(place, acme, "revocation-default")
    with harness.running(masa):
        assert_refused(ask(masa, acme, cell, site), 403)
    assert site.fetches() == 0


# -- the pledge

@pytest.fixture
def device(acme):
    return Device(acme, "masa.example")


LOOPBACK = {"policy": {"revocation_addresses": "loopback"}, "retry": {"timeout": "4s"}}


@pytest.fixture
def shown(with_certificate, web, domain):  # noqa: F811
    """A fake registrar with a certificate that names a list; its voucher demands the check."""
    def make(says=True, path=None, pin=None, **more):
        issuer = forge.issuing(domain.directory)
        site = Site(web, issuer, path=path, **more)
        registrar = with_certificate(site.made, pin=pin(site) if pin else issuer.cert)
        registrar.lie = replaced(domain_cert_revocation_checks=says)
        return site, registrar
    return make


@req("R8995-PLG-040")
def test_demanded_check_is_made(cell, device, shown):
    site, registrar = shown()
    site.publish([4711])
    attempt = Try(cell, device, registrar, changes=LOOPBACK)
    attempt.join(expect=JOINED)
    assert site.fetches() == 1
    assert "is not revoked" in attempt.done.stdout


@req("R8995-PLG-040")
def test_revoked_registrar_is_refused_when_the_voucher_demands_the_check(cell, device, shown):
    site, registrar = shown()
    site.publish([site.made.cert.serial_number])
    attempt = refuses(cell, device, registrar, changes=LOOPBACK)
    assert "revoked" in attempt.done.stdout


@req("R8995-PLG-040")
@pytest.mark.parametrize("says", [False, None])
def test_check_that_is_not_demanded_is_not_made(cell, device, shown, says):
    site, registrar = shown(says)
    site.publish([site.made.cert.serial_number])
    Try(cell, device, registrar, changes=LOOPBACK).join(expect=JOINED)
    assert site.fetches() == 0


@req("R8995-PLG-040")
@pytest.mark.parametrize("kind", SETTLES_NOTHING)
def test_demanded_check_that_settles_nothing_is_a_failure(cell, device, shown, tree, kind):
    site, registrar = shown()
    site.serve(SETTLES_NOTHING[kind](site, tree[2]))
    refuses(cell, device, registrar, changes=LOOPBACK)
    assert site.fetches() == 1


@req("R8995-PLG-040")
def test_demanded_check_without_a_server_is_a_failure(cell, device, shown):
    _, registrar = shown(uris=[f"http://127.0.0.1:{harness.free_port()}/x.crl"])
    refuses(cell, device, registrar, changes=LOOPBACK)


@req("R8995-PLG-040")
def test_demanded_check_at_an_address_not_allowed_is_a_failure(cell, device, shown):
    site, registrar = shown()
    site.publish()
    refuses(cell, device, registrar)
    assert site.fetches() == 0


@req("R8995-PLG-040")
def test_demanded_check_of_a_certificate_without_a_list_says_so(cell, device, with_certificate,  # noqa: F811
                                                                 domain):
    issuer = forge.issuing(domain.directory)
    registrar = with_certificate(certs.make_registrar(issuer), pin=issuer.cert)
    registrar.lie = replaced(domain_cert_revocation_checks=True)
    attempt = refuses(cell, device, registrar, changes=LOOPBACK)
    assert "no revocation list is named" in attempt.done.stdout


@req("R8995-PLG-040")
def test_pinned_registrar_is_checked_with_the_issuer_it_sends(cell, device, shown):
    site, registrar = shown(pin=lambda s: s.made.cert)
    site.publish([site.made.cert.serial_number])
    refuses(cell, device, registrar, changes=LOOPBACK)
    assert site.fetches() == 1
