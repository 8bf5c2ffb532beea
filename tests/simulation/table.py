"""The table in memory: the double under the stores, three orders of magnitude faster than moto, and open to a scheduler.

It keeps DynamoDB's promises and no more. A transaction is all or nothing, holds its items while it is under way, and names no
item twice; a batch is neither; a page of a query sees what stands there when it is asked for; a read that is not consistent may
see any older state of each item. What DynamoDB refuses for good raises Mistake.
"""

import re
from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache
from itertools import islice
from random import Random
from typing import Any

from ecrm.application.ports import Contended
from ecrm.domain.errors import Unavailable
from ecrm.store.keys import Key
from ecrm.store.table import (
    BATCH_READ,
    BATCH_WRITE,
    MOST_DRAINS,
    Action,
    Delete,
    Held,
    Item,
    Put,
    Refused,
    Table,
    from_wire,
    to_wire,
)

MOST_ACTIONS = 100
LARGEST_ITEM = 400 * 1024
LARGEST_TRANSACTION = 4 * 1024 * 1024
LONGEST_PK = 2048
LONGEST_SK = 1024


class Moment(StrEnum):
    """Where a call can be held up, or break: BEFORE it arrives, WITHIN it, or AFTER its effect is there and before it is told."""

    BEFORE = "before"
    WITHIN = "within"
    AFTER = "after"


type Pause = Callable[[Moment, str], None]
"""Asked at each moment of each operation. What it raises is what becomes of the call, except for Resent."""


class Resent(Exception):
    """Raised by a pause AFTER a write: the reply was lost on the wire, and the SDK sends the request once more by itself."""


class Mistake(Exception):
    """DynamoDB's ValidationException."""


@dataclass(frozen=True, slots=True)
class Change:
    """What the table's stream tells of one write; images are in DynamoDB's JSON."""

    key: Key
    old: Item | None
    new: Item | None


def go_on(_moment: Moment, _operation: str) -> None:
    """Hold nothing up."""


