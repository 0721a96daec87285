# SPDX-License-Identifier: Apache-2.0
"""A registrar towards the MASA (RFC 8995 §5.4 to §5.6): whom it asks, how, and what it makes of the answer."""
import base64

from brski_peer import certs, cms, forge, voucher
from brski_peer.pledge import CMS_TYPE
from brski_peer.server import Answer, text

from ..core import MUST, SHOULD, check
from ..trial import words_of

RFC8995 = ("rfc8995",)


# -- which MASA

@check("R8995-REG-020", level=MUST, role="registrar", profiles=RFC8995, mutant="takes the path of a MASA URL")
def masa_is_where_the_idevid_says(t):
    """The extension holds an authority, or a URI; a path in it replaces /.well-known/brski. One of these
    is longer than 127 octets."""
    usual, long = "/.well-known/brski/requestvoucher", "long/" * 30
    wanted = {"{}": usual, "https://{}": usual, "https://{}/": usual, "https://{}/base": "/base/requestvoucher",
              "https://{}/" + long: f"/{long}requestvoucher"}
    for url, path in wanted.items():
        t.masa.requests.clear()
        with t.pledge(t.approved_device(masa_url=url.format(t.session.masa_url))) as p:
            t.status(p.request_voucher(), 200, why=f"the MASA URL is {url}")
        t.equal(t.asked_of_masa()[0].path, path, f"the path for the MASA URL {url}")


@check("R8995-REG-020", level=MUST, role="registrar", profiles=RFC8995, mutant="wants an uncritical MASA URL")
def critical_masa_url_is_refused(t):
    """The extension is never critical; a certificate that breaks its profile is not to be guessed at."""
    with t.pledge(t.approved_device(critical=True)) as p:
        t.refused(p.request_voucher())
    t.nothing_asked_of_masa("although the MASA URL is marked critical")


@check("R8995-REG-021", level=MUST, role="registrar", profiles=RFC8995, mutant="calls the MASA over TLS only")
def masa_is_never_called_in_clear(t):
    """A URI that says http is refused, or read as https: no request leaves in clear text."""
    t.masa.handshake_errors.clear()
    with t.pledge(t.approved_device(masa_url=f"http://{t.session.masa_url}/")) as p:
        p.request_voucher()
    clear = [e for e in t.masa.handshake_errors if "HTTP_REQUEST" in e.upper().replace(" ", "_")]
    t.need(not clear, "the registrar spoke HTTP without TLS to the MASA")


@check("R8995-REG-022", "A-02", level=MUST, role="registrar", profiles=("cbrski", "rfc8995"),
       mutant="authenticates the MASA")
def masa_with_a_certificate_of_another_name_gets_nothing(t):
    """The MASA's certificate has to name the host of the MASA URL, and lead to the manufacturer."""
    misnamed = certs.make_tls_server(t.lab.maker.issuing, "masa.invalid", alt="DNS:masa.invalid")
    host = t.target.suite_host
    strange = certs.make_tls_server(t.lab.stranger.issuing, host, alt="DNS:localhost,IP:127.0.0.1")
    for identity, what in ((misnamed, "another name"), (strange, "another manufacturer")):
        masa = t.further_masa(identity)
        with t.pledge(t.approved_device(masa_url=masa.url)) as p:
            t.need(p.request_voucher().status >= 400, f"a voucher from a MASA whose certificate has {what}")
        t.need(not masa.requests, f"the request went to a MASA whose certificate has {what}")


@check("R8995-REG-022", "A-02", level=MUST, role="registrar", profiles=("cbrski", "rfc8995"),
       mutant="calls the MASA by its name")
def masa_is_called_by_its_name(t):
    """The host of the MASA URL is the server name of the TLS handshake."""
    host = t.target.suite_host
    if host.replace(".", "").isdigit() or ":" in host:
        t.skip("the suite's MASA is reached by an address ([suite] host), which is no server name")
    masa = t.further_masa(certs.make_tls_server(t.lab.maker.issuing, host, alt=f"DNS:{host}"))
    with t.pledge(t.approved_device(masa_url=masa.url)) as p:
        t.status(p.request_voucher(), 200)
    t.equal(set(masa.server_names), {host}, "the server names of the handshakes")


