"""The mails of orders: those that the site wants, once for each event, whatever the stream does."""

import random
import re
from contextlib import suppress
from typing import Any

import pytest

from ecrm.domain.api_keys import KeyKind
from ecrm.domain.errors import Unavailable
from publish_events.handler import handler as publish
from tests.builders import a_record, a_site, an_event
from tests.cloud import Cloud
from tests.faults import Kill, at, fail, kill_after, kill_before, on, refused_with, tapped
from tests.functions.api import Shop, a_new_order, in_hours, open_shop
from tests.functions.mail import send

MAILS = {"order.placed": "order-confirmed", "order.shipped": "order-shipped", "order.refunded": "order-refunded"}


@pytest.fixture
def shop(cloud: Cloud) -> Shop:
    opened = open_shop(cloud)
    wants(opened, MAILS)
    cloud.arm()
    return opened


def wants(shop: Shop, mails: dict[str, str]) -> None:
    site = a_site(sender="hello@example.com", postal_address="Ringstraße 1", mails=mails)
    assert 200 == shop.call("PUT", "/v1/sites/de", site, key=shop.cloud.key(KeyKind.STAFF)).status


def place(shop: Shop, **changes: Any) -> str:
    order = a_new_order() | {"placed_at": in_hours(-1)} | changes
    placed = shop.call("POST", "/v1/orders", order)
    assert 201 == placed.status, placed.text
    return str(order["order_id"])


def tell(shop: Shop, order_id: str, kind: str, **changes: Any) -> None:
    event = an_event(kind, **{"occurred_at": in_hours(-0.5)} | changes)
    assert 201 == shop.call("POST", f"/v1/orders/{order_id}/events", event).status


def subjects(shop: Shop, order_id: str) -> list[str]:
    """The subjects of the mails about an order that go out now, sorted."""
    mails = [mail["Content"]["Simple"]["Subject"]["Data"] for mail in send(shop)]
    return sorted(subject for subject in mails if order_id in subject)


def planned(shop: Shop, *order_ids: str) -> int:
    """The mails that were planned for some orders."""
    asked = [item["data"]["M"] for item in shop.cloud.items("EVENT#") if item["type"]["S"] == "message.requested"]
    return sum(said["order_id"]["S"] in order_ids for said in asked if "order_id" in said)


def test_an_order_brings_the_mails_that_its_site_wants_and_no_others(shop: Shop) -> None:
    order_id = place(shop)
    tell(shop, order_id, "paid")
    tell(shop, order_id, "shipped")
    assert 2 == len(subjects(shop, order_id))
    tell(shop, order_id, "refunded", amount="1.00")
    assert 1 == len(subjects(shop, order_id))
    assert [] == subjects(shop, order_id)


def test_a_site_that_wants_no_mails_sends_none(shop: Shop) -> None:
    wants(shop, {})
    order_id = place(shop)
    assert ([], 0) == (subjects(shop, order_id), planned(shop, order_id))


def test_each_parcel_brings_a_mail_of_its_own(shop: Shop) -> None:
    order_id = place(shop)
    for parcel in ("parcel-1", "parcel-2"):
        lines = [{"line_id": parcel[-1], "quantity": 1}]
        tell(shop, order_id, "shipped", event_id=parcel, shipment_id=parcel, lines=lines)
    assert 3 == len(subjects(shop, order_id))


def test_the_mails_of_two_parcels_and_of_two_refunds_speak_each_of_its_own(shop: Shop) -> None:
    """All of it has happened before the first mail is made."""
    order_id = place(shop)
    for number, tracking in (("1", "FIRST"), ("2", "SECOND")):
        lines = [{"line_id": number, "quantity": 1}]
        tell(shop, order_id, "shipped", event_id=f"s{number}", shipment_id=f"p{number}", tracking_number=tracking, lines=lines)
        tell(shop, order_id, "refunded", event_id=f"r{number}", amount=f"{number}.11")
    texts = [mail["Content"]["Simple"]["Body"]["Text"]["Data"] for mail in send(shop)]
    told = [re.findall(r"FIRST|SECOND|\b[12]\.11 EUR", text) for text in texts if order_id in text]
    assert [["1.11 EUR"], ["2.11 EUR"], ["FIRST"], ["SECOND"], []] == sorted(told, key=lambda found: found or ["~"])


def test_what_a_page_claims_of_a_customer_before_or_after_they_come_stands_in_no_mail(shop: Shop) -> None:
    """A write key can be read in a page: a stranger names the next user id of a shop that counts its users."""
    evil = {"firstName": "your payment failed. Pay at https://evil.example", "language": "fa", "time_zone": "Pacific/Auckland"}
    claim = {"anonymousId": "stranger", "userId": "1002", "traits": evil}
    key = shop.cloud.key(KeyKind.WRITE)
    assert 200 == shop.call("POST", "/v1/identify", claim, key=key).status
    first = place(shop, customer={"user_id": "1002", "email": "victim@example.com"})
    assert 200 == shop.call("POST", "/v1/identify", claim, key=key).status
    second = place(shop, customer={"user_id": "1002"})
    made = [(text, html) for text, html in map(parts, send(shop)) if first in text or second in text]
    assert [(True, False, True)] * 2 == [
        ("Hello,\n" in text, "evil.example" in text + html, '<html lang="en"' in html) for text, html in made
    ]
    customer_id = shop.call("GET", f"/v1/orders/{first}").json["customer_id"]
    known = shop.call("GET", f"/v1/customers/{customer_id}").json
    assert (evil["firstName"], "fa") == (known["traits"]["first_name"], known["language"])


