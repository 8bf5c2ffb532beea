"""A report's page in its three languages: what it says, that every number has its words, and what small companies see."""

import html
import re
import string
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ecrm.analytics.forecasts import Source
from ecrm.analytics.reporting import GroupCounts, OutlookCounts, ReturnCounts
from ecrm.analytics.reports import Cohort, CohortMonth, CurrencyReport, Quarter, Report
from ecrm.analytics.rfm import CELLS, GroupTable
from ecrm.domain.lifecycle import Stage
from ecrm.domain.links import Language
from ecrm.messaging import charts, formats, reports, words
from ecrm.messaging.charts import Column
from ecrm.messaging.rendering import source_of, style_of
from tests.builders import A_MODEL, a_report
from tests.unit.test_status_page import luminance, text_of
from tools.sample_report import report

PAGES = reports.ReportPages()
FOLDER = Path(reports.__file__).parent / "reports"
STYLE = (FOLDER / "report.css").read_text(encoding="utf-8")
SAID = {language: tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8")) for language in Language}
ENGLISH, PERSIAN, CHINESE = Language
EMPTY_PART = CurrencyReport(
    quarters=(),
    cohorts=(),
    first_days_one_time=GroupCounts(),
    first_days_repeat=GroupCounts(),
    distribution=None,
    cells=((GroupCounts(),) * 5,) * 5,
    outlook=OutlookCounts(),
    model=None,
)


def said(told: Report, language: Language = ENGLISH) -> str:
    return text_of(PAGES.report(told, language))


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (
            ENGLISH,
            [
                "As of 1 July 1998, 04:00 (UTC)",
                "customers have bought 2,357 of 2,357 who are known",
                "bought on one day only 51.7% 1,218 customers",
                "within 30 days 17.4% 410 of 2,357",
                "Lost away for longer than 39 of 40 absences last 1,579 67.0%",
                "Customers who stood somewhere else on 30 June 1998.",
                "Q1 1997 77,760 USD 34,739 USD 30.9% 2,357",
                "Bought on one day only, until now 30.59 USD 1,218 customers",
                "Jan 1997 781 47.8% 101 USD 16% 12% 9.0%",
                "Median 43.06 USD Mean 104 USD",
                "The best tenth 50.8% 124,016 USD",
                "354 Champions",
                "Hibernating 595 (25.2%) 10,326 USD",
                "Given only what was known on 31 March 1998",
                "GET /v1/reports/1998-07-01",
            ],
        ),
        (
            PERSIAN,
            [
                "وضعیت در ۱۰ تیر ۱۳۷۷، ۰۴:۰۰ (UTC)",
                "مشتری خرید کرده‌اند ۲٬۳۵۷",
                "سه‌ماههٔ ۱، ۱۹۹۷ ۷۷٬۷۶۰ دلار آمریکا",
                "ژانویه ۱۹۹۷ ۷۸۱ ۴۷٫۸٪",
            ],
        ),
        (CHINESE, ["截至1998年7月1日 04:00（UTC）", "1997年Q1 77,760 美元", "1997年1月 781 47.8%", "30天内 17.4%"]),
    ],
)
def test_a_night_is_told_in_the_words_digits_and_calendar_of_its_language(language: Language, expected: list[str]) -> None:
    page = said(report(), language)
    assert expected == [each for each in expected if each in page]


def test_every_part_says_what_it_counts_and_as_of_when() -> None:
    page = PAGES.report(report(), ENGLISH)
    sections = re.findall(r"<section[^>]*>(.*?)</section>", page, re.DOTALL)
    assert 9 == len(sections)
    for section in sections:
        assert re.search(r'<h2 id="[^"]+">[^<]+</h2>\s*<p class="what">[^<]{40,}</p>', section), section[:80]
        assert '<p class="asof">As of 1 July 1998, 04:00 (UTC)</p>' in section


