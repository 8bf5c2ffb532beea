"""Write and read units of what the interfaces do to one customer, and what a million of each costs.

    make bench

The units are counted on an in-process table from the requests that the functions make. Dollars of compute come from assumptions
stated beside them, since no Lambda is near: they are there to show which part matters.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from benchmarks import prices
from benchmarks.meter import Meter, metered
from ecrm.application.import_rows import ContactRow
from ecrm.domain import customers, instants
from ecrm.domain.api_keys import KeyKind
from ecrm.domain.assignment import Arm
from ecrm.domain.customers import Identifier
from ecrm.domain.events import Event
from ecrm.domain.imports import Import, ImportState, Kind, RowOutcome, RowResult, fact_at
from ecrm.domain.links import PersonLink, Purpose, person_url
from ecrm.domain.messages import Policy
from ecrm.domain.nights import Membership
from ecrm.domain.runs import CampaignMessage, Treatment
from ecrm.store.messages import send_item
from ecrm.store.runs import run_item
from ecrm.store.table import Put
from tests.builders import a_consent, a_planned_send, a_proof, a_record, a_request, a_run, a_site, a_topic, an_event, an_order
from tests.cloud import Cloud, Time, a_cloud
from tests.notices import a_notice, wrapped
from tests.simulation.company import Stopped

BILLED_SECONDS = Decimal("0.030")
MEMORY_GB = Decimal(1)
LOG_BYTES = Decimal(600)


class Units(NamedTuple):
    operation: str
    written: Decimal
    read: Decimal

    @property
    def dollars_per_million(self) -> Decimal:
        return (self.written * prices.WRITE_UNIT + self.read * prices.READ_UNIT) * prices.MILLION


class Slots:
    """As many as anybody wants, at once."""

    def take(self, now: datetime) -> datetime:
        return now


class Shop:
    """A cloud whose table is metered: every operation is asked for by HTTP, as its callers do."""

    def __init__(self, cloud: Cloud, meter: Meter) -> None:
        self._cloud = cloud
        self._meter = meter
        self._keys = {kind: cloud.key(kind) for kind in KeyKind}

    def ask(
        self, method: str, path: str, body: Any, *, key: str | None = None, kind: KeyKind = KeyKind.SERVER, status: int = 201
    ) -> Any:
        headers = {"idempotency-key": key} if key else {}
        function = import_module(f"{FUNCTIONS.get(path.split('/')[2], 'ingest_api')}.handler")
        answer = self._cloud.call(function.handler, method, path, body, headers=headers, key=self._keys[kind])
        assert answer.status == status, answer.text  # noqa: S101 (a benchmark of refusals would flatter)
        return answer.json

    def say(self, path: str, *, kind: KeyKind = KeyKind.SERVER, **said: Any) -> None:
        answer = self.ask("POST", path, said, kind=kind, status=200)
        assert not answer.get("errors"), answer  # noqa: S101

    def project(self, event_type: str) -> None:
        """Hand the one event of a type to the consumer of the stream."""
        (event,) = (item for item in self._cloud.items("EVENT#") if item["type"]["S"] == event_type)
        import_module("project_events.handler").handler({"Records": [a_record(event)]}, None)

    def arm(self) -> None:
        self._cloud.arm()

    def forget_templates(self) -> None:
        """Let the sender begin as in a container of its own: it has not read what templates_api has."""
        import_module("ecrm.bootstrap").templates.cache_clear()

    def forget_site(self) -> None:
        """Let a minute pass for what the sender keeps of a site."""
        for kept in ("sender", "composer"):
            getattr(import_module("ecrm.bootstrap"), kept).cache_clear()

    def send(self, run_id: str, page: int | None = None, *, mails: int = 1) -> None:
        """Hand a message, or a page of a run, to the sender, and its mails to a provider that takes them."""
        body = json.dumps({"type": "message" if page is None else "page", "v": 1, "run_id": run_id, "shard": page or 0})
        with import_module(
            "tests.functions.mail"
        ).ses() as provider:  # imports functions, which bind their log to stdout as it is
            import_module("send_messages.handler").handler({"Records": [{"messageId": "1", "body": body}]}, Time())
        assert len(provider.mails) == mails  # noqa: S101

    def notice(self, said: Mapping[str, Any]) -> None:
        """Hand a notice of SES to whoever records it."""
        records = {"Records": [{"messageId": "1", "body": wrapped(said)}]}
        assert import_module("record_delivery.handler").handler(records, Time()) == {"batchItemFailures": []}  # noqa: S101

    def visit(self, purpose: Purpose, customer_id: str, form: str | None = None) -> None:
        """Follow a customer's link to a page of theirs, or post its form."""
        bootstrap = import_module("ecrm.bootstrap")
        link = PersonLink(purpose=purpose, site="de", customer_id=customer_id, about=("news",))
        path = person_url("", link, bootstrap.link_keys().ring())
        headers = {"content-type": "application/x-www-form-urlencoded"}
        event = a_request("GET" if form is None else "POST", path, body=form, headers=headers)
        assert import_module("public_api.handler").handler(event, None)["statusCode"] == 200  # noqa: PLR2004, S101

    def counted(self, operation: str, among: int = 1) -> Units:
        """Say what was asked of the table since the last time, shared by as many as it was done for."""
        units = Units(operation, self._meter.written / among, self._meter.read / among)
        self._meter.reset()
        return units


