"""The welcome: once, when a mailbox has confirmed, in the language in which it was asked."""

from typing import Any

import pytest

from ecrm import bootstrap
from ecrm.application.subscriptions import AskToConfirm
from ecrm.domain.api_keys import KeyKind
from publish_events.handler import handler as publish
from tests.builders import a_record, a_site, a_topic
from tests.functions.api import Shop, in_hours, open_shop
from tests.functions.mail import send
from tests.functions.test_consents import a_customer
from tests.functions.test_opt_ins import path_of
from tests.functions.test_unsubscribing import send as visit

SITE = a_site(
    sender="hello@example.com",
    postal_address="Ringstraße 1",
    languages=["de", "en", "fa"],
    quiet_hours=None,
    mails={"consent.confirmed": "welcome"},
)


@pytest.fixture
def shop(cloud: Any) -> Shop:
    opened = open_shop(cloud)
    staff = cloud.key(KeyKind.STAFF)
    assert 200 == opened.call("PUT", "/v1/sites/de", SITE, key=staff).status
    for topic in ("news", "offers"):
        opened.call("PUT", f"/v1/topics/{topic}", a_topic(), key=staff)
    cloud.arm()
    return opened


def languages(mails: list[dict[str, Any]]) -> list[str]:
    """In which language each mail is, as its page says."""
    pages = (mail["Content"]["Simple"]["Body"]["Html"]["Data"] for mail in mails)
    return [page.partition('lang="')[2].partition('"')[0] for page in pages]


def confirms(shop: Shop, email: str, language: str) -> str:
    """Somebody is asked about two topics and confirms them; gives who."""
    customer_id = a_customer(shop, email=email)
    wanted = AskToConfirm(
        customer_id=customer_id, site="de", topics=("news", "offers"), language=language, text_version="form-3", source="test"
    )
    message = bootstrap.confirmations().ask_to_confirm(wanted)
    assert message is not None
    assert [language] == languages(send(shop))
    assert 200 == visit(path_of(message, email), "do=confirm").status
    return customer_id


def welcomes(shop: Shop, customer_id: str) -> list[tuple[str, str]]:
    told = shop.call("GET", f"/v1/customers/{customer_id}/timeline", query="type=message.requested").json["data"]
    return [(event["data"]["template"], event["data"]["language"]) for event in told if event["source"] == "consents"]


def test_who_confirms_is_welcomed_once_in_the_language_in_which_they_were_asked(shop: Shop) -> None:
    customer_id = confirms(shop, "mina@example.com", "fa")
    mails = send(shop)
    assert (["fa"], ["mina@example.com"]) == (languages(mails), mails[0]["Destination"]["ToAddresses"])
    assert "List-Unsubscribe" in {header["Name"] for header in mails[0]["Content"]["Simple"]["Headers"]}
    publish({"Records": [a_record(item) for item in shop.cloud.items("EVENT#")]}, None)
    assert ([], [("welcome", "fa")]) == (send(shop), welcomes(shop, customer_id))


@pytest.mark.parametrize(("topic", "expected"), [("offers", [("About offers", "offers")]), ("events", [])])
def test_a_welcome_that_was_written_for_a_topic_goes_out_when_that_one_is_confirmed(
    shop: Shop, topic: str, expected: list[tuple[str, str]]
) -> None:
    """They confirm news and offers."""
    html = '<p>{{ site.postal_address }}</p><a href="{{ links.unsubscribe }}">No more</a>'
    template = {"purpose": "marketing", "topic": topic, "variants": {"en": {"subject": f"About {topic}", "html": html}}}
    staff = shop.cloud.key(KeyKind.STAFF)
    for path, body in (("topics/events", a_topic()), ("templates/welcome", template)):
        assert 201 == shop.call("PUT", f"/v1/{path}", body, key=staff).status
    customer_id = confirms(shop, "mina@example.com", "en")
    subjects = [mail["Content"]["Simple"]["Subject"]["Data"] for mail in send(shop)]
    told = shop.call("GET", f"/v1/customers/{customer_id}/timeline", query="type=message.requested").json["data"]
    runs = [event["data"]["run_id"] for event in told if event["source"] == "consents"]
    topics = [shop.call("GET", f"/v1/messages/{run}").json["topic"] for run in runs]
    assert expected == [*zip(subjects, topics, strict=True)]


def test_a_site_without_a_welcome_sends_none(shop: Shop) -> None:
    assert 200 == shop.call("PUT", "/v1/sites/de", SITE | {"mails": {}}, key=shop.cloud.key(KeyKind.STAFF)).status
    customer_id = confirms(shop, "mina@example.com", "en")
    assert ([], []) == (send(shop), welcomes(shop, customer_id))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, 1),
        ({"method": "import"}, 0),
        ({"at": in_hours(-80)}, 0),
        ({"state": "denied", "proof": None}, 0),
        ({"channel": "sms"}, 0),
    ],
    ids=["a shop's own double opt-in", "a file's", "a past one", "a no", "of another channel"],
)
def test_only_a_mailbox_that_confirms_now_is_welcomed(shop: Shop, said: dict[str, Any], expected: int) -> None:
    topic = a_topic(channels=["email", "sms"])
    shop.call("PUT", "/v1/topics/news", topic, key=shop.cloud.key(KeyKind.STAFF))
    at = said.get("at", in_hours(-1))
    proof = {"kind": "double_opt_in", "confirmed_at": at, "reference": "mail-1"}
    consent = {
        "channel": "email",
        "topic": "news",
        "state": "granted",
        "method": "double_opt_in",
        "at": at,
        "proof": proof,
    } | said
    consent = {name: value for name, value in consent.items() if value is not None}
    changed = shop.call("POST", f"/v1/customers/{shop.customer_id}/consents", {"consents": [consent]})
    assert 201 == changed.status, changed.text
    assert expected == len(send(shop))
