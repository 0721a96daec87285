# SPDX-License-Identifier: Apache-2.0
"""The registrar over CoAPS: bodies in blocks, and messages that come twice (RFC 7959; RFC 7252 §4.5)."""
import itertools

from brski_peer import certs, coap, constrained, forge
from brski_peer.coap import Message

from ..core import MUST, SHOULD, check
from ..trial_registrar import spki_of

EST_COAPS = ("est-coaps",)
EST = constrained.EST
SMALL, TINY = 2, 0                  # blocks of 64 and of 16 octets
SMALL_OCTETS = 64
LARGEST, LARGEST_OCTETS = 6, 1024
HUGE, ENOUGH = 1 << 24, 1 << 20     # octets announced; and those after which nobody should want more
TEXT = 0


class Upload:
    """The blocks of one request to sen, each a message of its own."""

    def __init__(self, t, pledge, body, size1=True):
        self.t, self.client, self.body = t, pledge.client, body
        self.size1 = [(coap.SIZE1, coap.uint(len(body)))] if size1 else []
        self.tokens = itertools.count(1)

    @property
    def last(self):
        return (len(self.body) - 1) // SMALL_OCTETS

    def block(self, num, content_format=constrained.PKCS10, options=()):
        """Send the block of this number; its answer."""
        part = self.body[num * SMALL_OCTETS:(num + 1) * SMALL_OCTETS]
        options = [*coap.path_options(EST + "sen"), (coap.CONTENT_FORMAT, coap.uint(content_format)),
                   (coap.ACCEPT, coap.uint(constrained.PKIX_CERT)),
                   (coap.BLOCK1, coap.block(num, num < self.last, SMALL)),
                   *(self.size1 if num == 0 else []), *options]
        return ask(self.t, self.client, Message(coap.CON, coap.POST, 0, coap.uint(next(self.tokens)),
                                                options, part), f"block {num} of sen")

    def rest(self, begin):
        """The blocks from this one on; the last answer."""
        return [self.block(num) for num in range(begin, self.last + 1)][-1]


def ask(t, client, message, what):
    t.record("sent", what, "", message.payload)
    reply = client.exchange(message, timeout=t.session.patience)
    t.record("received", reply.said, f"Block1 {reply.block(coap.BLOCK1)} Block2 {reply.block(coap.BLOCK2)}",
             reply.payload)
    return reply


def fetched(t, client, accept, num, more=()):
    """A block of crts in this format."""
    options = [*coap.path_options(EST + "crts"), (coap.ACCEPT, coap.uint(accept)),
               (coap.BLOCK2, coap.block(num, False, SMALL)), *more]
    return ask(t, client, Message(coap.CON, coap.GET, 0, bytes([accept & 255, num + 1]), options),
               f"block {num} of crts, Accept {accept}")


# -- what is sent

@check("B-01", level=MUST, role="registrar", profiles=EST_COAPS, mutant="says which block it has")
def coaps_each_block_but_the_last_is_2_31(t):
    """With the Block1 it answers."""
    with t.coap_admitted() as p:
        upload = Upload(t, p, p.csr(certs.new_key()))
        for num in range(upload.last):
            reply = upload.block(num)
            t.coap_is(reply, "2.31", f"block {num} of {upload.last + 1} has come")
            t.equal(reply.block(coap.BLOCK1), (num, True, SMALL), "Block1 of the answer")
        t.coap_is(upload.block(upload.last), "2.04", "the last block has come")


@check("B-02", level=MUST, role="registrar", profiles=EST_COAPS, mutant="does without Size1")
def coaps_request_in_blocks_needs_no_size(t):
    """Size1 is optional: blocks are put together without it."""
    with t.coap_admitted() as p:
        t.coap_is(Upload(t, p, p.csr(certs.new_key()), size1=False).rest(0), "2.04", "no block has Size1")


@check("C-15", "B-08", level=MUST, role="registrar", profiles=EST_COAPS, mutant="says so of the last block too")
def coaps_last_block_there_and_first_block_back_are_one_exchange(t):
    """A request in blocks of 64 octets, its answer in such blocks as well: the message that answers the last
    Block1 has the first Block2, and the certificate is whole."""
    with t.coap_admitted() as p:
        key = certs.new_key()
        upload = Upload(t, p, p.csr(key))
        for num in range(upload.last):
            upload.block(num)
        reply = upload.block(upload.last, options=[(coap.BLOCK2, coap.block(0, False, SMALL))])
        t.coap_is(reply, "2.04", "the last block has come")
        t.equal(reply.block(coap.BLOCK1), (upload.last, False, SMALL), "Block1 of the answer")
        t.equal(reply.block(coap.BLOCK2), (0, True, SMALL), "Block2 of the answer")
        whole = p.post_csr(p.csr(key), szx=SMALL, szx2=SMALL)
        t.coap_is(whole, "2.04", "a request in small blocks asks for an answer in small blocks")
        t.equal(forge.spki(constrained.certs_of(whole)[0]), spki_of(key), "the key in the certificate")


@check("B-04", level=MUST, role="registrar", profiles=EST_COAPS, mutant="notices a block that is missing")
def coaps_block_after_a_gap_is_4_08(t):
    """Whether the first is missing or one in the middle."""
    with t.coap_admitted() as p:
        upload = Upload(t, p, p.csr(certs.new_key()))
        t.coap_refused(upload.block(1), "4.08", why="the first block has not come")
        upload.block(0)
        t.coap_refused(upload.block(upload.last), "4.08", why="some blocks have not come")


