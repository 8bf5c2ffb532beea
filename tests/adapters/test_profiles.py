"""Profiles through the table: whatever dies, races, comes again or late, each fact is kept once and no older one wins."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers_api.handler import handler as customers
from ecrm import bootstrap
from ecrm.application.profiles import ApplyTraits, apply_traits, read_profile
from ecrm.domain.attributes import known
from orders_api.handler import handler as orders
from tests.adapters.races import CALLERS, Race
from tests.builders import NOON, an_order
from tests.cloud import Answer, Cloud, forget
from tests.faults import CRASHES, Fault, Kept, Kill, at, tapped

NOON_TEXT = "2026-11-20T12:00:00Z"
SARA = {"user_id": "u-1", "email": "sara@example.com", "traits": {"plan": "gold"}, "language": "de", "occurred_at": NOON_TEXT}
OMID = {"anonymous_id": "browser-1", "traits": {"likes": ["jazz"]}, "occurred_at": NOON_TEXT}


def put(cloud: Cloud, **said: Any) -> Answer:
    return cloud.call(customers, "PUT", "/v1/customers", said)


def the_id(answer: Answer) -> str:
    assert answer.status in (200, 201), answer.text
    return str(answer.json["customer_id"])


def post(cloud: Cloud, customer_id: str, what: str, other: str, name: str = "") -> Answer:
    headers = {"idempotency-key": name} if name else {}
    return cloud.call(customers, "POST", f"/v1/customers/{customer_id}/{what}", {"customer_id": other}, headers=headers)


def read(cloud: Cloud, customer_id: str) -> Any:
    return cloud.call(customers, "GET", f"/v1/customers/{customer_id}").json


def events(cloud: Cloud, type_: str) -> list[dict[str, Any]]:
    return [item for item in cloud.items("EVENT#") if item["type"]["S"] == type_]


# ── what is said is what is read ─────────────────────────────────────────────────────────────────────────────────────

SCALARS = st.one_of(
    st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=20),
    st.booleans(),
    st.integers(-(10**37), 10**37),
    st.decimals(-1000, 1000, places=4).map(float),
)
TRAITS = st.dictionaries(
    st.from_regex(r"[a-z]{1,8}", fullmatch=True).filter(lambda name: name not in ("language", "birthday", "address", "company")),
    st.one_of(SCALARS, st.lists(SCALARS, max_size=4)),
    max_size=6,
)


@pytest.fixture
def kept(cloud: Cloud) -> Kept:
    cloud.key()
    return Kept()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(traits=TRAITS)
def test_traits_come_back_as_they_were_said(cloud: Cloud, kept: Kept, traits: dict[str, Any]) -> None:
    kept.restore()
    made = put(cloud, user_id="u-1", traits=traits)
    assert (traits, made.json["traits"]) == (made.json["traits"], read(cloud, the_id(made))["traits"])


def test_a_profile_is_read_as_it_was_written(cloud: Cloud) -> None:
    made = put(cloud, **SARA)
    assert 201 == made.status
    source = made.json["provenance"]["plan"]["source"]
    told = {"type": "string", "at": NOON_TEXT, "source": source, "claimed": False}
    expected = {
        "customer_id": made.json["customer_id"],
        "identifiers": [
            {"kind": "user_id", "value": "u-1", "site": "de", "claimed": False},
            {"kind": "email", "value": "sara@example.com", "site": None, "claimed": False},
        ],
        "email": "sara@example.com",
        "phone": None,
        "traits": {"plan": "gold"},
        "language": "de",
        "time_zone": None,
        "provenance": {"language": told, "plan": told},
        "merged": [],
        "created_at": made.json["created_at"],
        "has_role_address": False,
    }
    assert expected | {"not_taken": []} == made.json
    assert expected == read(cloud, the_id(made))
    (found,) = cloud.call(customers, "POST", "/v1/customers/lookup", {"email": "sara@example.com"}).json["data"]
    assert expected == found


def test_what_was_said_before_writes_nothing(cloud: Cloud) -> None:
    assert 201 == put(cloud, **SARA).status
    before = cloud.items()
    assert 200 == put(cloud, **SARA).status
    assert before == cloud.items()


def test_an_event_tells_what_changed_and_nothing_else(cloud: Cloud) -> None:
    put(cloud, **SARA)
    later = {"traits": {"plan": "gold", "likes": ["jazz"]}, "language": None, "occurred_at": "2026-11-20T13:00:00Z"}
    answer = put(cloud, user_id="u-1", **later)
    assert ({"plan": "gold", "likes": ["jazz"]}, None) == (answer.json["traits"], answer.json["language"])
    (event,) = (event for event in events(cloud, "customer.updated") if "T13:" in event["SK"]["S"])
    assert {"likes": {"L": [{"S": "jazz"}]}, "language": {"NULL": True}} == event["data"]["M"]["attributes"]["M"]


def test_what_is_missing_is_left_alone_and_null_clears(cloud: Cloud) -> None:
    customer_id = the_id(put(cloud, **SARA, time_zone="Europe/Berlin"))
    path = f"/v1/customers/{customer_id}"
    changed = cloud.call(customers, "PATCH", path, {"traits": {"plan": None, "likes": ["jazz"]}, "time_zone": None}).json
    assert ({"likes": ["jazz"]}, "de", None) == (changed["traits"], changed["language"], changed["time_zone"])


@pytest.mark.parametrize("first", [0, 1])
def test_an_older_fact_never_wins_and_what_was_cleared_stays_away(cloud: Cloud, first: int) -> None:
    said = [
        {"user_id": "u-1", "traits": {"plan": "old", "note": "old"}, "occurred_at": "2026-11-20T10:00:00Z"},
        {"user_id": "u-1", "traits": {"plan": "new", "note": None}, "occurred_at": "2026-11-20T11:00:00Z"},
    ]
    for body in (said[first], said[1 - first]):
        answer = put(cloud, **body)
    assert {"plan": "new"} == answer.json["traits"]
    assert "2026-11-20T11:00:00Z" == answer.json["provenance"]["plan"]["at"]


@pytest.mark.parametrize("first", [0, 1])
def test_the_first_touch_stays(cloud: Cloud, first: int) -> None:
    touches = [({"source": "google"}, "2026-11-20T10:00:00Z"), ({"source": "letter"}, "2026-11-20T11:00:00Z")]
    for touch, occurred_at in (touches[first], touches[1 - first]):
        answer = put(cloud, user_id="u-1", traits={"acquisition": touch}, occurred_at=occurred_at)
    assert {"source": "google"} == answer.json["traits"]["acquisition"]


def test_a_write_key_only_claims_and_takes_no_room_from_a_voucher(cloud: Cloud) -> None:
    customer_id = the_id(put(cloud, **SARA))

    def claim(traits: dict[str, Any], hour: int) -> None:
        command = ApplyTraits(
            customer_id=customer_id,
            site="de",
            traits=traits,
            at=NOON.replace(hour=hour),
            source="api:browser",
            is_claimed=True,
        )
        apply_traits(command, customers=bootstrap.customers(), profiles=bootstrap.profiles(), clock=bootstrap.clock)

    claim({"plan": "platinum", "firstName": "Eve", "email": "eve@example.com"}, 20)
    found = read(cloud, customer_id)
    assert {"plan": "gold", "first_name": "Eve", "email": "eve@example.com"} == found["traits"]
    assert {"plan": False, "first_name": True, "email": True, "language": False} == {
        name: told["claimed"] for name, told in found["provenance"].items()
    }
    assert "sara@example.com" == found["email"]
    before = cloud.items()
    claim({"plan": "platinum", "firstName": "Eve"}, 20)
    assert before == cloud.items()
    assert 200 == put(cloud, user_id="u-1", traits={f"a{at}": at for at in range(98)}).status
    assert 99 + 2 == len(read(cloud, customer_id)["traits"])


# ── identifiers ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_another_address_keeps_the_customer_and_is_where_they_are_reached_from_then_on(cloud: Cloud) -> None:
    customer_id = the_id(put(cloud, **SARA))
    answer = put(cloud, user_id="u-1", email="ahmadi@example.com", occurred_at="2026-11-20T13:00:00Z")
    assert (customer_id, "ahmadi@example.com", []) == (the_id(answer), answer.json["email"], answer.json["not_taken"])
    assert ["sara@example.com", "ahmadi@example.com"] == [i["value"] for i in answer.json["identifiers"] if i["kind"] == "email"]
    late = put(cloud, user_id="u-1", email="older@example.com", occurred_at="2026-11-20T12:30:00Z")
    assert "ahmadi@example.com" == late.json["email"]


def test_an_identifier_that_somebody_else_holds_stays_with_them_and_the_answer_says_so(cloud: Cloud) -> None:
    omid = the_id(put(cloud, user_id="u-2", email="omid@example.com", phone="+989121234567"))
    sara = put(cloud, **SARA)
    answer = cloud.call(
        customers, "PATCH", f"/v1/customers/{the_id(sara)}", {"email": "omid@example.com", "phone": "+989121234567"}
    )
    assert (200, ["email", "phone"]) == (answer.status, answer.json["not_taken"])
    assert sara.json["identifiers"] == answer.json["identifiers"]
    assert omid == the_id(put(cloud, phone="+989121234567"))


def test_a_profile_that_names_a_customer_known_by_address_alone_becomes_one_with_them(cloud: Cloud) -> None:
    known_by_address = the_id(put(cloud, email="sara@example.com", traits={"plan": "silver", "note": "x"}, occurred_at=NOON_TEXT))
    by_id = the_id(put(cloud, user_id="u-1"))
    answer = put(cloud, **SARA | {"occurred_at": "2026-11-20T13:00:00Z"})
    assert (by_id, [known_by_address]) == (the_id(answer), answer.json["merged"])
    assert {"plan": "gold", "note": "x"} == answer.json["traits"]
    assert read(cloud, by_id) == read(cloud, known_by_address)


def test_a_second_user_id_of_one_site_is_refused(cloud: Cloud) -> None:
    customer_id = the_id(put(cloud, **SARA))
    before = cloud.items()
    answer = cloud.call(customers, "PATCH", f"/v1/customers/{customer_id}", {"user_id": "u-2"})
    assert (409, "different_people") == (answer.status, answer.json["code"])
    assert before == cloud.items()


@pytest.mark.parametrize(("shared", "customers_found"), [("no", 2), ("yes", 1)])
def test_a_user_id_is_its_sites_own_unless_sites_share_them(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, shared: str, customers_found: int
) -> None:
    monkeypatch.setenv("SHARED_USER_IDS", shared)
    forget()
    france = bootstrap.sites().find("de")
    assert france is not None
    bootstrap.sites().write(type(france)(**{name: getattr(france, name) for name in france.__slots__} | {"site": "fr"}), seen=0)
    key = cloud.key(sites="*")
    made = [
        cloud.call(customers, "PUT", "/v1/customers", {"user_id": "u-1", "site": site}, key=key) for site in ("de", "fr", "de")
    ]
    assert customers_found == len({the_id(answer) for answer in made})
    assert [[]] * 3 == [answer.json["not_taken"] for answer in made]
    assert {"no": ["de"], "yes": [None]}[shared] == [i["site"] for i in made[0].json["identifiers"]]
    found = cloud.call(customers, "POST", "/v1/customers/lookup", {"user_id": "u-1", "site": "fr"}, key=key).json["data"]
    assert [the_id(made[1])] == [one["customer_id"] for one in found]


# ── mergers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_merger_shows_the_newest_of_both_and_its_undoing_gives_each_their_own(cloud: Cloud) -> None:
    sara = the_id(put(cloud, **SARA))
    omid = the_id(put(cloud, **OMID | {"traits": {"plan": "newer", "likes": ["jazz"]}, "occurred_at": "2026-11-20T13:00:00Z"}))
    apart = [read(cloud, customer_id) for customer_id in (sara, omid)]
    merged = post(cloud, sara, "merge", omid)
    assert (201, {"plan": "newer", "likes": ["jazz"]}, [omid]) == (merged.status, merged.json["traits"], merged.json["merged"])
    assert merged.json == read(cloud, omid)
    assert (200, merged.json) == ((again := post(cloud, sara, "merge", omid)).status, again.json)
    undone = post(cloud, sara, "unmerge", omid)
    assert (201, apart[1]) == (undone.status, undone.json)
    assert apart == [read(cloud, customer_id) for customer_id in (sara, omid)]
    assert 200 == post(cloud, sara, "unmerge", omid).status


def test_what_is_older_than_the_merged_ones_is_kept_and_not_told(cloud: Cloud) -> None:
    sara, omid = the_id(put(cloud, user_id="u-1")), the_id(put(cloud, **OMID))
    post(cloud, sara, "merge", omid)
    told = len(events(cloud, "customer.updated"))
    late = put(cloud, user_id="u-1", traits={"likes": ["folk"]}, occurred_at="2026-11-20T11:00:00Z")
    assert ({"likes": ["jazz"]}, told) == (late.json["traits"], len(events(cloud, "customer.updated")))
    post(cloud, sara, "unmerge", omid)
    assert {"likes": ["folk"]} == read(cloud, sara)["traits"]


# ── crashes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Scenario:
    """`before` are profiles; `{0}` in a path or body is the id of the first of them."""

    method: str
    path: str
    body: dict[str, Any]
    before: tuple[dict[str, Any], ...] = ()
    merged: bool = False

    def send(self, cloud: Cloud, ids: list[str], headers: dict[str, str]) -> Answer:
        body = {name: value.format(*ids) if isinstance(value, str) else value for name, value in self.body.items()}
        return cloud.call(customers, self.method, self.path.format(*ids), body, headers=headers)


SCENARIOS = {
    "a new profile": Scenario("PUT", "/v1/customers", SARA),
    "a changed profile": Scenario(
        "PUT", "/v1/customers", SARA | {"traits": {"plan": None, "x": 1}, "occurred_at": "2026-11-20T13:00:00Z"}, (SARA,)
    ),
    "a profile that gains an identifier": Scenario("PUT", "/v1/customers", SARA | {"phone": "+989121234567"}, (SARA,)),
    "a profile that absorbs a visitor": Scenario("PUT", "/v1/customers", SARA | {"anonymous_id": "browser-1"}, (SARA, OMID)),
    "a change by id": Scenario(
        "PATCH", "/v1/customers/{0}", {"traits": {"x": 1}, "occurred_at": "2026-11-20T13:00:00Z"}, (SARA,)
    ),
    "a merger": Scenario("POST", "/v1/customers/{0}/merge", {"customer_id": "{1}"}, (SARA, OMID)),
    "a merger undone": Scenario("POST", "/v1/customers/{0}/unmerge", {"customer_id": "{1}"}, (SARA, OMID), merged=True),
}
SAID = {"2026-11-20T12:00:00.000000Z", "2026-11-20T13:00:00.000000Z", NOON_TEXT, "2026-11-20T13:00:00Z"}


def masked(cloud: Cloud, value: Any) -> Any:
    """A value with each customer named by their first identifier, and without what the clock made."""
    text = json.dumps(value)
    for item in cloud.items("EVENT#"):
        if item["type"]["S"] == "customer.created":
            (first, *_) = item["data"]["M"]["identifiers"]["L"]
            text = text.replace(item["PK"]["S"].removeprefix("CUSTOMER#"), f"who came as {first['M']['value']['S']}")
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", lambda found: found[0] if found[0] in SAID else "now", text)
    return json.loads(re.sub(r'"expires_at": {"N": "\d+"}', '"expires_at": "a day from now"', text))


def dump(cloud: Cloud) -> list[dict[str, Any]]:
    items = [item for item in cloud.items() if not item["PK"]["S"].startswith("LIST#")]
    found: list[dict[str, Any]] = masked(cloud, items)
    return sorted(found, key=lambda item: (item["PK"]["S"], item["SK"]["S"]))


def chill() -> None:
    """Forget what a container learns, so that a request makes every call it can make."""
    bootstrap._identity_secret.cache_clear()
    customers._seen_keys.clear()


def every_crash(calls: list[str], restore: Callable[[], None]) -> Iterator[tuple[str, str, Fault]]:
    for kind, fault in CRASHES.items():
        forget()
        for call, operation in enumerate(calls):
            restore()
            chill()
            yield kind, f"{kind}, {operation} ({call + 1} of {len(calls)})", at(call, fault)


@pytest.mark.parametrize(
    ("name", "keyed"),
    [
        (name, keyed)
        for name, scenario in SCENARIOS.items()
        for keyed in (False, True)
        if not (keyed and scenario.method == "PUT")
    ],
)
def test_a_crash_at_any_call_and_a_retry_leave_what_one_quiet_request_leaves(cloud: Cloud, name: str, keyed: bool) -> None:  # noqa: FBT001
    scenario, headers = SCENARIOS[name], {"idempotency-key": "once"} if keyed else {}
    cloud.key()
    ids = [the_id(put(cloud, **body)) for body in scenario.before]
    if scenario.merged:
        assert 201 == post(cloud, ids[0], "merge", ids[1]).status
    kept = Kept()
    chill()
    before = dump(cloud)
    with tapped() as calls:
        quiet = scenario.send(cloud, ids, headers)
    after, body = dump(cloud), masked(cloud, quiet.json)
    assert quiet.status in (200, 201)
    assert before != after

    for kind, where, fault in every_crash(calls, kept.restore):
        with tapped(fault):
            try:
                answered = scenario.send(cloud, ids, headers)
            except Kill:
                answered = None
        assert (where, kind.startswith("kill")) == (where, answered is None)
        if answered is not None and kind != "first reply lost":
            assert (where, 503, "1") == (where, answered.status, answered.headers["retry-after"])
        left = dump(cloud)
        assert left in (before, after), where
        chill()
        again = scenario.send(cloud, ids, headers)
        is_replay = keyed and left == after
        expected = 200 if left == after and not is_replay else quiet.status
        assert (where, expected, "true" if is_replay else None) == (
            where,
            again.status,
            again.headers.get("idempotent-replayed"),
        )
        assert (where, body, after) == (where, masked(cloud, again.json), dump(cloud))


# ── races ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_sixteen_who_say_different_things_of_one_customer_are_all_heard(cloud: Cloud, race: Race) -> None:
    cloud.key()
    kept = Kept()
    for _ in range(5):
        kept.restore()
        answers = race.run(lambda number: put(cloud, user_id="u-1", traits={f"from {number}": number}))
        assert {201: 1, 200: CALLERS - 1} == Counter(answer.status for answer in answers)
        (customer_id,) = {the_id(answer) for answer in answers}
        assert {f"from {number}": number for number in range(CALLERS)} == read(cloud, customer_id)["traits"]
        assert CALLERS == len(events(cloud, "customer.updated"))


def test_sixteen_who_say_different_things_of_one_attribute_leave_the_latest(cloud: Cloud, race: Race) -> None:
    cloud.key()
    kept = Kept()
    for _ in range(5):
        kept.restore()
        answers = race.run(
            lambda number: put(cloud, user_id="u-1", traits={"plan": number}, occurred_at=f"2026-11-20T12:00:{number:02}Z")
        )
        assert {"plan": CALLERS - 1} == read(cloud, the_id(answers[0]))["traits"]


def test_one_merger_asked_for_by_sixteen_in_both_directions_is_one_merger(cloud: Cloud, race: Race) -> None:
    ids = [the_id(put(cloud, **SARA)), the_id(put(cloud, **OMID))]
    kept = Kept()
    for _ in range(5):
        kept.restore()
        answers = race.run(lambda number: post(cloud, ids[number % 2], "merge", ids[1 - number % 2]))
        assert {201: 1, 200: CALLERS - 1} == Counter(answer.status for answer in answers)
        (root,) = {the_id(answer) for answer in answers}
        assert 1 == len(events(cloud, "customer.merged"))
        (other,) = {*ids} - {root}
        assert ([other], read(cloud, root)) == (read(cloud, root)["merged"], read(cloud, other))


def test_orders_that_arrive_during_a_merger_are_all_of_the_one_customer(cloud: Cloud, race: Race) -> None:
    """Every second caller merges, the others order as one or the other."""
    ids = [the_id(put(cloud, **SARA)), the_id(put(cloud, **OMID))]
    named = [{"user_id": "u-1"}, {"anonymous_id": "browser-1"}]
    kept = Kept()

    def does(number: int) -> Answer:
        if number % 2:
            return post(cloud, ids[0], "merge", ids[1])
        body = an_order(order_id=f"A-{number}", customer=named[number // 2 % 2])
        return cloud.call(orders, "POST", "/v1/orders", body)

    for _ in range(5):
        kept.restore()
        answers = race.run(does)
        assert {200, 201} == {answer.status for answer in answers}
        listed = cloud.call(customers, "GET", f"/v1/customers/{ids[0]}/orders").json["data"]
        assert {f"A-{number}" for number in range(0, CALLERS, 2)} == {order["order_id"] for order in listed}
        assert 1 == len(events(cloud, "customer.merged"))


def test_an_order_and_a_profile_that_name_one_person_at_once_make_one_customer(cloud: Cloud, race: Race) -> None:
    cloud.key()
    kept = Kept()

    def does(number: int) -> Answer:
        if number % 2:
            return put(cloud, **SARA)
        body = an_order(order_id=f"A-{number}", customer={"user_id": "u-1", "email": "sara@example.com"})
        return cloud.call(orders, "POST", "/v1/orders", body)

    for _ in range(5):
        kept.restore()
        answers = race.run(does)
        (customer_id,) = {the_id(answer) for answer in answers}
        assert (1, 2) == (len(cloud.items("PROFILE")), len(cloud.items("IDENTITY")))
        profile = read_profile(customer_id, customers=bootstrap.customers(), profiles=bootstrap.profiles())
        assert {"plan": "gold", "language": "de"} == known(profile.attributes)
