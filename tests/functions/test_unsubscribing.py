"""Unsubscribing: one click or two, from links however old; in force before it is answered, and never undone by a visit."""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import botocore.session
import pytest

from ecrm import bootstrap
from ecrm.domain.api_keys import KeyKind
from ecrm.domain.links import Keyring, Language, PersonLink, Purpose, seal_person
from ecrm.domain.messages import Policy, Status
from ecrm.store.links import rotated
from ecrm.store.rosters import DynamoRosters
from public_api.handler import handler as public
from tests.builders import a_consent, a_planned_send, a_proof, a_request, a_topic
from tests.cloud import Answer
from tests.functions.api import Shop, a_new_order
from tests.functions.test_consents import a_customer, history, say
from tests.functions.test_public_pages import RING, SCANNERS

ONE_CLICK = "List-Unsubscribe=One-Click"
FORM = {"content-type": "application/x-www-form-urlencoded"}


def a_subscriber(shop: Shop, customer_id: str | None = None) -> str:
    """Who agreed to two topics."""
    for topic in ("news", "offers"):
        shop.call("PUT", f"/v1/topics/{topic}", a_topic(), key=shop.cloud.key(KeyKind.STAFF))
    customer_id = customer_id or a_customer(shop)
    grants = [a_consent(topic=topic, proof=a_proof()) for topic in ("news", "offers")]
    assert 201 == say(shop, customer_id, *grants).status
    return customer_id


def a_token(customer_id: str, ring: Keyring = RING, **changes: Any) -> str:
    said: dict[str, Any] = {
        "purpose": Purpose.UNSUBSCRIBE,
        "site": "de",
        "customer_id": customer_id,
        "about": ("news",),
    } | changes
    return seal_person(PersonLink(**said), ring)


def at(token: str) -> str:
    return f"/public/u/{token}"


def send(path: str, body: str = "", *, method: str = "POST", query: str = "", headers: Mapping[str, str] = FORM) -> Answer:
    answer = public(a_request(method, path, body=body, query=query, headers=headers), None)
    return Answer(answer["statusCode"], answer["headers"], answer["body"])


def held(shop: Shop, customer_id: str) -> dict[str, str]:
    told = shop.call("GET", f"/v1/customers/{customer_id}/consents").json["consents"]
    return {one["topic"]: one["effective"] for one in told}


BODIES = {
    "of RFC 8058": (ONE_CLICK, FORM),
    "in parts": (
        '--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--',
        {"content-type": "multipart/form-data; boundary=x"},
    ),
    "empty": ("", {}),
    "JSON": ("{", {"content-type": "application/json"}),
    "many fields": ("a=b&" * 1000, FORM),
    "of 64 KB": ("a" * 64 * 1024, FORM),
    "of another site": (ONE_CLICK, FORM | {"origin": "https://mail.example", "sec-fetch-site": "cross-site"}),
}


@pytest.mark.parametrize("sent", BODIES.values(), ids=BODIES)
def test_one_click_unsubscribes_from_the_topic_whatever_the_body_and_as_often_as_it_comes(
    shop: Shop, sent: tuple[str, Mapping[str, str]]
) -> None:
    customer_id = a_subscriber(shop)
    body, headers = sent
    path = at(a_token(customer_id, reference="run-1"))
    answers = [send(path, body, headers=headers) for _ in range(2)]
    assert [(200, None)] * 2 == [(answer.status, answer.headers.get("location")) for answer in answers]
    assert {"news": "denied", "offers": "granted"} == held(shop, customer_id)
    (denied,) = (event for event in history(shop, customer_id) if event["data"]["state"] == "denied")
    said = ("source", "method", "channel", "topic")
    assert ["message:run-1", "unsubscribe", "email", "news"] == [denied["data"][name] for name in said]
    assert denied["data"]["text_version"].startswith("news/")


def test_a_body_that_is_larger_changes_nothing(shop: Shop) -> None:
    customer_id = a_subscriber(shop)
    assert 413 == send(at(a_token(customer_id)), "a" * (64 * 1024 + 1)).status
    assert {"news": "granted", "offers": "granted"} == held(shop, customer_id)