@check("R8995-REG-024", "A-03", level=SHOULD, role="registrar", profiles=("rfc8995", "cbrski"),
       mutant="shows the MASA its certificate")
def masa_sees_the_registrars_certificate(t):
    """The MASA asks for a client certificate: the registrar shows one, fit for clients."""
    with t.pledge(t.approved_device()) as p:
        t.voucher(p)
    shown = t.asked_of_masa()[0].peer_der
    t.need(shown, "the registrar shows the MASA no certificate")
    usages = forge.ekus(forge.parse(shown))
    t.need("1.3.6.1.5.5.7.3.2" in usages, f"its extended key usages are {sorted(usages)}, without clientAuth")


# -- what is asked

@check("R8995-REG-025", "ENC-ALL-022", level=MUST, role="registrar", profiles=RFC8995,
       mutant="asks under the media type of the request")
def request_to_the_masa_has_the_media_type_of_the_pledges(t):
    """A POST of the same format as what the pledge sent."""
    with t.pledge(t.approved_device()) as p:
        t.voucher(p)
    asked = t.asked_of_masa()[0]
    t.equal(asked.method, "POST", "the method")
    t.equal((asked.header("content-type") or "").split(";")[0].lower(), CMS_TYPE, "the media type")


@check("R8995-REG-026", level=SHOULD, role="registrar", profiles=RFC8995,
       mutant="says what it accepts of the MASA")
def request_to_the_masa_accepts_what_the_pledge_does(t):
    """Accept is the pledge's, or the format of its request when it has none."""
    for accept in (CMS_TYPE, None):
        t.masa.requests.clear()
        with t.pledge(t.approved_device()) as p:
            t.status(p.request_voucher(accept=accept), 200)
        said = t.asked_of_masa()[0].header("accept") or ""
        t.equal(said.split(",")[0].split(";")[0].strip().lower(), CMS_TYPE, f"Accept for a pledge with {accept}")


@check("R8995-REG-032", level=SHOULD, role="registrar", profiles=RFC8995, mutant="carries the assertion on")
def request_to_the_masa_carries_the_assertion(t):
    """The pledge asserts proximity; so does the registrar."""
    with t.pledge(t.approved_device()) as p:
        t.voucher(p)
    t.equal(t.rvr().fields.get("assertion"), "proximity", "the assertion")


@check("R8995-REG-028", "ENC-ALL-008", level=MUST, role="registrar", profiles=RFC8995, mutant="copies the nonce")
def nonce_in_another_alphabet_reaches_the_masa_verbatim(t):
    """The nonce of the RFC's example is in the alphabet for URLs and has no padding: a string to copy."""
    nonce = "-_XE9zK9q8Ll1qylMtLKeg"
    with t.pledge(t.approved_device()) as p:
        t.status(p.request_voucher(p.pvr(nonce=nonce)), 200)
    t.equal(t.rvr().fields.get("nonce"), nonce, "the nonce")


@check("R8995-REG-033", level=SHOULD, role="registrar", profiles=RFC8995, mutant="sends nothing but its chain")
def request_to_the_masa_holds_the_registrars_chain_only(t):
    """Each certificate in the request may be pinned: the signer's chain up to the domain's CA, nobody else's."""
    with t.pledge(t.approved_device()) as p:
        t.voucher(p)
    rvr = t.rvr()
    chain = [rvr.signer]
    while issuer := next((c for c in rvr.certs if c.subject == chain[-1].issuer and c not in chain), None):
        chain.append(issuer)
    foreign = [c.subject.rfc4514_string() for c in rvr.certs if c not in chain]
    t.need(not foreign, f"beside its own chain the request holds {foreign}")


@check("ENC-ALL-005", "R8995-REG-033", level=SHOULD, role="registrar", profiles=RFC8995,
       mutant="sends its chain to the MASA")