ORDER_COUNTED = "statistics recounted after an event, customer with three orders"
EVENT_COUNTED = "statistics recounted after a behaviour event, the day's first"
SENT = "one send with delivery, open and click"
MARKETING_SENT = "one marketing send with delivery, open and click"
BATCH = 100
ROADS = {
    "orders, each with an Idempotency-Key": ("order placed, known customer, Idempotency-Key", ORDER_COUNTED, 1),
    "behaviour events, one by one": ("behaviour event, known customer", EVENT_COUNTED, 1),
    f"behaviour events, {BATCH} of one customer in a batch": (
        f"behaviour event, one of {BATCH} of one customer in a batch",
        EVENT_COUNTED,
        BATCH,
    ),
    "profile updates": ("profile update, one attribute by customer id", None, 1),
}
"""What is priced: the operation, the one that counts it, and how many share a request."""
FUNCTIONS = {
    "orders": "orders_api",
    "customers": "customers_api",
    "topics": "consent_api",
    "products": "catalog_api",
    "templates": "templates_api",
    "messages": "messages_api",
    "segments": "segments_api",
    "sites": "sites_api",
    "subscribe": "messages_api",
}
"""The function behind the first word of a path; all others are Segment's."""
PAGE = {
    "page": {
        "path": "/records/blue",
        "referrer": "https://www.example.com/search?q=blue",
        "search": "",
        "title": "Blue · Records · Blue Note",
        "url": "https://shop.example.com/records/blue",
    },
    "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "locale": "de-DE",
    "timezone": "Europe/Berlin",
    "library": {"name": "analytics.js", "version": "npm:next-1.84.3"},
}
"""What a browser says of itself with each call."""
CONTACT = {
    "channel": "call",
    "direction": "inbound",
    "text": "Asked whether the record is a first pressing.",
    "author": {"role": "agent"},
    "occurred_at": "2026-11-20T12:00:00Z",
}
ROWS = 250
"""Of a chunk."""
FILE = Import(
    import_id="",
    kind=Kind.CONTACTS,
    name="imports/contacts/customers.csv",
    state=ImportState.RUNNING,
    requested_at=datetime.now(UTC),
    source="key:1",
)
HELLO = {
    "purpose": "transactional",
    "variants": {"en": {"subject": "Hello, {{ customer.first_name }}", "html": "<p>You chose {{ data.plan }}.</p>"}},
}
NEWS_HTML = '<p>{{ site.postal_address }}</p><a href="https://example.com">Look</a> <a href="{{ links.unsubscribe }}">No more</a>'
NEWS = {"purpose": "marketing", "topic": "news", "variants": {"en": {"subject": "News", "html": NEWS_HTML}}}
MAILS = 10
"""Of a page."""
NOBODY = {"stats": {"field": "orders", "op": ">", "value": 1_000}}
PRODUCT = {"product_id": "507f1f77bcf86cd799439011", "sku": "CD-5", "name": "Blue", "category": "Records", "price": "9.00"}


