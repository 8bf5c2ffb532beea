"""The API as its callers see it: the operations of docs/openapi.json, sent to the function that the template routes them to."""

import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from campaigns_api.handler import handler as campaigns
from catalog_api.handler import handler as catalog
from consent_api.handler import handler as consent
from customers_api.handler import handler as customers
from ecrm import bootstrap
from ecrm.application.segment_ports import Night
from ecrm.domain.api_keys import ALLOWED, KeyKind, Scope
from ecrm.domain.campaigns import Head, LifeState
from ecrm.domain.instants import to_answer
from ecrm.domain.nights import NightState
from ecrm.domain.runs import Run, RunState
from ecrm.entry.http import FORM
from imports_api.handler import handler as imports
from ingest_api.handler import handler as ingest
from jobs_api.handler import handler as jobs
from messages_api.handler import handler as messages
from orders_api.handler import handler as orders
from reference_api.handler import handler as reference
from reports_api.handler import handler as reports
from segments_api.handler import handler as segments
from sites_api.handler import handler as sites
from templates_api.handler import handler as templates
from tests.adapters.people import here
from tests.builders import NOON, a_report, a_request, a_run, a_topic, an_order
from tests.cloud import Answer, Cloud

ROOT = Path(__file__).parents[2]
DESCRIPTION: dict[str, Any] = json.loads((ROOT / "docs/openapi.json").read_text(encoding="utf-8"))
HANDLERS: dict[str, Any] = {
    "orders": orders,
    "topics": consent,
    "suppressions": consent,
    "customers": customers,
    "products": catalog,
    "jobs": jobs,
    "imports": imports,
    "templates": templates,
    "messages": messages,
    "sending": messages,
    "sites": sites,
    "segments": segments,
    "nights": segments,
    "campaigns": campaigns,
    "reports": reports,
    **dict.fromkeys(("identify", "track", "page", "screen", "group", "alias", "batch", "projects", *"itpsgab"), ingest),
}
NOBODY = "0" * 32
OTHER = "019a1f3c5d2e7b8a9c0d1e2f3a4b5c6d"
"""A customer of whom nothing is known; the examples make them one with the description's customer."""

OF_CAMPAIGNS = {
    "put_campaign": "written",
    "launch_campaign": "launched",
    "pause_campaign": "paused",
    "resume_campaign": "paused",
    "cancel_campaign": "ended",
}
"""Operations that change what becomes of a campaign, and what theirs is there for."""


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    method: str
    path: str
    said: dict[str, Any]

    @property
    def scope(self) -> Scope | None:
        return Scope(self.said["x-required-scope"]) if "x-required-scope" in self.said else None

    @property
    def tracks(self) -> bool:
        """Whether browsers speak to it as to Segment: across origins, also in text/plain, and without an Idempotency-Key."""
        return (self.scope is Scope.EVENTS_WRITE and self.path.startswith("/v1/")) or self.name == "browser_settings"

    @property
    def takes_forms(self) -> bool:
        """Whether pages of any origin speak to it, also by a form without a script."""
        return FORM in self.said.get("requestBody", {}).get("content", {})

    @property
    def example(self) -> Any:
        """The first example of its body; None where it takes none."""
        if "requestBody" not in self.said:
            return None
        return next(iter(self.said["requestBody"]["content"]["application/json"]["examples"].values()))["value"]

    @property
    def statuses(self) -> set[int]:
        return {int(status) for status in self.said["responses"]}

    def at(self, other: str = "nothing", **names: str) -> str:
        """Its path with these names, and with `other` for each that is not given."""
        return re.sub(r"{(\w+)}", lambda found: names.get(found[1], other), self.path)


OPERATIONS = [
    Operation(said["operationId"], method.upper(), path, said)
    for path, item in DESCRIPTION["paths"].items()
    for method, said in item.items()
]
KEYED = [operation for operation in OPERATIONS if operation.scope is not None]
WITH_BODY = [operation for operation in OPERATIONS if operation.example is not None]


def named(operation: Operation) -> str:
    return operation.name


def handler_at(path: str) -> Any:
    """The template's routes: a function for each resource, and the reference for all else."""
    if path in ("/public/orders/find", "/public/subscribe"):
        return messages
    found = re.fullmatch(r"/v1/(\w+)(/.*)?", path, re.DOTALL)
    return HANDLERS.get(found[1], reference) if found else reference


def ask(
    method: str,
    path: str,
    body: str | None = None,
    *,
    query: str = "",
    headers: Mapping[str, str] = {},
    is_base64: bool = False,
) -> Answer:
    """Send a request with these headers and no others."""
    event = a_request(method, path, body=body, query=query, headers=headers) | {"isBase64Encoded": is_base64}
    answer = handler_at(path)(event, None)
    return Answer(answer["statusCode"], answer["headers"], answer["body"])


