"""Profiles, and the identity items that keep each identifier with one customer."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from ecrm.application.ports import Claim, Contended, IdentityEntry, Request, Standing
from ecrm.domain.customers import Customer, Held, Identifier, Kind
from ecrm.domain.instants import from_text, to_text

from . import keys, replays
from .events import put_event
from .standing import present
from .table import Action, Delete, Item, Put, Table, put_as_seen


class DynamoCustomers:
    """`secret` gives the key of the HMAC; it is asked once, when an identifier is first met.

    With `shared_user_ids` a user id means the same person on every site, else each site has its own.
    """

    def __init__(self, table: Table, secret: Callable[[], bytes], *, shared_user_ids: bool = False) -> None:
        self._table = table
        self._secret = secret
        self._shared_user_ids = shared_user_ids

    def known_as(self, identifiers: Iterable[Identifier]) -> tuple[Identifier, ...]:
        if not self._shared_user_ids:
            return tuple(identifiers)
        return tuple(replace(i, scope="") if i.kind is Kind.USER_ID else i for i in identifiers)

    def held(self, identifiers: Iterable[Identifier], *, consistent: bool = False) -> Mapping[Identifier, Held]:
        wanted = {keys.identity(identifier, self._secret()): identifier for identifier in identifiers}
        found = self._table.get_many(wanted, consistent=consistent)
        return {wanted[keys.Key(item["PK"], item["SK"])]: _held_of(item) for item in found}

    def find(self, customer_id: str, *, consistent: bool = True) -> Customer | None:
        item = self._table.get(keys.profile(customer_id), consistent=consistent)
        return _customer_of(item) if item else None

    def find_many(self, customer_ids: Iterable[str]) -> Mapping[str, Customer]:
        items = self._table.get_many(map(keys.profile, customer_ids), consistent=True)
        return {keys.customer_id_of(item["PK"]): _customer_of(item) for item in items}

    def erased(self, customer_ids: Iterable[str]) -> frozenset[str]:
        """Choose those who were erased, strongly consistent; one read unit for each customer."""
        items = self._table.get_many(map(keys.profile, customer_ids), consistent=True)
        return frozenset(keys.customer_id_of(item["PK"]) for item in items if "erased_at" in item)

    def write(self, claim: Claim, request: Request | None, now: datetime) -> None:
        standing = Standing(claim.customer.customer_id, claim)
        if replays.write(self._table, (*self.puts(standing), *replays.puts(request, now)), request) is not None:
            raise Contended("the customer changed meanwhile")

    def all_ids(self) -> Iterator[str]:
        """Give every customer's id. Reads the whole table."""
        return map(keys.customer_id_of, self._table.scan_keys(keys.PROFILE))

    def unconfirmed(self, now: datetime, limit: int) -> tuple[str, ...]:
        """Name those whose time to be confirmed is over, by an index that may be behind: not all of them are so any more."""
        return tuple(keys.customer_id_of(item["PK"]) for item in self._table.waiting(keys.UNCONFIRMED, to_text(now), limit))

    def puts(self, standing: Standing) -> Iterator[Action]:
        """What a fact's transaction must hold for its customer, so that no fact is written to one who is merged or erased."""
        claim = standing.claim
        if claim is None:
            yield present(standing.customer_id, standing.found)
            return
        yield _as_seen(claim.customer, claim.seen)
        for merged in claim.absorbed:
            yield _as_seen(merged, merged.version - 1)
        for entry in claim.entries:
            yield self._entry(entry)
        for number, event in enumerate(claim.events):
            yield put_event(event, why=f"customer event {number} is new")
        if claim.absorbed:
            from .consent import merging  # noqa: PLC0415 (a merger is rare, and alone concerns consents)

            yield from merging(self._table, claim.events)

    def tombstones(self, customer: Customer, at: datetime) -> Iterator[Put]:
        """Leave of a person's profiles nothing but when they were erased, if the customer is still as it was read."""
        for customer_id in customer.partitions:
            gone = Customer(customer_id, (), at, version=customer.version + 1, erased_at=at)
            if customer_id == customer.customer_id:
                yield _as_seen(gone, customer.version)
            else:
                yield Put(profile_item(gone), "attribute_exists(PK)", f"absorbed profile is there: {customer_id}")

    def identity_keys(self, customer: Customer) -> Iterator[keys.Key]:
        return (keys.identity(identifier, self._secret()) for identifier in customer.identifiers)

    def frees(self, customer_id: str, freed: Mapping[Identifier, datetime | None]) -> Iterator[Action]:
        """What a transaction must hold for identifiers that lead to a customer no more; those of the erased say so again."""
        for identifier, erased_at in freed.items():
            key = keys.identity(identifier, self._secret())
            condition, why, values = "customer_id = :holder", f"{identifier.kind} leads to them", {":holder": customer_id}
            if erased_at is None:
                yield Delete(key, condition, why, values)
            else:
                item = {"PK": key.pk, "SK": key.sk, "type": "identity", "v": 1, "erased_at": to_text(erased_at)}
                yield Put(item, condition, why, values)

    def _entry(self, entry: IdentityEntry) -> Put:
        key = keys.identity(entry.identifier, self._secret())
        item: Item = {"PK": key.pk, "SK": key.sk, "type": "identity", "v": 1, "customer_id": entry.holder.customer_id}
        if entry.holder.is_claimed:
            item["claimed"] = True
        if entry.holder.erased_at is not None:
            item["erased_at"] = to_text(entry.holder.erased_at)
        why = f"{entry.identifier.kind} as it was seen: {key.pk}"
        if entry.seen is None:
            return Put(item, "attribute_not_exists(PK)", why)
        if entry.seen.customer_id is None:
            return Put(item, "attribute_exists(erased_at) AND attribute_not_exists(customer_id)", why)
        return Put(item, "customer_id = :holder", why, {":holder": entry.seen.customer_id})


