"""Trying a campaign out over HTTP: whom it would reach and whom not, by real people, and nothing is written or sent."""

from typing import Any

import pytest

from ecrm.domain.api_keys import KeyKind
from tests.builders import a_consent, a_proof, a_site, a_topic
from tests.cloud import Answer, Cloud
from tests.functions.api import Shop, code_of, open_shop
from tests.functions.test_consents import a_customer, say
from tests.functions.test_suppressions import suppress
from tests.functions.test_unsubscribing import send

BUYERS = {"stats": {"field": "orders", "op": ">=", "value": 1}}
STAFF = KeyKind.STAFF
SUBJECTS = {"a": "Of the first sort", "b": "Of the second sort"}
TWO = [
    {
        "name": "all",
        "treatments": [{"name": name, "template": "newsletter", "data": {"title": said}} for name, said in SUBJECTS.items()],
    }
]


@pytest.fixture
def shop(cloud: Cloud) -> Shop:
    """A shop with eight buyers beside its first one: six agreed to its news, of whom one address bounces since."""
    shop = open_shop(cloud)
    site = a_site(sender="hello@example.com", postal_address="Ringstraße 1, Berlin")
    assert 200 == shop.call("PUT", "/v1/sites/de", site, key=cloud.key(STAFF)).status
    assert shop.call("PUT", "/v1/topics/news", a_topic(), key=cloud.key(STAFF)).status in (200, 201)
    for number in range(8):
        customer_id = a_customer(shop, email=f"reader{number}@example.com")
        if number < 6:
            assert 201 == say(shop, customer_id, a_consent(topic="news", proof=a_proof())).status
    assert 201 == suppress(shop, "reader0@example.com", "hard_bounce").status
    cloud.project()
    return shop


def simulated(shop: Shop, **changes: Any) -> Answer:
    body = {"name": "Spring", "topic": "news", "audience": {"include": BUYERS}, "messages": TWO} | changes
    assert shop.call("PUT", "/v1/campaigns/spring", body, key=shop.cloud.key(STAFF)).status in (200, 201)
    return shop.call("POST", "/v1/campaigns/spring/simulate", key=shop.cloud.key(STAFF))


def ends(answer: Answer) -> dict[tuple[str, str | None], int]:
    return {(end["name"], end["reason"]): end["people"] for end in answer.json["ends"]}


def test_it_says_who_and_how_many_and_who_not_and_why(shop: Shop) -> None:
    answer = simulated(shop, control_percent=0)
    assert 200 == answer.status
    assert {"people": 9, "exact": True, "customers": 9, "read": 9, "night": None} == answer.json["audience"]
    assert {("planned", None): 5, ("no_consent", None): 3, ("suppressed", None): 1} == ends(answer)
    assert (9, [], None) == (answer.json["looked_at"], answer.json["problems"], answer.json["effect"])
    assert 5 == sum(each["people"] for each in answer.json["treatments"])
    assert {("all", "a"), ("all", "b")} >= {(each["message"], each["treatment"]) for each in answer.json["treatments"]}


def test_the_control_group_is_the_one_that_a_run_would_hold_out(shop: Shop) -> None:
    answer = simulated(shop, control_percent=50)
    held_out = ends(answer).get(("held_out", None), 0)
    assert 5 == held_out + ends(answer).get(("planned", None), 0)
    effect = answer.json["effect"]
    assert (5 - held_out, held_out, 1.0, None) == tuple(effect[name] for name in ("treated", "control", "baseline", "smallest"))
    assert answer.json["ends"] == simulated(shop, control_percent=50).json["ends"]


def test_who_waits_for_the_pilot_has_no_treatment_yet(shop: Shop) -> None:
    answer = simulated(shop, control_percent=0, pilot={"percent": 1, "wait_minutes": 60})
    people = {(each["message"], each["treatment"]): each["people"] for each in answer.json["treatments"]}
    assert (5, True) == (sum(people.values()), people["all", None] > 0)


def test_the_mails_are_those_of_people_whom_it_would_reach_and_their_links_open_nothing(shop: Shop) -> None:
    mails = simulated(shop, control_percent=0).json["mails"]
    assert [("a", SUBJECTS["a"], None), ("b", SUBJECTS["b"], None), ("a", SUBJECTS["a"], None)] == [
        (mail["treatment"], mail["subject"], mail["failure"]) for mail in mails
    ]
    assert 3 == len({mail["customer_id"] for mail in mails})
    for mail in mails:
        _, _, rest = mail["text"].partition("https://example.com/public/u/")
        token = rest.split()[0]
        assert 404 == send(f"/public/u/{token}", method="GET").status


def test_what_it_costs_is_what_the_campaign_says(shop: Shop) -> None:
    costs = {"currency": "EUR", "fixed": "120.00", "per_message": "0.005"}
    answer = simulated(shop, control_percent=0, costs=costs)
    assert {"currency": "EUR", "amount": "120.02"} == answer.json["cost"]


