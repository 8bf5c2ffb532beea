"""The status page in its three languages: what it says, what it never says, and whom it leaves out."""

import html
import re
import unicodedata
from dataclasses import replace
from datetime import date
from itertools import pairwise, product
from pathlib import Path

import pytest

from ecrm.domain.links import Language
from ecrm.domain.orders import Refunded, ShipmentState, Shipped, Status, fold, with_fact
from ecrm.messaging import formats, person_words, rendering, words
from tools.a11y import every_page, sample

PAGES = rendering.Pages()
STYLE = (Path(rendering.__file__).parent / "pages" / "style.css").read_text(encoding="utf-8")
ENGLISH, PERSIAN, CHINESE = Language


def text_of(page: str) -> str:
    """What is read, blanks made one."""
    body = page.partition("<body>")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (ENGLISH, ["A part of your order is on its way", "Expected 26 November 2026", "3,300.00 EUR", "\u200e−150.00 EUR"]),
        (PERSIAN, ["بخشی از سفارش شما در راه است", "تحویل احتمالی ۵ آذر ۱۴۰۵", "۳٬۳۰۰٫۰۰ ریال", "\u200e−۱۵۰٫۰۰ ریال"]),
        (CHINESE, ["您的部分商品已发货", "预计送达 2026年11月26日", "3,300.00 元", "\u200e−150.00 元"]),
    ],
)
def test_an_order_is_told_in_the_words_digits_and_calendar_of_its_language(language: Language, expected: list[str]) -> None:
    said = text_of(PAGES.order(sample(language), language))
    assert expected == [words for words in expected if words in said]


def test_the_page_shows_everything_that_a_customer_asks_about() -> None:
    page = PAGES.order(sample(ENGLISH), ENGLISH)
    steps = re.findall(r'<li class="(done|open)"[^>]*>\s*<span class="name">([^<]+)', page)
    assert [
        ("done", "Ordered"),
        ("done", "Paid"),
        ("done", "Packed"),
        ("done", "Partly shipped"),
        ("open", "Delivered"),
    ] == steps
    url = "https://tracking.example.com/00340434161094027318?language=auto&detail=full"
    assert [url] == [html.unescape(found) for found in re.findall(r'href="(http[^"]+)"', page)]
    headings = re.findall(r"<h2[^>]*>([^<]+)", page)
    assert ["Progress", "Parcels", "Items", "Returns", "Refunds"] == headings
    said = text_of(page)
    for words_ in (
        "Sent 21 November 2026, 09:00",
        "1 cancelled",
        "1 returned",
        "Total 6,083.70 EUR",
        "Refunded in all 1,200.00 EUR",
    ):
        assert words_ in said


def test_the_steps_of_an_order_that_has_just_been_placed_lie_ahead() -> None:
    page = PAGES.order(sample(ENGLISH, happened=0), ENGLISH)
    assert ["done", "open", "open", "open", "open"] == re.findall(r'<li class="(\w+)"', page)
    assert ["Progress", "Items"] == re.findall(r"<h2[^>]*>([^<]+)", page)


def test_contradictions_and_the_shops_own_reasons_stay_in_the_shop() -> None:
    found = sample(ENGLISH)
    refund = Refunded(
        event_id="r", occurred_at=found.view.order.placed_at, digest="", amount_minor=10**9, reason="difficult person"
    )
    order = with_fact(found.view.order, refund)
    view = replace(found.view, order=order, state=fold(order))
    assert ("refund_exceeds_total",) == view.state.needs_attention
    page = PAGES.order(replace(found, view=view), ENGLISH)
    for secret in ("refund_exceeds_total", "attention", "difficult", found.view.order.customer_id):
        assert secret not in page


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}{% raw %}", "'--><b>"])
def test_what_a_shop_sends_is_shown_and_never_run(text: str) -> None:
    found = sample(ENGLISH)
    shipped = Shipped(
        event_id="s", occurred_at=found.view.order.placed_at, digest="", shipment_id="p9", carrier=text, tracking_number=text
    )
    order = with_fact(found.view.order, shipped)
    lines = tuple(replace(line, name=text) for line in found.view.lines)
    view = replace(found.view, order=order, state=fold(order), lines=lines)
    page = PAGES.order(replace(found, view=view, site=replace(found.site, brand=text)), ENGLISH)
    assert ("<" in text) == (text not in page)
    assert " ".join(text.split()) in " ".join(html.unescape(page).split())
    assert {"script", "img", "b"} & set(re.findall(r"<(\w+)", page)) == set()


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//example.com", " https://example.com"])
def test_a_tracking_link_leads_to_the_web_or_is_none(url: str) -> None:
    found = sample(ENGLISH, happened=0)
    shipped = Shipped(event_id="s", occurred_at=found.view.order.placed_at, digest="", shipment_id="p", tracking_url=url)
    order = with_fact(found.view.order, shipped)
    page = PAGES.order(replace(found, view=replace(found.view, order=order, state=fold(order))), ENGLISH)
    assert ["?lang=fa", "?lang=zh"] == re.findall(r'href="([^"]+)"', page)


def test_a_link_with_a_language_of_its_own_offers_no_other() -> None:
    assert "<nav" not in PAGES.order(replace(sample(PERSIAN), language=PERSIAN), PERSIAN)


