"""The fit within the night: on as many customers as deserve one, killed at any call, at once with itself, and after another."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial

import pytest

from ecrm.analytics.forecasts import CurrencyModel, Source
from ecrm.application.night_ports import Group, NightCounts, NightPlan, NightSettings, Place
from ecrm.application.nights import summarise_night
from ecrm.contracts.orders import PlaceOrderBody
from ecrm.domain.orders import Order
from ecrm.domain.statistics import CustomerStatistics, count
from ecrm.files.nights import S3NightFiles
from local.demo.cdnow import purchases
from tests.faults import Kill
from tests.simulation.bucket import Calls
from tests.simulation.schedule import ROUGH, Schedule, hold
from tests.simulation.shelf import Shelf
from tests.simulation.table import Pause, go_on

AT = datetime(1998, 7, 1, 4, tzinfo=UTC)
TONIGHT, LAST_NIGHT = Place(date(1998, 7, 1), 2), Place(date(1998, 6, 30), 1)
GROUPS = (Group(0, 127), Group(128, 255))


@cache
def buyers() -> tuple[CustomerStatistics, ...]:
    """The CDNOW sample's."""
    orders: dict[str, list[Order]] = defaultdict(list)
    for purchase in purchases():
        command = PlaceOrderBody.model_validate(purchase.to_order()).to_command("us", digest="", source="")
        orders[purchase.customer].append(
            Order(
                site=command.site,
                order_id=command.order_id,
                customer_id=purchase.customer,
                currency=command.currency,
                placed_at=command.placed_at,
                terms=command.terms,
            )
        )
    return tuple(count(each, lambda _: UTC) for each in orders.values())


def counted(some: tuple[CustomerStatistics, ...], today: date) -> NightCounts:
    counts = NightCounts()
    for each in some:
        counts.add(each, today)
    return counts


def write_counts(files: S3NightFiles, place: Place, base: Place | None, some: tuple[CustomerStatistics, ...]) -> None:
    """Leave what comes before the fit, of customers in two groups."""
    files.write_plan(
        NightPlan(
            place=place,
            scheduled_at=AT - timedelta(days=2 - place.generation),
            settings=NightSettings(),
            segments=(),
            groups=GROUPS,
            base=base,
        )
    )
    for number, group in enumerate(GROUPS):
        files.write_counts(place, group, counted(some[number::2], place.night))


def files_on(shelf: Shelf) -> S3NightFiles:
    return S3NightFiles(shelf, "nights")  # type: ignore[arg-type]  # what nights need of the client


def models(files: S3NightFiles, place: Place) -> CurrencyModel:
    found = files.thresholds(place)
    assert found is not None
    (model,) = found.models.values()
    return model


@cache
def before_the_fit() -> dict[str, bytes]:
    """Of the second night; the first one had the first 2,000 buyers."""
    shelf = Shelf()
    files = files_on(shelf)
    write_counts(files, LAST_NIGHT, None, buyers()[:2_000])
    assert {} == summarise_night(LAST_NIGHT, files=files)
    write_counts(files, TONIGHT, LAST_NIGHT, buyers())
    return shelf.objects


def shelf(pause: Pause = go_on) -> Shelf:
    return Shelf(pause, dict(before_the_fit()))


@cache
def undisturbed() -> tuple[dict[str, bytes], int]:
    calls = Calls()
    fitted = shelf(calls)
    assert {} == summarise_night(TONIGHT, files=files_on(fitted))
    return fitted.objects, calls.count


def test_enough_buyers_have_a_model_of_their_own_that_is_held_against_what_came() -> None:
    model = models(files_on(Shelf(objects=undisturbed()[0])), TONIGHT)
    assert (Source.OWN, Source.OWN, False, None) == (
        model.purchasing_source,
        model.spending_source,
        model.is_weak,
        model.failure,
    )
    assert (2_357, date(1998, 7, 1)) == (model.buyers, model.fitted_on)
    assert model.check is not None
    assert (date(1998, 3, 31), date(1998, 7, 1), 2_357) == (model.check.as_of, model.check.until, model.check.customers)
    months = (month for each in buyers() for month in each.currencies["USD"].months)
    assert sum(month.days for month in months if month.last_on and month.last_on > model.check.as_of) == model.check.actual_orders


def test_a_fit_that_is_killed_at_any_call_leaves_the_same() -> None:
    """Before and after each; then it is done again."""
    expected, calls = undisturbed()
    for at in range(1, calls + 1):
        twin = shelf(Calls(killed_at=at))
        with pytest.raises(Kill):
            summarise_night(TONIGHT, files=files_on(twin))
        summarise_night(TONIGHT, files=files_on(twin))
        assert expected == twin.objects, at


def test_a_fit_that_is_done_several_times_at_once_leaves_the_same() -> None:
    expected, _ = undisturbed()

    def check(seed: int) -> None:
        schedule = Schedule(seed, ROUGH)
        twin = shelf(schedule.pause)
        step = partial(summarise_night, TONIGHT, files=files_on(twin))
        schedule.run({"one": step, "another": step})
        assert expected == twin.objects

    hold(check, range(4))


def test_what_was_fitted_stands_though_it_would_be_fitted_otherwise_now() -> None:
    """Customers are scored by one model, whoever dies meanwhile."""
    twin = Shelf(objects=dict(undisturbed()[0]))
    files = files_on(twin)
    for group in GROUPS:
        files.write_counts(TONIGHT, group, counted(buyers()[:600], TONIGHT.night))
    summarise_night(TONIGHT, files=files)
    assert models(files_on(Shelf(objects=undisturbed()[0])), TONIGHT) == models(files, TONIGHT)


def test_a_night_of_too_few_buyers_keeps_the_model_of_the_night_before() -> None:
    twin = shelf()
    files = files_on(twin)
    for group in GROUPS:
        files.write_counts(TONIGHT, group, counted(buyers()[:40], TONIGHT.night))
    summarise_night(TONIGHT, files=files)
    before, after = models(files, LAST_NIGHT), models(files, TONIGHT)
    assert (Source.YESTERDAY, Source.YESTERDAY, False) == (after.purchasing_source, after.spending_source, after.is_weak)
    assert (before.purchasing, before.spending, before.fitted_on) == (after.purchasing, after.spending, after.fitted_on)


def test_a_night_whose_base_is_gone_fits_afresh() -> None:
    twin = shelf()
    del twin.objects["nights/1998-06-30/1/thresholds.json.gz"]
    assert {} == summarise_night(TONIGHT, files=files_on(twin))
    assert Source.OWN is models(files_on(twin), TONIGHT).purchasing_source
