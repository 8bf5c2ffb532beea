"""Suppressions: by address, in force before the answer, asked for and never listed, lifted by a later proof alone."""

import json
from typing import Any

import pytest

from ecrm.domain.api_keys import KeyKind
from tests.builders import a_proof
from tests.cloud import Answer
from tests.functions.api import Shop, code_of, in_hours

EARLIER, LATER = "2026-11-20T11:00:00Z", "2026-11-20T13:00:00Z"


def suppress(shop: Shop, address: str, reason: str = "complaint", **more: Any) -> Answer:
    said = {"channel": "email", "address": address, "reason": reason, "at": "2026-11-20T12:00:00Z"}
    return shop.call("POST", "/v1/suppressions", said | more)


def look_up(shop: Shop, address: str, channel: str = "email") -> Any:
    return shop.call("POST", "/v1/suppressions/lookup", {"channel": channel, "address": address}).json


def lift(shop: Shop, address: str, confirmed_at: str = LATER, **headers: str) -> Answer:
    said = {"channel": "email", "address": address, "proof": a_proof(confirmed_at)}
    return shop.call("POST", "/v1/suppressions/lift", said, headers=headers)


def test_an_address_that_nobody_holds_is_suppressed_and_lifted(shop: Shop) -> None:
    free = {"channel": "email", "is_suppressed": False, "grounds": [], "lifted_at": None}
    assert free == look_up(shop, "nobody@example.com")
    made = suppress(shop, "nobody@example.com", "hard_bounce", note="550 5.1.1")
    source = made.json["grounds"][0]["source"]
    ground = {"reason": "hard_bounce", "since": "2026-11-20T12:00:00Z", "source": source, "note": "550 5.1.1", "until": None}
    expected = free | {"is_suppressed": True, "grounds": [ground]}
    assert (201, expected) == (made.status, made.json)
    assert source.startswith("api:")
    assert expected == look_up(shop, "nobody@example.com")
    again = suppress(shop, "nobody@example.com", "hard_bounce", note="550 5.1.1")
    assert (200, expected) == (again.status, again.json)
    lifted = lift(shop, "nobody@example.com")
    assert (201, free | {"lifted_at": LATER}) == (lifted.status, lifted.json)
    assert (200, lifted.json) == ((twice := lift(shop, "nobody@example.com")).status, twice.json)
    assert lifted.json == look_up(shop, "nobody@example.com")


@pytest.mark.parametrize("confirmed_at", [EARLIER, "2026-11-20T12:00:00Z"])
def test_a_proof_that_is_not_later_lifts_nothing(shop: Shop, confirmed_at: str) -> None:
    suppress(shop, "old-proof@example.com")
    assert (409, "proof_too_old") == code_of(lift(shop, "old-proof@example.com", confirmed_at))
    assert look_up(shop, "old-proof@example.com")["is_suppressed"]


def test_a_proof_lifts_every_ground_or_none(shop: Shop) -> None:
    suppress(shop, "two@example.com", "unsubscribe")
    suppress(shop, "two@example.com", "complaint", at="2026-11-20T14:00:00Z")
    assert (409, "proof_too_old") == code_of(lift(shop, "two@example.com"))
    assert ["complaint", "unsubscribe"] == [ground["reason"] for ground in look_up(shop, "two@example.com")["grounds"]]
    assert not lift(shop, "two@example.com", "2026-11-20T15:00:00Z").json["is_suppressed"]
    assert [] == suppress(shop, "two@example.com", "hard_bounce", at="2026-11-20T14:30:00Z").json["grounds"]
    assert suppress(shop, "two@example.com", "hard_bounce", at="2026-11-20T16:00:00Z").json["is_suppressed"]


@pytest.mark.parametrize(
    ("channel", "said", "asked"),
    [
        ("email", "Sara.C@EXAMPLE.com", "sara.c@example.com"),
        ("email", "sara@bücher.example.com", "sara@xn--bcher-kva.example.com"),
        ("sms", "+989121234567", "+989121234567"),
        ("push", "dEvIcE:1", "dEvIcE:1"),
        ("post", "Ringstraße 1\n10115 Berlin", "RINGSTRASSE 1  10115 berlin"),
    ],
)
def test_an_address_is_found_in_another_spelling_and_on_its_channel_alone(
    shop: Shop, channel: str, said: str, asked: str
) -> None:
    assert 201 == suppress(shop, said, channel=channel).status
    assert look_up(shop, asked, channel)["is_suppressed"]
    other = "post" if channel == "push" else "push"
    assert not look_up(shop, asked, other)["is_suppressed"]


