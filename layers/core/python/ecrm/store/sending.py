"""What all who send must agree on: the kill switch, the breakers, and the account's rate."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ecrm.application.mail_ports import Breaker, Leased, Pace, Pause, Permission, Sending
from ecrm.domain.errors import Unavailable
from ecrm.domain.instants import from_text, to_text
from ecrm.domain.messages import Policy
from ecrm.domain.runs import Run

from . import keys
from .runs import run_of
from .table import Item, Refused, Table, put_as_seen, time_heals

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoSendingControl:
    """`table_id` tells the id of this table; it is asked once."""

    def __init__(self, table: Table, table_id: Callable[[], str]) -> None:
        self._table = table
        self._ask_for_id = table_id
        self._id: str | None = None

    def table_id(self) -> str:
        if self._id is None:
            self._id = self._ask_for_id()
        return self._id

    def permission(self, flow: str, run_id: str | None) -> Permission:
        wanted = [keys.sending(), keys.breaker(flow), *([keys.run(run_id)] if run_id else [])]
        found = {item["PK"]: item for item in self._table.get_many(wanted, consistent=True)}
        run = found.get(keys.run(run_id).pk) if run_id else None
        return Permission(
            _sending_of(found.get(keys.sending().pk)),
            _breaker_of(found.get(keys.breaker(flow).pk)),
            run_of(run) if run else None,
        )

    def sending(self) -> Sending:
        return _sending_of(self._table.get(keys.sending(), consistent=True))

    def write(self, sending: Sending) -> bool:
        return self._put(_sending(sending), sending.version) is None

    def doubt(self, flow: str, breaker: Breaker) -> Breaker | None:
        there = self._put(_breaker(flow, breaker), breaker.version)
        return None if there is None else _breaker_of(there)

    def pace(self) -> Pace | None:
        item = self._table.get(keys.pace(), consistent=True)
        return _pace_of(item) if item else None

    def lease(self, pace: Pace) -> Pace | None:
        there = self._put(_pace(pace), pace.version)
        return _pace_of(there) if there else None

    def leased(self, run_id: str) -> Leased | None:
        item = self._table.get(keys.run_pace(run_id), consistent=True)
        return _leased_of(item) if item else None

    def lease_of(self, run_id: str, leased: Leased) -> Leased | None:
        there = self._put(_leased(run_id, leased), leased.version)
        return _leased_of(there) if there else None

    def run(self, run_id: str) -> Run | None:
        item = self._table.get(keys.run(run_id))
        return run_of(item) if item else None

    def active_runs(self) -> tuple[Run, ...]:
        run_ids = [item["SK"] for item in self._table.query(keys.ACTIVE_RUNS_PARTITION)]
        return tuple(map(run_of, self._table.get_many(map(keys.run, run_ids))))

    def _put(self, item: Item, version: int) -> Item | None:
        """Write if the stored version is the one before; else give what is there."""
        why = "as it was seen"
        try:
            self._table.put(put_as_seen(item, version - 1, why))
        except Refused as refused:
            return refused.found[why]
        return None


def _sending(sending: Sending) -> Item:
    key = keys.sending()
    paused = {
        policy.value: {"since": to_text(pause.since), "by": pause.by, "reason": pause.reason}
        for policy, pause in sending.paused.items()
    }
    item: Item = {"PK": key.pk, "SK": key.sk, "type": "sending", "v": 1, "version": sending.version, "paused": paused}
    return item | ({"armed_for": sending.armed_for} if sending.armed_for else {})


def _sending_of(item: Item | None) -> Sending:
    if item is None:
        return Sending()
    paused = {
        Policy(policy): Pause(from_text(said["since"]), said["by"], said["reason"]) for policy, said in item["paused"].items()
    }
    return Sending(item.get("armed_for"), paused, item["version"])


def _breaker(flow: str, breaker: Breaker) -> Item:
    key = keys.breaker(flow)
    item: Item = {
        "PK": key.pk,
        "SK": key.sk,
        "type": "breaker",
        "v": 1,
        "version": breaker.version,
        "doubts": [to_text(at) for at in breaker.doubts],
    }
    return item | ({"open_until": to_text(breaker.open_until)} if breaker.open_until else {})


def _breaker_of(item: Item | None) -> Breaker:
    if item is None:
        return Breaker()
    until = item.get("open_until")
    return Breaker(tuple(map(from_text, item["doubts"])), from_text(until) if until else None, item["version"])


def _pace(pace: Pace) -> Item:
    key = keys.pace()
    return {
        "PK": key.pk,
        "SK": key.sk,
        "type": "pace",
        "v": 1,
        "version": pace.version,
        "rate": str(pace.rate),
        "rated_at": to_text(pace.rated_at),
        "window": to_text(pace.window),
        "lanes": pace.lanes,
    }


def _pace_of(item: Item) -> Pace:
    return Pace(float(item["rate"]), from_text(item["rated_at"]), from_text(item["window"]), item["lanes"], item["version"])


def _leased(run_id: str, leased: Leased) -> Item:
    key = keys.run_pace(run_id)
    minute = to_text(leased.minute)
    return {
        "PK": key.pk,
        "SK": key.sk,
        "type": "run_pace",
        "v": 1,
        "version": leased.version,
        "minute": minute,
        "mails": leased.mails,
    }


def _leased_of(item: Item) -> Leased:
    return Leased(from_text(item["minute"]), item["mails"], item["version"])


def table_id(client: "DynamoDBClient", name: str) -> str:
    """Ask which table this is: a restored copy has another id, whatever it is called. Raises Unavailable."""
    try:
        return client.describe_table(TableName=name)["Table"]["TableId"]
    except BotoCoreError as error:
        raise Unavailable("the table cannot be reached") from error
    except ClientError as error:
        raise (Unavailable("the table cannot be described") if time_heals(error) else error) from error
