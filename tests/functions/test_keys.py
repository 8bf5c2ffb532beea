"""Who may do what: every kind of key, and everything that is none, on every route of the description."""

import base64
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from customers_api.handler import handler as customers
from ecrm import bootstrap
from ecrm.application.api_keys import create_key, revoke_key
from ecrm.domain.api_keys import ALLOWED, ApiKey, KeyKind, Scope
from ecrm.entry.http import KEY_CACHE_SECONDS, KEY_CACHE_SIZE
from tests.cloud import Answer
from tests.faults import tapped
from tests.functions.api import DESCRIPTION, KEYED, NOBODY, OPERATIONS, Operation, Shop, a_new_order, ask
from tests.functions.mail import ses

UNIQUE = {"type": "packed", "occurred_at": "2026-11-20T18:04:00Z"}


def basic(secret: str) -> str:
    return "Basic " + base64.b64encode(secret.encode()).decode()


def make(kind: KeyKind, *, scopes: frozenset[Scope] | None = None, days: int | None = None) -> tuple[str, ApiKey]:
    return create_key(
        kind=kind,
        site="de",
        sites=frozenset(),
        scopes=scopes,
        name="",
        expires_at=None if days is None else bootstrap.clock.now() + timedelta(days=days),
        keys=bootstrap.api_keys(),
        known_sites=bootstrap.sites(),
        clock=bootstrap.clock,
        ids=bootstrap.ids,
    )


def a_revoked_key() -> str:
    secret, key = make(KeyKind.SERVER)
    revoke_key(key.key_id, keys=bootstrap.api_keys(), clock=bootstrap.clock)
    return secret


NOT_A_KEY: dict[str, Callable[[Shop], str | None]] = {
    "no header": lambda _: None,
    "an empty header": lambda _: "",
    "no scheme": lambda shop: shop.key,
    "the scheme alone": lambda _: "Bearer",
    "the scheme and a blank": lambda _: "Bearer ",
    "another scheme": lambda shop: f"Digest {shop.key}",
    "an unknown key": lambda _: "Bearer ecrm_server_" + "0" * 40,
    "half a key": lambda shop: f"Bearer {shop.key[:-1]}",
    "a longer key": lambda shop: f"Bearer {shop.key}0",
    "a trailing space": lambda shop: f"Bearer {shop.key} ",
    "two spaces": lambda shop: f"Bearer  {shop.key}",
    "another case": lambda shop: f"Bearer {shop.key.upper()}",
    "10 KB": lambda _: "Bearer " + "k" * 10_240,
    "10 KB of Basic": lambda _: basic("k" * 10_240),
    "not ASCII": lambda _: "Bearer schlüssel",
    "half a character": lambda _: "Bearer \ud800",
    "the hash that the table keeps": lambda _: f"Bearer {a_stored_hash()}",
    "Basic that is no base64": lambda _: "Basic %%%",
    "Basic that is no UTF-8": lambda _: "Basic " + base64.b64encode(b"\xff\xfe").decode(),
    "Basic without a user name": lambda shop: basic(f":{shop.key}"),
    "an expired key": lambda _: f"Bearer {make(KeyKind.SERVER, days=-1)[0]}",
    "a revoked key": lambda _: f"Bearer {a_revoked_key()}",
    "two keys": lambda shop: f"Bearer {shop.key}, Bearer {shop.key}",
}


@pytest.fixture(autouse=True)
def tested(shop: Shop) -> Iterator[None]:
    """Tests of templates can be sent, and go nowhere."""
    shop.cloud.arm()
    site = next(operation for operation in OPERATIONS if operation.name == "put_site").example
    for name in ("de", "fr"):
        assert 200 == shop.call("PUT", f"/v1/sites/{name}", site, key=shop.cloud.key(KeyKind.STAFF)).status
    with ses():
        yield


def a_stored_hash() -> str:
    items = bootstrap.table().query("LIST#keys")
    return str(next(items)["SK"])


@pytest.mark.parametrize("what", NOT_A_KEY)
def test_what_is_no_valid_key_is_told_so_and_nothing_more(shop: Shop, what: str) -> None:
    header = NOT_A_KEY[what](shop)
    answer = ask("GET", "/v1/orders", headers={} if header is None else {"authorization": header})
    assert 401 == answer.status
    assert "Bearer" == answer.headers["www-authenticate"]
    assert {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "a valid API key is needed",
        "code": "unauthenticated",
        "errors": [],
        "correlation_id": "request-1",
    } == answer.json


