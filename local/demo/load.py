"""Load the CDNOW sample through the batch endpoint, and check the statistics against the file."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from local.api import Api, ApiError
from local.demo.cdnow import Purchase, Sums, batches

LANES = 4
BATCH = 50


@dataclass(slots=True)
class Loaded:
    """What became of the orders, and who the customers are."""

    created: int = 0
    replayed: int = 0
    customer_ids: dict[str, str] = field(default_factory=dict)
    """Each with what the shop calls them."""

    @property
    def orders(self) -> int:
        """All that were answered."""
        return self.created + self.replayed

    def add(self, batch: Iterable[Purchase], answer: dict[str, Any]) -> None:
        """Count what was answered to one batch. A refused order is a defect of the demo or of the API."""
        if answer["rejected"]:
            refused = [result for result in answer["results"] if result.get("error")]
            raise ApiError(f"{answer['rejected']} orders were refused, such as {refused[0]}")
        self.created += answer["created"]
        self.replayed += answer["replayed"]
        self.customer_ids |= {
            result["customer_id"]: purchase.customer for purchase, result in zip(batch, answer["results"], strict=True)
        }


def load(api: Callable[[], Api], purchases: Iterable[Purchase], progress: Callable[[int], None]) -> Loaded:
    """Place every purchase as an order, over a few connections; a customer's orders stay in order in one of them."""
    loaded = Loaded()

    def walk(lane: list[list[Purchase]]) -> None:
        with api() as connection:
            for batch in lane:
                orders = {"orders": [purchase.to_order() for purchase in batch]}
                loaded.add(batch, connection.post("/v1/orders/batch", orders, 200))
                progress(loaded.orders)

    with ThreadPoolExecutor(LANES) as pool:
        list(pool.map(walk, batches(purchases, lanes=LANES, size=BATCH)))
    return loaded


def sum_statistics(api: Callable[[], Api], customer_ids: Iterable[str], progress: Callable[[int], None]) -> Sums:
    """Ask for each customer's statistics and sum them."""
    ids = sorted(customer_ids)
    statistics: list[dict[str, Any]] = []

    def ask(lane: list[str]) -> None:
        with api() as connection:
            for customer_id in lane:
                statistics.append(connection.get(f"/v1/customers/{customer_id}/stats"))
                progress(len(statistics))

    with ThreadPoolExecutor(LANES) as pool:
        list(pool.map(ask, [ids[at::LANES] for at in range(LANES)]))
    return Sums.of_statistics(statistics)
