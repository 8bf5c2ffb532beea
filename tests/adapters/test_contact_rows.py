"""Contacts out of a file through the table: many rows in a transaction, and who is in the way of one is in nobody else's."""

from dataclasses import replace
from typing import Any, cast

import pytest
from botocore.awsrequest import AWSResponse

from ecrm import bootstrap
from ecrm.domain.imports import RowResult, fact_at
from tests.builders import NOON
from tests.cloud import Cloud
from tests.faults import Deliver, Sent, tapped
from tests.simulation.company import Company, person
from tests.simulation.test_contact_rows import FILE, LATER, attributes, line, taken


@pytest.fixture
def company(cloud: Cloud) -> Company:  # noqa: ARG001 (the table is its)
    return Company(cast("Any", bootstrap.table()))


def rows(count: int) -> list[Any]:
    return [line(number, {"plan": "gold"}, email=f"{number}@example.com") for number in range(1, count + 1)]


def test_as_many_rows_are_in_a_transaction_as_it_holds(company: Company) -> None:
    transactions: list[int] = []

    def counted(sent: Sent, deliver: Deliver) -> AWSResponse:
        if sent.operation == "TransactWriteItems":
            transactions.append(len(sent.ask["TransactItems"]))
        return deliver()

    with tapped(counted):
        made = taken(company, *rows(60))
        second = replace(FILE, import_id="i2", at=LATER)
        changed = [replace(row, attributes={"plan": "silver"}, at=fact_at(second, row.row)) for row in rows(60)]
        known = taken(company, *changed, file=second)

    assert [(RowResult.CREATED, RowResult.UPDATED)] * 60 == [(one[0], other[0]) for one, other in zip(made, known, strict=True)]
    assert [100, 100, 100, 100, 20] == transactions


def test_a_row_that_somebody_else_gets_ahead_of_is_kept_after_them_and_holds_up_no_other(company: Company) -> None:
    def overtaken(sent: Sent, deliver: Deliver) -> AWSResponse:
        if sent.operation == "TransactWriteItems" and not ahead:
            ahead.append(True)
            company.put(person(email="7@example.com", user_id="u7"), {"plan": "silver", "city": "Bonn"}, NOON, NOON)
        return deliver()

    ahead: list[bool] = []
    with tapped(overtaken):
        outcomes = taken(company, *rows(15))

    assert [RowResult.UNCHANGED if number == 7 else RowResult.CREATED for number in range(1, 16)] == [one[0] for one in outcomes]
    assert {"plan": "silver", "city": "Bonn"} == attributes(company, str(outcomes[6][1]))
