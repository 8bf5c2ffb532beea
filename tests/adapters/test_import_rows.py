"""Rows of every kind, from a dropped file to what is kept: once, whoever works on them again, and put back where it can be."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from ecrm.application.orders import read_order
from ecrm.application.profiles import find_profiles
from ecrm.domain.consent import Channel
from ecrm.domain.customers import Identifier, Kind
from ecrm.domain.errors import Unavailable
from ecrm.domain.imports import Import, RowOutcome, RowResult
from ecrm.domain.orders import Status
from ecrm.domain.suppressions import Address, Reason
from ecrm.domain.undo import Left, Result, RowUndone
from tests.builders import NOON
from tests.cloud import Cloud
from tests.faults import Kill
from tests.folder import Folder, a_topic

COUNTS = ("created", "updated", "unchanged", "rejected", "skipped")


@pytest.fixture
def folder(cloud: Cloud) -> Folder:
    return Folder(cloud.s3)


def counts(result: Any) -> list[int]:
    return [result[name] for name in COUNTS]


def redelivered(folder: Folder, result: Any) -> list[RowResult]:
    """Work on a file's first chunk again, as a worker does who died before it could say that it was done."""
    import_ = folder.import_of(result)
    rows = folder.rows[import_.kind]
    commands = [read for read in rows.reads(import_, folder.files.chunk(import_.import_id, 0)) if hasattr(read, "row")]
    return [outcome.result for outcome in rows.apply(import_, commands)]


PRODUCTS = "SKU;Bezeichnung;Preis;Bestand;name_fa;verfügbar\nA;Tasse;12,50;3;فنجان;ja\nB;Teller;1.200;;;nein\n"


def catalogue(folder: Folder) -> dict[str, dict[str, Any]]:
    page = folder.products.by_sku(after=None, limit=100)
    return {product.sku: {name: stated.value for name, stated in product.fields.items()} for product in page.items}


def test_products_are_kept_and_a_second_file_says_only_what_is_new(folder: Folder) -> None:
    first = folder.drop("products/a.csv", PRODUCTS)
    price = {"amount_minor": 1250, "currency": "EUR"}
    cup = {"name": "Tasse", "price": price, "stock": 3, "translations.fa": {"name": "فنجان"}, "available": True}
    plate = {"name": "Teller", "price": {"amount_minor": 120_000, "currency": "EUR"}, "available": False}
    assert [2, 0, 0, 0, 0] == counts(first)
    assert {"A": cup, "B": plate} == catalogue(folder)
    assert [RowResult.CREATED, RowResult.CREATED] == redelivered(folder, first)

    second = folder.drop("products/b.csv", PRODUCTS.replace("1.200", "1.300"))
    assert [0, 1, 1, 0, 0] == counts(second)
    assert {"A": cup, "B": plate | {"price": {"amount_minor": 130_000, "currency": "EUR"}}} == catalogue(folder)
    assert [RowResult.UNCHANGED, RowResult.UPDATED] == redelivered(folder, second)


def test_the_rules_of_a_column_say_what_it_may_touch(folder: Folder) -> None:
    folder.drop("products/a.csv", "sku,name,brand,category\nA,Cup,,\n")
    rules = {"name": "fill_if_empty", "brand": "fill_if_empty", "category": "never"}
    told = folder.drop("products/b.csv", "sku,name,brand,category\nA,Mug,Acme,x\nB,Plate,,y\n", sidecar={"rules": rules})
    assert [1, 1, 0, 0, 0] == counts(told)
    assert {"A": {"name": "Cup", "brand": "Acme"}, "B": {"name": "Plate", "category": "y"}} == catalogue(folder)


def test_an_empty_cell_clears_where_the_sidecar_says_so(folder: Folder) -> None:
    folder.drop("products/a.csv", "sku,name,brand\nA,Cup,Acme\n")
    assert [0, 0, 1, 0, 0] == counts(folder.drop("products/b.csv", "sku,name,brand\nA,Cup,\n"))
    assert [0, 1, 0, 0, 0] == counts(folder.drop("products/c.csv", "sku,name,brand\nA,Cup,\n", sidecar={"empty": "clear"}))
    assert {"A": {"name": "Cup", "brand": None}} == catalogue(folder)