def request_to_the_masa_holds_the_domains_ca(t):
    """What the MASA is to pin has to be there: the CA that issued the registrar's certificate."""
    with t.pledge(t.approved_device()) as p:
        t.voucher(p)
    rvr = t.rvr()
    t.need(any(c.subject == rvr.signer.issuer for c in rvr.certs), "the request lacks its signer's issuer")


@check("R8995-REG-035", level=MUST, role="registrar", profiles=RFC8995, mutant="signs with the key it shows")
def pin_leads_to_the_certificate_the_pledge_sees(t):
    """The honest MASA pins the CA that issued the signer of the registrar's request; the certificate of
    the TLS connection has to lead there."""
    with t.pledge(t.approved_device()) as p:
        pin = forge.parse(base64.b64decode(t.voucher(p).fields["pinned-domain-cert"]))
        t.need(t.leads_to(forge.parse(p.registrar_der), t.rvr().certs, pin),
               f"the TLS certificate does not lead to {pin.subject.rfc4514_string()!r}, which is pinned")


@check("ENC-ALL-001", "ENC-ALL-002", "ENC-ALL-003", "ENC-ALL-004", "ENC-ALL-007", "ENC-ALL-016", level=MUST,
       role="registrar", profiles=("8366bis",),
       mutant="signs under the type of vouchers")
def request_to_the_masa_is_signed_as_a_voucher(t):
    """Raw DER, no base64; the content type 1.2.840.113549.1.9.16.1.40, version 3, signed attributes."""
    with t.pledge(t.approved_device()) as p:
        t.voucher(p)
    octets = t.asked_of_masa()[0].body
    t.equal(octets[:1], b"\x30", "the first octet")
    box = cms.parse(octets)
    t.equal(box.content_type, cms.JSON_VOUCHER, "the content type")
    t.equal(box.version, "v3", "the version of SignedData")
    t.need(box.attributes(), "there are no signed attributes")
    t.equal(t.rvr().top, voucher.REQUEST, "the member of the payload")


# -- what comes back

@check("ENC-ALL-006", level=MUST, role="registrar", profiles=RFC8995, mutant="relays every version of CMS")
def voucher_of_every_cms_version_is_relayed(t):
    """SignedData of version 1 comes from older MASAs; it is handed on as it is."""
    t.masa.cms = {"content_type": cms.ID_DATA}
    with t.pledge(t.approved_device()) as p:
        t.equal(t.voucher(p).content_type, cms.ID_DATA, "the content type of the voucher")


@check("R8995-REG-018", level=MUST, role="registrar", profiles=RFC8995, mutant="says 5xx when the MASA fails")
def failure_of_the_masa_is_an_error_for_the_pledge(t):
    """The MASA fails, or says something strange: 5xx, or 202 for a later try; never 200 and never silence."""
    strange = (text(500, "Sorry.\n"), text(503, "Later.\n", headers=[("Retry-After", "1")]), text(301, "There.\n"))
    for answer in strange:
        t.masa.answer = lambda _request, answer=answer: answer
        with t.pledge(t.approved_device()) as p:
            reply = p.request_voucher()
            t.need(reply.status >= 500 or reply.status == 202,
                   f"the MASA says {answer.status}, the registrar {reply.status}")


@check("R8995-REG-018", level=MUST, role="registrar", profiles=RFC8995, mutant="passes on what the MASA refuses")
def refusal_of_the_masa_is_a_refusal_for_the_pledge(t):
    """403, 404 and 406 of the MASA are final: the pledge gets a 4xx as well."""
    for status in (403, 404, 406):
        t.masa.answer = lambda _request, status=status: text(status, "Not for you.\n")
        with t.pledge(t.approved_device()) as p:
            t.refused(p.request_voucher(), why=f"the MASA says {status}")


@check("R8995-REG-018", level=MUST, role="registrar", profiles=RFC8995, mutant="gives up on a silent MASA")
def silent_masa_does_not_hold_up_the_pledge(t):
    """The MASA takes the request and says nothing: an error, or 202, before the pledge loses patience."""
    t.masa.answer = lambda _request: Answer(200, delay=60)
    with t.pledge(t.approved_device()) as p:
        reply = p.request_voucher()
        t.need(reply.status >= 500 or reply.status == 202, f"the answer is {reply.status}")


