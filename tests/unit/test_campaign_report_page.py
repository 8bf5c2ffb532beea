"""The page of a run's report in its three languages: what it says, that it hangs together, and that it claims no effect."""

import re
import string
import tomllib
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from ecrm.analytics.campaign_reports import CampaignReport
from ecrm.domain.links import Language
from ecrm.domain.messages import Status
from ecrm.domain.runs import RunState, Verdict
from ecrm.domain.tallies import BOOKS, MOST_HOURS, Group, Tally
from ecrm.messaging import campaign_reports, words
from ecrm.messaging.rendering import source_of, style_of
from tests.unit.test_status_page import text_of
from tools.sample_campaign_report import BEGAN, campaign_report

PAGES = campaign_reports.CampaignReportPages()
FOLDER = Path(campaign_reports.__file__).parent / "campaign_reports"
SAID = {language: tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8")) for language in Language}
ENGLISH, PERSIAN, CHINESE = Language
REPORT = campaign_report()
EMPTY = replace(
    REPORT, total=Tally(), is_complete=False, as_of=None, run=replace(REPORT.run, audience=None, costs=None, pilot=None)
)


@cache
def page_in(language: Language) -> str:
    return PAGES.report(REPORT, language)


def said(report: CampaignReport, language: Language = ENGLISH) -> str:
    return text_of(PAGES.report(report, language))


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (
            ENGLISH,
            [
                "Autumn in wool Run of 20 November 2026, 09:00: finished As of 23 November 2026, 09:07 (Europe/Berlin)",
                "people matched the audience 12,000 when the run began",
                "Suppressed the address bounced, complained or is blocked · bounced 274 · complained 111 385 3.2%",
                "All 12,000 people are accounted for: nobody is missing, and nobody is counted twice.",
                "10.0% were to be held out.",
                "Template autumn-story, version 3. Of 478 people, 454 mails were accepted.",
                "offer won: it is surely better than every other one. story 5.0% 21 of 419 (3.3% to 7.5%)",
                "story and offer: p = 0.003",
                "shop.example.com/sale",
                "Hours since the run began, on 20 November 2026, 09:00 (Europe/Berlin).",
                "Fixed 250.00 EUR",
                f"GET /v1/campaigns/autumn/runs/{'5f' * 16}/report",
            ],
        ),
        (
            PERSIAN,
            [
                "وضعیت در ۲ آذر ۱۴۰۵، ۰۹:۰۷",
                "حساب هر ۱۲٬۰۰۰ نفر روشن است",
                "از ۴۷۸ نفر، ۴۵۴ نامه پذیرفته شد",
                "\u2068p = ۰٫۰۰۳\u2069",
            ],
        ),
        (CHINESE, ["截至2026年11月23日 09:07（Europe/Berlin）", "全部12,000人都有着落", "478人中有454封邮件被接收", "offer胜出"]),
    ],
)
def test_a_run_is_told_in_the_words_digits_and_calendar_of_its_language(language: Language, expected: list[str]) -> None:
    page = text_of(page_in(language))
    assert expected == [each for each in expected if each in page]


@pytest.mark.parametrize("language", Language)
def test_the_page_runs_nothing_loads_nothing_and_hangs_together(language: Language) -> None:
    for page in (page_in(language), PAGES.report(EMPTY, language)):
        assert f'<html lang="{words.TAGS[language]}" dir="{words.DIRECTIONS[language]}">' in page
        assert not re.search(
            r"<(script|img|link|iframe|form|object|foreignObject|use|image)\b|\son\w+=|\sstyle=|https?:|url\(", page
        )
        assert [1, 1, 1] == [len(re.findall(f"<{tag}[ >]", page)) for tag in ("title", "main", "h1")]
        levels = [int(level) for level in re.findall(r"<h(\d)", page)]
        assert all(after - before <= 1 for before, after in pairwise(levels))
        ids = re.findall(r' id="([^"]+)"', page)
        assert len(ids) == len(set(ids))
        assert set(re.findall(r'aria-labelledby="([^"]+)"', page)) | set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
        assert ["?lang=en", "?lang=fa", "?lang=zh"] == sorted([*re.findall(r'href="(\?[^"]+)"', page), f"?lang={language}"])
        assert not re.search(r"[{}]|None|nan", text_of(page))
        for svg in re.findall(r"<svg[^>]*>", page):
            assert 'aria-hidden="true"' in svg or re.search(r'role="img" aria-label="[^"]+"', svg), svg


def test_every_part_says_what_it_counts() -> None:
    sections = re.findall(r"<section[^>]*>(.*?)</section>", page_in(ENGLISH), re.DOTALL)
    assert 7 == len(sections)
    for section in sections:
        assert re.search(r'<h2 id="[^"]+">[^<]+</h2>\s*<p class="what">[^<]{40,}</p>', section), section[:80]


def test_charts_tell_their_numbers_to_who_cannot_see_them() -> None:
    told = re.findall(r'role="img" aria-label="([^"]+)"', page_in(ENGLISH))
    names = ["Mails that were accepted", "People who opened for the first time", "People who clicked for the first time"]
    assert names == [label.partition(":")[0] for label in told]
    for label, what in zip(told, ("accepted", "opened", "clicked"), strict=True):
        numbers = [int(number.replace(",", "")) for number in re.findall(r" to [\d,]+: ([\d,]+)", label)]
        assert sum(counted[what] for counted in REPORT.total.hours.values()) == sum(numbers)


