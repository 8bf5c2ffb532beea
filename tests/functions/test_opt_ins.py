"""Double opt-in: the page's button confirms, once, within 72 hours, for the very address that was asked (C4)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ecrm import bootstrap
from ecrm.application.opt_ins import OptInRoom, confirm_opt_in, read_opt_in
from ecrm.application.person_links import links_of_mail
from ecrm.application.subscriptions import AskToConfirm
from ecrm.domain.api_keys import KeyKind
from ecrm.domain.consent import Channel
from ecrm.domain.errors import NotFound
from ecrm.domain.messages import Send
from tests.builders import a_consent, a_site, a_topic
from tests.functions.api import Shop
from tests.functions.test_consents import a_customer, history, say
from tests.functions.test_public_pages import HOST, RING
from tests.functions.test_unsubscribing import FORM, held, send

_emails = iter(range(10**6))


@pytest.fixture(scope="module")
def asking(shop: Shop) -> Shop:
    staff = shop.cloud.key(KeyKind.STAFF)
    assert 200 == shop.call("PUT", "/v1/sites/de", a_site(sender="news@example.com"), key=staff).status
    for topic in ("news", "offers"):
        shop.call("PUT", f"/v1/topics/{topic}", a_topic(), key=staff)
    return shop


def asked(shop: Shop) -> tuple[str, str]:
    """A new customer whose mailbox was asked about two topics, and the path in that mail."""
    email = f"o-{next(_emails)}@example.com"
    customer_id = a_customer(shop, email=email)
    wanted = AskToConfirm(
        customer_id=customer_id, site="de", topics=("news", "offers"), language="en", text_version="form-3", source="test"
    )
    message = bootstrap.confirmations().ask_to_confirm(wanted)
    assert message is not None
    return customer_id, path_of(message, email)


def path_of(message: Send, email: str) -> str:
    digest = bootstrap.consents().digest(Channel.EMAIL, email)
    links = links_of_mail(message, digest=digest, kind=None, language="en", ring=RING, public_url=HOST)
    assert ["confirm"] == [*links]
    return links["confirm"].removeprefix(HOST)


def test_nothing_holds_until_the_button_is_pressed_and_then_the_mail_is_the_proof(asking: Shop) -> None:
    customer_id, path = asked(asking)
    page = send(path, method="GET")
    assert (200, True, True) == (page.status, "<form" in page.text, "News" in page.text)
    assert {"news": "pending", "offers": "pending"} == held(asking, customer_id)
    assert 200 == send(path, "do=confirm").status
    assert {"news": "granted", "offers": "granted"} == held(asking, customer_id)
    said = [event["data"] for event in history(asking, customer_id) if event["data"]["state"] == "granted"]
    assert [("double_opt_in", "form-3", "double_opt_in", "192.0.2.1")] * 2 == [
        (each["method"], each["text_version"], each["proof"]["kind"], each["proof"]["ip"]) for each in said
    ]


def language_of(shop: Shop, customer_id: str) -> Any:
    return shop.call("GET", f"/v1/customers/{customer_id}").json["language"]


def test_who_has_no_language_has_that_of_the_sign_up_from_the_confirmation_on(asking: Shop) -> None:
    customer_id, path = asked(asking)
    send(path, method="GET")
    assert language_of(asking, customer_id) is None
    send(path, "do=confirm")
    assert "en" == language_of(asking, customer_id)
    assert 200 == asking.call("PATCH", f"/v1/customers/{customer_id}", {"language": None}).status
    send(path, "do=confirm")
    assert language_of(asking, customer_id) is None


def test_a_language_that_a_page_only_claims_gives_way_to_the_sign_up_s(asking: Shop) -> None:
    customer_id, path = asked(asking)
    identifiers = asking.call("GET", f"/v1/customers/{customer_id}").json["identifiers"]
    (user_id,) = (identifier["value"] for identifier in identifiers if identifier["kind"] == "user_id")
    claimed = {"anonymousId": "stranger", "userId": user_id, "traits": {"language": "fa"}}
    assert 200 == asking.call("POST", "/v1/identify", claimed, key=asking.cloud.key(KeyKind.WRITE)).status
    assert "fa" == language_of(asking, customer_id)
    assert 200 == send(path, "do=confirm").status
    found = asking.call("GET", f"/v1/customers/{customer_id}").json
    assert ("en", False) == (found["language"], found["provenance"]["language"]["claimed"])


def test_who_has_a_language_keeps_it(asking: Shop) -> None:
    customer_id, path = asked(asking)
    assert 200 == asking.call("PATCH", f"/v1/customers/{customer_id}", {"language": "fa"}).status
    assert 200 == send(path, "do=confirm").status
    assert "fa" == language_of(asking, customer_id)


def test_a_link_confirms_once_and_not_again_after_a_later_no(asking: Shop) -> None:
    customer_id, path = asked(asking)
    assert [200, 200] == [send(path, "do=confirm").status for _ in range(2)]
    assert 2 == sum(event["data"]["state"] == "granted" for event in history(asking, customer_id))
    now = bootstrap.clock.now().isoformat()
    assert 201 == say(asking, customer_id, a_consent("denied", at=now, method="service")).status
    page = send(path, method="GET")
    assert (200, False) == (page.status, "<form" in page.text)
    assert 200 == send(path, "do=confirm").status
    assert {"news": "denied", "offers": "granted"} == held(asking, customer_id)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_visit_confirms_nothing(asking: Shop, method: str) -> None:
    _, path = asked(asking)
    before = asking.cloud.items()
    assert send(path, method=method).status in (200, 204)
    assert before == asking.cloud.items()


class Later:
    """Our clock, ahead by some time."""

    def __init__(self, by: timedelta) -> None:
        self._by = by

    def now(self) -> Any:
        return bootstrap.clock.now() + self._by


def room_at(by: timedelta) -> OptInRoom:
    return replace(bootstrap.opt_in_room(), clock=Later(by))


def test_a_link_ends_after_72_hours(asking: Shop) -> None:
    customer_id, path = asked(asking)
    token = path.rpartition("/")[2]
    hours = timedelta(hours=72)
    assert not read_opt_in(token, room=room_at(hours - timedelta(seconds=30))).is_done
    for use in (read_opt_in, lambda token, room: confirm_opt_in(token, ip="", room=room)):
        with pytest.raises(NotFound):
            use(token, room=room_at(hours))
    assert {"news": "pending", "offers": "pending"} == held(asking, customer_id)


def test_a_link_of_an_address_that_is_not_the_customers_any_more_is_nothing(asking: Shop) -> None:
    customer_id, path = asked(asking)
    changed = {"email": f"o-{next(_emails)}@example.com"}
    assert 200 == asking.call("PATCH", f"/v1/customers/{customer_id}", changed).status
    assert [404, 404] == [send(path, "do=confirm", method=method).status for method in ("GET", "POST")]
    assert {"news": "pending", "offers": "pending"} == held(asking, customer_id)


def test_another_sites_page_cannot_confirm_nor_can_a_mail_that_asked_for_nothing(asking: Shop) -> None:
    customer_id, path = asked(asking)
    assert 403 == send(path, "do=confirm", headers=FORM | {"sec-fetch-site": "cross-site"}).status
    assert {"news": "pending", "offers": "pending"} == held(asking, customer_id)


def test_the_erased_confirm_nothing(asking: Shop) -> None:
    customer_id, path = asked(asking)
    assert 202 == asking.call("POST", f"/v1/customers/{customer_id}/erasure-jobs", {}).status
    nowhere = send("/public/confirm/nothing", method="GET")
    assert [nowhere] * 2 == [send(path, method="GET"), send(path, "do=confirm")]
