"""The item of a run, which whoever sends reads; `campaigns.py` has how runs begin and are found."""

from collections.abc import Iterable, Mapping
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

from ecrm.domain.contact_policy import Window
from ecrm.domain.instants import from_text, to_text
from ecrm.domain.runs import CampaignMessage, Costs, Otherwise, Pilot, PilotMetric, Run, RunState, Treatment, Tried, Verdict

from . import keys
from .table import Item

_TEXTS = ("campaign", "site", "topic", "reason", "salt", "retried_by")
_COUNTS = ("campaign_version", "pages", "control_percent", "priority", "rate_per_minute", "attribution_days")
_NUMBERS = (*_COUNTS, "audience", "version")
_TIMES = ("scheduled_at", "started_at", "decide_at", "planned_at", "woken_at", "settled_at")


def run_item(run: Run) -> Item:
    """Its end is `until`, because DynamoDB deletes by `expires_at`."""
    key = keys.run(run.run_id)
    item: Item = {
        "PK": key.pk,
        "SK": key.sk,
        "type": "run",
        "v": 1,
        "state": run.state,
        "until": to_text(run.expires_at),
        "expires_after": seconds_of(run.expires_after),
        "messages": messages_item(run.messages),
    }
    item |= {name: value for name in (*_TEXTS, *_NUMBERS) if (value := getattr(run, name)) is not None}
    item |= {name: to_text(at) for name in _TIMES if (at := getattr(run, name)) is not None}
    item |= {"verdicts": {name: _verdict_item(verdict) for name, verdict in run.verdicts.items()}} if run.verdicts else {}
    item |= {"retries": list(run.retries)} if run.retries else {}
    item |= {"wall": run.wall.isoformat()} if run.wall else {}
    item |= {"books": dict(run.books)} if run.books is not None else {}
    item |= {"work": keys.CAMPAIGN_WORK, "due": to_text(run.due_at)} if run.due_at else {}
    return item | design_item(run.pilot, run.window, run.costs)


def run_of(item: Item) -> Run:
    said: dict[str, Any] = {name: item[name] for name in (*_TEXTS, *_NUMBERS) if name in item}
    said |= {name: from_text(item[name]) for name in _TIMES if name in item}
    return Run(
        run_id=keys.run_id_of(item["PK"]),
        state=RunState(item["state"]),
        expires_at=from_text(item["until"]),
        expires_after=timedelta(seconds=item["expires_after"]),
        messages=messages_of(item["messages"]),
        verdicts={name: _verdict_of(*verdict) for name, verdict in item.get("verdicts", {}).items()},
        retries=tuple(item.get("retries", ())),
        wall=datetime.fromisoformat(item["wall"]) if "wall" in item else None,
        books=item.get("books"),
        due_at=from_text(item["due"]) if "due" in item else None,
        **(said | {"control_percent": Decimal(item["control_percent"])}),
        **design_of(item),
    )


def _verdict_item(verdict: Verdict) -> list[Any]:
    return [verdict.winner, verdict.why, [list(tried) for tried in verdict.tried]]


def _verdict_of(winner: str | None, why: str, tried: Iterable[Iterable[Any]] = ()) -> Verdict:
    return Verdict(winner, why, tuple(Tried(*each) for each in tried))


def seconds_of(duration: timedelta) -> int:
    return int(duration.total_seconds())


def messages_item(messages: Iterable[CampaignMessage]) -> list[Item]:
    return [
        {"name": message.name, "treatments": list(map(_treatment_item, message.treatments))}
        | ({"segment": message.segment} if message.segment is not None else {})
        for message in messages
    ]


def messages_of(said: Iterable[Mapping[str, Any]]) -> tuple[CampaignMessage, ...]:
    return tuple(
        CampaignMessage(
            name=message["name"],
            segment=message.get("segment"),
            treatments=tuple(Treatment(**treatment) for treatment in message["treatments"]),
        )
        for message in said
    )


def _treatment_item(treatment: Treatment) -> Item:
    item: Item = {"name": treatment.name, "template": treatment.template, "weight": treatment.weight}
    item |= {"data": treatment.data} if treatment.data else {}
    return item | ({"template_version": treatment.template_version} if treatment.template_version is not None else {})


def design_item(pilot: Pilot | None, window: Window | None, costs: Costs | None) -> Item:
    """What a campaign and its runs have alike."""
    item: Item = {"window": [window.start.isoformat(), window.end.isoformat()]} if window else {}
    item |= {"costs": [costs.currency, costs.fixed, costs.per_message]} if costs else {}
    return item | ({"pilot": _pilot_item(pilot)} if pilot else {})


def _pilot_item(pilot: Pilot) -> Item:
    return {
        "percent": pilot.percent,
        "wait": seconds_of(pilot.wait),
        "metric": pilot.metric,
        "minimum": pilot.minimum,
        "otherwise": pilot.otherwise,
    }


def design_of(item: Mapping[str, Any]) -> dict[str, Any]:
    pilot, window, costs = item.get("pilot"), item.get("window"), item.get("costs")
    return {
        "window": Window(*map(time.fromisoformat, window)) if window else None,
        "costs": Costs(costs[0], costs[1], Decimal(costs[2])) if costs else None,
        "pilot": Pilot(
            percent=Decimal(pilot["percent"]),
            wait=timedelta(seconds=pilot["wait"]),
            metric=PilotMetric(pilot["metric"]),
            minimum=pilot["minimum"],
            otherwise=Otherwise(pilot["otherwise"]),
        )
        if pilot
        else None,
    }
