"""Every answer that the description promises can be had, and has the shape that it promises."""

import json
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jsonschema_rs
import pytest
from botocore.awsrequest import AWSResponse

from ecrm import bootstrap
from ecrm.domain import errors
from ecrm.domain.api_keys import KeyKind, Scope
from ecrm.entry.http import FORM
from ecrm.entry.problems import STATUSES, TITLES, problem_of
from tests.builders import a_consent, a_proof, an_event
from tests.cloud import Answer
from tests.faults import Deliver, Sent, refused_with, tapped
from tests.functions.api import DESCRIPTION, NOBODY, OF_CAMPAIGNS, OPERATIONS, Operation, Shop, a_new_order, ask
from tests.functions.mail import ses

PROMISES = [(operation, status) for operation in OPERATIONS for status in sorted(operation.statuses)]


def unreadable(shop: Shop, operation: Operation) -> Answer:
    if operation.example is not None:
        return shop.send(operation, "{")
    return shop.send(operation, query="a=1&a=2")


def without_a_key(shop: Shop, operation: Operation) -> Answer:
    path = operation.at(**shop.there)
    return ask(operation.method, path, headers={"content-type": "application/json"})


def with_a_lesser_key(shop: Shop, operation: Operation) -> Answer:
    path = operation.at(**shop.there)
    lesser = KeyKind.STAFF if operation.scope is Scope.EVENTS_WRITE else KeyKind.WRITE
    return shop.call(operation.method, path, operation.example, key=shop.cloud.key(lesser))


def about_nothing(shop: Shop, operation: Operation) -> Answer:
    if operation.name in ABOUT_A_CUSTOMER:
        return shop.send(operation, ABOUT_A_CUSTOMER[operation.name](NOBODY))
    other = "x" * 201 if operation.method == "PUT" else "nothing"
    path = operation.at(other, customer_id=NOBODY)
    return shop.call(operation.method, path, operation.example, key=shop.key_for(operation))


ABOUT_A_CUSTOMER: dict[str, Callable[[str], dict[str, Any]]] = {
    "preview_template": lambda customer_id: {"name": "order-confirmed", "customer_id": customer_id},
    "send_test": lambda customer_id: {"to": ["mira@example.com"], "customer_id": customer_id},
    "request_message": lambda customer_id: {"template": "order-confirmed", "customer": {"customer_id": customer_id}},
}
"""Bodies that name a customer by our id."""


def about_the_erased(shop: Shop, operation: Operation) -> Answer:
    if operation.name in ABOUT_A_CUSTOMER:
        return shop.send(operation, ABOUT_A_CUSTOMER[operation.name](shop.erased()))
    if operation.name == "put_customer":
        said = {"user_id": secrets.token_hex()}
        made = shop.send(operation, said)
        assert 202 == shop.call("POST", f"/v1/customers/{made.json['customer_id']}/erasure-jobs").status
        return shop.send(operation, said | {"occurred_at": "2026-11-20T12:00:00Z"})
    if operation.name == "place_order" or "{order_id}" in operation.path:
        return about_an_order_of_the_erased(shop, operation)
    path = operation.at(**shop.there | {"customer_id": shop.erased()})
    return shop.call(operation.method, path, operation.example, key=shop.key_for(operation))


def about_an_order_of_the_erased(shop: Shop, operation: Operation) -> Answer:
    order = a_new_order(customer={"user_id": secrets.token_hex()})
    customer_id = shop.call("POST", "/v1/orders", order).json["customer_id"]
    assert 202 == shop.call("POST", f"/v1/customers/{customer_id}/erasure-jobs").status
    if operation.name == "place_order":
        return shop.send(operation, order)
    said = operation.example
    if (
        operation.name == "record_event"
    ):  # only what is judged by the latest state is refused before the job has come to the order
        said = an_event("refunded", amount="1000.00")
    return shop.call(operation.method, operation.at(order_id=order["order_id"]), said, key=shop.key_for(operation))


