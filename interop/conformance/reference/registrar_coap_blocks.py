# SPDX-License-Identifier: Apache-2.0
"""How the reference registrar takes messages and blocks (RFC 7252, RFC 7959), by rules. The server that
it is built on does most of it as well, but takes what comes."""
import dataclasses
import hashlib
import time

from brski_peer import coap, coap_server, dtls, hello
from brski_peer.coap import Message

URI_HOST, URI_PORT, Q_BLOCK1, Q_BLOCK2 = 3, 7, 19, 31
CRITICAL = {URI_HOST, URI_PORT, coap.URI_PATH, coap.ABBREV, coap.URI_QUERY, coap.ACCEPT, coap.BLOCK2, coap.BLOCK1}
BODY_MAX = 16384
SUITES13 = tuple(hello.SUITES13.values())
REFUSED = "4.02"


@dataclasses.dataclass
class Upload:
    content_format: int
    octets: bytes = b""


class Handshakes(coap_server.Server):
    """It begins a handshake of DTLS 1.3 and goes no further than its first answer: who tests it looks
    at no more, and OpenSSL speaks DTLS 1.2 only."""

    def _receive(self, datagram, address):
        said = hello.read_hello(datagram)
        answer = said and self.first_answer(said)
        if answer:
            self.transmit(answer, address)
        else:
            super()._receive(datagram, address)

    def first_answer(self, said):
        """A datagram, or None: OpenSSL will do."""
        versions = said.numbers(hello.VERSIONS, 1)
        if hello.DTLS13 in versions and hello.DTLS12 not in versions:
            return self.answer13(said)
        if said.numbers(hello.GROUPS, 2) == [hello.X25519, hello.SECP256R1] and not self.rule("agrees on X25519"):
            return hello.alert(hello.HANDSHAKE_FAILURE)
        return None

    def answer13(self, said):
        if hello.SUITES13["AES_128_GCM_SHA256"] in said.suites and not self.rule("speaks DTLS 1.3"):
            return hello.alert(hello.PROTOCOL_VERSION)
        known = SUITES13
        if said.suites == [hello.SUITES13["AES_128_CCM_8_SHA256"]] and not self.rule("has the suites of DTLS 1.3"):
            known = SUITES13[:1]
        suite = next((s for s in said.suites if s in known), None)
        return hello.retry(suite) if suite else hello.alert(hello.HANDSHAKE_FAILURE)


class Blocks(Handshakes):
    """One message there, one back; handle() sees whole bodies."""

    def _take(self, association, message):
        if message.id in association.answers and not self.rule("answers a duplicate from memory"):
            del association.answers[message.id]
        super()._take(association, message)

    def _answer_block(self, association, message):
        if not self.options_are_known(message):
            return Message(code=coap.code(REFUSED)), None, 0
        what = (message.code, message.path, message.option(coap.ABBREV))
        part2 = message.block(coap.BLOCK2)
        held = (*what, message.number(coap.ACCEPT) if self.rule("keeps a body for each format") else None)
        if part2 and part2[0] and held in association.downloads:
            return self.piece(association, association.downloads[held], message, [])
        body, options, wrong = message.payload, [], None
        if message.block(coap.BLOCK1):
            body, options, wrong = self.take_block(association, what, message)
            if wrong:
                return wrong, None, 0
        answer = self.whole(association, message, body)
        if answer is None:
            return None
        association.downloads[held] = answer
        self.close_after = answer.close
        return self.piece(association, answer, message, options)

    def options_are_known(self, message):
        unknown = {n for n, _ in message.options if n & 1 and n not in CRITICAL}
        if not unknown:
            return True
        if unknown <= {Q_BLOCK1, Q_BLOCK2}:
            return not self.rule("has no Q-Block")
        if message.type == coap.NON:
            return not self.rule("says so to requests that are not confirmable too")
        return not self.rule("refuses critical options it does not know")

    # -- what comes

    def take_block(self, association, what, message):
        """(whole body, options for its answer, None), or (…, …, what to answer meanwhile)."""
        num, more, szx = message.block(coap.BLOCK1)
        if num == 0:
            association.uploads[what] = Upload(message.content_format)
        upload = association.uploads.get(what) or Upload(message.content_format)
        wrong = self.wrong_block(message, upload, num << (szx + 4))
        if wrong:
            association.uploads.pop(what, None)
            return b"", [], wrong
        association.uploads[what] = upload
        upload.octets += message.payload
        options = [(coap.BLOCK1, coap.block(num, more, min(szx, self._szx(association))))]
        if more:
            echoed = options if self.rule("says which block it has") else []
            return b"", [], Message(code=coap.CONTINUE, options=echoed)
        del association.uploads[what]
        return upload.octets, options if self.rule("says so of the last block too") else [], None

    def wrong_block(self, message, upload, offset):
        announced = message.number(coap.SIZE1)
        if offset == 0 and announced is None and not self.rule("does without Size1"):
            return Message(code=coap.code("4.00"))
        if offset != len(upload.octets) and self.rule("notices a block that is missing"):
            return Message(code=coap.INCOMPLETE)
        if message.content_format != upload.content_format and self.rule("keeps blocks of different formats apart"):
            return Message(code=coap.INCOMPLETE)
        size = max(announced or 0, len(upload.octets) + len(message.payload))
        if size > BODY_MAX and self.rule("bounds what it takes in"):
            return Message(code=coap.TOO_LARGE, options=[(coap.SIZE1, coap.uint(BODY_MAX))])
        return None

    def whole(self, association, message, body):
        """The Answer to a request that is there; None: silence. It is kept nowhere, nor is its link."""
        method = {coap.GET: "GET", coap.POST: "POST"}.get(message.code, "?")
        request = coap_server.Request(method, message.path, body, message.content_format, message.number(coap.ACCEPT),
                               association.number, association.link, message, time.monotonic())
        answer = self.handle(request)
        self.observer(request, answer)
        return None if answer is None or answer.silent else answer

    # -- what goes

    def piece(self, association, answer, message, options):
        num, _, szx = message.block(coap.BLOCK2) or (0, False, self.szx)
        usual = min(self.szx, self._szx(association))
        offset = num << (szx + 4)
        if szx == 0 and not self.rule("takes the block size asked for"):
            szx = usual
        szx = min(szx, usual)
        size, body = 16 << szx, answer.body
        options = options + list(answer.options)
        if answer.content_format is not None:
            options.append((coap.CONTENT_FORMAT, coap.uint(answer.content_format)))
        if len(body) > size or num:
            options.append((coap.BLOCK2, coap.block(offset // size, offset + size < len(body), szx)))
            answer.etag = answer.etag or etag_of(body)
        if answer.etag:
            options.append((coap.ETAG, answer.etag))
        if message.option(coap.SIZE2) is not None and self.rule("says how much there is"):
            options.append((coap.SIZE2, coap.uint(len(body))))
        said = Message(code=coap.code(answer.code), options=options, payload=body[offset:offset + size])
        return said, answer.separate, answer.delay


def etag_of(octets):
    return hashlib.sha256(octets).digest()[:8]


def context(identity):
    """Nobody is turned away in the handshake: who shows no certificate is told so by its first answer."""
    return dtls.Context(identity, server=True, demand=False)
