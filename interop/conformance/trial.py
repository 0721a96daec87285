# SPDX-License-Identifier: Apache-2.0
"""What every role's trial shares: connections and servers whose every message is evidence.

trial_registrar, trial_masa and trial_pledge add what their role needs to be looked at.
"""
import contextlib
import json
import re
import time

from brski_peer import coap, crl, dtls, grasp, wire

from . import shown
from .core import Broken, TrialBase, Wrong, said

POLL_S = 0.02
PATIENCE_S = 15      # for what the target does in its own time
CLOSE_SHARE = 1 / 3  # of that, for the end of a connection


class Trial(TrialBase):
    """One check on one instance of the target.

    session  what lives longer than a check: the instance, the suite's own servers (runner.Session)
    """

    def __init__(self, subject, session):
        super().__init__(subject, session.target, session.lab)
        self.session = session
        self.instance = session.variant("plain")

    def serves(self):
        """Does the target do for an honest peer what it is there for? Who refuses everybody gets no credit for
        the refusals that checks want (runner.Session)."""
        return True

    def group(self, kind):
        """A group of GRASP that the target floods or listens to, an address of its file."""
        made = grasp.Group(self.instance.address(kind),
                           self.target.settings.get("suite", {}).get("interface", self.target.suite_bind))
        self.later(made.close)
        if not made.is_reachable():
            self.skip("this machine sends nothing to a group of IPv6 there: scripts/own-network")
        return made

    # -- the target's admin

    def variant(self, name):
        """From here on talk to the target in another configuration; skips when it has none such."""
        self.instance = self.session.variant(name)
        return self.instance

    @contextlib.contextmanager
    def freshly(self, name):
        """The target in this configuration, started for this check alone."""
        with self.session.another(name) as self.instance:
            yield self.instance

    def can(self, action):
        """Does the target file say how the admin does this?"""
        return self.instance.can(action)

    def do(self, action, **words):
        """The admin does something: a command of the target file; skips when it has none."""
        self.record("admin", action, " ".join(f"{k}={v}" for k, v in words.items()))
        return self.instance.do(action, **words)

    def need_acquaintance(self):
        """Skips where the target cannot know the manufacturer, whose keys were made in this run."""
        if self.session.stranger and self.lab.made_now:
            self.skip(self.session.stranger)

    def may_lack(self, what):
        """Skips where the target file says, with the reason, that the target lacks this ([lacks])."""
        reason = self.target.settings.get("lacks", {}).get(what)
        if reason:
            self.skip(reason)

    # -- what the target writes

    def log_of(self, step, wait=True):
        """What comes to the target's log while step() is done, or soon after it (wait); skips where none is
        seen."""
        if not self.instance.log():
            self.skip("the target's log is not seen: it was not started by the suite, and [run] log names none")
        before = self.instance.log_size()
        step()
        if wait:
            self.in_time(lambda: self.instance.log_size() > before)
        return self.instance.log(before)

    # -- judging

    def refused(self, reply, *wanted, why=""):
        """An error status (one of those wanted, or any 4xx when none is named), in words."""
        if wanted:
            self.status(reply, *wanted, why=why)
        elif not 400 <= reply.status < 500:
            raise Wrong(f"the answer is {reply.status} instead of a 4xx{': ' + why if why else ''}; "
                        f"it says: {said(reply)}")
        return reply

    def coap_refused(self, reply, *wanted, why=""):
        """The same over CoAP; codes as text: "4.03"."""
        if wanted and reply.said not in wanted or not wanted and not reply.said.startswith("4."):
            raise Wrong(f"the answer is {reply.said} instead of {' or '.join(wanted) or '4.xx'}"
                        f"{': ' + why if why else ''}; it says: {said(reply)}")
        return reply

    def coap_is(self, reply, wanted, why):
        """why: what was asked for, in which case."""
        if reply.said != wanted:
            raise Wrong(f"the answer is {reply.said} instead of {wanted}: {why}; it says: {said(reply)}")
        return reply

    def json(self, reply):
        """The object of a JSON answer."""
        try:
            said = json.loads(reply.body)
        except ValueError as e:
            raise Wrong(f"the answer is not JSON: {e}") from e
        self.need(isinstance(said, dict), "the answer is no JSON object")
        return said

    def equal(self, got, wanted, what):
        """what: "the nonce of the voucher"."""
        if got != wanted:
            raise Wrong(f"{what} is {brief(got)} instead of {brief(wanted)}")

    def wait(self, condition, why, timeout=None):
        """Poll for what the target does in its own time. why: what is wrong when it does not."""
        timeout = timeout or self.session.patience
        deadline = time.monotonic() + timeout
        while not (value := condition()):
            if time.monotonic() > deadline:
                raise Wrong(f"{why} (waited {timeout:g} s)")
            time.sleep(POLL_S)
        return value

    def in_time(self, condition):
        """The same for what it need not do: the value, or None."""
        try:
            return self.wait(condition, "nothing comes")
        except Wrong:
            return None

    @contextlib.contextmanager
    def hangs_up_or(self):
        """For steps where a peer may close instead of answering:

            with t.hangs_up_or() as ended: reply = …
            if not ended: t.refused(reply)
        """
        ended = []
        try:
            yield ended
        except (wire.Closed, coap.Silence, dtls.Failed, ConnectionError) as e:
            ended.append(str(e))
            self.record("received", "the connection ends", str(e))

    # -- what the suite serves

    def listed_registrar(self, revoked):
        """A registrar whose certificate points to a revocation list that is served from here."""
        server = crl.CrlServer(self.target.suite_bind, self.target.suite_host)
        server.__enter__()
        self.later(lambda: server.__exit__(None, None, None))
        identity = self.lab.domain.registrar_identity(extensions=[crl.points(server.uri("/list"))])
        gone = [identity.cert.serial_number] if revoked else []
        server.files["/list"] = crl.make_crl(self.lab.domain.issuing, gone)
        return identity

    # -- recorded connections

    def connect(self, port, **how):
        """wire.Connection whose messages are evidence."""
        made = RecordedConnection(self, port, **how)
        self.later(made.close)
        return made

    def coap_connect(self, port, identity=None, **how):
        made = RecordedClient(self, port, identity, **how)
        self.later(made.close)
        return made

    def watch(self, server, name):
        """Record what one of our HTTPS servers is asked and answers. Ends with the trial."""
        def refused(why):
            self.record(f"to {name}", "the TLS handshake fails", why)
        before = server.handshake_observer
        server.handshake_observer = refused
        self.later(lambda: setattr(server, "handshake_observer", before))

        def observe(request, answer):
            self.record(f"to {name}", f"{request.method} {request.path}",
                        shown.http(request.headers, request.body), request.body)
            if answer is None:
                self.record(f"from {name}", "hangs up")
                return
            kind = [("Content-Type", answer.content_type)] if answer.content_type else []
            self.record(f"from {name}", f"{answer.status} {answer.content_type or ''}".strip(),
                        shown.http(kind + list(answer.headers), answer.body), answer.body)
        return self._observe(server, observe)

    def coap_watch(self, server, name):
        """The same for one of our CoAPS servers."""
        def observe(request, answer):
            self.record(f"to {name}", f"{request.method} {request.path}",
                        shown.coap_body(request.content_format, request.body), request.body)
            if answer is None or answer.silent:
                self.record(f"from {name}", "says nothing")
                return
            self.record(f"from {name}", answer.code,
                        shown.coap_body(answer.content_format, answer.body), answer.body)
        return self._observe(server, observe)

    def _observe(self, server, observe):
        before = server.observer
        server.observer = observe
        self.later(lambda: setattr(server, "observer", before))
        return server


