"""Contacts: what was said elsewhere, on the timeline of whom it was said to, once and word for word."""

from typing import Any

import pytest

from ecrm.domain.api_keys import KeyKind
from tests.cloud import Answer
from tests.functions.api import NOBODY, Shop, a_new_order, code_of, in_hours
from tests.functions.test_free_text import READABLE

NUMBERS = iter(range(10**9))


def a_contact(**changes: Any) -> dict[str, Any]:
    """A body for `POST /v1/customers/{customer_id}/contacts` that was not sent before."""
    return {
        "channel": "call",
        "direction": "inbound",
        "text": "Asks when the parcel comes.",
        "author": {"role": "agent"},
        "occurred_at": "2026-11-20T13:00:00Z",
        "contact_id": f"call-{next(NUMBERS)}",
    } | changes


def record(shop: Shop, body: Any, customer_id: str | None = None, **more: Any) -> Answer:
    return shop.call("POST", f"/v1/customers/{customer_id or shop.customer_id}/contacts", body, **more)


def told(shop: Shop, contact_id: str, customer_id: str | None = None) -> list[dict[str, Any]]:
    path = f"/v1/customers/{customer_id or shop.customer_id}/timeline"
    events = shop.call("GET", path, query="type=contact.recorded&limit=100").json["data"]
    return [event for event in events if event["data"]["contact_id"] == contact_id]


def test_a_contact_stands_on_the_timeline_with_all_that_was_said(shop: Shop) -> None:
    said = a_contact(
        channel="visit",
        direction="outbound",
        subject="the parcel",
        author={"role": "partner", "name": "Shop in the Old Town"},
        order_id="A-1001",
        backfill=True,
    )
    made = record(shop, said)
    expected = said | {"customer_id": shop.customer_id, "site": "de"}
    assert (201, expected) == (made.status, made.json)
    path = f"/v1/customers/{shop.customer_id}/timeline"
    assert path == made.headers["location"]
    (event,) = told(shop, said["contact_id"])
    data = {name: value for name, value in said.items() if name not in ("occurred_at", "backfill")}
    data["author"] = {"role": "partner", "name": "Shop in the Old Town"}
    assert {
        "id": f"contact:de:{said['contact_id']}",
        "type": "contact.recorded",
        "v": 1,
        "occurred_at": said["occurred_at"],
        "site": "de",
        "customer_id": shop.customer_id,
        "backfill": True,
        "data": data,
    } == {name: value for name, value in event.items() if name not in ("received_at", "source", "corrected_at")}
    assert event["source"].startswith("api:")


def test_of_what_was_not_said_nothing_is_made_up(shop: Shop) -> None:
    said = a_contact()
    made = record(shop, said).json
    assert (
        said
        | {
            "customer_id": shop.customer_id,
            "site": "de",
            "subject": None,
            "order_id": None,
            "backfill": False,
            "author": {"role": "agent", "name": None},
        }
        == made
    )
    (event,) = told(shop, said["contact_id"])
    assert {name: said[name] for name in ("contact_id", "channel", "direction", "text", "author")} == event["data"]


def test_the_same_contact_sent_again_is_recorded_once(shop: Shop) -> None:
    said = a_contact()
    first, second = record(shop, said), record(shop, dict(reversed(said.items())))
    assert ([201, 200], first.json) == ([first.status, second.status], second.json)
    assert 1 == len(told(shop, said["contact_id"]))


@pytest.mark.parametrize("change", [{"text": "Other words."}, {"occurred_at": "2026-11-20T13:00:01Z"}, {"channel": "chat"}])
def test_other_words_or_another_time_under_the_same_id_are_refused(shop: Shop, change: dict[str, str]) -> None:
    said = a_contact()
    record(shop, said)
    refused = record(shop, said | change)
    assert (409, "contact_exists") == code_of(refused)
    (event,) = told(shop, said["contact_id"])
    assert (said["text"], said["occurred_at"]) == (event["data"]["text"], event["occurred_at"])


def test_an_id_is_its_sites_and_its_customers_own(shop: Shop) -> None:
    said = a_contact()
    other = shop.call("POST", "/v1/orders", a_new_order(customer={"user_id": "contacted"})).json["customer_id"]
    answers = [record(shop, said), record(shop, said | {"site": "fr"}), record(shop, said | {"text": "Other words."}, other)]
    assert ([201] * 3, ["de", "fr", "de"]) == ([one.status for one in answers], [one.json["site"] for one in answers])
    assert 2 == len(told(shop, said["contact_id"]))
    assert 1 == len(told(shop, said["contact_id"], other))


def test_without_an_id_the_body_is_the_contacts_name(shop: Shop) -> None:
    said = a_contact(text="Nobody numbered this.")
    del said["contact_id"]
    answers = [record(shop, said), record(shop, said), record(shop, said | {"text": "Nor this."})]
    assert [201, 200, 201] == [answer.status for answer in answers]
    first, second, third = (answer.json["contact_id"] for answer in answers)
    assert (first, 32, False) == (second, len(first), first == third)


