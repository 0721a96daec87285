# SPDX-License-Identifier: Apache-2.0
"""The description of the administrators' side, and answers held against it."""
import json
import pathlib
import re

import jsonschema

from admin_api import Api

FILE = pathlib.Path(__file__).parents[2] / "docs" / "openapi" / "registrar.json"


class Description:
    def __init__(self, document=None):
        self.document = document or json.loads(FILE.read_text())
        self.operations = {}  # by method and template
        for template, item in self.document["paths"].items():
            for method, operation in item.items():
                self.operations[method.upper(), template] = operation

    def resolve(self, node):
        while "$ref" in node:
            place = self.document
            for name in node["$ref"].removeprefix("#/").split("/"):
                place = place[name]
            node = place
        return node

    def template_of(self, method, path):
        """Names stand before parameters: /claims/import is no claim."""
        path = path.partition("?")[0]
        fits = [t for m, t in self.operations if m == method
                and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", t), path)]
        assert fits, f"{method} {path} is not described"
        return min(fits, key=lambda t: t.count("{"))

    def validator(self, schema):
        whole = {**schema, "components": self.document["components"]}
        return jsonschema.Draft202012Validator(
            whole, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)

    def check(self, method, path, answer):
        """The answer is one of those that are described."""
        template = self.template_of(method, path)
        responses = self.operations[method, template]["responses"]
        assert answer.status >= 400 or str(answer.status) in responses, \
            f"{method} {template}: {answer.status} is not described"
        response = self.resolve(responses.get(str(answer.status), responses["default"]))
        content = response.get("content", {})
        if not content:
            assert answer.body == b"", f"{method} {template}: a body nobody described"
            return
        assert answer.type in content, f"{method} {template} {answer.status}: {answer.type}"
        if not answer.type.endswith(("/json", "+json")):
            return
        problems = [f"{'/'.join(map(str, e.absolute_path))}: {e.message}"
                    for e in self.validator(content[answer.type]["schema"]).iter_errors(answer.json)]
        assert not problems, f"{method} {template} {answer.status}: {problems[:5]}\n{answer.body[:2000]}"


class CheckedApi(Api):
    """Every answer is held against the description; `done` are the operations that went well."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.description = Description()
        self.done = set()

    def request(self, method, path, body=None, headers=None):
        answer = super().request(method, path, body, headers)
        self.description.check(method, path, answer)
        if answer.status < 300:
            self.done.add((method, self.description.template_of(method, path)))
        return answer
