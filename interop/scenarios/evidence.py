# SPDX-License-Identifier: Apache-2.0
"""What is kept of a story: the exchanges with the suite's own peers, decoded, and, when it is told again
because it failed, a packet capture of every host.

    captures/STORY/HOST.pcap, captures/STORY/keys    tshark -o tls.keylog_file:keys -r HOST.pcap

The keys are those of the suite's peers and, by a library preloaded into them, of our programs.
"""
import contextlib
import os

from conformance import shown
from conformance.evidence import capture


def exchange_of(request, answer):
    """[(direction, what, shown, octets)] of a request to one of our servers and its answer."""
    asked = f"{request.method} {request.path}"
    if not hasattr(request, "headers"):  # CoAP
        yield "to", asked, shown.coap_body(request.content_format, request.body), request.body
        if answer is None or answer.silent:
            yield "from", "says nothing", "", None
        else:
            yield "from", answer.code, shown.coap_body(answer.content_format, answer.body), answer.body
        return
    yield "to", asked, shown.http(request.headers, request.body), request.body
    if answer is None:
        yield "from", "hangs up", "", None
        return
    kind = [("Content-Type", answer.content_type)] if answer.content_type else []
    yield "from", f"{answer.status}", shown.http(kind + list(answer.headers), answer.body), answer.body


class Captures:
    """One capture for each host that comes to be, in a folder; without a folder none."""

    def __init__(self, folder):
        self.folder, self.open = folder, contextlib.ExitStack()
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
            os.environ["SSLKEYLOGFILE"] = str(folder / "keys")
            self.open.callback(os.environ.pop, "SSLKEYLOGFILE", None)

    def begin(self, host, run):
        """run: calls a function as seen from the host."""
        if self.folder:
            one = capture(self.folder / f"{host}.pcap", ())
            run(one.__enter__)
            self.open.callback(one.__exit__, None, None, None)

    def close(self):
        self.open.close()
