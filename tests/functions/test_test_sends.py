"""Test sends: to colleagues and nobody else, marked, in no history, and held by what holds all mail."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from ecrm import bootstrap
from ecrm.application.mail_ports import Pause
from ecrm.application.test_sends import MOST_A_DAY
from ecrm.domain.api_keys import KeyKind
from ecrm.domain.messages import Policy
from tests.builders import a_site
from tests.cloud import Answer
from tests.functions.api import Shop, code_of
from tests.functions.mail import Ses, ses
from tests.functions.test_templates import a_template, put

MIRA, JO = "mira@example.com", "jo@example.com"


@pytest.fixture
def provider(shop: Shop) -> Iterator[Ses]:
    site(shop)
    shop.cloud.arm()
    assert put(shop, "trial", a_template("<p>Hello {{ customer.first_name }}</p>")).status in (200, 201)
    bootstrap.test_mailer.cache_clear()
    with ses() as taken:
        yield taken


def site(shop: Shop, **changes: Any) -> None:
    said = {"sender": "hello@example.com", "postal_address": "Ringstraße 1", "test_recipients": [MIRA, JO]}
    assert shop.call("PUT", "/v1/sites/de", a_site(**said | changes), key=shop.cloud.key(KeyKind.STAFF)).status in (200, 201)


def sent(shop: Shop, template: str = "trial", **body: Any) -> Answer:
    said = {"site": "de", "to": [MIRA]} | body
    return shop.call("POST", f"/v1/templates/{template}/test-sends", said, key=shop.cloud.key(KeyKind.STAFF, sites="*"))


def test_a_test_goes_to_colleagues_and_is_marked_as_one(shop: Shop, provider: Ses) -> None:
    answer = sent(shop, to=[MIRA, "JO@example.com", MIRA], customer={"first_name": "Sara"})
    expected = {
        "language": "en",
        "subject": "[Test] News",
        "size_bytes": answer.json["size_bytes"],
        "warnings": [],
        "sent": [{"to": to, "outcome": "accepted", "reason": None} for to in (MIRA, "JO@example.com")],
    }
    assert (200, expected) == (answer.status, answer.json)
    first, second = provider.mails
    assert ([MIRA], ["JO@example.com"]) == (first["Destination"]["ToAddresses"], second["Destination"]["ToAddresses"])
    simple = first["Content"]["Simple"]
    assert ("[Test] News", "Hello Sara\n") == (simple["Subject"]["Data"], simple["Body"]["Text"]["Data"])
    assert {"Auto-Submitted", "X-Auto-Response-Suppress"} == {each["Name"] for each in simple["Headers"]}
    assert ("transactional", []) == (first["ConfigurationSetName"], first["EmailTags"])


def test_a_test_in_persian_is_laid_out_as_its_mail_will_be(shop: Shop, provider: Ses) -> None:
    answer = sent(shop, "birthday", language="fa", customer={"first_name": "Sara"})
    expected = "\u200f[Test] \u200f\u2068Sara\u2069، تولدتان مبارک"
    assert (expected, expected) == (answer.json["subject"], provider.mails[0]["Content"]["Simple"]["Subject"]["Data"])


def test_a_marketing_template_is_tried_with_products_segments_and_a_customer(shop: Shop, provider: Ses) -> None:
    product = {"name": "Blue", "url": "https://example.com/blue", "price": {"amount": "12.50", "currency": "EUR"}}
    assert shop.call("PUT", "/v1/products/TRY-1", product).status in (200, 201)
    data = {"title": "Spring", "vip": "Two days early", "skus": ["TRY-1"]}
    assert 200 == sent(shop, "newsletter", data=data, segments=["vip"], customer_id=shop.customer_id, language="en").status
    text = provider.mails[0]["Content"]["Simple"]["Body"]["Text"]["Data"]
    assert "Two days early" in text
    assert "Blue 12.50 EUR: https://example.com/blue" in text
    assert "Kind of Blue" not in text


REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "a customer": ({"to": [MIRA, "sara@example.com"]}, 422, "not_a_test_recipient"),
    "nobody": ({"to": []}, 422, "too_few"),
    "six": ({"to": [f"{at}@example.com" for at in range(6)]}, 422, "too_many"),
    "an unknown site": ({"site": "nowhere"}, 422, "unknown_site"),
    "a template that is not there": ({"template": "absent"}, 404, "template_not_found"),
    "a version that is not there": ({"version": 999}, 404, "template_not_found"),
    "a partial": ({"template": "cart"}, 422, "template_is_partial"),
    "a language that it has not": ({"language": "fr"}, 422, "unknown_language"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_test_that_must_not_be_is_refused_and_nothing_is_sent(shop: Shop, provider: Ses, what: str) -> None:
    change, status, code = REFUSED[what]
    assert ((status, code), []) == (code_of(sent(shop, **change)), provider.mails)


def test_nothing_is_tried_on_a_site_that_could_not_send_it_or_without_recipients(shop: Shop, provider: Ses) -> None:
    site(shop, test_recipients=[])
    assert (422, "not_a_test_recipient") == code_of(sent(shop))
    site(shop, sender=None)
    assert (422, "no_sender") == code_of(sent(shop))
    site(shop, postal_address=None)
    assert (422, "no_postal_address") == code_of(sent(shop, "newsletter"))
    assert [] == provider.mails


def test_only_who_may_write_templates_sends_tests_and_reads_customers_with_their_own_right(shop: Shop, provider: Ses) -> None:
    path, said = "/v1/templates/trial/test-sends", {"site": "de", "to": [MIRA]}
    assert 403 == shop.call("POST", path, said, key=shop.cloud.key(KeyKind.SERVER)).status
    assert [] == provider.mails


def test_what_stops_all_mail_stops_tests(shop: Shop, provider: Ses) -> None:
    control = bootstrap.sending_control()
    seen = control.sending()
    changed: dict[str, dict[str, Any]] = {
        "sending_paused": {"paused": {Policy.TRANSACTIONAL: Pause(bootstrap.clock.now(), "test", "why")}},
        "sending_not_armed": {"armed_for": "another"},
    }
    for version, (code, change) in enumerate(changed.items(), start=seen.version + 1):
        assert control.write(replace(seen, version=version, **change))
        assert (409, code) == code_of(sent(shop))
    assert control.write(replace(seen, version=seen.version + 3))
    assert [] == provider.mails
    assert 200 == sent(shop).status


def test_a_suppressed_address_gets_no_test(shop: Shop, provider: Ses) -> None:
    site(shop, test_recipients=[MIRA, "gone@example.com"])
    address = {"channel": "email", "address": "gone@example.com", "reason": "hard_bounce"}
    assert 201 == shop.call("POST", "/v1/suppressions", address, key=shop.cloud.key(KeyKind.STAFF)).status
    assert (409, "address_suppressed") == code_of(sent(shop, to=[MIRA, "gone@example.com"]))
    assert [] == provider.mails


def test_a_site_sends_so_many_tests_a_day_and_no_more(shop: Shop, provider: Ses) -> None:
    site_of_its_own = a_site(sender="hello@example.com", test_recipients=[MIRA, JO])
    assert 201 == shop.call("PUT", "/v1/sites/trials", site_of_its_own, key=shop.cloud.key(KeyKind.STAFF)).status
    for _ in range(MOST_A_DAY // 2):
        assert 200 == sent(shop, site="trials", to=[MIRA, JO]).status
    assert (409, "too_many_test_sends") == code_of(sent(shop, site="trials"))
    assert MOST_A_DAY == len(provider.mails)


@pytest.mark.parametrize(
    ("status", "said", "outcome"),
    [(400, "MessageRejected", "refused"), (429, "TooManyRequestsException", "not_sent"), (500, "InternalFailure", "unknown")],
)
def test_what_the_provider_says_is_told(shop: Shop, provider: Ses, status: int, said: str, outcome: str) -> None:
    provider.answering = lambda asked: asked.refuse(said, status)
    assert [{"to": MIRA, "outcome": outcome, "reason": said}] == sent(shop).json["sent"]
