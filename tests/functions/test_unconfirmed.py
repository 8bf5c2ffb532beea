"""Sign-ups that nobody confirms, through the functions: a night asks for the job, and the job removes who is due."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ecrm.domain.api_keys import KeyKind
from plan_night.handler import handler as plan
from tests.cloud import Cloud
from tests.functions.api import Shop, open_shop
from tests.functions.mail import send
from tests.functions.test_subscribe import asked, subscribe

EMAIL = "nobody@example.com"


@pytest.fixture
def shop(cloud: Cloud) -> Shop:
    opened = open_shop(cloud)
    cloud.arm()
    cloud.secrets["form"] = cloud.key(KeyKind.WRITE)
    return opened


def long_ago(cloud: Cloud) -> None:
    """Let thirty days have gone by for those who have not confirmed: their end, and what tells when they were asked."""
    for item in cloud.items():
        if item.get("work", {}).get("S") == "unconfirmed":
            item["due"] = {"S": "2026-01-31T00:00:00.000000Z"}
        elif item["type"]["S"] == "message.requested":
            cloud.dynamodb.delete_item(TableName="table", Key={"PK": item["PK"], "SK": item["SK"]})
            item["SK"] = {"S": "EVENT#2026-01-01T00:00:00.000000Z#asked"}
            item["occurred_at"] = {"S": "2026-01-01T00:00:00.000000Z"}
        else:
            continue
        cloud.dynamodb.put_item(TableName="table", Item=item)


def found(shop: Shop) -> list[Any]:
    told: list[Any] = shop.call("POST", "/v1/customers/lookup", {"email": EMAIL}).json["data"]
    return told


def jobs(shop: Shop) -> list[tuple[str, str, dict[str, int]]]:
    told = shop.call("GET", "/v1/jobs", key=shop.cloud.key(KeyKind.STAFF)).json["data"]
    return [(job["kind"], job["state"], job["counts"]) for job in told]


def night() -> None:
    plan({"scheduled_at": datetime.now(UTC).isoformat()}, None)


def test_a_night_with_nobody_to_remove_asks_for_no_job(shop: Shop) -> None:
    subscribe(shop, asked(email=EMAIL))
    night()
    assert ([], 1) == (jobs(shop), len(found(shop)))


def test_who_never_confirmed_is_gone_with_the_night_and_who_was_known_before_is_not(shop: Shop) -> None:
    before = shop.call("GET", f"/v1/customers/{shop.customer_id}").json
    for email in (EMAIL, "sara@example.com"):
        subscribe(shop, asked(email=email))
    assert 2 == len(send(shop))
    long_ago(shop.cloud)
    night()
    night()
    shop.cloud.publish()
    assert [] == shop.cloud.run_jobs()
    assert [("remove_unconfirmed", "done", {"removed": 1})] == jobs(shop)
    assert ([], before) == (found(shop), shop.call("GET", f"/v1/customers/{shop.customer_id}").json)