def measure() -> Iterator[Units]:
    """Count each operation, warm: key, site and its time zone known, the identity key fetched."""
    with a_cloud() as cloud:
        from ecrm import bootstrap  # noqa: PLC0415 (wired inside the cloud)

        with metered(bootstrap.table()._client) as meter:  # noqa: SLF001 (the one place where every request passes)
            shop = Shop(cloud, meter)
            for kind in (KeyKind.SERVER, KeyKind.WRITE):
                shop.say("/v1/track", userId="warm", event="Warm", kind=kind)
            shop.ask("POST", "/v1/orders", an_order(order_id="warm", customer={"user_id": "warm"}))
            shop.project("order.placed")
            shop.ask("PUT", "/v1/topics/news", a_topic(), kind=KeyKind.STAFF)
            shop.ask("GET", "/v1/customers/0", None, kind=KeyKind.STAFF, status=404)
            shop.ask("GET", "/v1/products/warm", None, status=404)
            meter.reset()
            yield from _orders(shop)
            yield from _behaviour(shop)
            yield from _profiles(shop)
            yield from _contact_rows(shop, bootstrap.import_rows()[Kind.CONTACTS].apply)
            yield from _products(shop)
            yield from _messages(shop)
            yield from _marketing(shop)
            yield from _runs(shop)
            yield from _nights(shop)


def _orders(shop: Shop) -> Iterator[Units]:
    shop.ask("POST", "/v1/orders", an_order(order_id="A-0"))
    yield shop.counted("order placed, new customer with two identifiers")
    shop.ask("POST", "/v1/orders", an_order(order_id="A-1", customer={"user_id": "u-77"}))
    yield shop.counted("order placed, known customer")
    shop.ask("POST", "/v1/orders", an_order(order_id="A-2", customer={"user_id": "u-77"}), key="one")
    yield shop.counted("order placed, known customer, Idempotency-Key")
    shop.ask("POST", "/v1/orders/A-2/events", an_event("paid"))
    yield shop.counted("status change")
    shop.ask("POST", "/v1/orders/A-2/events", an_event("packed"), key="two")
    yield shop.counted("status change, Idempotency-Key")
    shop.ask("GET", "/v1/orders/A-2", None, status=200)
    yield shop.counted("order read")
    shop.project("order.packed")
    yield shop.counted(ORDER_COUNTED)
    shop.project("order.packed")
    yield shop.counted("the same event delivered again")


def _behaviour(shop: Shop) -> Iterator[Units]:
    shop.say("/v1/track", userId="u-77", event="Product Viewed", properties=PRODUCT)
    yield shop.counted("behaviour event, known customer")
    shop.project("product.viewed")
    yield shop.counted(EVENT_COUNTED)
    calls = [{"type": "track", "userId": "u-77", "event": "Product Viewed", "properties": PRODUCT} for _ in range(BATCH)]
    shop.say("/v1/batch", batch=calls)
    yield shop.counted(f"behaviour event, one of {BATCH} of one customer in a batch", BATCH)
    browser: dict[str, Any] = {"kind": KeyKind.WRITE, "anonymousId": "5f3c2a8e-0d0a-4b7e-9d43-7f1f2f0f6b11", "context": PAGE}
    shop.say("/v1/page", **browser, name="Blue")
    yield shop.counted("a new visitor's first page, from a browser")
    shop.say("/v1/track", **browser, event="Product Viewed", properties=PRODUCT)
    yield shop.counted("behaviour event, known visitor, from a browser")
    shop.say("/v1/identify", **browser, userId="u-78", traits={"first_name": "Sara", "email": "sara@example.com"})
    yield shop.counted("identify that makes a visitor known, with two traits")
    shop.say("/v1/track", **browser, userId="u-78", event="Product Viewed", properties=PRODUCT)
    yield shop.counted("behaviour event, user id and anonymous id, from a browser")


