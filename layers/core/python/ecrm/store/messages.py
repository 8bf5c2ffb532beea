"""Rosters: an entry for each person of a run, which is the audience, the send ledger and the books at once."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product, starmap, zip_longest

from ecrm.application.mail_ports import AlreadyRecorded, Blocked, Waiting
from ecrm.application.ports import Contended, Request, Standing
from ecrm.domain.assignment import Arm
from ecrm.domain.budgets import Budget, Reserved
from ecrm.domain.consent import Channel, Subject
from ecrm.domain.customers import Customer
from ecrm.domain.events import Event
from ecrm.domain.instants import from_text, to_text
from ecrm.domain.messages import Policy, Send, Status
from ecrm.domain.preferences import Preferences, joined
from ecrm.domain.runs import Run, page_of
from ecrm.domain.suppressions import Address

from . import keys, replays
from .customers import DynamoCustomers
from .events import put_event
from .preferences import preferences_of
from .standing import present, unerased
from .table import Action, Check, Item, Put, Refused, Table, put_as_seen

_ENTRY = "entry as it was seen"
_BUDGET = "budget as it was seen"
_CONSENT = "topic is consented to for this address"
_SUPPRESSION = "address is not suppressed"
FORGOTTEN_AFTER = timedelta(days=1)
"""When DynamoDB may delete a page's item that waits for nobody."""


