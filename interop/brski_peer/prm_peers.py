# SPDX-License-Identifier: Apache-2.0
"""A pledge in responder mode and a registrar for it, which take whatever an agent brings.

Both judge nothing. `on["svr"] = function` answers a path in another way: the function gets the request and
returns an Answer, or NotImplemented for the usual one. `made[path]` is the last artifact handed out there.
"""
import base64

from cryptography.hazmat.primitives.serialization import pkcs7

from . import certs, forge, jws, prm, voucher
from .pledge import est_body
from .server import Answer, Server, text


class Peer(Server):
    usual = ()  # paths: methods of that name

    def __init__(self, *words, **how):
        super().__init__(*words, **how)
        self.on, self.made = {}, {}

    def handle(self, request):
        name = request.path.removeprefix(prm.BASE)
        if name in self.on and (answer := self.on[name](request)) is not NotImplemented:
            return answer
        if name not in self.usual:
            return text(404, "nothing here\n")
        try:
            answer = getattr(self, name)(request)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as e:
            return text(400, f"{e}\n")
        self.made[name] = answer.body
        return answer

    def one(self, name):
        """The first request of this name, or None."""
        return next(iter(self.seen(prm.BASE + name)), None)


class FakePledge(Peer):
    usual = ("tpvr", "tper", "svr", "scac", "ser", "qps")

    def __init__(self, idevid, host="127.0.0.1"):
        super().__init__(None, None, host=host)
        self.idevid, self.key = idevid, certs.new_key()
        self.takes_voucher = True

    def tpvr(self, request):
        return Answer(200, prm.sign_pvr(prm.pvr_fields(self.idevid, request.body), self.idevid), prm.VOUCHER_TYPE)

    def tper(self, _request):
        return Answer(200, prm.enroll_request(self.idevid, prm.csr_for(self.idevid, self.key)), prm.JOSE_TYPE)

    def svr(self, _request):
        return self.report(self.idevid, "pvs-details", self.takes_voucher)

    def scac(self, _request):
        return Answer(200)

    def ser(self, request):
        cert = pkcs7.load_der_pkcs7_certificates(prm.est_der(request.body))[0]
        return self.report(certs.Identity(self.key, cert), "pes-details", True)

    def qps(self, _request):
        return self.report(self.idevid, "pbs-details", True, "factory-default")

    @staticmethod
    def report(signer, details, status, said="as it should be"):
        return Answer(200, prm.report(signer, (details, said), status), prm.JOSE_TYPE)


class FakeRegistrar(Peer):
    """It has the MASA's key, too."""
    usual = ("requestvoucher", "requestenroll", "wrappedcacerts", "voucher_status", "enrollstatus")

    def __init__(self, domain, masa, identity=None, host="127.0.0.1"):
        self.identity = identity or domain.registrar
        super().__init__(self.identity.cert_path, self.identity.key_path, host=host, any_client=True)
        self.domain, self.masa = domain, masa

    def requestvoucher(self, request):
        asked = prm.opened(request.body)[1]
        pin = self.domain.issuing.cert
        fields = {prm.CREATED: voucher.timestamp(), "nonce": asked["nonce"], "assertion": "agent-proximity",
                  "serial-number": asked["serial-number"], "pinned-domain-cert": forge.b64(forge.der(pin))}
        made = jws.sign_voucher(fields, self.masa)
        return Answer(200, prm.countersign(made, self.identity, pin), prm.VOUCHER_TYPE)

    def requestenroll(self, request):
        cert = forge.issue(self.domain.issuing, prm.csr_of(request.body))
        return Answer(200, est_body(forge.certs_only([cert])), prm.CERTS_TYPE)

    def wrappedcacerts(self, _request):
        return Answer(200, prm.ca_bag(self.identity, [self.domain.issuing.cert, self.domain.root]), prm.JOSE_TYPE)

    def voucher_status(self, _request):
        return Answer(200)

    def enrollstatus(self, _request):
        return Answer(200)


def signed_data(body):
    """Octets of what the agent signed, from a trigger."""
    return base64.b64decode(prm.json.loads(body)[prm.SIGNED_DATA])
