"""Consents: an item for each channel and topic, all of a customer's under the version of one item beside them.

That version is what a merger is held to: nobody says no to a customer in the moment in which another one absorbs them unheard.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from ecrm.application.consent import taken_over
from ecrm.application.ports import ConsentBook, Contended, Request
from ecrm.domain.consent import SORTS, Channel, Consent, Subject, details, fact_of
from ecrm.domain.events import Event
from ecrm.domain.instants import from_text, to_text
from ecrm.domain.suppressions import Address

from . import keys, replays
from .events import put_event
from .standing import present
from .table import Action, Check, Item, Put, Table, as_seen, put_as_seen


class DynamoConsents:
    def __init__(self, table: Table, secret: Callable[[], bytes]) -> None:
        self._table = table
        self._secret = secret

    def digest(self, channel: Channel, address: str) -> str:
        return keys.address_digest(Address(channel, address), self._secret())

    def of(self, customer_id: str) -> ConsentBook:
        return read_consents(self._table, customer_id)

    def of_many(self, subjects: Mapping[str, Iterable[Subject]]) -> Mapping[str, ConsentBook]:
        wanted = [keys.consent(customer_id, subject) for customer_id, named in subjects.items() for subject in named]
        versions = dict.fromkeys(subjects, 0)
        found: dict[str, dict[Subject, Consent]] = {customer_id: {} for customer_id in subjects}
        for item in self._table.get_many((*map(keys.consents, subjects), *wanted), consistent=True):
            customer_id = keys.customer_id_of(item["PK"])
            if item["SK"] == keys.CONSENTS:
                versions[customer_id] = item["version"]
            else:
                found[customer_id][keys.subject_of(item["SK"])] = consent_of(item)
        return {customer_id: ConsentBook(versions[customer_id], found[customer_id]) for customer_id in subjects}

    def write(
        self,
        customer_id: str,
        changed: Mapping[Subject, Consent],
        events: Iterable[Event],
        request: Request | None,
        *,
        seen: int,
    ) -> frozenset[str]:
        events = tuple(events)
        actions: list[Action] = [
            present(customer_id),
            *puts(customer_id, changed, events, seen),
            *replays.puts(request, events[0].received_at),
        ]
        refused = replays.write(self._table, actions, request)
        if refused is None:
            return frozenset()
        there = frozenset(event.id for event in events if _is_new(event) in refused)
        if not there:
            raise Contended("the customer or their consents changed meanwhile")
        return there


def read_consents(table: Table, customer_id: str) -> ConsentBook:
    """Read all consents of a customer, strongly consistent, in one query."""
    version, found = 0, {}
    for item in table.query(keys.customer_partition(customer_id), prefix=keys.CONSENTS, consistent=True):
        if item["SK"] == keys.CONSENTS:
            version = item["version"]
        else:
            subject = keys.subject_of(item["SK"])
            found[subject] = consent_of(item)
    return ConsentBook(version, found)


def merging(table: Table, events: Iterable[Event]) -> Iterator[Action]:
    """What a transaction must hold beside each `customer.merged` of its events, so that the stricter consents are kept.

    Half a read unit and 2 write units for each customer who is absorbed, 4 for each consent that changes.
    """
    mergers = [event for event in events if event.type == "customer.merged"]
    losers = [(event, read_consents(table, event.data["merged"])) for event in mergers]
    for event, book in losers:
        loser_id = event.data["merged"]
        condition, values = as_seen(book.version)
        yield Check(keys.consents(loser_id), condition, f"consents of {loser_id} as they were seen", values)
    if any(book.consents for _, book in losers):
        winner_id = mergers[0].customer_id
        winner = read_consents(table, winner_id)
        changed, happened = taken_over(winner, losers)
        # Even where nothing changes: that they are strict enough holds for the winner's consents as they were read.
        yield from puts(winner_id, changed, happened, winner.version)


def puts(customer_id: str, changed: Mapping[Subject, Consent], events: Iterable[Event], seen: int) -> Iterator[Put]:
    """What a transaction must hold for consents that change, and for what happened to them."""
    key = keys.consents(customer_id)
    item: Item = {"PK": key.pk, "SK": key.sk, "type": "consents", "v": 1, "version": seen + 1}
    yield put_as_seen(item, seen, f"consents of {customer_id} as they were seen")
    for subject, consent in changed.items():
        yield Put(consent_item(customer_id, subject, consent), None, f"consent follows their version: {subject}")
    for event in events:
        yield put_event(event, why=_is_new(event))


def _is_new(event: Event) -> str:
    return f"event is new: {event.id}"


def consent_item(customer_id: str, subject: Subject, consent: Consent) -> Item:
    """`state` and `addresses` are for the conditions of those who send: what holds, and for which addresses."""
    key = keys.consent(customer_id, subject)
    facts = {sort: getattr(consent, sort) for sort in SORTS}
    return {
        "PK": key.pk,
        "SK": key.sk,
        "type": "consent",
        "v": 1,
        "state": consent.state,
        "addresses": sorted(consent.addresses),
        "facts": {sort: {"at": to_text(fact.at), **details(fact)} for sort, fact in facts.items() if fact},
    }


def consent_of(item: Item) -> Consent:
    return Consent(**{sort: fact_of(from_text(said["at"]), said) for sort, said in item["facts"].items()})
