"""Copy what is missing from a restored side table back into the live one; nothing newer is ever overwritten.

DynamoDB restores into a new table only, so a restore has two halves: AWS makes the side table, and this brings back what the live
one lacks. Each write is conditional, so it may run beside traffic, be stopped at any point, and be run again.
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from ecrm.domain.errors import Unavailable
from ecrm.store import keys

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient

type Item = dict[str, Any]
"""An item as DynamoDB's wire has it: what is copied is never interpreted."""

ATTEMPTS = 12
_PATIENCE = Config(retries={"mode": "adaptive", "total_max_attempts": 10}, max_pool_connections=64)


class Rule(StrEnum):
    ADDED = "added where it is missing"
    NEWER = "written where it is missing or older by its version"
    NEVER = "never copied"
    ASKED = "added where it is missing, if --with-keys asks for it"


RULES: Mapping[str, Rule] = {
    "profile": Rule.NEWER,
    "order": Rule.NEWER,
    "event": Rule.ADDED,
    "identity": Rule.ADDED,
    "order_pointer": Rule.ADDED,
    "order_listing": Rule.ADDED,
    "statistics": Rule.NEVER,  # recounted from the orders
    "replay": Rule.NEVER,  # an answer that may be out of date by now
    "key": Rule.ASKED,  # a key that was lost may have been revoked before
    "site": Rule.NEWER,
}
"""What is done with each kind of item; a test holds the kinds equal to those of store/keys.py."""


class Outcome(StrEnum):
    WRITTEN = "written"
    SAME = "there already"
    NEWER = "newer there"
    CONTRADICTED = "contradicted"
    LEFT = "left out"