@pytest.mark.parametrize("language", Language)
def test_the_page_runs_nothing_loads_nothing_and_hangs_together(language: Language) -> None:
    page = PAGES.report(report(), language)
    assert f'<html lang="{words.TAGS[language]}" dir="{words.DIRECTIONS[language]}">' in page
    assert not re.search(r"<(script|img|link|iframe|form|object|foreignObject|use|image)\b|\son\w+=|\sstyle=|https?:|url\(", page)
    assert [1, 1, 1] == [len(re.findall(f"<{tag}[ >]", page)) for tag in ("title", "main", "h1")]
    levels = [int(level) for level in re.findall(r"<h(\d)", page)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'aria-labelledby="([^"]+)"', page)) | set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
    assert ["?lang=en", "?lang=fa", "?lang=zh"] == sorted([*re.findall(r'href="(\?[^"]+)"', page), f"?lang={language}"])
    assert not re.search(r"[{}]|None|nan", text_of(page))


@pytest.mark.parametrize("language", Language)
def test_pictures_are_told_to_who_cannot_see_them(language: Language) -> None:
    page = PAGES.report(report(), language)
    for svg in re.findall(r"<svg[^>]*>", page):
        assert 'aria-hidden="true"' in svg or re.search(r'role="img" aria-label="[^"]+"', svg), svg
    (part,) = report().currencies.values()
    told = [formats.number(part.outlook.alive.get(tenth, 0), language) for tenth in range(10)]
    assert told == [each.rpartition(": ")[2] for each in re.findall(r'aria-label="([^"]+; [^"]+)"', page)[0].split("; ")]


def test_where_people_read_from_the_right_bars_and_charts_begin_there() -> None:
    assert ({"x": "0.00%", "width": "25.00%", "part": 0}, {"x": "75.00%", "width": "25.00%", "part": 0}) == (
        charts.bar(1, 4, "ltr"),
        charts.bar(1, 4, "rtl"),
    )
    left, right = (charts.columns([Column((3,)), Column((1,))], direction, ("a", "b", "c")) for direction in ("ltr", "rtl"))
    assert (["25.00%", "75.00%"], ["75.00%", "25.00%"]) == tuple(
        [each["middle"] for each in one["columns"]] for one in (left, right)
    )
    assert (["0.00%", "50.00%", "100.00%"], ["100.00%", "50.00%", "0.00%"]) == tuple(
        [each["x"] for each in one["edges"]] for one in (left, right)
    )


def test_a_bar_is_never_longer_than_its_place_nor_shorter_than_none() -> None:
    assert ["0.00%", "0.00%", "100.00%", "0.00%"] == [
        charts.bar(part, whole, "ltr")["width"] for part, whole in ((-1, 4), (1, 0), (5, 4), (0, 0))
    ]


@pytest.mark.parametrize(
    ("largest", "step"), [(0, 0.1), (1, 0.25), (4, 1), (7, 2), (9, 2.5), (11, 5), (112_499, 50_000), (4_000_000, 1_000_000)]
)
def test_lines_of_a_chart_are_round_and_reach_as_high_as_its_columns(largest: float, step: float) -> None:
    assert step == charts.round_step(largest)
    assert step * charts.LINES >= largest


def test_columns_are_stacked_and_what_is_below_zero_is_not_drawn() -> None:
    chart = charts.columns([Column((30, 10)), Column((-5, 20))], "ltr")
    plot = charts.HEIGHT - charts.TOP - charts.BOTTOM
    heights = [[float(part["height"]) for part in column["parts"]] for column in chart["columns"]]
    assert [[round(plot * 0.75, 1), round(plot * 0.25, 1)], [0, round(plot * 0.5, 1)]] == heights
    assert float(chart["columns"][0]["parts"][1]["y"]) == charts.TOP


@pytest.mark.parametrize(
    ("texts", "is_crowded"),
    [
        (["112k", "33.6k", "27k", "28.1k", "24.9k", "18k", ""], False),
        (["11.2万", "3.36万", "2.7万", "2.81万", "2.49万", "1.8万", ""], True),
        (["103", "164", "80", "1,285", "96", "83", "112", "186", "163", "85"], False),
        (["12.3k"] * 10, True),
        (["12.3k"], False),
        ([], False),
    ],
)
def test_what_would_touch_above_the_columns_on_a_phone_is_left_to_wider_screens(texts: list[str], *, is_crowded: bool) -> None:
    assert is_crowded == charts.columns([Column((1,), above=text) for text in texts], "ltr")["is_crowded"]


