"""Sign-up: a mail that asks, the same answer for everybody, and no flood for anybody."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest

from ecrm import bootstrap
from ecrm.application.subscriptions import MAILS_A_SITE, SITE_SHARDS, SignUp, Subscribe, read_sign_up, site_counter
from ecrm.domain.api_keys import KeyKind
from ecrm.domain.errors import NotFound
from messages_api.handler import handler as messages
from tests.builders import a_consent, a_proof, a_request, a_topic
from tests.cloud import Answer, Cloud
from tests.faults import tapped
from tests.functions.api import Shop, code_of, in_hours, open_shop
from tests.functions.conftest import Logs
from tests.functions.mail import Later, send

PATH = "/public/subscribe"
FORM = "application/x-www-form-urlencoded"
THE_SAME = {
    "detail": "If there is something left to confirm, a mail is on its way to the address. Its link completes the sign-up."
}


@pytest.fixture
def shop(cloud: Cloud) -> Shop:
    """A shop of its own for each test, because limits count."""
    opened = open_shop(cloud)
    cloud.arm()
    cloud.secrets["form"] = cloud.key(KeyKind.WRITE)
    return opened


def subscribe(
    shop: Shop,
    body: Any = None,
    *,
    ip: str = "192.0.2.1",
    kind: str = "application/json",
    key: str | None = "form",
    **headers: str,
) -> Answer:
    said = asked() if body is None else body
    text = urlencode(said, doseq=True) if kind == FORM else json.dumps(said)
    known = {"authorization": f"Bearer {shop.cloud.secrets[key]}"} if key else {}
    event = a_request("POST", PATH, body=text, headers={"content-type": kind, **known, **headers})
    event["requestContext"]["http"]["sourceIp"] = ip
    answer = messages(event, None)
    return Answer(answer["statusCode"], answer["headers"], answer["body"])


def asked(**changes: Any) -> dict[str, Any]:
    return {"email": "sara@example.com", "topics": ["news"]} | changes


def mailed(shop: Shop) -> list[str]:
    """To whom mail went that has a link to confirm with."""
    return [address for mail in send(shop) for address in mail["Destination"]["ToAddresses"]]


def consents(shop: Shop, customer_id: str | None = None) -> list[dict[str, Any]]:
    held: list[dict[str, Any]] = shop.call("GET", f"/v1/customers/{customer_id or shop.customer_id}/consents").json["consents"]
    return held


def test_who_signs_up_is_asked_by_mail_and_is_pending_until_then(shop: Shop) -> None:
    answer = subscribe(shop, asked(email="new@example.com", text_version="footer/3", language="fa"))
    assert (202, THE_SAME) == (answer.status, answer.json)
    (mail,) = send(shop)
    assert ["new@example.com"] == mail["Destination"]["ToAddresses"]
    (found,) = shop.call("POST", "/v1/customers/lookup", {"email": "new@example.com"}).json["data"]
    (held,) = consents(shop, found["customer_id"])
    said = {name: held[name] for name in ("channel", "topic", "state", "effective", "source", "method", "text_version", "proof")}
    assert said == {
        "channel": "email",
        "topic": "news",
        "state": "pending",
        "effective": "pending",
        "source": "public:subscribe",
        "method": "form",
        "text_version": "footer/3",
        "proof": None,
    }


def suppress(shop: Shop) -> None:
    body = {"channel": "email", "address": "sara@example.com", "reason": "complaint"}
    assert 201 == shop.call("POST", "/v1/suppressions", body).status


def say(shop: Shop, state: str, **changes: Any) -> None:
    body = {"consents": [a_consent(topic="news", state=state, **changes)]}
    assert 201 == shop.call("POST", f"/v1/customers/{shop.customer_id}/consents", body).status


def grant(shop: Shop) -> None:
    say(shop, "granted", proof=a_proof())


def deny(shop: Shop) -> None:
    say(shop, "denied")


def erase(shop: Shop) -> None:
    assert 202 == shop.call("POST", f"/v1/customers/{shop.customer_id}/erasure-jobs").status


KNOWN: dict[str, tuple[Callable[[Shop], None], list[str]]] = {
    "known": (lambda _: None, ["sara@example.com"]),
    "has said no": (deny, ["sara@example.com"]),
    "has said yes": (grant, []),
    "suppressed": (suppress, []),
    "erased": (erase, ["sara@example.com"]),
}


@pytest.mark.parametrize("who", KNOWN)
def test_the_answer_is_the_same_whoever_it_is_and_mail_goes_where_it_may(shop: Shop, who: str) -> None:
    become, expected = KNOWN[who]
    become(shop)
    send(shop)
    there, unknown = subscribe(shop), subscribe(shop, asked(email="nobody@example.com"))
    assert (there.status, there.headers, there.text) == (unknown.status, unknown.headers, unknown.text)
    assert sorted([*expected, "nobody@example.com"]) == sorted(mailed(shop))


@pytest.mark.parametrize("who", ["has said yes", "suppressed"])
def test_who_looks_at_the_calls_sees_about_the_same_for_who_gets_no_mail(shop: Shop, who: str) -> None:
    subscribe(shop, asked(email="warm@example.com"))
    KNOWN[who][0](shop)
    seen = []
    for email in ("sara@example.com", "nobody@example.com"):
        with tapped() as calls:
            subscribe(shop, asked(email=email))
        seen.append(calls)
    there, unknown = seen
    assert {"TransactWriteItems"} == set(unknown) - set(there)
    assert abs(len(unknown) - len(there)) <= 5


def test_a_no_stays_a_no_until_the_mail_is_confirmed(shop: Shop) -> None:
    deny(shop)
    subscribe(shop)
    assert [("news", "denied", "denied")] == [(one["topic"], one["state"], one["effective"]) for one in consents(shop)]


def test_a_stranger_changes_nothing_of_whose_the_address_is(shop: Shop) -> None:
    before = shop.call("GET", f"/v1/customers/{shop.customer_id}").json
    subscribe(shop, asked(language="zh"))
    assert before == shop.call("GET", f"/v1/customers/{shop.customer_id}").json


def test_who_is_reached_elsewhere_by_now_is_asked_there(shop: Shop) -> None:
    newer = {"email": "sara@new.example.com", "user_id": "u-77", "occurred_at": "2026-11-21T10:00:00Z"}
    shop.call("PUT", "/v1/customers", newer)
    subscribe(shop)
    assert ["sara@new.example.com"] == mailed(shop)


@pytest.mark.usefixtures("shop")
def test_an_address_is_asked_once_a_day_and_three_times_in_all() -> None:
    confirmations = bootstrap.confirmations()
    command = Subscribe(site="de", email="sara@example.com", topics=("news",), language=None, text_version=None, ip="192.0.2.1")
    asked_on = [
        day
        for day in range(400)
        if day % 80 in (0, 1)
        for _ in range(2)
        if replace(confirmations, clock=Later(timedelta(days=day, minutes=day))).subscribe(command)
    ]
    assert [0, 1, 80] == asked_on


def test_letter_case_and_place_make_no_other_address(shop: Shop) -> None:
    for at, email in enumerate(("sara@example.com", "SARA@example.com", "Sara@Example.com")):
        subscribe(shop, asked(email=email), ip=f"192.0.2.{at}")
    assert ["sara@example.com"] == sorted({address.casefold() for address in mailed(shop)})


@pytest.mark.parametrize(
    "spellings",
    [
        ("sara+1@example.com", "sara@example.com", "Sara+2@Example.com", "sara+1+2@example.com"),
        ("sara.m@gmail.com", "saram+1@gmail.com", "S.a.r.a.m@googlemail.com"),
    ],
    ids=["subaddresses", "gmail"],
)
def test_a_mailbox_is_asked_once_a_day_whichever_of_its_addresses_is_typed(shop: Shop, spellings: tuple[str, ...]) -> None:
    for at, email in enumerate(spellings):
        subscribe(shop, asked(email=email), ip=f"192.0.2.{at}")
    assert list(spellings[:1]) == mailed(shop)


def test_addresses_that_may_be_two_mailboxes_are_asked_both(shop: Shop) -> None:
    addresses = ["+1@example.com", "+2@example.com", "sa.ra@example.com", "sara@example.com", "sara@example.org"]
    for at, email in enumerate(addresses):
        subscribe(shop, asked(email=email), ip=f"192.0.2.{at}")
    assert addresses == sorted(mailed(shop))


def test_twenty_sign_ups_an_hour_come_from_one_place(shop: Shop) -> None:
    answers = {subscribe(shop, asked(email=f"victim-{at}@example.com")).text for at in range(22)}
    assert {json.dumps(THE_SAME, separators=(",", ":"))} == answers
    assert 20 == len(mailed(shop))
    subscribe(shop, asked(email="victim-21@example.com"), ip="198.51.100.7")
    assert ["victim-21@example.com"] == mailed(shop)


class Flooded:
    """Limits under which no site may ask for any more within the hour."""

    def allow(self, kind: str, subject: str, most: int, window_seconds: int, now: datetime) -> bool:
        return kind != "opt-in-site" and bootstrap.limits().allow(kind, subject, most, window_seconds, now)


def test_a_flood_from_many_places_ends_at_its_site_and_costs_no_address_its_turn(shop: Shop) -> None:
    command = Subscribe(site="de", email="sara@example.com", topics=("news",), language=None, text_version=None, ip="192.0.2.1")
    refused: list[None] = []
    flooded = replace(bootstrap.confirmations(), limits=Flooded(), refused=lambda: refused.append(None))
    assert (None, [None], []) == (flooded.subscribe(command), refused, mailed(shop))
    subscribe(shop)
    assert ["sara@example.com"] == mailed(shop)


def test_a_launch_fits_into_the_counters_of_a_site() -> None:
    now = bootstrap.clock.now()
    counted = Counter(site_counter("de", bootstrap.ids.message_id(now)) for _ in range(5_000))
    assert (SITE_SHARDS, True) == (len(counted), max(counted.values()) <= MAILS_A_SITE // SITE_SHARDS)


def test_sign_ups_that_are_asked_and_refused_and_consents_that_are_confirmed_are_counted(shop: Shop, logs: Logs) -> None:
    for at in range(22):
        subscribe(shop, asked(email=f"reader-{at}@example.com"))
    subscribe(shop, asked(website="https://example.com"))
    assert {"SignUpsAsked": 20, "SignUpsRefused": 2} == metrics(logs)
    say(shop, "granted", method="double_opt_in", at=in_hours(-1), proof=a_proof())
    logs.take()
    shop.cloud.publish()
    assert {"ConsentsConfirmed": 1} == metrics(logs)


def metrics(logs: Logs) -> Counter[str]:
    """What was counted since somebody looked last, by metric."""
    counted = Counter[str]()
    for line in map(json.loads, logs.take().splitlines()):
        for group in line.get("_aws", {}).get("CloudWatchMetrics", ()):
            counted.update({each["Name"]: int(line[each["Name"]][0]) for each in group["Metrics"]})
    return counted


def test_a_field_that_people_do_not_see_catches_robots(shop: Shop) -> None:
    trapped = subscribe(shop, asked(website="https://example.com"))
    assert [] == mailed(shop)
    meant = subscribe(shop, asked(website=""))
    assert (trapped.status, trapped.text) == (meant.status, meant.text)
    assert ["sara@example.com"] == mailed(shop)


def test_who_had_nothing_left_to_confirm_may_still_be_asked_on_that_day(shop: Shop) -> None:
    grant(shop)
    subscribe(shop)
    assert [] == mailed(shop)
    deny(shop)
    subscribe(shop)
    assert ["sara@example.com"] == mailed(shop)


@pytest.mark.parametrize(
    ("said", "browser", "words"),
    [("fa", "zh", "صندوق ایمیل خود را ببینید"), ("", "zh-CN", "请查看您的邮箱"), ("fr", "sv", "Look into your mailbox")],
)
def test_a_form_without_a_script_is_answered_with_a_page_in_its_language(shop: Shop, said: str, browser: str, words: str) -> None:
    body = asked(writeKey=shop.cloud.secrets["form"]) | ({"language": said} if said else {})
    answer = subscribe(shop, body, kind=FORM, key=None, **{"accept-language": browser})
    assert (202, "text/html; charset=utf-8") == (answer.status, answer.headers["content-type"])
    assert words in answer.text
    assert ["sara@example.com"] == mailed(shop)


def test_boxes_that_are_ticked_are_topics(shop: Shop) -> None:
    assert 201 == shop.call("PUT", "/v1/topics/offers", a_topic(), key=shop.cloud.key(KeyKind.STAFF)).status
    body = asked(topics=["offers", "news", "news"], writeKey=shop.cloud.secrets["form"])
    assert 202 == subscribe(shop, body, kind=FORM, key=None).status
    assert ["news", "offers"] == [one["topic"] for one in consents(shop)]


@pytest.mark.parametrize("kind", [FORM, "application/json"])
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"topics": ["nothing"]}, (422, "unknown_topic")),
        ({"topics": ["calls"]}, (422, "unknown_topic")),
        ({"topics": []}, (422, None)),
        ({"email": "nobody"}, (422, "email_syntax")),
        ({"more": "1"}, (422, "unknown_field")),
        ({"language": "not one"}, (422, None)),
        ({"site": "fr"}, (403, "site_forbidden")),
    ],
)
def test_a_form_that_makes_no_sense_is_told_so(
    shop: Shop, kind: str, changes: dict[str, Any], expected: tuple[int, str | None]
) -> None:
    staff = shop.cloud.key(KeyKind.STAFF)
    assert 201 == shop.call("PUT", "/v1/topics/calls", a_topic(channels=["sms"]), key=staff).status
    answer = subscribe(shop, asked(**changes), kind=kind)
    assert (expected[0], expected[1] or code_of(answer)[1]) == code_of(answer)
    assert [] == mailed(shop)


def test_a_form_needs_a_key_and_any_write_key_will_do(shop: Shop) -> None:
    assert 401 == subscribe(shop, key=None).status
    assert 401 == subscribe(shop, asked(writeKey="nobody's"), key=None).status
    assert 202 == subscribe(shop, asked(writeKey=shop.cloud.secrets["form"]), key=None).status


def test_a_page_of_any_origin_may_sign_up(cloud: Cloud) -> None:
    del cloud
    first = messages(a_request("OPTIONS", PATH), None)
    assert (204, "*", "OPTIONS, POST") == (
        first["statusCode"],
        first["headers"]["access-control-allow-origin"],
        first["headers"]["access-control-allow-methods"],
    )


def test_a_site_without_a_sender_says_so(shop: Shop) -> None:
    site = bootstrap.sites().find("de")
    assert site is not None
    assert bootstrap.sites().write(replace(site, sender=None, version=2), seen=1) is None
    assert (422, "no_sender") == code_of(subscribe(shop))


def test_what_is_to_be_confirmed_is_read_by_its_message_alone(shop: Shop) -> None:
    subscribe(shop, asked(language="fa", text_version="footer/3"))
    (item,) = (item for item in shop.cloud.items("EVENT#") if item["type"]["S"] == "message.requested")
    message_id = item["data"]["M"]["run_id"]["S"]
    read = partial(read_sign_up, sends=bootstrap.sends(), timeline=bootstrap.timeline())
    found = read(shop.customer_id, message_id)
    assert found == SignUp(
        customer_id=shop.customer_id,
        site="de",
        message_id=message_id,
        topics={"news": "footer/3"},
        language="fa",
        asked_at=found.asked_at,
    )
    order_link = shop.call("POST", "/v1/messages", {"template": "order-confirmed", "customer": {"customer_id": shop.customer_id}})
    for message in (order_link.json["message_id"], "0" * 32):
        with pytest.raises(NotFound):
            read(shop.customer_id, message)
