"""Topics: created, replaced, read; nobody overwrites what they have not seen."""

from typing import Any

import pytest

from ecrm.domain.api_keys import KeyKind
from tests.builders import a_topic
from tests.cloud import Answer
from tests.functions.api import Shop, code_of


def put(shop: Shop, name: str, body: dict[str, Any] | None = None, **headers: str) -> Answer:
    given = {header.replace("_", "-"): value for header, value in headers.items()}
    return shop.call("PUT", f"/v1/topics/{name}", body or a_topic(), key=shop.cloud.key(KeyKind.STAFF), headers=given)


def test_a_topic_is_created_then_replaced_whole(shop: Shop) -> None:
    made = put(shop, "whole", a_topic(descriptions={"en": "New records, once a week."}))
    assert (201, '"1"', {"en": "New records, once a week."}) == (made.status, made.headers["etag"], made.json["descriptions"])
    replaced = put(shop, "whole", {"names": {"fa": "خبرنامه"}})
    expected = {
        "topic": "whole",
        "names": {"fa": "خبرنامه"},
        "descriptions": {},
        "double_opt_in": False,
        "channels": ["email", "sms", "push", "post"],
        "version": 2,
        "updated_at": replaced.json["updated_at"],
    }
    read = shop.call("GET", "/v1/topics/whole")
    assert (200, '"2"', expected) == (replaced.status, replaced.headers["etag"], replaced.json)
    assert (200, '"2"', expected) == (read.status, read.headers["etag"], read.json)


def test_only_the_version_that_was_seen_is_replaced(shop: Shop) -> None:
    assert 201 == put(shop, "seen", if_none_match="*").status
    assert (412, "version_mismatch") == code_of(put(shop, "seen", if_none_match="*"))
    assert 200 == put(shop, "seen", if_match='"1"').status
    assert (412, "version_mismatch") == code_of(put(shop, "seen", a_topic(double_opt_in=False), if_match='"1"'))
    assert (400, "bad_precondition") == code_of(put(shop, "seen", if_match="1"))
    read = shop.call("GET", "/v1/topics/seen")
    assert ('"2"', True) == (read.headers["etag"], read.json["double_opt_in"])


def test_channels_are_kept_once_each(shop: Shop) -> None:
    assert ["email", "post"] == put(shop, "once", a_topic(channels=["post", "email", "post"])).json["channels"]


def test_topics_are_listed_by_name(shop: Shop) -> None:
    for name in ("b", "a"):
        put(shop, name)
    page = shop.call("GET", "/v1/topics").json
    names = [topic["topic"] for topic in page["data"]]
    assert sorted(names) == names
    assert ({"a", "b", "news"} <= set(names), page["next_cursor"]) == (True, None)


BAD_TOPICS: dict[str, tuple[dict[str, Any], str, str]] = {
    "no names": ({"names": {}}, "/names", "too_few"),
    "a blank name": ({"names": {"de": " "}}, "/names/de", "blank"),
    "a name of 201": ({"names": {"de": "x" * 201}}, "/names/de", "too_long"),
    "21 names": ({"names": {f"{a}{b}": "x" for a in "abcde" for b in "abcde"}}, "/names", "too_many"),
    "a text for its names": ({"names": "News"}, "/names", "wrong_type"),
    "a description of 2,001": ({"descriptions": {"de": "x" * 2_001}}, "/descriptions/de", "too_long"),
    "a text for a claim": ({"double_opt_in": "yes"}, "/double_opt_in", "wrong_type"),
    "no channel": ({"channels": []}, "/channels", "too_few"),
    "a channel that is none": ({"channels": ["fax"]}, "/channels/0", "unknown_value"),
    "an unknown field": ({"colour": "blue"}, "/colour", "unknown_field"),
}


@pytest.mark.parametrize("what", BAD_TOPICS)
def test_a_topic_that_cannot_be_right_is_told_where(shop: Shop, what: str) -> None:
    change, pointer, code = BAD_TOPICS[what]
    answer = put(shop, "news", a_topic(**change))
    assert (422, (pointer, code)) == (answer.status, next((one["pointer"], one["code"]) for one in answer.json["errors"]))


def test_a_language_that_is_none_is_refused(shop: Shop) -> None:
    answer = put(shop, "news", a_topic(names={"German": "Neuigkeiten"}))
    assert (422, "bad_syntax") == code_of(answer)


@pytest.mark.parametrize("name", ["News", "-news", "n" * 41, "news.", "%20", "neu%C3%A9", "news%0a"])
def test_a_topic_is_not_made_under_a_strange_name(shop: Shop, name: str) -> None:
    assert (422, "bad_topic") == code_of(put(shop, name))


def test_what_is_no_topic_is_not_found(shop: Shop) -> None:
    assert (404, "topic_not_found") == code_of(shop.call("GET", "/v1/topics/weather"))


def test_a_server_key_reads_topics_and_does_not_change_them(shop: Shop) -> None:
    assert 200 == shop.call("GET", "/v1/topics/news", key=shop.cloud.key(KeyKind.SERVER)).status
    assert (403, "scope_missing") == code_of(shop.call("PUT", "/v1/topics/news", a_topic(), key=shop.cloud.key(KeyKind.SERVER)))