def asked_for(shop: Shop, operation: Operation) -> Answer:
    path = operation.at(**shop.names(operation) | {"customer_id": shop.somebody()})
    return shop.call(operation.method, path, operation.example, key=shop.key_for(operation))


def by_another_method(shop: Shop, operation: Operation) -> Answer:
    return shop.call("DELETE", operation.at(**shop.there), {})


def too_much_of_a_customer(shop: Shop, operation: Operation) -> Answer:
    full = {"user_id": secrets.token_hex(), "traits": {f"trait {at}": at for at in range(100)}}
    assert 201 == shop.send(operation, full).status
    return shop.send(operation, full | {"traits": {"one more": 1}})


def another_user_id(shop: Shop, operation: Operation) -> Answer:
    return shop.send(operation, {"user_id": "somebody else's"})


def two_people(shop: Shop, operation: Operation) -> Answer:
    return shop.send(operation, {"customer_id": shop.somebody()})


def part_of_another(shop: Shop, operation: Operation) -> Answer:
    winner, part = shop.somebody(), {"customer_id": shop.visitor()}
    assert 201 == shop.call("POST", f"/v1/customers/{winner}/merge", part).status
    return shop.send(operation, part)


def somebody_new(shop: Shop, operation: Operation) -> Answer:
    return shop.send(operation, operation.example | {"user_id": secrets.token_hex(), "email": None})


def a_visitor(shop: Shop, operation: Operation) -> Answer:
    return shop.send(operation, {"customer_id": shop.visitor()})


def a_visitor_again(shop: Shop, operation: Operation) -> Answer:
    part = {"customer_id": shop.visitor()}
    assert 201 == shop.call("POST", f"/v1/customers/{shop.customer_id}/merge", part).status
    return shop.send(operation, part)


def while_the_bucket_is_busy(shop: Shop, operation: Operation) -> Answer:
    path = operation.at(night=shop.night)
    with tapped(refused_with("SlowDown", status=503)):
        return shop.call(operation.method, path, operation.example, key=shop.key_for(operation))


def tried(shop: Shop, operation: Operation, *, is_armed: bool = True) -> Answer:
    """Send a test where the site has its sender and recipients, from the table that may send or from another."""
    site = next(each for each in OPERATIONS if each.name == "put_site").example
    assert shop.call("PUT", "/v1/sites/de", site, key=shop.cloud.key(KeyKind.STAFF)).status in (200, 201)
    control = bootstrap.sending_control()
    seen = control.sending()
    assert control.write(replace(seen, armed_for=control.table_id() if is_armed else "another", version=seen.version + 1))
    with ses():
        return shop.send(operation)


def a_draft_launched(shop: Shop, operation: Operation) -> Answer:
    return shop.call("POST", operation.at(campaign=shop.a_draft()), key=shop.key_for(operation))


def sent_to_the_failed(shop: Shop, operation: Operation) -> Answer:
    run = shop.a_run()
    return shop.call("POST", operation.at(campaign=run.campaign, run_id=run.run_id), key=shop.key_for(operation))


def nobody_failed(shop: Shop, operation: Operation) -> Answer:
    run = shop.a_run(failed=0)
    return shop.call("POST", operation.at(campaign=run.campaign, run_id=run.run_id), key=shop.key_for(operation))


def about_the_ended(shop: Shop, operation: Operation) -> Answer:
    ended = shop.a_run().campaign
    return shop.call(operation.method, operation.at(campaign=ended), operation.example, key=shop.key_for(operation))


OF_THEIR_OWN: dict[int, dict[str, Callable[[Shop, Operation], Answer]]] = {
    200: {"send_test": tried, "launch_campaign": a_draft_launched},
    201: {
        "put_customer": somebody_new,
        "merge_customers": a_visitor,
        "unmerge_customers": a_visitor_again,
        **dict.fromkeys(("retry_failed", "retry_failed_of_run"), sent_to_the_failed),
    },
    409: {
        **dict.fromkeys(("retry_failed", "retry_failed_of_run"), nobody_failed),
        **dict.fromkeys(OF_CAMPAIGNS, about_the_ended),
        "put_customer": too_much_of_a_customer,
        "update_customer": another_user_id,
        "merge_customers": two_people,
        "unmerge_customers": part_of_another,
    },
    503: dict.fromkeys(("list_reports", "read_nights_report", "make_report_link"), while_the_bucket_is_busy),
}


