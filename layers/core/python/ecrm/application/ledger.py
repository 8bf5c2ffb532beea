"""The ledger of sends: a change of an entry is written once, told to its customer, and decided anew where somebody was faster."""

from collections.abc import Callable
from datetime import datetime

from ecrm.domain.budgets import Budget, free
from ecrm.domain.customers import Customer
from ecrm.domain.errors import NotFound
from ecrm.domain.messages import NEVER_SENT, Policy, Send, told

from .identity import root
from .mail_ports import Sends
from .ports import Contended, Customers

ATTEMPTS = 12


def changed(send: Send, change: Callable[[Send, datetime], Send], *, sends: Sends, customers: Customers, now: datetime) -> Send:
    """Write what a change makes of a send and tell it; whoever was faster is read, and the change decided anew.

    A place in the budget of a marketing mail that was claimed and certainly never sent is given back with it.
    """
    for _ in range(ATTEMPTS):
        after = change(send, now)
        if after == send:
            return send
        budget = _freed(after, sends, customers)
        try:
            there = sends.write(after, told(send, after, now), budget)
        except Contended:
            continue
        if there is None:
            return after
        send = there
    raise Contended("many write this entry at once; try again")


def _freed(after: Send, sends: Sends, customers: Customers) -> Budget | None:
    if after.policy is not Policy.MARKETING or after.attempt == 0 or after.status not in NEVER_SENT:
        return None
    try:
        owner = _owner(after, customers)
    except NotFound:  # erased, and the budget with them
        return None
    budget = sends.budget(owner)
    freed = free(budget, after)
    return None if freed == budget else freed


def _owner(send: Send, customers: Customers) -> Customer:
    """Give whose budget has the place of a send: for a run the customer of the entry, whoever they turned out to be since."""
    theirs = customers.find(send.customer_id) if send.is_of_many else None
    return theirs or root(send.customer_id, customers=customers)