@pytest.mark.parametrize(
    "header",
    [
        lambda key: f"Bearer {key}",
        lambda key: f"bearer {key}",
        lambda key: f"BEARER {key}",
        lambda key: basic(f"{key}:"),
        basic,
        lambda key: basic(f"{key}:password"),
    ],
    ids=["Bearer", "bearer", "BEARER", "Basic as Segment's libraries send it", "Basic without a colon", "Basic with a password"],
)
def test_a_key_is_taken_in_every_usual_way(shop: Shop, header: Callable[[str], str]) -> None:
    assert 200 == ask("GET", "/v1/orders", headers={"authorization": header(shop.key)}).status


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a key, and what they may do: None is nothing, not even to know."""

    name: str
    key: Callable[[], str]
    scopes: frozenset[Scope] | None

    def expected(self, operation: Operation) -> tuple[int, str]:
        if self.scopes is None:
            return 401, "unauthenticated"
        return (200, "") if operation.scope in self.scopes else (403, "scope_missing")


def with_scopes(*scopes: Scope) -> Caller:
    kind = KeyKind.SERVER if ALLOWED[KeyKind.SERVER].issuperset(scopes) else KeyKind.STAFF
    only = frozenset(scopes)
    return Caller(f"only {[*scopes]}", lambda: make(kind, scopes=only)[0], only)


CALLERS = [
    Caller("a write key", lambda: make(KeyKind.WRITE)[0], ALLOWED[KeyKind.WRITE]),
    Caller("a server key", lambda: make(KeyKind.SERVER)[0], ALLOWED[KeyKind.SERVER]),
    Caller("a staff key", lambda: make(KeyKind.STAFF)[0], ALLOWED[KeyKind.STAFF]),
    with_scopes(),
    *map(with_scopes, Scope),
    Caller("an unknown key", lambda: "ecrm_server_unknown", None),
    Caller("an expired key", lambda: make(KeyKind.STAFF, days=-1)[0], None),
    Caller("a revoked key", a_revoked_key, None),
]


def ask_well(shop: Shop, operation: Operation, key: str | None) -> Answer:
    """A request that is right but for the key."""
    own = {"customer_id": shop.somebody()} if operation.name == "erase_customer" else {}
    path = operation.at(**shop.names(operation) | own)
    body = UNIQUE if operation.name == "record_event" else operation.example
    if key is None:
        sent = None if operation.scope else operation.example
        return ask(operation.method, path, json.dumps(sent) if sent else None, headers={"content-type": "application/json"})
    return shop.call(operation.method, path, body, key=key)


@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.name)
def test_a_key_does_what_its_scopes_say_on_every_route(shop: Shop, caller: Caller) -> None:
    shop.campaigns.pop("launched", None)  # each caller launches one of their own
    key = caller.key()
    expected = {operation.name: caller.expected(operation) for operation in KEYED}
    answers = {operation.name: ask_well(shop, operation, key) for operation in KEYED}
    assert expected == {
        name: (200 if answer.status in (200, 201, 202) else answer.status, answer.json.get("code", ""))
        for name, answer in answers.items()
    }


def test_without_a_key_only_the_reference_the_browsers_settings_and_who_lost_a_link_are_answered(shop: Shop) -> None:
    expected = {operation.name: 401 if operation.scope else 202 if operation.takes_forms else 200 for operation in OPERATIONS}
    assert expected == {operation.name: ask_well(shop, operation, None).status for operation in OPERATIONS}


def test_a_key_is_asked_for_before_anything_is_said_about_what_there_is(shop: Shop) -> None:
    for operation in KEYED:
        path = operation.at(order_id="nothing", customer_id=NOBODY, site="nowhere")
        assert 401 == ask(operation.method, path, "{", query="a=1&a=2", headers={"idempotency-key": "é"}).status
        refused = shop.call(operation.method, path, "{", key=shop.cloud.key(KeyKind.WRITE), query="a=1&a=2")
        assert (400 if operation.scope in ALLOWED[KeyKind.WRITE] else 403) == refused.status


def test_guesses_fill_no_memory_and_shut_nobody_out(shop: Shop) -> None:
    customers._seen_keys.update({f"guess {number}": (math.inf, None) for number in range(KEY_CACHE_SIZE)})
    assert 401 == ask("GET", f"/v1/customers/{NOBODY}", headers={"authorization": "Bearer guess"}).status
    assert 1 == len(customers._seen_keys)
    assert 404 == shop.call("GET", f"/v1/customers/{NOBODY}").status


# ── sites ────────────────────────────────────────────────────────────────────────────────────────────────────────────

NAMING_A_SITE = [
    *("place_order", "record_event", "read_order", "list_orders", "find_orders", "make_link", "record_contact"),
    *("put_customer", "update_customer", "find_customers", "request_message", "preview_template", "request_import", "subscribe"),
    *("send_test", "put_campaign"),
]


TO_AN_ADDRESS: dict[str, Any] = {"template": "order-link", "customer": {"email": "ann@example.com"}}
"""On a site where nobody has the user id of the example."""

ELSEWHERE = {"user_id": "f-1"}
"""Not the example's customer: with their address, who has their user id on that site would absorb the one of this site."""


