# SPDX-License-Identifier: Apache-2.0
"""How a pledge deals with its cloud registrar and with where that sends it
(draft-ietf-anima-brski-cloud §3.1, §3.3.1, §8.2, §9)."""
import itertools

from brski_peer import certs, forge
from brski_peer.server import Answer, text

from ..core import MUST, SHOULD, check
from ..trial_cloud import CloudSide

CLOUD = ("cloud",)
HOPS = 24           # that have to be followed
TOO_MANY = 100      # no longer dozens
LATER_S = 1


# -- TLS

def untrusted(t, identity, why):
    """The pledge leaves a cloud registrar that shows this, before it says a word of HTTP."""
    c = CloudSide(t, identity)
    c.say(c.cloud, NotImplemented)
    c.fails(why)
    t.need(c.cloud.connections, "the pledge never comes to the cloud registrar it was provisioned with")
    t.equal(len(c.cloud.seen()), 0, "the number of requests at a cloud registrar that is not trusted")


@check("CLOUD-PLG-001", level=MUST, role="pledge", profiles=CLOUD, mutant="compares the cloud registrar's name")
def cloud_registrar_of_another_name_gets_no_request(t):
    """There is no provisional connection with the cloud registrar: its certificate has to have the name the
    pledge was provisioned with, else the handshake ends."""
    made = certs.make_tls_server(t.lab.maker.issuing, "elsewhere.example", alt="DNS:elsewhere.example")
    untrusted(t, t.lab.domain.saved(made), "the certificate has another name")


@check("CLOUD-PLG-001", level=MUST, role="pledge", profiles=CLOUD,
       mutant="trusts cloud registrars of its anchors only")
def cloud_registrar_of_an_unknown_ca_gets_no_request(t):
    """The cloud registrar is known by the anchors the pledge was made with, not by any certificate."""
    untrusted(t, t.lab.stranger.make_tls(t.target.suite_host), "nobody knows the issuer of the certificate")


@check("CLOUD-PLG-001", level=MUST, role="pledge", profiles=CLOUD,
       mutant="shows its certificate to the cloud registrar")
def cloud_registrar_is_shown_the_idevid(t):
    """TLS with the cloud registrar is mutual: the pledge shows its IDevID."""
    c, device = CloudSide(t), t.device()
    c.run(device=device)
    t.need(c.cloud.seen(), "the pledge asks its cloud registrar nothing")
    t.equal(c.cloud.seen()[0].peer_der, device.identity.der, "what the pledge shows in TLS")


@check("CLOUD-PLG-002", level=MUST, role="pledge", profiles=CLOUD, mutant="names the cloud registrar in TLS")
def cloud_registrar_is_named_in_the_handshake(t):
    """The pledge knows the cloud registrar's name: it says it in TLS (SNI), one address may have many."""
    if t.target.suite_host.replace(".", "").isdigit() or ":" in t.target.suite_host:
        t.skip("the suite's host has no name, only an address ([suite] host)")
    c = CloudSide(t)
    c.run()
    t.need(c.cloud.server_names, "the pledge never comes to the cloud registrar it was provisioned with")
    t.equal(c.cloud.server_names[0], t.target.suite_host, "the name in the ClientHello")


# -- redirected

@check("CLOUD-PLG-003", level=MUST, role="pledge", profiles=CLOUD,
       mutant="makes another request for each registrar")
def redirected_pledge_makes_a_new_request(t):
    """After a 307 the pledge begins anew at the Location: another nonce, and the certificate of the server
    it is connected to now."""
    c = CloudSide(t)
    owner = c.server()
    c.redirect(c.cloud, c.place(owner))
    c.run()
    t.need(c.asked(owner), "the pledge does not ask where the 307 sends it")
    first, second = (forge.read(c.asked(s)[0].body).fields for s in (c.cloud, owner))
    t.need(first["nonce"] != second["nonce"], "both requests have the same nonce")
    t.equal(second["proximity-registrar-cert"], forge.b64(forge.der(owner.pin)),
            "the proximity-registrar-cert in the second request")


@check("CLOUD-PLG-006", level=MUST, role="pledge", profiles=CLOUD,
       mutant="asks owners' registrars it cannot verify")
def redirected_pledge_joins_at_a_registrar_of_a_private_ca(t):
    """The owner's registrar needs no certificate the pledge knows: the connection is provisional then, the
    voucher says whether it is the right one."""
    c = CloudSide(t)
    c.redirect(c.cloud, c.place(t.registrar))
    c.joins()
    t.need(c.asked(t.registrar), "it joins without the owner's registrar")


