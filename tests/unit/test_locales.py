"""Values as people write them: what can be read one way is read, what can be read two ways is not guessed."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from ecrm.contracts import locales
from ecrm.contracts.fields import email_address
from ecrm.contracts.locales import Locale, Unread
from ecrm.domain.calendars import from_jalali, to_jalali

NOBODY = Locale()
BERLIN = Locale(language="de", region="DE", country="DE", zone="Europe/Berlin")
BOSTON = Locale(language="en", region="US", country="US", zone="America/New_York")
ENGLISH = Locale(language="en")
TEHRAN = Locale(language="fa", country="IR", zone="Asia/Tehran")
SHEET = Locale(language="de", region="DE", has_plain_numbers=True)


def code_of(read: Callable[..., Any], *about: Any) -> str:
    with pytest.raises(Unread) as unread:
        read(*about)
    return unread.value.code


@pytest.mark.parametrize(
    ("text", "locale", "number"),
    [
        ("12", NOBODY, "12"),
        ("-5", NOBODY, "-5"),
        ("−5", NOBODY, "-5"),
        ("0.5", NOBODY, "0.5"),
        ("0,125", NOBODY, "0.125"),
        ("1.234,50", BOSTON, "1234.50"),
        ("1,234.50", BERLIN, "1234.50"),
        ("1.234", BERLIN, "1234"),
        ("1.234", BOSTON, "1.234"),
        ("1.234", SHEET, "1.234"),
        ("1,234", BOSTON, "1234"),
        ("12,5", BOSTON, "12.5"),
        ("12.50", BERLIN, "12.50"),
        ("1.234.567", BOSTON, "1234567"),
        ("12,34,567.8", BOSTON, "1234567.8"),
        ("1 234,50", BERLIN, "1234.50"),
        ("1\u202f234,50", BERLIN, "1234.50"),
        ("1’234.50", BERLIN, "1234.50"),
        ("€ 12,50", BERLIN, "12.50"),
        ("۱٬۲۳۴٫۵۰", NOBODY, "1234.50"),
        ("١٢٬٣٤٥", NOBODY, "12345"),
        ("１２３．４５", NOBODY, "123.45"),
        ("१२३", NOBODY, "123"),
    ],
)
def test_a_number_is_read_in_the_ways_of_its_people(text: str, locale: Locale, number: str) -> None:
    assert Decimal(number) == locales.number(text, locale)


@pytest.mark.parametrize(
    "text",
    ["", "x", "1e5", "12.", "1.2.3", "1,234,56", "12,345.678.9", "1,2345,678", "--1", "1-2", "NaN", "12 €/m²", "3 4", "1 23"],
)
def test_what_is_no_number_is_refused(text: str) -> None:
    assert "bad_number" == code_of(locales.number, text, BOSTON)


def test_a_number_that_can_be_two_is_not_guessed() -> None:
    assert "ambiguous_number" == code_of(locales.number, "1.234", NOBODY)
    assert "ambiguous_number" == code_of(locales.number, "1,234", NOBODY)


@given(amount=st.decimals(-(10**9), 10**9, places=2))
def test_a_number_as_germans_or_persians_write_it_comes_back(amount: Decimal) -> None:
    american = f"{amount:,.2f}"
    german = american.translate(str.maketrans(",.", ".,"))
    persian = american.translate(str.maketrans("0123456789,.", "۰۱۲۳۴۵۶۷۸۹٬٫"))
    assert amount == locales.number(american, BOSTON) == locales.number(german, BERLIN) == locales.number(persian, TEHRAN)


@pytest.mark.parametrize(
    ("text", "locale"),
    [
        ("2026-11-20", NOBODY),
        ("20261120", NOBODY),
        ("2026/11/20", NOBODY),
        ("20.11.2026", BOSTON),
        ("20/11/2026", ENGLISH),
        ("11/20/2026", ENGLISH),
        ("11/20/2026", BOSTON),
        ("20 Nov 2026", NOBODY),
        ("November 20th, 2026", NOBODY),
        ("20. November 2026", BERLIN),
        ("20 novembre 2026", NOBODY),
        ("20 de noviembre de 2026", NOBODY),
        ("2026年11月20日", NOBODY),
        ("۱۴۰۵/۰۸/۲۹", TEHRAN),
        ("۲۹ آبان ۱۴۰۵", NOBODY),
        ("29/8/1405", TEHRAN),
        ("٢٠ نوفمبر ٢٠٢٦", NOBODY),
        ("\u200e2026-11-20\u200f", NOBODY),
    ],
)
def test_a_day_is_read_in_the_ways_of_its_people(text: str, locale: Locale) -> None:
    assert date(2026, 11, 20) == locales.day(text, locale)


def test_a_day_is_read_by_its_locale_or_not_guessed() -> None:
    assert date(2026, 3, 4) == locales.day("3/4/2026", BOSTON)
    assert date(2026, 4, 3) == locales.day("3/4/2026", BERLIN)
    assert date(2026, 4, 4) == locales.day("4/4/2026", ENGLISH)
    assert "ambiguous_date" == code_of(locales.day, "3/4/2026", ENGLISH)
    assert "ambiguous_date" == code_of(locales.day, "3/4/2026", NOBODY)


@pytest.mark.parametrize(
    "text", ["", "soon", "31.02.2026", "2026-13-01", "3/4/26", "1404/12/30", "20 Foo 2026", "0000-00-00", "45980"]
)
def test_what_is_no_day_is_refused(text: str) -> None:
    assert "bad_date" == code_of(locales.day, text, BOSTON)


@pytest.mark.parametrize(
    ("text", "locale", "moment"),
    [
        ("2026-11-20T18:03:11Z", BERLIN, "2026-11-20T18:03:11+00:00"),
        ("2026-11-20T18:03:11.1234567+03:30", BERLIN, "2026-11-20T14:33:11.123456+00:00"),
        ("2026-11-20 18:03", BERLIN, "2026-11-20T17:03:00+00:00"),
        ("20.11.2026, 18:03:11", BERLIN, "2026-11-20T17:03:11+00:00"),
        ("11/20/2026 6:03 PM", BOSTON, "2026-11-20T23:03:00+00:00"),
        ("11/20/2026 12:03 am", BOSTON, "2026-11-20T05:03:00+00:00"),
        ("۱۴۰۵/۰۸/۲۹ ۱۸:۰۳", TEHRAN, "2026-11-20T14:33:00+00:00"),
        ("2026-11-20 18:03:11 UTC", BERLIN, "2026-11-20T18:03:11+00:00"),
        ("2021-09-29 15:35:00 +0000", BERLIN, "2021-09-29T15:35:00+00:00"),
        ("2026-11-20", BERLIN, "2026-11-19T23:00:00+00:00"),
    ],
)
def test_a_moment_without_a_zone_is_one_of_its_people_s_clocks(text: str, locale: Locale, moment: str) -> None:
    assert datetime.fromisoformat(moment) == locales.moment(text, locale)


@pytest.mark.parametrize(
    "text", ["2026-11-20 25:00", "2026-11-20 13:00 PM", "2026-11-20 12:60", "0001-01-01T00:00:00+14:00", "noon"]
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    assert "bad_date" == code_of(locales.moment, text, BERLIN)


@given(day=st.dates(date(1800, 3, 22), date(2254, 12, 31)))
def test_a_day_of_the_persian_calendar_is_the_day_it_was_made_of(day: date) -> None:
    assert day == from_jalali(*to_jalali(day))


@pytest.mark.parametrize("wrong", [(1404, 12, 30), (1405, 13, 1), (1405, 0, 1), (1405, 1, 0), (1405, 7, 31), (1405, 1, 32)])
def test_a_day_that_the_persian_calendar_does_not_have_is_refused(wrong: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="no such"):
        from_jalali(*wrong)


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("0912 123 4567", "IR", "+989121234567"),
        ("۰۹۱۲۱۲۳۴۵۶۷", "IR", "+989121234567"),
        ("9121234567", "IR", "+989121234567"),
        ("989121234567", "IR", "+989121234567"),
        ("00989121234567", "IR", "+989121234567"),
        ("+98 912 123 4567", None, "+989121234567"),
        ("+49 (0) 30 901820", None, "+4930901820"),
        ("030/901820", "DE", "+4930901820"),
        ("１３８ ００１３ ８０００", "CN", "+8613800138000"),
        ("tel:+12025550143", None, "+12025550143"),
        ("\u202a+1 (202) 555-0143\u202c", None, "+12025550143"),
    ],
)
def test_a_telephone_is_one_of_its_country(text: str, country: str | None, number: str) -> None:
    assert number == locales.phone(text, country)


@pytest.mark.parametrize(
    ("text", "country", "code"),
    [
        ("0912 123 4567", None, "no_country"),
        ("call me", None, "bad_phone"),
        ("12", "DE", "bad_phone"),
        ("4,91712E+11", "DE", "bad_phone"),
        ("(212) 555-2368 ext 5", "US", "bad_phone"),
        ("+0123", "DE", "bad_phone"),
    ],
)
def test_what_is_no_telephone_is_refused(text: str, country: str | None, code: str) -> None:
    assert code == code_of(locales.phone, text, country)


@pytest.mark.parametrize(
    "text",
    [
        "Sara@EXAMPLE.com",
        " Sara@example.com\u200b",
        "\ufeffSara@example.com",
        "Ｓａｒａ＠ｅｘａｍｐｌｅ．com",
        "mailto:Sara@example.com",
    ],
)
def test_an_address_is_the_same_however_it_was_typed(text: str) -> None:
    assert "Sara@example.com" == locales.email(text)


@given(
    local=st.text('aZ09_+-.!"é ', max_size=70),
    domain=st.sampled_from(
        ["example.com", "EXAMPLE.com", "bücher.de", "x", "a..b", "-a.com", "", "[127.0.0.1]", "a." * 120 + "com"]
    ),
)
@example(local="a" * 64, domain="example.com")
@example(local="a" * 65, domain="example.com")
@example(local="a" * 60, domain="a." * 96 + "com")
def test_a_file_takes_the_addresses_that_http_takes(local: str, domain: str) -> None:
    address = f"{local}@{domain}".strip()
    assert judged(email_address, address) == judged(locales.email, address)


def judged(read: Callable[[str], str], address: str) -> str | None:
    try:
        return read(address)
    except (Unread, PydanticCustomError):
        return None


@pytest.mark.parametrize(
    "text", ["", "sara", "sara@", "a b@example.com", "a@example.com, b@example.com", "Sara <sara@example.com>"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    assert "bad_email" == code_of(locales.email, text)


@pytest.mark.parametrize(("text", "tag"), [("de_DE", "de-DE"), ("EN-us", "en-US"), ("zh_hans_cn", "zh-Hans-CN"), ("fa", "fa")])
def test_a_language_is_a_tag(text: str, tag: str) -> None:
    assert tag == locales.language(text)


def test_yes_and_no_are_understood_in_many_languages() -> None:
    assert [True, False, True, True, False] == [locales.boolean(text) for text in ("بلي", "Nein", "是", " X ", "خیر")]
    assert not locales.YES & locales.NO
    assert "bad_boolean" == code_of(locales.boolean, "maybe")


def test_blanks_and_invisible_characters_are_no_part_of_a_text_s_ends() -> None:
    assert "نمی‌خواهم" == locales.trimmed("\u200f\ufeff نمی‌خواهم\u200b\u3000")
    assert "" == locales.trimmed("\u200b\u00a0")


def test_a_time_zone_has_a_country() -> None:
    assert ["IR", "DE", None] == [locales.country_of(zone) for zone in ("Asia/Tehran", "Europe/Berlin", "UTC")]
