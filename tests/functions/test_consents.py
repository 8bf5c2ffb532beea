"""Consents: said by channel and topic, for the address at which the customer is reached; nothing but a proof raises a "no"."""

from typing import Any

import pytest

from ecrm.domain.api_keys import KeyKind
from tests.builders import a_consent, a_proof, a_topic
from tests.cloud import Answer
from tests.functions.api import NOBODY, Shop, a_new_order, code_of, in_hours

_people = iter(range(10**6))


def a_customer(shop: Shop, **identifiers: str) -> str:
    """A new one, known by a user id, an e-mail address and a phone."""
    number = next(_people)
    known = {"user_id": f"c-{number}", "email": f"c-{number}@example.com", "phone": f"+4930{10**6 + number}"} | identifiers
    placed = shop.call("POST", "/v1/orders", a_new_order(customer=known))
    assert 201 == placed.status
    return str(placed.json["customer_id"])


def say(shop: Shop, customer_id: str, *consents: dict[str, Any], **headers: str) -> Answer:
    path = f"/v1/customers/{customer_id}/consents"
    return shop.call(
        "POST", path, {"consents": [*consents]}, headers={name.replace("_", "-"): one for name, one in headers.items()}
    )


def read(shop: Shop, customer_id: str) -> Any:
    return shop.call("GET", f"/v1/customers/{customer_id}/consents").json


def states(answer: Any) -> list[tuple[str, str, str, str]]:
    return [(one["channel"], one["topic"], one["state"], one["effective"]) for one in answer["consents"]]


def history(shop: Shop, customer_id: str) -> list[dict[str, Any]]:
    page = shop.call("GET", f"/v1/customers/{customer_id}/timeline", query="type=consent.changed").json
    found: list[dict[str, Any]] = page["data"]
    return found


def test_who_was_never_asked_consents_to_nothing(shop: Shop) -> None:
    customer_id = a_customer(shop)
    assert {"customer_id": customer_id, "consents": [], "suppressed": []} == read(shop, customer_id)


def test_a_double_opt_in_is_pending_until_it_is_proven(shop: Shop) -> None:
    customer_id = a_customer(shop)
    asked = say(shop, customer_id, a_consent(method="form", text_version="news-2026"))
    expected = {
        "channel": "email",
        "topic": "news",
        "state": "pending",
        "effective": "pending",
        "since": "2026-11-20T12:00:00Z",
        "source": "footer",
        "method": "form",
        "text_version": "news-2026",
        "proof": None,
    }
    assert (201, [expected]) == (asked.status, asked.json["consents"])
    proof = a_proof("2026-11-20T12:05:00Z") | {"reference": "mail 7", "ip": "192.0.2.7"}
    confirmed = say(shop, customer_id, a_consent(at="2026-11-20T12:05:00Z", method="double_opt_in", proof=proof))
    granted = expected | {
        "state": "granted",
        "effective": "granted",
        "since": "2026-11-20T12:05:00Z",
        "method": "double_opt_in",
        "text_version": "news/1",
        "proof": proof,
    }
    assert (201, [granted]) == (confirmed.status, confirmed.json["consents"])
    assert confirmed.json == read(shop, customer_id)
    told = [(one["occurred_at"], one["data"]["state"], one["data"]["text_version"]) for one in history(shop, customer_id)]
    assert [("2026-11-20T12:05:00Z", "granted", "news/1"), ("2026-11-20T12:00:00Z", "pending", "news-2026")] == told
    assert all(one["source"].startswith("api:") and one["data"]["source"] == "footer" for one in history(shop, customer_id))


def test_a_topic_without_double_opt_in_takes_a_yes_for_a_yes(shop: Shop) -> None:
    shop.call("PUT", "/v1/topics/orders", a_topic(double_opt_in=False), key=shop.cloud.key(KeyKind.STAFF))
    customer_id = a_customer(shop)
    answer = say(shop, customer_id, a_consent(topic="orders", source=None))
    assert [("email", "orders", "granted", "granted")] == states(answer.json)
    assert answer.json["consents"][0]["source"].startswith("api:")


