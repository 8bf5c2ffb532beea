"""That a customer is there, or at least not erased: what whatever is said of them is written under."""

from ecrm.domain.customers import Customer

from . import keys
from .table import Check, as_seen

_PRESENT = "attribute_exists(PK) AND attribute_not_exists(merged_into) AND attribute_not_exists(erased_at)"


def present(customer_id: str, found: Customer | None = None) -> Check:
    """Hold a transaction to a customer who is neither merged nor erased; where `found` is given, to that version of them."""
    key = keys.profile(customer_id)
    if found is None:
        return Check(key, _PRESENT, "customer is there, neither merged nor erased")
    unchanged, values = as_seen(found.version)
    return Check(key, f"{_PRESENT} AND {unchanged}", "customer is there as they were seen", values)


def unerased(customer_id: str) -> Check:
    """Hold a transaction to a customer who is not erased; one who was merged is still to be taken out of where they were."""
    return Check(keys.profile(customer_id), "attribute_not_exists(erased_at)", "customer is not erased")
