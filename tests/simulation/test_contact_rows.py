"""Contacts out of a file, over the table double: what a row changes, what it never changes, and who works on it how often."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ecrm.application.consent import ConsentChange
from ecrm.application.import_rows import ContactRow, Rule
from ecrm.application.profiles import read_profile
from ecrm.domain.attributes import known, vouched
from ecrm.domain.consent import Channel, Method, Proof, ProofKind, State, Subject
from ecrm.domain.imports import Import, ImportState, Kind, Options, RowOutcome, RowResult, fact_at
from tests.builders import NOON
from tests.simulation.company import NEWS, SITE, Company, person
from tests.simulation.table import MemoryTable

LATER = NOON + timedelta(hours=1)
FILE = Import(
    import_id="i1",
    kind=Kind.CONTACTS,
    name="imports/contacts/a.csv",
    state=ImportState.RUNNING,
    requested_at=NOON,
    source="key:1",
    at=NOON,
)
SUBJECT = Subject(Channel.EMAIL, NEWS)


@pytest.fixture
def company() -> Company:
    return Company(MemoryTable()).open()


def line(number: int, attributes: dict[str, Any] | None = None, *, file: Import = FILE, **more: Any) -> ContactRow:
    """A row; whatever is not a field of one names the customer."""
    named = {name: more.pop(name) for name in ("user_id", "email", "phone", "anonymous_id") if name in more}
    return ContactRow(
        row=number,
        site=SITE,
        identifiers=person(**(named or {"email": "sara@example.com"})),
        attributes=attributes or {},
        at=more.pop("at", fact_at(file, number)),
        **more,
    )


def answer(state: State, number: int = 1, **more: Any) -> ConsentChange:
    said: dict[str, Any] = {
        "channel": Channel.EMAIL,
        "topic": NEWS,
        "state": state,
        "at": fact_at(FILE, number),
        "source": "a fair",
        "method": Method.IMPORT,
        "text_version": None,
        "proof": None,
    }
    return ConsentChange(**(said | more))


def taken(company: Company, *rows: ContactRow, file: Import = FILE) -> list[tuple[RowResult, str | None, tuple[str, ...]]]:
    return [(each.result, each.touched, each.warnings) for each in company.import_contacts(file, rows, LATER)]


def attributes(company: Company, customer_id: str) -> dict[str, Any]:
    return known(read_profile(customer_id, customers=company.customers, profiles=company.profiles).attributes)


def state_of(company: Company, customer_id: str) -> State:
    return company.consents.of(customer_id).consents[SUBJECT].state


def imported(company: Company) -> list[dict[str, Any]]:
    return [item["data"] for item in company.table.items("EVENT#") if item["type"] == "customer.imported"]


def test_rows_make_customers_and_change_them_each_with_an_event(company: Company) -> None:
    company.put(person(email="omid@example.com"), {"city": "Berlin", "plan": "gold"}, NOON - timedelta(days=1), NOON)

    outcomes = taken(
        company,
        line(1, {"first_name": "Sara"}),
        line(2, {"city": "Köln", "plan": "gold"}, email="omid@example.com", phone="+491701234567"),
    )

    assert [(RowResult.CREATED, "c2", ()), (RowResult.UPDATED, "c1", ())] == outcomes
    assert {"first_name": "Sara"} == attributes(company, "c2")
    assert {"city": "Köln", "plan": "gold"} == attributes(company, "c1")
    assert [
        {
            "import_id": "i1",
            "row": 2,
            "created": False,
            "before": {"city": "Berlin"},
            "after": {"city": "Köln"},
            "identifiers": [{"kind": "phone", "value": "+491701234567"}],
            "stood": {"city": {"at": "2026-11-19T12:00:00.000000Z", "source": "key:1"}},
        },
        {
            "import_id": "i1",
            "row": 1,
            "created": True,
            "before": {"first_name": None},
            "after": {"first_name": "Sara"},
            "identifiers": [{"kind": "email", "value": "sara@example.com"}],
        },
    ] == sorted(imported(company), key=lambda data: -data["row"])


def test_what_is_known_is_not_said_again(company: Company) -> None:
    rows = [line(number, {"plan": "gold"}, email=f"{number}@example.com", tags=("fair",)) for number in range(1, 8)]
    taken(company, *rows)
    written = len(company.table.stream)
    second = replace(FILE, import_id="i2", at=NOON + timedelta(minutes=5))

    outcomes = taken(company, *(replace(row, at=fact_at(second, row.row)) for row in rows), file=second)

    assert [(RowResult.UNCHANGED, f"c{number}", ()) for number in range(1, 8)] == outcomes
    assert written == len(company.table.stream)


def test_a_row_that_was_kept_before_is_told_as_it_was(company: Company) -> None:
    rows = [line(1, {"plan": "gold"}), line(2, {"plan": "silver"}, email="omid@example.com")]
    company.put(person(email="omid@example.com"), {}, NOON, NOON)
    first = taken(company, *rows)
    written = len(company.table.stream)

    assert first == taken(company, *rows)
    assert ([(RowResult.CREATED, "c2", ()), (RowResult.UPDATED, "c1", ())], written) == (first, len(company.table.stream))


def test_rows_of_one_customer_are_kept_one_after_the_other(company: Company) -> None:
    company.put(person(email="sara@example.com", phone="+491701234567"), {}, NOON - timedelta(days=1), NOON)

    outcomes = taken(
        company,
        line(1, {"plan": "gold"}),
        line(2, {"plan": "silver"}, phone="+491701234567"),
        line(3, {"plan": "bronze", "city": "Köln"}),
    )

    assert [(RowResult.UPDATED, "c1", ())] * 3 == outcomes
    assert {"plan": "bronze", "city": "Köln"} == attributes(company, "c1")


def test_the_last_row_wins_in_whatever_order_they_are_worked_on(company: Company) -> None:
    taken(company, line(300, {"plan": "silver"}, tags=("b",), rules={"city": Rule.FILL_IF_EMPTY}))
    taken(company, line(5, {"plan": "gold", "city": "Köln"}, tags=("a",), rules={"city": Rule.FILL_IF_EMPTY}))

    assert {"plan": "silver", "city": "Köln", "tags": ["b", "a"]} == attributes(company, "c1")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule.OVERWRITE, {"city": "Köln", "plan": "gold"}),
        (Rule.FILL_IF_EMPTY, {"city": "Berlin", "plan": "gold"}),
        (Rule.NEVER, {"city": "Berlin"}),
    ],
)
def test_a_columns_rule_says_what_it_may_change(company: Company, rule: Rule, expected: dict[str, Any]) -> None:
    company.put(person(email="sara@example.com"), {"city": "Berlin"}, NOON - timedelta(days=1), NOON)
    taken(company, line(1, {"city": "Köln", "plan": "gold"}, rules={"city": rule, "plan": rule}))
    assert expected == attributes(company, "c1")


def test_what_a_browser_claims_counts_as_empty_and_a_list_that_says_the_same_vouches_for_it(company: Company) -> None:
    company.put(person(email="sara@example.com"), {}, NOON - timedelta(days=1), NOON)
    company.claim("c1", {"city": "Berlin", "plan": "gold", "tags": ["vip"]}, NOON - timedelta(days=1), NOON)

    outcomes = taken(
        company,
        line(1, {"city": "Köln", "plan": "gold"}, tags=("fair",), rules={"city": Rule.FILL_IF_EMPTY, "plan": Rule.FILL_IF_EMPTY}),
    )

    profile = read_profile("c1", customers=company.customers, profiles=company.profiles)
    assert [(RowResult.UPDATED, "c1", ())] == outcomes
    assert {"city": "Köln", "plan": "gold", "tags": ["fair"]} == vouched(profile.attributes)


def test_a_fill_of_the_files_own_is_filled_by_its_last_row(company: Company) -> None:
    rules = {"city": Rule.FILL_IF_EMPTY}
    taken(company, line(1, {"city": "Köln"}, rules=rules), line(2, {"city": "Bonn"}, rules=rules))
    assert {"city": "Bonn"} == attributes(company, "c1")


def test_an_empty_cell_may_clear(company: Company) -> None:
    company.put(person(email="sara@example.com"), {"city": "Berlin"}, NOON - timedelta(days=1), NOON)
    taken(company, line(1, {"city": None}))
    assert {} == attributes(company, "c1")


def test_a_file_makes_no_two_customers_one(company: Company) -> None:
    company.put(person(user_id="u1"), {}, NOON, NOON)
    company.put(person(email="sara@example.com"), {}, NOON, NOON)

    outcomes = taken(company, line(1, {"plan": "gold"}, user_id="u1", email="sara@example.com"))

    assert [(RowResult.UPDATED, "c1", ("not_taken",))] == outcomes
    assert [(), ()] == [customer.absorbed for customer in map(company.customers.find, ("c1", "c2")) if customer]


def test_the_erased_do_not_come_back_by_a_file(company: Company) -> None:
    company.put(person(email="sara@example.com"), {}, NOON - timedelta(days=2), NOON)
    job = company.erase("c1", NOON - timedelta(days=1))
    assert [RowOutcome(1, RowResult.SKIPPED, code="erased")] == list(company.import_contacts(FILE, [line(1)], LATER))
    company.work(str(job), NOON)
    assert [RowOutcome(1, RowResult.SKIPPED, code="erased")] == list(company.import_contacts(FILE, [line(1)], LATER))


@pytest.mark.parametrize(("days", "result"), [(-2, RowResult.SKIPPED), (0, RowResult.CREATED)])
def test_only_what_they_did_themselves_since_lets_the_erased_come_back(company: Company, days: int, result: RowResult) -> None:
    company.put(person(email="sara@example.com"), {}, NOON - timedelta(days=2), NOON)
    company.work(str(company.erase("c1", NOON - timedelta(days=1))), NOON)
    proof = Proof(kind=ProofKind.SIGNATURE, confirmed_at=NOON + timedelta(days=days))

    (outcome,) = taken(company, line(1, consents=(answer(State.GRANTED, proof=proof),)))

    assert result is outcome[0]


@pytest.mark.parametrize(
    ("stood", "said", "proof", "holds", "warnings"),
    [
        (None, State.GRANTED, None, State.GRANTED, ()),
        (None, State.DENIED, None, State.DENIED, ()),
        (State.GRANTED, State.DENIED, None, State.DENIED, ()),
        (State.DENIED, State.GRANTED, None, State.DENIED, ("denial_stays",)),
        (State.DENIED, State.GRANTED, NOON - timedelta(days=3), State.DENIED, ("denial_stays",)),
        (State.DENIED, State.GRANTED, NOON - timedelta(hours=1), State.GRANTED, ()),
        (State.PENDING, State.GRANTED, None, State.GRANTED, ()),
    ],
)
def test_a_file_raises_no_denial_without_proof(
    company: Company, stood: State | None, said: State, *, proof: Any, holds: State, warnings: tuple[str, ...]
) -> None:
    company.put(person(email="sara@example.com"), {}, NOON - timedelta(days=2), NOON)
    if stood is not None:
        company.consent("c1", stood, NOON - timedelta(days=2), NOON)
    shown = Proof(kind=ProofKind.SIGNATURE, confirmed_at=proof) if proof else None

    (outcome,) = taken(company, line(1, consents=(answer(said, proof=shown),)))

    assert (holds, warnings) == (state_of(company, "c1"), outcome[2])


def test_an_answer_that_holds_already_is_not_said_again(company: Company) -> None:
    rows = [
        line(1, consents=(answer(State.DENIED, 1),)),
        line(2, email="omid@example.com", consents=(answer(State.GRANTED, 2),)),
    ]
    taken(company, *rows)
    written = len(company.table.stream)
    second = replace(FILE, import_id="i2", at=NOON + timedelta(minutes=5))
    again = [
        replace(row, at=fact_at(second, row.row), consents=tuple(replace(c, at=fact_at(second, row.row)) for c in row.consents))
        for row in rows
    ]

    assert [(RowResult.UNCHANGED, "c1", ()), (RowResult.UNCHANGED, "c2", ())] == taken(company, *again, file=second)
    assert written == len(company.table.stream)


def test_a_dry_run_tells_all_and_writes_nothing(company: Company) -> None:
    company.put(person(email="omid@example.com"), {"city": "Berlin"}, NOON - timedelta(days=1), NOON)
    written = len(company.table.stream)
    dry = replace(FILE, options=Options(is_dry_run=True))
    rows = (line(1, {"city": "Köln"}), line(2, {"city": "Köln"}, email="omid@example.com"), line(3, {"city": "Bonn"}))

    outcomes = taken(company, *rows, file=dry)

    name = company.contact_rows.name_of(person(email="sara@example.com")[0])
    new = (RowResult.CREATED, f"new:{name}", ())
    assert ([new, (RowResult.UPDATED, "c1", ()), new], written) == (outcomes, len(company.table.stream))


def test_rows_that_cannot_be_are_rejected_and_the_others_kept(company: Company) -> None:
    too_many = {f"a{number}": "x" for number in range(101)}
    outcomes = company.import_contacts(
        FILE,
        [
            line(1, too_many),
            line(2, email="a@example.com", at=LATER + timedelta(days=2)),
            line(3, email="b@example.com", consents=(answer(State.DENIED, topic="unheard-of"),)),
            line(4, {"plan": "gold"}, email="c@example.com"),
        ],
        LATER,
    )
    assert [
        (RowResult.REJECTED, "too_many_attributes"),
        (RowResult.REJECTED, "in_the_future"),
        (RowResult.REJECTED, "unknown_topic"),
        (RowResult.CREATED, None),
    ] == [(each.result, each.code) for each in outcomes]


@pytest.mark.parametrize("fires", [False, True])
def test_events_of_a_file_are_backfill_unless_automations_are_asked_for(company: Company, *, fires: bool) -> None:
    file = replace(FILE, options=Options(fires_automations=fires))
    taken(company, line(1, {"plan": "gold"}, consents=(answer(State.GRANTED),)), file=file)
    assert {("customer.created", not fires), ("customer.imported", not fires), ("consent.changed", not fires)} == {
        (item["type"], item.get("backfill", False)) for item in company.table.items("EVENT#")
    }