def test_nothing_but_a_later_proof_raises_a_no(shop: Shop) -> None:
    shop.call("PUT", "/v1/topics/drops", a_topic(double_opt_in=False), key=shop.cloud.key(KeyKind.STAFF))
    customer_id = a_customer(shop)
    no = a_consent("denied", topic="drops")
    yes = a_consent(topic="drops", at="2026-11-20T13:00:00Z")
    told = [
        say(shop, customer_id, one).json["consents"][0]["state"]
        for one in (
            no,
            yes,
            yes | {"method": "import"},
            yes | {"state": "pending"},
            yes | {"proof": a_proof("2026-11-20T11:00:00Z")},
            yes | {"proof": a_proof("2026-11-20T12:00:00Z")},
            yes | {"proof": a_proof("2026-11-20T13:00:00Z")},
            no,
            no | {"at": "2026-11-20T14:00:00Z"},
        )
    ]
    assert [*["denied"] * 6, "granted", "granted", "denied"] == told


def test_what_was_said_before_changes_nothing(shop: Shop) -> None:
    customer_id = a_customer(shop)
    first = say(shop, customer_id, a_consent(), a_consent("denied", channel="sms"))
    items = shop.cloud.items()
    again = say(shop, customer_id, a_consent("denied", channel="sms"), a_consent(), a_consent())
    assert (201, 200, first.json) == (first.status, again.status, again.json)
    assert items == shop.cloud.items()
    both = say(shop, customer_id, a_consent(), a_consent("denied"))
    assert (201, "denied") == (both.status, both.json["consents"][0]["state"])
    assert 3 == len(history(shop, customer_id))


def test_a_request_that_comes_again_is_told_the_same(shop: Shop) -> None:
    customer_id = a_customer(shop)
    answers = [say(shop, customer_id, a_consent(), idempotency_key=f"c {customer_id}") for _ in range(2)]
    assert [(201, None), (201, "true")] == [(one.status, one.headers.get("idempotent-replayed")) for one in answers]
    assert answers[0].json == answers[1].json
    other = say(shop, customer_id, a_consent("denied"), idempotency_key=f"c {customer_id}")
    assert (422, "idempotency_key_reused") == code_of(other)
    known = [say(shop, customer_id, a_consent(), idempotency_key=f"d {customer_id}") for _ in range(2)]
    assert [(200, None), (200, "true")] == [(one.status, one.headers.get("idempotent-replayed")) for one in known]


def test_all_of_it_is_taken_or_nothing(shop: Shop) -> None:
    customer_id = a_customer(shop)
    answer = say(
        shop, customer_id, a_consent(), a_consent(topic="weather"), a_consent(channel="post"), a_consent(at=in_hours(25))
    )
    assert [
        ("/consents/1/topic", "unknown_topic"),
        ("/consents/2/channel", "channel_not_offered"),
        ("/consents/3/at", "in_the_future"),
    ] == [(one["pointer"], one["code"]) for one in answer.json["errors"]]
    assert (422, []) == (answer.status, read(shop, customer_id)["consents"])


def test_a_no_is_taken_on_a_channel_that_the_topic_does_not_have(shop: Shop) -> None:
    customer_id = a_customer(shop)
    assert [("post", "news", "denied", "denied")] == states(say(shop, customer_id, a_consent("denied", channel="post")).json)


def test_a_time_that_lies_ahead_counts_as_now(shop: Shop) -> None:
    """A grant by a clock that is fast must not outlive the "no" that follows it."""
    customer_id = a_customer(shop)
    ahead = in_hours(23)
    granted = say(shop, customer_id, a_consent(at=ahead, proof=a_proof(ahead)))
    assert granted.json["consents"][0]["since"] <= in_hours(0)
    assert "denied" == say(shop, customer_id, a_consent("denied", at=in_hours(0))).json["consents"][0]["state"]
    assert 200 == say(shop, customer_id, a_consent(at=ahead, proof=a_proof(ahead))).status
    assert (422, "in_the_future") == code_of(say(shop, customer_id, a_consent(proof=a_proof(in_hours(25)))))


def test_a_suppressed_address_is_told_and_is_stronger_than_a_grant(shop: Shop) -> None:
    customer_id = a_customer(shop, email="stronger@example.com")
    say(shop, customer_id, a_consent(proof=a_proof()), a_consent(channel="sms", proof=a_proof()))
    said = {"channel": "email", "address": "Stronger@example.com", "reason": "complaint", "at": "2026-11-20T12:00:00Z"}
    source = shop.call("POST", "/v1/suppressions", said).json["grounds"][0]["source"]
    found = read(shop, customer_id)
    assert [("email", "news", "granted", "denied"), ("sms", "news", "granted", "granted")] == states(found)
    ground = {"reason": "complaint", "since": "2026-11-20T12:00:00Z", "source": source, "note": None, "until": None}
    assert [{"channel": "email", "address": "stronger@example.com", "grounds": [ground]}] == found["suppressed"]
    lifted = {"channel": "email", "address": "stronger@example.com", "proof": a_proof("2026-11-20T13:00:00Z")}
    assert 201 == shop.call("POST", "/v1/suppressions/lift", lifted).status
    assert ([("email", "news", "granted", "granted")], []) == (
        states(read(shop, customer_id))[:1],
        read(shop, customer_id)["suppressed"],
    )


