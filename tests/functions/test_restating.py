"""What is read can be put: as it is, which changes nothing, and under another name, which makes a copy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from ecrm.contracts.campaigns import CampaignBody, CampaignVersionBody, PutCampaignBody, TreatmentAnswerBody, TreatmentBody
from ecrm.contracts.fields import Restated
from ecrm.contracts.members import SegmentDetailsBody
from ecrm.contracts.products import ProductBody, UpdateProductBody
from ecrm.contracts.segments import PutSegmentBody
from ecrm.contracts.sites import PutSiteBody, SiteBody
from ecrm.contracts.templates import PutTemplateBody, TemplateSavedBody, VariantAnswerBody, VariantBody
from ecrm.contracts.topics import PutTopicBody, TopicBody
from ecrm.domain.api_keys import KeyKind
from tests.builders import a_site, a_topic
from tests.cloud import Answer
from tests.functions.api import OPERATIONS, Shop, code_of
from tests.functions.test_campaigns import EVERYTHING, a_campaign
from tests.functions.test_sites import LOOK

STATED = {
    "put_named_product": "its sku stands in the body, and is meant",
    "put_customer": "it says facts of somebody; what is read of them has each fact's own time and source",
    "put_sending": "it is a switch: who says that it is armed is told that nobody arms a table here",
}
"""Other operations that are a PUT, and why what is read is not put there."""
ANSWERS: dict[type[Restated], tuple[type[BaseModel], ...]] = {
    PutSiteBody: (SiteBody,),
    PutTopicBody: (TopicBody,),
    PutTemplateBody: (TemplateSavedBody,),
    VariantBody: (VariantAnswerBody,),
    PutSegmentBody: (SegmentDetailsBody,),
    PutCampaignBody: (CampaignBody, CampaignVersionBody),
    TreatmentBody: (TreatmentAnswerBody,),
    UpdateProductBody: (ProductBody,),
}
LINKS = '<p>{{ site.postal_address }} <a href="{{ links.unsubscribe }}">Away</a></p>'


@dataclass(frozen=True, slots=True)
class Kept:
    """A resource with all that it may say; `own` is what a copy of it does not share with it."""

    path: str
    body: Mapping[str, Any]
    own: frozenset[str]
    has_versions: bool = False


KEPT: dict[str, Kept] = {
    "put_site": Kept(
        "/v1/sites",
        a_site(sender="hello@example.com", postal_address="Ringstraße 1", mails={"order.placed": "order-confirmed"}, **LOOK),
        frozenset({"site"}),
    ),
    "put_topic": Kept(
        "/v1/topics", a_topic(descriptions={"en": "Once a week."}, channels=["email", "sms"]), frozenset({"topic"})
    ),
    "put_template": Kept(
        "/v1/templates",
        {
            "purpose": "marketing",
            "topic": "news",
            "variants": {
                "en": {
                    "subject": "News",
                    "preheader": "Soon",
                    "html": LINKS,
                    "text": "{{ site.postal_address }} {{ links.unsubscribe }}",
                },
                "fa": {"subject": "خبر", "html": LINKS},
            },
        },
        frozenset({"template"}),
        has_versions=True,
    ),
    "put_segment": Kept(
        "/v1/segments",
        {
            "name": "Friends",
            "description": "Who reads, and bought for much.",
            "rule": {
                "and": [
                    {"not": {"profile": {"path": "plan", "op": "in", "value": ["gold", "café"]}}},
                    {"stats": {"field": "net_revenue", "currency": "EUR", "op": "between", "value": ["10.00", "99.50"]}},
                    {"event": {"name": "Product Viewed", "op": ">=", "value": 2, "window": {"last": {"days": 30}}}},
                    {"sample": {"percent": 12.5, "salt": "friends"}},
                ]
            },
        },
        frozenset({"segment"}),
        has_versions=True,
    ),
    "put_campaign": Kept("/v1/campaigns", a_campaign(**EVERYTHING), frozenset({"campaign"}), has_versions=True),
    "put_product": Kept(
        "/v1/products",
        {
            "name": "Blue",
            "category": "folk",
            "price": {"amount": "12.50", "currency": "EUR"},
            "stock": 12,
            "translations": {"fa": {"name": "آبی"}},
            "updated_at": "2026-11-20T18:00:00Z",
        },
        frozenset({"sku"}),
    ),
}
OF_A_VERSION = {"version", "updated_at"}


def call(shop: Shop, method: str, path: str, body: Any = None) -> Answer:
    key = shop.cloud.key(KeyKind.SERVER if path.startswith("/v1/products") else KeyKind.STAFF)
    return shop.call(method, path, body, key=key)


def without(answer: Answer, names: frozenset[str] | set[str]) -> dict[str, Any]:
    return {name: value for name, value in answer.json.items() if name not in names}


def test_every_put_takes_what_is_read_or_says_why_not() -> None:
    puts = {operation.name for operation in OPERATIONS if operation.method == "PUT"}
    assert puts == KEPT.keys() | STATED.keys()


@pytest.mark.parametrize("body", ANSWERS)
def test_a_body_ignores_exactly_what_only_its_answers_have(body: type[Restated]) -> None:
    answered = {name for answer in ANSWERS[body] for name in answer.model_fields}
    assert answered - body.model_fields.keys() == body.READ_ONLY


@pytest.mark.parametrize("name", KEPT)
def test_what_is_read_can_be_put_as_it_is_and_changes_nothing(shop: Shop, name: str) -> None:
    kept = KEPT[name]
    path = f"{kept.path}/read-and-put"
    assert 201 == call(shop, "PUT", path, kept.body).status
    read = call(shop, "GET", path)
    again = call(shop, "PUT", path, read.json)
    assert 200 == again.status, again.text
    assert without(read, OF_A_VERSION) == without(call(shop, "GET", path), OF_A_VERSION)
    if kept.has_versions:
        old = call(shop, "GET", f"{path}/versions/1")
        assert 200 == call(shop, "PUT", path, old.json).status
        assert without(old, OF_A_VERSION) == without(call(shop, "GET", f"{path}/versions/3"), OF_A_VERSION)


@pytest.mark.parametrize("name", KEPT)
def test_what_is_read_can_be_put_under_another_name(shop: Shop, name: str) -> None:
    kept = KEPT[name]
    assert call(shop, "PUT", f"{kept.path}/original", kept.body).status in (200, 201)
    read = call(shop, "GET", f"{kept.path}/original")
    copied = call(shop, "PUT", f"{kept.path}/copied", read.json)
    assert 201 == copied.status, copied.text
    found = call(shop, "GET", f"{kept.path}/copied")
    assert dict.fromkeys(kept.own, "copied") == {each: found.json[each] for each in kept.own}
    assert without(read, kept.own | OF_A_VERSION) == without(found, kept.own | OF_A_VERSION)


@pytest.mark.parametrize("name", KEPT)
def test_what_no_answer_has_is_refused_as_ever(shop: Shop, name: str) -> None:
    kept = KEPT[name]
    refused = call(shop, "PUT", f"{kept.path}/refused", {**kept.body, "versions": 1})
    assert [("/versions", "unknown_field")] == [(each["pointer"], each["code"]) for each in refused.json["errors"]]


def test_a_campaign_that_is_over_is_copied_with_its_control_group_and_without_its_life(shop: Shop) -> None:
    staff = shop.cloud.key(KeyKind.STAFF)
    assert 201 == shop.call("PUT", "/v1/campaigns/spring", a_campaign(), key=staff).status
    assert 200 == shop.call("POST", "/v1/campaigns/spring/cancel", key=staff).status
    over = shop.call("GET", "/v1/campaigns/spring", key=staff)
    assert (409, "campaign_cancelled") == code_of(shop.call("PUT", "/v1/campaigns/spring", over.json, key=staff))
    copy = shop.call("PUT", "/v1/campaigns/summer", over.json, key=staff)
    assert ("cancelled", "spring") == (over.json["state"], over.json["salt"])
    assert (201, "draft", "spring", None) == (
        copy.status,
        copy.json["state"],
        copy.json["salt"],
        copy.json["launched_at"],
    )


@pytest.mark.parametrize("name", ["about-nothing", "product-grid", "order-confirmed", "we-miss-you"])
def test_a_ready_made_template_can_be_put_as_ones_own_once_marketing_names_its_topic(shop: Shop, name: str) -> None:
    if name == "about-nothing":
        piece = {"purpose": "partial", "variants": {"en": {"html": "<p>Nothing</p>"}}}
        assert 201 == call(shop, "PUT", "/v1/templates/about-nothing", piece).status
    read = call(shop, "GET", f"/v1/templates/{name}")
    topic = {"topic": "news"} if read.json["purpose"] == "marketing" else {}
    put = call(shop, "PUT", f"/v1/templates/{name}", read.json | topic)
    assert put.status in (200, 201), put.text
    own = frozenset({"ready_made", "topic", "partials", "warnings"}) | OF_A_VERSION
    assert without(read, own) == without(put, own)


def test_what_is_read_can_be_tried_out(shop: Shop) -> None:
    read = call(shop, "GET", "/v1/templates/order-confirmed")
    key = shop.cloud.key(KeyKind.STAFF, sites="*")
    tried = shop.call("POST", "/v1/templates/preview", {"template": read.json, "language": "en"}, key=key)
    assert 200 == tried.status, tried.text