class RecordedConnection(wire.Connection):
    def __init__(self, trial, port, **how):
        self.trial = trial
        how["timeout"] = min(how.get("timeout", PATIENCE_S), trial.session.patience)
        try:
            super().__init__(port, **how)
        except wire.Closed as e:
            trial.record("received", "the TLS handshake fails", str(e))
            raise
        except ConnectionRefusedError as e:
            raise Broken(f"nobody listens on port {port}") from e

    def ended_by_peer(self, timeout=None):
        return super().ended_by_peer(timeout or self.trial.session.patience * CLOSE_SHARE)

    def send(self, octets):
        self.trial.record("sent", *shown.http_octets(octets), octets)
        super().send(octets)

    def read_reply(self, head=False):
        try:
            reply = super().read_reply(head)
        except wire.Closed as e:
            self.trial.record("received", "the connection ends", str(e))
            raise
        self.trial.record("received", f"{reply.status} {reply.header('content-type') or ''}".strip(),
                          shown.http(reply.headers, reply.body), reply.body)
        return reply


class RecordedClient(coap.Client):
    def __init__(self, trial, port, identity=None, **how):
        self.trial = trial
        how["timeout"] = min(how.get("timeout", PATIENCE_S), trial.session.patience)
        try:
            super().__init__(port, identity, **how)
        except Exception as e:
            trial.record("received", "the DTLS handshake fails", str(e))
            raise

    def request(self, method, path, body=b"", content_format=None, accept=None, **how):
        asked = {coap.GET: "GET", coap.POST: "POST"}.get(method, coap.dotted(method))
        self.trial.record("sent", f"{asked} {shown.coap_path(path)}",
                          shown.coap_body(content_format, body), body)
        reply = super().request(method, path, body, content_format, accept, **how)
        self.trial.record("received", reply.said, shown.coap_body(reply.content_format, reply.payload),
                          reply.payload)
        return reply


def brief(value):
    said = repr(value)
    return said if len(said) <= 90 else said[:87] + "…"


def words_of(log):
    """For comparing what was written in one case and in another."""
    return {word.lower() for word in re.findall(r"[A-Za-z]{3,}", log)}
