"""Preferences: of several books the latest choice counts; and whose "no" a person can take back by themselves."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest

from ecrm.domain.consent import Channel, Consent, ConsentFact, Method, Proof, ProofKind, State
from ecrm.domain.contact_policy import Cap
from ecrm.domain.preferences import Frequency, Preferences, is_hard_no, joined, may_resume
from tests.builders import NOON

LATER = NOON + timedelta(days=1)
OWN = {Method.UNSUBSCRIBE, Method.PREFERENCE_CENTRE, Method.DOUBLE_OPT_IN, Method.FORM, Method.CHECKOUT}


def a_fact(state: State, method: Method, proof: Proof | None = None) -> ConsentFact:
    at = LATER if proof else NOON
    return ConsentFact(state=state, at=at, source="test", method=method, text_version="news/1", proof=proof)


@pytest.mark.parametrize("method", Method)
def test_a_no_that_somebody_else_said_is_hard_and_a_persons_own_is_not(method: Method) -> None:
    assert (method not in OWN) == is_hard_no(Consent(denied=a_fact(State.DENIED, method)))


def test_what_is_no_no_is_not_hard() -> None:
    proof = Proof(kind=ProofKind.DOUBLE_OPT_IN, confirmed_at=LATER)
    raised = Consent(denied=a_fact(State.DENIED, Method.COMPLAINT), proven=a_fact(State.GRANTED, Method.DOUBLE_OPT_IN, proof))
    pending = Consent(pending=a_fact(State.PENDING, Method.IMPORT))
    assert [False] * 3 == [is_hard_no(consent) for consent in (None, raised, pending)]


def test_what_was_had_for_an_address_and_left_by_oneself_may_be_taken_again_for_that_one() -> None:
    yes = replace(a_fact(State.GRANTED, Method.FORM), at=NOON - timedelta(days=1), address="a")
    no = a_fact(State.DENIED, Method.UNSUBSCRIBE)
    had = Consent(granted=yes, denied=no)
    undone = a_fact(State.PENDING, Method.UNDO)
    cases = [
        (had, "a", True),
        (had, "b", False),
        (replace(had, granted=None, proven=yes), "a", True),
        (replace(had, granted=None), "a", False),
        (replace(had, granted=replace(yes, address=None)), None, False),
        (replace(had, denied=replace(no, method=Method.SERVICE)), "a", False),
        (Consent(granted=yes), "a", False),
        (replace(had, withheld=undone), "a", False),
        (replace(had, withheld=replace(undone, at=yes.at - timedelta(days=1))), "a", True),
    ]
    assert [may for _, _, may in cases] == [may_resume(Channel.SMS, consent, address) for consent, address, _ in cases]
    assert may_resume(Channel.POST, replace(had, granted=replace(yes, address=None)), None)


BOOKS = (
    Preferences(),
    Preferences(frequency=Frequency.MONTHLY, frequency_at=NOON, paused_until=LATER + timedelta(days=9), pause_at=LATER),
    Preferences(frequency=Frequency.AS_IT_COMES, frequency_at=LATER, paused_until=None, pause_at=NOON),
)


def test_of_several_books_the_latest_of_each_choice_counts_in_whatever_order_they_are_read() -> None:
    expected = Preferences(
        frequency=Frequency.AS_IT_COMES, frequency_at=LATER, paused_until=LATER + timedelta(days=9), pause_at=LATER
    )
    assert [expected] * 6 == [joined(books) for books in permutations(BOOKS)]
    assert Preferences() == joined(())


def test_a_pause_ends_at_its_instant() -> None:
    paused = Preferences(paused_until=LATER, pause_at=NOON)
    assert [True, True, False] == [paused.is_paused(at) for at in (NOON, LATER - timedelta(microseconds=1), LATER)]
    assert not Preferences(pause_at=NOON).is_paused(NOON)


def test_a_persons_frequency_is_a_cap_of_one_mail() -> None:
    caps = [Preferences(frequency=frequency).cap for frequency in Frequency]
    assert [None, Cap(1, timedelta(days=7)), Cap(1, timedelta(days=30))] == caps
