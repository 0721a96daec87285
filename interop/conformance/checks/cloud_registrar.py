# SPDX-License-Identifier: Apache-2.0
"""A cloud registrar: whom it talks to, what it says of a device whose owner it knows, or does not
(draft-ietf-anima-brski-cloud §2.2, §3.1.2, §3.2, §5, §8.2)."""
import urllib.parse

from brski_peer import forge

from ..core import MAY, MUST, SHOULD, check

CLOUD = ("cloud",)
CSRATTRS = "/.well-known/est/csrattrs"
MANY = 50           # requests are too many for one that can serve few
ELSEWHERE = "https://registrar.example:8443/.well-known/brski/requestvoucher"


# -- TLS

@check("CLOUD-CR-001", level=MUST, role="cloud", profiles=CLOUD, mutant="wants a certificate of each device")
def device_without_certificate_is_not_answered(t):
    """TLS with a cloud registrar is mutual: without an IDevID there is neither a voucher nor a redirect."""
    device = t.redirected_device()
    with t.hangs_up_or() as ended:
        with t.pledge() as p:
            p.identity = device.identity
            reply = p.request_voucher()
    if not ended:
        t.not_positive(reply, "the client has shown no certificate")


@check("CLOUD-CR-001", level=MUST, role="cloud", profiles=CLOUD, mutant="knows its manufacturer's devices")
def device_of_another_manufacturer_is_not_answered(t):
    """The IDevID is verified up to the manufacturer. One with the serial-number of a device of ours, made by
    somebody else, gets no answer about it."""
    device = t.redirected_device()
    impostor = t.new_device(t.lab.stranger, serial=device.serial)
    with t.hangs_up_or() as ended:
        reply = t.ask(impostor)
    if not ended:
        t.not_positive(reply, "the IDevID is another manufacturer's")


@check("CLOUD-CR-002", level=SHOULD, role="cloud", profiles=CLOUD,
       mutant="has a certificate for each of its names")
def each_name_has_its_certificate_under_tls_1_2(t):
    """The server's name in the ClientHello counts under TLS 1.2 as well: a certificate of that name."""
    if not t.names()[1:]:
        t.skip("the target file says no further name ([cloud] names)")
    for name in t.names()[1:]:
        with t.hangs_up_or() as ended:
            t.pledge(name=name, context=t.verifying(tls="1.2")).connection.close()
        t.need(not ended, f"no certificate for {name} under TLS 1.2: {''.join(ended)}")


@check("CLOUD-CR-003", level=MUST, role="cloud", profiles=CLOUD, mutant="shows a certificate with its name")
def certificate_leads_to_the_anchors_of_pledges(t):
    """Pledges know the cloud registrar by their implicit anchors and by its name."""
    with t.hangs_up_or() as ended:
        t.pledge(context=t.verifying()).connection.close()
    t.need(not ended, f"a pledge cannot verify the certificate: {''.join(ended)}")


# -- whether it answers

@check("CLOUD-CR-004", level=MUST, role="cloud", profiles=CLOUD,
       mutant="verifies requests before it looks for the owner")
def request_with_a_broken_signature_gets_no_redirect(t):
    """A request is checked before the owner is looked for: a signature that does not hold brings an error."""
    device = t.redirected_device()
    with t.pledge(device) as p:
        reply = p.request_voucher(forge.flip_signature(p.pvr()))
    t.not_positive(reply, "the signature of the request does not hold")


@check("CLOUD-CR-004", "CLOUD-CR-001", level=MUST, role="cloud", profiles=CLOUD,
       mutant="answers a device about itself only")
def device_is_not_answered_about_another_one(t):
    """Who the owner of a device is, only that device is told: the one that is connected has to have signed
    the request, for its own serial-number."""
    device, other = t.redirected_device(), t.device()
    with t.pledge(other) as p:
        t.not_positive(p.request_voucher(p.pvr(serial_number=device.serial)),
                       "the serial-number is not that of the IDevID")
        fields = {"serial_number": device.serial, "signer": device.identity}
        t.not_positive(p.request_voucher(p.pvr(**fields)), "another device has signed the request")


@check("CLOUD-CR-005", level=MUST, role="cloud", profiles=CLOUD, mutant="says 404 of unknown devices")
def unknown_device_is_404(t):
    """A device with a good IDevID that nothing is known of: 404."""
    reply = t.ask(t.new_device())
    t.status(reply, 404, why="nobody has told it of this device")


@check("CLOUD-CR-005", level=MUST, role="cloud", profiles=CLOUD, mutant="says 400 to what it cannot read")
def malformed_request_is_400(t):
    """What is no signed voucher-request: 400."""
    device = t.redirected_device()
    with t.pledge(device) as p:
        for body, what in ((b"\x30\x03\x02\x01\x05", "no CMS"), (p.pvr()[:-40], "a CMS that is cut off")):
            t.status(p.request_voucher(body), 400, why=what)


@check("CLOUD-CR-005", level=MUST, role="cloud", profiles=CLOUD, mutant="serves no more than it can")
def overload_is_503(t):
    """A cloud registrar with more requests than it can serve says 503."""
    t.variant("overloaded")
    device = t.redirected_device()
    with t.pledge(device) as p:
        for _ in range(MANY):
            reply = p.request_voucher()
            if not 300 <= reply.status < 400:
                break
    t.status(reply, 503, why=f"one that can serve few gets {MANY} requests")


