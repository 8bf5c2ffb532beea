"""Suppressions: an item for each address, by the HMAC of channel and address: the table alone does not tell whom it spares."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from ecrm.application.ports import Contended, Request
from ecrm.domain.consent import proof_details, proof_of
from ecrm.domain.instants import from_text, to_text
from ecrm.domain.suppressions import Address, Ground, Lift, Reason, SoftBounces, Suppression, anonymous, with_ground

from . import keys, replays
from .table import Item, Put, Refused, Table, put_as_seen

if TYPE_CHECKING:
    from ecrm.application.import_rows import RowChange

ATTEMPTS = 12


class DynamoSuppressions:
    def __init__(self, table: Table, secret: Callable[[], bytes]) -> None:
        self._table = table
        self._secret = secret

    def find(self, address: Address) -> tuple[Suppression, int]:
        return self._find(keys.suppression(address, self._secret()))

    def _find(self, key: keys.Key) -> tuple[Suppression, int]:
        item = self._table.get(key, consistent=True)
        return (suppression_of(item), item["version"]) if item else (Suppression(), 0)

    def of(self, addresses: Iterable[Address]) -> Mapping[Address, Suppression]:
        wanted = {address: keys.suppression(address, self._secret()) for address in addresses}
        items = {keys.Key(i["PK"], i["SK"]): i for i in self._table.get_many(wanted.values(), consistent=True)}
        return {address: suppression_of(items[key]) for address, key in wanted.items() if key in items}

    def write(self, address: Address, suppression: Suppression, request: Request | None, now: datetime, *, seen: int) -> None:
        put = _as_seen(keys.suppression(address, self._secret()), suppression, now, seen)
        if replays.write(self._table, (put, *replays.puts(request, now)), request) is not None:
            raise Contended("the address was written meanwhile")

    def write_row(self, address: Address, suppression: Suppression, change: "RowChange", now: datetime, *, seen: int) -> None:
        self._write_row(keys.suppression(address, self._secret()), suppression, change, now, seen)

    def _write_row(self, key: keys.Key, suppression: Suppression, change: "RowChange", now: datetime, seen: int) -> None:
        from .import_rows import put_row  # noqa: PLC0415 (only a file has rows)

        try:
            self._table.write((_as_seen(key, suppression, now, seen), put_row(change)))
        except Refused:
            raise Contended("the address was written meanwhile") from None

    def named(self, key: str) -> tuple[Suppression, int]:
        return self._find(keys.Key(key, "SUPPRESSION"))

    def write_named_row(self, suppression: Suppression, change: "RowChange", now: datetime, *, seen: int) -> None:
        self._write_row(keys.Key(change.key, "SUPPRESSION"), suppression, change, now, seen)

    def key(self, address: Address) -> str:
        return keys.suppression(address, self._secret()).pk

    def keys_of(self, addresses: Iterable[Address]) -> Iterator[keys.Key]:
        return (keys.suppression(address, self._secret()) for address in addresses)

    def keep_of_the_erased(self, key: keys.Key, at: datetime, source: str) -> None:
        """Suppress the address of a person who is erased at `at`, and forget whatever was written about it; may be done again.

        By its key, because nobody knows the address any more when an erasure is worked on.
        """
        ground = Ground(since=at, source=source)
        for _ in range(ATTEMPTS):
            seen, version = self._find(key)
            kept = anonymous(with_ground(seen, Reason.ERASED, ground))
            if kept == seen:
                return
            try:
                self._table.put(_as_seen(key, kept, at, version))
            except Refused:
                continue
            return
        raise Contended("many requests for this address at once; try again")


def _as_seen(key: keys.Key, suppression: Suppression, now: datetime, seen: int) -> Put:
    return put_as_seen(suppression_item(key, suppression, now, seen + 1), seen, "suppression as it was seen")


def suppression_item(key: keys.Key, suppression: Suppression, now: datetime, version: int) -> Item:
    """`active` and `lapses_at`, from when on it is active no more, are for the conditions of those who send."""
    lifted, soft, active = suppression.lifted, suppression.soft, suppression.active(now)
    item: Item = {
        "PK": key.pk,
        "SK": key.sk,
        "type": "suppression",
        "v": 1,
        "version": version,
        "active": bool(active),
        "grounds": {reason.value: _ground(ground) for reason, ground in suppression.grounds.items()},
    }
    if lifted:
        item["lifted"] = _lift(lifted)
    ends = [ground.until for ground in active.values()]
    if ends and None not in ends:
        item["lapses_at"] = to_text(max(filter(None, ends)))
    if soft.bounced_at:
        item["soft_bounced_at"] = [to_text(at) for at in soft.bounced_at]
    if soft.delivered_at:
        item["delivered_at"] = to_text(soft.delivered_at)
    return item


def _ground(ground: Ground) -> Item:
    item = {"since": to_text(ground.since), "source": ground.source}
    return item | ({"note": ground.note} if ground.note is not None else {})


def _lift(lift: Lift) -> Item:
    item: Item = {"at": to_text(lift.at), "source": lift.source}
    return item | ({"proof": proof_details(lift.proof)} if lift.proof else {})


def suppression_of(item: Item) -> Suppression:
    lifted, delivered_at = item.get("lifted"), item.get("delivered_at")
    return Suppression(
        {
            Reason(reason): Ground(since=from_text(said["since"]), source=said["source"], note=said.get("note"))
            for reason, said in item["grounds"].items()
        },
        Lift(
            at=from_text(lifted["at"]),
            source=lifted["source"],
            proof=proof_of(lifted["proof"]) if "proof" in lifted else None,
        )
        if lifted
        else None,
        SoftBounces(
            tuple(map(from_text, item.get("soft_bounced_at", ()))),
            from_text(delivered_at) if delivered_at else None,
        ),
    )
