"""The report of a campaign's run: what became of its audience, counted, with how sure each share is.

No number says what the campaign has caused.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP
from functools import cached_property

from ecrm.domain.assignment import Arm
from ecrm.domain.messages import OPEN, Status
from ecrm.domain.runs import Run, Treatment, Verdict
from ecrm.domain.tallies import BOOKS, HOUR, Tally

from .experiments import Compared, Interval, Part, smallest_effect, wilson, winner

BASELINES = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Shares of the control group that do what is compared, for which the smallest effect is told: nobody knows it beforehand."""


@dataclass(frozen=True, slots=True)
class Mailed:
    """Treated people of a message and treatment, and what followed for those whose mail was accepted.

    `treatment` is None where it had not been decided when they came to their end, or is not yet.
    """

    message: str
    treatment: Treatment | None
    counted: Counter[str]

    @property
    def people(self) -> int:
        return self.counted["entries"]

    @property
    def accepted(self) -> int:
        return self.counted[Status.ACCEPTED]

    def share(self, what: str) -> Interval | None:
        """Give the share of accepted mails after which something of `tallies.FOLLOWED` came."""
        return wilson(self.counted[what], self.accepted)


@dataclass(frozen=True, slots=True)
class Arms:
    """Whom the audience matched: who could not get it when it was planned, and by arm all others, whatever became of them."""

    ineligible: int
    treated: int
    control: int

    @property
    def control_share(self) -> Interval | None:
        return wilson(self.control, self.treated + self.control)


@dataclass(frozen=True, slots=True)
class Piloted:
    """The pilot of a message: what it came to, None before; `pairs` compare what was tried, as it stood then."""

    message: str
    verdict: Verdict | None
    pairs: tuple[Compared, ...] = ()


@dataclass(frozen=True, slots=True)
class Followed:
    """How many people followed a link of a mail; `url` is None where what may be shown of it is not known."""

    message: str
    treatment: str
    url: str | None
    people: int


@dataclass(frozen=True, slots=True)
class Hour:
    """What happened in an hour since the run began; the last one that is told apart has all that came later, too."""

    number: int
    begins_at: datetime
    counted: Counter[str]


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run has cost, in minor units: its fixed costs and those of the accepted mails, to the nearest unit."""

    fixed: int
    messages: int

    @property
    def total(self) -> int:
        return self.fixed + self.messages


@dataclass(frozen=True)
class CampaignReport:
    """A run of the campaign called `name`, at the clock of its site's `time_zone`.

    `total` is what was counted at `as_of` or since, page by page; None where nothing was counted yet. It `is_complete` where
    everybody in the audience is in it. `shown` are the links of its mails by their names in the tally.
    """

    run: Run
    name: str
    time_zone: str
    as_of: datetime | None
    is_complete: bool
    total: Tally
    shown: Mapping[str, str]

    @property
    def is_balanced(self) -> bool:
        """Whether each one of the audience is in the books once, or open."""
        return self.is_complete and self.run.audience == sum(self.total.books.values()) + self.total.open

    @property
    def reasons(self) -> dict[str, dict[str, int]]:
        """Give how many came to an end for which reason, by end; those of who waits are told as `open`."""
        found: dict[str, Counter[str]] = {}
        for status, counted in self.total.reasons.items():
            found.setdefault("open" if Status(status) in OPEN else BOOKS[Status(status)], Counter()).update(counted)
        return {end: dict(sorted(counted.items())) for end, counted in sorted(found.items())}

    @cached_property
    def arms(self) -> Arms:
        people: Counter[str] = Counter()
        for group, counted in self.total.groups.items():
            people[group.arm] += counted["entries"]
        return Arms(people[""], people[Arm.TREATED], people[Arm.CONTROL])

    @cached_property
    def mailed(self) -> tuple[Mailed, ...]:
        """Everything that the run sends, in its order, whether anybody got it or not; then who has no treatment."""
        return tuple(self._mailed())

    def _mailed(self) -> Iterator[Mailed]:
        counted: dict[tuple[str, str], Counter[str]] = {}
        for group, counts in self.total.groups.items():
            if group.arm == Arm.TREATED:
                counted.setdefault((group.message, group.treatment), Counter()).update(counts)
        for message in self.run.messages:
            for treatment in message.treatments:
                yield Mailed(message.name, treatment, counted.get((message.name, treatment.name), Counter()))
            if undecided := counted.get((message.name, "")):
                yield Mailed(message.name, None, undecided)

    @property
    def all_mailed(self) -> Mailed:
        return Mailed("", None, sum((each.counted for each in self.mailed), start=Counter()))

    @property
    def piloted(self) -> Iterator[Piloted]:
        pilot = self.run.pilot
        for message in self.run.messages if pilot else ():
            verdict = self.run.verdicts.get(message.name)
            if pilot and len(message.treatments) > 1:
                parts = [Part(*tried) for tried in verdict.tried] if verdict else []
                yield Piloted(message.name, verdict, winner(parts, pilot.minimum).pairs)

    @property
    def followed(self) -> Iterator[Followed]:
        """Give the links of each mail, those that most people followed first."""
        for (message, treatment), counted in sorted(self.total.links.items()):
            for link, people in sorted(counted.items(), key=lambda each: (-each[1], self.shown.get(each[0], ""), each[0])):
                yield Followed(message, treatment, self.shown.get(link) or None, people)

    @property
    def hours(self) -> Iterator[Hour]:
        """Give the hours in which something happened."""
        for number, counted in sorted(self.total.hours.items()):
            yield Hour(number, self.run.started_at + number * HOUR, counted)

    @property
    def spent(self) -> Spent | None:
        costs = self.run.costs
        if costs is None:
            return None
        return Spent(costs.fixed, int((costs.per_message * self.all_mailed.accepted).to_integral_value(ROUND_HALF_UP)))

    @property
    def smallest_effects(self) -> Iterator[tuple[float, float]]:
        """Give, by the control's share, the least difference of the treated's that this audience can show; none without both."""
        for baseline in BASELINES:
            effect = smallest_effect(self.arms.treated, self.arms.control, baseline)
            if effect is not None:
                yield baseline, effect
