"""Consents at the door."""

from collections.abc import Callable

from ecrm.application.consent import ChangeConsents, Changed, ConsentsView
from ecrm.application.consent import refuse as refuse_changes
from ecrm.application.ports import Outcome, Request, Topics
from ecrm.contracts.consent import ChangeConsentsBody, ConsentBody, ConsentsBody

from .http import Call, Reply

type Change = Callable[[ChangeConsents, Request | None], Changed]
type Read = Callable[[str], ConsentsView]


def shown(call: Call, read: Read) -> Reply:
    return Reply(200, ConsentsBody.of(read(call.path["customer_id"])))


def change(call: Call, change_consents: Change, read: Read) -> Reply:
    """Take what was said; the answer is what holds then, 201 where some of it was new."""
    body: ChangeConsentsBody = call.body
    changed = change_consents(_command(call, call.path["customer_id"], body.consents), call.request)
    made = changed.outcome is Outcome.CREATED
    replayed = {"idempotent-replayed": "true"} if changed.replayed else {}
    return Reply(201 if made else 200, shown(call, read).body, replayed, counted=int(made and not changed.replayed))


def refuse_wrong(call: Call, said: list[ConsentBody] | None, *, topics: Topics) -> None:
    """Refuse consents that a profile brings before the profile is written. Raises Invalid."""
    if said:
        refuse_changes([one.to_change() for one in said], topics.named({one.topic for one in said}), call.now)


def also_change(call: Call, customer_id: str, said: list[ConsentBody] | None, change_consents: Change) -> None:
    """Take the consents that a profile brings, once the profile is written."""
    if said:
        change_consents(_command(call, customer_id, said), None)


def _command(call: Call, customer_id: str, said: list[ConsentBody]) -> ChangeConsents:
    changes = tuple(one.to_change() for one in said)
    return ChangeConsents(customer_id=customer_id, changes=changes, site=call.site(None), source=call.source)