@check("R8995-REG-037", level=SHOULD, role="registrar", profiles=RFC8995, mutant="looks into the voucher")
def wrong_voucher_does_not_pass_unnoticed(t):
    """A voucher for another device, with another nonce, or of another manufacturer (whose chain it brings along)
    is of no use to the pledge: the registrar looks. What it relays all the same it notes in its log."""
    def answer_to(**lies):
        """(status, words of the log) when the MASA lies so"""
        t.masa.be_honest()
        vars(t.masa).update(lies)
        before, said = t.instance.log_size(), []
        with t.pledge(t.approved_device()) as p:
            said.append(p.request_voucher().status)
        return said[0], words_of(t.instance.log(before))
    other = t.lab.new_serial()
    wrong = [answer_to(lie=lambda fields: {**fields, "serial-number": other}),
             answer_to(lie=lambda fields: {**fields, "nonce": voucher.new_nonce()}),
             answer_to(signer=t.lab.stranger.signer)]
    relayed = [words for status, words in wrong if status < 400]
    if not relayed:
        return
    if not t.instance.log():
        t.skip("it relays wrong vouchers, as it may when it notes that; its log is not seen ([run] log)")
    noted = set.intersection(*relayed) - answer_to()[1] - answer_to()[1]
    t.need(noted, f"{len(relayed)} of 3 wrong vouchers are relayed, and the log says what it says of right ones")


# -- the device's history

@check("R8995-REG-040", level=SHOULD, role="registrar", profiles=RFC8995,
       mutant="asks for the log with the octets of its request")
def audit_log_is_asked_for_with_the_same_request(t):
    """After the voucher the registrar asks for the device's history: the octets of its voucher-request
    again, under the same media type."""
    with t.pledge(t.approved_device()) as p:
        t.voucher(p)
        p.voucher_status()
        t.history_read()
        log = t.log_asked()
    asked = t.asked_of_masa()[0]
    t.equal(log.body, asked.body, "the request for the log")
    t.equal((log.header("content-type") or "").split(";")[0].lower(), CMS_TYPE, "its media type")


@check("R8995-REG-040", "A-10", level=SHOULD, role="registrar", profiles=RFC8995,
       mutant="asks for the audit log after the report")
def audit_log_is_asked_for(t):
    """By the time the pledge has reported on its voucher, the MASA is asked for its history."""
    with t.pledge(t.approved_device()) as p:
        t.voucher(p)
        p.voucher_status()
        t.log_asked()


@check("R8995-REG-041", level=MUST, role="registrar", profiles=RFC8995, mutant="follows the location of a log")
def audit_log_somewhere_else_is_fetched(t):
    """The MASA answers 201 with a Location, absolute or relative: the log is there."""
    for base in ("", f"https://{t.session.masa_url}"):
        device = t.approved_device()
        t.masa.history_by_location(base)
        with t.pledge(device) as p:
            t.status(p.request_voucher(), 200)
            p.voucher_status()
            t.history_read()
            t.wait(lambda: t.masa.seen(f"/log/{device.serial}"), f"nobody fetches the log at {base or '/'}log/…")


@check("R8995-REG-057", "R8995-REG-042", "EA-05", level=MUST, role="registrar", profiles=RFC8995,
       mutant="judges the history")
def history_with_another_domain_ends_est(t):
    """The log shows a domain that is not ours: from then on every EST request of the device is refused,
    whether the voucher has been handed on or not."""
    t.masa.audit = t.masa.foreign_history
    with t.pledge(t.approved_device()) as p:
        if p.request_voucher().status == 200:
            p.voucher_status()
            t.history_read()
        t.wait(lambda: p.enroll()[0].status in (401, 403), "the device is enrolled all the same")


@check("R8995-REG-042", "R8995-REG-049", level=SHOULD, role="registrar", profiles=RFC8995,
       mutant="fears vouchers without a nonce")