def test_products_are_put_back_where_nothing_changed_them_since(folder: Folder) -> None:
    folder.drop("products/a.csv", "sku,name,brand\nA,Cup,Acme\n")
    told = folder.drop("products/b.csv", "sku,name,brand\nA,Mug,Best\nB,Plate,Best\n")
    folder.drop("products/c.csv", "sku,name\nA,Beaker\n")
    undone = [
        RowUndone(2, Result.REMOVED),
        RowUndone(1, Result.RESTORED, {"name": Left.CHANGED_SINCE}),
    ]
    assert undone == folder.undo(told)
    assert {"A": {"name": "Beaker", "brand": "Acme"}} == catalogue(folder)
    assert undone == folder.undo(told)


def test_a_dry_run_says_the_same_and_writes_nothing(folder: Folder) -> None:
    told = folder.drop("products/a.csv", PRODUCTS, sidecar={"dry_run": True})
    assert [2, 0, 0, 0, 0] == counts(told)
    assert {} == catalogue(folder)
    told = folder.drop("suppressions/a.csv", "email\nsara@example.com\n", sidecar={"dry_run": True})
    assert [1, 0, 0, 0, 0] == counts(told)
    assert {} == grounds(folder, "sara@example.com")
    assert [3, 0, 0, 1, 0] == counts(folder.drop("orders/a.csv", ORDERS, sidecar={"dry_run": True}))
    assert [] == folder.table.items("ORDER#")


def grounds(folder: Folder, address: str, channel: Channel = Channel.EMAIL) -> dict[Reason, tuple[datetime, str | None]]:
    suppression, _ = folder.company.suppressions.find(Address(channel, address))
    return {reason: (ground.since, ground.note) for reason, ground in suppression.active(NOON).items()}


SUPPRESSIONS = """EmailAddress,Reason,LastUpdateTime
Sara@EXAMPLE.com,BOUNCE,2026-01-02T03:04:05Z
mina@example.com,asked by letter,2026-02-03
nobody,COMPLAINT,
"""


def test_addresses_are_suppressed_and_an_unknown_reason_is_still_a_no(folder: Folder) -> None:
    told = folder.drop("suppressions/ses.csv", SUPPRESSIONS, sidecar={"mapping": {"EmailAddress": "address"}})
    assert [2, 0, 0, 1, 0] == counts(told)
    assert {"bad_phone": 1} == told["reasons"]
    bounced = datetime.fromisoformat("2026-01-02T03:04:05Z")
    assert {Reason.HARD_BOUNCE: (bounced, None)} == grounds(folder, "sara@example.com")
    asked = datetime.fromisoformat("2026-02-02T23:00:00Z")
    assert {Reason.MANUAL: (asked, "asked by letter")} == grounds(folder, "mina@example.com")
    assert [RowResult.CREATED, RowResult.CREATED] == redelivered(folder, told)
    assert [0, 0, 2, 1, 0] == counts(folder.drop("suppressions/again.csv", SUPPRESSIONS + "\n"))


def test_a_suppression_that_stands_as_the_file_left_it_is_taken_back(folder: Folder) -> None:
    folder.drop("suppressions/a.csv", "email,reason\nsara@example.com,complaint\n")
    told = folder.drop("suppressions/b.csv", "email,reason\nsara@example.com,unsubscribe\nmina@example.com,\n")
    assert [1, 1, 0, 0, 0] == counts(told)
    undone = [RowUndone(2, Result.RESTORED), RowUndone(1, Result.RESTORED)]
    assert undone == folder.undo(told) == folder.undo(told)
    assert {} == grounds(folder, "mina@example.com")
    assert [Reason.COMPLAINT] == list(grounds(folder, "sara@example.com"))


ORDERS = """order id;email;order date;total;currency;sku;product;quantity;unit price
A-1;sara@example.com;20.11.2025 18:03;30,00;EUR;CD-5;Blue;2;10,00
A-1;;;;;LP-1;Hejira;1;10,00
A-2;mina@example.com;21.11.2025;12,00;EUR;CD-5;Blue;1;12,00
A-3;mina@example.com;21.11.2025;13,00;EUR;CD-5;Blue;1;12,00
"""


