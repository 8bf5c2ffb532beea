"""Builders: valid by default, one fact per call."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ecrm.analytics.forecasts import Check, CheckedRepeats, CurrencyModel, Source
from ecrm.analytics.purchasing import Purchasing
from ecrm.analytics.reports import Report
from ecrm.analytics.scoring import NightThresholds
from ecrm.analytics.spending import Spending
from ecrm.contracts.sites import PutSiteBody
from ecrm.domain.events import Event
from ecrm.domain.facts import Rfm, Scores
from ecrm.domain.lifecycle import Stage, Thresholds
from ecrm.domain.messages import MESSAGE_SHARD, Policy, Send
from ecrm.domain.predictions import Prediction
from ecrm.domain.runs import CampaignMessage, Run, RunState, Treatment
from ecrm.domain.sites import Site
from tools.sample_report import small_report

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
A_MODEL = CurrencyModel(
    purchasing=Purchasing(r=0.5248, alpha=6.1829 * 7, a=0.8914, b=1.6137),
    spending=Spending(p=6.25, q=3.74, gamma=1_544.0),
    purchasing_source=Source.OWN,
    spending_source=Source.POOLED,
    buyers=2_357,
    repeat_buyers=1_124,
    fitted_on=date(2026, 11, 19),
    is_weak=False,
    check=Check(
        as_of=date(2026, 7, 31),
        until=date(2026, 11, 19),
        purchasing_source=Source.OWN,
        spending_source=Source.BUILT_IN,
        customers=1_900,
        expected_orders=812.5,
        actual_orders=800,
        expected_value_minor=2_500_050,
        actual_value_minor=2_400_000,
        by_repeats=(
            CheckedRepeats(repeats=0, customers=1_100, expected_orders=300.25, actual_orders=320),
            CheckedRepeats(repeats=10, customers=800, expected_orders=512.25, actual_orders=480),
        ),
    ),
)
"""Of a shop with some thousand buyers, whose purchases are those of CDNOW's customers."""


def an_order(**changes: Any) -> dict[str, Any]:
    """A body for `POST /v1/orders`: two of a thing and one of another, 32.27 EUR in all."""
    return {
        "order_id": "A-1001",
        "placed_at": "2026-11-20T12:00:00Z",
        "currency": "EUR",
        "customer": {"user_id": "u-77", "email": "sara@example.com"},
        "lines": [
            {"line_id": "1", "sku": "CD-5", "name": "Blue", "quantity": 2, "unit_price": "9.00", "discount": "2.00"},
            {"line_id": "2", "sku": "LP-1", "name": "Hejira", "quantity": 1, "unit_price": "7.00", "category": "folk"},
        ],
        "shipping": "4.90",
        "tax": "4.37",
        "discount": "0.00",
        "total": "32.27",
    } | changes


def an_event(type_: str = "paid", **changes: Any) -> dict[str, Any]:
    """A body for `POST /v1/orders/{order_id}/events`."""
    said: dict[str, Any] = {"type": type_, "occurred_at": "2026-11-20T13:00:00Z", "event_id": f"{type_}-1"}
    if type_ in ("shipped", "shipment_updated"):
        said["shipment_id"] = "parcel-1"
    if type_ == "shipment_updated":
        said["state"] = "in_transit"
    if type_ == "amended":
        order = an_order()
        said |= {name: order[name] for name in ("lines", "shipping", "tax", "discount", "total")}
    return said | changes


def a_site(**changes: Any) -> dict[str, Any]:
    """A body for `PUT /v1/sites/{site}`."""
    return {"brand": "Blue Note", "languages": ["de", "en"], "time_zone": "Europe/Berlin", "currency": "EUR"} | changes


def a_stored_site(site: str = "de", **changes: Any) -> Site:
    return PutSiteBody.model_validate(a_site(**changes)).to_site(site, NOON)


def a_planned_send(run_id: str, customer_id: str, at: datetime = NOON, **changes: Any) -> Send:
    """A message that was asked for by itself: an order's confirmation."""
    send = Send(
        run_id=run_id,
        shard=MESSAGE_SHARD,
        customer_id=customer_id,
        policy=Policy.TRANSACTIONAL,
        site="de",
        template="order-confirmed",
        planned_at=at,
        requested_at=at,
    )
    return replace(send, **changes)


def a_run(run_id: str = "r1", **changes: Any) -> Run:
    """An occurrence of a campaign of one message, planned and being sent."""
    run = Run(
        run_id=run_id,
        campaign="spring",
        campaign_version=1,
        site="de",
        topic="news",
        messages=(
            CampaignMessage(
                name="spring",
                treatments=(Treatment(name="a", template="news", template_version=1),),
            ),
        ),
        scheduled_at=NOON,
        started_at=NOON,
        expires_at=NOON + timedelta(days=14),
        expires_after=timedelta(days=14),
        state=RunState.SENDING,
        planned_at=NOON,
    )
    return replace(run, **changes)


def its_request(send: Send, **said: Any) -> Event:
    """The event that asked for a message; `said` are the order and the like."""
    return Event(
        id=f"message:{send.run_id}:requested",
        type="message.requested",
        occurred_at=send.planned_at,
        received_at=send.planned_at,
        site=send.site,
        customer_id=send.customer_id,
        source="test",
        data={"run_id": send.run_id, "shard": send.shard, "template": send.template, "data": {}} | said,
    )


def a_topic(**changes: Any) -> dict[str, Any]:
    """A body for `PUT /v1/topics/{topic}`: a newsletter by mail and SMS, with double opt-in."""
    return {"names": {"de": "Neuigkeiten", "en": "News"}, "double_opt_in": True, "channels": ["email", "sms"]} | changes


def a_consent(state: str = "granted", **changes: Any) -> dict[str, Any]:
    """An element of the body for `POST /v1/customers/{customer_id}/consents`."""
    return {"channel": "email", "topic": "news", "state": state, "at": "2026-11-20T12:00:00Z", "source": "footer"} | changes


def a_proof(confirmed_at: str = "2026-11-20T12:00:00Z") -> dict[str, Any]:
    return {"kind": "double_opt_in", "confirmed_at": confirmed_at}


def a_request(
    method: str, path: str, *, body: str | None = None, query: str = "", headers: Mapping[str, str] = {}
) -> dict[str, Any]:
    """An HTTP API event, payload format 2.0, as far as our code reads it."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": dict(headers),
        "requestContext": {
            "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"},
            "requestId": "request-1",
            "stage": "$default",
        },
        "body": body,
        "isBase64Encoded": False,
    }


def a_record(item: Mapping[str, Any], *, name: str = "INSERT", number: int = 1) -> dict[str, Any]:
    """A record of the table's stream; `item` is in DynamoDB's JSON."""
    image = {} if name == "REMOVE" else {"NewImage": dict(item)}
    return {
        "eventID": str(number),
        "eventName": name,
        "eventSource": "aws:dynamodb",
        "dynamodb": {"Keys": {"PK": item["PK"], "SK": item["SK"]}, "SequenceNumber": str(number), **image},
    }


def a_report(at: datetime = NOON) -> Report:
    """The report of a night that found one customer, who bought twice."""
    expected = Prediction(
        p_alive=0.85, orders_30=0.12, orders_90=0.34, orders_365=1.15, value_minor=3_912, next_order_on=None, is_weak=False
    )
    thresholds = NightThresholds(lifecycle=Thresholds(at_risk_days=143, lost_days=262), models={"EUR": A_MODEL})
    return small_report(at, thresholds, Scores({"EUR": Rfm(5, 4, 4, "champions")}, Stage.LOYAL, {"EUR": expected}))
