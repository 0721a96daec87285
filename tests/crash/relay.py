# SPDX-License-Identifier: Apache-2.0
"""A TCP relay that can cut what runs through it, so that a client has to connect anew."""
import contextlib
import selectors
import socket
import threading


class Relay:
    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.pairs = {}  # each end → the other
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.running = True
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.running = False
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            pass  # wakes the selector
        self.thread.join()
        self.cut()
        self.listener.close()

    def cut(self):
        with self.lock:
            for end in list(self.pairs):
                self._drop(end)

    def _drop(self, end):
        other = self.pairs.pop(end, None)
        if other is None:
            return
        del self.pairs[other]
        for s in (end, other):
            self.selector.unregister(s)
            s.close()

    def _accept(self):
        near, _ = self.listener.accept()
        try:
            far = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            near.close()
            return
        for s in (near, far):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.selector.register(s, selectors.EVENT_READ)
        self.pairs.update({near: far, far: near})

    def _pass_on(self, end):
        if end not in self.pairs:
            return
        try:
            octets = end.recv(65536)
            if octets:
                self.pairs[end].sendall(octets)
                return
        except OSError:
            pass
        self._drop(end)

    def _run(self):
        while self.running:
            events = self.selector.select(1)
            with self.lock:
                for key, _ in events:
                    if key.fileobj is self.listener:
                        self._accept()
                    else:
                        self._pass_on(key.fileobj)
