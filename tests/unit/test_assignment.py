"""Assignment: anybody can recompute it from the salt, it is balanced, and one campaign's says nothing of another's."""

import hashlib
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import cache
from itertools import accumulate, pairwise

import pytest

from ecrm.domain.assignment import Arm, arm_of, is_in_pilot, share, treatment_of

SARA = "019aa2c6f0b07d3e8c1f5a9b2d4e6f80"
SALTS = [f"campaign-{number}" for number in range(1_000)]
CUSTOMERS = [f"{number:032x}" for number in range(500)]
TEN = Decimal(10)
WEIGHTS = (1, 2, 5)


@pytest.mark.parametrize(
    ("purpose", "digits"),
    [("control", "18a3ededafdc47f0"), ("pilot", "3848ed2743e6f421"), ("treatment", "a079d0d8bb3fac1c")],
)
def test_a_share_is_the_first_digits_of_what_sha256sum_says(purpose: str, digits: str) -> None:
    """printf 'spring\\0control\\0%s' 019aa2c6f0b07d3e8c1f5a9b2d4e6f80 | sha256sum"""
    assert int(digits, 16) / 16**16 == share("spring", purpose, SARA)


def recomputed(salt: str, purpose: str, customer_id: str) -> float:
    """As docs/campaigns.md says."""
    return int(hashlib.sha256(f"{salt}\0{purpose}\0{customer_id}".encode()).hexdigest()[:16], 16) / 2**64


def test_whoever_has_salt_and_id_comes_to_the_same_assignment() -> None:
    for salt in SALTS[:20]:
        for customer_id in CUSTOMERS[:100]:
            is_control = recomputed(salt, "control", customer_id) < 0.10
            assert (Arm.CONTROL if is_control else Arm.TREATED) is arm_of(salt, TEN, customer_id)
            assert (recomputed(salt, "pilot", customer_id) < 0.225) is is_in_pilot(salt, Decimal("22.5"), customer_id)
            place = recomputed(salt, "treatment", customer_id)
            expected = 0 if place < 1 / 8 else 1 if place < 3 / 8 else 2
            assert expected == treatment_of(salt, WEIGHTS, customer_id)


def test_nobody_and_everybody_can_be_meant() -> None:
    assert {Arm.TREATED} == {arm_of("s", Decimal(0), customer_id) for customer_id in CUSTOMERS}
    assert {True} == {is_in_pilot("s", Decimal(100), customer_id) for customer_id in CUSTOMERS}
    assert {0} == {treatment_of("s", (7,), customer_id) for customer_id in CUSTOMERS}


def test_who_is_held_out_at_a_part_is_held_out_at_every_larger_one() -> None:
    parts = [Decimal(percent) for percent in ("0", "0.5", "5", "10", "50")]
    held_out = [{each for each in CUSTOMERS if arm_of("s", part, each) is Arm.CONTROL} for part in parts]
    assert all(smaller < larger for smaller, larger in pairwise(held_out))


# ── balance and independence ─────────────────────────────────────────────────────────────────────────────────────────


def chi_square(observed: Iterable[int], expected: Iterable[float]) -> float:
    return sum((one - other) ** 2 / other for one, other in zip(observed, expected, strict=True))


def expect_chance(statistics: Sequence[float], degrees: int) -> None:
    """Hold χ² statistics to what chance gives: their sum within 4 standard deviations, and few beyond the 99.9th percentile.

    A sum of n of them has a mean of n × degrees and a variance of 2 × n × degrees. The percentiles are those of tables, as in
    Abramowitz and Stegun, 26.8.
    """
    mean = len(statistics) * degrees
    assert abs(sum(statistics) - mean) < 4 * (2 * mean) ** 0.5
    beyond = {1: 10.828, 2: 13.816}[degrees]
    assert sum(one > beyond for one in statistics) <= 5  # of 1,000, one is to be expected


@cache
def held_out(salt: str) -> frozenset[str]:
    return frozenset(each for each in CUSTOMERS if arm_of(salt, TEN, each) is Arm.CONTROL)


@cache
def treatments(salt: str) -> tuple[int, ...]:
    return tuple(treatment_of(salt, WEIGHTS, each) for each in CUSTOMERS)


def test_control_groups_of_a_thousand_salts_are_as_large_as_they_should_be() -> None:
    sizes = [len(held_out(salt)) for salt in SALTS]
    expect_chance([chi_square((size, 500 - size), (50, 450)) for size in sizes], degrees=1)


def test_treatments_of_a_thousand_salts_are_balanced_by_their_weights() -> None:
    expected = [500 * weight / sum(WEIGHTS) for weight in WEIGHTS]
    found = [[treatments(salt).count(number) for number in range(len(WEIGHTS))] for salt in SALTS]
    expect_chance([chi_square(counts, expected) for counts in found], degrees=2)


def independence(one: Sequence[bool], other: Sequence[bool]) -> float:
    """Give Pearson's χ² of a two by two table, of one degree of freedom."""
    whole = len(one)
    observed, expected = list[int](), list[float]()
    for first in (True, False):
        for second in (True, False):
            observed.append(sum(a is first and b is second for a, b in zip(one, other, strict=True)))
            expected.append(one.count(first) * other.count(second) / whole)
    return chi_square(observed, expected)


def test_who_is_held_out_of_one_campaign_is_as_likely_to_get_another_as_anybody() -> None:
    groups = [[each in held_out(salt) for each in CUSTOMERS] for salt in SALTS]
    expect_chance([independence(one, other) for one, other in pairwise([*groups, groups[0]])], degrees=1)


def test_who_is_held_out_would_have_had_each_treatment_as_likely_as_the_others() -> None:
    found = []
    for salt in SALTS:
        heavy = [number == 2 for number in treatments(salt)]
        found.append(independence([each in held_out(salt) for each in CUSTOMERS], heavy))
    expect_chance(found, degrees=1)


def test_campaigns_of_one_salt_hold_out_the_same_people() -> None:
    assert held_out("shared") == frozenset(each for each in CUSTOMERS if recomputed("shared", "control", each) < 0.1)
    assert held_out("shared") != held_out("another")


def test_weights_part_the_whole_where_their_sums_say() -> None:
    """As many salts as it takes to find somebody on either side of each bound."""
    total = sum(WEIGHTS)
    bounds = [bound / total for bound in accumulate(WEIGHTS)]
    for customer_id in CUSTOMERS:
        place = share("spring", "treatment", customer_id)
        number = treatment_of("spring", WEIGHTS, customer_id)
        assert (bounds[number - 1] if number else 0.0) <= place < bounds[number]
