# SPDX-License-Identifier: Apache-2.0
"""The administrators' side as a program of its own sees it: by the socket, and by HTTPS."""
import http.client
import json
import socket
import ssl


class Answer:
    def __init__(self, reply):
        self.status = reply.status
        self.headers = reply.headers
        self.body = reply.read()

    @property
    def type(self):
        return self.headers.get_content_type()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """Of an error: what programs go by."""
        assert self.type == "application/problem+json", (self.status, self.type, self.body)
        problem = self.json
        assert problem["status"] == self.status
        assert problem.get("exchange") == self.headers["X-Request-Id"]
        assert problem["title"] and problem["detail"] and problem["type"] == "about:blank"
        return problem["code"]


class Api:
    """One request a connection. headers go with all of them: a token, a cookie."""

    def __init__(self, registrar, port=None, headers=None, identity=None):
        self.registrar, self.port, self.headers = registrar, port, dict(headers or {})
        self.identity = identity  # certificate, key
        self.context = None

    def _connection(self):
        if self.port is None:
            connection = http.client.HTTPConnection("localhost", timeout=30)
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(30)
            connection.sock.connect(str(self.registrar.socket))
            return connection
        if self.context is None:
            root = str(self.registrar.domain.file("root.crt"))
            self.context = ssl.create_default_context(cafile=root)
            self.context.check_hostname = False
            if self.identity:
                self.context.load_cert_chain(*self.identity)
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=30)

    def request(self, method, path, body=None, headers=None):
        sent = {**self.headers, **(headers or {})}
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        connection = self._connection()
        try:
            connection.request(method, path, body, sent)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.request("GET", path, headers=headers)

    def post(self, path, body=None, **headers):
        return self.request("POST", path, body, headers)
