"""I3: a file never raises a "no", and never revives the suppressed or the erased, whatever was said before."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ecrm.application.consent import ConsentChange
from ecrm.application.import_rows import ContactRow
from ecrm.application.suppressions import SuppressAddress, suppress_address
from ecrm.domain.consent import Channel, Method, Proof, ProofKind, State, Subject
from ecrm.domain.imports import Import, RowOutcome, fact_at
from ecrm.domain.instants import from_text
from ecrm.domain.suppressions import Address, Reason
from tests.builders import NOON
from tests.simulation.company import NEWS, SITE, SOURCE, Company, Stopped, person
from tests.simulation.table import MemoryTable
from tests.simulation.test_contact_rows import FILE

EMAILS = ("e1@example.com", "e2@example.com", "e3@example.com")
USERS = ("u1", "u2")
SUBJECT = Subject(Channel.EMAIL, NEWS)

people = st.fixed_dictionaries({}, optional={"email": st.sampled_from(EMAILS), "user_id": st.sampled_from(USERS)}).filter(bool)
minutes = st.integers(0, 20)
states = st.sampled_from(State)


@dataclass(frozen=True, slots=True)
class Step:
    """What somebody does; `at` and `confirmed` are minutes after noon, the second that of a proof, if there is one."""

    does: str
    who: dict[str, str]
    at: int
    state: State
    confirmed: int | None


steps = st.builds(
    Step,
    does=st.sampled_from(("put", "consent", "consent", "suppress", "erase", "import", "import", "import")),
    who=people,
    at=minutes,
    state=states,
    confirmed=st.none() | st.none() | st.integers(0, 50),
)


def minute(number: int) -> datetime:
    return NOON + timedelta(minutes=number)


class Town:
    """A company; each step is a minute later than the one before, after all of which they may speak."""

    def __init__(self) -> None:
        self.company = Company(MemoryTable()).open()
        self.now = 30
        self.files = 0

    def ids(self, who: dict[str, str]) -> list[str]:
        held = self.company.customers.held(person(**who), consistent=True)
        return sorted({each.customer_id for each in held.values() if each.customer_id})

    def do(self, step: Step) -> None:
        self.now += 1
        now = minute(self.now)
        match step.does:
            case "put":
                self.company.put(person(**step.who), {"plan": "gold"}, now, now)
            case "consent":
                for customer_id in self.ids(step.who):
                    self.company.consent(customer_id, step.state, minute(step.at), now)
            case "suppress":
                command = SuppressAddress(
                    address=Address(Channel.EMAIL, step.who.get("email", EMAILS[0])),
                    reason=Reason.COMPLAINT,
                    at=minute(step.at),
                    note=None,
                    source=SOURCE,
                )
                suppress_address(
                    command, None, suppressions=self.company.suppressions, requests=self.company.requests, clock=Stopped(now)
                )
            case "erase":
                for customer_id in self.ids(step.who):
                    job = self.company.erase(customer_id, now)
                    if job:
                        self.company.work(job, now)
            case _:
                self.import_(step)

    def import_(self, step: Step) -> None:
        before = self.said()
        self.files += 1
        file = replace(FILE, import_id=f"i{self.files}", at=minute(self.now))
        row = a_row(file, step)
        (outcome,) = self.company.import_contacts(file, [row], minute(self.now))
        again = self.company.import_contacts(file, [row], minute(self.now))
        assert (outcome,) == again
        self.compare(before, self.said(), step, outcome)

    def said(self) -> dict[str, Any]:
        """What no file may change: the state of each consent, suppressions, and to whom identifiers of the erased lead."""
        items = self.company.table.items()
        customers = [item["PK"].removeprefix("CUSTOMER#") for item in items if item["SK"] == "PROFILE"]
        consents = {each: self.company.consents.of(each).consents.get(SUBJECT) for each in customers}
        return {
            "consents": {each: consent for each, consent in consents.items() if consent},
            "suppressed": [item for item in items if item["SK"] == "SUPPRESSION"],
            "nobody's": {
                item["PK"]: item["erased_at"] for item in items if item["SK"] == "IDENTITY" and "customer_id" not in item
            },
            "tombstones": [item for item in items if item["SK"] == "PROFILE" and "erased_at" in item],
        }

    def compare(self, before: dict[str, Any], after: dict[str, Any], step: Step, outcome: RowOutcome) -> None:
        proof = None if step.confirmed is None or step.state is not State.GRANTED else minute(step.confirmed)
        assert (before["suppressed"], before["tombstones"]) == (after["suppressed"], after["tombstones"])
        for customer_id, consent in before["consents"].items():
            if consent.state is State.DENIED and (proof is None or proof <= consent.denied.since):
                assert after["consents"][customer_id].state is State.DENIED
        for pk, erased_at in before["nobody's"].items():
            if proof is None or proof <= from_text(erased_at):
                assert erased_at == after["nobody's"][pk]
        assert outcome.code in (None, "erased")


def a_row(file: Import, step: Step) -> ContactRow:
    proof = None if step.confirmed is None else Proof(kind=ProofKind.SIGNATURE, confirmed_at=minute(step.confirmed))
    change = ConsentChange(
        channel=Channel.EMAIL,
        topic=NEWS,
        state=step.state,
        at=fact_at(file, 1),
        source="a fair",
        method=Method.IMPORT,
        text_version=None,
        proof=proof if step.state is State.GRANTED else None,
    )
    return ContactRow(
        row=1, site=SITE, identifiers=person(**step.who), attributes={"city": "Köln"}, at=fact_at(file, 1), consents=(change,)
    )


@settings(max_examples=400)
@given(story=st.lists(steps, min_size=1, max_size=12))
def test_a_file_raises_no_denial_and_revives_nobody(story: list[Step]) -> None:
    town = Town()
    for step in story:
        town.do(step)