class MemoryTable(Table):
    """`stale` decides how old an item may look to reads that are not consistent; without it, they see the latest.

    `page` is how many items a query reads at once.
    """

    def __init__(self, *, pause: Pause = go_on, stale: Random | None = None, page: int = 1_000) -> None:
        self.stream: list[Change] = []
        self._moment = pause
        self._stale = stale
        self._page = page
        self._states: dict[Key, list[Item | None]] = {}
        self._sks: defaultdict[str, list[str]] = defaultdict(list)
        self._held: set[Key] = set()
        self._ever_waited: set[Key] = set()

    def fork(
        self, *, kind: "type[MemoryTable] | None" = None, pause: Pause = go_on, stale: Random | None = None, page: int = 1_000
    ) -> "MemoryTable":
        """Give a table of its own with the same items, of which nobody has seen older states; its stream begins here."""
        twin = (kind or type(self))(pause=pause, stale=stale, page=page)
        twin._states = {key: states[-1:] for key, states in self._states.items()}
        for pk, sks in self._sks.items():
            twin._sks[pk] = list(sks)
        twin._ever_waited = set(self._ever_waited)
        return twin

    def items(self, prefix: str = "") -> list[Item]:
        """Give every item whose SK begins with `prefix`, as it is now."""
        latest = (states[-1] for key, states in self._states.items() if key.sk.startswith(prefix))
        return [from_wire(item) for item in latest if item is not None]

    def get(self, key: Key, *, consistent: bool = False) -> Item | None:
        self._moment(Moment.BEFORE, "get")
        item = self._read(_valid(key), consistent=consistent)
        self._moment(Moment.AFTER, "get")
        return from_wire(item) if item is not None else None

    def get_many(self, keys: Iterable[Key], *, consistent: bool = False) -> list[Item]:
        """Give the items in the reverse of the order asked for, which nobody may rely on."""
        wanted = list(dict.fromkeys(_valid(key) for key in keys))
        found = []
        for at in range(0, len(wanted), BATCH_READ):
            self._moment(Moment.BEFORE, "get_many")
            for number, key in enumerate(wanted[at : at + BATCH_READ]):
                if number:
                    self._moment(Moment.WITHIN, "get_many")
                item = self._read(key, consistent=consistent)
                if item is not None:
                    found.append(from_wire(item))
            self._moment(Moment.AFTER, "get_many")
        return found[::-1]

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
        if limit is not None and limit < 1:
            raise Mistake("a limit is at least 1")
        if after is not None and not after.startswith(prefix):
            raise Mistake("the starting key is outside of the query")
        size = min(self._page, limit or self._page)
        left = limit
        while left is None or left > 0:
            self._moment(Moment.BEFORE, "query")
            found = (
                self._read(Key(pk, sk), consistent=consistent) for sk in self._beyond(pk, prefix, after, backwards=backwards)
            )
            page = [from_wire(item) for item in islice((item for item in found if item is not None), size)]
            self._moment(Moment.AFTER, "query")
            yield from page[:left]
            if len(page) < size:
                return
            after = page[-1]["SK"]
            left = None if left is None else left - len(page)

    def _beyond(self, pk: str, prefix: str, after: str | None, *, backwards: bool) -> list[str]:
        sks = [sk for sk in self._sks[pk] if sk.startswith(prefix)]
        if backwards:
            return [sk for sk in reversed(sks) if after is None or sk < after]
        return [sk for sk in sks if after is None or sk > after]

    def scan_keys(self, sk: str) -> Iterator[str]:
        self._moment(Moment.BEFORE, "scan_keys")
        found = [key.pk for key, states in self._states.items() if key.sk == sk and states[-1] is not None]
        self._moment(Moment.AFTER, "scan_keys")
        yield from found

    def waiting(self, work: str, until: str, limit: int) -> Iterator[Item]:
        """Give what the index has, which may be any older state of each item."""
        self._moment(Moment.BEFORE, "waiting")
        wanted = ({"S": work}, until)
        found = [item for key in self._ever_waited if (item := self._read(key, consistent=False)) and _waits(item, *wanted)]
        found.sort(key=lambda item: (item["due"]["S"], item["PK"]["S"], item["SK"]["S"]))
        self._moment(Moment.AFTER, "waiting")
        yield from (from_wire({name: item[name] for name in ("PK", "SK", "work", "due")}) for item in found[:limit])

    def put(self, put: Put) -> None:
        new = _written(put)
        while True:
            self._moment(Moment.BEFORE, "put")
            if _key(put) in self._held:
                raise Contended("another transaction holds the item")
            if not self._holds(put):
                raise Refused({put.why: self._plain(put)})
            self._change(_key(put), new)
            try:
                self._moment(Moment.AFTER, "put")
            except Resent:
                continue
            return

    def write(self, actions: Iterable[Action]) -> None:
        actions = tuple(actions)
        new = _transaction(actions)
        self._moment(Moment.BEFORE, "write")
        held = {action.why for action in actions if _key(action) in self._held}
        if held:
            raise Held(held)
        self._held |= {_key(action) for action in actions}
        try:
            self._moment(Moment.WITHIN, "write")
        finally:
            self._held -= {_key(action) for action in actions}
        refused = {action.why: self._plain(action) for action in actions if not self._holds(action)}
        if refused:
            raise Refused(refused)
        for key, item in new.items():
            self._change(key, item)
        try:
            self._moment(Moment.AFTER, "write")
        except Resent:
            return  # the SDK's token makes it one transaction

    def remove_many(self, keys: Iterable[Key]) -> None:
        doomed = list(dict.fromkeys(_valid(key) for key in keys))
        for at in range(0, len(doomed), BATCH_WRITE):
            left = doomed[at : at + BATCH_WRITE]
            for _ in range(MOST_DRAINS):
                left = self._removed(left)
                if not left:
                    break
            else:
                raise Unavailable("the table leaves deletions undone")

    def _removed(self, keys: list[Key]) -> list[Key]:
        """Delete what no transaction holds; gives the rest."""
        left = []
        self._moment(Moment.BEFORE, "remove_many")
        for number, key in enumerate(keys):
            if number:
                self._moment(Moment.WITHIN, "remove_many")
            if key in self._held:
                left.append(key)
            else:
                self._change(key, None)
        self._moment(Moment.AFTER, "remove_many")
        return left

    def _read(self, key: Key, *, consistent: bool) -> Item | None:
        states = self._states.get(key)
        if states is None:
            return None
        if consistent or self._stale is None:
            return states[-1]
        return self._stale.choice((None, *states) if self._stale.random() < 0.5 else states[-1:])

    def _change(self, key: Key, new: Item | None) -> None:
        states = self._states.get(key)
        old = states[-1] if states else None
        if old == new:
            return
        self.stream.append(Change(key, old, new))
        if new is not None and "work" in new:
            self._ever_waited.add(key)
        if states is None:
            self._states[key] = [new]
            insort(self._sks[key.pk], key.sk)
        elif self._stale is None:
            states[-1] = new
        else:
            states.append(new)

    def _plain(self, action: Action) -> Item:
        return from_wire(self._read(_key(action), consistent=True) or {})

    def _holds(self, action: Action) -> bool:
        if action.condition is None:
            return True
        item = self._read(_key(action), consistent=True) or {}
        values = to_wire(action.values or {})
        return any(all(_is_true(term, item, values) for term in terms) for terms in parsed(action.condition))


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison of a condition: `operator` is a function's name, `=`, `<` or `<=`; `value` names what is compared with."""

    operator: str
    attribute: str
    value: str = ""


_TERM = re.compile(
    r"(?P<function>attribute_exists|attribute_not_exists)\((?P<of>\w+)\)"
    r"|contains\((?P<whole>\w+), (?P<part>:\w+)\)"
    r"|(?P<left>\w+) (?P<sign>=|<=?) (?P<right>:\w+)"
)


