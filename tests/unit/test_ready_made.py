"""The mails that come with the system: whole with the least that there is, and safe with the worst."""

import json
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecrm.application.orders import OrderView
from ecrm.application.templates import CartItem, Material, Rendered
from ecrm.domain.links import Language
from ecrm.domain.orders import Refunded, Shipped, Status, fold
from ecrm.domain.products import Product, Stated
from ecrm.domain.templates import READY_MADE, Purpose, Template
from ecrm.messaging.colours import DARK, GROUND, INK, READABLE, WHITE, colours, contrast
from ecrm.messaging.mails import CLIPPED, Mails
from ecrm.messaging.ready_made import ready_made
from ecrm.messaging.samples import LINKS, PLACED_AT, sample_cart, sample_order, sample_products
from ecrm.messaging.words import STATUSES
from tests.architecture.sources import ROOT
from tests.builders import a_stored_site

MAILS = Mails()
TEMPLATES = ready_made()
LANGUAGES = ("en", "fa", "zh")
SITE = a_stored_site("ir", brand="نُت آبی", languages=["fa"], time_zone="Asia/Tehran", postal_address="تهران، خیابان ولیعصر")
MAILED = [name for name, purpose in READY_MADE.items() if purpose is not Purpose.PARTIAL]
EACH = [pytest.param(TEMPLATES[name], language, id=f"{name}-{language}") for name in MAILED for language in LANGUAGES]
LEADS = {"confirm-address": "confirm", "data-request": "data_request"}
"""The link that a mail is for, where that is not an order's page, or the end of a subscription."""
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
        if tag not in ("meta", "br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()


@pytest.mark.parametrize(
    ("language", "with_name", "without"),
    [("en", "Hello Sara,", "Hello,"), ("fa", "سلام Sara،", "سلام،"), ("zh", "Sara，您好：", "您好：")],
)
def test_a_greeting_has_the_name_where_its_language_has_it(language: str, with_name: str, without: str) -> None:
    texts = [made(TEMPLATES["birthday"], language, attributes=attributes).text for attributes in ({"first_name": "Sara"}, {})]
    assert [with_name, without] == [text.split("\n\n")[2] for text in texts]


@pytest.mark.parametrize("name", ["we-miss-you", "birthday"])
def test_a_subject_addresses_nobody_where_no_name_is_known(name: str) -> None:
    subjects = [made(TEMPLATES[name], language, attributes={}).subject for language in LANGUAGES]
    expected = {
        "we-miss-you": ["It has been a while", "دلمان برایتان تنگ شده است", "好久不见"],
        "birthday": ["Happy birthday", "تولدتان مبارک", "生日快乐"],
    }
    assert expected[name] == [subject.lstrip("\u200f") for subject in subjects]


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
    is_marketing = template.purpose is Purpose.MARKETING
    link = LINKS["unsubscribe" if is_marketing else LEADS.get(template.template, "order_status")]
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
        links={name: LINKS[name] for name in ("confirm", "data_request", "unsubscribe")},
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
        products = tuple(_named(each, name) for each, name in zip(sample_products(site), names, strict=False))
        mail = made(
            template,
            language,
            site=site,
            order=replace(full, lines=lines),
            products=products,
            cart=[CartItem(product, 2) for product in products],
            attributes={"first_name": CANARY, "last_name": "x"},
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
        if template.pinned:
            assert all(str(product.value("name")) in mail.text for product in products)


def _named(product: Product, name: str) -> Product:
    """The product under another name and without its picture."""
    said = {field: stated for field, stated in product.fields.items() if field != "image_url"}
    return replace(product, fields=said | {"name": replace(said["name"], value=name)})


LOOK = a_stored_site(
    postal_address="Ringstraße 1", url="https://example.com", logo_url="https://example.com/logo.png", accent="#F2B705"
)


def test_products_are_told_with_picture_price_and_link_and_without_what_is_not_known() -> None:
    without_a_page = Product("X-9", {}, PLACED_AT)
    mail = made(TEMPLATES["welcome"], "en", site=LOOK, products=[without_a_page, *sample_products(LOOK)])
    pictures = [attrs for tag, attrs in _Page(mail.html).tags if tag == "img"]
    assert [
        ("https://example.com/logo.png", "Blue Note"),
        *((f"https://example.com/pictures/{sku}.jpg", "") for sku in ("CD-5", "LP-1", "LP-2")),
    ] == [(each["src"], each["alt"]) for each in pictures]
    told = mail.text.partition("To begin with\n\n")[2].partition("\n\n")[0]
    assert [
        "Kind of Blue (CD) 12.50 EUR: https://example.com/products/CD-5",
        "Hejira (LP, 180 g) 27.90 EUR: https://example.com/products/LP-1",
        "Blue (LP, 180 g) 24.90 EUR: https://example.com/products/LP-2",
        "Turntable mat: https://example.com/products/T-1",
    ] == told.split("\n")


def test_a_cart_is_told_in_the_words_and_digits_of_the_language() -> None:
    product = sample_products(SITE)[0]
    persian = replace(product, fields={**product.fields, "translations.fa": Stated({"name": "صفحه آبی"}, PLACED_AT)})
    mail = made(TEMPLATES["back-to-cart"], "fa", cart=[CartItem(persian, 2), CartItem(Product("X-9", {}, PLACED_AT), 1)])
    assert "صفحه آبی × ۲: https://example.com/products/CD-5  ۲۵٫۰۰ یورو\nX-9 × ۱" in mail.text


def test_a_mail_wears_the_colour_of_its_site_and_stays_readable() -> None:
    mail = made(TEMPLATES["birthday"], "en", site=LOOK)
    button = next(attrs["style"] for tag, attrs in _Page(mail.html).tags if tag == "a")
    assert button is not None
    assert ("color:#000000;" in button, "background-color:#f2b705" in mail.html) == (True, True)
    link = [attrs["style"] for tag, attrs in _Page(mail.html).tags if tag == "a" and attrs.get("class") == "link"]
    assert {"color:#1c2321"} == set(link)


@given(st.integers(0, 0xFFFFFF).map("#{:06x}".format))
def test_whatever_the_accent_is_words_can_be_read_on_it_and_links_beside_it(accent: str) -> None:
    chosen = colours(accent)
    assert contrast(chosen["accent"], chosen["on_accent"]) >= READABLE
    assert min(contrast(chosen["link_colour"], ground) for ground in (WHITE, GROUND)) >= READABLE
    assert contrast(chosen["dark_link_colour"], DARK) >= READABLE


def test_an_accent_that_can_be_read_on_the_card_alone_is_no_colour_of_links() -> None:
    """The link to unsubscribe stands at the foot, on the ground around the card."""
    mail = made(TEMPLATES["birthday"], "en", site=LOOK)
    assert f'class="ground" style="margin:0;padding:0;background-color:{GROUND}' in mail.html
    assert (4.54, INK) == (round(contrast("#767676", WHITE), 2), colours("#767676")["link_colour"])


def test_contrast_is_what_wcag_says_it_is() -> None:
    assert [21.0, 1.0, 4.48] == [round(contrast(*pair), 2) for pair in (("#000000", WHITE), (WHITE, WHITE), ("#777777", WHITE))]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_newsletter_is_what_was_sent_along_and_more_for_some(language: str) -> None:
    data = {
        "title": "Spring",
        "vip": "Two days early",
        "stories": [{"title": "One", "text": "A record", "url": "https://example.com/x"}],
    }
    for segments in ((), ("vip",)):
        mail = made(TEMPLATES["newsletter"], language, data=data, segments=segments)
        assert ("Spring", bool(segments)) == (mail.subject, "Two days early" in mail.text)
        assert "One\n\nA record\n\n" in mail.text
    assert "https://example.com/x" in mail.text


def test_an_order_s_number_keeps_its_direction_among_persian_words() -> None:
    mail = made(TEMPLATES["order-confirmed"], "fa", order=numbered("1001-A"))
    assert f"سفارش \u20681001-A\u2069 شما در \u2068{SITE.brand}\u2069" == mail.subject
    assert "سفارش \u200e1001-A شما" in mail.text
    assert 'سفارش \u200e<span dir="auto">1001-A</span> شما' in mail.html
    english = made(TEMPLATES["order-confirmed"], "en", order=numbered("1001-A"))
    assert "" == "".join(re.findall("[\u200e\u200f\u2066-\u2069]", english.subject + english.text))


def numbered(order_id: str) -> OrderView:
    view = sample_order(SITE)
    return replace(view, order=replace(view.order, order_id=order_id))


SAID: dict[str, Any] = {
    "data": {
        "title": "Spring",
        "opening": "Leaves.",
        "vip": "Early.",
        "coupon": "B-1",
        "valid_until": "2026-12-01",
        "cart_url": "https://example.com/cart",
        "stories": [
            {"title": "One", "text": "First."},
            {"title": "Two", "text": "Second.", "url": "https://example.com/2", "image_url": "https://example.com/2.png"},
        ],
    },
    "site": replace(SITE, url="https://example.com", logo_url="https://example.com/l.png"),
    "products": sample_products(SITE),
    "cart": sample_cart(SITE),
    "segments": ("vip",),
    "attributes": {},
}
"""What a mail may be made of beside the least."""


_BLOCK = re.compile(r"<(p|h1|h2)\b[^>]*>(.*?)</\1>")


def blocks(html: str) -> set[str]:
    """The paragraphs and headings of a page as they are read, but for those with a link or a picture."""
    found = (inner for _, inner in _BLOCK.findall(html) if "<a " not in inner and "<img" not in inner)
    return {unescape(re.sub("<[^>]+>", "", inner.replace("<br>", "\n"))) for inner in found}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", [name for name in MAILED if READY_MADE[name] is Purpose.MARKETING])
def test_the_paragraphs_of_marketing_stand_one_blank_line_apart_whatever_is_left_out(name: str, language: str) -> None:
    for said in (names for many in range(len(SAID) + 1) for names in combinations(SAID, many)):
        mail = made(TEMPLATES[name], language, **{what: SAID[what] for what in said})
        paragraphs = mail.text.removesuffix("\n").split("\n\n")
        assert blocks(mail.html) <= set(paragraphs), said
        assert [] == [part for part in paragraphs if part != part.strip()], said
        assert [] == [line for line in mail.text.splitlines() if line != line.strip()], said