class DynamoSends:
    """`secret` gives the key of the HMAC under which addresses are known."""

    def __init__(self, table: Table, customers: DynamoCustomers, secret: Callable[[], bytes]) -> None:
        self._table = table
        self._customers = customers
        self._secret = secret

    def add(self, send: Send, requested: Event, standing: Standing, request: Request | None) -> bool:
        is_new = "entry is new"
        actions: list[Action] = [
            Put(send_item(send), "attribute_not_exists(PK)", is_new),
            put_event(requested, why="event follows its entry"),
            *self._customers.puts(standing),
            *replays.puts(request, requested.received_at, resource=send.run_id),
        ]
        refused = replays.write(self._table, actions, request)
        if refused is not None and is_new not in refused:
            raise Contended("the customer changed meanwhile")
        return refused is None

    def answered(self, request: Request | None, now: datetime) -> str | None:
        return replays.resource_of(self._table, request, now) if request else None

    def find(self, run_id: str, shard: int, customer_id: str, *, consistent: bool = True) -> Send | None:
        item = self._table.get(keys.send(run_id, shard, customer_id), consistent=consistent)
        return send_of(item) if item else None

    def page(self, run_id: str, shard: int, *, after: str | None = None) -> Iterator[Send]:
        items = self._table.query(keys.page_partition(run_id, shard), consistent=True, after=after)
        return (send_of(item) for item in items if item["SK"] != keys.PAGE)

    def budget(self, customer: Customer, run: Run | None = None, rivals: Iterable[Run] = ()) -> Budget:
        wanted = [*map(keys.budget, customer.partitions), *map(keys.preferences, customer.partitions)]
        same = [replace(run, run_id=run_id) for run_id in (run.run_id, *run.retries)] if run else []
        wanted += starmap(place, product(same, customer.absorbed))
        wanted += starmap(place, product(rivals, customer.partitions))
        budget, inherited = Budget(customer.customer_id), dict[str, Reserved]()
        wishes: list[Preferences] = []
        sends: list[Send] = []
        for item in self._table.get_many(wanted, consistent=True):
            if item["type"] == "send":
                sends.append(send_of(item))
            elif item["SK"] == keys.PREFERENCES:
                wishes.append(preferences_of(item))
            elif keys.customer_id_of(item["PK"]) == customer.customer_id:
                budget = budget_of(item)
            else:
                inherited |= budget_of(item).sends
        runs = {each.run_id for each in same}
        twins = tuple(send for send in sends if send.run_id in runs)
        ahead = tuple(send for send in sends if send not in twins and send.status is Status.PLANNED)
        return replace(budget, inherited=inherited, wishes=joined(wishes), ahead=ahead, twins=twins)

    def claim(self, claimed: Send, customer: Customer, to: str, budget: Budget | None, now: datetime) -> None:
        address = Address(Channel.EMAIL, to)
        key = keys.suppression(address, self._secret())
        may_be_sent_to = "attribute_not_exists(PK) OR active = :no OR lapses_at < :now"
        actions: list[Action] = [
            _as_seen(claimed),
            # The address is one that this version of them has, and they are neither merged nor erased.
            present(customer.customer_id, customer),
            Check(key, may_be_sent_to, _SUPPRESSION, {":no": False, ":now": to_text(now)}),
        ]
        if claimed.policy is Policy.MARKETING:
            subject = Subject(Channel.EMAIL, str(claimed.topic))
            digest = keys.address_digest(address, self._secret())
            # A consent names addresses only while it is granted.
            granted = Check(
                keys.consent(customer.customer_id, subject), "contains(addresses, :digest)", _CONSENT, {":digest": digest}
            )
            actions.append(granted)
        if budget is not None:
            actions.append(_budget_put(budget))
        try:
            self._table.write(actions)
        except Refused as refused:
            if refused.found.keys() == {_SUPPRESSION} or refused.found.keys() == {_SUPPRESSION, _CONSENT}:
                raise Blocked(Status.SUPPRESSED) from None
            if refused.found.keys() == {_CONSENT}:
                raise Blocked(Status.NO_CONSENT) from None
            raise Contended("the entry, its customer or their budget changed meanwhile") from None

    def write(self, send: Send, events: Sequence[Event] = (), budget: Budget | None = None) -> Send | None:
        told = () if send.closed_at else tuple(events)
        put, held = _as_seen(send), unerased(send.customer_id)
        try:
            if not told and budget is None:
                self._table.put(put)
                return None
            actions: list[Action] = [put, *(put_event(event, why=f"event is new: {event.id}") for event in told)]
            if told and not send.is_named:
                # Their partition names this entry from now on, and an erasure that has looked already would not see it.
                actions.append(held)
            if budget is not None:
                actions.append(_budget_put(budget))
            self._table.write(actions)
        except Refused as refused:
            if held.why in refused.found:
                return self.write(send)
            if _ENTRY in refused.found:
                return send_of(refused.found[_ENTRY])
            if _BUDGET in refused.found:
                raise Contended("the budget changed meanwhile") from None
            raise AlreadyRecorded(sorted(refused.found)) from None
        return None

    def tell(self, send: Send, event: Event) -> None:
        key = keys.send(send.run_id, send.shard, send.customer_id)
        may_be_told = Check(key, "attribute_exists(PK) AND attribute_not_exists(closed_at)", "entry is not closed")
        try:
            self._table.write([may_be_told, put_event(event, why="event is new")])
        except Refused as refused:
            if may_be_told.why not in refused.found:
                raise AlreadyRecorded(event.id) from None

    def name_link(self, run_id: str, link: str, shown: str) -> None:
        key = keys.run_link(run_id, link)
        item: Item = {"PK": key.pk, "SK": key.sk, "type": "run_link", "v": 1, "shown": shown}
        self._table.put(Put(item, None, "its name says what it is"))

    def links(self, run_id: str) -> Mapping[str, str]:
        items = self._table.query(keys.run(run_id).pk, prefix=keys.LINK_PREFIX)
        return {keys.link_of(item["SK"]): item["shown"] for item in items}

    def come_back(self, run_id: str, shard: int, due: datetime) -> None:
        self._table.put(Put(_page(run_id, shard, due), None, "whoever asks last decides"))

    def leave(self, run_id: str, shard: int, now: datetime) -> None:
        page = _page(run_id, shard, None, forgotten_at=now + FORGOTTEN_AFTER)
        self._table.put(Put(page, None, "what has ended never opens again"))

    def due(self, now: datetime, limit: int) -> Iterator[Waiting]:
        first = int(now.timestamp()) // 60
        shards = [keys.work_shard((first + number) % keys.WORK_SHARDS) for number in range(keys.WORK_SHARDS)]
        until = to_text(now)
        for some in zip_longest(*(self._table.waiting(shard, until, limit) for shard in shards)):
            for item in filter(None, some):
                yield Waiting(*keys.page_of(item["PK"]), from_text(item["due"]))

    def put_off(self, waiting: Waiting, due: datetime | None) -> None:
        page = _page(waiting.run_id, waiting.shard, due, forgotten_at=waiting.due + FORGOTTEN_AFTER)
        try:
            self._table.put(Put(page, "due = :seen", "nobody has said otherwise", {":seen": to_text(waiting.due)}))
        except Refused:
            return


