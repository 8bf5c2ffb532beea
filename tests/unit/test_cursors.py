import base64
import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from ecrm.application.customers import is_event_position
from ecrm.application.orders import is_position
from ecrm.domain.errors import Flaw, Invalid
from ecrm.entry.cursors import LARGEST_PAGE, fit, seal, unseal

QUERY = ("orders", "de", date(2026, 11, 20), None)
POSITION = "2026-11-20|2026-11-20T12:00:00.000000Z#A-1001"


def sealed(position: str = POSITION) -> str:
    return str(seal(position, *QUERY))


def made_of(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def parts() -> list[Any]:
    cursor = sealed()
    found: list[Any] = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    return found


def assert_refused(cursor: str, *query: object, is_known: Any = bool) -> None:
    with pytest.raises(Invalid) as refused:
        unseal(cursor, is_known, *(query or QUERY))
    flaw = Flaw("?cursor", "bad_cursor", "this cursor does not continue this query")
    assert ("bad_cursor", (flaw,)) == (refused.value.code, refused.value.flaws)


def test_the_last_page_has_no_cursor_and_the_first_needs_none() -> None:
    assert (None, None) == (seal(None, *QUERY), unseal(None, bool, *QUERY))


@given(st.text(min_size=1, alphabet=st.characters(codec="ascii")))
def test_a_cursor_gives_back_its_position_and_can_stand_in_a_url(position: str) -> None:
    cursor = sealed(position)
    assert position == unseal(cursor, bool, *QUERY)
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@pytest.mark.parametrize(
    "other",
    [
        ("orders", "at", date(2026, 11, 20), None),
        ("orders", "de", date(2026, 11, 21), None),
        ("orders", "de", date(2026, 11, 20), "paid"),
        ("lookup", "de", date(2026, 11, 20), None),
        ("orders", "de", date(2026, 11, 20)),
    ],
    ids=str,
)
def test_a_cursor_continues_no_other_query(other: tuple[object, ...]) -> None:
    assert_refused(sealed(), *other)


@pytest.mark.parametrize("version", [0, 2, "1", None, [1]], ids=repr)
def test_a_cursor_of_another_version_is_refused(version: object) -> None:
    _, fingerprint, position = parts()
    assert POSITION == unseal(made_of(1, fingerprint, position), bool, *QUERY)
    assert_refused(made_of(version, fingerprint, position))


@pytest.mark.parametrize("position", ["", None, 1, ["x"], {"PK": "LIST#keys"}, True], ids=repr)
def test_a_position_that_is_no_text_is_refused(position: object) -> None:
    assert_refused(made_of(*parts()[:2], position))


@pytest.mark.parametrize(
    "position",
    ["\ud800", "2026-11-20T12:00:00.000000Z#\udfff", "2026-11-20|\ud83d", "2026-11-20|é"],
    ids=ascii,
)
def test_a_position_that_no_key_can_hold_is_refused(position: str) -> None:
    assert_refused(made_of(*parts()[:2], position))


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "AAAA",
        "é",
        "😀",
        "=",
        "%00",
        made_of(),
        made_of(1),
        made_of(*range(4)),
        base64.urlsafe_b64encode(b'"abc"').decode(),
        base64.urlsafe_b64encode(b"null").decode(),
        base64.urlsafe_b64encode(b'{"a":1,"b":2,"c":3}').decode(),
        base64.urlsafe_b64encode(b"[" * 700).decode(),
        base64.urlsafe_b64encode(b"[1,2,3").decode(),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    ],
    ids=lambda cursor: ascii(cursor)[:20],
)
def test_what_was_never_a_cursor_is_refused(cursor: str) -> None:
    assert_refused(cursor)


@given(st.text(max_size=200))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    assert_refused(text)


@given(st.integers(0, 10**6), st.sampled_from("ABCXYZabcxyz0189-_"))
def test_a_letter_changed_gives_the_same_query_or_nothing(at: int, letter: str) -> None:
    cursor = sealed()
    at %= len(cursor)
    tampered = cursor[:at] + letter + cursor[at + 1 :]
    try:
        unseal(tampered, is_position, *QUERY)
    except Invalid:
        return
    text = base64.urlsafe_b64decode(tampered + "=" * (-len(tampered) % 4))
    assert parts()[:2] == json.loads(text)[:2]


@pytest.mark.parametrize(
    ("text", "known"),
    [
        (POSITION, True),
        ("2026-11-20|", True),
        ("2026-11-20", False),
        ("2026-13-20|", False),
        ("x|", False),
        ("", False),
        ("2026-11-20|" + "x" * 388, True),
        ("2026-11-20|" + "x" * 389, False),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else None,
)
def test_a_lists_position_begins_with_a_day(text: str, known: bool) -> None:  # noqa: FBT001
    assert known is is_position(text)


@pytest.mark.parametrize(
    ("text", "known"),
    [("2026-11-20T12:00:00.000000Z#x", True), ("PROFILE", False), ("", False), ("9" * 399, True), ("9" * 400, False)],
    ids=lambda value: value[:30] if isinstance(value, str) else None,
)
def test_a_timelines_position_begins_with_a_time(text: str, known: bool) -> None:  # noqa: FBT001
    assert known is is_event_position(text)


class ABody(BaseModel):
    text: str


def bodies(*sizes: int) -> list[tuple[str, ABody]]:
    """Bodies whose JSON is of these sizes, each at its place."""
    return [(str(at), ABody(text="x" * (size - len('{"text":""}')))) for at, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("sizes", "kept", "last"),
    [
        ((), 0, "end"),
        ((100, 100), 2, "end"),
        ((LARGEST_PAGE,), 1, "end"),
        ((LARGEST_PAGE + 1,), 1, "end"),
        ((LARGEST_PAGE + 1, 100), 1, "0"),
        ((LARGEST_PAGE - 100, 100), 2, "end"),
        ((LARGEST_PAGE - 100, 101), 1, "0"),
        ((100, LARGEST_PAGE - 200, 100, 100), 3, "2"),
    ],
    ids=str,
)
def test_a_page_holds_what_lambda_can_give_back_and_at_least_one(sizes: tuple[int, ...], kept: int, last: str) -> None:
    found = bodies(*sizes)
    assert ([body for _, body in found[:kept]], last) == fit(found, "end")


def test_a_refusal_keeps_nothing_of_the_one_before() -> None:
    def frames() -> int:
        with pytest.raises(Invalid) as refused:
            unseal("x", bool, *QUERY)
        return len(refused.traceback)

    assert frames() == frames()
