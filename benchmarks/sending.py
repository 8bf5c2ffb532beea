"""Messages that one core can send in a second: everything from the queue's message to the entry's end, but the provider.

    make bench

An order confirmation each, with its order, in the shop's language; and marketing, with an order's lines, four products, a cart of
four things, and its links. The table's client is in memory and answers at once, so that what is measured is ours, as with
ingestion; SES is one that accepts at once, or its SDK over a network that does. A message that somebody asked for is a page of
its own; those of a run share one.
"""

import json
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, cast

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from benchmarks.ingestion import Client
from benchmarks.machine import machine
from ecrm import bootstrap
from ecrm.application.kill_switch import arm
from ecrm.application.mail_ports import Mail, Mailer
from ecrm.application.mails import Composer
from ecrm.application.orders import PlaceOrder
from ecrm.application.ports import Standing
from ecrm.application.sending import Sender
from ecrm.application.templates import pinned
from ecrm.contracts.orders import PlaceOrderBody
from ecrm.domain.events import Event
from ecrm.domain.messages import Accepted, Policy, Reply, Status
from ecrm.domain.sites import Site
from ecrm.entry.http import digest_of
from ecrm.messaging.samples import sample_products
from ecrm.messaging.ses import ONE_ATTEMPT, SesMailer
from ecrm.store.events import put_event
from ecrm.store.products import product_item
from ecrm.store.sending import DynamoSendingControl
from ecrm.store.table import Put, Table
from tests.builders import a_planned_send, an_order, its_request
from tests.cloud import a_cloud, forget

MESSAGES = 200
ROUNDS = 7
BUDGET = 250
OWN = "a page each"
KINDS = (OWN, f"a page of {MESSAGES}")
MARKETING = "marketing"
TEMPLATES = ("order-confirmed", MARKETING)


class Rosters(Client):
    """The client of ingestion's benchmark, which a sender also asks for partitions."""

    def __init__(self) -> None:
        super().__init__()
        self._partitions: defaultdict[str, dict[str, Any]] = defaultdict(dict)

    def put_item(self, Item: Mapping[str, Any], **more: object) -> None:  # noqa: N803 (DynamoDB's names, here and below)
        super().put_item(Item, **more)
        self._partitions[Item["PK"]["S"]][Item["SK"]["S"]] = Item

    def query(self, ExpressionAttributeValues: Mapping[str, Any], **asked: Any) -> dict[str, Any]:  # noqa: N803
        partition = self._partitions[ExpressionAttributeValues[":pk"]["S"]]
        prefix = ExpressionAttributeValues.get(":prefix", {"S": ""})["S"]
        found = sorted((sk for sk in partition if sk.startswith(prefix)), reverse=not asked.get("ScanIndexForward", True))
        return {"Items": [partition[sk] for sk in found[: asked.get("Limit")]]}

    def kept(self) -> Callable[[], None]:
        """Give what brings back all as it is now."""
        items, partitions = dict(self._items), {pk: dict(partition) for pk, partition in self._partitions.items()}

        def restore() -> None:
            self._items.clear()
            self._items.update(items)
            self._partitions.clear()
            self._partitions.update({pk: dict(partition) for pk, partition in partitions.items()})

        return restore


class Accepting:
    """A provider that has every mail at once."""

    def send(self, _mail: Mail) -> Reply:
        return Accepted("m-1")


class Unbounded:
    """An account that may send as fast as it can."""

    def rate(self) -> float:
        return 1e6


class NoQueue:
    def send(self, run_id: str, shard: int, delay_seconds: int = 0, *, is_of_many: bool) -> None:
        raise NotImplementedError


def ses_without_a_network() -> SesMailer:
    """SES's SDK, up to the moment at which it would open a connection."""
    client: Any = cast("Any", botocore.session.get_session()).create_client("sesv2", config=ONE_ATTEMPT)
    body = json.dumps({"MessageId": "m-1"}).encode()

    class Raw:
        def stream(self, *_: object, **__: object) -> list[bytes]:
            return [body]

    def answer(request: Any, **_: object) -> AWSResponse:
        return AWSResponse(request.url, 200, cast("Any", HTTPHeaders()), cast("Any", Raw()))

    client.meta.events.register_first("before-send.sesv2", answer)
    return SesMailer(client, dict.fromkeys(Policy, "set"), time.monotonic)


def place_orders(now: datetime) -> list[tuple[str, str]]:
    """Give customers and their orders, one each."""
    placed: list[tuple[str, str]] = []
    for number in range(MESSAGES):
        customer = {"user_id": f"u-{number}", "email": f"u-{number}@example.com"}
        body = an_order(order_id=f"A-{number}", customer=customer, placed_at=now.isoformat())
        command: PlaceOrder = PlaceOrderBody.model_validate(body).to_command("de", digest=digest_of(body), source="bench")
        placed.append((bootstrap.place_order(command, None).view.order.customer_id, command.order_id))
    return placed


