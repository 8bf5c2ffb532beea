"""Which customer an order belongs to, and that no key tells who they are."""

import base64
import hashlib
import json
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest

from customers_api.handler import handler as customers
from ecrm import bootstrap
from ecrm.application.identity import MOST_IDENTIFIERS
from ecrm.domain.customers import Identifier, Kind
from ecrm.store.keys import SHAPES, identity
from orders_api.handler import handler
from tests.builders import a_stored_site, an_event, an_order
from tests.cloud import Cloud
from tests.faults import Kept

U1, U2, U3 = ({"user_id": f"user-{at}"} for at in (1, 2, 3))
E1, E2 = ({"email": f"{name}@example.com"} for name in ("sara", "omid"))
P1, P2 = ({"phone": f"+98912123456{at}"} for at in (1, 2))
B1, B2 = ({"anonymous_id": f"browser-{at}"} for at in (1, 2))
IN_FRANCE = {"site": "fr"}

STORIES: dict[str, list[tuple[dict[str, str], int]]] = {
    "the same user id is the same customer": [(U1, 0), (U1, 0)],
    "the same address is the same customer": [(E1, 0), (E1, 0)],
    "the same telephone alone is the same customer": [(P1, 0), (P1, 0)],
    "the same browser alone is the same customer": [(B1, 0), (B1, 0)],
    "other identifiers are other customers": [(U1, 0), (U2, 1), (E1, 2), (P1, 3), (B1, 4)],
    "a user id gains an address, which then speaks for it": [(U1, 0), (U1 | E1, 0), (E1, 0)],
    "an address gains a user id, which then speaks for it": [(E1, 0), (U1 | E1, 0), (U1, 0)],
    "two user ids that share an address are two customers": [(U1 | E1, 0), (U2 | E1, 1), (U2, 1), (U1, 0), (E1, 0)],
    "a third user id with that address is a third": [(U1 | E1, 0), (U2 | E1, 1), (U3 | E1, 2), (U3, 2)],
    "two user ids that share a telephone are two customers": [(U1 | P1, 0), (U2 | P1, 1), (P1, 0)],
    "a telephone does not speak beside an address": [(P1, 0), (E1 | P1, 1), (P1, 0), (E1, 1)],
    "a telephone does not speak beside a user id": [(P1, 0), (U1 | P1, 1), (U1, 1)],
    "a telephone speaks beside a browser": [(P1, 0), (B1 | P1, 0), (B1, 0)],
    "a browser gains an address": [(B1, 0), (B1 | E1, 0), (E1, 0)],
    "a browser under another address is another person": [(B1 | E1, 0), (B1 | E2, 1), (B1, 0), (E2, 1)],
    "a browser under another user id is another person": [(B1 | U1, 0), (B1 | U2, 1), (B1, 0)],
    "an identifier that another holds stays with them": [(U1 | E1, 0), (U2 | E2, 1), (U1 | E2, 0), (E2, 1)],
    "the strongest identifier decides": [
        (U1, 0),
        (E1, 1),
        (B1, 2),
        (P1, 3),
        (U1 | E1 | B1 | P1, 0),
        (E1 | B1 | P1, 1),
        (B1 | P1, 0),
    ],
    "a visitor whom an order names is one with its customer": [(B1, 0), (U1, 1), (U1 | B1, 1), (B1, 1)],
    "who the address cannot speak for, the browser may": [(U1 | E1, 0), (B1, 1), (U2 | E1 | B1, 1), (U2, 1)],
    "a user id is its site's own": [(U1, 0), (U1 | IN_FRANCE, 1), (U1, 0), (U1 | IN_FRANCE, 1)],
    "a browser is its site's own": [(B1, 0), (B1 | IN_FRANCE, 1)],
    "an address is one person's on every site": [(E1, 0), (E1 | IN_FRANCE, 0)],
    "an address joins the user ids of two sites": [(U1 | E1, 0), (U1 | E1 | IN_FRANCE, 0), (U1 | IN_FRANCE, 0)],
    "an address in capitals of its domain is the same": [
        (E1, 0),
        ({"email": "sara@EXAMPLE.com"}, 0),
        ({"email": "Sara@example.com"}, 1),
    ],
}