@check("B-04", level=MUST, role="registrar", profiles=EST_COAPS, mutant="bounds what it takes in")
def coaps_too_much_is_4_13(t):
    """A body that is announced with 16 MiB is refused at once or as it grows, before a MiB of it has come;
    Size1 in the answer, if any, says what would have been taken."""
    with t.coap_admitted() as p:
        for num in range(ENOUGH // LARGEST_OCTETS):
            options = [*coap.path_options(EST + "sen"), (coap.CONTENT_FORMAT, coap.uint(constrained.PKCS10)),
                       (coap.BLOCK1, coap.block(num, True, LARGEST))]
            options += [(coap.SIZE1, coap.uint(HUGE))] if num == 0 else []
            reply = p.client.exchange(Message(coap.CON, coap.POST, 0, b"huge", options, bytes(LARGEST_OCTETS)),
                                      timeout=t.session.patience)
            if reply.said != "2.31":
                break
        t.record("received", f"{reply.said} after {num + 1} blocks of {LARGEST_OCTETS} octets", reply.text)
        t.coap_refused(reply, "4.13")
        t.need((reply.number(coap.SIZE1) or 0) < HUGE, "Size1 says that it would have been taken")


@check("B-05", level=MUST, role="registrar", profiles=EST_COAPS, mutant="keeps blocks of different formats apart")
def coaps_blocks_of_different_formats_make_no_body(t):
    """The first blocks say that they are text, the others that they are a certification request."""
    with t.coap_admitted() as p:
        upload = Upload(t, p, p.csr(certs.new_key()))
        upload.block(0, content_format=TEXT)
        t.coap_refused(upload.rest(1), why="the blocks have different formats")


# -- what comes back

@check("B-03", level=SHOULD, role="registrar", profiles=EST_COAPS, mutant="takes the block size asked for")
def coaps_answer_comes_in_blocks_of_the_size_asked_for(t):
    """Who asks for blocks of 16 octets gets no larger ones."""
    with t.coap_pledge(t.approved_device()) as p:
        options = [*coap.path_options(EST + "crts"), (coap.BLOCK2, coap.block(0, False, TINY))]
        reply = ask(t, p.client, Message(coap.CON, coap.GET, 0, b"tiny", options), "crts in blocks of 16 octets")
        t.coap_is(reply, "2.05", "crts is asked for")
        t.equal(reply.block(coap.BLOCK2), (0, True, TINY), "Block2 of the answer")
        t.equal(len(reply.payload), 16, "the size of the block")


@check("B-06", level=MUST, role="registrar", profiles=EST_COAPS, mutant="keeps a body for each format")
def coaps_answer_stands_still_while_it_is_fetched(t):
    """crts in two formats, block after block in turn: each has one ETag, and the octets of its own body."""
    formats = (constrained.MULTIPART, constrained.PKCS7_CERTS)
    with t.coap_pledge(t.approved_device()) as p:
        whole = {accept: p.crts(accept).payload for accept in formats}
        tags = {accept: set() for accept in formats}
        for num in range(4):
            for accept in formats:
                reply = fetched(t, p.client, accept, num)
                t.coap_is(reply, "2.05", f"block {num} of format {accept} is asked for")
                tags[accept].add(reply.option(coap.ETAG))
                part = whole[accept][num * SMALL_OCTETS:(num + 1) * SMALL_OCTETS]
                t.need(reply.payload == part, f"block {num} of format {accept} is not that of its body")
    for accept, seen in tags.items():
        t.equal(len(seen), 1, f"the number of ETags of format {accept}")


@check("C-33", level=MUST, role="registrar", profiles=EST_COAPS, mutant="says how much there is")
def coaps_crts_tell_their_size_when_asked(t):
    """Size2 of 0 in the request: the answer says how many octets there are."""
    with t.coap_pledge(t.approved_device()) as p:
        size = len(p.crts(constrained.MULTIPART).payload)
        reply = fetched(t, p.client, constrained.MULTIPART, 0, [(coap.SIZE2, coap.uint(0))])
        t.coap_is(reply, "2.05", "crts is asked for with Size2")
        t.equal(reply.number(coap.SIZE2), size, "Size2 of the answer")


# -- twice the same

@check("C-20", level=SHOULD, role="registrar", profiles=EST_COAPS, mutant="answers a duplicate from memory")
def coaps_duplicate_has_the_same_answer(t):
    """The same message again, as after a lost answer: the same octets come back, one certificate is issued."""
    with t.coap_admitted() as p:
        options = [*coap.path_options(EST + "sen"), (coap.CONTENT_FORMAT, coap.uint(constrained.PKCS10)),
                   (coap.ACCEPT, coap.uint(constrained.PKIX_CERT))]
        message = Message(coap.CON, coap.POST, p.client.next_id(), b"once", options, p.csr(certs.new_key()))
        first, again = (ask(t, p.client, message, "the same request to sen") for _ in range(2))
        t.coap_is(first, "2.04", "sen is asked")
        t.need(first.payload == again.payload, "the second answer is another certificate")
        t.equal((again.code, again.options), (first.code, first.options), "code and options of the second answer")
