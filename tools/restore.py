"""Copy what is missing from a restored side table back into the live one; nothing newer is ever overwritten.

DynamoDB restores into a new table only, so a restore has two halves: AWS makes the side table, and this brings back what the live
one lacks. Each write is conditional, so it may run beside traffic, be stopped at any point, and be run again. Of somebody who was
erased nothing comes back: every write into a person's partition is held to a profile that is no tombstone.
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from ecrm.application.ports import AttributeBook
from ecrm.domain import attributes, products
from ecrm.domain.campaigns import LifeState
from ecrm.domain.consent import fold
from ecrm.domain.errors import Unavailable
from ecrm.domain.messages import Status
from ecrm.domain.runs import RunState
from ecrm.domain.suppressions import anonymous, with_ground
from ecrm.store import keys
from ecrm.store.consent import consent_item, consent_of
from ecrm.store.messages import send_item, send_of
from ecrm.store.products import product_item, product_of
from ecrm.store.profiles import book_item, book_of
from ecrm.store.runs import run_item, run_of
from ecrm.store.suppressions import suppression_item, suppression_of
from ecrm.store.table import from_wire, to_wire

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient

type Item = dict[str, Any]
"""An item as DynamoDB's wire has it: what is copied is never interpreted, and what is joined only where both are there."""

ATTEMPTS = 12
_PATIENCE = Config(retries={"mode": "adaptive", "total_max_attempts": 10}, max_pool_connections=64)


class Rule(StrEnum):
    ADDED = "added where it is missing, never changed"
    LATER = "added where it is missing; what is there came later"
    NEWER = "written where it is missing or older by its version"
    JOINED = "added where it is missing, joined with what is there"
    NEVER = "never copied"
    ASKED = "added where it is missing, if --with-keys asks for it"
    REMAINS = "added where it is missing, if an erasure left it"


RULES: Mapping[str, Rule] = {
    "profile": Rule.NEWER,
    "attributes": Rule.JOINED,
    "order": Rule.NEWER,
    "event": Rule.ADDED,
    "identity": Rule.LATER,
    "order_pointer": Rule.ADDED,
    "order_listing": Rule.ADDED,
    "statistics": Rule.REMAINS,  # else recounted from the orders, which an erasure deletes
    "replay": Rule.NEVER,  # an answer that may be out of date by now
    "key": Rule.ASKED,  # a key that was lost may have been revoked before
    "site": Rule.NEWER,
    "topic": Rule.NEWER,
    "consents": Rule.NEVER,  # a version that is written with each consent
    "consent": Rule.JOINED,  # a "no" since then stands against a "yes" before it
    "preferences": Rule.LATER,
    "suppression": Rule.JOINED,
    "job": Rule.NEVER,  # asked for again where it is wanted, and never begun twice
    "job_event": Rule.NEVER,
    "job_listing": Rule.NEVER,
    "contact": Rule.ADDED,
    "product": Rule.JOINED,
    "template": Rule.NEWER,
    "template_version": Rule.ADDED,
    "campaign": Rule.NEWER,  # and never as one whose occurrences come: the last one may have come since the backup
    "campaign_version": Rule.ADDED,
    "run": Rule.NEWER,  # and never as one that goes on, for the same reason
    "run_listing": Rule.ADDED,
    "active_run": Rule.NEVER,
    "run_pace": Rule.NEVER,
    "run_link": Rule.ADDED,
    "planned_page": Rule.ADDED,
    "tally": Rule.NEVER,  # counted again from the entries
    "send": Rule.LATER,  # and never as one that is still to be sent: what was sent since the backup would be sent again
    "page": Rule.NEVER,
    "budget": Rule.LATER,
    "sending": Rule.NEVER,  # which table may send is said of the live one
    "pace": Rule.NEVER,
    "breaker": Rule.NEVER,
    "limit": Rule.NEVER,
    "segment": Rule.NEWER,
    "segment_version": Rule.ADDED,
    "traits": Rule.NEWER,
    "membership": Rule.LATER,  # a night writes what changed since the one before, and misses none that was lost
    "night": Rule.LATER,
    "pointer": Rule.NEWER,
    "import": Rule.NEVER,  # as a job; the same file, dropped again, changes nothing that it has changed
    "import_progress": Rule.NEVER,
    "import_chunk": Rule.NEVER,
    "import_row": Rule.NEVER,
    "import_listing": Rule.NEVER,
    "import_file": Rule.NEVER,
    "import_content": Rule.NEVER,
}
"""What is done with each kind of item; a test holds the kinds equal to those of store/keys.py."""


def _joined_attributes(side: Item, live: Item) -> Item:
    kept = attributes.merged(book_of(live).attributes, book_of(side).attributes)
    return book_item(keys.customer_id_of(live["PK"]), AttributeBook(live["version"], kept))


