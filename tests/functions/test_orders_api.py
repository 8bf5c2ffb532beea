from orders_api.handler import handler
from tests.builders import an_event, an_order
from tests.cloud import Cloud


def test_an_order_comes_in_and_is_tracked_to_its_end(cloud: Cloud) -> None:
    placed = cloud.call(handler, "POST", "/v1/orders", an_order())
    assert (201, "placed", 1) == (placed.status, placed.json["status"], placed.json["version"])
    for at, said in enumerate(("paid", "packed", "shipped", "delivered"), start=2):
        moved = cloud.call(handler, "POST", "/v1/orders/A-1001/events", an_event(said))
        assert (201, said, at) == (moved.status, moved.json["status"], moved.json["version"])
    cloud.project()
    assert "delivered" == cloud.call(handler, "GET", "/v1/orders/A-1001").json["status"]
