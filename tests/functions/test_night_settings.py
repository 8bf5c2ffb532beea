"""What a company sets for its nights reaches the plan that all steps go by."""

from datetime import UTC, datetime, timedelta

import pytest

from ecrm import bootstrap
from ecrm.analytics.forecasts import Horizon
from ecrm.analytics.rfm import CELLS, GroupTable
from ecrm.application.night_ports import NightSettings, Place
from ecrm.domain.lifecycle import Thresholds
from plan_night.handler import handler
from tests.cloud import Time

NAMES = [f"{recency}_{value}" for recency in "abcde" for value in "vwxyz"]


def planned() -> NightSettings:
    """Plan a night of the next day, which is never late."""
    answer = handler({"scheduled_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()}, Time())
    (night,) = bootstrap.nights().newest(after=None, limit=1).items
    assert answer["night"] == night.night.isoformat()
    plan = bootstrap.night_files().plan(Place(night.night, night.generation))
    assert plan is not None
    return plan.settings


@pytest.mark.usefixtures("cloud")
def test_a_company_that_sets_nothing_has_the_usual_groups_and_times() -> None:
    assert planned() == NightSettings(
        time_zone="UTC",
        lifecycle=Thresholds(at_risk_days=180, lost_days=365),
        groups=GroupTable(CELLS),
        horizon=Horizon(days=365, discount_percent=10),
    )


@pytest.mark.usefixtures("cloud")
def test_a_company_names_its_groups_and_sets_its_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIME_ZONE", "Pacific/Auckland")
    monkeypatch.setenv("LIFECYCLE_DAYS", "30,60,5,14")
    monkeypatch.setenv("RFM_GROUPS", ",".join(NAMES))
    monkeypatch.setenv("LIFETIME_VALUE", "730,7.5")
    settings = planned()
    assert settings == NightSettings(
        time_zone="Pacific/Auckland",
        lifecycle=Thresholds(at_risk_days=30, lost_days=60, loyal_days=5, won_back_days=14),
        groups=GroupTable(tuple(tuple(NAMES[first : first + 5]) for first in range(0, 25, 5))),
        horizon=Horizon(days=730, discount_percent=7.5),
    )
    assert settings.groups.cells[0] == ("a_v", "a_w", "a_x", "a_y", "a_z")