@pytest.mark.parametrize("language", Language)
def test_intervals_are_drawn_where_reading_begins_and_hold_their_share(language: Language) -> None:
    found = re.findall(
        r'<rect class="part-\d" x="([\d.]+)%" width="([\d.]+)%"[^>]*></rect><line class="spread" x1="([\d.]+)%" x2="([\d.]+)%"',
        page_in(language),
    )
    assert len(found) > 15
    for x, width, one, other in (map(float, each) for each in found):
        end = x if language is PERSIAN else x + width
        assert one - 0.01 <= end <= other + 0.01


def test_a_run_that_is_not_counted_yet_says_so() -> None:
    page = said(EMPTY)
    assert "Not everybody in the audience is counted here yet." in page
    assert "Nothing has been counted yet" in page
    assert "How many they will be is not known before the audience is planned." in page


def test_books_that_do_not_balance_say_so() -> None:
    page = said(replace(REPORT, run=replace(REPORT.run, audience=12_001)))
    assert "12,000 of 12,001 people are counted." in page
    assert "accounted for" not in page


def test_a_run_that_was_skipped_says_why() -> None:
    skipped = replace(EMPTY, is_complete=True, run=replace(EMPTY.run, state=RunState.SKIPPED, reason="late"))
    assert "skipped" in said(skipped)
    assert "It was skipped: found too late." in said(skipped)
    assert "It was skipped: unknown_topic." in said(replace(skipped, run=replace(skipped.run, reason="unknown_topic")))


def test_without_a_control_group_nobody_will_be_able_to_tell() -> None:
    page = said(replace(REPORT, run=replace(REPORT.run, control_percent=Decimal(0))))
    assert "Nobody was held out." in page


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (Verdict(None, "no_difference"), "Nobody won: none is surely better than every other one."),
        (Verdict(None, "too_few"), "Nobody won: a treatment has fewer than 100 recipients"),
        (None, "It has not been decided yet. That is due on 20 November 2026, 13:00 (Europe/Berlin)."),
    ],
)
def test_a_pilot_says_what_it_came_to(verdict: Verdict | None, expected: str) -> None:
    run = replace(REPORT.run, verdicts={"loyal": verdict} if verdict else {}, settled_at=None, state=RunState.SENDING)
    assert expected in said(replace(REPORT, run=run))


def test_a_run_of_days_is_told_by_days_and_its_last_column_has_the_rest() -> None:
    hours = {0: Counter(accepted=5), 30: Counter(opened=2), MOST_HOURS: Counter(clicked=1)}
    page = said(replace(REPORT, total=replace(REPORT.total, hours=hours)))
    assert "Days since the run began" in page
    assert "The last column has all that came later, too." in page


def test_what_has_no_treatment_and_links_that_are_not_known_are_told() -> None:
    undecided = Group("loyal", "treated", "", is_pilot=False)
    total = Tally(entries=3, open=3, groups={undecided: Counter(entries=3, planned=3)}, links={("loyal", "offer"): Counter(zz=2)})
    many = Tally(links={("loyal", "offer"): Counter({str(number): 1 for number in range(20)})})
    total.merge(many)
    page = said(replace(REPORT, total=total, shown={}, as_of=BEGAN + timedelta(hours=1)))
    assert "Message loyal, without a treatment 3 people, whose treatment has not been decided" in page
    assert "A link that is not known any more 2" in page
    assert "Shown are the first 12 links of 21." in page


def test_names_are_shown_as_they_are() -> None:
    page = PAGES.report(replace(REPORT, name="<b>1 & 2"), ENGLISH)
    assert "<h1>&lt;b&gt;1 &amp; 2</h1>" in page


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_language_has_every_word_with_the_same_places() -> None:
    flat = {
        language: {
            f"{part}.{key}": places(str(value)) if part == "words" else set()
            for part, each in told.items()
            for key, value in each.items()
        }
        for language, told in SAID.items()
    }
    assert flat[ENGLISH] == flat[PERSIAN] == flat[CHINESE]
    assert {state.value for state in RunState} == set(SAID[ENGLISH]["states"])
    assert {*BOOKS.values(), "open"} == set(SAID[ENGLISH]["ends"])
    assert set(BOOKS) < set(Status)


def test_no_word_is_there_that_nobody_says() -> None:
    source = Path(campaign_reports.__file__).read_text(encoding="utf-8") + (FOLDER / "campaign.html").read_text(encoding="utf-8")
    tiles = ("audience", "accepted", "delivered", "clicked", "unsubscribed", "costs")
    made = {f"tile_{name}{end}" for name in tiles for end in ("", "_note")}
    made |= {f"pilot_{why}" for why in ("better", "no_difference", "too_few", "what_clicks", "what_orders")}
    made |= {f"hours_{what}" for what in ("accepted", "opened", "clicked")}
    assert set() == {key for key in SAID[ENGLISH]["words"] if key not in made and not re.search(rf'["\.]{key}\b', source)}


def test_the_style_is_the_one_that_the_page_has() -> None:
    files = (FOLDER.parent / "pages" / "style.css", FOLDER.parent / "reports" / "report.css", FOLDER / "campaign.css")
    assert source_of("".join(path.read_text(encoding="utf-8") for path in files)) == style_of(page_in(CHINESE))
