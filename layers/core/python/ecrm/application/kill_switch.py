"""The kill switch of sending: which table may send at all, and under which policies nothing is sent for now."""

from collections.abc import Callable
from dataclasses import replace

from ecrm.domain.messages import Policy

from .mail_ports import Pause, Sending, SendingControl
from .ports import Clock, Contended

ATTEMPTS = 12


def read_sending(*, control: SendingControl) -> tuple[Sending, bool]:
    """Give the kill switch, and whether this table is the one that may send."""
    sending = control.sending()
    return sending, sending.armed_for == control.table_id()


def arm(*, control: SendingControl) -> Sending:
    """Let this table send, and no copy of it."""
    table_id = control.table_id()
    return _switched(lambda seen: replace(seen, armed_for=table_id), control)


def pause(policy: Policy, *, reason: str, by: str, control: SendingControl, clock: Clock) -> Sending:
    """Send nothing under a policy, within two seconds. What is paused already stays so, since when it was."""
    since = Pause(clock.now(), by, reason)
    return _switched(lambda seen: replace(seen, paused={policy: since, **seen.paused}), control)


def resume(policy: Policy, *, control: SendingControl) -> Sending:
    """Send again; what is left goes out when somebody comes back to it, within minutes."""
    return _switched(
        lambda seen: replace(seen, paused={paused: why for paused, why in seen.paused.items() if paused is not policy}), control
    )


def _switched(change: Callable[[Sending], Sending], control: SendingControl) -> Sending:
    for _ in range(ATTEMPTS):
        seen = control.sending()
        after = change(seen)
        if after == seen:
            return seen
        after = replace(after, version=seen.version + 1)
        if control.write(after):
            return after
    raise Contended("many switch at once; try again")