def _joined_consent(side: Item, live: Item) -> Item:
    both = fold((*consent_of(live).facts, *consent_of(side).facts))
    return consent_item(keys.customer_id_of(live["PK"]), keys.subject_of(live["SK"]), both)


def _joined_suppression(side: Item, live: Item) -> Item:
    """Take over no lift, and no word that was written about the address."""
    both = suppression_of(live)
    for reason, ground in anonymous(suppression_of(side)).grounds.items():
        both = with_ground(both, reason, ground)
    return suppression_item(keys.Key(live["PK"], live["SK"]), both, datetime.now(UTC), live["version"])


def _added(kind: str, item: Item) -> Item:
    """Give what is written where nothing is, or something older.

    Whose an address is cannot be told, so it comes back as that of somebody erased. What became of a message that was still to be
    sent, or in doubt, cannot be told, either; nor whether a campaign has begun another run, or how far one has come. What comes
    back as something else has a version of its own.
    """
    change = _CHANGED.get(kind)
    return item if change is None else change(item)


def _anonymous(item: Item) -> Item:
    said = from_wire(item)
    kept = anonymous(suppression_of(said))
    return to_wire(suppression_item(keys.Key(said["PK"], said["SK"]), kept, datetime.now(UTC), said["version"]))


def _unknown(item: Item) -> Item:
    send = send_of(from_wire(item))
    ended = replace(send, status=Status.UNKNOWN_FINAL, reason="restored", settled_at=datetime.now(UTC))
    return to_wire(send_item(ended)) if send.is_open else item


def _paused(item: Item) -> Item:
    """Let its occurrences be skipped until somebody has looked, and resumes it."""
    said = from_wire(item)
    is_live = said["state"] == LifeState.SCHEDULED
    return to_wire(said | {"state": LifeState.PAUSED, "version": said["version"] + 1}) if is_live else item


def _ended(item: Item) -> Item:
    run = run_of(from_wire(item))
    ended = replace(
        run, state=RunState.CANCELLED, reason="restored", settled_at=datetime.now(UTC), due_at=None, version=run.version + 1
    )
    return item if run.is_over else to_wire(run_item(ended))


_CHANGED: Mapping[str, Callable[[Item], Item]] = {
    "suppression": _anonymous,
    "send": _unknown,
    "campaign": _paused,
    "run": _ended,
}


def _joined_product(side: Item, live: Item) -> Item:
    return product_item(products.merged(product_of(live), product_of(side)))


JOINS: Mapping[str, Callable[[Item, Item], Item]] = {
    "attributes": _joined_attributes,
    "consent": _joined_consent,
    "suppression": _joined_suppression,
    "product": _joined_product,
}


class Outcome(StrEnum):
    WRITTEN = "written"
    SAME = "there already"
    NEWER = "newer there"
    ERASED = "erased"
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
        if not self._is_wanted(kind, item):
            return Copied(kind, Outcome.LEFT)
        for _ in range(ATTEMPTS):
            outcome, actions = self._planned(kind, item)
            if outcome is not Outcome.WRITTEN or self.is_dry or self._are_written(actions):
                return Copied(kind, outcome)
        raise Unavailable("the live table is busy")

    def _is_wanted(self, kind: str, item: Item) -> bool:
        match RULES.get(kind, Rule.NEVER):
            case Rule.NEVER:
                return False
            case Rule.ASKED:
                return self.with_keys
            case Rule.REMAINS:
                return "erased" in item
            case _:
                return True

    def _planned(self, kind: str, item: Item) -> tuple[Outcome, list[Any]]:
        """Look at what is there and say what becomes of the item, with the actions that bring it about.

        A read costs a tenth of a write, and most is there: whose the item is and which order's matters only where it is missing.
        """
        held = self._read(_consents_of(item)) if kind == "consent" else None  # the version first: it is of what is read after it
        found = self._read(item)
        outcome, wanted = (Outcome.WRITTEN, _added(kind, item)) if found is None else judged(kind, item, found)
        if outcome is not Outcome.WRITTEN:
            return outcome, []
        people, order = _people_of(kind, item), _order_of(kind, item)
        if any(self._is_erased(profile) for profile in people):
            # A profile names others: of one whom a person was taken out of before that one was erased, somebody has to decide.
            return Outcome.CONTRADICTED if kind == "profile" else Outcome.ERASED, []
        if order is not None:
            pointer = self._read(order.pointer)
            if pointer is not None and pointer.get("customer_id") != order.customer:
                return Outcome.ERASED if _is_tombstone(pointer) else Outcome.CONTRADICTED, []
        actions = [self._put(wanted, found)]
        if kind == "consent":
            version = {"version": {"N": str(int(held["version"]["N"]) + 1 if held else 1)}}
            actions.append(self._put(_consents_of(item) | {"type": {"S": "consents"}, "v": {"N": "1"}} | version, held))
        actions += (self._check(profile, "attribute_not_exists(erased_at)") for profile in people)
        if order is not None:
            mine = "attribute_not_exists(PK) OR customer_id = :customer"
            actions.append(self._check(order.pointer, mine, {":customer": order.customer}))
        return outcome, actions

    def _is_erased(self, profile: Item) -> bool:
        """Say whether a profile is a tombstone; where it was lost, whether it was one then."""
        found = self._read(profile) or self._read(profile, self.side)
        return found is not None and _is_tombstone(found)

    def _put(self, item: Item, found: Item | None) -> Item:
        put: Item = {"TableName": self.live, "Item": item}
        if found is None:
            put["ConditionExpression"] = "attribute_not_exists(PK)"
        elif "version" in found:  # that of a tombstone may be the one that was seen before it
            put["ConditionExpression"] = "version = :seen AND attribute_not_exists(erased_at)"
            put["ExpressionAttributeValues"] = {":seen": found["version"]}
        return {"Put": put}

    def _check(self, key: Item, condition: str, values: Item | None = None) -> Item:
        check = {"TableName": self.live, "Key": key, "ConditionExpression": condition}
        return {"ConditionCheck": check | ({"ExpressionAttributeValues": values} if values else {})}

    def _are_written(self, actions: list[Any]) -> bool:
        """Write all or nothing; False where what was seen has changed meanwhile."""
        try:
            self.client.transact_write_items(TransactItems=actions)
        except self.client.exceptions.TransactionCanceledException as cancelled:
            reasons = cast("list[Item]", cancelled.response["CancellationReasons"])
            if {reason.get("Code", "None") for reason in reasons} - _LOOKED_AT_AGAIN:
                raise
            return False
        return True

    def _read(self, key: Item, table: str = "") -> Item | None:
        name = {"PK": key["PK"], "SK": key["SK"]}
        return self.client.get_item(TableName=table or self.live, Key=name, ConsistentRead=True).get("Item")


