"""Sequences of everything that a store may ask of a table, and what a table makes of them: for comparing two tables (K1)."""

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ecrm.domain.errors import EcrmError
from ecrm.store import table as store
from ecrm.store.keys import Key
from ecrm.store.table import Action, Check, Delete, Put, Refused, Table
from tests.simulation.table import Mistake, parsed

PKS = ("CUSTOMER#1", "CUSTOMER#2")
SKS = ("CONSENT", "CONSENT#email#news", "EVENT#1", "EVENT#10", "EVENT#2", "EVENT#é", "EVENT#\U0001f600", "PROFILE", "ORDER#de#1")
PREFIXES = ("", "CONSENT", "EVENT#", "EVENT#1", "nothing")
CUSTOMERS = ("c1", "c2")
TIMES = ("2026-11", "2026-12", "2027-01")
WORKS = ("work#0", "work#1")
LARGEST = "x" * (400 * 1024)

type Step = Callable[[Table], Any]


@cache
def conditions() -> frozenset[str]:
    """Every condition that stands in the stores, from their source."""
    rooms = Path(store.__file__).parent.glob("*.py")
    texts = (node for room in rooms for node in ast.walk(ast.parse(room.read_text("utf-8"))) if isinstance(node, ast.Constant))
    return frozenset(
        text.value.removeprefix(" AND ")  # what an f-string adds to another condition
        for text in texts
        if isinstance(text.value, str)
        and "\n" not in text.value
        and text.value not in ("PK = :pk", "SK = :sk", "#work = :work AND due <= :until")
        and ("attribute_" in text.value or "contains(" in text.value or "= :" in text.value or "< :" in text.value)
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """One call, as it can be printed and made again of any table."""

    operation: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]

    def of(self, table: Table) -> Any:
        try:
            answer = getattr(table, self.operation)(*self.arguments, **self.options)
            if self.operation in ("query", "scan_keys", "waiting"):
                answer = list(answer)
        except Refused as refused:
            return "refused", dict(refused.found)
        except (Mistake, ClientError):
            return "mistake"
        except EcrmError as error:
            return error.code
        if self.operation in ("get_many", "scan_keys", "waiting"):
            return sorted(answer, key=repr)
        return answer


def told(table: Table, sequence: Iterable[Asked]) -> list[Any]:
    """What a table answers to a sequence, and what is in it then; the table is empty again afterwards."""
    answers = [asked.of(table) for asked in sequence]
    left = [item for pk in PKS for item in table.query(pk, consistent=True)]
    table.remove_many(Key(pk, sk) for pk in PKS for sk in SKS)
    return [*answers, left]


def sequences() -> SearchStrategy[Sequence[Asked]]:
    return st.lists(st.one_of(_reads(), _writes()), min_size=1, max_size=12)


_keys = st.builds(Key, st.sampled_from(PKS), st.sampled_from(SKS))

_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**37), 10**37),
    st.sampled_from((Decimal("0.1"), Decimal("-12.34"), Decimal("1e-7"), Decimal(7))),
    st.text(st.characters(codec="utf-8"), max_size=5),
)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def _items(draw: st.DrawFn) -> dict[str, Any]:
    """An item with any of the attributes that conditions ask for, and something else."""
    key = draw(_keys)
    known = {
        "version": st.integers(1, 2),
        "customer_id": st.sampled_from(CUSTOMERS),
        "expires_at": st.integers(1, 3),
        "merged_into": st.sampled_from(CUSTOMERS),
        "erased_at": st.just("2026"),
        "active": st.booleans(),
        "lapses_at": st.sampled_from(TIMES),
        "addresses": st.lists(st.sampled_from(CUSTOMERS), max_size=2) | st.sampled_from(CUSTOMERS) | st.integers(1, 2),
        "closed_at": st.just("2026"),
        "work": st.sampled_from(WORKS),
        "due": st.sampled_from(TIMES),
        "more": _values,
    }
    return {"PK": key.pk, "SK": key.sk} | draw(st.fixed_dictionaries({}, optional=known))


@st.composite
def _conditions(draw: st.DrawFn) -> tuple[str | None, dict[str, Any] | None]:
    condition = draw(st.none() | st.sampled_from(sorted(conditions())))
    if condition is None:
        return None, None
    terms = [term for terms in parsed(condition) for term in terms if term.value]
    values = {term.value: draw(_compared(term.attribute)) for term in terms}
    return condition, values or None


def _compared(attribute: str) -> SearchStrategy[Any]:
    if attribute == "active":
        return st.booleans()
    if attribute in ("lapses_at", "due"):
        return st.sampled_from(TIMES)
    return st.integers(1, 4) if attribute in ("version", "expires_at") else st.sampled_from((*CUSTOMERS, "2026"))


@st.composite
def _puts(draw: st.DrawFn, why: str = "put") -> Put:
    condition, values = draw(_conditions())
    return Put(draw(_items()), condition, why, values)


@st.composite
def _transactions(draw: st.DrawFn) -> tuple[Action, ...]:
    """Up to five actions; sometimes two on one item, none, or more than there may be."""
    count = draw(st.integers(1, 5))
    actions: list[Action] = [draw(_puts(f"put {number}")) for number in range(count)]
    if draw(st.booleans()):
        condition, values = draw(_conditions())
        if condition:
            key, why = draw(_keys), "check or deletion"
            is_kept = draw(st.booleans())
            actions.append(Check(key, condition, why, values) if is_kept else Delete(key, condition, why, values))
    if draw(st.integers(0, 5)):
        actions = list({_place(action): action for action in actions}.values())
    if draw(st.integers(0, 40)) == 0:
        actions = [Put({"PK": PKS[0], "SK": f"EVENT#{number}"}, None, str(number)) for number in range(101)]
    return tuple(actions)


def _place(action: Action) -> tuple[str, str]:
    return (action.item["PK"], action.item["SK"]) if isinstance(action, Put) else action.key


@st.composite
def _reads(draw: st.DrawFn) -> Asked:
    consistent = {"consistent": draw(st.booleans())}
    match draw(st.sampled_from(("get", "get_many", "query", "query", "scan_keys", "waiting"))):
        case "get":
            return Asked("get", (draw(_keys),), consistent)
        case "get_many":
            return Asked("get_many", (draw(st.lists(_keys, max_size=6)),), consistent)
        case "waiting":
            return Asked("waiting", (draw(st.sampled_from(WORKS)), draw(st.sampled_from(TIMES)), 100), {})
        case "scan_keys":
            return Asked("scan_keys", (draw(st.sampled_from(SKS)),), {})
    prefix = draw(st.sampled_from(PREFIXES))
    beyond = st.none() | st.sampled_from([sk for sk in SKS if sk.startswith(prefix)] or [prefix])
    options = {
        "prefix": prefix,
        "after": draw(beyond),
        "backwards": draw(st.booleans()),
        "limit": draw(st.none() | st.integers(1, 4)),
    }
    return Asked("query", (draw(st.sampled_from(PKS)),), consistent | options)


@st.composite
def _writes(draw: st.DrawFn) -> Asked:
    match draw(st.sampled_from(("put", "put", "put", "write", "write", "write", "write", "remove_many", "too much"))):
        case "put":
            return Asked("put", (draw(_puts()),), {})
        case "write":
            return Asked("write", (draw(_transactions()),), {})
        case "remove_many":
            return Asked("remove_many", (draw(st.lists(_keys, max_size=4)),), {})
    item = draw(_items()) | draw(st.sampled_from(({"more": LARGEST}, {"PK": ""}, {"SK": ""})))
    return Asked("put", (Put(item, None, "put"),), {})