def test_without_a_time_it_is_from_now_on(shop: Shop) -> None:
    before = in_hours(0)
    said = {"channel": "email", "address": "now@example.com", "reason": "manual"}
    since = shop.call("POST", "/v1/suppressions", said).json["grounds"][0]["since"]
    assert before <= since <= in_hours(0)


def test_a_time_that_lies_ahead_counts_as_now_and_one_further_ahead_is_refused(shop: Shop) -> None:
    made = suppress(shop, "ahead@example.com", at=in_hours(23))
    assert made.json["grounds"][0]["since"] <= in_hours(0)
    assert (422, "in_the_future") == code_of(suppress(shop, "ahead@example.com", at=in_hours(25)))
    assert (422, "in_the_future") == code_of(lift(shop, "ahead@example.com", in_hours(25)))


def test_a_request_that_comes_again_is_told_the_same_and_does_nothing_more(shop: Shop) -> None:
    header = {"idempotency-key": "suppressed once"}
    said = {"channel": "email", "address": "once@example.com", "reason": "manual"}
    first, again = (shop.call("POST", "/v1/suppressions", said, headers=header) for _ in range(2))
    assert (201, None, first.json) == (first.status, first.headers.get("idempotent-replayed"), again.json)
    assert (201, "true") == (again.status, again.headers["idempotent-replayed"])
    other = shop.call("POST", "/v1/suppressions", said | {"address": "other@example.com"}, headers=header)
    assert (422, "idempotency_key_reused") == code_of(other)


def test_a_lift_that_comes_again_after_a_new_complaint_is_told_the_same_and_lifts_nothing(shop: Shop) -> None:
    suppress(shop, "lifted-once@example.com")
    headers = {"idempotency-key": "lifted once"}
    assert 201 == lift(shop, "lifted-once@example.com", **headers).status
    suppress(shop, "lifted-once@example.com", at="2026-11-20T18:00:00Z")
    again = lift(shop, "lifted-once@example.com", **headers)
    assert (201, "true", True) == (again.status, again.headers["idempotent-replayed"], again.json["is_suppressed"])


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "no address": ({"address": ""}, "/address", "too_short"),
    "a mailbox that is none": ({"address": "sara"}, "/address", "email_syntax"),
    "two mailboxes": ({"address": "a@example.com, b@example.com"}, "/address", "email_syntax"),
    "a telephone that is none": ({"channel": "sms", "address": "0912 1234567"}, "/address", "phone_syntax"),
    "an address of 1,001": ({"channel": "push", "address": "x" * 1_001}, "/address", "too_long"),
    "a channel that is none": ({"channel": "fax"}, "/channel", "unknown_value"),
    "a reason that is none": ({"reason": "bored"}, "/reason", "unknown_value"),
    "a reason that is ours alone": ({"reason": "erased"}, "/reason", "unknown_value"),
    "a blank note": ({"note": " "}, "/note", "blank"),
    "a time that is none": ({"at": "yesterday"}, "/at", "instant_syntax"),
    "an unknown field": ({"colour": "blue"}, "/colour", "unknown_field"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_suppressed_is_told_where(shop: Shop, what: str) -> None:
    change, pointer, code = BAD[what]
    said = {"channel": "email", "address": "sara@example.com", "reason": "manual"} | change
    answer = shop.call("POST", "/v1/suppressions", said)
    assert (422, (pointer, code)) == (answer.status, next((one["pointer"], one["code"]) for one in answer.json["errors"]))


@pytest.mark.parametrize(
    "proof", [{}, {"kind": "double_opt_in"}, {"confirmed_at": LATER}, {"kind": "word", "confirmed_at": LATER}]
)
def test_a_proof_that_proves_nothing_is_refused(shop: Shop, proof: dict[str, str]) -> None:
    said = {"channel": "email", "address": "sara@example.com", "proof": proof}
    assert 422 == shop.call("POST", "/v1/suppressions/lift", said).status


@pytest.mark.parametrize("path", ["", "/lookup", "/lift"])
def test_a_write_key_learns_nothing_of_suppressions(shop: Shop, path: str) -> None:
    said = {"channel": "email", "address": "sara@example.com"}
    assert (403, "scope_missing") == code_of(
        shop.call("POST", f"/v1/suppressions{path}", said, key=shop.cloud.key(KeyKind.WRITE))
    )


def test_the_table_does_not_tell_which_address_is_suppressed(shop: Shop) -> None:
    suppress(shop, "canary-7@example.com", note="rang up")
    (found,) = [item for item in shop.cloud.items("SUPPRESSION") if "rang up" in json.dumps(item)]
    assert "canary" not in json.dumps(shop.cloud.items("SUPPRESSION"))
    assert ("suppression", True, {"S": "SUPPRESSION"}) == (found["type"]["S"], found["active"]["BOOL"], found["SK"])
