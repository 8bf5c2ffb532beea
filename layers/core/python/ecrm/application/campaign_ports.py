"""What the use cases of campaigns need of the world, beside `mail_ports.py`, `segment_ports.py` and `planning_ports.py`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from ecrm.domain.campaigns import Campaign, Head
from ecrm.domain.runs import Run
from ecrm.domain.tallies import Tally

from .ports import Page, Request


class Campaigns(Protocol):
    """Definitions under versions that never change, and the life of each."""

    def find(self, name: str, /) -> Head | None:
        """Give the newest version and the life, strongly consistent."""
        ...

    def version(self, name: str, version: int, /) -> Campaign | None: ...

    def all(self) -> tuple[Head, ...]: ...

    def define(self, head: Head) -> Head | None:
        """Write a new version if the stored revision is the one before; else give the stored one."""
        ...

    def change(self, head: Head) -> Head | None:
        """Write a life if the stored revision is the one before; else give the stored one."""
        ...

    def launch(self, head: Head, request: Request | None, now: datetime) -> Head | None:
        """Change a life, in one transaction with the request for it. Raises AlreadyAnswered, Invalid, InFlight, Contended."""
        ...

    def answered(self, request: Request | None, now: datetime) -> str | None:
        """Give the campaign that a request has launched before. Raises Invalid where its key came with another body."""
        ...


@dataclass(frozen=True, slots=True)
class DueCampaign:
    """A campaign whose next occurrence has come, as it stood in the worklist."""

    campaign: str
    due: datetime


@dataclass(frozen=True, slots=True)
class DueRun:
    """A run to which somebody has to come back, as it stood in the worklist."""

    run_id: str
    due: datetime


class ListedRun(NamedTuple):
    """A run as it stands in its campaign's list."""

    scheduled_at: datetime
    run_id: str


class Runs(Protocol):
    def find(self, run_id: str) -> Run | None:
        """Read a run, strongly consistent."""
        ...

    def find_many(self, run_ids: Iterable[str]) -> Mapping[str, Run]:
        """Read runs, strongly consistent: whoever has just paused one sees it paused."""
        ...

    def begin(self, run: Run, head: Head) -> bool:
        """Write a run with its campaign as that is thereafter.

        One transaction of 4 items; the run is new, and the campaign as it was seen. Says whether it was so.
        """
        ...

    def retry(self, run: Run, over: Run, head: Head) -> bool:
        """Write a run over the failed of another with that as it is thereafter, while the campaign is as it was seen.

        One transaction of 5 items. Says whether both were as they were seen.
        """
        ...

    def write(self, run: Run) -> Run | None:
        """Write if the stored version is the one before; else give the stored one. One that is over is active no more."""
        ...

    def active(self) -> tuple[Run, ...]:
        """Give the runs that are not over, strongly consistent; a read unit for each and one for their list."""
        ...

    def of_campaign(self, campaign: str, *, after: str | None, limit: int) -> Page[Run]:
        """Give a campaign's runs, newest first."""
        ...

    def newest(self, campaign: str, limit: int) -> Iterable[ListedRun]:
        """Give what the list of a campaign's runs says of the newest, perhaps without the very last; some 50 to a read unit."""
        ...

    def due(self, now: datetime, limit: int) -> Iterable[DueCampaign | DueRun]:
        """Give what somebody has to come back to now, soonest first; half a read unit where there is nothing."""
        ...


class SenderIdentities(Protocol):
    def is_verified(self, address: str) -> bool:
        """Say whether the provider lets us send in the name of an address, or of its domain. Raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted of a page, and when that was begun."""

    tally: Tally
    at: datetime


class Tallies(Protocol):
    """What was counted last of each page of a run."""

    def of(self, run_id: str) -> Mapping[int, Counted]:
        """Give it by page, strongly consistent."""
        ...

    def write(self, run_id: str, page: int, counted: Counted) -> None: ...

    def is_waited_for(self, run_id: str, page: int) -> bool:
        """Say whether somebody has to come back to a page, strongly consistent."""
        ...


class LastOrders(Protocol):
    def of(self, customer_ids: Sequence[str]) -> Mapping[str, datetime]:
        """Give when each has placed the last order that was not wholly cancelled; of one who was absorbed, the whole person."""
        ...
