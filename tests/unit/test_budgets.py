"""Budgets: what is in them, what they forget, and when the run of a mail has served its person already."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ecrm.domain.budgets import BUDGET_KEPT, Budget, free, has_room, reserve
from ecrm.domain.contact_policy import Cap
from ecrm.domain.messages import Status
from tests.builders import NOON, a_planned_send

PLANNED = a_planned_send("m1", "c1")


def test_a_budget_has_room_for_what_is_in_it_and_forgets_what_is_long_ago() -> None:
    cap = Cap(2, timedelta(days=7))
    budget = Budget("c1")
    sends = [replace(PLANNED, run_id=f"r{number}") for number in range(3)]
    for days, send in enumerate(sends[:2]):
        budget = reserve(budget, send, NOON + timedelta(days=days))
    at = NOON + timedelta(days=2)
    assert [True, True, False] == [has_room(budget, cap, send, at) for send in sends]
    assert has_room(budget, None, sends[2], at)
    assert has_room(free(budget, sends[0]), cap, sends[2], at)
    assert budget == free(budget, sends[2])
    assert [sends[2].send_id] == [*reserve(budget, sends[2], NOON + BUDGET_KEPT + timedelta(days=2)).sends]


@pytest.mark.parametrize("status", Status)
def test_whoever_has_a_mail_of_a_run_or_may_have_it_or_is_held_out_is_served(status: Status) -> None:
    served = {Status.CLAIMED, Status.UNKNOWN, Status.UNKNOWN_FINAL, Status.ACCEPTED, Status.HELD_OUT}
    twins = (PLANNED, replace(PLANNED, status=status))
    assert (status in served) is Budget("c1", twins=twins).is_served
