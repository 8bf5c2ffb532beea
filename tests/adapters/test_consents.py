"""Consents and suppressions through the table: whatever dies, races or comes again, the state is the fold of the history."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from consent_api.handler import handler as addresses
from customers_api.handler import handler as customers
from ecrm import bootstrap
from ecrm.application.mergers import merge
from ecrm.domain import consent as domain
from ecrm.domain.consent import Channel, Consent, Method, Proof, ProofKind, State, Subject
from ecrm.domain.events import Event
from ecrm.domain.suppressions import Address, Ground, Lift, Reason, SoftBounces, Suppression
from ecrm.domain.topics import Topic
from ecrm.store import keys
from ecrm.store.events import event_of
from orders_api.handler import handler as orders
from tests.adapters.people import here
from tests.builders import NOON, a_consent, a_proof, an_order
from tests.cloud import Answer, Cloud, forget, one_call_at_a_time
from tests.faults import CRASHES, Deliver, Fault, Kept, Kill, Sent, at, tapped

NEWS = Subject(Channel.EMAIL, "news")
SMS = Subject(Channel.SMS, "news")


def define(*, double_opt_in: bool) -> None:
    channels = (Channel.EMAIL, Channel.SMS)
    topic = Topic(
        topic="news", names={"de": "Neu"}, descriptions={}, double_opt_in=double_opt_in, channels=channels, updated_at=NOON
    )
    assert bootstrap.topics().write(topic, seen=0) is None


def a_customer(cloud: Cloud, name: str = "sara") -> str:
    placed = cloud.call(orders, "POST", "/v1/orders", an_order(order_id=name, customer={"email": f"{name}@example.com"}))
    assert 201 == placed.status
    return str(placed.json["customer_id"])


def say(cloud: Cloud, customer_id: str, *consents: dict[str, Any], **headers: str) -> Answer:
    path = f"/v1/customers/{customer_id}/consents"
    return cloud.call(customers, "POST", path, {"consents": [*consents]}, headers=headers)


def states(customer_id: str) -> dict[Subject, State]:
    return {subject: consent.state for subject, consent in bootstrap.consents().of(customer_id).consents.items()}


def history(customer_id: str) -> list[Event]:
    """What happened to consents in a customer's own partition, in the order of its keys."""
    items = bootstrap.table().query(keys.customer_partition(customer_id), prefix=keys.EVENT_PREFIX, consistent=True)
    return [event_of(item) for item in items if item["type"] == "consent.changed"]


def folded(customer_id: str) -> dict[Subject, Consent]:
    found: dict[Subject, Consent] = {}
    for event in history(customer_id):
        subject = Subject(Channel(event.data["channel"]), event.data["topic"])
        fact = domain.fact_of(event.corrected_at or event.occurred_at, event.data)
        found[subject] = domain.with_fact(found.get(subject, Consent()), fact)
    return found