def against_the_facts(shop: Shop, operation: Operation) -> Answer:
    if operation.name in AGAINST:
        return AGAINST[operation.name](shop, operation)
    if operation.name in ("put_product", "put_named_product"):
        return shop.send(operation, too_much_of_a_product(operation))
    if operation.name == "record_contact":
        shop.send(operation)
        return shop.send(operation, operation.example | {"text": "Other words."})
    if operation.name == "lift_suppression":
        return shop.send(operation, suppressed(shop, "2026-11-21T09:30:00Z") | {"proof": a_proof("2026-11-21T09:29:59Z")})
    if operation.name in ("change_consents", "suppress_address", "request_import") or 202 in operation.statuses:
        new = {"address": f"{secrets.token_hex()}@example.com"} if operation.name == "suppress_address" else {}
        prepare(shop, operation)
        with tapped(being_worked_on):
            return shop.send(operation, (operation.example or {}) | new or None, headers={"idempotency-key": "being worked on"})
    return shop.send(operation, {"type": "refunded", "occurred_at": "2026-11-20T19:00:00Z", "amount": "32.28"})


AGAINST: dict[str, Callable[[Shop, Operation], Answer]] = {
    "place_order": lambda shop, operation: shop.send(operation, operation.example | {"coupon": "WINTER"}),
    "send_test": lambda shop, operation: tried(shop, operation, is_armed=False),
    "cancel_import": lambda shop, operation: shop.call("POST", operation.at(import_id=shop.ended_import_id)),
}


def being_worked_on(sent: Sent, deliver: Deliver) -> AWSResponse:
    """Another request with the same Idempotency-Key holds it."""
    if sent.operation != "TransactWriteItems":
        return deliver()
    held = ["TransactionConflict" if "REPLAY#" in json.dumps(one) else "None" for one in sent.ask["TransactItems"]]
    return sent.refuse("TransactionCanceledException", CancellationReasons=[{"Code": code} for code in held])


def suppressed(shop: Shop, at: str) -> dict[str, Any]:
    """An address that was not spoken of before, suppressed at a time."""
    address = {"channel": "sms", "address": f"+49{secrets.randbelow(10**9) + 10**9}"}
    assert 201 == shop.call("POST", "/v1/suppressions", address | {"reason": "manual", "at": at}).status
    return address


def too_much_of_a_product(operation: Operation) -> Any:
    """Each word of it may be said, and all of them are more than a product holds."""
    words = {"name": "é" * 200, "description": "é" * 2_000}
    languages = [f"{language}-{region}" for language in ("ar", "en", "es") for region in ("AE", "EG", "GB", "MX", "US", "ZA")]
    named = {"sku": "large"} if operation.name == "put_named_product" else {}
    return named | {"translations": dict.fromkeys(languages, words)}


def at_another_version(shop: Shop, operation: Operation) -> Answer:
    return shop.send(operation, headers={"if-match": '"99"'})


def too_large(shop: Shop, operation: Operation) -> Answer:
    return shop.send(operation, " " * (operation.said["x-largest-body-bytes"] + 1))


def as_text(shop: Shop, operation: Operation) -> Answer:
    return shop.send(operation, headers={"content-type": "text/csv" if operation.takes_forms else FORM})


def misshapen(shop: Shop, operation: Operation) -> Answer:
    if operation.example is not None:
        return shop.send(operation, {"unknown": 1})
    return shop.send(operation, query="unknown=1")


def prepare(shop: Shop, operation: Operation) -> None:
    """Have the key and whatever the operation is about before the table fails."""
    shop.key_for(operation)
    shop.names(operation)