def _profiles(shop: Shop) -> Iterator[Units]:
    who = {"user_id": "u-79"}
    customer_id = shop.ask("PUT", "/v1/customers", who | {"traits": {"first_name": "Sara", "language": "de"}})["customer_id"]
    yield shop.counted("profile put, new customer with one identifier")
    at = f"/v1/customers/{customer_id}"
    shop.ask("PATCH", at, {"traits": {"first_name": "Nilu"}}, status=200)
    yield shop.counted("profile update, one attribute by customer id")
    upsert = who | {"traits": {"first_name": "Nilufar"}, "occurred_at": "2026-11-20T12:00:00Z"}
    later = upsert | {"occurred_at": datetime.now(UTC).isoformat()}
    shop.ask("PUT", "/v1/customers", later, status=200)
    yield shop.counted("profile put, one attribute by user id")
    shop.ask("PUT", "/v1/customers", later, status=200)
    yield shop.counted("the same profile put again")
    shop.ask("POST", f"{at}/consents", {"consents": [a_consent(channel="sms")]}, status=201)
    yield shop.counted("first consent")
    shop.ask("POST", f"{at}/consents", {"consents": [a_consent("denied", channel="sms")]}, status=201)
    yield shop.counted("consent change")
    shop.ask("POST", f"{at}/contacts", CONTACT)
    yield shop.counted("contact recorded")
    shop.visit(Purpose.UNSUBSCRIBE, customer_id)
    yield shop.counted("unsubscribe page shown")
    shop.visit(Purpose.UNSUBSCRIBE, customer_id, "List-Unsubscribe=One-Click")
    yield shop.counted("unsubscribed by one click")
    shop.visit(Purpose.UNSUBSCRIBE, customer_id, "List-Unsubscribe=One-Click")
    yield shop.counted("the same click again")
    shop.visit(Purpose.PREFERENCES, customer_id)
    yield shop.counted("preference page shown")
    shop.visit(Purpose.PREFERENCES, customer_id, "frequency=weekly")
    yield shop.counted("how often chosen on the preference page")
    reader = {"email": "lena@example.com", "topics": ["news"]}
    shop.ask("POST", "/public/subscribe", reader, kind=KeyKind.WRITE, status=202)
    yield shop.counted("sign-up of an address that nobody has")
    shop.ask("POST", "/public/subscribe", reader, kind=KeyKind.WRITE, status=202)
    yield shop.counted("the same sign-up again, which sends nothing")


def _contact_rows(shop: Shop, apply: Callable[[Import, Sequence[ContactRow]], Sequence[RowOutcome]]) -> Iterator[Units]:
    """Import ROWS customers by their addresses: new ones, the same rows of another file, and others."""

    def took(import_id: str, plan: str, result: RowResult) -> None:
        file = replace(FILE, import_id=import_id, at=datetime.now(UTC))
        outcomes = apply(file, [a_row(file, number, plan) for number in range(1, ROWS + 1)])
        assert [outcome.result for outcome in outcomes] == [result] * ROWS  # noqa: S101 (a benchmark of refusals would flatter)

    took("i1", "gold", RowResult.CREATED)
    yield shop.counted("imported row, new customer with one identifier", ROWS)
    took("i2", "silver", RowResult.UPDATED)
    yield shop.counted("imported row, one attribute of a known customer", ROWS)
    took("i3", "silver", RowResult.UNCHANGED)
    yield shop.counted("imported row that says nothing new", ROWS)


def a_row(file: Import, number: int, plan: str) -> ContactRow:
    return ContactRow(
        row=number,
        site="de",
        identifiers=(Identifier(customers.Kind.EMAIL, f"row{number}@example.com"),),
        attributes={"first_name": "Sara", "plan": plan},
        at=fact_at(file, number),
    )


def _products(shop: Shop) -> Iterator[Units]:
    product = {
        "name": "Blue",
        "category": "Records",
        "price": {"amount": "9.00", "currency": "EUR"},
        "updated_at": "2026-11-20T12:00:00Z",
    }
    cheaper = {"price": {"amount": "8.00", "currency": "EUR"}, "updated_at": "2026-11-20T13:00:00Z"}
    shop.ask("PUT", "/v1/products/CD-5", product)
    yield shop.counted("product upsert, new product")
    shop.ask("PUT", "/v1/products/CD-5", cheaper, status=200)
    yield shop.counted("product upsert, one field")
    shop.ask("PUT", "/v1/products/CD-5", cheaper, status=200)
    yield shop.counted("the same product upserted again")
    shop.ask("GET", "/v1/products/CD-5", None, status=200)
    yield shop.counted("product read")