@check("CLOUD-CR-006", "CLOUD-CR-004", level=MUST, role="cloud", profiles=CLOUD,
       mutant="says 401 while nobody has claimed the device")
def unclaimed_device_is_401(t):
    """A good request of a device whose owner is not known: 401."""
    t.status(t.ask(t.device()), 401, why="nobody has claimed this device")


@check("CLOUD-CR-006", level=MUST, role="cloud", profiles=CLOUD, mutant="asks for no password")
def unclaimed_device_is_asked_for_no_password(t):
    """The 401 of a cloud registrar is no challenge: there is no WWW-Authenticate."""
    reply = t.ask(t.device())
    t.need(reply.header("www-authenticate") is None,
           f"there is a challenge: WWW-Authenticate: {reply.header('www-authenticate')}")


@check("CLOUD-CR-006", level=SHOULD, role="cloud", profiles=CLOUD, mutant="says when to come back")
def unclaimed_device_is_told_when_to_come_back(t):
    """401 without Retry-After means that the device need not ask again; one that may be claimed yet is told
    when to."""
    reply = t.ask(t.device())
    t.need((reply.header("retry-after") or "").strip(), "there is no Retry-After")


# -- what it answers

@check("CLOUD-CR-007", "CLOUD-CR-004", level=MUST, role="cloud", profiles=CLOUD, mutant="redirects with 307")
def device_of_an_owner_with_a_registrar_is_redirected(t):
    """The owner has a registrar: 307, so that the pledge makes the same kind of request there, with an
    absolute https URI."""
    reply = t.ask(t.redirected_device(ELSEWHERE))
    t.status(reply, 307, why="its owner has a registrar")
    place = urllib.parse.urlsplit(reply.header("location") or "")
    t.equal((place.scheme, place.netloc), ("https", "registrar.example:8443"), "where the Location leads")


@check("CLOUD-CR-008", level=MUST, role="cloud", profiles=CLOUD, mutant="names the EST server")
def device_of_an_owner_with_an_est_server_gets_its_name(t):
    """The owner has no registrar: 200 and a voucher of the manufacturer with est-domain."""
    fields = t.voucher(t.ask(t.est_device("https://est.example:8443/")))
    named = urllib.parse.urlsplit(fields.get("est-domain") or "")
    t.equal(named.netloc or named.path, "est.example:8443", "the est-domain of the voucher")


@check("CLOUD-CR-008", level=MUST, role="cloud", profiles=CLOUD, mutant="pins the EST server's certificate")
def voucher_pins_the_est_server(t):
    """What the voucher pins is the EST server's certificate, or a CA above it."""
    server = t.lab.domain.registrar
    fields = t.voucher(t.ask(t.est_device(server=server)))
    pinned = forge.parse(forge.voucher.base64.b64decode(fields["pinned-domain-cert"]))
    t.need(pinned in server.chain(with_root=True), "the pinned-domain-cert is not of the EST server's chain")


@check("CLOUD-CR-008", level=MUST, role="cloud", profiles=CLOUD, mutant="copies the nonce")
def voucher_answers_the_request(t):
    """A voucher of the cloud registrar is a voucher like others: serial-number and nonce are the
    request's."""
    device = t.est_device()
    with t.pledge(device) as p:
        fields = t.voucher(p.request_voucher())
        t.equal((fields.get("serial-number"), fields.get("nonce")), (device.serial, p.nonce),
                "serial-number and nonce of the voucher")


@check("CLOUD-CR-010", level=MAY, role="cloud", profiles=CLOUD, mutant="names the additional configuration")
def voucher_names_the_additional_configuration(t):
    """Where there is additional configuration for a device, its voucher says where."""
    device, url = t.est_device(), "https://config.example/device"
    t.do("configure", serial=device.serial, url=url)
    t.equal(t.voucher(t.ask(device)).get("additional-configuration-url"), url,
            "the additional-configuration-url of the voucher")


@check("CLOUD-CR-011", level=MUST, role="cloud", profiles=CLOUD, mutant="is no EST server")
def csrattrs_is_404(t):
    """A cloud registrar is no EST server: there are no csrattrs."""
    device = t.est_device()
    with t.pledge(device) as p:
        t.status(p.connection.get(CSRATTRS, p.headers()), 404, why="csrattrs of a cloud registrar")


@check("CLOUD-CR-012", level=MUST, role="cloud", profiles=CLOUD,
       mutant="sends no device back to the manufacturer")
def reseller_sends_no_device_back(t):
    """The cloud registrar of a reseller that is not responsible for a device says 404; it does not send
    the device back to the manufacturer's, who may have sent it."""
    t.variant("reseller")
    reply = t.ask(t.new_device())
    t.status(reply, 404, why="the reseller has not sold this device")
    t.need(reply.header("location") is None, "the 404 has a Location")


@check("CLOUD-CR-013", level=MUST, role="cloud", profiles=CLOUD,
       mutant="pins the certificate the EST server has today")
def new_certificate_of_the_est_server_is_pinned(t):
    """When the EST server gets another certificate and its admin says so, the next voucher pins that one or a
    CA above it."""
    device = t.est_device(server=t.lab.domain.registrar)
    t.voucher(t.ask(device))
    t.claim_est(device, "https://est.example:8443/", t.lab.other_domain.registrar)
    fields = t.voucher(t.ask(device))
    pinned = forge.parse(forge.voucher.base64.b64decode(fields["pinned-domain-cert"]))
    t.need(pinned in t.lab.other_domain.registrar.chain(with_root=True), "the voucher pins the certificate of before")
