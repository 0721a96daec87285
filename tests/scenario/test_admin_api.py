# SPDX-License-Identifier: Apache-2.0
"""The administrators' resources: what all of them have in common."""
import threading

import pytest

import harness
from admin_api import Api

API = "/api/v1/"


@pytest.fixture(scope="module")
def registrar(place, acme, domain):
    r = harness.Registrar(place / "registrar", domain, [acme],
                          changes={f"manufacturer {acme.name}": {"admit": "hold"}})
    with harness.running(r):
        yield r


@pytest.fixture
def api(registrar):
    return Api(registrar)


def rules(api):
    return [rule["reason"] for rule in api.get(API + "rules").json["items"]]


# -- doing once what is asked for twice

def test_a_key_makes_two_requests_one(api):
    rule = {"action": "hold", "serial": "K-1", "reason": "once"}
    first = api.post(API + "rules", rule, **{"Idempotency-Key": "key-1"})
    again = api.post(API + "rules", rule, **{"Idempotency-Key": "key-1"})
    assert first.status == again.status == 200 and first.body == again.body
    assert first.headers["Idempotency-Replayed"] is None
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.type == "application/json"
    assert rules(api).count("once") == 1
    other = api.post(API + "rules", rule, **{"Idempotency-Key": "key-2"})
    assert other.status == 200 and rules(api).count("once") == 2
    api.post(API + "rules", rule)
    assert rules(api).count("once") == 3


def test_a_key_of_another_request_is_refused(api):
    key = {"Idempotency-Key": "key-of-one"}
    assert api.post(API + "rules", {"action": "hold", "serial": "K-2"}, **key).status == 200
    before = len(rules(api))
    other = api.post(API + "rules", {"action": "approve", "serial": "K-2"}, **key)
    assert (other.status, other.code) == (422, "key-reused")
    assert len(rules(api)) == before
    elsewhere = api.post(API + "audit/seal", {}, **key)
    assert elsewhere.status == 200 and elsewhere.headers["Idempotency-Replayed"] is None


def test_a_refusal_is_repeated_too(api):
    key = {"Idempotency-Key": "key-of-a-refusal"}
    first = api.post(API + "claims/none-such/approve", {}, **key)
    again = api.post(API + "claims/none-such/approve", {}, **key)
    assert first.status == again.status == 404
    assert again.headers["Idempotency-Replayed"] == "true" and again.json["code"] == "not-found"


@pytest.mark.parametrize("key", ["", "x" * 129, "with blank"])
def test_a_key_is_something_sensible(api, key):
    refused = api.post(API + "rules", {"action": "hold"}, **{"Idempotency-Key": key})
    assert (refused.status, refused.code) == (400, "input")


def test_many_at_once_with_one_key_are_one(api):
    rule = {"action": "hold", "serial": "K-3", "reason": "race"}
    answers = []

    def ask():
        answers.append(api.post(API + "rules", rule, **{"Idempotency-Key": "key-race"}))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert rules(api).count("race") == 1
    assert {a.status for a in answers} <= {200, 409}
    assert all(a.code == "in-progress" for a in answers if a.status == 409)
    assert any(a.status == 200 for a in answers)


def test_reading_needs_no_key(api):
    for _ in range(2):
        answer = api.get(API + "rules", **{"Idempotency-Key": "key-get"})
        assert answer.status == 200 and answer.headers["Idempotency-Replayed"] is None
