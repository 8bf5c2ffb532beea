"""What rows copy for segments: as the facts say it, whatever came last, and never what they said once."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ecrm import bootstrap
from ecrm.application.statistics import Touched, recount
from ecrm.application.traits import CopiedTraits
from ecrm.domain.api_keys import KeyKind
from ecrm.domain.facts import NO_SCORES, RowFacts, Scores
from ecrm.domain.judging import judges
from ecrm.domain.statistics import NOTHING, CustomerStatistics
from ecrm.domain.traits import Trait, TraitKind
from ecrm.domain.windows import Moment
from ecrm.store.keys import shard_of
from ecrm.store.statistics import DynamoStatisticsRows
from tests.builders import a_consent
from tests.cloud import Cloud
from tests.functions.api import Shop, a_new_order, in_hours, open_shop

type Json = dict[str, Any]

PLAN, MAIL, PHONE = Trait(TraitKind.PROFILE, "plan"), Trait(TraitKind.IDENTIFIER, "email"), Trait(TraitKind.IDENTIFIER, "phone")
NEWS = Trait(TraitKind.CONSENT, "email/news")
NAMING: dict[str, Any] = {
    "plan": {"profile": {"path": "plan", "op": "is", "value": "gold"}},
    "mail": {"profile": {"path": "email", "op": "exists"}},
    "phone": {"profile": {"path": "phone", "op": "missing"}},
    "news": {"consent": {"channel": "email", "topic": "news"}},
    "limit": {"profile": {"path": "limit", "op": "<", "value": 0.3}},
}


@pytest.fixture
def shop(cloud: Cloud) -> Shop:
    return open_shop(cloud)


def put(shop: Shop, name: str, **changes: Any) -> None:
    body = {"name": name, "rule": NAMING[name]} | changes
    answer = shop.call("PUT", f"/v1/segments/{name}", body, key=shop.cloud.key(KeyKind.STAFF))
    assert answer.status in (200, 201), answer.text


def say(shop: Shop, **said: Any) -> None:
    assert 200 == shop.call("PATCH", f"/v1/customers/{shop.customer_id}", said).status


def copied(shop: Shop) -> Mapping[Trait, Any]:
    bootstrap.copied_traits.cache_clear()
    shop.cloud.project()
    row = bootstrap.statistics().find(shop.customer_id)
    assert row is not None
    return row[0].traits


def test_a_row_copies_what_segments_name_and_follows_what_is_said(shop: Shop) -> None:
    assert {} == copied(shop)
    for name in ("plan", "mail", "phone", "news"):
        put(shop, name)
    assert {PLAN: None, MAIL: True, PHONE: True, NEWS: None} == copied(shop)
    say(shop, traits={"plan": "gold", "city": "Köln"})
    assert {PLAN: "gold", MAIL: True, PHONE: True, NEWS: None} == copied(shop)
    consents = [a_consent(topic="news", proof={"kind": "double_opt_in", "confirmed_at": "2026-11-20T12:00:00Z"})]
    answer = shop.call("POST", f"/v1/customers/{shop.customer_id}/consents", {"consents": consents})
    assert answer.status in (200, 201), answer.text
    assert "granted" == copied(shop)[NEWS]
    say(shop, traits={"plan": None}, email="another@example.com")
    assert {PLAN: None, MAIL: True, PHONE: True, NEWS: "pending"} == copied(shop)


def test_what_is_named_no_more_is_copied_no_more_and_comes_back_as_it_is_then(shop: Shop) -> None:
    put(shop, "plan")
    put(shop, "mail")
    say(shop, traits={"plan": "gold"})
    assert {PLAN: "gold", MAIL: True} == copied(shop)
    put(shop, "plan", archived=True)
    put(shop, "mail", archived=True)
    say(shop, traits={"plan": "iron"})
    assert {} == copied(shop)
    put(shop, "plan")
    row = bootstrap.statistics().find(shop.customer_id)
    assert row is not None
    assert {} == row[0].traits
    assert {PLAN: "iron"} == copied(shop)


def test_what_a_browser_claims_is_no_trait_before_a_server_says_it(shop: Shop) -> None:
    put(shop, "plan")
    user_id = "u-claimed"
    customer_id = shop.call("PUT", "/v1/customers", {"user_id": user_id, "email": "claimed@example.com"}).json["customer_id"]
    claimed = {"anonymousId": "browser-1", "userId": user_id, "traits": {"plan": "gold"}}
    assert 200 == shop.call("POST", "/v1/identify", claimed, key=shop.cloud.key(KeyKind.WRITE)).status
    ready = judges({"plan": bootstrap.segments().published()[0].rule}, Moment(datetime.now(UTC), UTC))["plan"]

    def copied_and_judged() -> tuple[Mapping[Trait, Any], bool | None]:
        theirs = replace(shop, customer_id=customer_id)
        facts = bootstrap.facts_of()(customer_id, lambda _: NO_SCORES)
        assert facts is not None
        return copied(theirs), ready.decide(facts)

    assert {"plan": "gold"} == shop.call("GET", f"/v1/customers/{customer_id}").json["traits"]
    assert ({PLAN: None}, False) == copied_and_judged()
    assert 200 == shop.call("PATCH", f"/v1/customers/{customer_id}", {"traits": {"plan": "gold"}}).status
    assert ({PLAN: "gold"}, True) == copied_and_judged()


def test_a_row_that_may_have_copied_a_claim_is_believed_in_attributes_no_more_until_it_is_written_anew(shop: Shop) -> None:
    put(shop, "plan")
    put(shop, "mail")
    say(shop, traits={"plan": "gold"})
    assert {PLAN: "gold", MAIL: True} == copied(shop)
    (row,) = (item for item in shop.cloud.items(shop.customer_id) if item["PK"]["S"].startswith("STATS#"))
    shop.cloud.dynamodb.put_item(TableName="table", Item=row | {"v": {"N": "3"}})
    found, _ = bootstrap.statistics().find(shop.customer_id) or (NOTHING, 0)
    assert ({MAIL: True}, 0, False) == (found.traits, found.traits_version, found.is_outdated)
    place = a_new_order(customer={"user_id": "u-77"}) | {"placed_at": in_hours(-1)}
    assert 201 == shop.call("POST", "/v1/orders", place).status
    assert {PLAN: "gold", MAIL: True} == copied(shop)


def test_until_a_segment_names_something_what_is_said_of_a_customer_costs_no_recount(shop: Shop) -> None:
    before = copied(shop), bootstrap.statistics().find(shop.customer_id)
    say(shop, traits={"plan": "gold"})
    assert before == (copied(shop), bootstrap.statistics().find(shop.customer_id))


def test_who_has_not_heard_of_the_first_segment_follows_what_is_said_of_a_row_that_has(shop: Shop) -> None:
    """Workers ask for the list at different times: one made the row, another learns what is said next."""
    late = CopiedTraits(
        traits=bootstrap.traits(),
        customers=bootstrap.customers(),
        profiles=bootstrap.profiles(),
        consents=bootstrap.consents(),
        clock=bootstrap.clock,
    )
    assert 0 == late.listed().version
    put(shop, "plan")
    say(shop, traits={"city": "Köln"})
    assert {PLAN: None} == copied(shop)
    say(shop, traits={"plan": "gold"})
    recount(
        shop.customer_id,
        Touched(traits=True),
        customers=bootstrap.customers(),
        orders=bootstrap.orders(),
        behaviour=bootstrap.behaviour(),
        statistics=bootstrap.statistics(),
        zone_of=bootstrap.time_zones(),
        traits_of=late,
    )
    found = bootstrap.statistics().find(shop.customer_id)
    assert found is not None
    assert {PLAN: "gold"} == found[0].traits


def test_what_has_no_room_is_not_known_of_the_row(shop: Shop) -> None:
    put(shop, "plan")
    say(shop, traits={"plan": "x" * 300})
    assert {} == copied(shop)
    say(shop, traits={"plan": "x" * 200})
    assert {PLAN: "x" * 200} == copied(shop)


def test_the_row_and_the_facts_of_a_customer_are_judged_alike(shop: Shop) -> None:
    for name in NAMING:
        put(shop, name)
    say(shop, traits={"plan": "gold", "limit": 0.1})
    shop.cloud.project()
    copied(shop)
    rows = DynamoStatisticsRows(bootstrap.table())
    (stored,) = (row for row in rows.of_shard(shard_of(shop.customer_id)) if row.customer_id == shop.customer_id)
    row = rows.read(stored)
    published = bootstrap.segments().published()
    ready = judges({segment.segment: segment.rule for segment in published}, Moment(datetime.now(UTC), UTC))
    facts = bootstrap.facts_of()(shop.customer_id, lambda _: NO_SCORES)
    assert facts is not None
    by_row = {name: judge.decide(RowFacts(shop.customer_id, row, NO_SCORES, row.traits)) for name, judge in ready.items()}
    assert {"plan": True, "mail": True, "phone": False, "news": False, "limit": True} == by_row
    assert by_row == {name: judge.decide(facts) for name, judge in ready.items()}
    assert {None} == {judge.decide(RowFacts(shop.customer_id, replace(row, traits={}), NO_SCORES)) for judge in ready.values()}


def test_facts_are_of_who_is_a_customer_and_of_nobody_else(shop: Shop) -> None:
    loser = shop.visitor()
    shop.call("POST", f"/v1/customers/{shop.customer_id}/merge", {"customer_id": loser})
    facts_of = bootstrap.facts_of()
    assert None is facts_of(loser, lambda _: NO_SCORES)
    assert None is facts_of("0" * 32, lambda _: NO_SCORES)
    assert shop.customer_id == facts_of.live(loser, lambda _: NO_SCORES).customer_id
    assert None is facts_of(shop.erased(), lambda _: NO_SCORES)


def as_version_1(row: Json) -> Json:
    """Without purchases."""
    amounts = {currency: {"L": said["L"][:6]} for currency, said in row["currencies"]["M"].items()}
    return {name: value for name, value in row.items() if name != "purchases"} | {"v": {"N": "1"}, "currencies": {"M": amounts}}


def as_version_2(row: Json) -> Json:
    """Without months and the first 90 days."""
    amounts = {currency: {"L": [*said["L"][:7], *said["L"][8:-1]]} for currency, said in row["currencies"]["M"].items()}
    return row | {"v": {"N": "2"}, "currencies": {"M": amounts}}


NO_MONTHS: dict[str, Any] = {"months": (), "first_90_days_net_revenue_minor": 0}


@pytest.mark.parametrize(
    ("as_before", "lacks"),
    [(as_version_1, NO_MONTHS | {"purchases": None, "first_day_net_revenue_minor": 0}), (as_version_2, NO_MONTHS)],
    ids=["version 1", "version 2"],
)
def test_the_facts_of_an_outdated_row_are_counted_anew(
    shop: Shop, as_before: Callable[[Json], Json], lacks: dict[str, Any]
) -> None:
    shop.cloud.project()
    whole, _ = bootstrap.statistics().find(shop.customer_id) or (NOTHING, 0)
    (row,) = (item for item in shop.cloud.items(shop.customer_id) if item["PK"]["S"].startswith("STATS#"))
    shop.cloud.dynamodb.put_item(TableName="table", Item=as_before(row))
    outdated, _ = bootstrap.statistics().find(shop.customer_id) or (NOTHING, 0)
    assert outdated.is_outdated
    assert replace(whole.currencies["EUR"], **lacks) == outdated.currencies["EUR"] != whole.currencies["EUR"]
    seen: list[CustomerStatistics] = []

    def score(counted: CustomerStatistics) -> Scores:
        seen.append(counted)
        return NO_SCORES

    facts = bootstrap.facts_of()(shop.customer_id, score)
    assert facts is not None
    assert whole == facts.statistics
    assert [facts.statistics] == seen