class Copied(NamedTuple):
    kind: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Restore:
    """`side` is read, `live` is written unless `is_dry`."""

    client: "DynamoDBClient"
    side: str
    live: str
    is_dry: bool
    with_keys: bool

    def pages(self, after: Item | None, size: int) -> Iterator[tuple[list[Item], Item | None]]:
        """Give the side table's pages from a position on, each with the position behind it."""
        while True:
            ask: dict[str, Any] = {"ExclusiveStartKey": after} if after else {}
            page = self.client.scan(TableName=self.side, ConsistentRead=True, Limit=size, **ask)
            after = page.get("LastEvaluatedKey")
            yield page["Items"], after
            if after is None:
                return

    def copy(self, item: Item) -> Copied:
        kind = kind_of(item)
        rule = RULES.get(kind, Rule.NEVER)
        if rule is Rule.NEVER or (rule is Rule.ASKED and not self.with_keys):
            return Copied(kind, Outcome.LEFT)
        order = _order_of(kind, item)
        outcome = self._foreseen(rule, item, order)  # a read costs a tenth of a write, and most is there
        if outcome is Outcome.WRITTEN and not self.is_dry:
            outcome = self._written(rule, item, order)
        return Copied(kind, outcome)

    def _foreseen(self, rule: Rule, item: Item, order: "_Order | None") -> Outcome:
        if order is not None:
            pointer = self._read(order.pointer)
            if pointer is not None and pointer["customer_id"] != order.customer:
                return Outcome.CONTRADICTED
        found = self._read(item)
        return Outcome.WRITTEN if found is None else judged(rule, item, found)

    def _written(self, rule: Rule, item: Item, order: "_Order | None") -> Outcome:
        """Write under the rule's condition, and where an order is concerned, only while its id is not another customer's."""
        put: dict[str, Any] = {
            "TableName": self.live,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(PK)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if rule is Rule.NEWER:
            put["ConditionExpression"] += " OR version < :version"
            put["ExpressionAttributeValues"] = {":version": item["version"]}
        actions: list[Any] = [{"Put": put}]
        if order is not None:
            mine = {
                "TableName": self.live,
                "Key": order.pointer,
                "ConditionExpression": "attribute_not_exists(PK) OR customer_id = :customer",
                "ExpressionAttributeValues": {":customer": order.customer},
            }
            actions.append({"ConditionCheck": mine})
        for _ in range(ATTEMPTS):
            try:
                self.client.transact_write_items(TransactItems=actions)
            except self.client.exceptions.TransactionCanceledException as cancelled:
                reasons = cast("list[Item]", cancelled.response["CancellationReasons"])
                codes = [reason.get("Code") for reason in reasons]
                if codes[1:] == ["ConditionalCheckFailed"]:
                    return Outcome.CONTRADICTED
                if codes[0] == "ConditionalCheckFailed":
                    outcome = judged(rule, item, reasons[0]["Item"])
                    if outcome is not Outcome.WRITTEN:
                        return outcome
                elif not {"TransactionConflict", "ThrottlingError"} & set(codes):
                    raise
            else:
                return Outcome.WRITTEN
        raise Unavailable("the live table is busy")

    def _read(self, key: Item) -> Item | None:
        name = {"PK": key["PK"], "SK": key["SK"]}
        return self.client.get_item(TableName=self.live, Key=name, ConsistentRead=True).get("Item")


def judged(rule: Rule, item: Item, found: Item) -> Outcome:
    """Say what becomes of an item whose place is taken."""
    if found == item:
        return Outcome.SAME
    if rule is Rule.ASKED:
        return Outcome.NEWER
    if rule is Rule.NEWER:
        mine, theirs = int(item["version"]["N"]), int(found["version"]["N"])
        if mine != theirs:
            return Outcome.WRITTEN if theirs < mine else Outcome.NEWER
    return Outcome.CONTRADICTED


class _Order(NamedTuple):
    """The order that an item belongs to, and whose it was."""

    pointer: Item
    customer: Item


def _order_of(kind: str, item: Item) -> _Order | None:
    """An order that was lost and placed again may belong to another customer: what is left of the first one stays away."""
    pk, sk = item["PK"]["S"], item["SK"]["S"]
    if kind == "order":
        site, _, order_id = sk.removeprefix(keys.ORDER_PREFIX).partition("#")
        customer = keys.customer_id_of(pk)
    elif kind == "order_listing":
        site, order_id, customer = pk.split("#")[2], sk.partition("#")[2], item["customer_id"]["S"]
    elif kind == "event" and "order_id" in item["data"]["M"]:
        site, order_id = item["site"]["S"], item["data"]["M"]["order_id"]["S"]
        customer = keys.customer_id_of(pk)
    else:
        return None
    pointer = keys.order_pointer(site, order_id)
    return _Order({"PK": {"S": pointer.pk}, "SK": {"S": pointer.sk}}, {"S": customer})


_KINDS = {
    kind: tuple(re.compile(re.sub(r"<\w+>", ".+", re.escape(part))) for part in shape) for kind, shape in keys.SHAPES.items()
}


def kind_of(item: Item) -> str:
    """Tell an item's kind by the shape of its key."""
    for kind, (pk, sk) in _KINDS.items():
        if pk.fullmatch(item["PK"]["S"]) and sk.fullmatch(item["SK"]["S"]):
            return kind
    return "unknown"


@dataclass(slots=True)
class Progress:
    """How far it came: a file that the next run goes on from, removed at the end."""

    file: Path | None
    after: Item | None = None
    counts: Counter[str] | None = None

    @classmethod
    def of(cls, file: Path | None, run: Mapping[str, Any]) -> "Progress":
        """Take up what a stopped run of the same kind has left."""
        if file is None or not file.exists():
            return cls(file, None, Counter())
        left = json.loads(file.read_text(encoding="utf-8"))
        if left["run"] != run:
            sys.exit(f"{file} is of another run: {json.dumps(left['run'])}")
        return cls(file, left["after"], Counter(left["counts"]))

    def note(self, after: Item | None, run: Mapping[str, Any]) -> None:
        if self.file is None:
            return
        if after is None:
            self.file.unlink(missing_ok=True)
            return
        written = self.file.with_suffix(".new")
        written.write_text(json.dumps({"run": run, "after": after, "counts": self.counts}), encoding="utf-8")
        written.replace(self.file)


def restore(asked: argparse.Namespace, client: "DynamoDBClient", live: str) -> Counter[str]:
    """Copy page by page; the counts are of `kind<TAB>outcome`."""
    run = {"from": asked.side, "to": live, "dry_run": asked.dry_run, "with_keys": asked.with_keys}
    progress = Progress.of(asked.progress, run)
    counts = progress.counts = progress.counts or Counter()
    work = Restore(client, asked.side, live, asked.dry_run, asked.with_keys)
    with ThreadPoolExecutor(asked.workers) as pool:
        together: Callable[..., Iterator[Copied]] = pool.map if asked.workers > 1 else map
        for items, after in work.pages(progress.after, asked.page):
            for item, copied in zip(items, together(work.copy, items), strict=True):
                counts["\t".join(copied)] += 1
                if copied.outcome is Outcome.CONTRADICTED or copied.kind == "unknown":
                    print(f"{copied.kind} {copied.outcome}: {item['PK']['S']} {item['SK']['S']}", file=sys.stderr)
            progress.note(after, run)
    return counts


def _live_of(stack: str) -> str:
    client = cast("CloudFormationClient", botocore.session.get_session().create_client("cloudformation"))
    (found,) = client.describe_stacks(StackName=stack)["Stacks"]
    return next(output["OutputValue"] for output in found["Outputs"] if output["OutputKey"] == "TableName")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="restore", description=__doc__)
    parser.add_argument("--from", dest="side", required=True, metavar="TABLE", help="the restored side table; only read")
    into = parser.add_mutually_exclusive_group(required=True)
    into.add_argument("--stack", help="the stack whose table is the live one")
    into.add_argument("--to", metavar="TABLE", help="the live table")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument("--with-keys", action="store_true", help="add API keys that are missing: look which were revoked since")
    parser.add_argument("--progress", type=Path, metavar="FILE", help="where a stopped run goes on from")
    parser.add_argument("--page", type=int, default=500, help="items read at once: what a stopped run does again at most")
    parser.add_argument("--workers", type=int, default=16, help="writes at once")
    return parser


def main() -> None:
    asked = _parser().parse_args()
    live = asked.to or _live_of(asked.stack)
    if asked.side == live:
        sys.exit("the side table and the live one are the same")
    client = cast("DynamoDBClient", botocore.session.get_session().create_client("dynamodb", config=_PATIENCE))
    try:
        counts = restore(asked, client, live)
    except ClientError as error:
        sys.exit(f"{error.response['Error']['Code']}: what was done stays done; run it again")
    except Unavailable as error:
        sys.exit(f"{error.detail}: what was done stays done; run it again")
    for line, times in sorted(counts.items()):
        print(f"{line}\t{times}")
    if any(line.endswith(Outcome.CONTRADICTED) or line.startswith("unknown") for line in counts):
        sys.exit(1)


if __name__ == "__main__":
    main()