def test_rows_of_one_order_are_one_order(folder: Folder) -> None:
    told = folder.drop("orders/history.csv", ORDERS)
    assert [3, 0, 0, 1, 0] == counts(told)
    assert [("5", "total", "total_mismatch")] == [
        (each["_line"], each["_column"], each["_code"]) for each in folder.rejects("orders/history.csv")
    ]
    view = read_order("shop", "A-1", orders=folder.company.orders)
    assert (3_000, True, datetime.fromisoformat("2025-11-20T17:03:00Z")) == (
        view.state.terms.total_minor,
        view.order.backfill,
        view.order.placed_at,
    )
    assert [("1", "CD-5", 2), ("2", "LP-1", 1)] == [(each.line_id, each.sku, each.quantity) for each in view.lines]
    assert [RowResult.CREATED, RowResult.CREATED] == redelivered(folder, told)
    assert [0, 0, 3, 1, 0] == counts(folder.drop("orders/again.csv", ORDERS + "\n"))


def test_an_order_is_taken_whole_or_not_at_all(folder: Folder) -> None:
    told = folder.drop(
        "orders/a.csv", ORDERS.replace("LP-1;Hejira;1", "LP-1;Hejira;one").replace("A-2;mina@example.com;21", "A-2;;32")
    )
    assert {"bad_date": 1, "bad_number": 1, "order_incomplete": 1, "total_mismatch": 1} == told["reasons"]
    assert [("2", "", "order_incomplete"), ("3", "quantity", "bad_number"), ("4", "order date", "bad_date")] == [
        (each["_line"], each["_column"], each["_code"]) for each in folder.rejects("orders/a.csv")[:3]
    ]
    assert [] == folder.table.items("ORDER#")


def test_a_line_that_contradicts_its_order_is_refused(folder: Folder) -> None:
    told = folder.drop("orders/a.csv", ORDERS.replace("A-1;;;;;LP-1", "A-1;mina@example.com;;;;LP-1"))
    assert {"order_contradicts": 1, "order_incomplete": 1, "total_mismatch": 1} == told["reasons"]


def test_an_order_that_is_there_and_says_something_else_is_refused(folder: Folder) -> None:
    folder.drop("orders/a.csv", ORDERS)
    told = folder.drop("orders/b.csv", ORDERS.replace("LP-1", "LP-2"))
    assert {"order_exists": 2, "total_mismatch": 1} == told["reasons"]


def test_a_line_of_an_order_as_http_has_it_is_the_same_order(folder: Folder) -> None:
    folder.drop("orders/a.csv", ORDERS)
    body = {
        "order_id": "A-2",
        "placed_at": "2025-11-20T23:00:00Z",
        "currency": "EUR",
        "customer": {"email": "mina@example.com"},
        "lines": [{"sku": "CD-5", "name": "Blue", "quantity": 1, "unit_price": "12.00"}],
        "total": "12.00",
    }
    assert [0, 0, 1, 0, 0] == counts(folder.drop("orders/b.ndjson", json.dumps(body) + "\n"))


SHIPMENTS = """order id,carrier,tracking number,shipped at,delivered at
A-1,DHL,T-1,2025-11-21,2025-11-22
A-2,DHL,T-2,2025-11-22,
A-9,DHL,T-9,2025-11-22,
"""


def test_parcels_are_shipped_and_delivered_once(folder: Folder) -> None:
    folder.drop("orders/a.csv", ORDERS)
    told = folder.drop("shipments/a.csv", SHIPMENTS)
    assert [0, 2, 0, 1, 0] == counts(told)
    assert {"order_not_found": 1} == told["reasons"]
    assert [RowResult.UPDATED, RowResult.UPDATED, RowResult.REJECTED] == redelivered(folder, told)
    statuses = [read_order("shop", name, orders=folder.company.orders).state.status for name in ("A-1", "A-2")]
    assert [Status.DELIVERED, Status.SHIPPED] == statuses
    assert [0, 1, 1, 1, 0] == counts(
        folder.drop("shipments/b.csv", SHIPMENTS.replace("T-2,2025-11-22,", "T-2,2025-11-22,2025-11-23"))
    )
    assert [0, 0, 2, 1, 0] == counts(folder.drop("shipments/c.csv", SHIPMENTS + "\n"))