def test_every_language_has_every_word() -> None:
    assert {frozenset(words.LABELS[ENGLISH])} == {frozenset(words.LABELS[language]) for language in Language}
    for language in Language:
        assert (set(Status), set(Status), set(ShipmentState)) == (
            set(words.STATUSES[language]),
            set(words.STEPS[language]),
            set(words.SHIPMENTS[language]),
        )
    assert [set(Language)] * 3 == [set(words.NAMES), set(words.DIRECTIONS), set(words.TAGS)]
    assert {ENGLISH: 12, PERSIAN: 12} == {language: len(set(months)) for language, months in words.MONTHS.items()}


@pytest.mark.parametrize(("language", "script"), [(ENGLISH, "LATIN"), (PERSIAN, "ARABIC"), (CHINESE, "CJK")])
def test_every_word_is_written_in_the_script_of_its_language_and_no_two_states_are_told_alike(
    language: Language, script: str
) -> None:
    states = (words.STATUSES[language], words.STEPS[language], words.SHIPMENTS[language])
    assert [len(told) for told in states] == [len(set(told.values())) for told in states]
    every = [word for told in (*states, words.LABELS[language], words.CURRENCIES[language]) for word in told.values()]
    every += [words.NAMES[language], *words.MONTHS.get(language, ())]
    scripts = {word: {unicodedata.name(letter).split()[0] for letter in word if letter.isalpha()} for word in every}
    assert {} == {word: found for word, found in scripts.items() if found != {script}}


@pytest.mark.parametrize(
    ("minor", "currency", "expected"),
    [
        (-50, "EUR", "\u200e−۰٫۵۰ یورو"),
        (125000, "JPY", "۱۲۵٬۰۰۰ JPY"),
        (1_234_567, "KWD", "۱٬۲۳۴٫۵۶۷ KWD"),
        (0, "USD", "۰٫۰۰ دلار آمریکا"),
    ],
)
def test_an_amount_keeps_its_sign_and_its_currencys_decimals(minor: int, currency: str, expected: str) -> None:
    assert expected == formats.amount(minor, currency, PERSIAN)


def test_the_last_day_of_a_persian_year_is_written_out() -> None:
    assert "۳۰ اسفند ۱۴۰۳" == formats.day(date(2025, 3, 20), PERSIAN)


# ── What an accessibility checker would look at first; `make a11y` runs a whole one. ──


@pytest.mark.parametrize("name", list(every_page()))
def test_a_page_has_its_language_direction_title_landmark_and_one_first_heading(name: str) -> None:
    page = every_page()[name]
    language = Language(name[-2:])
    assert f'<html lang="{words.TAGS[language]}" dir="{words.DIRECTIONS[language]}">' in page
    assert 'content="width=device-width, initial-scale=1"' in page
    assert [1, 1, 1] == [len(re.findall(f"<{tag}[ >]", page)) for tag in ("title", "main", "h1")]
    levels = [int(level) for level in re.findall(r"<h(\d)", page)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'aria-(?:labelledby|describedby)="([^"]+)"', page)) <= set(ids)
    assert not re.search(r"<(script|img|link|iframe|object)\b|\son\w+=|\sstyle=|\saction=", page)


@pytest.mark.parametrize("name", [name for name in every_page() if "<form" in every_page()[name]])
def test_every_field_of_a_form_has_its_label_and_every_button_its_words(name: str) -> None:
    page = every_page()[name]
    fields = re.findall(r"<(?:input|select)\b[^>]*>", page)
    labelled = re.findall(r"<label[^>]*>(?:<span>[^<]+</span>)?(<(?:input|select)\b[^>]*>)", page)
    assert [field for field in fields if 'type="hidden"' not in field] == labelled
    assert all(words.strip() for words in re.findall(r"<button[^>]*>([^<]*)</button>", page))
    assert set(re.findall(r"<form([^>]*)>", page)) == {' method="post"'}
    assert len(re.findall("<fieldset[ >]", page)) == page.count("<legend>")


def test_every_language_of_a_persons_own_pages_has_the_same_words() -> None:
    assert {frozenset(person_words.WORDS[ENGLISH])} == {frozenset(person_words.WORDS[language]) for language in Language}


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


THEMES = [dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", theme)) for theme in STYLE.split("prefers-color-scheme: dark")]


@pytest.mark.parametrize("theme", THEMES, ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "paper"), [*product(["ink", "muted", "link", "good", "bad"], ["paper", "ground"])])
def test_every_ink_on_every_ground_has_the_contrast_of_level_aa(ink: str, paper: str, theme: dict[str, str]) -> None:
    dark, light = sorted(luminance(theme[name]) for name in (ink, paper))
    assert 4.5 <= (light + 0.05) / (dark + 0.05)


def test_every_colour_of_the_style_is_one_of_those() -> None:
    """A button's words have the paper's colour, on the links'."""
    used = {name for name, _ in re.findall(r"(?<![-\w])color: var\(--(\w+)\)()", STYLE)}
    assert used == {"ink", "muted", "link", "good", "bad", "paper"}
    assert [*re.findall(r"(?<![-\w])color: var\(--paper\)", STYLE)] == ["color: var(--paper)"]
    assert re.search(r"^button {.* background: var\(--link\); color: var\(--paper\);", STYLE, re.MULTILINE)
    colours = {colour for theme in THEMES for colour in theme.values()}
    assert [*THEMES[0]] == [*THEMES[1]]
    assert set(re.findall(r"#[0-9a-fA-F]{3,8}\b", STYLE)) == colours
