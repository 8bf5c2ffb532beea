"""The report of a campaign's run to look at: of people who were drawn by chance, counted by the code that counts a roster."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from ecrm.analytics.campaign_reports import CampaignReport
from ecrm.domain.assignment import Arm, arm_of, is_in_pilot, treatment_of
from ecrm.domain.messages import Policy, Send, Status
from ecrm.domain.runs import CampaignMessage, Costs, Pilot, Run, RunState, Treatment, Tried, Verdict
from ecrm.domain.tallies import tally_of

BEGAN = datetime(2026, 11, 20, 8, tzinfo=UTC)
PEOPLE = 12_000
LINKS = {
    "1a": "https://shop.example.com/autumn/wool-coats",
    "2b": "https://shop.example.com/sale",
    "3c": "https://shop.example.com/public/preferences",
    "4d": "https://shop.example.com/a-rather-long-address/of-a-page/that-does-not-fit/into-one-line-of-a-telephone",
}
_INELIGIBLE = ((Status.NO_CONSENT, "no_consent"), (Status.NO_CONSENT, "no_address"), (Status.SUPPRESSED, "hard_bounce"))
_ENDS = (
    *((Status.ACCEPTED, None),) * 94,
    *((Status.CAPPED, "cap"), (Status.CAPPED, "frequency"), (Status.EXPIRED, "quiet_hours")),
    *((Status.FAILED, "MessageRejected"), (Status.UNKNOWN_FINAL, "timeout"), (Status.SUPPRESSED, "complaint")),
)
_CLICKED = {("loyal", "story"): 0.061, ("loyal", "offer"): 0.093, ("others", "offer"): 0.034}
_BOUNCED, _OPENED, _UNSUBSCRIBED, _COMPLAINED = 0.012, 0.31, 0.004, 0.0006
_CANNOT_GET_IT, _FOLLOW_TWO = 0.07, 0.2


@cache
def run() -> Run:
    """Give a finished run of two messages, one of which was piloted."""
    story = Treatment(name="story", template="autumn-story", template_version=3)
    offer = Treatment(name="offer", template="autumn-offer", template_version=12)
    return Run(
        run_id="5f" * 16,
        campaign="autumn",
        campaign_version=4,
        site="de",
        topic="news",
        messages=(
            CampaignMessage(name="loyal", segment="loyal", treatments=(story, offer)),
            CampaignMessage(name="others", treatments=(offer,)),
        ),
        scheduled_at=BEGAN,
        started_at=BEGAN,
        expires_at=BEGAN + timedelta(days=2),
        state=RunState.SETTLED,
        salt="autumn",
        control_percent=Decimal(10),
        pilot=Pilot(percent=Decimal(20), wait=timedelta(hours=4)),
        decide_at=BEGAN + timedelta(hours=4),
        verdicts={"loyal": Verdict("offer", "better", (Tried("story", 419, 21), Tried("offer", 402, 43)))},
        costs=Costs("EUR", 25_000, Decimal("0.09")),
        planned_at=BEGAN,
        settled_at=BEGAN + timedelta(days=2),
        audience=PEOPLE,
    )


def roster(people: int = PEOPLE) -> Iterator[Send]:
    """Draw what became of each."""
    chance = random.Random(20261120)  # noqa: S311 (a sample, no secret)
    for number in range(people):
        customer_id = f"{number:032x}"
        message = run().messages[number % 2]
        ineligible = chance.choice(_INELIGIBLE) if chance.random() < _CANNOT_GET_IT else None
        arm = None if ineligible else arm_of("autumn", run().control_percent, customer_id)
        is_pilot = len(message.treatments) > 1 and is_in_pilot("autumn", Decimal(20), customer_id)
        name = message.treatments[treatment_of("autumn", [1] * len(message.treatments), customer_id)].name
        treatment = name if is_pilot or len(message.treatments) == 1 else "offer"
        status, reason = ineligible or ((Status.HELD_OUT, None) if arm is Arm.CONTROL else chance.choice(_ENDS))
        yield Send(
            run_id=run().run_id,
            shard=number % 12,
            customer_id=customer_id,
            policy=Policy.MARKETING,
            site="de",
            template="autumn-offer",
            planned_at=BEGAN,
            topic="news",
            status=status,
            reason=reason,
            arm=arm,
            message=message.name,
            treatment=treatment if arm is Arm.TREATED else None,
            is_pilot=is_pilot,
            ineligible=reason if ineligible else None,
            **(_followed(chance, message.name, treatment, is_pilot=is_pilot) if status is Status.ACCEPTED else {}),
        )


def _followed(chance: random.Random, message: str, treatment: str, *, is_pilot: bool) -> dict[str, Any]:
    began = BEGAN + timedelta(hours=0 if is_pilot or message == "others" else 4)
    accepted = began + timedelta(minutes=chance.expovariate(1 / 50))
    if chance.random() < _BOUNCED:
        return {"settled_at": accepted, "bounced_at": accepted}
    found: dict[str, Any] = {"settled_at": accepted, "delivered_at": accepted + timedelta(seconds=20)}
    later = accepted + timedelta(hours=chance.expovariate(1 / 9))
    if chance.random() < _OPENED:
        found["opened_at"] = later
    if chance.random() < _CLICKED[message, treatment]:
        links = chance.sample(list(LINKS), k=1 + (chance.random() < _FOLLOW_TWO))
        found |= {"clicked_at": later + timedelta(minutes=1), "links": dict.fromkeys(links, later)}
    if chance.random() < _UNSUBSCRIBED:
        found["unsubscribed_at"] = later
    if chance.random() < _COMPLAINED:
        found["complained_at"] = later
    return found


@cache
def campaign_report() -> CampaignReport:
    return CampaignReport(
        run=run(),
        name="Autumn in wool",
        time_zone="Europe/Berlin",
        as_of=BEGAN + timedelta(days=3, minutes=7),
        is_complete=True,
        total=tally_of(roster(), BEGAN),
        shown=LINKS,
    )