@dataclass
class Shop:
    """A cloud with two sites and an order, A-1001, of the description's customer."""

    cloud: Cloud
    customer_id: str
    campaigns: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """A key that may do all that any key may do, on every site."""
        if "all" not in self.cloud.secrets:
            self.cloud.secrets["all"] = self.cloud.key(KeyKind.SERVER, sites="*")
        return self.cloud.secrets["all"]

    @property
    def there(self) -> dict[str, str]:
        """What there is, by its name in a path."""
        known = {"order_id": "A-1001", "customer_id": self.customer_id, "site": "de", "sku": "CD-5", "topic": "news"}
        known |= {"template": "order-confirmed"}
        return known | {"write_key": self.cloud.key(KeyKind.WRITE)}

    def key_for(self, operation: Operation) -> str:
        return self.key if operation.scope in ALLOWED[KeyKind.SERVER] else self.cloud.key(KeyKind.STAFF)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        query: str = "",
        headers: Mapping[str, str] = {},
    ) -> Answer:
        return self.cloud.call(handler_at(path), method, path, body, key=key or self.key, query=query, headers=headers)

    def send(self, operation: Operation, body: Any = None, *, query: str = "", headers: Mapping[str, str] = {}) -> Answer:
        """Send an operation about what there is, with its example where no body is given."""
        path = operation.at(**self.names(operation))
        sent = operation.example if body is None else body
        return self.call(operation.method, path, sent, key=self.key_for(operation), query=query, headers=headers)

    def names(self, operation: Operation) -> dict[str, str]:
        """What there is for an operation; only one who is expendable is erased."""
        if operation.name == "erase_customer":
            return self.there | {"customer_id": self.expendable}
        if operation.name == "put_segment":
            return self.there | {"segment": "champions"}
        if operation.name in OF_CAMPAIGNS:
            return self.there | {"campaign": self.campaign_for(OF_CAMPAIGNS[operation.name])}
        if operation.name == "undo_import":
            return self.there | {"import_id": self.ended_import_id}
        asked: dict[str, Callable[[], str]] = {
            "job_id": lambda: self.job_id,
            "import_id": lambda: self.import_id,
            "message_id": lambda: self.message_id,
            "version": lambda: self._version_at(operation.path),
            "campaign": lambda: self.campaign,
            "run_id": lambda: self.run_id,
            "segment": lambda: self.segment,
            "night": lambda: self.night,
        }
        return self.there | {name: make() for name, make in asked.items() if f"{{{name}}}" in operation.path}

    def _version_at(self, path: str) -> str:
        if "{campaign}" in path:
            return "1"
        return self.segment_version if "{segment}" in path else self.version

    @cached_property
    def expendable(self) -> str:
        """A customer who may be erased, once."""
        return self.somebody()

    @cached_property
    def job_id(self) -> str:
        asked = self.call("POST", "/v1/customers/export-jobs", {}, key=self.cloud.key(KeyKind.STAFF))
        return str(asked.json["job_id"])

    @cached_property
    def import_id(self) -> str:
        """An import that waits for its file."""
        asked = self.call("POST", "/v1/imports", {"kind": "contacts", "name": "customers.csv", "size": 61})
        return str(asked.json["import_id"])

    @cached_property
    def ended_import_id(self) -> str:
        """An import that has put something in."""
        self.cloud.drop("products/records.csv", b"sku,name\nLP-9,Court and Spark\n")
        self.cloud.import_files()
        listed = self.call("GET", "/v1/imports").json["data"]
        return next(str(found["import_id"]) for found in listed if found["name"] == "records.csv")

    @cached_property
    def segment(self) -> str:
        """A segment of our own."""
        return str(self.a_segment["segment"])

    @cached_property
    def segment_version(self) -> str:
        return str(self.a_segment["version"])

    @cached_property
    def a_segment(self) -> dict[str, Any]:
        operation = next(each for each in OPERATIONS if each.name == "put_segment")
        put = self.call("PUT", operation.at(segment="champions"), operation.example, key=self.key_for(operation))
        found: dict[str, Any] = put.json
        return found

    @cached_property
    def _may_send_campaigns(self) -> bool:
        """The site has what marketing needs, the provider knows its sender, and there is a buyer."""
        site = next(operation for operation in OPERATIONS if operation.name == "put_site")
        assert self.call("PUT", "/v1/sites/de", site.example, key=self.key_for(site)).status in (200, 201)
        self.cloud.verify("example.com")
        self.somebody()
        self.cloud.project()
        return True

    def campaign_for(self, use: str) -> str:
        """A campaign of its own for each use: one is launched, one is paused, one is ended."""
        if use not in self.campaigns:
            self.campaigns[use] = self.a_draft() if use in ("written", "launched") else self.a_launched_campaign()
        return self.campaigns[use]

    def a_draft(self) -> str:
        """A campaign that can be launched, and was not yet."""
        assert self._may_send_campaigns
        put = next(operation for operation in OPERATIONS if operation.name == "put_campaign")
        name = str(a_new_order()["order_id"]).lower()
        answer = self.call("PUT", put.at(campaign=name), put.example, key=self.key_for(put))
        assert (201, "validated") == (answer.status, answer.json["state"])
        return name

    def a_launched_campaign(self) -> str:
        name = self.a_draft()
        launch = next(operation for operation in OPERATIONS if operation.name == "launch_campaign")
        assert 200 == self.call("POST", launch.at(campaign=name), key=self.key_for(launch)).status
        return name

    @cached_property
    def campaign(self) -> str:
        """A campaign that was launched, and has a run whose books are closed."""
        return self.a_run().campaign

    @cached_property
    def run_id(self) -> str:
        return str(bootstrap.campaigns().find(self.campaign).life.last_run)  # type: ignore[union-attr]

    def a_run(self, failed: int = 1) -> Run:
        """The only run of a campaign of its own, which failed some."""
        name = self.a_launched_campaign()
        head = bootstrap.campaigns().find(name)
        assert head is not None
        run = a_run(
            secrets.token_hex(16),
            campaign=name,
            messages=head.campaign.messages,
            state=RunState.SETTLED,
            settled_at=NOON,
            audience=failed,
            books={"failed": failed},
        )
        life = replace(head.life, state=LifeState.ENDED, next_at=None, last_run=run.run_id, revision=head.life.revision + 1)
        assert bootstrap.runs().begin(run, Head(head.campaign, life))
        return run

    @cached_property
    def night(self) -> str:
        """A night that was published and found nobody, and a report of it that knows somebody."""
        at = datetime(2026, 11, 20, 2, tzinfo=UTC)
        told = Night(night=at.date(), state=NightState.PUBLISHED, scheduled_at=at, started_at=at, finished_at=at, version=1)
        assert bootstrap.nights().write(told)
        bootstrap.reports().write(a_report(at), {})
        return told.night.isoformat()

    @cached_property
    def version(self) -> str:
        """A version of a template of our own."""
        operation = next(each for each in OPERATIONS if each.name == "put_template")
        put = self.call("PUT", operation.at(**self.there), operation.example, key=self.key_for(operation))
        return str(put.json["version"])

    @cached_property
    def message_id(self) -> str:
        asked = self.call("POST", "/v1/messages", {"template": "order-confirmed", "customer": {"user_id": "u-77"}})
        return str(asked.json["message_id"])

    def somebody(self) -> str:
        """The id of a customer whom nobody else speaks of."""
        order = a_new_order()
        placed = self.call("POST", "/v1/orders", order | {"customer": {"user_id": f"buyer of {order['order_id']}"}})
        return str(placed.json["customer_id"])

    def visitor(self) -> str:
        """The id of a customer of whom only a browser is known."""
        return str(self.call("PUT", "/v1/customers", {"anonymous_id": a_new_order()["order_id"]}).json["customer_id"])

    def erased(self) -> str:
        """The id of a customer who was erased."""
        customer_id = self.somebody()
        assert 202 == self.call("POST", f"/v1/customers/{customer_id}/erasure-jobs").status
        return customer_id