def test_shades_tell_nothing_from_something_and_the_most_from_less() -> None:
    assert [0, 1, 3, 5, 0, 0] == [
        charts.shade(part, most) for part, most in ((0, 9), (0.01, 9), (4.6, 9), (9, 9), (1, 0), (-1, 9))
    ]


# ── what small, young and large companies see ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("language", Language)
def test_a_company_without_a_customer_has_a_report(language: Language) -> None:
    told = replace(
        a_report(), customers=0, base_night=None, stages={}, moves={}, returns=ReturnCounts(), currencies={"EUR": EMPTY_PART}
    )
    page = PAGES.report(told, language)
    assert SAID[language]["words"]["moves_first"] in html.unescape(page)
    assert not re.search(r"[{}]|None|nan", text_of(page))


def test_one_customer_is_told_of() -> None:
    page = said(a_report())
    for words_ in ("customers have bought 1 of 1 who are known", "New → Loyal", "60.80 EUR", "Model mbg-nbd-gamma-gamma"):
        assert words_ in page, words_


def test_nobody_who_moved_is_told_as_such() -> None:
    assert "Nobody stands elsewhere than on 19 November 2026." in said(replace(a_report(), moves={Stage.LOYAL: {Stage.LOYAL: 1}}))


def test_many_currencies_have_a_chapter_each_and_five_are_shown() -> None:
    (part,) = a_report().currencies.values()
    told = replace(a_report(), currencies=dict.fromkeys(("EUR", "JPY", "KWD", "IRR", "USD", "GBP"), part))
    page = PAGES.report(told, ENGLISH)
    assert ["In EUR", "In JPY", "In KWD", "In IRR", "In USD"] == re.findall(r'<h2 class="chapter"[^>]*>([^<]+)', page)
    assert ["6,080 JPY", "6.080 KWD"] == [amount for amount in ("6,080 JPY", "6.080 KWD") if amount in text_of(page)]
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("changes", "words_"),
    [
        ({"is_weak": True, "purchasing_source": Source.BUILT_IN}, "that of a music shop whose data are published"),
        ({"is_weak": True, "purchasing_source": Source.POOLED}, "that of all currencies together"),
        ({"is_weak": True, "spending_source": Source.BUILT_IN}, "that of a music shop whose data are published"),
        (
            {"purchasing_source": Source.YESTERDAY, "spending_source": Source.OWN, "failure": "no maximum"},
            "The model is that of 19 November 2026",
        ),
    ],
)
def test_numbers_that_are_weak_or_of_yesterday_say_so(changes: Mapping[str, Any], words_: str) -> None:
    (part,) = a_report().currencies.values()
    told = replace(a_report(), currencies={"EUR": replace(part, model=replace(A_MODEL, **changes))})
    assert words_ in said(told)
    assert words_ not in said(a_report())


def test_a_model_that_cannot_be_checked_yet_says_so() -> None:
    (part,) = a_report().currencies.values()
    told = replace(a_report(), currencies={"EUR": replace(part, model=replace(A_MODEL, check=None))})
    assert "The model cannot be checked yet" in said(told)
    assert "1.6% more was expected than came" in said(a_report())


def test_a_shop_of_many_years_sees_the_newest_and_is_told_how_many_there_are() -> None:
    quarters = tuple(
        Quarter(
            first_month=24_000 + 3 * number,
            new_revenue_minor=100_00,
            repeat_revenue_minor=5,
            new_customers=1,
            is_over=number < 39,
        )
        for number in range(40)
    )
    cohorts = tuple(
        Cohort(month=24_000 + number, customers=9, returned=4, months=(CohortMonth(9, 1_000), *[CohortMonth(3, 500)] * 60))
        for number in range(120)
    )
    told = replace(a_report(), currencies={"EUR": replace(EMPTY_PART, quarters=quarters, cohorts=cohorts)})
    page = said(told)
    assert "* The quarter is not over. Shown are the newest 12 quarters of 40." in page
    assert "Shown are the newest 24 months of 120." in page
    assert "Q4 2009 *" in page
    assert "Q1 2000" not in page


def test_groups_that_a_company_named_have_those_names() -> None:
    cells = (*CELLS[:4], (*CELLS[4][:3], "gold_club", "<b>"))
    page = PAGES.report(replace(a_report(), groups=GroupTable(cells)), CHINESE)
    assert "gold club" in page
    assert "&lt;b&gt;" in page