@check("CLOUD-PLG-004", level=MUST, role="pledge", profiles=CLOUD,
       mutant="leaves who redirects before it is trusted")
def redirect_of_an_unverified_registrar_is_not_followed(t):
    """A 307 counts from a server that the pledge has verified. The owner's registrar, which it has not,
    cannot send it anywhere."""
    elsewhere, _ = redirected_twice(t)
    t.equal(elsewhere.connections, 0, "the number of connections to where the second redirect leads")


def redirected_twice(t):
    """By the cloud registrar, and by the owner's registrar on a provisional connection:
    (where that leads, CloudSide)"""
    c, elsewhere = CloudSide(t), t.new_registrar()
    c.redirect(c.cloud, c.place(t.registrar))
    c.redirect(t.registrar, c.place(elsewhere))
    c.run()
    if not c.asked(t.registrar):
        t.skip("the pledge does not ask the owner's registrar: see CLOUD-PLG-006")
    return elsewhere, c


@check("CLOUD-PLG-004", level=MUST, role="pledge", profiles=CLOUD,
       mutant="leaves local registrars that redirect it")
def redirect_of_a_local_registrar_is_not_followed(t):
    """A registrar that was found in the local network is not trusted before the voucher: where its 307 leads
    is not even connected to."""
    c, local, elsewhere = CloudSide(t), t.new_registrar(), t.new_registrar()
    c.redirect(local, c.place(elsewhere))
    c.run(local)
    t.need(c.asked(local), "the pledge asks no local registrar")
    t.equal(elsewhere.connections, 0, "the number of connections to where a local registrar's redirect leads")


@check("CLOUD-PLG-004", level=SHOULD, role="pledge", profiles=CLOUD,
       mutant="tells the cloud registrar of a wrong redirect")
def wrong_redirect_is_reported_to_the_cloud_registrar(t):
    """When the registrar where the cloud registrar has sent the pledge redirects it again without being
    trusted, the cloud registrar is told so."""
    elsewhere, c = redirected_twice(t)
    if elsewhere.connections:
        t.skip("the pledge follows the redirect: see the check of that")
    t.need(False in [r.get("status") for r in c.cloud.reports("voucher_status")],
           "the cloud registrar gets no voucher_status that says false")


@check("CLOUD-PLG-005", level=MUST, role="pledge", profiles=CLOUD, mutant="asks no place twice")
def pledge_asks_no_location_twice(t):
    """Two servers that send the pledge to each other are asked once each in one attempt."""
    c = CloudSide(t)
    other = c.server()
    c.redirect(c.cloud, c.place(other))
    c.redirect(other, c.place(c.cloud))
    c.fails("two servers redirect it to each other")
    t.equal([len(c.asked(c.cloud)), len(c.asked(other))], [1, 1], "the numbers of requests at each of them")


@check("CLOUD-PLG-005", level=MUST, role="pledge", profiles=CLOUD, mutant="ends a chain of redirects")
def chain_of_redirects_ends(t):
    """However many places there are, the pledge ends a chain of redirects after some dozens."""
    c = CloudSide(t)
    other = c.server()
    numbers = itertools.count(1)

    def to(server):
        def answer(_request):
            number = next(numbers)
            if number > TOO_MANY:
                return text(404, "That was too far.\n")
            return Answer(307, headers=[("Location", c.place(server, f"/{number}/requestvoucher"))])
        return answer
    c.cloud.on["requestvoucher"], other.on["requestvoucher"] = to(other), to(c.cloud)
    c.fails("the chain has no end")
    if next(numbers) <= 2:
        t.skip("the pledge follows no redirect: see the check of a long chain")
    t.need(next(numbers) < TOO_MANY, f"the pledge follows more than {TOO_MANY} redirects")


@check("CLOUD-PLG-005", level=MUST, role="pledge", profiles=CLOUD,
       mutant="follows more than one redirect of a cloud registrar")
def long_chain_of_redirects_is_followed(t):
    """A chain of two dozen redirects, each from a server the pledge can verify, leads to the owner."""
    c = CloudSide(t)
    chain = [c.cloud, *(c.server() for _ in range(HOPS))]
    for server, following in zip(chain, chain[1:]):
        c.redirect(server, c.place(following))
    c.run()
    t.equal(sum(bool(c.asked(server)) for server in chain[1:]), HOPS, "the number of redirects that are followed")


@check("CLOUD-PLG-005", level=MUST, role="pledge", profiles=CLOUD,
       mutant="follows one redirect of the older kind")
