from decimal import Decimal

import pytest

from benchmarks.meter import size_of
from benchmarks.units import MARKETING_SENT, SENT, measure
from tests.architecture.pages import section, table
from tests.architecture.sources import ROOT

BUDGETS = {
    "order placed, known customer": 11,
    "status change, Idempotency-Key": 7,
    "behaviour event, known customer": 5,
    "behaviour event, known visitor, from a browser": 5,
    "profile update, one attribute by customer id": 5,
}
"""PERFORMANCE: write and read units together. docs/benchmarks.md says what is above its budget, and why."""


@pytest.fixture(scope="module")
def measured() -> dict[str, tuple[Decimal, Decimal]]:
    return {units.operation: (units.written, units.read) for units in measure()}


def test_the_data_model_declares_the_units_that_are_counted(measured: dict[str, tuple[Decimal, Decimal]]) -> None:
    rows = table(section(ROOT / "docs" / "data-model.md", "Units"), "operation", "write", "read")
    assert {operation: (Decimal(write), Decimal(read)) for operation, write, read in rows} == measured


@pytest.mark.parametrize("operation", BUDGETS)
def test_an_operation_stays_within_its_budget(operation: str, measured: dict[str, tuple[Decimal, Decimal]]) -> None:
    assert sum(measured[operation]) <= BUDGETS[operation]


def test_a_send_with_all_that_is_told_of_it_writes_no_more_than_its_budget(measured: dict[str, tuple[Decimal, Decimal]]) -> None:
    """What it reads comes on top, and is counted as in a container that has sent the template within seconds (decision 0026)."""
    assert (Decimal(22), Decimal("5.5")) == measured[SENT]


def test_marketing_costs_its_consent_its_budget_and_what_its_person_has_chosen_besides(
    measured: dict[str, tuple[Decimal, Decimal]],
) -> None:
    """A check and a write in the claim's transaction, and two items read, strongly consistent."""
    (written, read), (more_written, more_read) = measured[SENT], measured[MARKETING_SENT]
    assert (Decimal(2 + 2), Decimal(1 + 1)) == (more_written - written, more_read - read)


def test_an_items_size_is_counted_as_dynamodb_counts_it() -> None:
    assert size_of({"PK": {"S": "é"}, "n": {"N": "-12.50"}, "m": {"M": {"a": {"L": [{"BOOL": True}]}}}}) == (2 + 2) + (1 + 4) + (
        1 + 3 + 1 + 1 + 3 + 1 + 1
    )