def close(table: Table, key: keys.Key, at: datetime) -> None:
    """Let nothing more be told of an entry's person, who is erased; the entry stays, because the books do.

    1 write unit, none if it is closed already.
    """
    item = table.get(key, consistent=True)
    while item and "closed_at" not in item:
        after = item | {"version": item["version"] + 1, "closed_at": to_text(at)}
        try:
            table.put(put_as_seen(after, item["version"], _ENTRY))
        except Refused as refused:
            item = refused.found[_ENTRY]
        else:
            return


def place(run: Run, customer_id: str) -> keys.Key:
    """Say where somebody's entry in a run is, if they have one."""
    return keys.send(run.run_id, page_of(keys.shard_of(customer_id), run.pages, keys.SHARDS), customer_id)


def _as_seen(send: Send) -> Put:
    return put_as_seen(send_item(send), send.version - 1, _ENTRY)


def _budget_put(budget: Budget) -> Put:
    return put_as_seen(budget_item(budget), budget.version - 1, _BUDGET)


def _page(run_id: str, shard: int, due: datetime | None, forgotten_at: datetime | None = None) -> Item:
    key = keys.page(run_id, shard)
    item: Item = {"PK": key.pk, "SK": key.sk, "type": "page", "v": 1}
    if due is not None:
        return item | {"work": keys.work(key.pk), "due": to_text(due)}
    return item | ({"expires_at": int(forgotten_at.timestamp())} if forgotten_at else {})


_TEXTS = ("site", "template", "topic", "reason", "bounce", "message", "treatment", "ineligible")
_TIMES = (
    "planned_at",
    "requested_at",
    "postponed_until",
    "claimed_at",
    "doubted_at",
    "resent_at",
    "settled_at",
    "delivered_at",
    "delayed_at",
    "bounced_at",
    "complained_at",
    "rejected_at",
    "opened_at",
    "clicked_at",
    "closed_at",
    "unsubscribed_at",
)


def send_item(send: Send) -> Item:
    """Its end is `until`, because DynamoDB deletes by `expires_at`."""
    key = keys.send(send.run_id, send.shard, send.customer_id)
    item: Item = {
        "PK": key.pk,
        "SK": key.sk,
        "type": "send",
        "v": 1,
        "version": send.version,
        "policy": send.policy,
        "status": send.status,
        "attempt": send.attempt,
    }
    item |= {name: value for name in _TEXTS if (value := getattr(send, name)) is not None}
    item |= {name: to_text(at) for name in _TIMES if (at := getattr(send, name)) is not None}
    if send.expires_at is not None:
        item["until"] = to_text(send.expires_at)
    if send.template_version is not None:
        item["template_version"] = send.template_version
    if send.accepted:
        item["accepted"] = {str(attempt): message_id for attempt, message_id in send.accepted.items()}
    if send.arm is not None:
        item["arm"] = send.arm
    if send.is_pilot:
        item["pilot"] = True
    if send.links:
        item["links"] = {link: to_text(at) for link, at in send.links.items()}
    return item


def send_of(item: Item) -> Send:
    run_id, shard = keys.page_of(item["PK"])
    said: Item = {name: item[name] for name in _TEXTS if name in item}
    said |= {name: from_text(item[name]) for name in _TIMES if name in item}
    return Send(
        run_id=run_id,
        shard=shard,
        customer_id=item["SK"],
        policy=Policy(item["policy"]),
        status=Status(item["status"]),
        attempt=item["attempt"],
        template_version=item.get("template_version"),
        expires_at=from_text(item["until"]) if "until" in item else None,
        accepted={int(attempt): message_id for attempt, message_id in item.get("accepted", {}).items()},
        arm=Arm(item["arm"]) if "arm" in item else None,
        is_pilot=item.get("pilot", False),
        links={link: from_text(at) for link, at in item.get("links", {}).items()},
        version=item["version"],
        **said,
    )


def budget_item(budget: Budget) -> Item:
    key = keys.budget(budget.customer_id)
    sends = {
        name: [to_text(reserved.at), reserved.run_id, reserved.shard, reserved.customer_id]
        for name, reserved in budget.sends.items()
    }
    return {"PK": key.pk, "SK": key.sk, "type": "budget", "v": 1, "version": budget.version, "sends": sends}


def budget_of(item: Item) -> Budget:
    return Budget(
        keys.customer_id_of(item["PK"]),
        item["version"],
        {
            name: Reserved(from_text(at), run_id, shard, customer_id)
            for name, (at, run_id, shard, customer_id) in item["sends"].items()
        },
    )
