"""Profiles, and the identity items that keep each identifier with one customer."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from ecrm.application.ports import Claim
from ecrm.domain.customers import Customer, Identifier, Kind
from ecrm.domain.instants import from_text, to_text

from . import keys
from .events import put_event
from .table import Item, Put, Table


class DynamoCustomers:
    """`secret` gives the key of the HMAC; it is asked once, when an identifier is first met."""

    def __init__(self, table: Table, secret: Callable[[], bytes]) -> None:
        self._table = table
        self._secret = secret

    def holders(self, identifiers: Iterable[Identifier], *, consistent: bool = False) -> Mapping[Identifier, str]:
        wanted = {keys.identity(identifier, self._secret()): identifier for identifier in identifiers}
        found = self._table.get_many(wanted, consistent=consistent)
        return {wanted[keys.Key(item["PK"], item["SK"])]: item["customer_id"] for item in found}

    def find(self, customer_id: str) -> Customer | None:
        item = self._table.get(keys.profile(customer_id), consistent=True)
        return _customer_of(item) if item else None

    def all_ids(self) -> Iterator[str]:
        """Give every customer's id. Reads the whole table."""
        return map(keys.customer_id_of, self._table.scan_keys(keys.PROFILE))

    def puts(self, claim: Claim) -> Iterator[Put]:
        """What a claim adds to a transaction: the profile, the identifiers gained, and the event."""
        customer = claim.customer
        if claim.is_new:
            yield Put(_profile(customer), "attribute_not_exists(PK)", "profile is new")
        else:
            seen = {":seen": customer.version - 1}
            yield Put(_profile(customer), "version = :seen", "profile as it was seen", seen)
        for identifier in claim.gained:
            key = keys.identity(identifier, self._secret())
            item = {"PK": key.pk, "SK": key.sk, "type": "identity", "v": 1, "customer_id": customer.customer_id}
            yield Put(item, "attribute_not_exists(PK)", f"{identifier.kind} is free")
        yield put_event(claim.event, why="customer event is new")


def _profile(customer: Customer) -> Item:
    key = keys.profile(customer.customer_id)
    return {
        "PK": key.pk,
        "SK": key.sk,
        "type": "profile",
        "v": 1,
        "version": customer.version,
        "created_at": to_text(customer.created_at),
        "identifiers": [
            {"kind": i.kind, "value": i.value} | ({"scope": i.scope} if i.scope else {}) for i in customer.identifiers
        ],
    }


def _customer_of(item: Item) -> Customer:
    return Customer(
        customer_id=keys.customer_id_of(item["PK"]),
        identifiers=tuple(Identifier(Kind(i["kind"]), i["value"], i.get("scope", "")) for i in item["identifiers"]),
        created_at=from_text(item["created_at"]),
        version=item["version"],
    )
