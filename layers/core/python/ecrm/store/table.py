"""The table: the one place that speaks DynamoDB, drains its partial answers and turns its errors into ours.

Items are plain dictionaries with `PK` and `SK`; numbers are int or Decimal. Every read and write that fails for a reason that
time heals raises Unavailable.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from ecrm.application.ports import Contended
from ecrm.domain.errors import Unavailable

from .keys import Key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Item = dict[str, Any]

MOST_DRAINS = 8
"""Rounds of asking again for what a batch left out, before it is reported as Unavailable."""
FIRST_PAUSE_SECONDS = 0.01
"""Before the second round, at most. Each further one may be twice as long: 1.27 s in all."""
BATCH_READ = 100
BATCH_WRITE = 25
MOST_ACTIONS = 100
"""Of one transaction, as DynamoDB has it; it may come to 4 MB."""


@dataclass(frozen=True, slots=True)
class Put:
    """Write an item under a condition; `why` names the case that the condition is there for."""

    item: Item
    condition: str | None
    why: str
    values: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Hold an item to a condition without writing it; costs as much as writing it."""

    key: Key
    condition: str
    why: str
    values: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete an item, under a condition if there is one."""

    key: Key
    condition: str | None
    why: str
    values: Mapping[str, Any] | None = None


type Action = Put | Check | Delete


def as_seen(version: int) -> tuple[str, Mapping[str, int] | None]:
    """The condition that an item is still at the version that was seen, 0 where there was none; with its values."""
    return ("version = :seen", {":seen": version}) if version else ("attribute_not_exists(PK)", None)


def put_as_seen(item: Item, seen: int, why: str) -> Put:
    condition, values = as_seen(seen)
    return Put(item, condition, why, values)


class Refused(Exception):
    """A transaction whose conditions did not hold: `found` gives, for each refused `why`, the item that stands there."""

    def __init__(self, found: Mapping[str, Item]) -> None:
        super().__init__(sorted(found))
        self.found = found


class Table:
    """`pause` waits for some part of the seconds that it is given."""

    def __init__(self, client: "DynamoDBClient", name: str, pause: Callable[[float], None]) -> None:
        self._client = client
        self._name = name
        self._pause = pause

    def get(self, key: Key, *, consistent: bool = False) -> Item | None:
        answer = self._call("get_item", Key=_wire_key(key), ConsistentRead=consistent)
        return from_wire(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Iterable[Key], *, consistent: bool = False) -> list[Item]:
        """Read items in no particular order; those that do not exist are left out."""
        wanted = [_wire_key(key) for key in dict.fromkeys(keys)]
        return [
            item for at in range(0, len(wanted), BATCH_READ) for item in self._drain(wanted[at : at + BATCH_READ], consistent)
        ]

    def _drain(self, wanted: list[Item], consistent: bool) -> Iterator[Item]:  # noqa: FBT001 (private)
        for again in range(MOST_DRAINS):
            if again:
                self._pause(FIRST_PAUSE_SECONDS * 2 ** (again - 1))
            ask = {self._name: {"Keys": wanted, "ConsistentRead": consistent}}
            answer = self._call_any("batch_get_item", RequestItems=ask)
            yield from (from_wire(item) for item in answer["Responses"].get(self._name, ()))
            left = answer.get("UnprocessedKeys", {}).get(self._name)
            if not left:
                return
            wanted = left["Keys"]
        raise Unavailable("the table leaves reads unanswered")

    def query(
        self,
        pk: str,
        *,
        prefix: str = "",
        after: str | None = None,
        backwards: bool = False,
        limit: int | None = None,
        consistent: bool = False,
    ) -> Iterator[Item]:
        """Give a partition's items whose SK begins with `prefix`, in order of SK, starting beyond `after`."""
        ask: dict[str, Any] = {
            "KeyConditionExpression": "PK = :pk",
            "ExpressionAttributeValues": {":pk": {"S": pk}},
            "ScanIndexForward": not backwards,
            "ConsistentRead": consistent,
        }
        if prefix:
            ask["KeyConditionExpression"] += " AND begins_with(SK, :prefix)"
            ask["ExpressionAttributeValues"][":prefix"] = {"S": prefix}
        if after is not None:
            ask["ExclusiveStartKey"] = _wire_key(Key(pk, after))
        if limit is not None:
            ask["Limit"] = limit
        given = 0
        while True:
            answer = self._call("query", **ask)
            for item in answer["Items"]:
                yield from_wire(item)
                given += 1
                if given == limit:
                    return
            if "LastEvaluatedKey" not in answer:
                return
            ask["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def scan_keys(self, sk: str) -> Iterator[str]:
        """Give the PK of every item with this SK. Reads the whole table: for an engineer's tools, never for a function."""
        ask: dict[str, Any] = {
            "FilterExpression": "SK = :sk",
            "ExpressionAttributeValues": {":sk": {"S": sk}},
            "ProjectionExpression": "PK",
            "ConsistentRead": True,
        }
        while True:
            answer = self._call("scan", **ask)
            yield from (item["PK"]["S"] for item in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            ask["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def waiting(self, work: str, until: str, limit: int) -> Iterator[Item]:
        """Give keys, `work` and `due` of at most `limit` items of the index `worklist` that are due by `until`, soonest first.

        The index may be behind: an item given may not wait any more, or not until then.
        """
        ask: dict[str, Any] = {
            "IndexName": "worklist",
            "KeyConditionExpression": "#work = :work AND due <= :until",
            "ExpressionAttributeNames": {"#work": "work"},  # a reserved word
            "ExpressionAttributeValues": {":work": {"S": work}, ":until": {"S": until}},
            "Limit": limit,
        }
        yield from (from_wire(item) for item in self._call("query", **ask)["Items"])

    def put(self, put: Put) -> None:
        """Write one item. Raises Refused."""
        try:
            self._call("put_item", **_wire_put(put))
        except _ConditionFailed as failed:
            raise Refused({put.why: failed.item}) from None

    def write(self, actions: Iterable[Action]) -> None:
        """Write all or nothing. Raises Refused, or Contended where another transaction holds one of the items."""
        actions = tuple(actions)
        try:
            self._call_any("transact_write_items", TransactItems=[self._wire_action(action) for action in actions])
        except _Cancelled as cancelled:
            refused = {
                action.why: from_wire(reason.get("Item", {}))
                for action, reason in zip(actions, cancelled.reasons, strict=True)
                if reason.get("Code") == "ConditionalCheckFailed"
            }
            if refused:
                raise Refused(refused) from None
            held = {
                action.why
                for action, reason in zip(actions, cancelled.reasons, strict=True)
                if reason.get("Code") == "TransactionConflict"
            }
            raise Held(held) from None

    def write_each(self, held: Check | None, puts: Iterable[Put]) -> None:
        """Write what is not refused, each item under a `why` of its own, and nothing more once a `held` is refused.

        In transactions: where one raises Contended or Unavailable, those before it were written.
        """
        pending = {put.why: put for put in puts}
        checks = () if held is None else (held,)
        while pending:
            now = dict(islice(pending.items(), MOST_ACTIONS - len(checks)))
            try:
                self.write([*checks, *now.values()])
            except Refused as refused:
                if held is not None and held.why in refused.found:
                    return
                now = {why: now[why] for why in refused.found}
            pending = {why: put for why, put in pending.items() if why not in now}

    def remove_many(self, keys: Iterable[Key]) -> None:
        """Delete items, those that are there, in no particular order and not all at once."""
        doomed = [{"DeleteRequest": {"Key": _wire_key(key)}} for key in dict.fromkeys(keys)]
        for at in range(0, len(doomed), BATCH_WRITE):
            left = doomed[at : at + BATCH_WRITE]
            for again in range(MOST_DRAINS):
                if again:
                    self._pause(FIRST_PAUSE_SECONDS * 2 ** (again - 1))
                answer = self._call_any("batch_write_item", RequestItems={self._name: left})
                left = answer.get("UnprocessedItems", {}).get(self._name, [])
                if not left:
                    break
            else:
                raise Unavailable("the table leaves deletions undone")

    def _wire_action(self, action: Action) -> dict[str, Any]:
        if isinstance(action, Put):
            return {"Put": self._named(_wire_put(action))}
        operation = "Delete" if isinstance(action, Delete) else "ConditionCheck"
        return {operation: self._named({"Key": _wire_key(action.key)} | _wire_condition(action))}

    def _named(self, ask: dict[str, Any]) -> dict[str, Any]:
        return {"TableName": self._name} | ask

    def _call(self, operation: str, **ask: Any) -> dict[str, Any]:
        return self._call_any(operation, **self._named(ask))

    def _call_any(self, operation: str, **ask: Any) -> dict[str, Any]:
        try:
            return getattr(self._client, operation)(**ask)  # type: ignore[no-any-return]  # one door for five typed operations
        except ClientError as error:
            raise _ours(error) from error
        except BotoCoreError as error:
            raise Unavailable("the table cannot be reached") from error


class Held(Contended):
    """Another transaction holds one of the items at this moment; `whys` name the ones that were held."""

    def __init__(self, whys: set[str]) -> None:
        super().__init__("another transaction holds the item")
        self.whys = whys


class _ConditionFailed(Exception):
    def __init__(self, item: Item) -> None:
        super().__init__()
        self.item = item


class _Cancelled(Exception):
    def __init__(self, reasons: list[dict[str, Any]]) -> None:
        super().__init__()
        self.reasons = reasons


_TIME_HEALS = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionInProgressException",
    }
)
_OUR_MISTAKE = frozenset({"ValidationError", "ItemCollectionSizeLimitExceeded"})
_SERVER_FAULT = 500


def _ours(error: ClientError) -> Exception:
    """Turn an answer of DynamoDB into ours; what no time heals stays as it is, because it is our mistake."""
    code = error.response["Error"]["Code"]
    if code == "ConditionalCheckFailedException":
        return _ConditionFailed(from_wire(error.response.get("Item", {})))  # type: ignore[arg-type]  # absent from the stubs
    if code == "TransactionConflictException":
        return Contended("another transaction holds the item")
    reasons: list[dict[str, Any]] = error.response.get("CancellationReasons", [])  # type: ignore[assignment]  # the same
    codes = {reason.get("Code") for reason in reasons} - {"None"}
    if codes and codes <= {"ConditionalCheckFailed", "TransactionConflict"}:
        return _Cancelled(reasons)
    heals = time_heals(error) or (bool(codes) and codes.isdisjoint(_OUR_MISTAKE))
    return Unavailable("the table is busy") if heals else error


def time_heals(error: ClientError) -> bool:
    """Say whether AWS refuses for now, not for good."""
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return error.response["Error"]["Code"] in _TIME_HEALS or status >= _SERVER_FAULT


def _wire_key(key: Key) -> Item:
    return {"PK": {"S": key.pk}, "SK": {"S": key.sk}}


def _wire_put(put: Put) -> dict[str, Any]:
    return {"Item": to_wire(put.item)} | _wire_condition(put)


def _wire_condition(action: Action) -> dict[str, Any]:
    if action.condition is None:
        return {}
    ask: dict[str, Any] = {"ConditionExpression": action.condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    return ask | ({"ExpressionAttributeValues": to_wire(action.values)} if action.values else {})


def to_wire(item: Mapping[str, Any]) -> Item:
    return {name: _wire(value) for name, value in item.items()}


def _wire(value: Any) -> dict[str, Any]:
    match value:
        case str():
            return {"S": str(value)}
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int() | Decimal():
            return {"N": str(value)}
        case Mapping():
            return {"M": {name: _wire(inner) for name, inner in value.items()}}
        case _:
            return {"L": [_wire(inner) for inner in value]}


def from_wire(item: Mapping[str, Any]) -> Item:
    return {name: value["S"] if "S" in value else _plain(value) for name, value in item.items()}  # most are texts


def _plain(value: Mapping[str, Any]) -> Any:
    ((kind, inner),) = value.items()
    match kind:
        case "S":
            return inner
        case "N":
            return Decimal(inner) if "." in inner or "E" in inner.upper() else int(inner)
        case "M":
            return from_wire(inner)
        case "L":
            return [_plain(deeper) for deeper in inner]
        case "NULL":
            return None
        case _:
            return inner