# ── round trips ──────────────────────────────────────────────────────────────────────────────────────────────────────

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
moments = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 (aware by timezones=)
proofs = st.builds(
    Proof, kind=st.sampled_from(ProofKind), confirmed_at=moments, reference=st.none() | texts, ip=st.none() | st.just("192.0.2.7")
)
facts = st.builds(
    domain.ConsentFact,
    state=st.sampled_from(State),
    at=moments,
    source=texts,
    method=st.sampled_from(Method),
    text_version=texts,
    proof=st.none() | proofs,
    address=st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
)
subjects = st.builds(Subject, st.sampled_from(Channel), st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,39}\Z"))
consents = st.dictionaries(subjects, st.lists(facts, min_size=1, max_size=6).map(domain.fold), min_size=1, max_size=3)
grounds = st.builds(Ground, since=moments, source=texts, note=st.none() | texts)
lifts = st.builds(Lift, at=moments, source=texts, proof=st.none() | proofs)
soft_bounces = st.builds(SoftBounces, st.lists(moments, max_size=5).map(tuple), st.none() | moments)
suppressions = st.builds(
    Suppression, st.dictionaries(st.sampled_from(Reason), grounds, min_size=1), st.none() | lifts, soft_bounces
)
over_moto = settings(
    max_examples=30,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink through moto takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def kept(cloud: Cloud) -> Kept:
    """The table with a customer, to be restored before each example."""
    cloud.key()
    here("c")
    return Kept()


def an_event(number: int = 1) -> Event:
    return Event(f"consent:{number}", "consent.changed", NOON, NOON, "de", "c", "test")


@over_moto
@given(first=consents, second=consents)
def test_consents_come_back_as_they_were(kept: Kept, first: dict[Subject, Consent], second: dict[Subject, Consent]) -> None:
    kept.restore()
    store = bootstrap.consents()
    assert (0, {}) == ((none := store.of("c")).version, none.consents)
    assert frozenset() == store.write("c", first, [an_event()], None, seen=0)
    assert frozenset() == store.write("c", second, [an_event(2)], None, seen=1)
    assert (2, first | second) == ((book := store.of("c")).version, book.consents)
    assert frozenset({"consent:1"}) == store.write("c", first, [an_event(), an_event(3)], None, seen=2)
    assert (2, first | second) == ((book := store.of("c")).version, book.consents)


@over_moto
@given(suppression=suppressions, channel=st.sampled_from(Channel), text=texts)
def test_a_suppression_comes_back_as_it_was(kept: Kept, suppression: Suppression, channel: Channel, text: str) -> None:
    kept.restore()
    store, address = bootstrap.suppressions(), Address(channel, text)
    assert ((Suppression(), 0), {}) == (store.find(address), store.of([address]))
    store.write(address, suppression, None, NOON, seen=0)
    assert ((suppression, 1), {address: suppression}) == (store.find(address), store.of([address, Address(channel, text + "x")]))


def test_what_a_send_will_be_held_to_stands_in_the_items(cloud: Cloud) -> None:
    define(double_opt_in=False)
    customer_id = a_customer(cloud)
    say(cloud, customer_id, a_consent(), a_consent("denied", channel="sms"))
    reached = bootstrap.consents().digest(Channel.EMAIL, "SARA@example.com")
    items = {item["SK"]["S"]: (item["state"]["S"], item["addresses"]["L"]) for item in cloud.items("CONSENT#")}
    assert {"CONSENT#email#news": ("granted", [{"S": reached}]), "CONSENT#sms#news": ("denied", [])} == items
    assert reached not in json.dumps([item["PK"] for item in cloud.items()])


def test_an_item_says_when_an_address_is_free_again_where_that_comes_by_itself(cloud: Cloud) -> None:
    store, address = bootstrap.suppressions(), Address(Channel.EMAIL, "sara@example.com")
    soft = Suppression(soft=SoftBounces((NOON,) * 5))
    hard = replace(soft, grounds={Reason.HARD_BOUNCE: Ground(since=NOON, source="ses")})
    written: list[dict[str, Any]] = []
    for version, (suppression, now) in enumerate(((soft, NOON), (hard, NOON), (soft, NOON + timedelta(days=30)))):
        store.write(address, suppression, None, now, seen=version)
        (item,) = cloud.items("SUPPRESSION")
        written.append({name: item[name] for name in ("active", "lapses_at") if name in item})
    expected: list[dict[str, Any]] = [
        {"active": {"BOOL": True}, "lapses_at": {"S": "2026-12-20T12:00:00.000000Z"}},
        {"active": {"BOOL": True}},
        {"active": {"BOOL": False}},
    ]
    assert expected == written


def test_what_an_erased_person_leaves_is_a_suppression_without_a_word(cloud: Cloud) -> None:
    del cloud
    store, address = bootstrap.suppressions(), Address(Channel.EMAIL, "sara@example.com")
    store.write(address, Suppression({Reason.MANUAL: Ground(since=NOON, source="api:1", note="rang up")}), None, NOON, seen=0)
    (key,) = store.keys_of([address])
    for _ in range(2):
        store.keep_of_the_erased(key, NOON, "job:1")
    erased = {Reason.MANUAL: Ground(since=NOON, source="api:1"), Reason.ERASED: Ground(since=NOON, source="job:1")}
    assert (Suppression(erased), 2) == store.find(address)


# ── C1 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

said = st.builds(
    lambda state, channel, minute, proof: a_consent(
        state,
        channel=channel,
        at=f"2026-11-20T12:{minute:02}:00Z",
        **({"proof": a_proof(f"2026-11-20T12:{proof:02}:00Z")} if proof is not None else {}),
    ),
    st.sampled_from(["granted", "denied", "pending"]),
    st.sampled_from(["email", "sms"]),
    st.integers(0, 5),
    st.none() | st.integers(0, 5),
)


@over_moto
@given(requests=st.lists(st.lists(said, min_size=1, max_size=3), min_size=1, max_size=4), data=st.data())
def test_what_is_stored_is_the_fold_of_the_history_in_any_order(
    cloud: Cloud, kept: Kept, requests: list[list[Any]], data: st.DataObject
) -> None:
    kept.restore()
    define(double_opt_in=data.draw(st.booleans()))
    for request in data.draw(st.permutations([*requests, *requests])):
        assert say(cloud, "c", *request).status in (200, 201)
    stored = bootstrap.consents().of("c").consents
    assert folded("c") == stored
    for consent in stored.values():
        assert all(fact.source == "footer" and fact.text_version == "news/1" and fact.at for fact in consent.facts)


# ── crashes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Scenario:
    handler: Callable[..., Any]
    path: str
    body: dict[str, Any]
    before: tuple[dict[str, Any], ...] = ()


ADDRESS = {"channel": "email", "address": "sara@example.com"}
SUPPRESSED = ADDRESS | {"reason": "complaint", "at": "2026-11-20T12:00:00Z"}
CONSENTS = "/v1/customers/{customer_id}/consents"
SCENARIOS = {
    "the first consents": Scenario(customers, CONSENTS, {"consents": [a_consent(), a_consent("denied", channel="sms")]}),
    "a consent beside others": Scenario(
        customers, CONSENTS, {"consents": [a_consent("denied")]}, (a_consent(), a_consent(channel="sms"))
    ),
    "a consent of which a part is known": Scenario(
        customers, CONSENTS, {"consents": [a_consent(), a_consent("denied")]}, (a_consent(),)
    ),
    "a suppression": Scenario(addresses, "/v1/suppressions", SUPPRESSED),
}


def dump(cloud: Cloud) -> list[dict[str, Any]]:
    """The table beside keys, in a form that is the same for every run that did the same."""
    text = json.dumps([item for item in cloud.items() if item["PK"]["S"] != "LIST#keys"])
    clock = re.compile(r"20\d\d-\d\d-\d\dT(?!12:0\d:00\.000000Z)[\d:.]+Z")
    found: list[dict[str, Any]] = json.loads(re.sub(r'"expires_at": {"N": "\d+"}', '"expires_at": 0', clock.sub("now", text)))
    return sorted(found, key=lambda item: (item["PK"]["S"], item["SK"]["S"]))


def chill() -> None:
    """Forget what a container learns, so that a request makes every call it can make."""
    bootstrap._identity_secret.cache_clear()
    for handler in (addresses, customers):
        handler._seen_keys.clear()


def every_crash(calls: list[str], restore: Callable[[], None]) -> Iterator[tuple[str, str, Fault]]:
    for kind, fault in CRASHES.items():
        forget()
        for call, operation in enumerate(calls):
            restore()
            chill()
            yield kind, f"{kind}, {operation} ({call + 1} of {len(calls)})", at(call, fault)


@pytest.mark.parametrize("keyed", [False, True], ids=["without a key", "with an Idempotency-Key"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_crash_at_any_call_and_a_retry_leave_what_one_quiet_request_leaves(cloud: Cloud, name: str, keyed: bool) -> None:  # noqa: FBT001
    scenario, headers = SCENARIOS[name], {"idempotency-key": "once"} if keyed else {}
    define(double_opt_in=False)
    customer_id = a_customer(cloud)
    if scenario.before:
        assert 201 == say(cloud, customer_id, *scenario.before).status
    path = scenario.path.format(customer_id=customer_id)

    def send() -> Answer:
        return cloud.call(scenario.handler, "POST", path, scenario.body, headers=headers)

    kept, before = Kept(), dump(cloud)
    chill()
    with tapped() as calls:
        quiet = send()
    after = dump(cloud)
    assert (201, True) == (quiet.status, before != after)

    for kind, where, fault in every_crash(calls, kept.restore):
        answer = None
        with tapped(fault):
            try:
                answer = send()
            except Kill:
                assert kind.startswith("kill"), where
        assert answer is None or answer.status == 503 or (kind == "first reply lost" and answer.status in (200, 201)), where
        left = dump(cloud)
        assert left in (before, after), where
        chill()
        again = send()
        known = (201, "true") if keyed else (200, None)
        expected = known if left == after else (201, None)
        assert (where, expected) == (where, (again.status, again.headers.get("idempotent-replayed")))
        assert (where, after, quiet.json) == (where, dump(cloud), again.json)


# ── races ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_sixteen_say_at_once_is_all_in_the_history_and_the_state_is_its_fold(cloud: Cloud) -> None:
    define(double_opt_in=False)
    customer_id = a_customer(cloud)
    kept, barrier, mine = Kept(), threading.Barrier(16), threading.local()

    def wait_for_all(sent: Sent, deliver: Deliver) -> Any:
        if sent.operation == "TransactWriteItems" and getattr(mine, "waits", False):
            mine.waits = False
            barrier.wait(30)
        return deliver()

    def call(number: int) -> int:
        mine.waits = True
        while True:
            change = a_consent("denied" if number % 2 else "granted", at=f"2026-11-20T12:{number:02}:00Z")
            answer = say(cloud, customer_id, change)
            if answer.status != 503:
                return answer.status

    with one_call_at_a_time(), ThreadPoolExecutor(16) as pool, tapped(wait_for_all):
        for _ in range(5):
            kept.restore()
            assert [201] * 16 == list(pool.map(call, range(16)))
            assert {NEWS: State.DENIED} == states(customer_id)
            assert folded(customer_id) == bootstrap.consents().of(customer_id).consents
            assert 16 == len(cloud.items("EVENT#2026-11-20T12")) - 1  # the order's own


def meanwhile(does: Callable[[], object], *, before: str = "TransactWriteItems") -> Fault:
    """Let something happen just before the first call of a kind."""
    done = False

    def fault(sent: Sent, deliver: Deliver) -> Any:
        nonlocal done
        if sent.operation == before and not done:
            done = True
            does()
        return deliver()

    return fault


def merged(winner_id: str, loser_id: str) -> None:
    merge(winner_id, loser_id, None, site="de", source="test", customers=bootstrap.customers(), clock=bootstrap.clock)


@pytest.fixture
def pair(cloud: Cloud) -> tuple[str, str]:
    """Two customers who both granted."""
    define(double_opt_in=False)
    ids = a_customer(cloud, "sara"), a_customer(cloud, "omid")
    for customer_id in ids:
        assert 201 == say(cloud, customer_id, a_consent()).status
    return ids


def test_a_merger_keeps_the_stricter_consent_and_says_so(cloud: Cloud, pair: tuple[str, str]) -> None:
    winner, loser = pair
    say(cloud, loser, a_consent("denied", at="2026-11-20T12:01:00Z"), a_consent("denied", channel="sms"))
    merged(winner, loser)
    assert {NEWS: State.DENIED, SMS: State.DENIED} == states(winner)
    assert folded(winner) == bootstrap.consents().of(winner).consents
    assert {("email", "merge", loser), ("sms", "api", loser)} == {
        (event.data["channel"], event.data["method"], event.data["merged"]) for event in history(winner) if "merged" in event.data
    }
    assert 201 == say(cloud, loser, a_consent(at=later(), proof=a_proof(later()))).status
    assert {NEWS: State.GRANTED, SMS: State.DENIED} == states(winner)


def later() -> str:
    return bootstrap.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@pytest.mark.parametrize("who", [0, 1], ids=["the winner", "the loser"])
def test_a_no_that_is_said_in_the_moment_of_a_merger_is_kept(cloud: Cloud, pair: tuple[str, str], who: int) -> None:
    with tapped(meanwhile(lambda: say(cloud, pair[who], a_consent("denied", at="2026-11-20T12:01:00Z")))):
        merged(*pair)
    assert {NEWS: State.DENIED} == states(pair[0])
    assert folded(pair[0]) == bootstrap.consents().of(pair[0]).consents


def test_a_first_no_that_is_said_in_the_moment_of_a_merger_is_kept(cloud: Cloud, pair: tuple[str, str]) -> None:
    winner, _ = pair
    other = a_customer(cloud, "nilufar")
    with tapped(meanwhile(lambda: say(cloud, other, a_consent("denied")))):
        merged(winner, other)
    assert {NEWS: State.DENIED} == states(winner)


def test_a_no_that_finds_its_customer_merged_is_said_of_the_winner(cloud: Cloud, pair: tuple[str, str]) -> None:
    winner, loser = pair
    with tapped(meanwhile(lambda: merged(winner, loser))):
        answer = say(cloud, loser, a_consent("denied", at="2026-11-20T12:01:00Z"))
    assert (201, winner) == (answer.status, answer.json["customer_id"])
    assert {NEWS: State.DENIED} == states(winner)


def test_an_erased_customer_says_nothing_more(cloud: Cloud, pair: tuple[str, str]) -> None:
    customer = bootstrap.customers().find(pair[0])
    assert customer is not None

    def erase() -> None:
        bootstrap.table().write(bootstrap.customers().tombstones(customer, NOON))

    with tapped(meanwhile(erase)):
        answer = say(cloud, pair[0], a_consent("denied", at="2026-11-20T12:01:00Z"))
    assert (410, "customer_erased") == (answer.status, answer.json["code"])
    read = cloud.call(customers, "GET", f"/v1/customers/{pair[0]}/consents")
    assert (410, "customer_erased") == (read.status, read.json["code"])
    assert [NOON] == [event.occurred_at for event in history(pair[0])]


def test_sixteen_reasons_to_spare_an_address_are_all_kept(cloud: Cloud) -> None:
    cloud.key()
    reasons = ["hard_bounce", "complaint", "unsubscribe", "manual"]

    def call(number: int) -> int:
        while True:
            sent = ADDRESS | {"reason": reasons[number % 4], "at": f"2026-11-20T12:{number:02}:00Z"}
            answer = cloud.call(addresses, "POST", "/v1/suppressions", sent)
            if answer.status != 503:
                return answer.status

    with one_call_at_a_time(), ThreadPoolExecutor(16) as pool:
        assert {200, 201} >= set(pool.map(call, range(16)))
    found, _ = bootstrap.suppressions().find(Address(Channel.EMAIL, "sara@example.com"))
    assert {reason: NOON.replace(minute=12 + at) for at, reason in enumerate(reasons)} == {
        reason: ground.since for reason, ground in found.active(NOON).items()
    }