# ── words and colours ────────────────────────────────────────────────────────────────────────────────────────────────


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_language_has_every_word_with_the_same_places() -> None:
    flat = {
        language: {f"{part}.{key}": value for part, each in told.items() for key, value in each.items()}
        for language, told in SAID.items()
    }
    expected = {key: places(str(value)) for key, value in flat[ENGLISH].items()}
    optional = {"words.tile_expected"}
    for language in Language:
        assert {key: places(str(value)) for key, value in flat[language].items() if key not in optional} == {
            key: value for key, value in expected.items() if key not in optional
        }
    assert {stage.value for stage in Stage} == set(SAID[ENGLISH]["stages"])
    assert {name for row in CELLS for name in row} == set(SAID[ENGLISH]["groups"])


def test_no_word_is_there_that_nobody_says() -> None:
    source = Path(reports.__file__).read_text(encoding="utf-8") + (FOLDER / "report.html").read_text(encoding="utf-8")
    made = {
        f"tile_{name}{end}" for name in ("buyers", "active", "one_time", "back", "repeat", "expected") for end in ("", "_note")
    }
    made |= {f"weak_{source.value}" for source in Source if source is not Source.OWN}
    made |= {f"{name}_what" for name in ("revenue", "spent")}
    assert set() == {key for key in SAID[ENGLISH]["words"] if key not in made and not re.search(rf'["\.]{key}\b', source)}


COLOURS = dict(
    re.findall(r"--([\w-]+): (#[0-9a-f]{6});", (FOLDER.parent / "pages" / "style.css").read_text(encoding="utf-8") + STYLE)
)


def contrast(one: str, other: str) -> float:
    dark, light = sorted(luminance(COLOURS[name]) for name in (one, other))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("paper", ["notice", *(f"shade-{number}" for number in range(1, charts.SHADES))])
def test_ink_has_the_contrast_of_level_aa_on_every_shade(paper: str) -> None:
    assert contrast("ink", paper) >= 4.5


@pytest.mark.parametrize("colour", ["first", "second"])
def test_what_is_drawn_stands_out_from_the_paper(colour: str) -> None:
    assert contrast(colour, "paper") >= 3


def test_the_style_of_a_stored_page_is_the_one_that_it_has() -> None:
    style = (FOLDER.parent / "pages" / "style.css").read_text(encoding="utf-8") + STYLE
    assert source_of(style) == style_of(PAGES.report(a_report(), ENGLISH))


# ── numbers in little room ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, ("0", "۰", "0")),
        (9_999, ("9,999", "۹٬۹۹۹", "9,999")),
        (12_345, ("12.3k", "۱۲٫۳ هزار", "1.23万")),
        (2_500_000, ("2.5M", "۲٫۵ میلیون", "250万")),
        (1.5e9, ("1.5bn", "۱٫۵ میلیارد", "15亿")),
    ],
)
def test_large_numbers_are_told_in_little_room(value: float, expected: tuple[str, str, str]) -> None:
    assert expected == tuple(formats.compact(value, language) for language in Language)


@pytest.mark.parametrize(
    ("minor", "currency", "expected"),
    [
        (0, "EUR", "0 EUR"),
        (9_949, "EUR", "99.49 EUR"),
        (9_950, "EUR", "100 EUR"),
        (-1_234_567, "EUR", "\u200e−12,346 EUR"),
        (1_234_567, "KWD", "1,235 KWD"),
        (1_234_567, "JPY", "1,234,567 JPY"),
    ],
)
def test_amounts_from_a_hundred_on_are_told_without_cents(minor: int, currency: str, expected: str) -> None:
    assert expected == formats.rounded_amount(minor, currency, ENGLISH)


def test_shares_are_told_to_the_tenth_and_none_of_nothing() -> None:
    assert ["12.5%", "۱۲٫۵٪", "–", "\u200e−0.4%", "13%", "9.9%"] == [
        formats.percent(1, 8, ENGLISH),
        formats.percent(1, 8, PERSIAN),
        formats.percent(1, 0, ENGLISH),
        formats.percent(-0.004, 1, ENGLISH),
        formats.percent(0.1251, 1, ENGLISH, is_short=True),
        formats.percent(0.099, 1, ENGLISH, is_short=True),
    ]