def test_a_grant_waits_where_there_is_no_address_that_it_was_given_for(shop: Shop) -> None:
    placed = shop.call("POST", "/v1/orders", a_new_order(customer={"user_id": "no-address"}))
    customer_id = placed.json["customer_id"]
    say(shop, customer_id, a_consent(proof=a_proof()))
    assert [("email", "news", "granted", "pending")] == states(read(shop, customer_id))
    shop.call("POST", "/v1/orders", a_new_order(customer={"user_id": "no-address", "email": "an-address@example.com"}))
    assert [("email", "news", "granted", "pending")] == states(read(shop, customer_id))
    say(shop, customer_id, a_consent(proof=a_proof("2026-11-20T13:00:00Z"), at="2026-11-20T13:00:00Z"))
    assert [("email", "news", "granted", "granted")] == states(read(shop, customer_id))


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "a state that is none": ({"state": "maybe"}, "/consents/0/state", "unknown_value"),
    "a channel that is none": ({"channel": "fax"}, "/consents/0/channel", "unknown_value"),
    "a method that is ours alone": ({"method": "merge"}, "/consents/0/method", "unknown_value"),
    "a topic that is no name": ({"topic": "The News"}, "/consents/0/topic", "bad_syntax"),
    "no time": ({"at": None}, "/consents/0/at", "instant_syntax"),
    "a blank source": ({"source": " "}, "/consents/0/source", "blank"),
    "a blank text version": ({"text_version": "\t"}, "/consents/0/text_version", "blank"),
    "an empty proof": ({"proof": {}}, "/consents/0/proof/kind", "missing"),
    "a proof that is a word": ({"proof": "yes"}, "/consents/0/proof", "wrong_type"),
    "a proof without a time": ({"proof": {"kind": "signature"}}, "/consents/0/proof/confirmed_at", "missing"),
    "a proof of no kind": ({"proof": a_proof() | {"kind": "rumour"}}, "/consents/0/proof/kind", "unknown_value"),
    "an address that is none": ({"proof": a_proof() | {"ip": "home"}}, "/consents/0/proof/ip", "bad_syntax"),
    "an unknown field": ({"address": "sara@example.com"}, "/consents/0/address", "unknown_field"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_consent_that_cannot_be_right_is_told_where(shop: Shop, what: str) -> None:
    change, pointer, code = BAD[what]
    answer = say(shop, shop.customer_id, a_consent(**change))
    assert (422, (pointer, code)) == (answer.status, next((one["pointer"], one["code"]) for one in answer.json["errors"]))


@pytest.mark.parametrize(("consents", "code"), [([], "too_few"), ([a_consent()] * 41, "too_many")])
def test_between_one_and_forty_are_said_at_once(shop: Shop, consents: list[Any], code: str) -> None:
    assert (422, code) == code_of(say(shop, shop.customer_id, *consents))


def test_forty_at_once_are_taken(shop: Shop) -> None:
    customer_id = a_customer(shop)
    many = [a_consent(at=f"2026-11-20T12:{minute:02}:00Z") for minute in range(40)]
    assert 201 == say(shop, customer_id, *many).status
    assert 40 == len(history(shop, customer_id))


def test_nobody_consents_to_nothing(shop: Shop) -> None:
    path = f"/v1/customers/{NOBODY}/consents"
    assert (404, "customer_not_found") == code_of(shop.call("GET", path))
    assert (404, "customer_not_found") == code_of(shop.call("POST", path, {"consents": [a_consent()]}))


def test_a_write_key_neither_reads_nor_changes_a_consent(shop: Shop) -> None:
    path, key = f"/v1/customers/{shop.customer_id}/consents", shop.cloud.key(KeyKind.WRITE)
    assert (403, "scope_missing") == code_of(shop.call("GET", path, key=key))
    assert (403, "scope_missing") == code_of(shop.call("POST", path, {"consents": [a_consent()]}, key=key))
