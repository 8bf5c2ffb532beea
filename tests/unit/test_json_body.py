import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ecrm.entry.json_body import BadJson, read_json

AN_EMOJI, HALF_AN_EMOJI = rb'"\ud83d\ude00"', rb'"\ud83d"'


def refusal(raw: bytes) -> str:
    with pytest.raises(BadJson) as refused:
        read_json(raw)
    return refused.value.code


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "bad_json"),
        (b" ", "bad_json"),
        (b"{", "bad_json"),
        (b'{"a": 1', "bad_json"),
        (b'"a', "bad_json"),
        (b'"\\', "bad_json"),
        (b"{} {}", "bad_json"),
        (b"{}x", "bad_json"),
        (b"[1,]", "bad_json"),
        (b"{'a': 1}", "bad_json"),
        (b"01", "bad_json"),
        (b"+1", "bad_json"),
        (b"1.", "bad_json"),
        (b".5", "bad_json"),
        (b'"\t"', "bad_json"),
        (b'"\n"', "bad_json"),
        (b'"\\x"', "bad_json"),
        (b"\xef\xbb\xbf{}", "bad_json"),
        (b"\xa0{}", "not_utf8"),
        (b'"\xff"', "not_utf8"),
        (b'"\xed\xa0\x80"', "not_utf8"),
        (b'"\xc0\x80"', "not_utf8"),
        ("{}".encode("utf-16"), "not_utf8"),
        (b"NaN", "bad_number"),
        (b"[Infinity]", "bad_number"),
        (b'{"a": -Infinity}', "bad_number"),
        (b"1e9999999999999999999", "bad_number"),
        (b"9" * 4_301, "too_many_digits"),
        (b"-" + b"9" * 4_301, "too_many_digits"),
        (b"[" * 33 + b"]" * 33, "too_deep"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "too_deep"),
        (b"[" * 300_000, "too_deep"),
        (b'["\\"", ' + b"[" * 32 + b"]" * 32 + b"]", "too_deep"),
        (b'{"a": 1, "a": 1}', "duplicate_key"),
        (b'{"a": {"b": 1, "\\u0062": 2}}', "duplicate_key"),
        (b'[{"a": 1, "c": 2, "a": null}]', "duplicate_key"),
        (HALF_AN_EMOJI, "bad_text"),
        (rb'"\ude00\ud83d"', "bad_text"),
        (rb'{"\ud83d": 1}', "bad_text"),
        (rb'"\u0000"', "bad_text"),
        (rb'[{"a": [{"b": "\u001f"}]}]', "bad_text"),
        (rb'{"\u0007": 1}', "bad_text"),
        (rb'"\u007f"', "bad_text"),
        (b'"\x7f"', "bad_text"),
    ],
    ids=lambda value: repr(value[:30]) + str(len(value)) if isinstance(value, bytes) else None,
)
def test_a_body_is_refused_with_a_reason(raw: bytes, code: str) -> None:
    assert code == refusal(raw)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b" {}\r\n\t", {}),
        (b"null", None),
        (b"true", True),
        (b"[]", []),
        (b"12.50", Decimal("12.50")),
        (b"0.1", Decimal("0.1")),
        (b"1E2", Decimal("1E+2")),
        (b"-0", 0),
        (b"9" * 4_300, 10**4_300 - 1),
        (b"-" + b"9" * 4_300, 1 - 10**4_300),
        (AN_EMOJI, "😀"),
        ('"😀 سارا"'.encode(), "😀 سارا"),
        (rb'"a\tb\r\nc"', "a\tb\r\nc"),
        (b'{"a": 1, "b": {"a": 1}, "A": 1}', {"a": 1, "b": {"a": 1}, "A": 1}),
        (b'"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["', "[" * 38),
        (rb'"\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["', '"' + "[" * 35),
        (b"[" + b"[]," * 40 + b"[]]", [[]] * 41),
        (b'{"__proto__": "\\u0085"}', {"__proto__": "\x85"}),
    ],
    ids=lambda value: repr(value[:30]) + str(len(value)) if isinstance(value, bytes) else "",
)
def test_a_body_is_read_as_it_was_meant(raw: bytes, value: object) -> None:
    assert (type(value), value) == (type(read_json(raw)), read_json(raw))


def test_as_deep_as_32_is_read() -> None:
    assert b"[" * 32 + b"]" * 32 == json.dumps(read_json(b"[" * 32 + b"]" * 32)).encode()


def test_a_reason_says_where_and_never_repeats_the_input() -> None:
    with pytest.raises(BadJson) as refused:
        read_json(b'{"email": "sara@example.com"\n "x"}')
    assert "the body is not JSON: Expecting ',' delimiter at line 2, column 2" == refused.value.detail


def loaded(raw: bytes) -> Any:
    return json.loads(raw.decode(), parse_float=Decimal)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False).map(lambda number: float(number) if abs(number) < 10**9 else 1.5)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=10,
)
fragments = st.sampled_from(
    [
        *'{}[],: \t\n"\\-+.0159eEx',
        "null",
        "true",
        "NaN",
        '"a"',
        r"\u0061",
        r"\ud83d",
        r"\ude00",
        r"\u0000",
        "1.50",
        "é",
        "\x00",
        '":',
    ]
)
jsonlike = st.lists(fragments, max_size=24).map("".join).map(str.encode)


spoilt = st.builds(
    lambda value, at, byte: (raw := json.dumps(value).encode())[: at % len(raw)] + byte + raw[at % len(raw) + 1 :],
    values,
    st.integers(0, 10**6),
    st.binary(max_size=2),
)
"""JSON with one byte taken out, changed or doubled."""


@settings(max_examples=600)
@given(st.binary(max_size=60) | jsonlike | spoilt)
@example(b"-0.0")
@example(b'{"a":{"a":1}}')
def test_whatever_is_accepted_is_what_a_plain_parser_reads_and_the_rest_is_refused(raw: bytes) -> None:
    try:
        value = read_json(raw)
    except BadJson:
        return
    assert repr(loaded(raw)) == repr(value)


def is_clean(value: Any) -> bool:
    if isinstance(value, str):
        controls = {*range(0x20), 0x7F} - {0x09, 0x0A, 0x0D}
        return not any(ord(letter) in controls or 0xD800 <= ord(letter) <= 0xDFFF for letter in value)
    if isinstance(value, dict):
        return all(is_clean(name) and is_clean(inner) for name, inner in value.items())
    return not isinstance(value, list) or all(map(is_clean, value))


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@settings(max_examples=200)
@given(values, st.booleans())
def test_every_clean_value_is_accepted(value: Any, ascii_only: bool) -> None:  # noqa: FBT001
    raw = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    if is_clean(value) and depth(value) <= 32:
        assert repr(loaded(raw)) == repr(read_json(raw))
    else:
        assert refusal(raw) in ("bad_text", "not_utf8", "too_deep")
