from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

from hypothesis import example, given
from hypothesis import strategies as st

from ecrm.analytics.forecasts import Horizon
from ecrm.analytics.rfm import RfmScale, Scale
from ecrm.analytics.scoring import NightThresholds, kept_forecaster, scorer
from ecrm.application.traits import CopiedTraits, listed_from
from ecrm.domain.facts import NO_SCORES, Rfm, Scores
from ecrm.domain.lifecycle import Stage, Thresholds
from ecrm.domain.statistics import NOTHING, CurrencyStatistics
from ecrm.domain.traits import LARGEST, LARGEST_OF_ALL, Trait, TraitKind, TraitList, fitted, weight
from ecrm.store.table import to_wire
from tests.builders import A_MODEL, NOON
from tests.unit.facts import purchases_on


def profile(name: str) -> Trait:
    return Trait(TraitKind.PROFILE, name)


def test_rows_copy_what_most_segments_name_and_of_as_many_the_first_by_name() -> None:
    named = [{profile("plan"), profile("city")}, {profile("plan"), profile("age")}, {profile("zip"), profile("city")}]
    assert (profile("city"), profile("plan")) == listed_from(named, 2)
    assert (profile("age"), profile("city"), profile("plan")) == listed_from(named, 3)
    assert () == listed_from([], 3)


def test_what_is_too_large_is_left_out_and_leaves_its_room_to_the_others() -> None:
    large, small = profile("a"), profile("b")
    assert {small: "x"} == fitted({large: "x" * LARGEST, small: "x"})
    many = {profile(f"{number:02}"): "x" * 200 for number in range(10)}
    kept = fitted(many)
    assert [profile(f"{number:02}") for number in range(len(kept))] == sorted(kept)
    assert LARGEST_OF_ALL - LARGEST < sum(weight(trait, value) for trait, value in kept.items()) <= LARGEST_OF_ALL


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**37), 10**37) | st.decimals("-1e9", "1e9", places=4) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=8,
)


@given(VALUES)
@example([[[]], [[0]]])
def test_a_trait_never_takes_more_room_than_its_weight(value: Any) -> None:
    """Sizes as DynamoDB's documentation has them, rounded up."""
    (wire,) = to_wire({"value": value}).values()
    assert _size(wire) + len("profile#plan") <= weight(profile("plan"), value)


def _size(wire: dict[str, Any]) -> int:
    ((kind, value),) = wire.items()
    match kind:
        case "S":
            return len(str(value).encode())
        case "N":
            digits = len(str(abs(Decimal(value))).replace(".", "").strip("0"))
            return (digits + 1) // 2 + 1 + int(value.startswith("-"))
        case "L":
            return 3 + sum(1 + _size(inner) for inner in value)
        case _:
            return 1


class Lists:
    def __init__(self) -> None:
        self.asked = 0

    def listed(self) -> TraitList:
        self.asked += 1
        return TraitList(self.asked)


class Watch:
    now_is = NOON

    def now(self) -> Any:
        return self.now_is


def test_the_list_of_traits_is_asked_for_once_a_minute() -> None:
    watch, lists, nobody = Watch(), Lists(), cast("Any", None)
    traits = CopiedTraits(traits=lists, customers=nobody, profiles=nobody, consents=nobody, clock=watch)
    assert [1, 1] == [traits.listed().version, traits.listed().version]
    watch.now_is = NOON + timedelta(seconds=60)
    assert 2 == traits.listed().version


def test_a_customer_is_scored_by_the_nights_thresholds_in_each_currency_that_it_knew() -> None:
    purchases = purchases_on([NOON.date() - timedelta(days=40), NOON.date() - timedelta(days=3)])
    part = CurrencyStatistics(
        orders=2,
        items=2,
        gross_minor=5_000,
        cancelled_minor=0,
        refunded_minor=0,
        net_revenue_minor=5_000,
        purchases=purchases,
        first_day_net_revenue_minor=2_000,
    )
    known = RfmScale(Scale((NOON.date().toordinal() - 9,)), Scale((1, 2, 3)), Scale((1_000, 2_000, 3_000, 4_000)))
    thresholds = NightThresholds(lifecycle=Thresholds(at_risk_days=60, lost_days=120), scales={"EUR": known})
    row = replace(NOTHING, currencies={"EUR": part, "JPY": part}, purchases=purchases)
    score = scorer(thresholds, NOON.date())
    assert Scores({"EUR": Rfm(2, 3, 5, "at_risk")}, Stage.ACTIVE) == score(row)
    assert NO_SCORES == score(replace(row, is_outdated=True))
    assert Scores({}, Stage.PROSPECT) == score(NOTHING)


def test_what_a_model_says_is_worked_out_once_between_two_requests() -> None:
    """Each reads the model anew, and finds what the one before has worked out."""
    again = replace(A_MODEL, check=A_MODEL.check and replace(A_MODEL.check))
    assert kept_forecaster(A_MODEL, Horizon()) is kept_forecaster(again, Horizon())
    assert kept_forecaster(A_MODEL, Horizon()) is not kept_forecaster(A_MODEL, Horizon(days=30))
    assert kept_forecaster(A_MODEL, Horizon()) is not kept_forecaster(replace(A_MODEL, is_weak=True), Horizon())