ENDPOINTS: list[dict[str, Any]] = [
    {
        "Id": "e-1",
        "ChannelType": "EMAIL",
        "Address": "Sara@Example.com",
        "OptOut": "ALL",
        "EndpointStatus": "ACTIVE",
        "EffectiveDate": "2026-10-01T10:00:00.000Z",
        "CreationDate": "2024-03-04T05:06:07.000Z",
        "RequestId": "r-1",
        "CohortId": "17",
        "ApplicationId": "a",
        "Attributes": {"Interests": ["Jazz", "Folk"]},
        "Metrics": {"visits": 12.0},
        "Demographic": {"Locale": "fa_IR", "Timezone": "Asia/Tehran", "Make": "Fair"},
        "Location": {"City": "Teheran", "Country": "IR"},
        "User": {"UserId": "u-1", "UserAttributes": {"first_name": ["Sara"]}},
    },
    {"Id": "e-2", "ChannelType": "SMS", "Address": "+989121234567", "OptOut": "NONE", "User": {"UserId": "u-1"}},
    {"Id": "e-3", "ChannelType": "APNS", "Address": "token-of-a-phone", "OptOut": "ALL", "User": {"UserId": "u-2"}},
    {"Id": "e-4", "ChannelType": "EMAIL", "Address": "mina@example.com", "OptOut": "NONE"},
    {"Id": "e-5", "ChannelType": "EMAIL", "Address": "mina at example", "OptOut": "ALL"},
]
EXPORT = "".join(json.dumps(endpoint) + "\n" for endpoint in ENDPOINTS)


def test_an_export_of_pinpoint_drops_in_with_its_opt_outs(folder: Folder) -> None:
    told = folder.drop("contacts/export.ndjson", EXPORT)
    assert {"bad_email": 1} == told["reasons"]
    assert [4, 1] == [told["created"] + told["updated"], told["rejected"]]
    assert {
        "email=Sara@example.com phone=+989121234567 user_id=u-1": {
            "first_name": "Sara",
            "Interests": ["Jazz", "Folk"],
            "visits": 12,
            "language": "fa-IR",
            "time_zone": "Asia/Tehran",
            "device_make": "Fair",
            "city": "Teheran",
            "country": "IR",
            "created_at": "2024-03-04T05:06:07.000Z",
        },
        "user_id=u-2": {},
        "email=mina@example.com": {},
    } == folder.people()
    said_no = {Reason.UNSUBSCRIBE: (datetime.fromisoformat("2026-10-01T10:00:00Z"), None)}
    assert said_no == grounds(folder, "sara@example.com")
    assert {} == grounds(folder, "+989121234567", Channel.SMS)
    assert [Reason.UNSUBSCRIBE] == list(grounds(folder, "token-of-a-phone", Channel.PUSH))
    assert {} == grounds(folder, "mina@example.com")
    assert all(result is not RowResult.UNCHANGED for result in redelivered(folder, told))


