# SPDX-License-Identifier: Apache-2.0
"""The reference pledge with vouchers in JWS (draft-ietf-anima-jws-voucher)."""
from brski_peer import forge, jws, voucher

from . import pledge_voucher
from .jws_form import JwsForm, written
from .forms import VOUCHER, Unreadable
from .pledge import Attempt
from .pledge_coap import BadVoucher


class JwsAttempt(Attempt):
    media_type = jws.MEDIA_TYPE

    def voucher_request(self, p):
        fields = forge.pvr_fields(self.identity, p.registrar_der)
        return written(self, voucher.REQUEST, fields, self.identity, self.identity.chain()), fields

    def judge(self, reply):
        return JwsJudge(self, self.asked).judge(reply).pinned


class JwsJudge(pledge_voucher.Judge):
    def contents(self, octets):
        """The leaves of a signed voucher."""
        flaw = JwsForm.flaw(octets)
        if flaw:
            self.refuse(flaw, True, "That is no voucher in JWS.")
        try:
            message = JwsForm.read(octets, self.anchors)
        except Unreadable as e:
            raise BadVoucher(str(e)) from e
        if JwsForm.is_escaped(octets) and not self.rule("reads escaped slashes in x5c"):
            raise BadVoucher("No backslashes, please.")
        signer = message.signer
        if signer is None:
            if not flaw:
                raise BadVoucher("The signature does not hold.")
            signer = JwsForm.named_signer(octets, self.anchors)
        self.trusted(message, signer)
        self.refuse("reads vouchers only", message.container != VOUCHER, "That is no voucher.")
        return message.fields