@cache
def parsed(condition: str) -> tuple[tuple[Term, ...], ...]:
    """Read a condition as alternatives, each of terms that must all hold. It knows what the stores use and nothing else."""
    return tuple(tuple(_term(text) for text in terms.split(" AND ")) for terms in condition.split(" OR "))


def _term(text: str) -> Term:
    found = _TERM.fullmatch(text)
    if found is None:
        raise NotImplementedError(f"the double cannot read the condition: {text}")
    if found["function"]:
        return Term(found["function"], found["of"])
    if found["whole"]:
        return Term("contains", found["whole"], found["part"])
    return Term(found["sign"], found["left"], found["right"])


def _is_true(term: Term, item: Item, values: Mapping[str, Any]) -> bool:
    match term.operator:
        case "attribute_exists":
            return term.attribute in item
        case "attribute_not_exists":
            return term.attribute not in item
        case "=":
            return term.attribute in item and bool(item[term.attribute] == values[term.value])
        case "contains":
            return term.attribute in item and _contains(item[term.attribute], values[term.value])
        case "<=":
            return term.attribute in item and _is_less(item[term.attribute], values[term.value], or_equal=True)
        case _:
            return term.attribute in item and _is_less(item[term.attribute], values[term.value])


def _contains(whole: Mapping[str, Any], part: Mapping[str, Any]) -> bool:
    """Look for an element of a list, or for a part of a text."""
    match dict(whole), dict(part):
        case {"L": elements}, _:
            return part in elements
        case {"S": text}, {"S": piece}:
            return piece in text
        case _:
            return False


def _is_less(one: Mapping[str, Any], other: Mapping[str, Any], *, or_equal: bool = False) -> bool:
    """Compare two attributes; those of different types are never in order."""
    match dict(one), dict(other):
        case {"N": left}, {"N": right}:
            return Decimal(left) < Decimal(right) or (or_equal and Decimal(left) == Decimal(right))
        case {"S": left}, {"S": right}:
            return bool(left < right or (or_equal and left == right))  # by code points, as UTF-8 sorts
        case _:
            return False


def _waits(item: Item, work: Mapping[str, str], until: str) -> bool:
    """Say whether the index has an item, and it is due."""
    return item.get("work") == work and "due" in item and bool(item["due"]["S"] <= until)


def _key(action: Action) -> Key:
    return Key(action.item["PK"], action.item["SK"]) if isinstance(action, Put) else action.key


def _valid(key: Key) -> Key:
    if not (0 < len(key.pk.encode()) <= LONGEST_PK and 0 < len(key.sk.encode()) <= LONGEST_SK):
        raise Mistake("a key is empty or too long")
    return Key(str(key.pk), str(key.sk))


def _transaction(actions: tuple[Action, ...]) -> dict[Key, Item | None]:
    """Give what a transaction writes, None where it deletes, if DynamoDB takes such a one."""
    if not 0 < len(actions) <= MOST_ACTIONS:
        raise Mistake(f"a transaction has 1 to {MOST_ACTIONS} actions")
    if len({_key(action) for action in actions}) < len(actions):
        raise Mistake("two actions on one item")
    for action in actions:
        _refuse_values(action)
    new = {_key(action): _written(action) for action in actions if isinstance(action, Put)}
    if len(new) * LARGEST_ITEM > LARGEST_TRANSACTION and sum(map(_bytes, new.values())) > LARGEST_TRANSACTION:
        raise Mistake("the transaction is too large")
    return new | {action.key: None for action in actions if isinstance(action, Delete)}


def _written(put: Put) -> Item:
    _valid(_key(put))
    _refuse_values(put)
    item = to_wire(put.item)
    text = repr(item)
    if _FRACTION.search(text):
        item = {name: _normal(value) for name, value in item.items()}
    if 4 * len(text) > LARGEST_ITEM and _bytes(item) > LARGEST_ITEM:
        raise Mistake("the item is too large")
    return item


def _refuse_values(action: Action) -> None:
    """DynamoDB wants every value of a condition to be used, and every used one to be there."""
    used = {term.value for terms in parsed(action.condition) for term in terms if term.value} if action.condition else set()
    if used != set(action.values or ()):
        raise Mistake("the condition's values are not the given ones")


_FRACTION = re.compile(r"'N': '[^']*[.E]")


def _normal(value: Any) -> Any:
    """Write numbers as DynamoDB gives them back: without an exponent, and without zeros at the end of a fraction."""
    match value:
        case {"N": str(text)}:
            return {"N": f"{Decimal(text).normalize():f}"} if not text.lstrip("-").isdigit() else value
        case {"M": inner}:
            return {"M": {name: _normal(deeper) for name, deeper in inner.items()}}
        case {"L": inner}:
            return {"L": [_normal(deeper) for deeper in inner]}
        case _:
            return value


def _bytes(value: Any) -> int:
    """Count about as many bytes as DynamoDB does: names and texts."""
    match value:
        case str():
            return len(value) if value.isascii() else len(value.encode())
        case dict():
            return sum(_bytes(name) + _bytes(inner) for name, inner in value.items())
        case list():
            return sum(map(_bytes, value))
        case _:
            return 1