def _messages(shop: Shop) -> Iterator[Units]:
    """Everything that one transactional message costs, from what asks for it to the first click."""
    who = {"email": "mail@example.com"}
    customer_id = shop.ask("PUT", "/v1/customers", who | {"traits": {"first_name": "Sara", "language": "en"}})["customer_id"]
    shop.ask("PUT", "/v1/templates/hello", HELLO, kind=KeyKind.STAFF)
    shop.arm()
    asked = {"template": "hello", "customer": {"customer_id": customer_id}, "data": {"plan": "gold"}}
    first = shop.ask("POST", "/v1/messages", asked, status=202)["message_id"]
    shop.forget_templates()
    shop.counted("planted")
    shop.send(first)
    yield shop.counted("message claimed, made and handed over, the first of a container")
    shop.ask("POST", "/v1/messages", asked, status=202)
    yield shop.counted("message asked for, known customer")
    message_id, sent = _sent(
        shop, "message claimed, made and handed over", lambda: shop.ask("POST", "/v1/messages", asked, status=202)["message_id"]
    )
    parts = [sent]
    parts += list(_notices(shop, message_id, customer_id, who["email"]))
    yield from parts
    yield _all_of(SENT, parts)
    again = a_notice("Open", 3_600, run=message_id, customer=customer_id, address=who["email"], sent=datetime.now(UTC))
    shop.notice(again)
    yield shop.counted("notice that a message was opened again")


def _sent(shop: Shop, operation: str, asked: Callable[[], str], *, mails: int = 1) -> tuple[str, Units]:
    """Count the cheapest of three sends: in another a permission, a lease or what is kept of a template may just have ended.

    Gives the last one's id.
    """
    counted = []
    for _ in range(3):
        message_id = asked()
        shop.counted("asked for")
        shop.send(message_id, mails=mails)
        counted.append(shop.counted(operation))
    return message_id, min(counted, key=lambda units: units.dollars_per_million)


def _notices(shop: Shop, message_id: str, customer_id: str, address: str, of: str = "a message") -> Iterator[Units]:
    sent = datetime.now(UTC)
    told = {"Send": "sent", "Delivery": "delivered", "Open": "opened", "Click": "clicked"}
    for minutes, (kind, what) in enumerate(told.items(), start=1):
        shop.notice(a_notice(kind, 60 * minutes, run=message_id, customer=customer_id, address=address, sent=sent))
        yield shop.counted(f"notice that {of} was {what}")


def _all_of(operation: str, parts: Sequence[Units]) -> Units:
    return Units(operation, sum((part.written for part in parts), Decimal(0)), sum((part.read for part in parts), Decimal(0)))


def _marketing(shop: Shop) -> Iterator[Units]:
    """The same of marketing to one person, and what it costs to put it off or to end it."""
    who = {"email": "news@example.com"}
    customer_id = shop.ask("PUT", "/v1/customers", who | {"traits": {"first_name": "Sara", "language": "en"}})["customer_id"]
    proof = {"kind": "signature", "confirmed_at": instants.to_answer(datetime.now(UTC))}
    said = a_consent(topic="news", method="service", proof=proof)
    shop.ask("POST", f"/v1/customers/{customer_id}/consents", {"consents": [said]})
    shop.ask("PUT", "/v1/templates/news", NEWS, kind=KeyKind.STAFF)
    now = datetime.now(ZoneInfo("Europe/Berlin"))
    start, end = (f"{now + timedelta(hours=hours):%H:%M}" for hours in (-1, 2))

    def keep_to(**policy: Any) -> None:
        rest = {"sender": "hello@example.com", "postal_address": "Ringstraße 1", "quiet_hours": None, "frequency_cap": None}
        shop.ask("PUT", "/v1/sites/de", a_site(**rest | policy), kind=KeyKind.STAFF, status=200)
        shop.forget_site()

    def asked() -> str:
        body = {"template": "news", "customer": {"customer_id": customer_id}}
        return str(shop.ask("POST", "/v1/messages", body, status=202)["message_id"])

    keep_to()
    shop.send(asked())
    shop.counted("planted, and site and template known")
    asked()
    yield shop.counted("marketing message asked for, known customer")
    message_id, sent = _sent(shop, "marketing message claimed, made and handed over", asked)
    parts = [sent]
    parts += list(_notices(shop, message_id, customer_id, who["email"], "a marketing message"))
    yield from parts
    yield _all_of(MARKETING_SENT, parts)
    kept: dict[str, dict[str, Any]] = {
        "postponed": {"quiet_hours": {"start": start, "end": end}},
        "capped": {"frequency_cap": {"most": 1, "days": 7}},
    }
    for what, policy in kept.items():
        keep_to(**policy)
        yield _sent(shop, f"marketing message {what}", asked, mails=0)[1]