@pytest.fixture
def shop(cloud: Cloud) -> Cloud:
    france = a_stored_site("fr", brand="Note Bleue", languages=["fr"], time_zone="Europe/Paris")
    bootstrap.sites().write(france, seen=0)
    return cloud


def place(cloud: Cloud, order_id: str, said: dict[str, str]) -> str:
    customer = {kind: value for kind, value in said.items() if kind != "site"}
    site = {"site": said["site"]} if "site" in said else {}
    answer = cloud.call(
        handler, "POST", "/v1/orders", an_order(order_id=order_id, customer=customer, **site), key=cloud.key(sites="*")
    )
    assert 201 == answer.status
    customer_id: str = answer.json["customer_id"]
    return customer_id


def profile(cloud: Cloud, customer_id: str) -> Any:
    return cloud.call(customers, "GET", f"/v1/customers/{customer_id}").json


def read(cloud: Cloud, customer_id: str) -> list[tuple[str, str, str | None]]:
    return [(held["kind"], held["value"], held["site"]) for held in profile(cloud, customer_id)["identifiers"]]


def test_each_order_finds_its_customer(shop: Cloud) -> None:
    shop.key(sites="*")
    kept = Kept()
    for name, story in STORIES.items():
        kept.restore()
        found = [place(shop, f"A-{at}", said) for at, (said, _) in enumerate(story)]
        named = list(dict.fromkeys(found))
        assert (name, [whose for _, whose in story]) == (name, [named.index(customer_id) for customer_id in found])
        assert (name, len(named)) == (name, len(shop.items("PROFILE")))
        held = {customer["customer_id"]: customer["identifiers"] for customer in map(partial(profile, shop), named)}
        assert (name, sum(map(len, held.values()))) == (name, len(shop.items("IDENTITY")))


def test_a_customer_keeps_what_they_gained_in_order_and_the_timeline_says_when(shop: Cloud) -> None:
    customer_id = place(shop, "A-1", E1)
    assert [customer_id] * 2 == [place(shop, "A-2", U1 | E1 | P1), place(shop, "A-3", U1 | B1)]
    assert [
        ("email", "sara@example.com", None),
        ("user_id", "user-1", "de"),
        ("phone", "+989121234561", None),
        ("anonymous_id", "browser-1", "de"),
    ] == read(shop, customer_id)
    timeline = shop.call(
        customers, "GET", f"/v1/customers/{customer_id}/timeline", query="type=customer.created,customer.identified"
    )
    assert [
        ("customer.identified", ["anonymous_id"]),
        ("customer.identified", ["user_id", "phone"]),
        ("customer.created", ["email"]),
    ] == [(event["type"], [gained["kind"] for gained in event["data"]["identifiers"]]) for event in timeline.json["data"]]
    (profile,) = shop.items("PROFILE")
    assert "3" == profile["version"]["N"]


def test_a_profile_holds_fifty_identifiers_and_the_others_stay_free(shop: Cloud) -> None:
    first = place(shop, "A-0", U1)
    for at in range(1, MOST_IDENTIFIERS):
        assert first == place(shop, f"A-{at}", U1 | {"phone": f"+4930{at:07}"})
    full = read(shop, first)
    assert MOST_IDENTIFIERS == len(full)
    assert first == place(shop, "B-1", U1 | E1 | B1)
    assert full == read(shop, first)
    assert first != place(shop, "B-2", E1)
    assert 1 + MOST_IDENTIFIERS == len(shop.items("IDENTITY"))


def test_a_profile_with_room_for_one_takes_the_strongest(shop: Cloud) -> None:
    first = place(shop, "A-0", E1)
    for at in range(1, MOST_IDENTIFIERS - 1):
        assert first == place(shop, f"A-{at}", E1 | {"phone": f"+4930{at:07}"})
    assert first == place(shop, "B-1", E1 | U1 | B1)
    assert [("user_id", "user-1", "de")] == read(shop, first)[MOST_IDENTIFIERS - 1 :]
    assert first != place(shop, "B-2", B1)