@pytest.mark.parametrize("agent", SCANNERS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_whoever_follows_the_link_changes_nothing(shop: Shop, method: str, agent: str) -> None:
    token = a_token(a_customer(shop))
    before = shop.cloud.items()
    answer = send(at(token), method=method, headers={"user-agent": agent})
    assert before == shop.cloud.items()
    assert {"GET": 200, "HEAD": 200, "OPTIONS": 204}[method] == answer.status


def test_the_page_has_a_button_and_says_of_what_and_whose(shop: Shop) -> None:
    page = send(at(a_token(a_subscriber(shop), language=Language.ENGLISH)), method="GET")
    assert [("scope", "topic"), ("scope", "all")] == re.findall(r'<button name="(\w+)" value="(\w+)"', page.text)
    assert ("Blue Note", "News") == tuple(word for word in ("Blue Note", "News") if word in page.text)
    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert "same-origin" == page.headers["referrer-policy"]
    assert "GET, HEAD, OPTIONS, POST" == send(at(a_token("x")), method="PUT").headers["allow"]


def test_all_advertising_can_be_stopped_at_once(shop: Shop) -> None:
    customer_id = a_subscriber(shop)
    assert 200 == send(at(a_token(customer_id)), "scope=all").status
    assert {"denied"} == set(held(shop, customer_id).values())
    assert {"news", "offers"} <= held(shop, customer_id).keys()


@pytest.mark.parametrize(("scope", "buttons"), [("topic", ["all"]), ("all", [])])
def test_the_page_in_another_language_says_what_is_done_too(shop: Shop, scope: str, buttons: list[str]) -> None:
    path = at(a_token(a_subscriber(shop), language=Language.ENGLISH))
    done = send(path, f"scope={scope}").text
    assert done == send(path, method="GET").text
    assert buttons == re.findall(r'<button name="scope" value="(\w+)"', done)
    assert "لغو شد" in send(path, method="GET", query="lang=fa").text


def test_a_topic_that_is_not_there_any_more_is_unsubscribed_from_all_the_same(shop: Shop) -> None:
    customer_id = a_subscriber(shop)
    assert 200 == send(at(a_token(customer_id, about=("gone",))), ONE_CLICK).status
    assert "denied" == held(shop, customer_id)["gone"]


def test_a_link_of_whom_another_customer_absorbed_unsubscribes_that_customer(shop: Shop) -> None:
    guest = shop.call("POST", "/v1/orders", a_new_order(customer={"email": "guest@example.com"}))
    loser, winner = a_subscriber(shop, guest.json["customer_id"]), a_subscriber(shop)
    assert (
        201
        == shop.call("POST", f"/v1/customers/{winner}/merge", {"customer_id": loser}, key=shop.cloud.key(KeyKind.STAFF)).status
    )
    assert 200 == send(at(a_token(loser)), ONE_CLICK).status
    assert "denied" == held(shop, winner)["news"]


def test_the_erased_get_no_page_and_one_click_is_told_that_it_is_so(shop: Shop) -> None:
    customer_id = a_subscriber(shop)
    assert 202 == shop.call("POST", f"/v1/customers/{customer_id}/erasure-jobs", {}).status
    path = at(a_token(customer_id))
    nowhere = send(at("nothing"), method="GET")
    assert (404, nowhere) == (nowhere.status, send(path, method="GET"))
    assert 200 == send(path, ONE_CLICK).status


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_no_token_of_this_purpose_is_nothing(shop: Shop, method: str) -> None:
    customer_id = a_subscriber(shop)
    good = a_token(customer_id)
    bad = [
        good[:-1],
        "B" + good[1:] if good[0] == "A" else "A" + good[1:],
        a_token(customer_id, purpose=Purpose.PREFERENCES),
        a_token(customer_id, Keyring("9", {"9": b"x"})),
    ]
    answers = [send(at(token), ONE_CLICK, method=method) for token in bad]
    assert [404] * 4 == [answer.status for answer in answers]
    assert [answers[0]] * 4 == answers
    assert {"news": "granted", "offers": "granted"} == held(shop, customer_id)


@pytest.fixture
def retired(shop: Shop) -> Iterator[None]:
    """The key of every link so far may be known to somebody else: there is a new one."""
    secrets: Any = botocore.session.get_session().create_client("secretsmanager")
    before = secrets.get_secret_value(SecretId="links")["SecretString"]
    after, _ = rotated(before, "for tests only, the second one, long", retire=True)
    for text in (after, before):
        secrets.put_secret_value(SecretId="links", SecretString=text)
        bootstrap.link_keys.cache_clear()
        for room in (bootstrap.unsubscribe_room, bootstrap.preference_room):
            room.cache_clear()
        if text is after:
            yield
    del shop


@pytest.mark.usefixtures("retired")
def test_a_link_of_a_key_that_was_retired_unsubscribes_and_leads_to_nothing_else(shop: Shop) -> None:
    customer_id = a_subscriber(shop)
    old, new = a_token(customer_id), a_token(customer_id, bootstrap.link_keys().ring())
    pages = [send(at(old), method="GET"), send(at(old), ONE_CLICK), send(at(new), method="GET")]
    assert [(200, False), (200, False), (200, True)] == [
        (page.status, "/public/preferences/" in html.unescape(page.text)) for page in pages
    ]
    assert {"news": "denied", "offers": "granted"} == held(shop, customer_id)
    assert 404 == send(f"/public/preferences/{a_token(customer_id, purpose=Purpose.PREFERENCES)}", method="GET").status


def test_it_is_in_force_while_nothing_is_sent(shop: Shop) -> None:
    customer_id = a_subscriber(shop)
    paused = {"marketing": {"paused": True, "reason": "a test"}}
    assert 200 == shop.call("PUT", "/v1/sending", paused, key=shop.cloud.key(KeyKind.STAFF)).status
    assert 200 == send(at(a_token(customer_id)), ONE_CLICK).status
    assert "denied" == held(shop, customer_id)["news"]


def test_the_entry_of_the_mail_says_that_it_made_its_person_leave_and_once(shop: Shop) -> None:
    customer_id = a_subscriber(shop)
    entry = a_planned_send("run-1", customer_id, policy=Policy.MARKETING, topic="news", shard=7, status=Status.ACCEPTED)
    DynamoRosters(bootstrap.table()).add([entry])
    path = at(a_token(customer_id, reference="run-1", about=("news", "7")))
    assert [200, 200] == [send(path, ONE_CLICK).status for _ in range(2)]
    found = bootstrap.sends().find("run-1", 7, customer_id)
    assert found is not None
    assert found.unsubscribed_at is not None
    assert found == replace(entry, unsubscribed_at=found.unsubscribed_at, version=2)


def test_a_mail_that_is_not_there_keeps_nobody_from_leaving(shop: Shop) -> None:
    customer_id = a_subscriber(shop)
    assert 200 == send(at(a_token(customer_id, reference="run-1", about=("news", "7"))), ONE_CLICK).status
    assert {"news": "denied", "offers": "granted"} == held(shop, customer_id)
