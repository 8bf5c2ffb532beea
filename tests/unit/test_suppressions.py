"""A suppression is the latest of what was said of an address, in any order, and is lifted by a later proof alone."""

from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecrm.domain.consent import Channel, Proof, ProofKind
from ecrm.domain.suppressions import (
    Address,
    Ground,
    Lift,
    Reason,
    Suppression,
    anonymous,
    comparable,
    with_delivery,
    with_ground,
    with_lift,
    with_soft_bounce,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PROOF = Proof(kind=ProofKind.DOUBLE_OPT_IN, confirmed_at=NOON, ip="192.0.2.7")

type Said = tuple[Reason, Ground] | Lift


def ground(reason: Reason, minutes: int, note: str | None = None) -> tuple[Reason, Ground]:
    return reason, Ground(since=NOON + timedelta(minutes=minutes), source="api:1", note=note)


def lift(minutes: int) -> Lift:
    return Lift(at=NOON + timedelta(minutes=minutes), source="api:1", proof=PROOF)


def told(*said: Said) -> Suppression:
    suppression = Suppression()
    for one in said:
        suppression = with_lift(suppression, one) if isinstance(one, Lift) else with_ground(suppression, *one)
    return suppression


CASES: dict[str, tuple[list[Said], set[Reason]]] = {
    "nothing": ([], set()),
    "a bounce": ([ground(Reason.HARD_BOUNCE, 0)], {Reason.HARD_BOUNCE}),
    "a bounce, and later a proof": ([ground(Reason.HARD_BOUNCE, 0), lift(1)], set()),
    "a bounce and a proof at once": ([ground(Reason.HARD_BOUNCE, 0), lift(0)], {Reason.HARD_BOUNCE}),
    "a bounce after the proof": ([ground(Reason.HARD_BOUNCE, 2), lift(1)], {Reason.HARD_BOUNCE}),
    "a proof between two reasons": (
        [ground(Reason.UNSUBSCRIBE, 0), ground(Reason.COMPLAINT, 2), lift(1)],
        {Reason.COMPLAINT},
    ),
    "the same reason twice": ([ground(Reason.COMPLAINT, 0), ground(Reason.COMPLAINT, 2), lift(1)], {Reason.COMPLAINT}),
    "two proofs": ([ground(Reason.ERASED, 1), lift(0), lift(2)], set()),
}


@pytest.mark.parametrize("what", CASES)
def test_an_address_is_suppressed_for_the_reasons_that_no_later_proof_lifts(what: str) -> None:
    said, reasons = CASES[what]
    found = [told(*order) for order in permutations(said)]
    assert [(reasons, bool(reasons))] * len(found) == [(set(one.active(NOON)), one.is_active(NOON)) for one in found]
    assert [found[0]] * len(found) == found


notes = st.none() | st.sampled_from(["x", "y"])
anything = st.builds(lift, st.integers(0, 3)) | st.builds(ground, st.sampled_from(Reason), st.integers(0, 3), notes)


@given(said=st.lists(anything, max_size=8), data=st.data())
def test_what_was_said_of_an_address_may_be_said_in_any_order_and_twice(said: list[Said], data: st.DataObject) -> None:
    assert told(*said) == told(*data.draw(st.permutations([*said, *said])))


def bounced(*days: float, delivered: float | None = None, proof: float | None = None) -> Suppression:
    suppression = Suppression()
    for day in days:
        suppression = with_soft_bounce(suppression, NOON + timedelta(days=day))
    if delivered is not None:
        suppression = with_delivery(suppression, NOON + timedelta(days=delivered))
    return suppression if proof is None else with_lift(suppression, lift(round(proof * 24 * 60)))


SOFT: dict[str, tuple[Suppression, float | None]] = {
    "four soft bounces": (bounced(0, 1, 2, 3), None),
    "the fifth": (bounced(0, 1, 2, 3, 4), 4),
    "five, told in another order": (bounced(4, 2, 0, 3, 1), 4),
    "the fifth told twice": (bounced(0, 1, 2, 3, 3), None),
    "more than five": (bounced(0, 1, 2, 3, 4, 5, 6), 6),
    "five in thirty days": (bounced(0, 1, 2, 3, 30), 30),
    "five in more": (bounced(0, 1, 2, 3, 30.01), None),
    "a delivery before them": (bounced(1, 2, 3, 4, 5, delivered=0), 5),
    "a delivery between them": (bounced(0, 1, 2, 3, 4, delivered=1.5), None),
    "a delivery after them": (bounced(0, 1, 2, 3, 4, delivered=6), None),
    "a delivery between, and five since": (bounced(0, 1, 2, 3, 4, 5, 6, delivered=1.5), 6),
    "a proof after them": (bounced(0, 1, 2, 3, 4, proof=5), None),
}


@pytest.mark.parametrize("what", SOFT)
def test_soft_bounces_suppress_for_thirty_days_where_they_are_enough(what: str) -> None:
    suppression, last = SOFT[what]
    days = [at for at in range(70) if suppression.is_active(NOON + timedelta(days=at))]
    assert (list(range(round(last) + 30)) if last is not None else []) == days
    if last is not None:
        since = NOON + timedelta(days=last)
        expected = {Reason.SOFT_BOUNCES: Ground(since=since, source="ses", until=since + timedelta(days=30))}
        assert expected == suppression.active(since)


def test_a_delivery_ends_nothing_but_soft_bounces() -> None:
    suppression = with_delivery(told(ground(Reason.HARD_BOUNCE, 0), ground(Reason.COMPLAINT, 0)), NOON + timedelta(days=1))
    assert {Reason.HARD_BOUNCE, Reason.COMPLAINT} == set(suppression.active(NOON + timedelta(days=2)))


days_ahead = st.integers(0, 80).map(lambda day: NOON + timedelta(days=day / 2))


@given(bounces=st.lists(days_ahead, max_size=9), deliveries=st.lists(days_ahead, max_size=3), data=st.data())
def test_soft_bounces_and_deliveries_may_be_told_in_any_order_and_twice(
    bounces: list[datetime], deliveries: list[datetime], data: st.DataObject
) -> None:
    """After each bounce whatever was delivered is told again, as it is read from the timeline."""
    facts = [(with_soft_bounce, at) for at in bounces] + [(with_delivery, at) for at in deliveries]
    found: list[Suppression] = []
    for order in (facts, data.draw(st.permutations(facts * 2))):
        suppression, delivered = Suppression(), list[datetime]()
        for fact, at in order:
            suppression = fact(suppression, at)
            delivered += [at] if fact is with_delivery else []
            suppression = reduce(with_delivery, delivered, suppression)
        found.append(suppression)
    assert found[0] == found[1]


def test_of_an_erased_person_no_word_is_kept_but_the_reasons() -> None:
    kept = anonymous(told(ground(Reason.MANUAL, 0, "rang up, very angry"), ground(Reason.COMPLAINT, 2), lift(1)))
    expected = Suppression(
        dict([ground(Reason.MANUAL, 0), ground(Reason.COMPLAINT, 2)]),
        Lift(at=NOON + timedelta(minutes=1), source="api:1", proof=None),
    )
    assert expected == kept
    assert Suppression() == anonymous(Suppression())


@pytest.mark.parametrize(
    ("channel", "address", "expected"),
    [
        (Channel.EMAIL, "Sara.Connor@example.com", "sara.connor@example.com"),
        (Channel.SMS, "+989121234567", "+989121234567"),
        (Channel.PUSH, "dEvIcE:1", "dEvIcE:1"),
        (Channel.POST, " Ringstra\u00dfe 1,\n10115  Berlin ", "ringstrasse 1, 10115 berlin"),
        (Channel.POST, "\uff11-2-3 \u6771\u4eac", "1-2-3 \u6771\u4eac"),
    ],
)
def test_addresses_are_compared_without_what_tells_no_two_apart(channel: Channel, address: str, expected: str) -> None:
    assert expected == comparable(Address(channel, address))