PERSON = {
    "user_id": "Sara Ahmadi Qom",
    "email": "sara.ahmadi+shop@example.com",
    "phone": "+989121234567",
    "anonymous_id": "visitor of the night",
}


def everything_said(cloud: Cloud) -> None:
    for at in range(2):
        place(cloud, f"A-{at}", PERSON)
    for at, kind in enumerate(PERSON):
        place(cloud, f"B-{at}", {kind: PERSON[kind]} | IN_FRANCE)
    for said in ("paid", "shipped", "shipment_updated", "delivered", "amended", "returned", "refunded", "cancelled"):
        words = {"reason": PERSON["email"]} if said in ("amended", "returned", "refunded", "cancelled") else {}
        answer = cloud.call(
            handler,
            "POST",
            "/v1/orders/A-1/events",
            an_event(said, **words),
            headers={"idempotency-key": PERSON["email"]},
            key=None,
        )
        assert {201, 422} >= {answer.status}
    cloud.project()


def spellings(value: str) -> set[str]:
    """How a value might stand in a key: as it is, without its signs, encoded, or under a hash that anybody could make."""
    raw = value.encode()
    made = {
        value,
        value.removeprefix("+"),
        quote(value),
        quote(value, safe=""),
        raw.hex(),
        base64.b64encode(raw).decode().rstrip("="),
    }
    made |= {base64.urlsafe_b64encode(raw).decode().rstrip("="), *value.replace("@", " ").replace("+", " ").split()}
    made |= {
        digest(said.encode()).hexdigest()
        for said in (value, value.lower())
        for digest in (hashlib.md5, hashlib.sha1, hashlib.sha256)
    }
    return {spelling.casefold() for spelling in made if len(spelling) > 3}


def test_no_key_of_any_item_tells_who_somebody_is(shop: Cloud) -> None:
    everything_said(shop)
    items = shop.items()
    kinds = {item["type"]["S"].partition(".")[0] for item in items}
    assert {
        "profile",
        "identity",
        "order",
        "order_pointer",
        "order_listing",
        "statistics",
        "replay",
        "key",
        "site",
        "customer",
    } == kinds
    keys = " ".join(item[name]["S"] for item in items for name in ("PK", "SK")).casefold()
    assert set() == {said for value in PERSON.values() for said in spellings(value) if said in keys}
    bodies = json.dumps(items)
    assert all(json.dumps(value)[1:-1] in bodies for value in PERSON.values())  # the search does find what is there


def test_an_identity_s_key_needs_the_secret_and_tells_kinds_sites_and_values_apart() -> None:
    said = [
        Identifier(Kind.USER_ID, "x", "de"),
        Identifier(Kind.USER_ID, "x", "fr"),
        Identifier(Kind.ANONYMOUS_ID, "x", "de"),
        Identifier(Kind.EMAIL, "x"),
        Identifier(Kind.PHONE, "x"),
        Identifier(Kind.USER_ID, "ex", "d"),
        Identifier(Kind.EMAIL, "dex"),
    ]
    keys = {identity(identifier, secret) for identifier in said for secret in (b"one", b"two")}
    assert 2 * len(said) == len({key.pk.rpartition("#")[2] for key in keys})
    assert {("IDENTITY", 64)} == {(key.sk, len(key.pk.rpartition("#")[2])) for key in keys}
    assert SHAPES["identity"] == ("IDENTITY#<kind>#<hmac>", "IDENTITY")


def test_an_identity_says_only_whose_it_is(shop: Cloud) -> None:
    customer_id = place(shop, "A-1", PERSON)
    attributes: list[dict[str, Any]] = [
        {name: value for name, value in item.items() if name != "PK"} for item in shop.items("IDENTITY")
    ]
    expected = {"SK": {"S": "IDENTITY"}, "type": {"S": "identity"}, "v": {"N": "1"}, "customer_id": {"S": customer_id}}
    assert [expected] * 4 == attributes
