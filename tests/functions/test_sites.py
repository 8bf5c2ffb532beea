"""Sites: created, replaced, read; nobody overwrites what they have not seen."""

from typing import Any

import pytest

from ecrm.domain.api_keys import KeyKind
from tests.builders import a_site
from tests.cloud import Answer
from tests.faults import tapped
from tests.functions.api import Shop, code_of

LOOK = {
    "url": "https://example.com",
    "logo_url": "https://example.com/logo.png",
    "accent": "#7A1F3D",
    "test_recipients": ["mira@example.com", "jo@example.com"],
}


def put(shop: Shop, name: str, body: dict[str, Any] | None = None, **headers: str) -> Answer:
    given = {header.replace("_", "-"): value for header, value in headers.items()}
    return shop.call("PUT", f"/v1/sites/{name}", body or a_site(), key=shop.cloud.key(KeyKind.STAFF), headers=given)


def test_a_site_is_created_then_replaced_whole(shop: Shop) -> None:
    made = put(shop, "whole", a_site(sender="hello@example.com", postal_address="Ringstraße 1", **LOOK))
    assert LOOK == {name: made.json[name] for name in LOOK}
    assert (201, '"1"', 1) == (made.status, made.headers["etag"], made.json["version"])
    replaced = put(shop, "whole", a_site(brand="Red Note"))
    assert (200, '"2"', 2) == (replaced.status, replaced.headers["etag"], replaced.json["version"])
    expected = {
        "site": "whole",
        "brand": "Red Note",
        "languages": ["de", "en"],
        "time_zone": "Europe/Berlin",
        "currency": "EUR",
        "sender": None,
        "reply_to": None,
        "postal_address": None,
        "url": None,
        "logo_url": None,
        "accent": None,
        "test_recipients": [],
        "quiet_hours": {"start": "21:00", "end": "08:00"},
        "frequency_cap": {"most": 4, "days": 7},
        "mails": {},
        "version": 2,
        "updated_at": replaced.json["updated_at"],
    }
    read = shop.call("GET", "/v1/sites/whole")
    assert (expected, expected, '"2"') == (replaced.json, read.json, read.headers["etag"])


@pytest.mark.parametrize(
    "policy",
    [
        {"quiet_hours": {"start": "22:30", "end": "06:15"}, "frequency_cap": {"most": 1, "days": 2}},
        {"quiet_hours": None, "frequency_cap": None},
    ],
    ids=["their own", "none"],
)
def test_a_site_says_when_marketing_may_reach_people_and_how_often(shop: Shop, policy: dict[str, Any]) -> None:
    assert put(shop, "policy", a_site(**policy)).status in (200, 201)
    read = shop.call("GET", "/v1/sites/policy").json
    assert policy == {name: read[name] for name in policy}


@pytest.mark.parametrize(
    ("said", "pointer", "code"),
    [
        ({"quiet_hours": {"start": "21:00", "end": "21:00"}}, "/quiet_hours/end", "range"),
        ({"quiet_hours": {"start": "24:00", "end": "08:00"}}, "/quiet_hours/start", "bad_syntax"),
        ({"frequency_cap": {"most": 0, "days": 7}}, "/frequency_cap/most", "too_small"),
        ({"frequency_cap": {"most": 1, "days": 8}}, "/frequency_cap/days", "too_large"),
    ],
)
def test_a_contact_policy_that_nobody_can_follow_is_refused(shop: Shop, said: dict[str, Any], pointer: str, code: str) -> None:
    refused = put(shop, "policy", a_site(**said))
    assert (422, [(pointer, code)]) == (refused.status, [(flaw["pointer"], flaw["code"]) for flaw in refused.json["errors"]])


def test_only_the_version_that_was_seen_is_replaced(shop: Shop) -> None:
    assert 201 == put(shop, "seen").status
    assert 200 == put(shop, "seen", if_match='"1"').status
    assert (412, "version_mismatch") == code_of(put(shop, "seen", a_site(brand="Lost"), if_match='"1"'))
    assert (412, "version_mismatch") == code_of(put(shop, "seen", a_site(brand="Lost"), if_match='"3"'))
    assert ("Blue Note", '"2"') == ((read := shop.call("GET", "/v1/sites/seen")).json["brand"], read.headers["etag"])
    assert 200 == put(shop, "seen", if_match=read.headers["etag"]).status


def test_a_version_of_what_is_not_there_is_not_replaced(shop: Shop) -> None:
    assert (412, "version_mismatch") == code_of(put(shop, "absent", if_match='"1"'))
    assert (404, "site_not_found") == code_of(shop.call("GET", "/v1/sites/absent"))


def test_only_a_new_site_is_created(shop: Shop) -> None:
    assert 201 == put(shop, "new", if_none_match="*").status
    assert (412, "version_mismatch") == code_of(put(shop, "new", a_site(brand="Lost"), if_none_match="*"))
    assert "Blue Note" == shop.call("GET", "/v1/sites/new").json["brand"]


@pytest.mark.parametrize(
    "header",
    [
        *({"if_match": value} for value in ("1", "*", 'W/"1"', '"x"', '""', '"-1"', '"1", "2"', '"1234567890"', '"١"', "")),
        *({"if_none_match": value} for value in ('"1"', "", "**", "x")),
        {"if_none_match": "*", "if_match": "r-5r:"},
    ],
    ids=str,
)
def test_a_precondition_that_says_nothing_is_refused(shop: Shop, header: dict[str, str]) -> None:
    assert (400, "bad_precondition") == code_of(put(shop, "de", None, **header))