def test_an_idempotency_key_repeats_the_first_answer(shop: Shop) -> None:
    said, headers = a_contact(), {"idempotency-key": "contact"}
    first, second = (record(shop, said, headers=headers) for _ in range(2))
    assert [(201, None), (201, "true")] == [(one.status, one.headers.get("idempotent-replayed")) for one in (first, second)]
    assert first.json == second.json
    assert (422, "idempotency_key_reused") == code_of(record(shop, a_contact(), headers=headers))
    assert (422, "idempotency_key_reused") == code_of(record(shop, said | {"text": "Other words."}, headers=headers))
    known = [record(shop, said, headers={"idempotency-key": "known"}) for _ in range(2)]
    assert [(200, None), (200, "true")] == [(one.status, one.headers.get("idempotent-replayed")) for one in known]


def test_staff_may_record_contacts_and_a_public_key_may_not(shop: Shop) -> None:
    said = a_contact()
    assert (403, "scope_missing") == code_of(record(shop, said, key=shop.cloud.key(KeyKind.WRITE)))
    assert 201 == record(shop, said, key=shop.cloud.key(KeyKind.STAFF)).status


def test_nobody_has_no_contacts(shop: Shop) -> None:
    assert (404, "customer_not_found") == code_of(record(shop, a_contact(), NOBODY))


WORDS = [text for text in READABLE if text and len(text.encode()) <= 10 * 1024]


@pytest.mark.parametrize("number", range(0, len(WORDS), 13))
def test_every_word_comes_back_as_it_was_sent(shop: Shop, number: int) -> None:
    text = WORDS[number]
    name = text if text.strip() and len(text) <= 200 else "x"
    said = a_contact(text=text, subject=name, author={"role": "system", "name": name})
    made = record(shop, said)
    assert (201, text, name, name) == (made.status, made.json["text"], made.json["subject"], made.json["author"]["name"])
    (event,) = told(shop, said["contact_id"])
    assert (text, name, name) == (event["data"]["text"], event["data"]["subject"], event["data"]["author"]["name"])


@pytest.mark.parametrize("text", ["x" * 10_240, "é" * 5_120, "\U0001f4bf" * 2_560, "x"])
def test_a_text_of_ten_kilobytes_is_taken(shop: Shop, text: str) -> None:
    assert (201, text) == ((made := record(shop, a_contact(text=text))).status, made.json["text"])


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "no text": ({"text": ""}, "/text", "too_short"),
    "a text of one byte more": ({"text": "x" * 10_241}, "/text", "too_long"),
    "a text of two bytes more": ({"text": "é" * 5_121}, "/text", "text_too_large"),
    "another channel": ({"channel": "telepathy"}, "/channel", "unknown_value"),
    "another direction": ({"direction": "sideways"}, "/direction", "unknown_value"),
    "another role": ({"author": {"role": "ghost"}}, "/author/role", "unknown_value"),
    "an author without a role": ({"author": {"name": "Team Berlin"}}, "/author/role", "missing"),
    "no author": ({"author": None}, "/author", "wrong_type"),
    "a blank subject": ({"subject": " "}, "/subject", "blank"),
    "a contact_id with a slash": ({"contact_id": "a/b"}, "/contact_id", "bad_syntax"),
    "a contact_id of 101": ({"contact_id": "x" * 101}, "/contact_id", "too_long"),
    "an order_id that is none": ({"order_id": "a b"}, "/order_id", "bad_syntax"),
    "a day for an instant": ({"occurred_at": "2026-11-20"}, "/occurred_at", "instant_syntax"),
    "an unknown field": ({"colour": "blue"}, "/colour", "unknown_field"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_contact_that_cannot_be_right_is_told_where(shop: Shop, what: str) -> None:
    change, pointer, code = BAD[what]
    answer = record(shop, a_contact() | change)
    assert (422, pointer, code) == (answer.status, *(answer.json["errors"][0][name] for name in ("pointer", "code")))


def test_a_contact_is_at_most_a_day_ahead_of_our_clock(shop: Shop) -> None:
    assert (422, "in_the_future") == code_of(record(shop, a_contact(occurred_at=in_hours(24.1))))
    assert 201 == record(shop, a_contact(occurred_at=in_hours(23.9))).status


def test_a_site_out_of_reach_is_refused(shop: Shop) -> None:
    assert (403, "site_forbidden") == code_of(record(shop, a_contact(site="fr"), key=shop.cloud.key()))
    assert (422, "unknown_site") == code_of(record(shop, a_contact(site="nowhere")))


def test_the_erased_get_no_contacts(shop: Shop) -> None:
    customer_id = shop.somebody()
    said = a_contact()
    assert 201 == record(shop, said, customer_id).status
    assert 202 == shop.call("POST", f"/v1/customers/{customer_id}/erasure-jobs").status
    assert [(410, "customer_erased")] * 2 == [code_of(record(shop, body, customer_id)) for body in (said, a_contact())]