def test_whoever_opted_out_is_never_there_without_their_no(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that dies before the contacts are written has written every no."""
    folder = Folder(cloud.s3)

    def dies(_import: Import, _rows: object) -> list[RowOutcome]:
        raise Kill

    monkeypatch.setattr(folder, "apply_contacts", dies)
    folder.__post_init__()
    with pytest.raises(Kill):
        folder.drop("contacts/export.ndjson", EXPORT)
    assert {} == folder.people()
    assert [Reason.UNSUBSCRIBE] == list(grounds(folder, "sara@example.com"))


def test_a_no_without_a_topic_is_one_to_every_topic_and_a_yes_to_none(cloud: Cloud) -> None:
    folder = Folder(cloud.s3, topics=(a_topic("news"), a_topic("offers")))
    table = "email,subscribed,opt_out\nsara@example.com,no,\nmina@example.com,yes,\nomid@example.com,,yes\nali@example.com,,no\n"
    told = folder.drop("contacts/a.csv", table)
    assert [4, 0, 0, 0, 0] == counts(told)
    assert {"yes_without_topic": 1} == told["warnings"]
    assert {
        "sara@example.com": {"email.news": "denied", "email.offers": "denied"},
        "mina@example.com": {},
        "omid@example.com": {"email.news": "denied", "email.offers": "denied"},
        "ali@example.com": {},
    } == {
        name: consents(folder, name) for name in ("sara@example.com", "mina@example.com", "omid@example.com", "ali@example.com")
    }


def test_the_sidecar_names_the_topic_that_a_yes_is_for(cloud: Cloud) -> None:
    folder = Folder(cloud.s3, topics=(a_topic("news"), a_topic("offers")))
    sidecar = {"consent": {"channel": "email", "topic": "offers", "source": "fair 2026"}}
    folder.drop("contacts/a.csv", "email,subscribed\nsara@example.com,yes\nmina@example.com,\n", sidecar=sidecar)
    assert {"email.offers": "granted"} == consents(folder, "sara@example.com")
    assert {} == consents(folder, "mina@example.com")


def consents(folder: Folder, email: str) -> dict[str, str]:
    (profile,) = find_profiles(
        (Identifier(Kind.EMAIL, email),), customers=folder.company.customers, profiles=folder.company.profiles
    )
    book = folder.company.consents.of(profile.customer.customer_id)
    return {f"{subject.channel}.{subject.topic}": consent.state.value for subject, consent in sorted(book.consents.items())}


def test_one_address_in_three_spellings_is_one(folder: Folder) -> None:
    told = folder.drop("contacts/a.csv", "email,n\nsara@example.com,1\n\u200bsara@EXAMPLE.com ,2\nｓａｒａ＠example.com,3\n")
    assert [1, 0, 0, 0, 2] == counts(told)
    assert {"superseded": 2} == told["reasons"]
    assert {"email=sara@example.com": {"n": "3"}} == folder.people()


def test_lines_of_json_are_bodies_of_http_or_plain_objects(folder: Folder) -> None:
    denied = {"channel": "email", "topic": "news", "state": "denied", "at": "2026-01-01T00:00:00Z"}
    lines = [
        {"email": "sara@example.com", "traits": {"first_name": "Sara", "points": 3}, "consents": [denied]},
        {"email": "mina@example.com", "Vorname": "Mina", "points": 2.5, "vip": True, "zip": "01234", "unknown": None},
        {"email": "omid@example.com", "traits": {"language": "Deutsch"}},
        {"email": "ali@example.com", "nested": {"a": {"b": 1}}},
        ["email"],
    ]
    told = folder.drop("contacts/a.ndjson", "".join(json.dumps(each) + "\n" for each in lines))
    assert {"bad_json": 1, "bad_language": 1, "value_type": 1} == told["reasons"]
    assert {
        "email=sara@example.com": {"first_name": "Sara", "points": 3},
        "email=mina@example.com": {"first_name": "Mina", "points": Decimal("2.5"), "vip": True, "postal_code": "01234"},
    } == folder.people()
    assert {"email.news": "denied"} == consents(folder, "sara@example.com")


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("contacts/a.csv", "first name,city\nSara,Ulm\n", "no_identifier_column"),
        ("contacts/a.csv", "sara@example.com,Sara\nmina@example.com,Mina\n", "no_header"),
        ("contacts/a.csv", "email,E-Mail\na@example.com,b@example.com\n", "duplicate_column"),
        ("contacts/a.csv", "email,x,x\na@example.com,1,2\n", "duplicate_column"),
        ("orders/a.csv", "order id,email,total\nA-1,a@example.com,1\n", "missing_column"),
        ("contacts/a.csv", "", "file_empty"),
        ("contacts/a.csv", "email,city\n", "no_rows"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(folder: Folder, name: str, content: str, code: str) -> None:
    told = folder.drop(name, content)
    assert ("failed", code, 0) == (told["state"], told["error"], told["rows"])


@pytest.mark.parametrize(
    ("sidecar", "code"),
    [
        ({"mappings": {}}, "bad_sidecar"),
        ({"country": "XX"}, "bad_sidecar"),
        ({"at": "2099-01-01T00:00:00Z"}, "bad_sidecar"),
        ([], "bad_sidecar"),
        ({"mapping": {"e-mail": "email"}}, "unknown_column"),
        ({"mapping": {"email": "consent.fax.news"}}, "unknown_target"),
        ({"mapping": {"n": "consent.email.weather"}}, "unknown_topic"),
        ({"consent": {"channel": "email", "topic": "weather"}}, "unknown_topic"),
        ({"site": "nowhere"}, "unknown_site"),
    ],
)
def test_a_sidecar_that_is_wrong_refuses_the_file(folder: Folder, sidecar: Any, code: str) -> None:
    told = folder.drop("contacts/a.csv", "email,n\nsara@example.com,1\n", sidecar=sidecar)
    assert ("failed", code) == (told["state"], told["error"])
    assert {} == folder.people()


def test_what_time_heals_is_not_a_row_s_fault(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object, **__: object) -> None:
        raise Unavailable("the table is busy")

    monkeypatch.setattr(folder.products, "find", down)
    with pytest.raises(Unavailable):
        folder.drop("products/a.csv", PRODUCTS)
