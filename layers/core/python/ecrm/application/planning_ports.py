"""What beginning occurrences and planning their audiences need of the world, beside `campaign_ports.py` and `night_ports.py`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ecrm.domain.messages import Send
from ecrm.domain.runs import Run
from ecrm.domain.segments import Segment

from .night_ports import Place


class Addressed(NamedTuple):
    """Somebody in an audience, and the name of the message that is theirs; in a run over the failed, their treatment, too."""

    customer_id: str
    message: str
    treatment: str | None = None


@dataclass(frozen=True, slots=True)
class AudienceBasis:
    """What all pages of a run are judged by: the segments that there are, and the night whose thresholds hold.

    None where no night had been published.
    """

    segments: tuple[Segment, ...]
    night: Place | None


class AudienceFiles(Protocol):
    """What is decided of a run's audience, written once: who comes second finds what is there, and goes by that.

    Everything here raises Unavailable; what is not there is None.
    """

    def basis(self, run_id: str) -> AudienceBasis | None: ...

    def write_basis(self, run_id: str, basis: AudienceBasis) -> None:
        """Write what a run is judged by, unless that is there."""
        ...

    def audience(self, run_id: str, page: int) -> Sequence[Addressed] | None: ...

    def write_audience(self, run_id: str, page: int, audience: Sequence[Addressed]) -> None:
        """Write a page's audience, unless it is there."""
        ...


class Rosters(Protocol):
    """Rosters while they are planned; `mail_ports.Sends` has them after that."""

    def add(self, entries: Sequence[Send]) -> None:
        """Write entries, each unless it is there: 2 write units each, in transactions of a hundred. Raises Unavailable."""
        ...

    def plan(self, run_id: str, page: int, audience: int) -> None:
        """Say that all entries of a page are there, and how many they are."""
        ...

    def planned(self, run_id: str) -> Mapping[int, int]:
        """Give the pages all of whose entries are there, and how many each has, strongly consistent; 8 read units at most."""
        ...

    def of_person(self, customer_ids: Sequence[str], runs: Sequence[Run]) -> Iterable[Send]:
        """Give what the rosters of some runs have of a person, in no order; half a read unit for each of the runs and ids."""
        ...


class CampaignMachine(Protocol):
    def start(self, run_id: str, attempt: int, pages: int) -> bool:
        """Let the pages of a run be planned, once for an attempt, however often it is asked for.

        False where that attempt has come to its end. Raises Unavailable.
        """
        ...
