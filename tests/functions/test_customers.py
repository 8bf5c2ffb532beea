"""Profiles at the door: what is taken, what is refused and where it stands."""

import json
import secrets
from typing import Any

import pytest

from ecrm.domain.api_keys import KeyKind, Scope
from tests.builders import a_consent
from tests.functions.api import NOBODY, Shop, code_of, in_hours
from tests.functions.test_addresses import NO_ADDRESS
from tests.functions.test_free_text import READABLE

PUT = ("PUT", "/v1/customers")


def somebody() -> dict[str, str]:
    return {"user_id": secrets.token_hex()}


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "nobody": ({"traits": {"a": 1}}, "", "no_identifier"),
    "an unknown field": ({"user_id": "x", "first_name": "Sara"}, "/first_name", "unknown_field"),
    "a user id of blanks": ({"user_id": " "}, "/user_id", "blank"),
    "a user id as a number": ({"user_id": 7}, "/user_id", "wrong_type"),
    "a phone of a country": ({"phone": "0912 123"}, "/phone", "phone_syntax"),
    "traits in a list": ({"user_id": "x", "traits": []}, "/traits", "wrong_type"),
    "no traits": ({"user_id": "x", "traits": None}, "/traits", "wrong_type"),
    "101 traits": ({"user_id": "x", "traits": {f"a{at}": 1 for at in range(101)}}, "/traits", "too_many"),
    "an object as a trait": ({"user_id": "x", "traits": {"a": {"b": 1}}}, "/traits/a", "value_type"),
    "a trait of more than 2 KB": ({"user_id": "x", "traits": {"a": "é" * 1_025}}, "/traits/a", "value_too_large"),
    "a trait name of 65": ({"user_id": "x", "traits": {"a" * 65: 1}}, f"/traits/{'a' * 65}", "bad_name"),
    "more than 64 KB": (
        {"user_id": "x", "traits": {f"a{at}": "x" * 2_000 for at in range(40)}},
        "/traits",
        "traits_too_large",
    ),
    "an identifier among the traits": ({"user_id": "x", "traits": {"email": "sara@example.com"}}, "/traits/email", "not_a_trait"),
    "a name in both spellings": (
        {"user_id": "x", "traits": {"first_name": "A", "firstName": "B"}},
        "/traits/firstName",
        "said_twice",
    ),
    "a language said twice": ({"user_id": "x", "language": "de", "traits": {"language": "de"}}, "/language", "said_twice"),
    "a language by name": ({"user_id": "x", "language": "German"}, "/language", "bad_syntax"),
    "a time zone of no place": ({"user_id": "x", "time_zone": "Mars/Olympus"}, "/time_zone", "unknown_time_zone"),
    "a time that is none": ({"user_id": "x", "occurred_at": "yesterday"}, "/occurred_at", "instant_syntax"),
    "a consent of no topic": (
        {"user_id": "x", "consents": [a_consent(topic="nothing")]},
        "/consents/0/topic",
        "unknown_topic",
    ),
    "a consent of no state": ({"user_id": "x", "consents": [a_consent("maybe")]}, "/consents/0/state", "unknown_value"),
    "a number too large": ({"user_id": "x", "traits": {"a": 10**40}}, "/traits/a", "number_out_of_range"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_right_is_refused_where_it_stands_and_nothing_is_kept(shop: Shop, name: str) -> None:
    body, pointer, code = REFUSED[name]
    key = shop.key
    before = shop.cloud.items()
    answer = shop.call(*PUT, body, key=key)
    assert (422, pointer, code) == (answer.status, answer.json["errors"][0]["pointer"], answer.json["errors"][0]["code"])
    assert before == shop.cloud.items()


def test_a_time_ahead_of_ours_is_refused_beyond_a_day(shop: Shop) -> None:
    assert (422, "in_the_future") == code_of(shop.call(*PUT, somebody() | {"occurred_at": in_hours(24.1)}))
    assert 201 == shop.call(*PUT, somebody() | {"occurred_at": in_hours(23.9)}).status


@pytest.mark.parametrize("what", NO_ADDRESS)
def test_what_is_no_address_is_nobodys(shop: Shop, what: str) -> None:
    answer = shop.call(*PUT, {"email": NO_ADDRESS[what]})
    assert (422, "/email") == (answer.status, answer.json["errors"][0]["pointer"])


def test_free_text_comes_back_byte_for_byte_as_value_and_as_name(shop: Shop) -> None:
    short = [text for text in READABLE if len(text.encode()) <= 2_048]
    for at in range(0, len(short), 50):
        traits = {f"a{number}": text for number, text in enumerate(short[at : at + 50])}
        answer = shop.call(*PUT, somebody() | {"traits": traits})
        assert (201, traits) == (answer.status, answer.json["traits"])
        read = shop.call("GET", f"/v1/customers/{answer.json['customer_id']}").json
        assert traits == read["traits"]
    reserved = {"firstName", "lastName", "createdAt", "language", "birthday", "address", "company", "acquisition", "created_at"}
    names = [text for text in short if text.strip() and len(text) <= 64 and text not in reserved]
    for at in range(0, len(names), 100):
        ones = dict.fromkeys(names[at : at + 100], 1)
        assert ones == shop.call(*PUT, somebody() | {"traits": ones}).json["traits"]


def test_a_full_customer_is_told_that_there_is_no_room(shop: Shop) -> None:
    who = somebody()
    assert 201 == shop.call(*PUT, who | {"traits": {f"a{at}": at for at in range(100)}}).status
    assert (409, "too_many_attributes") == code_of(shop.call(*PUT, who | {"traits": {"more": 1}}))
    assert 200 == shop.call(*PUT, who | {"traits": {"a0": None, "more": 1}}).status
    large = somebody() | {"traits": {f"a{at}": "x" * 2_000 for at in range(30)}}
    assert 201 == shop.call(*PUT, large).status
    more = {"user_id": large["user_id"], "traits": {f"b{at}": "x" * 2_000 for at in range(30)}}
    assert (409, "attributes_too_large") == code_of(shop.call(*PUT, more))


def test_consents_that_a_profile_brings_are_kept_for_the_address_it_names(shop: Shop) -> None:
    body = {"email": f"{secrets.token_hex()}@example.com", "consents": [a_consent()]}
    made = shop.call(*PUT, body)
    path = f"/v1/customers/{made.json['customer_id']}"
    (consent,) = shop.call("GET", f"{path}/consents").json["consents"]
    assert (201, "email", "pending") == (made.status, consent["channel"], consent["state"])
    events = len(shop.call("GET", f"{path}/timeline").json["data"])
    assert 200 == shop.call(*PUT, body).status
    assert events == len(shop.call("GET", f"{path}/timeline").json["data"])


def test_a_change_with_an_idempotency_key_has_one_effect_and_one_answer(shop: Shop) -> None:
    path = f"/v1/customers/{shop.somebody()}"
    key = {"idempotency-key": secrets.token_hex()}
    first, again = (shop.call("PATCH", path, {"traits": {"n": 1}}, headers=key) for _ in range(2))
    assert (200, None, 200, "true") == (
        first.status,
        first.headers.get("idempotent-replayed"),
        again.status,
        again.headers.get("idempotent-replayed"),
    )
    assert first.json == again.json
    other = shop.call("PATCH", path, {"traits": {"n": 2}}, headers=key)
    assert (422, "idempotency_key_reused") == (other.status, other.json["code"])
    assert {"n": 1} == shop.call("GET", path).json["traits"]
    assert (400, "bad_idempotency_key") == code_of(shop.call("PATCH", path, {}, headers={"idempotency-key": ""}))


@pytest.mark.parametrize("what", ["merge", "unmerge"])
def test_a_merger_with_an_idempotency_key_has_one_effect_and_one_answer(shop: Shop, what: str) -> None:
    winner, visitor = shop.somebody(), shop.visitor()
    if what == "unmerge":
        assert 201 == shop.call("POST", f"/v1/customers/{winner}/merge", {"customer_id": visitor}).status
    path, key = f"/v1/customers/{winner}/{what}", {"idempotency-key": secrets.token_hex()}
    first, again = (shop.call("POST", path, {"customer_id": visitor}, headers=key) for _ in range(2))
    assert (201, 201, "true", first.json) == (first.status, again.status, again.headers["idempotent-replayed"], again.json)
    other = shop.call("POST", path, {"customer_id": shop.visitor()}, headers=key)
    assert (422, "idempotency_key_reused") == (other.status, other.json["code"])


@pytest.mark.parametrize("what", ["merge", "unmerge"])
def test_nobody_is_merged_with_nobody(shop: Shop, what: str) -> None:
    one = shop.somebody()
    for path, other in ((one, NOBODY), (NOBODY, one)):
        answer = shop.call("POST", f"/v1/customers/{path}/{what}", {"customer_id": other})
        assert (404, "customer_not_found") == code_of(answer)
    for bad in ("x", "", one.upper() + "\n", f"{one}%00", None, 7):
        assert 422 == shop.call("POST", f"/v1/customers/{one}/{what}", {"customer_id": bad}).status
    itself = shop.call("POST", f"/v1/customers/{one}/{what}", {"customer_id": one})
    assert (200, one) == (itself.status, itself.json["customer_id"])


def test_a_lookup_gives_whoever_holds_one_of_the_identifiers_and_nobody_is_no_error(shop: Shop) -> None:
    one, other = somebody(), somebody()
    ids = [shop.call(*PUT, one).json["customer_id"], shop.call(*PUT, {"anonymous_id": other["user_id"]}).json["customer_id"]]
    asked = {"user_id": one["user_id"], "anonymous_id": other["user_id"]}
    found = shop.call("POST", "/v1/customers/lookup", asked)
    assert (200, ids) == (found.status, [customer["customer_id"] for customer in found.json["data"]])
    assert {"data": []} == shop.call("POST", "/v1/customers/lookup", somebody()).json
    assert (422, "no_identifier") == code_of(shop.call("POST", "/v1/customers/lookup", {}))


def test_a_write_key_reaches_no_profile(shop: Shop) -> None:
    write = shop.cloud.key(KeyKind.WRITE)
    path = f"/v1/customers/{shop.customer_id}"
    asked = [
        shop.call(*PUT, somebody(), key=write),
        shop.call("PATCH", path, {}, key=write),
        shop.call("GET", path, key=write),
        shop.call("POST", "/v1/customers/lookup", somebody(), key=write),
        shop.call("POST", f"{path}/merge", {"customer_id": NOBODY}, key=write),
        shop.call("POST", f"{path}/unmerge", {"customer_id": NOBODY}, key=write),
    ]
    assert [(403, "scope_missing")] * 6 == [code_of(answer) for answer in asked]


def test_to_read_is_not_to_write(shop: Shop) -> None:
    reader = shop.cloud.key(scopes=frozenset({Scope.CUSTOMERS_READ}))
    assert 403 == shop.call(*PUT, somebody(), key=reader).status
    assert 200 == shop.call("POST", "/v1/customers/lookup", somebody(), key=reader).status


def test_no_answer_to_a_refusal_repeats_what_was_said(shop: Shop) -> None:
    canary = "canary-7f3a"
    for body in ({"traits": {"language": canary}}, {"traits": {"birthday": canary}}, {"time_zone": canary}, {"language": canary}):
        answer = shop.call(*PUT, somebody() | body)
        assert (422, False) == (answer.status, canary in json.dumps(answer.json))
