# SPDX-License-Identifier: Apache-2.0
"""What the reference registrar of pledges in responder mode holds against what an agent brings."""
import base64
import datetime

from cryptography import x509

from brski_peer import forge, jws, prm, voucher

from ..trial_masa import leads_to
from .prm_pledge_judgement import holds
from .rules import Refused

BODY_TYPES = {"requestvoucher": prm.VOUCHER_TYPE, "requestenroll": prm.JOSE_TYPE,
              "voucher_status": prm.JOSE_TYPE, "enrollstatus": prm.JOSE_TYPE}
ACCEPTED = {"requestvoucher": {prm.VOUCHER_TYPE, "*/*"},
            "requestenroll": {prm.JOSE_TYPE, "application/pkcs7-mime", "*/*"}}


class Judgement:
    def judge_client(self, request):
        """An agent of the domain."""
        if not request.peer_der:
            self.refuse("wants a client certificate", True, 403, "Show a certificate.")
            return
        cert = forge.parse(request.peer_der)
        if leads_to(cert, [forge.parse(der) for der in request.peer_chain], [self.lab.maker.root]):
            self.refuse("takes no device for an agent", True, 403, "You are a device.")
            return
        self.refuse("takes agents of its own domain only",
                    not leads_to(cert, [self.domain.issuing.cert], [self.domain.root]), 403, "You are not of ours.")

    def judge_types(self, name, request):
        kind = (request.header("content-type") or "").split(";")[0].strip().lower()
        if name in BODY_TYPES:
            self.refuse(f"looks at the media type of {name}", kind != BODY_TYPES[name], 415, "Not that type.")
        wanted = {part.split(";")[0].strip().lower() for part in (request.header("accept") or "*/*").split(",")}
        if name in ACCEPTED:
            self.refuse(f"refuses what it cannot answer {name} in", not wanted & ACCEPTED[name], 406, "Not here.")
        if name == "requestenroll" and self.lapses("takes an Accept of jose+json", wanted == {prm.JOSE_TYPE}):
            raise Refused(406, "Certificates are application/pkcs7-mime.")

    def read(self, request, name):
        try:
            return prm.opened(request.body)
        except Exception as e:
            self.refuse(f"wants {name} to be JWS", True, 400, "That cannot be read.")
            raise Refused(200, "fine") from e

    # -- voucher-request

    def judge_pvr(self, box, pvr, _request):
        """The IDevID of who may join."""
        signature = box.signatures[0]
        self.refuse("verifies the pledge's signature", holds(signature) is None, 403,
                    "The signature does not hold.")
        idevid = signature.certs[0]
        self.refuse("knows its manufacturers", not leads_to(idevid, signature.certs, [self.lab.maker.root]), 403,
                    "That manufacturer is not known here.")
        named = forge.parse(base64.b64decode(pvr[prm.PROXIMITY]))
        ours = leads_to(named, [self.domain.issuing.cert], [self.domain.root])
        self.refuse("compares the domain of the named registrar", not ours, 403, "That is another domain.")
        if self.lapses("takes triggers for sister registrars", ours and named != self.identity.cert):
            raise Refused(403, "That is another registrar.")
        said = self.judge_agent(base64.b64decode(pvr[prm.SIGNED_DATA]))
        self.refuse("compares the agent's serial-number", said["serial-number"] != pvr["serial-number"], 403,
                    "The agent meant another device.")
        self.refuse("compares the serial-number with the IDevID",
                    pvr["serial-number"] != voucher.serial_of(idevid), 403, "The device means another one.")
        return idevid

    def judge_agent(self, data):
        """The leaves of what an agent has signed."""
        box, said = prm.opened(data)
        signature = box.signatures[0]
        cert = signature.signer(self.agents)
        if cert is None:
            self.refuse("knows the agents it believes", True, 403, "That agent is not known.")
            return said
        try:
            signature.verify([cert], typ=signature.header.get("typ"))
        except Exception:
            self.refuse("verifies the agent's signature", True, 403, "The agent's signature does not hold.")
        self.refuse("wants the agent's certificate to be valid",
                    cert.not_valid_after < datetime.datetime.utcnow(), 403, "The agent's certificate has ended.")
        return said

    # -- enroll-request

    def judge_per(self, box, said):
        """(DER of the PKCS #10 request, Client, serial-number)"""
        signature = box.signatures[0]
        crit = signature.header.get("crit", [])
        self.refuse("understands what is critical", not set(crit) <= set(jws.UNDERSTOOD), 400, "What is that?")
        cert = signature.certs[0]
        try:
            jws.raw_verify(cert.public_key(), signature.signature, signature.signed, signature.alg)
        except Exception:
            self.refuse("verifies the signature of an enroll-request", True, 403, "The signature does not hold.")
        serial = voucher.serial_of(cert)
        client = self.devices.get(serial)
        if client is None:
            self.refuse("enrols accepted pledges only", True, 404, "There was no voucher for that device.")
            client = type("Anybody", (), {"idevid": cert})()
        self.refuse("compares the IDevIDs of both requests", cert != client.idevid, 403, "That is another device.")
        csr = base64.b64decode(said["p10-csr"])
        self.refuse("verifies the signature of a PKCS #10 request", not x509.load_der_x509_csr(csr).is_signature_valid,
                    400, "The request is not signed with its key.")
        return csr, client, serial

    # -- reports

    def judge_report(self, box, said, details):
        """(Client or None, serial-number)"""
        what = details[:3]
        signature = box.signatures[0]
        self.refuse(f"verifies the signature of {what}", holds(signature) is None, 403,
                    "The signature does not hold.")
        self.refuse(f"wants {details}", details not in (said.get("reason-context") or {}), 400,
                    "That is another report.")
        cert = signature.certs[0]
        own = [serial for serial, client in self.devices.items() if client.issued == cert]
        serial = own[0] if own else voucher.serial_of(cert)
        client = self.devices.get(serial)
        if client is None:
            self.refuse(f"takes {what} of accepted devices only", True, 404, "No such device here.")
            return None, serial
        known = (client.idevid,) if what == "pvs" else (client.idevid, client.issued)
        self.refuse(f"compares the certificate of {what}", cert not in known, 403, "That is another device.")
        if self.lapses("takes failed enroll status", what == "pes" and said["status"] is False):
            raise Refused(400, "A device that fails has nothing to say.")
        if self.lapses("takes enroll status of the new key", what == "pes" and cert == client.issued):
            raise Refused(403, "Where is the IDevID?")
        return client, serial