def key_of(shop: Shop, name: str, sites: str) -> str:
    """A key that may do it: templates and campaigns are the staff's."""
    return shop.cloud.key(KeyKind.STAFF if name in ("send_test", "put_campaign") else KeyKind.SERVER, sites=sites)


def about_site(shop: Shop, name: str, site: str, key: str) -> Answer:
    operation = next(operation for operation in OPERATIONS if operation.name == name)
    path = "/v1/campaigns/of-one-site" if name == "put_campaign" else operation.at(**shop.there)
    if operation.method == "GET":
        return shop.call("GET", path, key=key, query=f"site={site}")
    own = {"record_event": UNIQUE, "request_message": TO_AN_ADDRESS, "put_customer": ELSEWHERE}
    own["place_order"] = a_new_order(customer=ELSEWHERE)
    body = own.get(name, operation.example)
    return shop.call(operation.method, path, body | {"site": site}, key=key)


@pytest.mark.parametrize("name", NAMING_A_SITE)
@pytest.mark.parametrize(
    ("sites", "asked", "expected"),
    [
        ("", "fr", (403, "site_forbidden")),
        ("", "nowhere", (403, "site_forbidden")),
        ("*", "nowhere", (422, "unknown_site")),
        ("*", "Fr", (422, "invalid")),
        ("*", "..", (422, "invalid")),
    ],
    ids=["another site", "a site that is none", "none, with a key for all", "no name of a site", "a path"],
)
def test_a_site_out_of_reach_is_refused(shop: Shop, name: str, sites: str, asked: str, expected: tuple[int, str]) -> None:
    answer = about_site(shop, name, asked, key_of(shop, name, sites))
    assert expected == (answer.status, answer.json["code"])


@pytest.mark.parametrize("name", NAMING_A_SITE)
@pytest.mark.parametrize("sites", ["fr", "*", "fr,de"])
def test_a_site_in_reach_is_not_refused(shop: Shop, name: str, sites: str) -> None:
    answer = about_site(shop, name, "fr", key_of(shop, name, sites))
    assert answer.status in (200, 201, 202) or (404, "order_not_found") == (answer.status, answer.json["code"])


AN_UPLOAD: dict[str, Any] = {"kind": "contacts", "name": "customers.csv", "size": 61}


def test_a_sidecar_reaches_no_further_than_its_key(shop: Shop) -> None:
    body = AN_UPLOAD | {"options": {"site": "fr"}}
    refused = shop.call("POST", "/v1/imports", body, key=shop.cloud.key())
    assert (403, "site_forbidden") == (refused.status, refused.json["code"])
    taken = shop.call("POST", "/v1/imports", body, key=shop.cloud.key(sites="fr"))
    assert (201, "fr") == (taken.status, taken.json["site"])
    unclear = shop.call("POST", "/v1/imports", body | {"site": "de"}, key=shop.cloud.key(sites="fr"))
    assert (422, "/options/site", "said_twice") == (
        unclear.status,
        unclear.json["errors"][0]["pointer"],
        unclear.json["errors"][0]["code"],
    )


