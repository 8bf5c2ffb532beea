"""Requests that were answered: written in the effect's own transaction, so that effect and answer are one."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from ecrm.application.ports import AlreadyAnswered, Outcome, Request
from ecrm.domain.errors import InFlight, Invalid

from . import keys
from .table import Action, Held, Item, Put, Refused, Table

WHY = "request is new"


def puts(
    request: Request | None, now: datetime, outcome: Outcome = Outcome.CREATED, resource: str | None = None
) -> tuple[Put, ...]:
    """What a request with an Idempotency-Key adds to its effect's transaction; `resource` names what it makes.

    `expires_at` is in seconds since 1970, as DynamoDB's TTL wants it; TTL deletes late, so an expired item counts as none.
    """
    if request is None:
        return ()
    key = keys.replay(request.key)
    item: Item = {
        "PK": key.pk,
        "SK": key.sk,
        "type": "replay",
        "v": 1,
        "digest": request.digest,
        "outcome": outcome,
        "expires_at": int(request.expires_at.timestamp()),
    }
    if resource is not None:
        item["resource"] = resource
    return (Put(item, "attribute_not_exists(PK) OR expires_at < :now", WHY, {":now": int(now.timestamp())}),)


def write(table: Table, actions: Iterable[Action], request: Request | None) -> Mapping[str, Item] | None:
    """Write an effect with its `puts`; gives None, or what stands where a condition of the effect's own did not hold.

    Raises AlreadyAnswered for an earlier delivery of the same request, Invalid for another one under the same key, InFlight
    where one is being worked on at this moment, Contended.
    """
    try:
        table.write(actions)
    except Refused as refused:
        if request is not None and WHY in refused.found:
            raise AlreadyAnswered(_outcome(refused.found[WHY], request)) from None
        return refused.found
    except Held as held:
        if WHY in held.whys:
            raise InFlight("a request with this Idempotency-Key is being worked on") from None
        raise
    return None


def resource_of(table: Table, request: Request, now: datetime) -> str | None:
    """Name what an earlier delivery of a request has made. Raises Invalid where its key came with another body."""
    item = table.get(keys.replay(request.key), consistent=True)
    if item is None or item["expires_at"] < int(now.timestamp()):
        return None
    _outcome(item, request)
    return str(item["resource"])


class DynamoRequests:
    """Requests that leave no effect of their own, such as batches and what was there already: only they are remembered."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, request: Request, now: datetime) -> Outcome | None:
        item = self._table.get(keys.replay(request.key))
        return _outcome(item, request) if item and item["expires_at"] >= int(now.timestamp()) else None

    def recognise(self, request: Request, outcome: Outcome, now: datetime) -> Outcome | None:
        (put,) = puts(request, now, outcome)
        try:
            self._table.put(put)
        except Refused as refused:
            return _outcome(refused.found[WHY], request)
        return None


def _outcome(item: Item, request: Request) -> Outcome:
    if item["digest"] != request.digest:
        raise Invalid("this Idempotency-Key was used for another body", code="idempotency_key_reused")
    return Outcome(item["outcome"])