def second_redirect_of_another_kind_is_not_followed(t):
    """What is said of 307 does not hold for 302: one to another server is followed, no second."""
    c = CloudSide(t)
    second, third = c.server(), c.server()
    c.redirect(c.cloud, c.place(second), 302)
    c.redirect(second, c.place(third), 302)
    c.fails("two redirects of the older kind")
    if not c.asked(second):
        t.skip("the pledge follows no redirect but 307")
    t.equal(third.connections, 0, "the number of connections to the third server")


# -- refused

@check("CLOUD-PLG-007", level=SHOULD, role="pledge", profiles=CLOUD, mutant="comes back to who names a time")
def pledge_asks_again_after_401(t):
    """401 with Retry-After: the owner is not known yet. The pledge asks again, and joins when it is."""
    c = CloudSide(t)
    c.say(c.cloud, Answer(401, headers=[("Retry-After", str(LATER_S))]),
          Answer(307, headers=[("Location", c.place(t.registrar))]))
    c.run()
    t.need(len(c.asked(c.cloud)) > 1, "the pledge does not ask again after a 401 with Retry-After")


@check("CLOUD-PLG-007", level=SHOULD, role="pledge", profiles=CLOUD,
       mutant="comes back no earlier than it is told")
def pledge_does_not_ask_before_retry_after(t):
    """The pledge waits after a 401 as long as Retry-After says."""
    c = CloudSide(t)
    c.say(c.cloud, Answer(401, headers=[("Retry-After", str(LATER_S))]), Answer(404))
    c.run()
    times = [r.at for r in c.asked(c.cloud)]
    if len(times) < 2:
        t.skip("the pledge does not ask again: see the check of that")
    t.need(times[1] - times[0] >= LATER_S, f"it asks again after {times[1] - times[0]:.2f} s")


@check("CLOUD-PLG-007", level=SHOULD, role="pledge", profiles=CLOUD, mutant="leaves who names no time")
def pledge_leaves_a_registrar_that_names_no_time(t):
    """401 without Retry-After: the cloud registrar does not want to be asked again."""
    c = CloudSide(t)
    c.say(c.cloud, Answer(401))
    c.fails("the cloud registrar says 401")
    t.equal(len(c.asked(c.cloud)), 1, "the number of requests in one attempt")


@check("CLOUD-PLG-010", level=SHOULD, role="pledge", profiles=CLOUD, mutant="says why it has failed")
def failure_is_shown(t):
    """What ends the bootstrapping is shown where the pledge shows its state."""
    outcome = CloudSide(t).fails("the cloud registrar says 404")
    t.need(outcome.said.strip(), "the pledge shows nothing after its cloud registrar has refused it")


@check("CLOUD-PLG-015", level=MUST, role="pledge", profiles=CLOUD,
       mutant="starts again at the provisioned cloud registrar")
def refused_pledge_starts_again_at_its_cloud_registrar(t):
    """When the owner's registrar refuses the pledge, what it asks next is the cloud registrar it was
    provisioned with."""
    c = CloudSide(t)
    owner = c.server()
    c.redirect(c.cloud, c.place(owner))
    c.say(owner, text(404, "Not here.\n"))
    c.run(action="join_cloud_patiently")
    t.need(c.asked(owner), "the pledge does not ask where the cloud registrar sends it")
    refused = c.asked(owner)[0].at
    t.need(any(r.at > refused for r in c.asked(c.cloud)), "the cloud registrar is not asked again")
    others = [r.at for r in c.asked(owner)[1:]]
    again = min(r.at for r in c.asked(c.cloud) if r.at > refused)
    t.need(not others or min(others) > again, "the registrar that refused is asked again first")


@check("CLOUD-PLG-015", level=MUST, role="pledge", profiles=CLOUD,
       mutant="looks for local registrars again after a loop")
def pledge_in_a_loop_looks_for_local_registrars_again(t):
    """When the redirects lead to where the pledge has been, it begins with what the local network offers."""
    c, local = CloudSide(t), t.new_registrar()
    other = c.server()
    c.redirect(c.cloud, c.place(other))
    c.redirect(other, c.place(c.cloud))
    c.say(local, Answer(404), NotImplemented)
    c.run(local, action="join_cloud_patiently")
    t.need(c.asked(other), "the pledge does not ask where the cloud registrar sends it")
    if len(c.asked(other)) > 2:
        t.skip("the pledge does not see that it goes in circles: see CLOUD-PLG-005")
    looped = c.asked(other)[0].at
    again = [r.at for r in c.asked(local) if r.at > looped]
    t.need(again, "the local registrar is not asked again after the loop")
    t.need(all(r.at > again[0] for r in c.asked(c.cloud) if r.at > looped),
           "the cloud registrar is asked again before the local one")