def test_the_next_three_occurrences_are_said(shop: Shop) -> None:
    schedule = {"day": "2040-01-30", "at": "09:00", "every": {"unit": "month", "days": [-1]}}
    answer = simulated(shop, schedule=schedule)
    assert ["2040-01-31T08:00:00Z", "2040-02-29T08:00:00Z", "2040-03-31T07:00:00Z"] == [
        at.replace(".000000", "") for at in answer.json["occurrences"]
    ]


NOON = {"day": "2040-01-30", "at": "12:00"}
"""Of the site's clock, in Berlin; it is eleven by UTC."""
AT_NIGHT = {"day": "2040-01-30", "at": "22:00"}


def test_whom_it_could_only_reach_after_its_end_is_expired(shop: Shop) -> None:
    reached = ("planned", None)
    always = {("no_consent", None): 3, ("suppressed", None): 1}
    morning = {"start": "09:00", "end": "10:00"}
    tried = [
        ({"schedule": NOON, "expires_after_hours": 1}, reached),
        ({"schedule": AT_NIGHT, "expires_after_hours": 10}, ("expired", "quiet_hours")),
        ({"schedule": AT_NIGHT, "expires_after_hours": 11}, reached),
        ({"schedule": NOON, "window": morning, "expires_after_hours": 21}, ("expired", "window")),
        ({"schedule": NOON, "window": morning, "expires_after_hours": 22}, reached),
        ({"schedule": AT_NIGHT | {"local": True}, "expires_after_hours": 10}, ("expired", "quiet_hours")),
        ({"schedule": AT_NIGHT | {"local": True}, "expires_after_hours": 11}, reached),
    ]
    for said, end in tried:
        answer = simulated(shop, control_percent=0, costs={"currency": "EUR", "per_message": "1"}, **said)
        assert {end: 5} | always == ends(answer), said
        assert ("5.00" if end == reached else "0.00") == answer.json["cost"]["amount"]
        assert (5 if end == reached else 0) == sum(each["people"] for each in answer.json["treatments"])


def test_the_hours_are_those_of_each_readers_own_clock(shop: Shop) -> None:
    """When it is noon in Berlin it is midnight in Auckland."""
    for number, zone in ((1, "Pacific/Auckland"), (2, "America/New_York")):
        body = {"email": f"reader{number}@example.com", "traits": {"time_zone": zone}}
        assert 200 == shop.call("PUT", "/v1/customers", body).status
    answer = simulated(shop, control_percent=0, schedule=NOON, expires_after_hours=8)
    assert {("planned", None): 4, ("expired", "quiet_hours"): 1, ("no_consent", None): 3, ("suppressed", None): 1} == ends(answer)


def test_who_waits_for_the_pilot_has_what_is_left_of_the_day(shop: Shop) -> None:
    said = {"schedule": NOON, "control_percent": 0, "expires_after_hours": 12, "pilot": {"percent": 1, "wait_minutes": 600}}
    answer = simulated(shop, **said)
    tried = {each["treatment"]: each["people"] for each in answer.json["treatments"]}
    assert (False, 5) == (None in tried, ends(answer)["expired", "quiet_hours"] + sum(tried.values()))
    assert 5 == ends(simulated(shop, **said | {"pilot": {"percent": 1, "wait_minutes": 500}}))["planned", None]


def test_what_hinders_it_is_said_instead(shop: Shop) -> None:
    answer = simulated(shop, topic="nothing")
    assert [("/topic", "unknown_topic")] == [(each["pointer"], each["code"]) for each in answer.json["problems"]]
    assert (None, [], []) == (answer.json["audience"], answer.json["ends"], answer.json["mails"])


def test_a_schedule_that_is_over_hinders_nobody_from_looking(shop: Shop) -> None:
    answer = simulated(shop, schedule={"day": "2020-01-01", "at": "09:00"})
    assert [("/schedule", "in_the_past")] == [(each["pointer"], each["code"]) for each in answer.json["problems"]]
    assert (9, []) == (answer.json["audience"]["people"], answer.json["occurrences"])


def test_nothing_is_written(shop: Shop) -> None:
    simulated(shop)
    before = shop.cloud.items()
    assert 200 == shop.call("POST", "/v1/campaigns/spring/simulate", key=shop.cloud.key(STAFF)).status
    kept = [item for item in shop.cloud.items() if not item["PK"]["S"].startswith(("LIST#keys", "REPLAY#"))]
    assert [item for item in before if not item["PK"]["S"].startswith(("LIST#keys", "REPLAY#"))] == kept


def test_a_campaign_that_is_not_there_cannot_be_tried(shop: Shop) -> None:
    assert (404, "campaign_not_found") == code_of(shop.call("POST", "/v1/campaigns/nothing/simulate", key=shop.cloud.key(STAFF)))
