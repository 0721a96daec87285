# SPDX-License-Identifier: Apache-2.0
"""A MASA of pledges in responder mode under test: registrars of ours ask it in JWS."""
from brski_peer import forge, jws, prm

from .core import Wrong
from .trial_masa import MasaTrial, leads_to


class PrmMasaTrial(MasaTrial):
    """Actions of a target file: import, as for other MASAs; address: https; trust: voucher_anchors."""

    @property
    def agent(self):
        return self.lab.domain.agent

    @property
    def registrar_identity(self):
        return self.lab.domain.registrar

    def serves(self):
        return self.ask(self.rvr(self.device())).status == 200

    # -- requests

    def pvr(self, device, agent=None, registrar=None, data=None, signer=None, **changes):
        """A pledge's request after an agent's trigger. data: changes to what the agent signs."""
        signed = prm.agent_signed_data(agent or self.agent, **{"serial": device.serial, **(data or {})})
        body = prm.trigger((registrar or self.registrar_identity).der, signed)
        fields = forge.changed(prm.pvr_fields(device.identity, body), changes)
        return prm.sign_pvr(fields, signer or device.identity)

    def rvr(self, device, prior=None, agent=None, **changes):
        """A registrar's request around it."""
        prior = self.pvr(device) if prior is None else prior
        fields = prm.rvr_fields(prior, agent or self.agent, device.identity.cert)
        return prm.sign_rvr(forge.changed(fields, changes), self.registrar_identity)

    def ask(self, body, content_type=prm.VOUCHER_TYPE, accept=prm.VOUCHER_TYPE):
        identity = self.registrar_identity
        host, port = self.instance.address("https")
        with self.connect(port, host=host, certificate=identity.cert_path, key=identity.key_path) as connection:
            return connection.post(prm.BASE + "requestvoucher", body, content_type,
                                   [("Accept", accept)] if accept else [])

    # -- judging

    def jws_voucher(self, reply, why="an honest request"):
        """(jws.Jws, leaves) of an answer."""
        self.status(reply, 200, why=why)
        try:
            return prm.opened(reply.body)
        except ValueError as e:
            raise Wrong(f"the voucher is no JWS in the General JSON Serialization: {e}") from e

    def is_signed_by_the_maker(self, box):
        """One signature, which leads to the manufacturer's anchor."""
        self.equal(len(box.signatures), 1, "the number of signatures")
        try:
            signer = box.verify()
        except Exception as e:
            raise Wrong(f"the voucher's signature does not hold: {e}") from e
        self.need(leads_to(signer, box.certs, self.anchors()),
                  "the voucher's signer does not lead to the manufacturer's anchor")

    def broken(self, octets):
        return jws.flip_signature(octets)