def fill_carts(placed: list[tuple[str, str]], site: Site, now: datetime) -> None:
    """Let the catalogue have four products, and every customer two of each in their cart since their order."""
    table, products = bootstrap.table(), sample_products(site)
    for each in products:
        table.put(Put(product_item(each), None, "new"))
    cart = {"properties": {"products": [{"sku": each.sku, "quantity": 2} for each in products]}}
    for customer_id, _ in placed:
        viewed = Event(
            id=f"cart-{customer_id}",
            type="cart.viewed",
            occurred_at=now + timedelta(seconds=1),
            received_at=now,
            site=site.site,
            customer_id=customer_id,
            source="bench",
            data=cart,
        )
        table.put(put_event(viewed, why="new"))


def write_marketing(now: datetime) -> None:
    """Store a template with every block that there is, in the whole page of a ready-made one."""
    ready = bootstrap.ready_made()["back-to-cart"]
    blocks = '{% include "order-lines" %}{% include "product-grid" %}{% include "cart" %}'
    variants = {
        language: replace(said, html=said.html.replace('{% include "cart" %}', blocks))
        for language, said in ready.variants.items()
    }
    template = replace(ready, template=MARKETING, topic="news", variants=variants, version=1, updated_at=now)
    made = pinned(template, templates=bootstrap.templates(), ready_made=bootstrap.ready_made, renderer=bootstrap.mails())
    bootstrap.templates().write(made, seen=0)


def plan(run_of: Callable[[int], str], placed: list[tuple[str, str]], template: str, now: datetime) -> set[str]:
    """Plan a message to each customer; gives the runs."""
    about: dict[str, Any] = {"policy": Policy.MARKETING, "topic": "news"} if template == MARKETING else {}
    data = {"skus": [each.sku for each in sample_products(bootstrap.sites().all()[0])]} if about else {}
    for number, (customer_id, order_id) in enumerate(placed):
        send = a_planned_send(run_of(number), customer_id, now, template=template, **about)
        bootstrap.sends().add(send, its_request(send, order_id=order_id, data=data), Standing(customer_id), None)
    return {run_of(number) for number in range(len(placed))}


def a_sender(mailer: Mailer) -> Sender:
    composer = Composer(
        timeline=bootstrap.timeline(),
        profiles=bootstrap.profiles(),
        orders=bootstrap.orders(),
        sites=bootstrap.sites(),
        templates=bootstrap.templates(),
        ready_made=bootstrap.ready_made,
        renderer=bootstrap.mails(),
        consents=bootstrap.consents(),
        particulars=bootstrap.particulars(),
        link_keys=bootstrap.link_keys(),
        find_run=bootstrap.sending_control().run,
        clock=bootstrap.clock,
        public_url="https://api.example.com",
    )
    control = DynamoSendingControl(bootstrap.table(), lambda: "table")
    arm(control=control)
    return Sender(
        sends=bootstrap.sends(),
        control=control,
        quota=Unbounded(),
        mailer=mailer,
        queue=NoQueue(),
        customers=bootstrap.customers(),
        compose=composer.compose,
        clock=bootstrap.clock,
        wait=lambda _seconds: None,
    )


def measure() -> dict[str, list[float]]:
    """Messages a second of CPU in each round, by what they are, how they are planned and what SES is."""
    taken: dict[str, list[float]] = {}
    with a_cloud(), pytest.MonkeyPatch.context() as patch:
        (site,) = bootstrap.sites().all()
        forget()
        client = Rosters()
        table = Table(cast("Any", client), "table", time.sleep)
        patch.setattr(bootstrap, "table", lambda: table)
        site = replace(site, sender="shop@example.com", postal_address="Ringstraße 1, Berlin", quiet_hours=None)
        bootstrap.sites().write(site, seen=0)
        now = bootstrap.clock.now()
        placed = place_orders(now)
        fill_carts(placed, site, now)
        write_marketing(now)
        senders = {"SES null": a_sender(Accepting()), "SES's SDK, network null": a_sender(ses_without_a_network())}
        restore = client.kept()
        for turn in range(ROUNDS + 1):
            for (name, sender), kind, template in product(senders.items(), KINDS, TEMPLATES):
                restore()
                runs = plan(partial(_run, f"{turn}-{name[-4:]}", own=kind == OWN), placed, template, now)
                seconds = _cpu_seconds(sender, runs)
                if turn:  # the first one fills what a container keeps
                    taken.setdefault(f"{template}, {kind}, {name}", []).append(MESSAGES / seconds)
    return taken


def _run(prefix: str, number: int, *, own: bool) -> str:
    return f"{prefix}-{number}" if own else f"{prefix}-all"


def _cpu_seconds(sender: Sender, runs: set[str]) -> float:
    began = time.process_time()
    worked = [sender.work(run_id, 0, is_of_many=False, is_late=lambda: False) for run_id in runs]
    taken = time.process_time() - began
    accepted = sum(one.statuses[Status.ACCEPTED] for one in worked)
    if accepted != MESSAGES:
        raise RuntimeError(f"{accepted} of {MESSAGES} were accepted")
    return taken


def main() -> None:
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        taken = measure()
    print(f"sending, messages a second of one core's CPU, medians of {ROUNDS} interleaved rounds of {MESSAGES} · {machine()}")
    for name, rates in taken.items():
        print(f"{name:60} {statistics.median(rates):8.0f}   budget {BUDGET}")


if __name__ == "__main__":
    main()