def while_we_are_mistaken(shop: Shop, operation: Operation) -> Answer:
    prepare(shop, operation)
    with tapped(refused_with("AccessDeniedException")):
        return _fresh(shop, operation)


def while_the_table_is_busy(shop: Shop, operation: Operation) -> Answer:
    prepare(shop, operation)
    with tapped(refused_with("ThrottlingException")):
        return _fresh(shop, operation)


def again(shop: Shop, operation: Operation) -> Answer:
    if operation.name == "record_event":
        event = {"type": "paid", "occurred_at": "2026-11-20T18:04:00Z", "event_id": "once"}
        shop.send(operation, event)
        return shop.send(operation, event)
    if operation.name in (
        "merge_customers",
        "unmerge_customers",
        "put_template",
        "put_segment",
        "put_campaign",
        "retry_failed",
        "retry_failed_of_run",
        "put_named_product",
        "record_contact",
        "change_consents",
        "suppress_address",
        "lift_suppression",
    ):
        shop.send(operation)
    return shop.send(operation)


def a_site(shop: Shop, operation: Operation) -> Answer:
    return shop.call("PUT", "/v1/sites/es", operation.example, key=shop.key_for(operation))


def a_topic(shop: Shop, operation: Operation) -> Answer:
    return shop.call("PUT", "/v1/topics/drops", operation.example, key=shop.key_for(operation))


def a_template(shop: Shop, operation: Operation) -> Answer:
    return shop.call("PUT", f"/v1/templates/t-{secrets.token_hex(8)}", operation.example, key=shop.key_for(operation))


def a_consent_more(shop: Shop, operation: Operation) -> Answer:
    return shop.send(operation, {"consents": [a_consent(source=secrets.token_hex())]})


def an_address(shop: Shop, operation: Operation) -> Answer:
    return shop.send(operation, operation.example | {"address": f"{secrets.token_hex()}@example.com"})


def a_lifting(shop: Shop, operation: Operation) -> Answer:
    return shop.send(operation, suppressed(shop, "2026-11-20T09:30:00Z") | {"proof": a_proof()})


def a_product(shop: Shop, operation: Operation) -> Answer:
    return shop.call("PUT", f"/v1/products/{a_new_order()['order_id']}", operation.example)


def a_named_product(shop: Shop, operation: Operation) -> Answer:
    return shop.send(operation, {"sku": a_new_order()["order_id"]})


def a_segment(shop: Shop, operation: Operation) -> Answer:
    name = a_new_order()["order_id"].lower()
    return shop.call("PUT", operation.at(segment=name), operation.example, key=shop.key_for(operation))


def a_contact(shop: Shop, operation: Operation) -> Answer:
    return shop.send(operation, operation.example | {"contact_id": a_new_order()["order_id"]})


def a_campaign(shop: Shop, operation: Operation) -> Answer:
    name = a_new_order()["order_id"].lower()
    return shop.call("PUT", operation.at(campaign=name), operation.example, key=shop.key_for(operation))


ANEW: dict[str, Callable[[Shop, Operation], Answer]] = {
    "put_site": a_site,
    "put_topic": a_topic,
    "put_template": a_template,
    "put_segment": a_segment,
    "put_campaign": a_campaign,
    "change_consents": a_consent_more,
    "suppress_address": an_address,
    "lift_suppression": a_lifting,
    "put_product": a_product,
    "put_named_product": a_named_product,
    "record_contact": a_contact,
}


def anew(shop: Shop, operation: Operation) -> Answer:
    return ANEW.get(operation.name, _fresh)(shop, operation)