def _runs(shop: Shop) -> Iterator[Units]:
    """Mails of a campaign, as many as share a page, by a sender that has sent some of its run within a second."""
    from ecrm import bootstrap as wired  # noqa: PLC0415 (wired inside the cloud)

    site = wired.sites().find("de")
    assert site is not None  # noqa: S101
    opened = replace(site, quiet_hours=None, frequency_cap=None, sender="shop@example.com", postal_address="Ringstraße 1, Berlin")
    wired.sites().write(replace(opened, version=site.version + 1), seen=site.version)
    wired.composer.cache_clear()
    wired.sender.cache_clear()
    shop.ask("PUT", "/v1/templates/spring", NEWS, kind=KeyKind.STAFF)
    people = [
        shop.ask("PUT", "/v1/customers", {"email": f"spring-{number}@example.com", "traits": {"language": "en"}})["customer_id"]
        for number in range(MAILS)
    ]
    for customer_id in people:
        consent = a_consent(proof=a_proof(), method="form")
        shop.ask("POST", f"/v1/customers/{customer_id}/consents", {"consents": [consent]})
    now = wired.clock.now()
    sender = wired.sender()
    # However long it takes, it is within a second, and in slots that were leased before.
    sender._clock, sender._lease = Stopped(now), Slots()  # type: ignore[assignment]  # noqa: SLF001
    treatment = Treatment(name="a", template="spring", template_version=1)
    spring = CampaignMessage(name="spring", treatments=(treatment,))
    rival = a_run("b" * 32, priority=9, expires_at=now + timedelta(days=1))
    run = a_run("a" * 32, messages=(spring,), expires_at=now + timedelta(days=1))
    wired.table().put(Put(run_item(run), None, "planned"))
    for page in range(3):
        for customer_id in people:
            entry = a_planned_send(run.run_id, customer_id, now, policy=Policy.MARKETING, template="spring", topic="news")
            entry = replace(entry, requested_at=None, arm=Arm.TREATED, message="spring", treatment="a", shard=page)
            wired.table().put(Put(send_item(entry), None, "planned"))
    operations = (
        "",
        f"campaign's mail claimed, made and handed over, one of {MAILS} of a page",
        "the same beside a campaign that comes before it",
    )
    for page, operation in enumerate(operations):
        if page == len(operations) - 1:
            wired.table().put(Put(run_item(rival), None, "planned"))
            sender._actives = now, (rival,)  # noqa: SLF001 (as it will be in half a minute)
        shop.counted("planted")
        shop.send(run.run_id, page, mails=MAILS)
        if operation:
            yield shop.counted(operation, among=MAILS)


