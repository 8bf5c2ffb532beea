"""A suppression is the latest of what was said of an address, in any order, and is lifted by a later proof alone."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecrm.domain.consent import Channel, Proof, ProofKind
from ecrm.domain.suppressions import Address, Ground, Lift, Reason, Suppression, anonymous, comparable, with_ground, with_lift

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
    assert [(reasons, bool(reasons))] * len(found) == [(set(one.active), one.is_active) for one in found]
    assert [found[0]] * len(found) == found


notes = st.none() | st.sampled_from(["x", "y"])
anything = st.builds(lift, st.integers(0, 3)) | st.builds(ground, st.sampled_from(Reason), st.integers(0, 3), notes)


@given(said=st.lists(anything, max_size=8), data=st.data())
def test_what_was_said_of_an_address_may_be_said_in_any_order_and_twice(said: list[Said], data: st.DataObject) -> None:
    assert told(*said) == told(*data.draw(st.permutations([*said, *said])))


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
