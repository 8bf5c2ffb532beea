"""Finding an order: a link for its customer, the same answer for everybody, and no flood for anybody."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from ecrm import bootstrap
from ecrm.application.ports import Claim
from ecrm.domain.customers import Identifier, Kind
from messages_api.handler import handler as messages
from tests.builders import a_request
from tests.cloud import Answer, Cloud
from tests.faults import tapped
from tests.functions.api import Shop, a_new_order, code_of, open_shop
from tests.functions.mail import send

PATH = "/public/orders/find"
THE_SAME = {"detail": "If this order was placed with this address, a link to it is on its way there."}


@pytest.fixture
def shop(cloud: Cloud) -> Shop:
    """A shop of its own for each test, because limits count."""
    opened = open_shop(cloud)
    cloud.arm()
    return opened


def find(body: Any, *, ip: str = "192.0.2.1", kind: str = "application/json", **headers: str) -> Answer:
    text = urlencode(body) if "form" in kind else body if isinstance(body, str) else json.dumps(body)
    event = a_request("POST", PATH, body=text, headers={"content-type": kind, **headers})
    event["requestContext"]["http"]["sourceIp"] = ip
    answer = messages(event, None)
    return Answer(answer["statusCode"], answer["headers"], answer["body"])


def asked(**changes: Any) -> dict[str, Any]:
    return {"order_id": "A-1001", "email": "sara@example.com", "site": "de"} | changes


def links(shop: Shop) -> list[tuple[str, bool]]:
    """To whom links go, and whether the mail has one."""
    return [
        (mail["Destination"]["ToAddresses"][0], "https://shop.example.com/public/orders/" in str(mail["Content"]))
        for mail in send(shop)
    ]


def test_the_link_goes_to_the_orders_customer(shop: Shop) -> None:
    answer = find(asked())
    assert (202, THE_SAME) == (answer.status, answer.json)
    assert [("sara@example.com", True)] == links(shop)


def test_letter_case_tells_no_two_addresses_apart(shop: Shop) -> None:
    assert 202 == find(asked(email="SARA@Example.com")).status
    assert [("sara@example.com", True)] == links(shop)


NOT_THEIRS: dict[str, dict[str, Any]] = {
    "no such order": asked(order_id="A-9999"),
    "an order of another site": asked(site="fr"),
    "no such site": asked(site="nowhere"),
    "somebody else's address": asked(email="stranger@example.com"),
}


@pytest.mark.parametrize("what", NOT_THEIRS)
def test_whatever_is_not_found_is_answered_in_the_same_words_and_mails_nothing(shop: Shop, what: str) -> None:
    shop.call("POST", "/v1/orders", a_new_order() | {"customer": {"email": "stranger@example.com"}})
    there, not_there = find(asked()), find(NOT_THEIRS[what])
    assert (there.status, there.headers, there.text) == (not_there.status, not_there.headers, not_there.text)
    assert [("sara@example.com", True)] == links(shop)


def test_an_address_that_no_server_has_vouched_for_opens_no_order(shop: Shop) -> None:
    customer = bootstrap.customers().find(shop.customer_id)
    assert customer is not None
    claimed = Identifier(Kind.EMAIL, "claimed@example.com")
    said = replace(
        customer, identifiers=(*customer.identifiers, claimed), claimed=frozenset({claimed}), version=customer.version + 1
    )
    bootstrap.customers().write(Claim(said, customer.version, (), ()), None, bootstrap.clock.now())
    assert 202 == find(asked(email="claimed@example.com")).status
    assert [] == [item for item in shop.cloud.items("EVENT#") if item["type"]["S"] == "message.requested"]


@pytest.mark.usefixtures("shop")
def test_who_looks_at_the_calls_sees_about_the_same_for_what_is_there_and_what_is_not() -> None:
    """The one difference is what the last write is: an item that means nothing stands for the message."""
    find(asked())
    seen = []
    for body in (asked(), asked(order_id="A-9999")):
        with tapped() as calls:
            find(body)
        seen.append(calls)
    there, not_there = seen
    assert {"TransactWriteItems"} == set(there) - set(not_there)
    assert abs(len(there) - len(not_there)) <= 2


def test_three_links_an_hour_reach_an_address_from_wherever_they_are_asked_for(shop: Shop) -> None:
    for at in range(5):
        assert 202 == find(asked(), ip=f"192.0.2.{at}").status
    assert 3 == len(links(shop))


def test_twenty_requests_an_hour_come_to_anything_from_one_place(shop: Shop) -> None:
    for at in range(20):
        find(asked(email=f"guess-{at}@example.com"))
    assert 202 == find(asked()).status
    assert [] == links(shop)
    assert 202 == find(asked(), ip="198.51.100.7").status
    assert 1 == len(links(shop))


def test_neither_addresses_nor_places_are_kept_in_the_open(shop: Shop) -> None:
    find(asked(email="curious@example.com"), ip="198.51.100.7")
    limits = [item for item in shop.cloud.items() if item["PK"]["S"].startswith("LIMIT#")]
    assert 4 == len(limits)
    assert not {"curious@example.com", "198.51.100.7"} & {part for item in limits for part in str(item).split("'")}


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("fa,en;q=0.5", "صندوق ایمیل خود را ببینید"),
        ("zh-CN", "请查看您的邮箱"),
        ("sv", "Look into your mailbox"),
        ("", "Look into"),
    ],
)
def test_a_form_without_a_script_is_answered_with_a_page_in_the_readers_language(shop: Shop, language: str, words: str) -> None:
    kind = "application/x-www-form-urlencoded"
    answer = find(asked(), kind=kind, **{"accept-language": language})
    assert (202, "text/html; charset=utf-8", "*") == (
        answer.status,
        answer.headers["content-type"],
        answer.headers["access-control-allow-origin"],
    )
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert words in answer.text
    assert answer.text == find(asked(order_id="A-9999"), kind=kind, **{"accept-language": language}).text
    assert [("sara@example.com", True)] == links(shop)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("order_id=A&order_id=B", (400, "bad_form")),
        ("a=%ff", (400, "bad_form")),
        ("order_id", (400, "bad_form")),
        ("", (422, "missing")),
        (urlencode({f"n{at}": 1 for at in range(30)}), (400, "bad_form")),
        (urlencode(asked() | {"more": "1"}), (422, "unknown_field")),
        (urlencode(asked(email="nobody")), (422, "email_syntax")),
        ("x" * 256 * 1024 + "=1", (413, "body_too_large")),
    ],
    ids=["twice", "no text", "no value", "nothing", "too many", "unknown", "no address", "too large"],
)
def test_a_form_that_makes_no_sense_is_told_so(cloud: Cloud, sent: str, expected: tuple[int, str]) -> None:
    del cloud
    event = a_request("POST", PATH, body=sent, headers={"content-type": "application/x-www-form-urlencoded"})
    answer = messages(event, None)
    assert expected == code_of(Answer(answer["statusCode"], answer["headers"], answer["body"]))


def test_a_page_of_any_origin_may_ask(cloud: Cloud) -> None:
    del cloud
    asked_first = messages(a_request("OPTIONS", PATH), None)
    assert (204, "*") == (asked_first["statusCode"], asked_first["headers"]["access-control-allow-origin"])
    assert 405 == messages(a_request("GET", PATH), None)["statusCode"]


def test_a_site_without_a_sender_sends_no_link(shop: Shop) -> None:
    site = bootstrap.sites().find("de")
    assert site is not None
    assert bootstrap.sites().write(replace(site, sender=None, version=2), seen=1) is None
    assert (202, []) == (find(asked()).status, links(shop))