def parts(mail: dict[str, Any]) -> tuple[str, str]:
    body = mail["Content"]["Simple"]["Body"]
    return body["Text"]["Data"], body["Html"]["Data"]


SILENT: dict[str, dict[str, Any]] = {
    "a past order": {"backfill": True},
    "an order told four days late": {"placed_at": in_hours(-97)},
    "a customer without an address": {"customer": {"user_id": "u-mute"}},
}


@pytest.mark.parametrize("what", SILENT)
def test_no_mail_is_planned_where_it_would_be_wrong(shop: Shop, what: str) -> None:
    order_id = place(shop, **SILENT[what])
    assert ([], 0) == (subjects(shop, order_id), planned(shop, order_id))


def test_who_is_erased_before_the_stream_brings_the_order_gets_nothing(shop: Shop) -> None:
    order_id = place(shop, customer={"email": "leaving@example.com"})
    found = shop.call("GET", f"/v1/orders/{order_id}").json["customer_id"]
    assert 202 == shop.call("POST", f"/v1/customers/{found}/erasure-jobs").status
    assert [] == subjects(shop, order_id)


def test_who_was_made_one_with_another_gets_the_mail_where_both_are_reached(shop: Shop) -> None:
    order_id = place(shop, customer={"email": "old@example.com"})
    loser = shop.call("GET", f"/v1/orders/{order_id}").json["customer_id"]
    merged = shop.call("POST", f"/v1/customers/{shop.customer_id}/merge", {"customer_id": loser})
    assert merged.status in (200, 201), merged.text
    mails = [mail for mail in send(shop) if order_id in mail["Content"]["Simple"]["Subject"]["Data"]]
    assert [["sara@example.com"]] == [mail["Destination"]["ToAddresses"] for mail in mails]
    told = shop.call("GET", f"/v1/customers/{shop.customer_id}/timeline", query="type=message.*").json["data"]
    assert {"message.requested", "message.accepted"} <= {event["type"] for event in told}


@pytest.mark.parametrize("seed", range(5))
def test_redelivery_in_any_order_plans_each_mail_once(shop: Shop, seed: int) -> None:
    orders = [place(shop) for _ in range(3)]
    for order_id in orders:
        tell(shop, order_id, "shipped")
    records = [a_record(item) for item in shop.cloud.items("EVENT#")] * 3
    random.Random(seed).shuffle(records)
    for first in range(0, len(records), 7):
        assert {"batchItemFailures": []} == publish({"Records": records[first : first + 7]}, None)
    assert 6 == planned(shop, *orders)
    mails = [mail["Content"]["Simple"]["Subject"]["Data"] for mail in send(shop)]
    assert 6 == sum(any(order_id in subject for order_id in orders) for subject in mails)


@pytest.mark.parametrize("fault", [kill_before, kill_after, fail], ids=["killed before", "killed after", "out of reach"])
def test_a_planner_that_dies_at_any_call_plans_each_mail_once_in_the_end(shop: Shop, fault: Any) -> None:
    orders = [place(shop)]
    batch = placed(shop, orders[0])
    with tapped() as calls:
        publish(batch, None)
    for call in range(len(calls)):
        orders.append(place(shop))
        batch = placed(shop, orders[-1])
        with tapped(at(call, fault)), suppress(Kill, Unavailable):  # Lambda brings the batch again
            publish(batch, None)
    assert [1] * len(orders) == [len(subjects(shop, orders[0]))] + [planned(shop, order_id) for order_id in orders[1:]]


def placed(shop: Shop, order_id: str) -> dict[str, Any]:
    """The batch that tells of an order's placing."""
    told = [item for item in shop.cloud.items("EVENT#") if item["type"]["S"] == "order.placed"]
    return {"Records": [a_record(item) for item in told if item["data"]["M"]["order_id"]["S"] == order_id]}


def test_a_poison_event_is_parked_by_its_key_and_the_others_are_worked_on(shop: Shop) -> None:
    order_id = place(shop)
    good, *_ = (item for item in shop.cloud.items("EVENT#") if item["type"]["S"] == "order.placed" and order_id in str(item))
    poison = good | {"SK": {"S": "EVENT#poison"}, "data": {"M": {}}}
    assert {"batchItemFailures": []} == publish({"Records": [a_record(poison), a_record(good)]}, None)
    assert 1 == planned(shop, order_id)
    (parked,) = shop.cloud.parked()
    assert {"type": "parked_event", "v": "1", "pk": good["PK"]["S"], "sk": "EVENT#poison", "error": "KeyError"} == parked


def test_a_queue_that_takes_nothing_brings_the_batch_again_after_all_others_were_worked_on(shop: Shop) -> None:
    order_id = place(shop)
    records = [a_record(item) for item in shop.cloud.items("EVENT#") if order_id in str(item)]
    publish({"Records": records}, None)
    records += [a_record(item) for item in shop.cloud.items("EVENT#") if item["type"]["S"] == "message.requested"]
    tell(shop, order_id, "shipped")
    records += [a_record(item) for item in shop.cloud.items("EVENT#") if item["type"]["S"] == "order.shipped"]
    with tapped(on("SendMessage", refused_with("AccessDenied", 403))), pytest.raises(Exception, match="the queue of messages"):
        publish({"Records": records}, None)
    assert 2 == planned(shop, order_id)
