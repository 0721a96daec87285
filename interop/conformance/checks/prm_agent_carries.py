# SPDX-License-Identifier: Apache-2.0
"""A registrar-agent: it carries artifacts as they are, under their types, in order (brski-prm §7.1 to §7.10)."""
from brski_peer import prm

from ..core import MUST, SHOULD, check

PRM, ROLE = ("prm",), "agent"
PLEDGE_STEPS = ("svr", "scac", "ser")
CERTS = prm.CERTS_TYPE.split(";")[0]


LATER = {"wrappedcacerts": "agent_gets_ca_certificates", "scac": "agent_gets_ca_certificates",
         "voucher_status": "voucher_status_comes_to_the_registrar",
         "enrollstatus": "enroll_status_comes_to_the_registrar"}  # that anything comes is a check of its own


def at(t, name):
    """The request that came to this endpoint, of pledge or registrar."""
    server, look = (t.pledge, t.at_pledge) if name in t.pledge.usual else (t.registrar, t.at_registrar)
    if name in LATER:
        t.run()
        if server.one(name) is None:
            t.skip(f"nothing comes to {name}: see {LATER[name]}")
    return look(name)


def define(name, about, rows, level, mutant, look):
    """A check of a table."""
    def run(t):
        look(t)
    run.__name__, run.__doc__ = name, about
    check(*rows, level=level, role=ROLE, profiles=PRM, mutant=mutant)(run)


# -- media types: endpoint, Content-Type, Accept, row

TYPES = [("tpvr", prm.JSON_TYPE, prm.VOUCHER_TYPE, "PRM-RA-005"),
         ("tper", prm.JSON_TYPE, prm.JOSE_TYPE, "PRM-RA-006"),
         ("requestvoucher", prm.VOUCHER_TYPE, prm.VOUCHER_TYPE, "PRM-RA-007"),
         ("requestenroll", prm.JOSE_TYPE, prm.JOSE_TYPE, "PRM-RA-009"),
         ("wrappedcacerts", None, prm.JOSE_TYPE, "PRM-RA-010"),
         ("svr", prm.VOUCHER_TYPE, None, "PRM-RA-011"), ("scac", prm.JOSE_TYPE, None, "PRM-RA-011"),
         ("ser", CERTS, None, "PRM-RA-011"), ("voucher_status", prm.JOSE_TYPE, None, "PRM-RA-012"),
         ("enrollstatus", prm.JOSE_TYPE, None, "PRM-RA-012")]


def content_type_is(name, wanted):
    def look(t):
        said = at(t, name).header("content-type") or ""
        t.equal(said.split(";")[0].strip().lower(), wanted, f"Content-Type at {name}")
    return look


def accept_has(name, wanted):
    def look(t):
        said = at(t, name).header("accept") or ""
        types = [part.split(";")[0].strip().lower() for part in said.split(",")]
        t.need(wanted in types, f"Accept at {name} is {said!r}, without {wanted}")
    return look


for endpoint, body, answer, row in TYPES:
    if body:
        define(f"{endpoint}_is_posted_as_its_type", f"Content-Type of what the agent posts to {endpoint} is {body}.",
               [row], MUST, f"names the type at {endpoint}", content_type_is(endpoint, body))
    if answer:
        define(f"{endpoint}_says_what_is_accepted", f"Accept at {endpoint} names {answer}.", [row], SHOULD,
               f"says what it accepts at {endpoint}", accept_has(endpoint, answer))


# -- artifacts: what, who has made it where, who gets it where, row, the rule

CARRIED = [("PVR", "pledge", "tpvr", "requestvoucher", "PRM-RA-007"),
           ("PER", "pledge", "tper", "requestenroll", "PRM-RA-009"),
           ("voucher", "registrar", "requestvoucher", "svr", "PRM-RA-011"),
           ("caCerts", "registrar", "wrappedcacerts", "scac", "PRM-RA-011"),
           ("certificate", "registrar", "requestenroll", "ser", "PRM-RA-011"),
           ("voucher status", "pledge", "svr", "voucher_status", "PRM-RA-012"),
           ("enroll status", "pledge", "ser", "enrollstatus", "PRM-RA-012")]


def is_what_was_made(maker, made, given):
    def look(t):
        got = at(t, given).body
        t.equal(got, getattr(t, maker).made.get(made), f"what comes to {given}")
    return look


for what, maker, made, given, row in CARRIED:
    define(f"{what.replace(' ', '_')}_is_carried_unchanged".lower(),
           f"The agent brings the {what} of {made} to {given} as it is, octet by octet.", [row], MUST,
           f"leaves a {what} as it is", is_what_was_made(maker, made, given))


# -- order

def order(t, server, names):
    """These of the requests that came there, in order."""
    return [name for r in server.seen() if (name := r.path.removeprefix(prm.BASE)) in names]


@check("PRM-RA-010", level=MUST, role=ROLE, profiles=PRM, mutant="asks for CA certificates")
def agent_gets_ca_certificates(t):
    """A GET of wrappedcacerts at the registrar, and what it brings goes to the pledge."""
    t.equal(t.at_registrar("wrappedcacerts").method, "GET", "the method")
    t.at_pledge("scac")


@check("PRM-RA-011", level=MUST, role=ROLE, profiles=PRM, mutant="supplies CA certificates before the certificate")
def artifacts_come_to_the_pledge_in_order(t):
    """First the voucher, then CA certificates, then the certificate."""
    t.run()
    came = order(t, t.pledge, PLEDGE_STEPS)
    t.equal(came, [name for name in PLEDGE_STEPS if name in came], "the order at the pledge")
    t.need("ser" in came, f"the certificate does not come; the agent says: {t.said[-300:]!r}")


@check("PRM-RA-011", level=SHOULD, role=ROLE, profiles=PRM, mutant="stops when the voucher is refused")
def nothing_comes_after_a_voucher_that_is_refused(t):
    """When the pledge says that the voucher is wrong, it gets no CA certificates."""
    t.pledge.takes_voucher = False
    t.need(not t.run(), "the agent says that all is well")
    t.equal(order(t, t.pledge, PLEDGE_STEPS), ["svr"], "what comes to the pledge")


@check("PRM-RA-012", level=MUST, role=ROLE, profiles=PRM, mutant="hands on the voucher status")
def voucher_status_comes_to_the_registrar(t):
    """The pledge's report on the voucher is posted to voucher_status."""
    t.at_registrar("voucher_status")


@check("PRM-RA-012", level=MUST, role=ROLE, profiles=PRM, mutant="hands on the enroll status")
def enroll_status_comes_to_the_registrar(t):
    """The pledge's report on its certificate is posted to enrollstatus."""
    t.at_registrar("enrollstatus")


@check("PRM-RA-012", level=MUST, role=ROLE, profiles=PRM, mutant="reports on the voucher first")
def reports_come_in_order(t):
    """The report on the voucher comes before that on the certificate."""
    t.run()
    came = order(t, t.registrar, ("voucher_status", "enrollstatus"))
    t.equal(came, sorted(came, reverse=True), "the order at the registrar")
    t.need(came, "no report comes")