def history_with_a_nonceless_voucher_ends_est(t):
    """A voucher without a nonce, that somebody may still hold and replay: not by default."""
    def nonceless(serial):
        log = t.masa.own_history(serial)
        log["events"].insert(0, {**log["events"][0], "nonce": None})
        return log
    t.masa.audit = nonceless
    with t.pledge(t.approved_device()) as p:
        if p.request_voucher().status == 200:
            p.voucher_status()
            t.history_read()
        t.wait(lambda: p.enroll()[0].status in (401, 403), "the device is enrolled all the same")


@check("R8995-REG-055", level=SHOULD, role="registrar", profiles=RFC8995, mutant="says 406 to a bad history")
def device_with_a_bad_history_is_406(t):
    """The log names another domain: once the registrar knows, a request for a voucher is 406."""
    t.masa.audit = t.masa.foreign_history
    with t.pledge(t.approved_device()) as p:
        reply = p.request_voucher()
        if reply.status == 200:
            p.voucher_status()
            t.history_read()
            reply = t.in_time(lambda: (lambda r: r if r.status != 200 else None)(p.request_voucher()))
        if reply is None:
            t.skip("the registrar does not mind that history: see R8995-REG-057")
        t.status(reply, 406)


@check("R8995-REG-043", level=MUST, role="registrar", profiles=RFC8995,
       mutant="knows its own domainID at every pin")
def own_entry_is_recognised_whatever_is_pinned(t):
    """The MASA pins the domain's root and logs its domainID: that is no other domain, and the device may
    enrol."""
    root = forge.b64(forge.der(t.domain_root()))

    def at_the_root(fields):
        return {**fields, "pinned-domain-cert": root}
    t.masa.lie = at_the_root
    with t.pledge(t.approved_device()) as p:
        t.status(p.request_voucher(), 200)
        p.voucher_status()
        t.history_read()
        t.status(p.enroll()[0], 200, why="its history holds nothing but this voucher")


@check("R8995-REG-044", level=SHOULD, role="registrar", profiles=RFC8995, mutant="reads logs of other versions")
def audit_log_of_another_version_is_read(t):
    """Version 2, numbers as text, members nobody knows: an honest history in another dialect."""
    def dialect(serial):
        events = [{**event, "truncated": "0", "extra": {"x": 1}} for event in t.masa.own_history(serial)["events"]]
        return {"version": "2", "events": events, "truncation": {"nonced duplicates": "0"}, "y": []}
    t.masa.audit = dialect
    with t.pledge(t.approved_device()) as p:
        t.status(p.request_voucher(), 200)
        p.voucher_status()
        t.history_read()
        t.status(p.enroll()[0], 200, why="its history is honest")


@check("R8995-REG-059", level=SHOULD, role="registrar", profiles=RFC8995,
       mutant="asks for the audit log after the report")
def second_bootstrap_of_an_enrolled_device_is_noticed(t):
    """A device that has its certificate asks for a voucher again: the history is looked at once more."""
    device = t.approved_device()
    with t.pledge(device) as p:
        t.joined(p)
        p.enrollstatus()
        t.log_asked()
    t.masa.requests.clear()
    with t.pledge(device) as p:
        p.request_voucher()
        p.voucher_status()
        t.log_asked()


# -- reports

@check("R8995-REG-038", level=SHOULD, role="registrar", profiles=RFC8995, mutant="takes reports of later versions")
def voucher_status_of_a_later_version_is_200(t):
    """A version that is not known yet, and members nobody knows, are taken and logged."""
    with t.pledge(t.approved_device()) as p:
        t.voucher(p)
        reply = p.report("voucher_status", {"version": 2, "status": False, "reason": "a conformance test",
                                            "reason-context": {"additional": "JSON"}, "new-member": 1})
        t.status(reply, 200, 404)


@check("R8995-REG-048", level=SHOULD, role="registrar", profiles=RFC8995, mutant="answers enrollstatus")
def enrollstatus_is_200_over_either_certificate(t):
    """After enrolment the pledge reports, with its new certificate or with its IDevID."""
    with t.pledge(t.approved_device()) as p:
        ldevid = t.joined(p)
        t.status(p.enrollstatus(), 200, 404)
    with t.pledge(ldevid) as p:
        t.status(p.enrollstatus(), 200, 404)