def test_a_list_of_imports_shows_those_of_the_keys_own_sites(shop: Shop) -> None:
    ids = {
        site: shop.call("POST", "/v1/imports", AN_UPLOAD | {"site": site}, key=shop.cloud.key(sites="fr")).json["import_id"]
        for site in ("de", "fr")
    }
    for sites, seen in (("", {"de"}), ("fr", {"de", "fr"}), ("*", {"de", "fr"})):
        listed = shop.call("GET", "/v1/imports", key=shop.cloud.key(sites=sites), query="limit=100").json["data"]
        assert {ids[site] for site in seen} == {one["import_id"] for one in listed} & set(ids.values())


def test_every_operation_that_names_a_site_is_held_to_it() -> None:
    naming = [
        operation.name
        for operation in OPERATIONS
        if "?site" in {f"?{one['name']}" for one in operation.said["parameters"] if one["in"] == "query"}
        or (operation.example is not None and operation.scope not in (None, Scope.SITES_WRITE) and "site" in fields_of(operation))
    ]
    assert sorted(NAMING_A_SITE) == sorted(naming)


def fields_of(operation: Operation) -> set[str]:
    """What its body may say."""
    schemas = DESCRIPTION["components"]["schemas"]
    shape = schemas[operation.said["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]]
    shapes = [schemas[one["$ref"].rpartition("/")[2]] for one in shape.get("oneOf", ())] or [shape]
    return {field for one in shapes for field in one["properties"]}


def test_a_batch_refuses_the_elements_of_another_site_alone(shop: Shop) -> None:
    here, there = a_new_order(), a_new_order(site="fr")
    placed = shop.call("POST", "/v1/orders/batch", {"orders": [there, here]}, key=shop.cloud.key())
    assert [(403, "site_forbidden"), (201, "")] == [
        (one["status"], (one["error"] or {}).get("code", "")) for one in placed.json["results"]
    ]
    events = [{"order_id": here["order_id"], **UNIQUE, "site": site} for site in ("fr", "de")]
    moved = shop.call("POST", "/v1/orders/events/batch", {"events": events}, key=shop.cloud.key())
    assert [403, 201] == [one["status"] for one in moved.json["results"]]


def test_an_order_is_another_one_on_another_site(shop: Shop) -> None:
    order = a_new_order()
    for site in ("de", "fr"):
        assert 201 == shop.call("POST", "/v1/orders", order | {"site": site, "coupon": site}).status
    path = f"/v1/orders/{order['order_id']}"
    found = {site: shop.call("GET", path, query=f"site={site}").json["coupon"] for site in ("de", "fr")}
    assert {"de": "de", "fr": "fr"} == found


def test_a_key_is_looked_up_once_within_its_minute(shop: Shop) -> None:
    assert 60 == KEY_CACHE_SECONDS
    key = make(KeyKind.SERVER)[0]
    with tapped() as first:
        shop.call("GET", f"/v1/customers/{NOBODY}", key=key)
    with tapped() as second:
        shop.call("GET", f"/v1/customers/{NOBODY}", key=key)
    assert (["GetItem", "GetItem"], ["GetItem"]) == (first, second)


def test_an_unknown_key_is_looked_up_once_within_its_minute(shop: Shop) -> None:
    """With a second, consistent look, because a key may have just been made."""
    header = {"authorization": "Bearer a guess made twice"}
    with tapped() as calls:
        assert 401 == ask("GET", f"/v1/customers/{shop.customer_id}", headers=header).status
        assert 401 == ask("GET", f"/v1/customers/{shop.customer_id}", headers=header).status
    assert ["GetItem", "GetItem"] == calls


def test_a_minute_later_a_key_is_looked_up_again(shop: Shop) -> None:
    """A revoked key ends then: the functions know no other way to hear of it."""
    secret, key = make(KeyKind.SERVER)
    path = f"/v1/customers/{shop.customer_id}"
    assert 200 == shop.call("GET", path, key=secret).status
    revoke_key(key.key_id, keys=bootstrap.api_keys(), clock=bootstrap.clock)
    assert 200 == shop.call("GET", path, key=secret).status
    for name, (until, known) in list(customers._seen_keys.items()):
        customers._seen_keys[name] = (until - KEY_CACHE_SECONDS, known)
    assert 401 == shop.call("GET", path, key=secret).status
