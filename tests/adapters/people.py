"""Customers for tests that are about something else."""

from ecrm import bootstrap
from ecrm.application.ports import Claim, Standing
from ecrm.domain.customers import Customer
from tests.builders import NOON


def here(customer_id: str) -> Standing:
    """A customer who is there, made at the first mention."""
    store = bootstrap.customers()
    if store.find(customer_id) is None:
        store.write(Claim(Customer(customer_id, (), NOON), 0, (), ()), None, NOON)
    return Standing(customer_id)