def _nights(shop: Shop) -> Iterator[Units]:
    """A night costs what 256 shards cost, half a unit for each 4 KB of rows, and what is written of those who move."""
    from ecrm import bootstrap as wired  # noqa: PLC0415 (wired inside the cloud)
    from ecrm.application.night_ports import Place  # noqa: PLC0415 (the same)

    customer_id = shop.ask("PUT", "/v1/customers", {"user_id": "u-80"})["customer_id"]
    for kind in (KeyKind.SERVER, KeyKind.STAFF):  # each function knows the keys
        shop.ask("GET", f"/v1/customers/{customer_id}/stats", None, kind=kind, status=200)
    shop.ask("PUT", "/v1/segments/nobody", {"name": "Nobody", "rule": NOBODY}, kind=KeyKind.STAFF)
    shop.counted("planted")
    planned = wired.plan_night(datetime.now(UTC))
    place = Place(planned.night, planned.generation)
    for group in planned.groups:
        wired.snapshot_customers(place, group, lambda: False)
    wired.summarise_night(place)
    for group in planned.groups:
        wired.score_customers(place, group, lambda: False)
    wired.publish_night(place)
    for group in planned.groups:
        wired.tell_night(place, group)
    yield shop.counted("a night of a few customers, none of whom moves")
    for names in (("a",), ("a", "b", "c")):
        wired.memberships().write(Membership(name, customer_id, len(names)) for name in names)
        yield shop.counted(f"a customer found in {len(names)} segment{'s' if len(names) > 1 else ''}, or no more")
    wired.move_events().record(customer_id, [a_move(customer_id, name) for name in "abc"])
    yield shop.counted("three moves told of a customer")
    shop.ask("POST", "/v1/segments/preview", {"rule": NOBODY}, kind=KeyKind.STAFF, status=200)
    yield shop.counted("a rule tried out, few customers")
    shop.ask("POST", "/v1/segments/preview", {"rule": NOBODY, "as_of": planned.night.isoformat()}, kind=KeyKind.STAFF, status=200)
    yield shop.counted("a rule tried out on an earlier night")
    shop.ask("GET", f"/v1/customers/{customer_id}/stats", None, status=200)
    shop.counted("key known, which a function forgets after a minute")
    shop.ask("GET", f"/v1/customers/{customer_id}/segments", None, status=200)
    yield shop.counted("a customer judged now, one segment that the statistics answer")


def a_move(customer_id: str, segment: str) -> Event:
    now = datetime.now(UTC)
    return Event(
        id=f"segment:{segment}:1:entered",
        type="segment.entered",
        occurred_at=now,
        received_at=now,
        site="",
        customer_id=customer_id,
        source="night",
        data={"segment": segment, "version": 1, "generation": 1, "night": "2026-11-20"},
    )


def main() -> None:
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):  # what the functions log
        measured = list(measure())
    print(f"{'operation':70} {'write':>6} {'read':>6} {'$ per million':>14}")
    for units in measured:
        print(f"{units.operation:70} {units.written:6} {units.read:6} {units.dollars_per_million:14.2f}")
    for road, parts in roads({units.operation: units.dollars_per_million for units in measured}).items():
        print(f"\n{road}:")
        for what, dollars in parts.items():
            print(f"  {what:60} ${dollars:6.2f}")
        print(f"  {'all':60} ${sum(parts.values()):6.2f}")


def roads(table: Mapping[str, Decimal]) -> dict[str, dict[str, Decimal]]:
    """Say what a million of each cost from the request to the statistics, given the table's dollars for each operation.

    The stream's consumer is taken as woken once for each request. A batch's statistics are counted once for all its events.
    """
    call = (BILLED_SECONDS * MEMORY_GB * prices.LAMBDA_GB_SECOND + prices.LAMBDA_REQUEST) * prices.MILLION
    request = {
        "HTTP API": prices.HTTP_REQUEST * prices.MILLION,
        f"two Lambda calls of {BILLED_SECONDS * 1000:.0f} ms at {MEMORY_GB} GB (assumed)": 2 * call,
        f"{LOG_BYTES} bytes of log (assumed)": LOG_BYTES / 10**9 * prices.LOG_GB * prices.MILLION,
    }
    found = {}
    for name, (written, counted, among) in ROADS.items():
        parts = {f"table, {written}": table[written]}
        parts |= {"table, statistics": table[counted] / among} if counted else {}
        parts |= {what: dollars / among for what, dollars in request.items()}
        found[f"a million {name}"] = parts
    return found


if __name__ == "__main__":
    main()
