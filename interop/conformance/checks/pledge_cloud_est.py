# SPDX-License-Identifier: Apache-2.0
"""What a pledge does with a voucher of its cloud registrar that names an EST server
(draft-ietf-anima-brski-cloud §2.2, §3.2.3, §3.3.2, §4.2)."""
from brski_peer import voucher

from ..core import MUST, SHOULD, check
from ..trial_cloud import CloudSide

CLOUD = ("cloud",)


@check("CLOUD-PLG-008", level=SHOULD, role="pledge", profiles=CLOUD,
       mutant="goes on at the EST server of the voucher")
def pledge_enrols_at_the_server_of_the_voucher(t):
    """A voucher with est-domain: the pledge goes on there, with EST and nothing but EST, trusting the
    certificate that is pinned."""
    c = CloudSide(t)
    est = c.est_server()
    c.name_est(est)
    c.run()
    t.need("simpleenroll" in est.steps(), f"the EST server is asked for {est.steps()} only")
    t.need("requestvoucher" not in est.steps(), "the EST server is asked for a voucher")


@check("CLOUD-PLG-008", level=SHOULD, role="pledge", profiles=CLOUD,
       mutant="takes the pinned certificate under any name")
def pinned_server_needs_no_name(t):
    """Where the certificate of the EST server itself is pinned, the name in it does not matter."""
    c = CloudSide(t)
    identity = t.lab.domain.registrar_identity(alt="DNS:elsewhere.example")
    est = c.est_server(identity)
    c.name_est(est, pin=identity.cert)
    c.run()
    if not est.connections:
        t.skip("the pledge does not come to the EST server: see the check of that")
    t.need(est.seen(), "the EST server is asked nothing, although its own certificate is pinned")


@check("CLOUD-PLG-009", level=MUST, role="pledge", profiles=CLOUD,
       mutant="asks the cloud registrar for vouchers only")
def cloud_registrar_is_not_asked_for_csrattrs(t):
    """The cloud registrar is no EST server: what requests have to contain is not asked there."""
    c = CloudSide(t)
    c.name_est(c.est_server())
    c.run()
    t.need(c.asked(c.cloud), "the pledge asks its cloud registrar nothing")
    t.need("csrattrs" not in c.cloud.steps(), "the cloud registrar is asked for csrattrs")


def nothing_at_the_est_server(t, est, c, why):
    c.fails(why)
    t.need(c.asked(c.cloud), "the pledge asks its cloud registrar nothing")
    t.equal(est.steps(), [], f"what the server is asked although {why}")


@check("CLOUD-PLG-011", level=MUST, role="pledge", profiles=CLOUD, mutant="verifies the EST server by the pin")
def foreign_est_server_gets_no_request(t):
    """The connection to the EST server is verified by what the voucher pins; with another server nothing
    is said over it."""
    c = CloudSide(t)
    est = c.est_server(t.lab.other_domain.registrar)
    c.name_est(est)
    nothing_at_the_est_server(t, est, c, "its certificate is of another domain")


@check("CLOUD-PLG-011", "CLOUD-PLG-008", level=MUST, role="pledge", profiles=CLOUD,
       mutant="compares the EST server's name")
def est_server_of_another_name_gets_no_request(t):
    """Where a CA is pinned, the server's certificate has to have the name of est-domain."""
    if t.target.suite_host.replace(".", "").isdigit() or ":" in t.target.suite_host:
        t.skip("the suite's host has no name, only an address ([suite] host)")
    c = CloudSide(t)
    est = c.est_server(t.lab.domain.registrar_identity(alt="DNS:elsewhere.example"))
    c.name_est(est)
    nothing_at_the_est_server(t, est, c, "its certificate has another name")


def bad_voucher(t, why, lie=lambda fields: fields, signer=None):
    """The voucher is judged in full before anything in it is used."""
    c, config = CloudSide(t), CloudSide(t)
    est = c.est_server()
    c.name_est(est, lie=lie, additional_configuration_url=config.place(config.cloud, "/configuration"))
    if signer is not None:
        c.cloud.signer = signer
    c.fails(why)
    t.need(c.asked(c.cloud), "the pledge asks its cloud registrar nothing")
    t.equal(est.connections, 0, f"the number of connections to the EST server although {why}")
    t.equal(config.cloud.steps(), [], f"what is asked for additional configuration although {why}")
    said = [r.get("status") for r in c.cloud.reports("voucher_status")]
    t.need(True not in said, f"voucher_status says the voucher is good although {why}")


@check("CLOUD-PLG-012", "CLOUD-PLG-013", level=MUST, role="pledge", profiles=CLOUD,
       mutant="compares the serial-number")
def cloud_voucher_for_another_device_is_refused(t):
    """A voucher with est-domain for another serial-number: no connection to the server it names, and no
    configuration is fetched."""
    bad_voucher(t, "the voucher is for another device", lambda f: {**f, "serial-number": "OTHER-1"})


@check("CLOUD-PLG-012", "CLOUD-PLG-013", level=MUST, role="pledge", profiles=CLOUD, mutant="compares the nonce")
def cloud_voucher_with_another_nonce_is_refused(t):
    """A voucher with est-domain and a nonce that is not the request's: no connection to the server it
    names, and no configuration is fetched."""
    bad_voucher(t, "the nonce is another one", lambda f: {**f, "nonce": voucher.new_nonce()})


@check("CLOUD-PLG-012", "CLOUD-PLG-013", level=MUST, role="pledge", profiles=CLOUD,
       mutant="verifies the signer of the voucher")
def cloud_voucher_of_another_manufacturer_is_refused(t):
    """A voucher with est-domain that another manufacturer has signed: no connection to the server it names,
    and no configuration is fetched."""
    bad_voucher(t, "another manufacturer has signed the voucher", signer=t.lab.stranger.signer)


@check("CLOUD-PLG-013", level=SHOULD, role="pledge", profiles=CLOUD,
       mutant="fetches its additional configuration")
def additional_configuration_is_fetched(t):
    """A good voucher with additional-configuration-url: the pledge asks there, once it has the voucher."""
    c = CloudSide(t)
    config = c.server()
    c.name_est(c.est_server(), additional_configuration_url=c.place(config, "/configuration"))
    c.run()
    t.need(c.asked(c.cloud), "the pledge asks its cloud registrar nothing")
    t.need("configuration" in config.steps(), "nobody asks for the additional configuration")
    t.need(config.seen()[0].at > c.asked(c.cloud)[0].at, "it is asked for before the voucher")