_LOOKED_AT_AGAIN = {"None", "ConditionalCheckFailed", "TransactionConflict", "ThrottlingError"}


def judged(kind: str, item: Item, found: Item) -> tuple[Outcome, Item]:
    """Say what becomes of an item whose place is taken, and what is to be written there."""
    rule = RULES[kind]
    if found == item:
        return Outcome.SAME, item
    if _is_tombstone(found):
        return Outcome.ERASED, item
    if rule in (Rule.ASKED, Rule.LATER):
        return Outcome.NEWER, item
    if rule is Rule.JOINED:
        live = from_wire(found)
        joined = JOINS[kind](from_wire(item), live)
        raised = {"version": live["version"] + 1} if "version" in live else {}
        return (Outcome.NEWER, item) if joined == live else (Outcome.WRITTEN, to_wire(joined | raised))
    if rule is Rule.NEWER:
        mine, theirs = int(item["version"]["N"]), int(found["version"]["N"])
        if mine != theirs:
            return (Outcome.WRITTEN, _added(kind, item)) if theirs < mine else (Outcome.NEWER, item)
    return Outcome.CONTRADICTED, item


def _is_tombstone(item: Item) -> bool:
    """An identity with both was taken by somebody after its last holder was erased."""
    return "erased_at" in item and "customer_id" not in item


def _key(key: keys.Key) -> Item:
    return {"PK": {"S": key.pk}, "SK": {"S": key.sk}}


def _consents_of(item: Item) -> Item:
    return _key(keys.consents(keys.customer_id_of(item["PK"]["S"])))


def _people_of(kind: str, item: Item) -> list[Item]:
    """Give the keys of the profiles without which an item must not be: whose it is, or of a profile those it is one with."""
    if kind == "profile":
        named = [*item.get("absorbed", {"L": []})["L"], *filter(None, [item.get("merged_into")])]
        customer_ids = [customer_id["S"] for customer_id in named]
    elif kind in ("identity", "order_pointer", "order_listing"):
        customer_ids = [item["customer_id"]["S"]] if "customer_id" in item else []
    elif kind in ("send", "membership"):
        customer_ids = [item["SK"]["S"]]
    elif item["PK"]["S"].startswith(keys.customer_partition("")):
        customer_ids = [keys.customer_id_of(item["PK"]["S"])]
    else:
        customer_ids = []
    return [_key(keys.profile(customer_id)) for customer_id in customer_ids]


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
    elif kind == "event" and item["type"]["S"].startswith("order."):
        site, order_id = item["site"]["S"], item["data"]["M"]["order_id"]["S"]
        customer = keys.customer_id_of(pk)
    else:
        return None
    return _Order(_key(keys.order_pointer(site, order_id)), {"S": customer})


_KINDS = {
    kind: tuple(re.compile(re.sub(r"<\w+>", ".+", re.escape(part))) for part in shape)
    for kind, shape in sorted(keys.SHAPES.items(), key=lambda each: "<" in each[1][1])  # a page's PAGE is no customer's id
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