def _as_seen(customer: Customer, seen: int) -> Put:
    return put_as_seen(profile_item(customer), seen, f"profile as it was seen: {customer.customer_id}")


def _held_of(item: Item) -> Held:
    erased_at = item.get("erased_at")
    return Held(item.get("customer_id"), item.get("claimed", False), from_text(erased_at) if erased_at else None)


def profile_item(customer: Customer) -> Item:
    key = keys.profile(customer.customer_id)
    item: Item = {
        "PK": key.pk,
        "SK": key.sk,
        "type": "profile",
        "v": 1,
        "version": customer.version,
        "created_at": to_text(customer.created_at),
        "identifiers": [_identifier(i, is_claimed=i in customer.claimed) for i in customer.identifiers],
    }
    if customer.is_vouched:
        item["vouched"] = True
    if customer.stated:
        item["stated"] = {kind: to_text(at) for kind, at in customer.stated.items()}
    if customer.merged_into is not None:
        item["merged_into"] = customer.merged_into
    if customer.absorbed:
        item["absorbed"] = customer.absorbed
    if customer.erased_at is not None:
        item["erased_at"] = to_text(customer.erased_at)
    if customer.unconfirmed_until is not None:
        item |= {"work": keys.UNCONFIRMED, "due": to_text(customer.unconfirmed_until)}
    return item


def _identifier(identifier: Identifier, *, is_claimed: bool) -> Item:
    item: Item = {"kind": identifier.kind, "value": identifier.value}
    return item | ({"scope": identifier.scope} if identifier.scope else {}) | ({"claimed": True} if is_claimed else {})


def _customer_of(item: Item) -> Customer:
    named = [(Identifier(Kind(i["kind"]), i["value"], i.get("scope", "")), i.get("claimed", False)) for i in item["identifiers"]]
    erased_at = item.get("erased_at")
    return Customer(
        customer_id=keys.customer_id_of(item["PK"]),
        identifiers=tuple(identifier for identifier, _ in named),
        created_at=from_text(item["created_at"]),
        version=item["version"],
        claimed=frozenset(identifier for identifier, is_claimed in named if is_claimed),
        is_vouched=item.get("vouched", False),
        stated={Kind(kind): from_text(at) for kind, at in item.get("stated", {}).items()},
        merged_into=item.get("merged_into"),
        absorbed=tuple(item.get("absorbed", ())),
        erased_at=from_text(erased_at) if erased_at else None,
        unconfirmed_until=from_text(item["due"]) if "due" in item else None,
    )