def _fresh(shop: Shop, operation: Operation) -> Answer:
    """Send what has not been sent before, so that the table is asked."""
    if operation.name == "place_order":
        return shop.send(operation, a_new_order())
    if operation.name == "record_event":
        order = a_new_order()
        return shop.send(operation, {"type": "packed", "occurred_at": "2026-11-20T18:04:00Z", "event_id": order["order_id"]})
    if operation.name == "read_template_version":  # one that no container remembers
        return shop.call("GET", "/v1/templates/order-confirmed/versions/999999", key=shop.key_for(operation))
    if operation.name in ("place_orders", "record_events", "put_products"):
        return shop.send(operation, headers={"idempotency-key": a_new_order()["order_id"]})
    return shop.send(operation)


PROVOKED: dict[int, Callable[[Shop, Operation], Answer]] = {
    200: again,
    201: anew,
    202: asked_for,
    400: unreadable,
    401: without_a_key,
    403: with_a_lesser_key,
    404: about_nothing,
    405: by_another_method,
    409: against_the_facts,
    410: about_the_erased,
    412: at_another_version,
    413: too_large,
    415: as_text,
    422: misshapen,
    500: while_we_are_mistaken,
    503: while_the_table_is_busy,
}


@pytest.mark.parametrize(("operation", "status"), PROMISES, ids=lambda part: getattr(part, "name", part))
def test_each_documented_answer_is_given_as_documented(shop: Shop, operation: Operation, status: int) -> None:
    answer = OF_THEIR_OWN.get(status, {}).get(operation.name, PROVOKED[status])(shop, operation)
    assert status == answer.status, answer.text
    conform(operation, answer)


def conform(operation: Operation, answer: Answer) -> None:
    """Hold an answer against the description: its type, its headers and its body."""
    said = resolved(operation.said["responses"][str(answer.status)])
    kind = answer.headers["content-type"].partition(";")[0]
    content = said["content"][kind]
    if kind != "text/html":
        jsonschema_rs.validate(content["schema"] | {"components": DESCRIPTION["components"]}, answer.json)
    documented = {name.lower(): resolved(header)["schema"] for name, header in said["headers"].items()}
    assert {"x-correlation-id"} <= set(answer.headers)
    more = SENT_TO_BROWSERS if operation.tracks or operation.takes_forms else SENT_BY_PAGES if operation.scope is None else set()
    assert set(answer.headers) - documented.keys() <= SENT_ALWAYS | more
    for name, value in answer.headers.items():
        if name in documented:
            jsonschema_rs.validate(documented[name], value)


SENT_ALWAYS = {"content-type", "cache-control", "x-content-type-options"}
SENT_BY_PAGES = {"content-security-policy", "referrer-policy"}
SENT_TO_BROWSERS = {"access-control-allow-origin"}


def resolved(said: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in said:
        return said
    _, _, group, name = said["$ref"].split("/")
    found: dict[str, Any] = DESCRIPTION["components"][group][name]
    return found


def every_error(kind: type[errors.EcrmError] = errors.EcrmError) -> list[type[errors.EcrmError]]:
    return [found for below in kind.__subclasses__() for found in (below, *every_error(below))]


@pytest.mark.parametrize("kind", sorted(STATUSES, key=str))
def test_every_error_and_what_is_derived_from_it_has_its_status_and_a_title(kind: type[errors.EcrmError]) -> None:
    class Derived(kind):  # type: ignore[misc, valid-type]  # as a room's own errors are
        pass

    replies = [problem_of(each("words"), "c-1") for each in (kind, Derived)]
    assert [STATUSES[kind], STATUSES[kind]] == [reply.status for reply in replies]
    assert STATUSES[kind] in TITLES


def test_every_error_of_the_tree_itself_stands_in_the_table() -> None:
    tree = {kind for kind in every_error() if kind.__module__ == errors.__name__}
    assert tree == set(STATUSES)


def test_every_refusal_of_the_table_is_documented_somewhere() -> None:
    documented = {status for operation in OPERATIONS for status in operation.statuses}
    assert set(STATUSES.values()) <= documented
    assert set(TITLES) == {status for status in documented if status >= 400}


@pytest.mark.parametrize("scope", Scope)
def test_every_scope_opens_something(scope: Scope) -> None:
    assert any(operation.scope is scope for operation in OPERATIONS)
