"""C1: a consent's state is the fold of its history, in whatever order and however often its facts arrive."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecrm.domain.consent import (
    Channel,
    Consent,
    ConsentFact,
    Method,
    Proof,
    ProofKind,
    State,
    Subject,
    address_of,
    details,
    effective,
    fact_of,
    fold,
    settled,
    stricter,
    with_fact,
)
from ecrm.domain.customers import Customer, Identifier, Kind

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NEWS = Subject(Channel.EMAIL, "news")


def at(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def a_proof(minutes: int = 0, **changes: Any) -> Proof:
    return Proof(kind=ProofKind.DOUBLE_OPT_IN, confirmed_at=at(minutes), **changes)


def a_fact(state: State, minutes: int = 0, **changes: Any) -> ConsentFact:
    said: dict[str, Any] = {"source": "shop", "method": Method.FORM, "text_version": "news/1", "address": "digest of sara"}
    return ConsentFact(state=state, at=at(minutes), **said | changes)


def granted(minutes: int = 0, **changes: Any) -> ConsentFact:
    return a_fact(State.GRANTED, minutes, **changes)


def proven(minutes: int = 0, **changes: Any) -> ConsentFact:
    return a_fact(State.GRANTED, minutes, **{"proof": a_proof(minutes)} | changes)


def denied(minutes: int = 0, **changes: Any) -> ConsentFact:
    return a_fact(State.DENIED, minutes, **changes)


def pending(minutes: int = 0, **changes: Any) -> ConsentFact:
    return a_fact(State.PENDING, minutes, **changes)


STATES: dict[str, tuple[Sequence[ConsentFact], State]] = {
    "asked and not answered": ([pending()], State.PENDING),
    "granted": ([granted()], State.GRANTED),
    "granted with a proof": ([proven()], State.GRANTED),
    "granted, then asked again": ([granted(), pending(1)], State.GRANTED),
    "asked, then granted": ([pending(), granted(1)], State.GRANTED),
    "denied": ([denied()], State.DENIED),
    "granted, then denied": ([granted(), denied(1)], State.DENIED),
    "proven, then denied": ([proven(), denied(1)], State.DENIED),
    "denied, then granted": ([denied(), granted(1)], State.DENIED),
    "denied, then asked": ([denied(), pending(1)], State.DENIED),
    "denied, then proven": ([denied(), proven(1)], State.GRANTED),
    "denied and proven at once": ([denied(), proven()], State.DENIED),
    "denied, proven, denied": ([denied(), proven(1), denied(2)], State.DENIED),
    "denied, proven, granted": ([denied(), proven(1), granted(2)], State.GRANTED),
    "denied, then shown an older proof": ([denied(1), proven(2, proof=a_proof())], State.DENIED),
    "denied, then proven for an older form": ([denied(1), proven(0, proof=a_proof(2))], State.DENIED),
    "proven, then withheld by a merge": ([proven(), pending(1, method=Method.MERGE)], State.PENDING),
    "granted, then withheld by a merge": ([granted(), pending(1, method=Method.MERGE)], State.PENDING),
    "withheld, then granted": ([pending(method=Method.MERGE), granted(1)], State.GRANTED),
    "denied, proven, withheld": ([denied(), proven(1), pending(2, method=Method.MERGE)], State.PENDING),
    "denied, withheld": ([denied(), pending(2, method=Method.MERGE)], State.DENIED),
}


@pytest.mark.parametrize("what", STATES)
def test_a_state_is_that_of_its_facts_in_any_order(what: str) -> None:
    facts, state = STATES[what]
    consents = {fold(order) for order in permutations(facts)}
    assert [state] == [consent.state for consent in consents]


stamps = st.integers(0, 4)
proofs = st.none() | st.builds(a_proof, stamps, reference=st.none() | st.sampled_from(["m-1", "m-2"]))
facts_of_all_kinds = st.builds(
    a_fact,
    st.sampled_from(State),
    stamps,
    method=st.sampled_from([Method.FORM, Method.IMPORT, Method.MERGE]),
    source=st.sampled_from(["shop", "desk"]),
    text_version=st.sampled_from(["news/1", "news/2"]),
    address=st.sampled_from([None, "digest of sara", "digest of omid"]),
    proof=proofs,
)
histories = st.lists(facts_of_all_kinds, min_size=1, max_size=6)


def naive(history: Sequence[ConsentFact]) -> State:
    """The rule in the words of the decision record, over the whole history at once."""

    def latest(of: Sequence[ConsentFact]) -> datetime:
        return max((fact.since for fact in of), default=datetime.min.replace(tzinfo=UTC))

    no = [fact for fact in history if fact.state is State.DENIED]
    withheld = [fact for fact in history if fact.state is State.PENDING and fact.method is Method.MERGE]
    yes = [fact for fact in history if fact.state is State.GRANTED]
    shown = [fact for fact in yes if fact.proof]
    if no and latest(shown) <= latest(no):
        return State.DENIED
    counting = [fact for fact in (shown if no else yes) if fact.since > latest(withheld)]
    return State.GRANTED if counting else State.PENDING


@settings(max_examples=500)
@given(history=histories, data=st.data())
def test_a_state_is_the_fold_of_its_history_in_any_order_with_duplicates(history: list[ConsentFact], data: st.DataObject) -> None:
    again = data.draw(st.permutations([*history, *data.draw(st.lists(st.sampled_from(history), max_size=4))]))
    folded = fold(history)
    assert folded == fold(again) == fold(folded.facts)
    assert naive(history) == folded.state == folded.decisive.state
    assert folded.decisive in history
    assert all(fact.source and fact.text_version for fact in folded.facts)


@given(history=histories, more=st.lists(facts_of_all_kinds, max_size=6))
def test_nothing_but_a_proof_raises_a_no(history: list[ConsentFact], more: list[ConsentFact]) -> None:
    consent = fold(history)
    if consent.state is State.DENIED:
        assert State.DENIED is fold([*history, *(fact for fact in more if fact.proof is None)]).state


@given(fact=facts_of_all_kinds)
def test_what_a_fact_says_is_written_and_read_as_it_was(fact: ConsentFact) -> None:
    assert fact == fact_of(fact.at, details(fact))


def test_a_grant_waits_for_its_proof_where_the_topic_asks_for_one() -> None:
    assert pending() == settled(granted(), needs_proof=True)
    for fact in (proven(), denied(), pending()):
        assert fact == settled(fact, needs_proof=True)
    assert granted() == settled(granted(), needs_proof=False)


# ── the address that a consent was given for ─────────────────────────────────────────────────────────────────────────

ADDRESSES = [
    (Channel.EMAIL, [granted()], "digest of sara", State.GRANTED),
    (Channel.EMAIL, [granted()], "digest of omid", State.PENDING),
    (Channel.EMAIL, [granted()], None, State.PENDING),
    (Channel.EMAIL, [granted(address=None)], "digest of sara", State.PENDING),
    (Channel.EMAIL, [granted(address=None)], None, State.PENDING),
    (Channel.EMAIL, [granted(), proven(1, address="digest of omid")], "digest of sara", State.GRANTED),
    (Channel.EMAIL, [granted(), proven(1, address="digest of omid")], "digest of omid", State.GRANTED),
    (Channel.EMAIL, [granted(), denied(1), proven(2, address="digest of omid")], "digest of sara", State.PENDING),
    (Channel.EMAIL, [denied()], "digest of omid", State.DENIED),
    (Channel.SMS, [granted()], "digest of omid", State.PENDING),
    (Channel.POST, [granted(address=None)], None, State.GRANTED),
    (Channel.PUSH, [granted(address=None)], None, State.GRANTED),
]


@pytest.mark.parametrize(("channel", "facts", "address", "expected"), ADDRESSES)
def test_a_grant_is_one_for_the_address_that_it_was_given_for(
    channel: Channel, facts: list[ConsentFact], address: str | None, expected: State
) -> None:
    assert expected is effective(Subject(channel, "news"), fold(facts), address)


def test_a_customer_is_reached_at_the_address_that_came_last() -> None:
    identifiers = (
        Identifier(Kind.EMAIL, "old@example.com"),
        Identifier(Kind.USER_ID, "u-1", "de"),
        Identifier(Kind.EMAIL, "new@example.com"),
        Identifier(Kind.PHONE, "+989121234567"),
    )
    customer = Customer("c", identifiers, NOON)
    reached = {channel: address_of(customer, channel) for channel in Channel}
    assert {"email": "new@example.com", "sms": "+989121234567", "push": None, "post": None} == reached
    assert address_of(replace(customer, identifiers=()), Channel.EMAIL) is None


# ── a merge ──────────────────────────────────────────────────────────────────────────────────────────────────────────

MERGES: dict[str, tuple[Sequence[ConsentFact], Sequence[ConsentFact], State]] = {
    "both said yes": ([granted()], [granted()], State.GRANTED),
    "the winner said yes, the loser no": ([proven(5)], [denied()], State.DENIED),
    "the winner said no, the loser yes": ([denied()], [proven(5)], State.DENIED),
    "the winner said yes, the loser was asked": ([proven(5)], [pending()], State.PENDING),
    "the winner was asked, the loser said yes": ([pending()], [proven(5)], State.PENDING),
    "the winner was asked, the loser said no": ([pending()], [denied()], State.DENIED),
    "the loser said no, then yes": ([granted()], [denied(), proven(1)], State.GRANTED),
    "only the loser was asked": ([], [denied(), proven(1), granted(2)], State.GRANTED),
    "only the loser said no": ([], [denied()], State.DENIED),
    "only the winner was asked": ([granted()], [], State.GRANTED),
}


@pytest.mark.parametrize("what", MERGES)
def test_of_two_customers_who_are_one_the_stricter_answer_is_kept(what: str) -> None:
    ours, theirs, expected = MERGES[what]
    winner = {NEWS: fold(ours)} if ours else {}
    loser = {NEWS: fold(theirs)} if theirs else {}
    taken = stricter(winner, loser, at(60))
    merged = fold([*ours, *(fact for _, fact in taken)])
    assert expected is merged.state
    assert {NEWS} >= {subject for subject, _ in taken}


def test_what_a_merge_takes_over_says_so_and_a_later_proof_raises_it() -> None:
    ((subject, fact),) = stricter({NEWS: fold([proven(5)])}, {NEWS: fold([denied(text_version="news/7")])}, at(60))
    assert (NEWS, denied(60, method=Method.MERGE, text_version="news/7")) == (subject, fact)
    assert State.GRANTED is fold([proven(5), fact, proven(61)]).state


@given(ours=histories, theirs=histories)
def test_a_merge_never_loosens_and_is_done_once(ours: list[ConsentFact], theirs: list[ConsentFact]) -> None:
    strictness = [State.GRANTED, State.PENDING, State.DENIED].index
    winner, loser = {NEWS: fold(ours)}, {NEWS: fold(theirs)}
    merged = Consent()
    for fact in (*ours, *(fact for _, fact in stricter(winner, loser, at(60)))):
        merged = with_fact(merged, fact)
    assert max(strictness(fold(ours).state), strictness(fold(theirs).state)) == strictness(merged.state)
    assert () == stricter({NEWS: merged}, loser, at(61))
