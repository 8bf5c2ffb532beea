"""The preference centre: a "no" counts at once, a "yes" where the mailbox has said it, and nothing of the person is shown."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from ecrm import bootstrap
from ecrm.application import preferences as use_preferences
from ecrm.domain.api_keys import KeyKind
from ecrm.domain.consent import Channel, Subject
from ecrm.domain.links import Language, PersonLink, Purpose, mark_of, seal_person
from ecrm.domain.preferences import Frequency, Preferences
from tests.builders import a_consent, a_site, a_topic
from tests.cloud import Answer
from tests.functions.api import Shop, a_new_order
from tests.functions.test_consents import a_customer, history, say
from tests.functions.test_public_pages import RING
from tests.functions.test_unsubscribing import FORM, a_subscriber, held, send

_emails = iter(range(10**6))
NOTHING = use_preferences.Choose(shown=frozenset(), wanted=frozenset(), frequency=None, pause=None, attributes={}, ip="192.0.2.1")


@pytest.fixture(scope="module")
def sending_shop(shop: Shop) -> Shop:
    site = a_site(sender="news@example.com", postal_address="1 Main Street")
    assert 200 == shop.call("PUT", "/v1/sites/de", site, key=shop.cloud.key(KeyKind.STAFF)).status
    return shop


def a_person(shop: Shop) -> tuple[str, str]:
    """Who agreed to two topics; and the address at which they are reached."""
    email = f"p-{next(_emails)}@example.com"
    return a_subscriber(shop, a_customer(shop, email=email)), email


def a_path(customer_id: str, email: str = "", **changes: Any) -> str:
    mark = mark_of(bootstrap.consents().digest(Channel.EMAIL, email)) if email else ""
    said: dict[str, Any] = {"site": "de", "customer_id": customer_id, "sent_to": mark, "language": Language.ENGLISH} | changes
    return f"/public/preferences/{seal_person(PersonLink(purpose=Purpose.PREFERENCES, **said), RING)}"


def choose(path: str, *topics: str, **fields: str) -> Answer:
    pairs = [("shown", "news"), ("shown", "offers"), *(("topic", topic) for topic in topics), *fields.items()]
    return send(path, urlencode(pairs))


def chosen(shop: Shop, customer_id: str) -> list[dict[str, Any]]:
    page = shop.call("GET", f"/v1/customers/{customer_id}/timeline", query="type=preferences.changed").json
    return [event["data"] for event in page["data"]]


def kept_of(*partitions: str) -> Preferences:
    return bootstrap.preference_books().of(partitions).preferences


def attributes(shop: Shop, customer_id: str) -> dict[str, Any]:
    told = shop.call("GET", f"/v1/customers/{customer_id}").json
    return {name: value for name, value in {"language": told["language"], **told["traits"]}.items() if value is not None}


def test_a_topic_is_left_and_taken_again_with_the_page_as_its_proof(shop: Shop) -> None:
    customer_id, email = a_person(shop)
    path = a_path(customer_id, email, reference="run-7")
    assert 200 == choose(path, "offers").status
    assert {"news": "denied", "offers": "granted"} == held(shop, customer_id)
    assert 200 == choose(path, "offers", "news").status
    assert {"news": "granted", "offers": "granted"} == held(shop, customer_id)
    said = history(shop, customer_id)[0]["data"]
    assert ("granted", "preference_centre", "preference_centre", "message:run-7", "192.0.2.1") == (
        said["state"],
        said["method"],
        *(said["proof"][name] for name in ("kind", "reference", "ip")),
    )


def test_the_same_choice_once_more_adds_nothing(shop: Shop) -> None:
    customer_id, email = a_person(shop)
    path = a_path(customer_id, email)
    assert 200 == choose(path, "news", frequency="weekly", pause="start", language="fa", month="2", day="29").status
    before = shop.cloud.items()
    assert 200 == choose(path, "news", frequency="weekly", pause="start", language="fa", month="2", day="29").status
    after = shop.cloud.items()
    assert len(before) == len(after)


def test_how_often_and_a_pause_are_kept_and_the_pause_can_be_ended(shop: Shop) -> None:
    customer_id, email = a_person(shop)
    path = a_path(customer_id, email)
    page = choose(path, "news", frequency="monthly", pause="start")
    kept = kept_of(customer_id)
    assert kept.pause_at is not None
    assert ("monthly", kept.pause_at + timedelta(days=30)) == (kept.frequency, kept.paused_until)
    assert ('value="monthly" checked' in page.text, 'name="pause" value="end"' in page.text) == (True, True)
    assert 200 == choose(path, "news", pause="end").status
    assert ("monthly", None) == (kept_of(customer_id).frequency, kept_of(customer_id).paused_until)
    assert [("monthly", False), ("monthly", True)] == [
        (told["frequency"], told["paused_until"] is not None) for told in chosen(shop, customer_id)
    ]


def test_language_and_birthday_are_the_profiles_and_the_birthday_is_forgotten(shop: Shop) -> None:
    customer_id, email = a_person(shop)
    path = a_path(customer_id, email)
    assert 200 == choose(path, language="zh", month="2", day="29").status
    assert {"language": "zh", "birthday": "--02-29"} == attributes(shop, customer_id)
    assert "selected" not in send(path, method="GET").text.partition('name="month"')[2]
    assert 200 == choose(path, birthday="forget").status
    assert {"language": "zh"} == attributes(shop, customer_id)


@pytest.mark.parametrize(("month", "day"), [("2", "30"), ("2", ""), ("", "1"), ("x", "1")])
def test_of_a_birthday_that_is_none_it_is_said_beside_the_field_and_all_else_is_kept(shop: Shop, month: str, day: str) -> None:
    customer_id, email = a_person(shop)
    page = choose(a_path(customer_id, email), "offers", frequency="weekly", language="zh", month=month, day=day)
    assert (200, 2) == (page.status, page.text.count('aria-invalid="true" aria-describedby="wrong-birthday"'))
    assert [True, True] == [words in page.text for words in ("but for the birthday", 'id="wrong-birthday">Please choose both')]
    fields = re.findall(r'<select name="(?:month|day)".*?</select>', page.text, re.DOTALL)
    selected = [re.findall(r'<option value="(\d+)" selected>', each) for each in fields]
    assert [[each] if each.isdigit() else [] for each in (month, day)] == selected
    assert {"news": "denied", "offers": "granted"} == held(shop, customer_id)
    assert ("weekly", {"language": "zh"}) == (kept_of(customer_id).frequency, attributes(shop, customer_id))


def test_a_form_may_have_as_many_topics_as_fit_into_it(shop: Shop) -> None:
    customer_id, email = a_person(shop)
    staff = shop.cloud.key(KeyKind.STAFF)
    topics = [f"topic-{number}" for number in range(111)]
    for topic in topics:
        assert 201 == shop.call("PUT", f"/v1/topics/{topic}", a_topic(), key=staff).status
    assert 200 == choose(a_path(customer_id, email), *topics, **dict.fromkeys(("frequency",), "weekly")).status
    assert ({*topics}, "weekly") == (
        {topic for topic, state in held(shop, customer_id).items() if state == "granted"},
        kept_of(customer_id).frequency,
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"topic": "nothing"},
        {"shown": "nothing"},
        {"frequency": "hourly"},
        {"pause": "forever"},
        {"language": "de"},
        {"topic": "sms:news"},
        {"shown": "sms:news"},
        {"topic": "fax:news"},
    ],
)
def test_what_nobody_was_offered_is_refused_and_changes_nothing(shop: Shop, fields: dict[str, str]) -> None:
    customer_id, email = a_person(shop)
    before = shop.cloud.items()
    assert 422 == send(a_path(customer_id, email), urlencode(fields)).status
    assert before == shop.cloud.items()


class Meanwhile:
    """A collaborator of ours, before whose answer to `asked` something happens, once."""

    def __init__(self, real: Any, asked: str, happens: Callable[[], object]) -> None:
        self._real, self._asked, self._happens = real, asked, [happens]

    def __getattr__(self, name: str) -> Any:
        answer = getattr(self._real, name)
        if name != self._asked:
            return answer

        def asked(*said: Any, **named: Any) -> Any:
            given = answer(*said, **named)
            while self._happens:
                self._happens.pop()()
            return given

        return asked


def test_of_two_who_save_at_once_neither_loses_what_they_chose(shop: Shop) -> None:
    customer_id, email = a_person(shop)
    path = a_path(customer_id, email)
    assert 200 == choose(path, frequency="weekly").status
    books = Meanwhile(bootstrap.preference_books(), "of", lambda: choose(path, pause="start"))
    wanted = replace(NOTHING, frequency=Frequency.MONTHLY)
    use_preferences.choose(path.rpartition("/")[2], wanted, room=replace(bootstrap.preference_room(), books=books))
    kept = kept_of(customer_id)
    assert ("monthly", True) == (kept.frequency, kept.paused_until is not None)


def test_a_yes_counts_for_the_mailbox_that_said_it_and_for_no_other_that_is_theirs_a_moment_later(shop: Shop) -> None:
    customer_id, email = a_person(shop)
    path = a_path(customer_id, email)
    assert 200 == choose(path).status
    changed = {"email": f"p-{next(_emails)}@example.com"}
    topics = Meanwhile(bootstrap.topics(), "named", lambda: shop.call("PATCH", f"/v1/customers/{customer_id}", changed))
    wanted = replace(NOTHING, wanted=frozenset({Subject(Channel.EMAIL, "news")}))
    use_preferences.choose(path.rpartition("/")[2], wanted, room=replace(bootstrap.preference_room(), topics=topics))
    assert "pending" == held(shop, customer_id)["news"]
    assert 200 == shop.call("PATCH", f"/v1/customers/{customer_id}", {"email": email}).status
    assert "granted" == held(shop, customer_id)["news"]


ELSEWHERE = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"origin": "https://evil.example", "host": "shop.example.com"},
    {"origin": "null", "host": "shop.example.com"},
]


@pytest.mark.parametrize("headers", ELSEWHERE)
def test_a_form_that_another_sites_page_posts_is_refused(shop: Shop, headers: dict[str, str]) -> None:
    customer_id, email = a_person(shop)
    before = shop.cloud.items()
    assert 403 == send(a_path(customer_id, email), "do=stop", headers=FORM | headers).status
    assert before == shop.cloud.items()


@pytest.mark.parametrize(
    "headers", [{}, {"sec-fetch-site": "same-origin"}, {"origin": "https://shop.example.com", "host": "shop.example.com"}]
)
def test_a_form_of_the_page_itself_is_taken(shop: Shop, headers: dict[str, str]) -> None:
    customer_id, email = a_person(shop)
    assert 200 == send(a_path(customer_id, email), "do=stop", headers=FORM | headers).status
    assert {"denied"} == set(held(shop, customer_id).values())


@pytest.mark.parametrize(
    ("body", "headers", "status"), [("{}", {"content-type": "application/json"}, 422), ("a" * 65_537, FORM, 413)]
)
def test_what_is_no_form_is_refused(shop: Shop, body: str, headers: dict[str, str], status: int) -> None:
    assert status == send(a_path(a_person(shop)[0]), body, headers=headers).status


def test_after_a_hard_no_the_mailbox_is_asked(sending_shop: Shop) -> None:
    shop = sending_shop
    customer_id, email = a_person(shop)
    no = a_consent("denied", at="2026-11-21T12:00:00Z", method="service")
    assert 201 == say(shop, customer_id, no).status
    page = choose(a_path(customer_id, email), "news", "offers")
    assert (200, True) == (page.status, "ask your mailbox" in page.text)
    assert "denied" == held(shop, customer_id)["news"]
    asked = shop.call("GET", f"/v1/customers/{customer_id}/timeline", query="type=message.requested").json["data"]
    told = [event["data"] for event in asked]
    assert [("confirm-address", ["news"])] == [(each["template"], [*each["data"]["topics"]]) for each in told]


def test_a_link_that_was_sent_to_another_address_raises_nothing_by_itself(sending_shop: Shop) -> None:
    shop = sending_shop
    customer_id, _ = a_person(shop)
    path = a_path(customer_id, "old@example.com")
    assert 200 == choose(path).status
    assert {"news": "denied", "offers": "denied"} == held(shop, customer_id)
    assert 200 == choose(path, "news").status
    assert "denied" == held(shop, customer_id)["news"]


def test_to_a_suppressed_address_nothing_is_promised(sending_shop: Shop) -> None:
    shop = sending_shop
    customer_id, email = a_person(shop)
    suppressed = {"channel": "email", "address": email, "reason": "complaint", "at": "2026-11-21T12:00:00Z"}
    assert shop.call("POST", "/v1/suppressions", suppressed).status in (200, 201)
    page = choose(a_path(customer_id, email), "news", "offers")
    assert (200, True) == (page.status, "Please write to us" in page.text)
    assert {"news": "denied", "offers": "denied"} == held(shop, customer_id)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_visit_changes_nothing_and_the_page_says_nothing_of_who_it_is(shop: Shop, method: str) -> None:
    customer_id, email = a_person(shop)
    before = shop.cloud.items()
    answer = send(a_path(customer_id, email), method=method)
    assert before == shop.cloud.items()
    assert [] == [secret for secret in (email, customer_id) if secret in answer.text]


def test_the_erased_have_no_page(shop: Shop) -> None:
    customer_id, email = a_person(shop)
    assert 202 == shop.call("POST", f"/v1/customers/{customer_id}/erasure-jobs", {}).status
    path, nowhere = a_path(customer_id, email), "/public/preferences/nothing"
    for method in ("GET", "POST"):
        assert (404, send(nowhere, "do=stop", method=method)) == (404, send(path, "do=stop", method=method))


def test_what_an_absorbed_customer_chose_counts_until_something_is_chosen_later(shop: Shop) -> None:
    customer_id, _ = a_person(shop)
    guest = shop.call("POST", "/v1/orders", a_new_order(customer={"email": f"g-{next(_emails)}@example.com"}))
    loser = guest.json["customer_id"]
    assert 200 == choose(a_path(loser), frequency="monthly").status
    staff = shop.cloud.key(KeyKind.STAFF)
    assert 201 == shop.call("POST", f"/v1/customers/{customer_id}/merge", {"customer_id": loser}, key=staff).status
    assert "monthly" == kept_of(customer_id, loser).frequency
    assert 200 == choose(a_path(loser), "news", frequency="as_it_comes").status
    assert "as_it_comes" == kept_of(customer_id, loser).frequency
