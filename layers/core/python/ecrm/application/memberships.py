"""Which segments a customer is in, as the last night that was published found it."""

from .segment_ports import Memberships, Nights, Pointer


def held_segments(customer_id: str, *, nights: Nights, memberships: Memberships) -> list[str]:
    """Give the names of the segments that a customer is in, in order; none before the first night."""
    return segments_at(nights.pointer(), customer_id, nights=nights, memberships=memberships)


def segments_at(pointer: Pointer, customer_id: str, *, nights: Nights, memberships: Memberships) -> list[str]:
    night = nights.find(pointer.night) if pointer.night else None
    found = memberships.of(customer_id, tuple(night.sizes)) if night else {}
    return sorted(segment for segment, membership in found.items() if pointer.generations.hold(membership))
