"""Campaigns, each with its life in one partition; every version in an item that never changes; and their runs."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from ecrm.application.campaign_ports import DueCampaign, DueRun, ListedRun
from ecrm.application.ports import Page, Request
from ecrm.contracts.segments import RuleBody, written
from ecrm.domain.campaigns import Audience, Campaign, Every, Head, Life, LifeState, Schedule, Unit
from ecrm.domain.instants import from_text, to_text
from ecrm.domain.runs import Run

from . import keys, replays
from .keys import Key
from .runs import design_item, design_of, messages_item, messages_of, run_item, run_of, seconds_of
from .table import Action, Check, Delete, Item, Put, Refused, Table, as_seen, put_as_seen

_HEAD = "campaign as it was seen"
_RUN = "run as it was seen"
_IS_NEW = "run is new"


class DynamoCampaigns:
    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, name: str) -> Head | None:
        item = self._table.get(keys.campaign(name), consistent=True)
        return _head_of(item) if item else None

    def version(self, name: str, version: int) -> Campaign | None:
        item = self._table.get(keys.campaign_version(name, version), consistent=True)
        return _campaign_of(item, name) if item else None

    def all(self) -> tuple[Head, ...]:
        return tuple(map(_head_of, self._table.query(keys.CAMPAIGNS_PARTITION, consistent=True)))

    def define(self, head: Head) -> Head | None:
        campaign = head.campaign
        version = _item(keys.campaign_version(campaign.campaign, campaign.version), "campaign_version", _said(campaign))
        try:
            self._table.write([_as_seen(head), Put(version, None, "follows its campaign")])
        except Refused as refused:
            return _head_of(refused.found[_HEAD])
        return None

    def change(self, head: Head) -> Head | None:
        try:
            self._table.put(_as_seen(head))
        except Refused as refused:
            return _head_of(refused.found[_HEAD])
        return None

    def launch(self, head: Head, request: Request | None, now: datetime) -> Head | None:
        actions = [_as_seen(head), *replays.puts(request, now, resource=head.campaign.campaign)]
        refused = replays.write(self._table, actions, request)
        return _head_of(refused[_HEAD]) if refused is not None else None

    def answered(self, request: Request | None, now: datetime) -> str | None:
        return replays.resource_of(self._table, request, now) if request else None


class DynamoRuns:
    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, run_id: str) -> Run | None:
        item = self._table.get(keys.run(run_id), consistent=True)
        return run_of(item) if item else None

    def find_many(self, run_ids: Iterable[str]) -> Mapping[str, Run]:
        found = map(run_of, self._table.get_many(map(keys.run, run_ids), consistent=True))
        return {run.run_id: run for run in found}

    def begin(self, run: Run, head: Head) -> bool:
        return self._begun(run, _as_seen(head))

    def retry(self, run: Run, over: Run, head: Head) -> bool:
        condition, values = as_seen(head.life.revision)
        return self._begun(run, _run_as_seen(over), Check(keys.campaign(head.campaign.campaign), condition, _HEAD, values))

    def _begun(self, run: Run, *held: Action) -> bool:
        listing = keys.run_listing(run.campaign, run.scheduled_at, run.run_id)
        actions: list[Action] = [
            Put(run_item(run), "attribute_not_exists(PK)", _IS_NEW),
            *held,
            Put(_item(listing, "run_listing", {"run_id": run.run_id}), None, "follows its run"),
        ]
        if not run.is_over:
            active = _item(keys.active_run(run.run_id), "active_run", {})
            actions.append(Put(active, None, "follows its run"))
        try:
            self._table.write(actions)
        except Refused:
            return False
        return True

    def write(self, run: Run) -> Run | None:
        actions: list[Action] = [_run_as_seen(run)]
        if run.is_over:
            actions.append(Delete(keys.active_run(run.run_id), None, "nobody has to come back to it"))
        try:
            self._table.write(actions)
        except Refused as refused:
            return run_of(refused.found[_RUN])
        return None

    def active(self) -> tuple[Run, ...]:
        listed = self._table.query(keys.ACTIVE_RUNS_PARTITION, consistent=True)
        return tuple(map(run_of, self._table.get_many((keys.run(item["SK"]) for item in listed), consistent=True)))

    def of_campaign(self, campaign: str, *, after: str | None, limit: int) -> Page[Run]:
        partition = keys.runs_partition(campaign)
        rows = list(self._table.query(partition, after=after, backwards=True, limit=limit, consistent=True))
        runs = self._runs(row["run_id"] for row in rows)
        return Page(runs, rows[-1]["SK"] if len(rows) == limit else None)

    def newest(self, campaign: str, limit: int) -> Iterator[ListedRun]:
        rows = self._table.query(keys.runs_partition(campaign), backwards=True, limit=limit)
        return (ListedRun(keys.run_listed_at(row["SK"]), row["run_id"]) for row in rows)

    def _runs(self, run_ids: Iterable[str]) -> tuple[Run, ...]:
        wanted = tuple(run_ids)
        found = self.find_many(wanted)
        return tuple(found[run_id] for run_id in wanted if run_id in found)

    def due(self, now: datetime, limit: int) -> Iterator[DueCampaign | DueRun]:
        for item in self._table.waiting(keys.CAMPAIGN_WORK, to_text(now), limit):
            due = from_text(item["due"])
            is_campaign = item["PK"] == keys.CAMPAIGNS_PARTITION
            yield DueCampaign(item["SK"], due) if is_campaign else DueRun(keys.run_id_of(item["PK"]), due)


def _as_seen(head: Head) -> Put:
    life = head.life
    said = _said(head.campaign) | {
        # The item's own version is of all that changes in it; `definition` is that of what it says.
        "version": life.revision,
        "definition": head.campaign.version,
        "state": life.state,
    }
    said |= {name: to_text(at) for name in _LIFE_TIMES if (at := getattr(life, name)) is not None}
    said |= {name: value for name in _LIFE_TEXTS if (value := getattr(life, name)) is not None}
    said |= {"work": keys.CAMPAIGN_WORK, "due": to_text(life.next_at)} if life.next_at else {}
    said |= {"next_day": life.next_day.isoformat()} if life.next_at and life.next_day else {}
    return put_as_seen(_item(keys.campaign(head.campaign.campaign), "campaign", said), life.revision - 1, _HEAD)


def _run_as_seen(run: Run) -> Put:
    return put_as_seen(run_item(run), run.version - 1, _RUN)


_LIFE_TIMES = ("launched_at",)
_LIFE_TEXTS = ("launched_by", "last_run")


def _head_of(item: Item) -> Head:
    life = Life(
        state=LifeState(item["state"]),
        next_at=from_text(item["due"]) if "due" in item else None,
        next_day=date.fromisoformat(item["next_day"]) if "next_day" in item else None,
        launched_at=from_text(item["launched_at"]) if "launched_at" in item else None,
        launched_by=item.get("launched_by"),
        last_run=item.get("last_run"),
        revision=item["version"],
    )
    return Head(_campaign_of(item | {"version": item["definition"]}, item["SK"]), life)


def _item(key: Key, kind: str, said: Item) -> Item:
    return {"PK": key.pk, "SK": key.sk, "type": kind, "v": 1} | said


_PLAIN = ("name", "site", "topic", "priority", "control_percent", "salt", "attribution_days", "version")


def _said(campaign: Campaign) -> Item:
    include, exclude = campaign.audience.include, campaign.audience.exclude
    said: Item = {name: getattr(campaign, name) for name in _PLAIN}
    said |= {
        "include": written(include),
        "messages": messages_item(campaign.messages),
        "expires_after": seconds_of(campaign.expires_after),
        "updated_at": to_text(campaign.updated_at),
    }
    said |= {"exclude": written(exclude)} if exclude is not None else {}
    said |= {"schedule": _schedule_item(campaign.schedule)} if campaign.schedule else {}
    said |= {"rate_per_minute": campaign.rate_per_minute} if campaign.rate_per_minute is not None else {}
    return said | design_item(campaign.pilot, campaign.window, campaign.costs)


def _campaign_of(item: Mapping[str, Any], name: str) -> Campaign:
    plain = {field: item[field] for field in _PLAIN} | {"control_percent": Decimal(item["control_percent"])}
    return Campaign(
        campaign=name,
        audience=Audience(_rule(item["include"]), _rule(item["exclude"]) if "exclude" in item else None),
        messages=messages_of(item["messages"]),
        schedule=_schedule_of(item["schedule"]) if "schedule" in item else None,
        expires_after=timedelta(seconds=item["expires_after"]),
        rate_per_minute=item.get("rate_per_minute"),
        updated_at=from_text(item["updated_at"]),
        **plain,
        **design_of(item),
    )


def _rule(said: Any) -> Any:
    return RuleBody.model_validate(said).to_rule()


def _schedule_item(schedule: Schedule) -> Item:
    item: Item = {"day": schedule.day.isoformat(), "at": schedule.at.isoformat(), "local": schedule.is_local}
    item |= {"every": [schedule.every.unit, *schedule.every.days]} if schedule.every else {}
    return item | ({"until": schedule.until.isoformat()} if schedule.until else {})


def _schedule_of(said: Mapping[str, Any]) -> Schedule:
    every = said.get("every")
    return Schedule(
        day=date.fromisoformat(said["day"]),
        at=time.fromisoformat(said["at"]),
        every=Every(Unit(every[0]), tuple(every[1:])) if every else None,
        until=date.fromisoformat(said["until"]) if "until" in said else None,
        is_local=said["local"],
    )