def test_two_who_write_at_once_write_one_after_the_other(shop: Shop) -> None:
    """The other one writes between our read and our write."""
    put(shop, "both")
    writes = 0

    def meanwhile(sent: Any, deliver: Any) -> Any:
        nonlocal writes
        if sent.operation == "PutItem":
            writes += 1
            if writes == 1:
                assert 200 == put(shop, "both", a_site(brand="Theirs")).status
        return deliver()

    with tapped(meanwhile):
        ours = put(shop, "both", a_site(brand="Ours"))
    assert (200, 3, "Ours") == (ours.status, ours.json["version"], ours.json["brand"])


def test_a_site_that_all_write_at_once_is_answered_with_come_back(shop: Shop) -> None:
    put(shop, "crowd")
    is_outer = True

    def crowd(sent: Any, deliver: Any) -> Any:
        nonlocal is_outer
        if sent.operation == "PutItem" and is_outer:
            is_outer = False
            put(shop, "crowd")
            is_outer = True
        return deliver()

    with tapped(crowd):
        answer = put(shop, "crowd", a_site(brand="Ours"))
    assert ((503, "contended"), "1") == (code_of(answer), answer.headers["retry-after"])
    assert "Blue Note" == shop.call("GET", "/v1/sites/crowd").json["brand"]


def test_sites_are_listed_by_name(shop: Shop) -> None:
    names = [site["site"] for site in shop.call("GET", "/v1/sites").json["data"]]
    assert sorted(names) == names
    assert {"de", "fr"} <= set(names)


BAD_SITES: dict[str, tuple[dict[str, Any], str, str]] = {
    "no brand": ({"brand": None}, "/brand", "wrong_type"),
    "a blank brand": ({"brand": " "}, "/brand", "blank"),
    "no language": ({"languages": []}, "/languages", "too_few"),
    "21 languages": ({"languages": ["de"] * 21}, "/languages", "too_many"),
    "a language in capitals": ({"languages": ["DE"]}, "/languages/0", "bad_syntax"),
    "a language by name": ({"languages": ["German"]}, "/languages/0", "bad_syntax"),
    "no time zone": ({"time_zone": ""}, "/time_zone", "unknown_time_zone"),
    "an abbreviation": ({"time_zone": "Mars/Base"}, "/time_zone", "unknown_time_zone"),
    "a time zone that is a path": ({"time_zone": "../../etc/passwd"}, "/time_zone", "unknown_time_zone"),
    "a time zone that is a place": ({"time_zone": "/etc/localtime"}, "/time_zone", "unknown_time_zone"),
    "a time zone that is a folder": ({"time_zone": "Europe"}, "/time_zone", "unknown_time_zone"),
    "a time zone that is another file": ({"time_zone": "zone.tab"}, "/time_zone", "unknown_time_zone"),
    "a time zone of 65": ({"time_zone": "E" * 65}, "/time_zone", "too_long"),
    "a currency that is none": ({"currency": "EURO"}, "/currency", "unknown_currency"),
    "a sender that is none": ({"sender": "Sara"}, "/sender", "email_syntax"),
    "a header in an address": ({"reply_to": "a@example.com\r\nBcc: b@example.com"}, "/reply_to", "email_syntax"),
    "a logo that is not secure": ({"logo_url": "http://example.com/logo.png"}, "/logo_url", "bad_syntax"),
    "a colour by name": ({"accent": "red"}, "/accent", "bad_syntax"),
    "a colour that says more": ({"accent": "#fff000;x"}, "/accent", "too_long"),
    "a test recipient that is none": ({"test_recipients": ["a@b, c@d"]}, "/test_recipients/0", "email_syntax"),
    "a postal address of 2,001": ({"postal_address": "x" * 2_001}, "/postal_address", "too_long"),
    "mails of nobody": ({"mails": {"order.placed": "order-confirmed"}}, "/sender", "no_sender"),
    "a mail that there is not": (
        {"sender": "a@example.com", "mails": {"order.placed": "order-confirmed", "order.paid": "paid"}},
        "/mails/order.paid",
        "unknown_template",
    ),
    "an order's mail that advertises": (
        {"sender": "a@example.com", "mails": {"order.placed": "welcome"}},
        "/mails/order.placed",
        "template_is_marketing",
    ),
    "a welcome that is owed": (
        {"sender": "a@example.com", "postal_address": "Ringstraße 1", "mails": {"consent.confirmed": "order-confirmed"}},
        "/mails/consent.confirmed",
        "template_is_transactional",
    ),
    "a welcome from nowhere": (
        {"sender": "a@example.com", "mails": {"consent.confirmed": "welcome"}},
        "/postal_address",
        "no_postal_address",
    ),
    "an unknown field": ({"colour": "blue"}, "/colour", "unknown_field"),
}


@pytest.mark.parametrize("what", BAD_SITES)
def test_a_site_that_cannot_be_right_is_told_where(shop: Shop, what: str) -> None:
    change, pointer, code = BAD_SITES[what]
    answer = put(shop, "de", a_site(**change))
    assert (422, (pointer, code)) == (
        answer.status,
        next((flaw["pointer"], flaw["code"]) for flaw in answer.json["errors"]),
    ), answer.text


@pytest.mark.parametrize("language", ["de", "fa", "zh-Hans", "zh-Hant-TW", "pt-BR", "es-419", "yue"])
def test_a_site_speaks_the_languages_that_there_are(shop: Shop, language: str) -> None:
    assert [language] == put(shop, "tongues", a_site(languages=[language])).json["languages"]
