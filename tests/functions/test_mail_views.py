"""A mail in the browser: the same once more, for whoever has its link; nobody is told, and nothing runs."""

from datetime import timedelta
from typing import Any

import pytest

from ecrm import bootstrap
from ecrm.application.person_links import links_of_mail
from ecrm.domain.api_keys import KeyKind
from ecrm.domain.consent import Channel
from ecrm.domain.errors import NotFound
from ecrm.domain.links import PersonLink, Purpose, mark_of, seal_person, unseal_person
from ecrm.domain.messages import Policy
from tests.builders import NOON, a_planned_send, a_site
from tests.functions.api import Shop, a_new_order
from tests.functions.test_public_pages import HOST, RING
from tests.functions.test_unsubscribing import send

_people = iter(range(10**6))


@pytest.fixture(scope="module")
def sending(shop: Shop) -> Shop:
    site = a_site(sender="news@example.com", languages=["en"])
    assert 200 == shop.call("PUT", "/v1/sites/de", site, key=shop.cloud.key(KeyKind.STAFF)).status
    return shop


def a_mail(shop: Shop, **changes: Any) -> tuple[str, str, str]:
    """A mail about an order: its customer, its id and the path that shows it."""
    user_id = f"v-{next(_people)}"
    order = a_new_order(customer={"user_id": user_id, "email": f"{user_id}@example.com"})
    customer_id = shop.call("POST", "/v1/orders", order).json["customer_id"]
    body = {"template": "order-confirmed", "customer": {"user_id": user_id}, "order_id": order["order_id"]} | changes
    asked = shop.call("POST", "/v1/messages", body)
    assert 202 == asked.status
    message_id = asked.json["message_id"]
    return customer_id, message_id, a_path(customer_id, message_id, email=f"{user_id}@example.com")


def a_path(customer_id: str, message_id: str, shard: str = "0", email: str = "") -> str:
    mark = mark_of(bootstrap.consents().digest(Channel.EMAIL, email)) if email else ""
    link = PersonLink(purpose=Purpose.VIEW, site="de", customer_id=customer_id, about=(message_id, shard), sent_to=mark)
    return f"/public/view/{seal_person(link, RING)}"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_mail_is_shown_as_it_was_made_and_a_visit_leaves_nothing(sending: Shop, method: str) -> None:
    _, _, path = a_mail(sending)
    before = sending.cloud.items()
    answer = send(path, method=method)
    assert before == sending.cloud.items()
    assert ({"GET": 200, "HEAD": 200, "OPTIONS": 204}[method], method == "GET") == (answer.status, "Hejira" in answer.text)


def test_it_may_show_pictures_and_its_own_style_and_run_nothing(sending: Shop) -> None:
    policy = send(a_mail(sending)[2], method="GET").headers["content-security-policy"]
    closed = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    assert f"default-src 'none'; img-src https:; {closed}; style-src 'unsafe-inline'" == policy


def test_a_mail_that_is_not_there_or_cannot_be_made_any_more_is_nothing(sending: Shop) -> None:
    customer_id, message_id, _ = a_mail(sending)
    nowhere = send("/public/view/nothing", method="GET")
    assert 404 == nowhere.status
    for path in (a_path(customer_id, message_id, "7"), a_path(customer_id, "none"), a_path("nobody", message_id)):
        assert nowhere == send(path, method="GET")


def test_a_mail_is_nothing_once_its_customer_is_reached_elsewhere(sending: Shop) -> None:
    """Else its page would carry links that are marked with the address of now, for whoever reads the old mailbox."""
    customer_id, _, path = a_mail(sending)
    assert 200 == send(path, method="GET").status
    assert 200 == sending.call("PATCH", f"/v1/customers/{customer_id}", {"email": f"n-{customer_id}@example.com"}).status
    assert send("/public/view/nothing", method="GET") == send(path, method="GET")


def test_the_link_of_a_marketing_mail_to_itself_carries_the_mark_of_its_address_and_ends_after_60_days() -> None:
    now = NOON
    mail = a_planned_send("run", "customer", now, policy=Policy.MARKETING, topic="news")
    digest = "0123456789abcdef" * 4
    links = links_of_mail(mail, digest=digest, kind=None, language="en", ring=RING, public_url=HOST)
    token = links["view"].rpartition("/")[2]
    link = unseal_person(token, Purpose.VIEW, RING, now)
    assert ("0123456789abcdef", now + timedelta(days=60)) == (link.sent_to, link.expires_at)
    with pytest.raises(NotFound):
        unseal_person(token, Purpose.VIEW, RING, now + timedelta(days=60))


def test_the_erased_see_no_mail(sending: Shop) -> None:
    customer_id, _, path = a_mail(sending)
    assert 202 == sending.call("POST", f"/v1/customers/{customer_id}/erasure-jobs", {}).status
    assert send("/public/view/nothing", method="GET") == send(path, method="GET")


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_it_takes_nothing(sending: Shop, method: str) -> None:
    answer = send(a_mail(sending)[2], "a=b", method=method)
    assert (405, "GET, HEAD, OPTIONS") == (answer.status, answer.headers["allow"])