def open_shop(cloud: Cloud) -> Shop:
    staff = cloud.key(KeyKind.STAFF)
    fr = {
        "brand": "Note Bleue",
        "languages": ["fr"],
        "time_zone": "Europe/Paris",
        "currency": "EUR",
        "sender": "salut@example.com",
    }
    assert 201 == cloud.call(sites, "PUT", "/v1/sites/fr", fr, key=staff).status
    assert 201 == cloud.call(consent, "PUT", "/v1/topics/news", a_topic(), key=staff).status
    placed = cloud.call(orders, "POST", "/v1/orders", EXAMPLE_ORDER)
    assert 201 == placed.status
    assert 201 == cloud.call(catalog, "PUT", "/v1/products/CD-5", {"name": "Blue", "updated_at": "2026-11-20T12:00:00Z"}).status
    here(OTHER)
    cloud.project()
    return Shop(cloud, placed.json["customer_id"])


EXAMPLE_ORDER: dict[str, Any] = next(operation for operation in OPERATIONS if operation.name == "place_order").example
_numbers = iter(range(10**9))


def a_new_order(**changes: Any) -> dict[str, Any]:
    """An order that is not there yet, of a customer who is."""
    return an_order(**{"order_id": f"N-{next(_numbers)}", "customer": {"user_id": "u-77"}} | changes)


def code_of(answer: Answer) -> tuple[int, str]:
    """The status and the code, of the first flaw where flaws are named."""
    problem = answer.json
    assert answer.status == problem["status"]
    return answer.status, problem["errors"][0]["code"] if problem["errors"] else problem["code"]


def in_hours(hours: float) -> str:
    return to_answer(bootstrap.clock.now() + timedelta(hours=hours))
