"""Suppressions at the door."""

from collections.abc import Callable
from datetime import datetime

from ecrm.application.ports import Outcome, Request, Suppressions
from ecrm.application.suppressions import LiftSuppression, SuppressAddress, Suppressed, look_up
from ecrm.contracts.suppressions import LiftSuppressionBody, LookUpSuppressionBody, SuppressAddressBody, SuppressionBody

from .http import Call, Reply


def suppress(call: Call, use: Callable[[SuppressAddress, Request | None], Suppressed]) -> Reply:
    body: SuppressAddressBody = call.body
    return _changed(use(body.to_command(call.source), call.request), call.now)


def lift(call: Call, use: Callable[[LiftSuppression, Request | None], Suppressed]) -> Reply:
    body: LiftSuppressionBody = call.body
    return _changed(use(body.to_command(call.source), call.request), call.now)


def looked_up(call: Call, *, suppressions: Suppressions) -> Reply:
    body: LookUpSuppressionBody = call.body
    address = body.to_address()
    return Reply(200, SuppressionBody.of(address, look_up(address, suppressions=suppressions), call.now))


def _changed(found: Suppressed, now: datetime) -> Reply:
    made = found.outcome is Outcome.CREATED
    replayed = {"idempotent-replayed": "true"} if found.replayed else {}
    body = SuppressionBody.of(found.address, found.suppression, now)
    return Reply(201 if made else 200, body, replayed, counted=int(made and not found.replayed))
