# SPDX-License-Identifier: Apache-2.0
"""A MASA of pledges in responder mode that can lie: FakeMasa in JWS.

`lie`, `signer`, `answer`, `audit` are as there; `signed` changes the octets of a voucher.
"""
from . import forge, jws, prm
from .masa import FakeMasa
from .server import Answer, text


class PrmMasa(FakeMasa):
    def be_honest(self):
        super().be_honest()
        self.signed = lambda octets: octets

    def voucher(self, request):
        try:
            box, asked = prm.opened(request.body)
            pin = forge.lowest_ca(box.certs, box.certs[0])
        except (ValueError, IndexError) as e:
            return text(400, f"{e}\n")
        fields = {**forge.voucher_fields(asked, pin), "assertion": "agent-proximity"}
        if self.lie:
            fields = self.lie(fields)
        octets = self.signed(jws.sign_voucher(fields, self.signer))
        self.vouchers.append(octets)
        self.logged.setdefault(asked["serial-number"], []).append(fields)
        return Answer(200, octets, prm.VOUCHER_TYPE, delay=self.delay)

    def audit_log(self, request):
        return self.log_answer(self.audit(prm.opened(request.body)[1]["serial-number"]))
