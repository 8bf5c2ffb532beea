"""Other channels in the preference centre: what is on record is shown and can be left; what was had before can be taken again."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from ecrm.domain.api_keys import KeyKind
from tests.builders import a_consent, a_proof, a_topic
from tests.cloud import Answer
from tests.functions.api import Shop
from tests.functions.test_consents import history, say
from tests.functions.test_preferences import a_path, a_person
from tests.functions.test_unsubscribing import send

WAITING, SHUT = "Not confirmed yet", "Nothing is sent this way. If you want it again, please write to us."


def offer(shop: Shop, *channels: str) -> None:
    body = a_topic(channels=list(channels))
    assert 200 == shop.call("PUT", "/v1/topics/news", body, key=shop.cloud.key(KeyKind.STAFF)).status


def a_reader(shop: Shop, channel: str, state: str = "granted", **said: Any) -> tuple[str, str]:
    """Who hears of two topics by mail, and of one by another channel, too; with their page."""
    customer_id, email = a_person(shop)
    offer(shop, "email", "sms", "push", "post")
    proof = {"proof": a_proof()} if state == "granted" else {}
    assert 201 == say(shop, customer_id, a_consent(state, channel=channel, **{**proof, **said})).status
    return customer_id, a_path(customer_id, email)


def on_record(shop: Shop, customer_id: str, channel: str) -> str:
    told = shop.call("GET", f"/v1/customers/{customer_id}/consents").json["consents"]
    (state,) = (each["effective"] for each in told if (each["channel"], each["topic"]) == (channel, "news"))
    return str(state)


def box(page: Answer, value: str) -> tuple[bool, bool, str]:
    """Whether a box is ticked, whether it can be changed, and what is said of it."""
    found = re.search(rf'value="{value}"( checked)?( disabled)?><span>[^<]*(?:<span class="aside">([^<]*))?', page.text)
    assert found
    assert (found[2] is None) == (f'name="shown" value="{value}"' in page.text)
    return found[1] is not None, found[2] is None, found[3] or ""


def choose(path: str, *, shown: tuple[str, ...], wanted: tuple[str, ...]) -> Answer:
    answer = send(path, urlencode([*(("shown", each) for each in shown), *(("topic", each) for each in wanted)]))
    assert 200 == answer.status
    return answer


def test_where_there_is_only_mail_nothing_is_said_of_channels(shop: Shop) -> None:
    customer_id, email = a_person(shop)
    page = send(a_path(customer_id, email), method="GET").text
    assert [] == [words for words in ("By mail", "By text message", "By notification", "By post") if words in page]


@pytest.mark.parametrize("channel", ["sms", "push", "post"])
def test_a_channel_is_left_at_once_and_taken_again_with_the_page_as_its_proof(shop: Shop, channel: str) -> None:
    customer_id, path = a_reader(shop, channel)
    value, mails = f"{channel}:news", ("news", "offers")
    page = send(path, method="GET")
    assert [(True, True, "")] * 2 == [box(page, "news"), box(page, value)]
    page = choose(path, shown=(*mails, value), wanted=mails)
    assert ((False, True, ""), "denied") == (box(page, value), on_record(shop, customer_id, channel))
    page = choose(path, shown=(*mails, value), wanted=(*mails, value))
    assert ((True, True, ""), "granted") == (box(page, value), on_record(shop, customer_id, channel))
    yes, no = (event["data"] for event in history(shop, customer_id)[:2])
    assert ("denied", "preference_centre", channel) == (no["state"], no["method"], no["channel"])
    assert ("granted", "preference_centre", channel) == (yes["state"], yes["proof"]["kind"], yes["channel"])


def test_a_topic_that_no_mail_is_about_is_shown_where_something_is_on_record(shop: Shop) -> None:
    customer_id, path = a_reader(shop, "sms")
    offer(shop, "sms")
    page = send(path, method="GET")
    assert ((True, True, ""), False) == (box(page, "sms:news"), 'value="news"' in page.text)
    assert 422 == send(path, "shown=news").status
    choose(path, shown=("sms:news",), wanted=())
    assert "denied" == on_record(shop, customer_id, "sms")


def by_our_service(shop: Shop, customer_id: str) -> None:
    no = a_consent("denied", channel="sms", at="2026-11-21T12:00:00Z", method="service")
    assert 201 == say(shop, customer_id, no).status


def by_another_number(shop: Shop, customer_id: str) -> None:
    by_themselves(shop, customer_id)
    changed = {"phone": f"+4940{int(customer_id[-6:], 16):08}"}
    assert 200 == shop.call("PATCH", f"/v1/customers/{customer_id}", changed).status


def by_a_suppressed_number(shop: Shop, customer_id: str) -> None:
    by_themselves(shop, customer_id)
    suppress(shop, customer_id, "sms", "phone")


def by_a_suppressed_mailbox(shop: Shop, customer_id: str) -> None:
    by_themselves(shop, customer_id)
    suppress(shop, customer_id, "email", "email")


def by_a_topic_that_left(shop: Shop, customer_id: str) -> None:
    by_themselves(shop, customer_id)
    offer(shop, "email")


def by_themselves(shop: Shop, customer_id: str) -> None:
    no = a_consent("denied", channel="sms", at="2026-11-21T12:00:00Z", method="form")
    assert 201 == say(shop, customer_id, no).status


def suppress(shop: Shop, customer_id: str, channel: str, name: str) -> None:
    address = shop.call("GET", f"/v1/customers/{customer_id}").json[name]
    body = {"channel": channel, "address": address, "reason": "manual", "at": "2026-11-21T12:00:00Z"}
    assert shop.call("POST", "/v1/suppressions", body).status in (200, 201)


@pytest.mark.parametrize(
    "left", [by_our_service, by_another_number, by_a_suppressed_number, by_a_suppressed_mailbox, by_a_topic_that_left]
)
def test_what_only_another_proof_raises_is_shown_and_not_to_be_chosen(shop: Shop, left: Callable[[Shop, str], None]) -> None:
    customer_id, path = a_reader(shop, "sms")
    left(shop, customer_id)
    assert (False, False, SHUT) == box(send(path, method="GET"), "sms:news")
    choose(path, shown=("sms:news",), wanted=("sms:news",))
    assert "denied" == on_record(shop, customer_id, "sms")


def test_what_was_never_had_is_not_to_be_chosen_nor_by_whoever_has_a_former_address_link(shop: Shop) -> None:
    never, path = a_reader(shop, "sms", "denied", method="form")
    had, _ = a_reader(shop, "sms")
    by_themselves(shop, had)
    for customer_id, link in ((never, path), (had, a_path(had, "former@example.com"))):
        assert (False, False, SHUT) == box(send(link, method="GET"), "sms:news")
        choose(link, shown=("sms:news",), wanted=("sms:news",))
        assert "denied" == on_record(shop, customer_id, "sms")


def test_what_waits_for_its_confirmation_says_so_and_is_left_or_waits_on(shop: Shop) -> None:
    customer_id, path = a_reader(shop, "sms", "pending")
    page = choose(path, shown=("sms:news",), wanted=("sms:news",))
    assert ((True, True, WAITING), "pending") == (box(page, "sms:news"), on_record(shop, customer_id, "sms"))
    page = choose(path, shown=("sms:news",), wanted=())
    assert ((False, False, SHUT), "denied") == (box(page, "sms:news"), on_record(shop, customer_id, "sms"))


def test_what_is_granted_for_a_suppressed_number_says_so_and_can_be_left(shop: Shop) -> None:
    customer_id, path = a_reader(shop, "sms")
    suppress(shop, customer_id, "sms", "phone")
    assert (True, True, SHUT) == box(send(path, method="GET"), "sms:news")
    choose(path, shown=("sms:news",), wanted=())
    assert (False, False, SHUT) == box(send(path, method="GET"), "sms:news")
