# SPDX-License-Identifier: Apache-2.0
"""A device that knows EST without BRSKI: whom it believes before and after it has the anchors of the CA
(RFC 7030 §3.6, §4.1). For targets with the actions est_enroll and est_renew."""
import hashlib

from brski_peer import certs, forge, tls_extensions

from ..core import MUST, check

EST = ("est",)


def public_ca(t):
    """A CA that devices know from elsewhere, and the file of its certificate."""
    made = certs.make_ca(f"Public CA {t.lab.new_serial()}")
    return made, t.est_anchors(made.cert)


def server_under(t, ca, **changes):
    """A registrar of ours with a certificate of that CA; once it has been asked for the domain's it shows its
    certificate of the domain."""
    shown = t.lab.domain.saved(certs.make_tls_server(ca, **changes))
    server = t.new_registrar(shown)

    def change_over(_request):
        own = t.lab.domain.registrar
        server.context.load_cert_chain(own.cert_path, own.key_path)
        return NotImplemented
    server.on["cacerts"] = change_over
    return server


def enrolled(t):
    """(a device that has enrolled, with whom, the CA that it knew before)"""
    ca, anchors = public_ca(t)
    device, server = t.device(), server_under(t, ca)
    t.joins(device, server, action="est_enroll", implicit=anchors, fingerprint="")
    return device, server, ca


@check("TA-02", level=MUST, role="pledge", profiles=EST, mutant="wants the server's name under anchors from elsewhere")
def server_under_a_public_ca_has_to_have_the_name(t):
    """Under anchors that vouch for the whole world only the name says that it is the right server."""
    ca, anchors = public_ca(t)
    device = t.device()
    right = server_under(t, ca)
    t.joins(device, right, action="est_enroll", implicit=anchors, fingerprint="")
    wrong = server_under(t, ca, alt="DNS:elsewhere.example")
    t.need(not t.run(None, wrong, action="est_enroll", implicit=anchors, fingerprint="").joined, "it enrols")
    t.need(not wrong.requests, "a server with another name is asked for something")


@check("TA-03", level=MUST, role="pledge", profiles=EST,
       mutant="believes no anchors from elsewhere when they are switched off")
def anchors_from_elsewhere_can_be_switched_off(t):
    """An operator can have the device believe nobody but the CA itself: then the server that it would else have
    known by a public CA is not asked for a certificate. (Action est_enroll_explicit.)"""
    ca, anchors = public_ca(t)
    t.joins(None, server_under(t, ca), action="est_enroll", implicit=anchors, fingerprint="")
    server = server_under(t, ca)
    t.need(not t.run(None, server, action="est_enroll_explicit", implicit=anchors, fingerprint="").joined, "it enrols")
    t.need(not server.seen("simpleenroll"), "the server under the public CA is asked for a certificate")


@check("ECA-10", level=MUST, role="pledge", profiles=EST, mutant="takes anchors from servers it knows only")
def anchors_of_an_unknown_server_are_not_taken(t):
    """What a server says in cacerts counts when the server is authenticated, or a human has confirmed it: one that
    is neither does not make itself known that way, and gets no request for a certificate."""
    _, anchors = public_ca(t)
    t.need(not t.run(None, t.registrar, action="est_enroll", implicit=anchors, fingerprint="").joined, "it enrols")
    t.need(not t.registrar.seen("simpleenroll"), "the unknown server is asked for a certificate")


@check("TA-04", level=MUST, role="pledge", profiles=EST,
       mutant="asks for nothing but cacerts before it believes anybody")
def without_anchors_there_is_cacerts_and_nothing_else(t):
    """Before a human has confirmed the fingerprint of the CA the device asks for its certificates only; all
    else is for a new TLS session."""
    root = t.lab.domain.root
    t.joins(None, t.registrar, action="est_enroll", implicit=t.est_anchors(),
            fingerprint=hashlib.sha256(forge.der(root)).hexdigest())
    first, *later = t.registrar.seen()
    t.need(first.path.endswith("/cacerts"), f"the first request is {first.method} {first.path}")
    more = [r.path for r in later if r.connection == first.connection and not r.path.endswith("/cacerts")]
    t.need(not more, f"over the same connection come {more}")
    t.need(t.registrar.seen("simpleenroll"), "there is no enrolment over another connection")
    stranger = t.new_registrar()
    t.need(not t.run(None, stranger, action="est_enroll", implicit=t.est_anchors(), fingerprint="00" * 32).joined,
           "it enrols with a CA that nobody has confirmed")
    t.need(not stranger.seen("simpleenroll"), "a CA that nobody has confirmed is asked for a certificate")


@check("TA-05", level=MUST, role="pledge", profiles=EST, mutant="believes the CA's own anchors alone")
def public_ca_is_out_once_the_own_anchors_are_there(t):
    """After cacerts only what the CA has named counts: a server that only the public CA vouches for is not
    asked for another certificate."""
    device, server, ca = enrolled(t)
    rogue = t.lab.domain.saved(certs.make_tls_server(ca))
    server.context.load_cert_chain(rogue.cert_path, rogue.key_path)
    t.run(device, server, action="est_renew")
    t.need(not server.seen("simplereenroll"), "the server under the public CA gets the request")
    own = t.lab.domain.registrar
    server.context.load_cert_chain(own.cert_path, own.key_path)
    t.run(device, server, action="est_renew")
    if not server.seen("simplereenroll"):
        t.skip("the device renews nothing")


@check("TA-06", level=MUST, role="pledge", profiles=EST,
       mutant="names its anchors in TLS when they have replaced others")
def client_hello_names_the_anchors_that_have_replaced_others(t):
    """A device that no longer believes the anchors which had once authenticated the server says in
    trusted_ca_keys (RFC 6066 §6) whom it does believe."""
    device, server, _ = enrolled(t)
    before = len(server.hellos)
    t.joins(device, server, action="est_renew")
    t.need(len(server.hellos) > before, "the device makes no new connection")
    said = sorted(server.hellos[-1])
    t.record("received", "ClientHello", f"extensions {said}")
    t.need(tls_extensions.TRUSTED_CA_KEYS in said, f"the extensions of its ClientHello are {said}")
