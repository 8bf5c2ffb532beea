"""Nights, a row for each day, and the pointer, which says what readers see of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from ecrm.analytics import models
from ecrm.analytics.forecasts import Horizon
from ecrm.analytics.rfm import CELLS, GroupTable, RfmScale, Scale
from ecrm.analytics.scoring import NightThresholds
from ecrm.application.ports import Page
from ecrm.application.segment_ports import Night, Pointer
from ecrm.domain.events import Event
from ecrm.domain.instants import from_text, to_text
from ecrm.domain.lifecycle import Stage, Thresholds
from ecrm.domain.nights import Generations, NightState

from . import keys
from .events import put_event
from .standing import present
from .table import Action, Item, Refused, Table, put_as_seen

KEPT = timedelta(days=400)
_COUNTS = ("generation", "base", "customers", "unreadable", "from_facts")
_BY_SEGMENT = ("sizes", "entered", "left", "versions")


class DynamoNights:
    def __init__(self, table: Table) -> None:
        self._table = table

    def pointer(self, *, consistent: bool = True) -> Pointer:
        item = self._table.get(keys.pointer(), consistent=consistent)
        return _pointer_of(item) if item else Pointer()

    def find(self, night: date) -> Night | None:
        item = self._table.get(keys.night(night), consistent=True)
        return _night_of(item) if item else None

    def write(self, night: Night, *, pointer: Pointer | None = None) -> bool:
        actions: list[Action] = [put_as_seen(_night(night), night.version - 1, "night as it was seen")]
        if pointer is not None:
            actions.append(put_as_seen(_pointer(pointer), pointer.version - 1, "pointer as it was seen"))
        try:
            self._table.write(actions)
        except Refused:
            return False
        return True

    def newest(self, *, after: str | None, limit: int) -> Page[Night]:
        rows = list(self._table.query(keys.NIGHTS_PARTITION, after=after, backwards=True, limit=limit))
        return Page(tuple(map(_night_of, rows)), rows[-1]["SK"] if len(rows) == limit else None)


def _night(night: Night) -> Item:
    key = keys.night(night.night)
    item: Item = {
        "PK": key.pk,
        "SK": key.sk,
        "type": "night",
        "v": 1,
        "version": night.version,
        "state": night.state.value,
        "scheduled_at": to_text(night.scheduled_at),
        "started_at": to_text(night.started_at),
        "expires_at": int((night.scheduled_at + KEPT).timestamp()),
        "stages": dict(night.stages),
        "moves": {before: dict(after) for before, after in night.moves.items()},
    }
    item |= {name: getattr(night, name) for name in (*_COUNTS, *_BY_SEGMENT)}
    item |= {"base_night": night.base_night.isoformat()} if night.base_night else {}
    item |= {"finished_at": to_text(night.finished_at)} if night.finished_at else {}
    item |= {"error": night.error} if night.error else {}
    return item | ({"thresholds": _thresholds(night.thresholds)} if night.thresholds else {})


def _night_of(item: Item) -> Night:
    return Night(
        night=date.fromisoformat(item["SK"]),
        state=NightState(item["state"]),
        scheduled_at=from_text(item["scheduled_at"]),
        started_at=from_text(item["started_at"]),
        base_night=date.fromisoformat(item["base_night"]) if "base_night" in item else None,
        finished_at=from_text(item["finished_at"]) if "finished_at" in item else None,
        error=item.get("error"),
        stages={Stage(stage): count for stage, count in item["stages"].items()},
        moves={Stage(before): {Stage(stage): count for stage, count in after.items()} for before, after in item["moves"].items()},
        thresholds=_thresholds_of(item["thresholds"]) if "thresholds" in item else None,
        version=item["version"],
        **{name: item[name] for name in (*_COUNTS, *_BY_SEGMENT)},
    )


def _pointer(pointer: Pointer) -> Item:
    key, generations = keys.pointer(), pointer.generations
    item: Item = {
        "PK": key.pk,
        "SK": key.sk,
        "type": "pointer",
        "v": 1,
        "version": pointer.version,
        "published": generations.published,
        "last": generations.last,
        "unpublished": sorted(generations.unpublished),
    }
    item |= {"night": pointer.night.isoformat()} if pointer.night else {}
    return item | ({"thresholds": _thresholds(pointer.thresholds)} if pointer.thresholds else {})


def _pointer_of(item: Item) -> Pointer:
    return Pointer(
        generations=Generations(item["published"], item["last"], frozenset(item["unpublished"])),
        night=date.fromisoformat(item["night"]) if "night" in item else None,
        thresholds=_thresholds_of(item["thresholds"]) if "thresholds" in item else None,
        version=item["version"],
    )


def _thresholds(thresholds: NightThresholds) -> Item:
    """Write the smallest values with each score by currency: recency's days, frequencies, amounts; and the models."""
    said = {each.name: getattr(thresholds.lifecycle, each.name) for each in fields(Thresholds)}
    groups = {} if thresholds.groups.cells == CELLS else {"groups": thresholds.groups.cells}
    return {
        "lifecycle": _exact(said),
        "scales": {currency: list(_cuts(scale)) for currency, scale in thresholds.scales.items()},
        "models": {currency: _exact(models.written(model)) for currency, model in thresholds.models.items()},
        "horizon": _exact(asdict(thresholds.horizon)),
    } | groups


def _exact(said: Any) -> Any:
    """Write floats as the decimals that are read back as the same floats."""
    match said:
        case float():
            return Decimal(repr(said))
        case dict():
            return {name: _exact(value) for name, value in said.items()}
        case list():
            return [_exact(value) for value in said]
        case _:
            return said


def _as_floats(said: Any) -> Any:
    match said:
        case Decimal():
            return float(said)
        case dict():
            return {name: _as_floats(value) for name, value in said.items()}
        case list():
            return [_as_floats(value) for value in said]
        case _:
            return said


def _cuts(scale: RfmScale) -> Iterator[tuple[int, ...]]:
    for measure in (scale.recency, scale.frequency, scale.monetary):
        yield measure.cuts


def _thresholds_of(item: Mapping[str, Any]) -> NightThresholds:
    said: dict[str, Any] = {
        name: float(value) if name.endswith("_factor") else value for name, value in item["lifecycle"].items()
    }
    return NightThresholds(
        lifecycle=Thresholds(**said),
        scales={currency: RfmScale(*(Scale(tuple(cuts)) for cuts in measures)) for currency, measures in item["scales"].items()},
        groups=GroupTable(tuple(map(tuple, item["groups"]))) if "groups" in item else GroupTable(),
        models={currency: models.read(_as_floats(model)) for currency, model in item.get("models", {}).items()},
        horizon=Horizon(**_as_floats(item.get("horizon", {}))),
    )


class DynamoMoveEvents:
    """What a night found has happened to customers; 4 write units for an event, 2 for each further one of the same customer."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def record(self, customer_id: str, events: Sequence[Event]) -> None:
        new = (put_event(event, why=f"event {number} is new") for number, event in enumerate(events))
        self._table.write_each(present(customer_id), new)
