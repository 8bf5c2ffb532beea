"""Trying a campaign out at the door."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ecrm.contracts.simulations import SimulationBody
from ecrm.domain.api_keys import Scope
from ecrm.domain.campaigns import Campaign

from .campaigns import CampaignRoom, reached
from .http import Call, HttpApi, Reply

if TYPE_CHECKING:  # the same as in its contract
    from ecrm.application.simulations import Simulation

TRIED_SECONDS = 12
"""After which it goes by what it has read; of the 29 seconds that API Gateway waits, the rest is for what has begun."""


class Simulate(Protocol):
    def __call__(self, campaign: Campaign, is_late: Callable[[], bool]) -> "Simulation": ...


def with_simulation(api: HttpApi, room: Callable[[], CampaignRoom], use: Simulate) -> HttpApi:
    @api.route("POST", "/v1/campaigns/{campaign}/simulate", scope=Scope.CAMPAIGNS_WRITE, answer=SimulationBody)
    def simulate_campaign(call: Call) -> Reply:
        """Say whom the newest version would reach now, whom not and why, what it costs and what is seen. Nothing is sent."""
        campaign = reached(call, room()).campaign
        until = time.monotonic() + TRIED_SECONDS
        return Reply(200, SimulationBody.of(use(campaign, lambda: time.monotonic() > until)))

    return api
