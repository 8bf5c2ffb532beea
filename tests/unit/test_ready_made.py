"""The mails that come with the system: whole with the least that there is, and safe with the worst."""

import json
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest

from ecrm.application.orders import OrderView
from ecrm.application.templates import Material, Rendered
from ecrm.domain.links import Language
from ecrm.domain.orders import Refunded, Shipped, Status, fold
from ecrm.domain.templates import READY_MADE, Template
from ecrm.messaging.mails import CLIPPED, Mails
from ecrm.messaging.ready_made import ready_made
from ecrm.messaging.samples import LINKS, sample_order
from ecrm.messaging.words import STATUSES
from tests.architecture.sources import ROOT
from tests.builders import a_stored_site

MAILS = Mails()
TEMPLATES = ready_made()
LANGUAGES = ("en", "fa", "zh")
SITE = a_stored_site("ir", brand="نُت آبی", languages=["fa"], time_zone="Asia/Tehran", postal_address="تهران، خیابان ولیعصر")
EACH = [pytest.param(TEMPLATES[name], language, id=f"{name}-{language}") for name in READY_MADE for language in LANGUAGES]
WORST: list[str] = [
    text
    for text in json.loads((ROOT / "tests/data/naughty_strings.json").read_text(encoding="utf-8"))
    if text.strip() and not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text)
]
CANARY = "{{7*7}}<script>alert(1)</script>{% raw %}"


def made(template: Template, language: str, **material: Any) -> Rendered:
    given: dict[str, Any] = {
        "site": SITE,
        "order": sample_order(SITE),
        "links": LINKS,
        "attributes": {"first_name": "Sara"},
    } | material
    return MAILS.render(template, language, Material(**given))


class _Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()


@pytest.mark.parametrize(("template", "language"), EACH)
def test_a_ready_made_mail_passes_as_one_that_is_written(template: Template, language: str) -> None:
    assert [] == MAILS.check(template)
    preview = MAILS.preview(template, language, Material(site=SITE, attributes={"first_name": "Sara"}))
    assert [] == preview.warnings


@pytest.mark.parametrize(("template", "language"), EACH)
def test_a_ready_made_mail_is_a_whole_page_in_its_language_that_loads_nothing(template: Template, language: str) -> None:
    mail = made(template, language)
    page = _Page(mail.html)
    assert [] == page.open
    html = next(attrs for tag, attrs in page.tags if tag == "html")
    assert {"lang": language, "dir": "rtl" if language == "fa" else "ltr"} == html
    assert ("color-scheme", "light dark") in {
        (attrs.get("name"), attrs.get("content")) for tag, attrs in page.tags if tag == "meta"
    }
    assert not [tag for tag, attrs in page.tags if tag in ("img", "link", "script") or "src" in attrs]
    assert all(str(attrs["href"]).startswith("https://") for tag, attrs in page.tags if tag == "a")
    for shown in (unescape(mail.html), mail.text):
        assert SITE.brand in shown
        assert str(SITE.postal_address) in shown
    link = LINKS["confirm" if template.template == "confirm-address" else "order_status"]
    assert f'href="{link}"' in mail.html
    assert link in mail.text
    assert mail.size_bytes < CLIPPED / 10


@pytest.mark.parametrize(("template", "language"), EACH)
def test_a_ready_made_mail_is_whole_with_the_least_that_there_is(template: Template, language: str) -> None:
    full = sample_order(SITE)
    order = replace(full.order, facts=())
    bare = made(
        template,
        language,
        site=replace(SITE, postal_address=None),
        order=OrderView(order, fold(order), full.lines),
        attributes={},
        links={"confirm": LINKS["confirm"]},
    )
    assert [] == _Page(bare.html).open
    assert "None" not in bare.html + bare.text + bare.subject
    assert bare.subject


def test_a_persian_mail_has_persian_digits_and_days() -> None:
    mail = made(TEMPLATES["order-confirmed"], "fa")
    assert "۲۹ آبان ۱۴۰۵" in mail.text
    assert "۵۵٫۸۰ یورو" in mail.text
    shown = re.sub(r"https://\S+|A-1001|Kind of Blue \(CD\)|Hejira \(LP, 180 g\)", "", mail.text)
    assert [] == re.findall(r"[0-9]", shown)


def test_a_mail_of_a_parcel_and_of_a_refund_speak_of_the_one_that_is_meant() -> None:
    order = sample_order(SITE)
    paid, shipped, _, refunded = order.order.facts
    assert isinstance(shipped, Shipped)
    assert isinstance(refunded, Refunded)
    second = replace(shipped, event_id="shipped-2", shipment_id="2", tracking_number="SECOND", lines={"2": 1})
    first = replace(shipped, lines={"1": 2})
    more = replace(refunded, event_id="refunded-2", amount_minor=150)
    facts = (paid, first, second, refunded, more)
    placed = replace(order.order, facts=facts)
    view = OrderView(placed, fold(placed), order.lines)
    shown = {
        (name, shipment, event): made(TEMPLATES[name], "en", order=view, data={"shipment_id": shipment, "event_id": event}).text
        for name, shipment, event in (
            ("order-shipped", "1", None),
            ("order-shipped", "2", None),
            ("order-shipped", None, None),
            ("order-refunded", None, "refunded"),
            ("order-refunded", None, "refunded-2"),
        )
    }
    assert [False, True, True] == ["SECOND" in text for (name, *_), text in shown.items() if name == "order-shipped"]
    assert ["11.50 EUR", "1.50 EUR"] == [
        found[1] for (name, *_), text in shown.items() if name == "order-refunded" and (found := re.search(r"Amount  (.*)", text))
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_mail_of_a_parcel_does_not_claim_that_the_whole_order_has_arrived(language: str) -> None:
    mail = made(TEMPLATES["order-delivered"], language)
    assert STATUSES[Language(language)][Status.DELIVERED] not in mail.subject + mail.preheader + mail.text


@pytest.mark.parametrize(("template", "language"), EACH)
def test_the_worst_names_are_escaped_in_html_and_stand_as_they_are_in_text(template: Template, language: str) -> None:
    full = sample_order(SITE)
    for at in range(0, len(WORST), 4):
        names = [*WORST[at : at + 4], CANARY, CANARY, CANARY]
        lines = tuple(replace(line, name=name) for line, name in zip(full.lines, names, strict=False))
        site = replace(SITE, brand=names[2], postal_address=names[3])
        mail = made(
            template, language, site=site, order=replace(full, lines=lines), attributes={"first_name": CANARY, "last_name": "x"}
        )
        page = _Page(mail.html)
        assert [] == page.open
        assert not [
            tag for tag, attrs in page.tags if tag in ("script", "img", "iframe", "svg") or any(n[:2] == "on" for n in attrs)
        ]
        assert CANARY in mail.text
        assert names[2] in mail.text
        assert names[3] in mail.text
        if template.template == "order-confirmed":
            assert all(line.name in mail.text for line in lines)
