"""Messages that are asked for: what is answered, what is refused, and what is kept."""

from collections.abc import Callable
from typing import Any

import pytest

from ecrm.domain.api_keys import KeyKind
from tests.builders import a_site
from tests.cloud import Answer
from tests.functions.api import NOBODY, Shop, a_new_order, code_of

type Body = dict[str, Any]


def a_message(**changes: Any) -> Body:
    return {"template": "order-confirmed", "customer": {"user_id": "u-77"}} | changes


def ask_for(shop: Shop, body: Body, **headers: str) -> Answer:
    return shop.call("POST", "/v1/messages", body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def requested(shop: Shop, customer_id: str) -> list[Body]:
    """What was asked for, as the timeline tells it, newest first."""
    told = shop.call("GET", f"/v1/customers/{customer_id}/timeline", query="type=message.requested").json["data"]
    return [event["data"] for event in told]


def test_a_message_is_asked_for_and_waits(shop: Shop) -> None:
    asked = ask_for(shop, a_message(data={"gift": True, "parts": [1, 2.5, None]}, language="fa"))
    message_id = asked.json["message_id"]
    expected = {
        "message_id": message_id,
        "status": "planned",
        "reason": None,
        "customer_id": shop.customer_id,
        "template": "order-confirmed",
        "topic": None,
        "site": "de",
        "attempts": 0,
        "requested_at": asked.json["requested_at"],
        "postponed_until": None,
        "expires_at": asked.json["expires_at"],
        "settled_at": None,
        **dict.fromkeys(("delivered_at", "delayed_at", "bounced_at", "bounce", "complained_at", "rejected_at")),
        **dict.fromkeys(("opened_at", "clicked_at")),
    }
    assert (202, f"/v1/messages/{message_id}", expected) == (asked.status, asked.headers["location"], asked.json)
    assert expected == shop.call("GET", asked.headers["location"]).json
    assert {
        "run_id": message_id,
        "shard": 0,
        "template": "order-confirmed",
        "data": {"gift": True, "parts": [1, 2.5, None]},
        "language": "fa",
    } == requested(shop, shop.customer_id)[0]


def test_the_same_idempotency_key_is_one_message(shop: Shop) -> None:
    before = len(requested(shop, shop.customer_id))
    first, again = (ask_for(shop, a_message(), idempotency_key="once") for _ in range(2))
    assert (202, 202, first.json) == (first.status, again.status, again.json)
    assert (None, "true") == (first.headers.get("idempotent-replayed"), again.headers.get("idempotent-replayed"))
    assert (422, "idempotency_key_reused") == code_of(ask_for(shop, a_message(language="en"), idempotency_key="once"))
    assert 1 == len(requested(shop, shop.customer_id)) - before


def test_without_a_key_it_is_another_message_each_time(shop: Shop) -> None:
    one, two = (ask_for(shop, a_message()).json["message_id"] for _ in range(2))
    assert one != two


def test_somebody_whom_nobody_knows_comes_into_being_with_their_message(shop: Shop) -> None:
    asked = ask_for(shop, a_message(customer={"email": "new@example.com"}))
    found = shop.call("GET", f"/v1/customers/{asked.json['customer_id']}").json
    assert (202, "new@example.com") == (asked.status, found["email"])
    assert asked.json["customer_id"] == ask_for(shop, a_message(customer={"email": "new@example.com"})).json["customer_id"]


def a_partial(shop: Shop) -> Body:
    said = {"purpose": "partial", "variants": {"en": {"html": "<p>Blue Note</p>"}}}
    saved = shop.call("PUT", "/v1/templates/footer", said, key=shop.cloud.key(KeyKind.STAFF))
    assert saved.status in (200, 201), saved.text
    return a_message(template="footer")


def without_a_sender(shop: Shop) -> Body:
    assert shop.call("PUT", "/v1/sites/mute", a_site(), key=shop.cloud.key(KeyKind.STAFF)).status in (200, 201)
    return a_message(site="mute")


def marketing_about(topic: str | None, postal_address: str = "Ringstraße 1") -> Callable[[Shop], Body]:
    def asked(shop: Shop) -> Body:
        said = a_site(sender="hello@example.com", postal_address=postal_address)
        assert shop.call("PUT", "/v1/sites/news", said, key=shop.cloud.key(KeyKind.STAFF)).status in (200, 201)
        return a_message(site="news", template="welcome", topic=topic)

    return asked


REFUSED: dict[str, tuple[Callable[[Shop], Body] | Body, str, str]] = {
    "an unknown template": (a_message(template="unheard-of"), "/template", "unknown_template"),
    "a template of no name": (a_message(template="../x"), "/template", "bad_syntax"),
    "a piece of templates": (a_partial, "/template", "template_is_partial"),
    "a site without a sender": (without_a_sender, "/site", "no_sender"),
    "marketing from nowhere": (marketing_about("news", postal_address=" \n"), "/site", "no_postal_address"),
    "nobody": (a_message(customer={}), "/customer", "no_identifier"),
    "somebody twice": (a_message(customer={"customer_id": "0" * 32, "user_id": "u-77"}), "/customer", "named_twice"),
    "somebody without an address": (a_message(customer={"user_id": "u-mute"}), "/customer", "no_address"),
    "no address at all": (a_message(customer={"email": "a@b, c@d"}), "/customer/email", "email_syntax"),
    "an address with a line end": (a_message(customer={"email": "a@example.com\r\nBcc: x"}), "/customer/email", "email_syntax"),
    "too much data": (a_message(data={"text": "x" * 32 * 1024}), "/data", "data_too_large"),
    "data too deep": (a_message(data={"a": eval("[" * 21 + "]" * 21)}), "/data", "nested_too_deeply"),  # noqa: S307 (brackets)
    "data that is no object": (a_message(data=[]), "/data", "wrong_type"),
    "a number that the table would change": (a_message(data={"a": 10**40}), "/data", "number_out_of_range"),
    "somebody else's order": (
        a_message(customer={"email": "other@example.com"}, order_id="A-1001"),
        "/order_id",
        "not_their_order",
    ),
    "a language by name": (a_message(language="Persian"), "/language", "bad_syntax"),
    "a topic without marketing": (a_message(topic="news"), "/topic", "topic_unused"),
    "marketing about nothing": (marketing_about(None), "/topic", "missing"),
    "an unknown topic": (marketing_about("weather"), "/topic", "unknown_topic"),
    "an unknown field": (a_message(urgent=True), "/urgent", "unknown_field"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_can_never_be_sent_is_refused_at_once_and_says_where(shop: Shop, what: str) -> None:
    given, pointer, code = REFUSED[what]
    before = len(shop.cloud.items("EVENT#"))
    answer = ask_for(shop, given(shop) if callable(given) else given)
    assert (422, [(pointer, code)]) == (answer.status, [(flaw["pointer"], flaw["code"]) for flaw in answer.json["errors"]])
    assert before == len(shop.cloud.items("EVENT#"))


def test_an_address_that_only_a_browser_has_named_is_none(shop: Shop) -> None:
    said = {"anonymousId": "browser-7", "userId": "u-browser", "traits": {"email": "claimed@example.com"}}
    assert 200 == shop.call("POST", "/v1/identify", said, key=shop.cloud.key(KeyKind.WRITE)).status
    assert (422, "no_address") == code_of(ask_for(shop, a_message(customer={"user_id": "u-browser"})))


def test_nothing_is_asked_for_to_an_address_that_is_suppressed(shop: Shop) -> None:
    gone = {"channel": "email", "address": "gone@example.com", "reason": "hard_bounce"}
    assert 201 == shop.call("POST", "/v1/suppressions", gone).status
    answer = ask_for(shop, a_message(customer={"email": "Gone@example.com"}))
    assert (409, "address_suppressed") == code_of(answer)


def test_a_customer_is_named_by_our_id_too(shop: Shop) -> None:
    assert 202 == ask_for(shop, a_message(customer={"customer_id": shop.customer_id})).status
    assert (404, "customer_not_found") == code_of(ask_for(shop, a_message(customer={"customer_id": NOBODY})))
    assert (410, "customer_erased") == code_of(ask_for(shop, a_message(customer={"customer_id": shop.erased()})))


def test_a_message_about_an_order_is_about_one_that_is_there(shop: Shop) -> None:
    assert 202 == ask_for(shop, a_message(order_id="A-1001")).status
    assert "A-1001" == requested(shop, shop.customer_id)[0]["order_id"]
    assert (404, "order_not_found") == code_of(ask_for(shop, a_message(order_id="none")))


def test_a_message_is_read_where_its_site_is_in_reach(shop: Shop) -> None:
    path = ask_for(shop, a_message()).headers["location"]
    assert 200 == shop.call("GET", path, key=shop.cloud.key(KeyKind.SERVER)).status
    assert (403, "site_forbidden") == code_of(shop.call("GET", path, key=shop.cloud.key(KeyKind.SERVER, site="fr")))
    assert (404, "message_not_found") == code_of(shop.call("GET", f"/v1/messages/{NOBODY}"))


def test_who_is_erased_takes_along_what_was_said_to_them_but_not_the_books(shop: Shop) -> None:
    order = a_new_order() | {"customer": {"email": "leaving@example.com"}}
    customer_id = shop.call("POST", "/v1/orders", order).json["customer_id"]
    path = ask_for(shop, a_message(customer={"customer_id": customer_id}, data={"secret": "canary"})).headers["location"]
    assert "canary" in str(shop.cloud.items())
    assert 202 == shop.call("POST", f"/v1/customers/{customer_id}/erasure-jobs").status
    shop.cloud.work()
    assert "canary" not in str(shop.cloud.items())
    assert ("planned", customer_id) == ((kept := shop.call("GET", path).json)["status"], kept["customer_id"])
