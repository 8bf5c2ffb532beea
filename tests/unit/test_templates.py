"""Templates: what an author may write, what is told to them with its line, and what a mail then says."""

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from ecrm.application.templates import CampaignPlace, Material, Rendered
from ecrm.domain.errors import Invalid
from ecrm.domain.templates import Purpose, Template, Variant, choose, direction_of
from ecrm.messaging.filters import ARGUMENTS
from ecrm.messaging.mails import CLIPPED, MOST_WORK, Mails
from ecrm.messaging.samples import LINKS, sample_order
from ecrm.messaging.values import values_of
from tests.architecture.pages import code, table
from tests.architecture.sources import ROOT
from tests.builders import a_stored_site

MAILS = Mails()
SITE = a_stored_site(postal_address="Ringstraße 1, Berlin")


def a_template(html: str = "<p>Hello</p>", *, language: str = "en", purpose: str = "transactional", **said: Any) -> Template:
    variant = Variant(**{"subject": "News", "html": html} | said)
    return Template(template="welcome", purpose=Purpose(purpose), variants={language: variant})


def made(template: Template, *, customer: Mapping[str, Any] = {}, data: Mapping[str, Any] = {}) -> Rendered:
    material = Material(site=SITE, attributes=customer, order=sample_order(SITE), data=data, links=LINKS)
    return MAILS.render(template, next(iter(template.variants)), material)


def written(html: str, *, language: str = "en", **values: Any) -> str:
    """What an expression writes, as text."""
    return made(a_template(text=html, language=language), **values).text


def flaws_of(template: Template) -> list[tuple[str, str, str]]:
    with pytest.raises(Invalid) as refused:
        MAILS.check(template)
    return [(flaw.pointer, flaw.code, flaw.detail.partition(":")[0]) for flaw in refused.value.flaws]


EXPRESSIONS: dict[str, str] = {
    "{{ customer.first_name }}": "Sara",
    '{{ customer.nickname | default: "friend" }}': "friend",
    '{{ customer.nickname | default("friend") }}': "friend",
    '{{ customer.empty | default: "friend" }}': "friend",
    '{{ customer.first_name | default: "friend" | upper }}': "SARA",
    "{{ nobody.knows.this }}": "",
    "{{ customer.none }}|{{ customer.yes }}|{{ customer.tags }}|{{ customer.address }}": "|true|a, b|",
    '{{ customer["first_name"] }}': "Sara",
    "{{ data.price | money }}": "12.50 EUR",
    '{{ 1250 | money: "JPY" }}': "1,250 JPY",
    '{{ "12.5" | money: "USD" }}': "12.50 USD",
    "{{ order.total_minor | money: order.currency }}": "55.80 EUR",
    "{{ 1234567 | number }}": "1,234,567",
    "{{ data.decimal | number }}": "1,234.5",
    "{{ order.placed_at | date }}": "20 November 2026",
    "{{ order.placed_at | datetime }}": "20 November 2026, 10:30",
    '{{ "2026-11-20" | date: "%d.%m.%Y" }}': "20.11.2026",
    '{{ "--11-20" | date }}': "--11-20",
    '{{ 1 }} {{ 1 | plural: "item", "items" }}': "1 item",
    '{{ 2 }} {{ 2 | plural: "item", "items" }}': "2 items",
    '{{ "ÅSA" | lower | capitalize }}': "Åsa",
    '{{ "a long sentence" | truncate: 7 }}': "a long…",
    '{{ customer.tags | join: " and " }}': "a and b",
    "{{ customer.tags | first }}{{ customer.tags | last }}{{ customer.tags | length }}": "ab2",
    '{{ "a b&c/d" | url_encode }}': "a%20b%26c%2Fd",
    '{% if "a" in customer.tags and customer.yes %}yes{% else %}no{% endif %}': "yes",
    '{% if "z" not in customer.tags %}yes{% endif %}': "yes",
    "{% if customer.nickname is not defined %}yes{% endif %}": "yes",
    "{% if order.total_minor >= 5000 %}big{% elif order.total_minor %}small{% endif %}": "big",
    "{% for line in order.lines %}{{ loop.index }} {{ line.sku }};{% endfor %}": "1 CD-5;2 LP-1;",
    "{% for star in range(3) %}*{% endfor %}": "***",
    "{% raw %}{{ 7 }}{% endraw %}{ {{ 7 }}": "{{ 7 }}{ 7",
    "a {#- nothing -#} b": "ab",
    "{{ language.tag }} {{ language.direction }}": "en ltr",
}


@pytest.mark.parametrize("source", EXPRESSIONS)
def test_an_expression_writes_what_a_marketer_expects(source: str) -> None:
    customer = {"first_name": "Sara", "empty": " ", "none": None, "yes": True, "tags": ["a", "b"], "address": {"city": "Berlin"}}
    data = {"price": 1250, "decimal": Decimal("1234.5")}
    assert EXPRESSIONS[source] == written(source, customer=customer, data=data)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", "1,250.00 EUR · 1,234 · 20 November 2026 · 20 November 2026, 10:30 · 2026/11/20"),
        ("fa", "۱٬۲۵۰٫۰۰ یورو · ۱٬۲۳۴ · ۲۹ آبان ۱۴۰۵ · ۲۹ آبان ۱۴۰۵، ۱۰:۳۰ · ۱۴۰۵/۰۸/۲۹"),
        ("zh-Hans", "1,250.00 欧元 · 1,234 · 2026年11月20日 · 2026年11月20日 10:30 · 2026/11/20"),
        ("de", "1,250.00 EUR · 1,234 · 2026-11-20 · 2026-11-20 10:30 · 2026/11/20"),
    ],
)
def test_values_are_written_in_the_digits_and_calendar_of_the_language(language: str, expected: str) -> None:
    at = "order.placed_at"
    source = f"{{{{ 125000 | money }}}} · {{{{ 1234 | number }}}} · {{{{ {at} | date }}}} · {{{{ {at} | datetime }}}} · "
    source += f'{{{{ {at} | date: "%Y/%m/%d" }}}}'
    assert expected == written(source, language=language)


WRONG: dict[str, tuple[str, int]] = {
    "\n{{ customer.first_name": ("not_closed", 2),
    "\n\n{% if customer.vip %}": ("not_closed", 3),
    "{% endfor %}": ("syntax", 1),
    "{% else %}": ("syntax", 1),
    "{% if %}x{% endif %}": ("syntax", 1),
    "{{ 7 * 7 }}": ("syntax", 1),
    "{{ a }}\n{{ 7 - 7 }}": ("syntax", 2),
    "\n{{ customer.first_name | nosuch }}": ("unknown_filter", 2),
    "{{ x | safe }}": ("unknown_filter", 1),
    "{{ x | default }}": ("filter_arguments", 1),
    "{{ x is callable }}": ("unknown_test", 1),
    "{% set x = 1 %}": ("unknown_statement", 1),
    "\n{% include 'x' %}": ("unknown_partial", 2),
    "{% include x %}": ("syntax", 1),
    "{% macro x() %}{% endmacro %}": ("unknown_statement", 1),
    "{% autoescape false %}{% endautoescape %}": ("unknown_statement", 1),
    "{{ ''.__class__ }}": ("syntax", 1),
    "\n{{ customer.__init__ }}": ("attribute_escape", 2),
    "{{ customer['__class__'] }}": ("attribute_escape", 1),
    "{{ _pay(1) }}": ("attribute_escape", 1),
    "{{ debug() }}": ("unknown_function", 1),
    "{{ customer.keys() }}": ("unknown_function", 1),
    "{{ range(1001) }}": ("loop_too_long", 1),
    "{{ x" + "[0]" * 10_000 + " }}": ("tag_too_long", 1),
    "{{ " + "(" * 90 + "1" + ")" * 90 + " }}": ("too_deep", 1),
    "{% if 1 %}" * 21 + "{% endif %}" * 21: ("too_deep", 1),
    "{{ x }}" * 1_001: ("too_many_tags", 1),
    "\n{{ 1.5 | money }}": ("bad_value", 2),
    '{{ 1 | money: "eur" }}': ("bad_value", 1),
    '{{ "x" | number }}': ("bad_value", 1),
    "<p>\n<script>alert(1)</script></p>": ("script", 2),
    "<p onclick='x()'>": ("script", 1),
    "<p {% if a %}onclick='x()'{% endif %}>": ("script", 1),
    "<iframe src='https://example.com'></iframe>": ("script", 1),
    '<meta http-equiv="refresh" content="0">': ("script", 1),
    "<p>\n\n<a href='javascript:alert(1)'>x</a>": ("unsafe_link", 3),
    "<a href=' JAVA&#115;cript:alert(1)'>x</a>": ("unsafe_link", 1),
    "<img src='data:image/png;base64,AA'>": ("unsafe_link", 1),
    "<a href='java{{ data.x }}'>x</a>": ("bad_link", 1),
    "<a href='/orders'>x</a>": ("bad_link", 1),
    "<a href='https://'>x</a>": ("bad_link", 1),
    "<a href='https:///{{ data.x }}'>x</a>": ("bad_link", 1),
    "<a href='https://{{ data.host }}/x'>x</a>": ("bad_link", 1),
    "<a href='https://example.com{{ data.path }}'>x</a>": ("bad_link", 1),
    "<a href='https://example.com{% if a %}/a{% endif %}{{ data.path }}'>x</a>": ("bad_link", 1),
    "<a href='{{ site.url }}{{ data.path }}'>x</a>": ("bad_link", 1),
    "<a href='{{ data.empty }}javascript:alert(1)'>x</a>": ("bad_link", 1),
    "<a href='{% if a %}{{ data.url }}{% endif %}/x'>x</a>": ("bad_link", 1),
    "<a href='{% if a %}https://example.com/{% endif %}{{ data.x }}{{ data.y }}'>x</a>": ("bad_link", 1),
    "<a href='{% if b %}https://example.com/{% else %}vbscript:x{% endif %}'>x</a>": ("unsafe_link", 1),
    "<a href='{% for x in data.l %}{{ x }}{% endfor %}'>x</a>": ("bad_link", 1),
    "{% if a %}<a href='https://example.com/{% endif %}'>x</a>": ("bad_link", 1),
    "<a href='https://example.com/{% if a %}'>x{% endif %}</a>": ("bad_link", 1),
    "<a href={{ data.url }}>x</a>": ("value_unquoted", 1),
    "<a {{ data.attribute }}>x</a>": ("value_in_tag", 1),
    "<{{ data.tag }}>": ("value_in_tag", 1),
    "<p>\n<a href='https://example.com'": ("not_closed", 2),
    "<!-- ": ("not_closed", 1),
    "\n<!--[if mso]>\n<v:rect href='javascript:x'><![endif]-->": ("unsafe_link", 3),
    "\n<!--[if (gte mso 9)|(IE)]><a href='{{ data.x }}{{ data.y }}'>x</a><![endif]-->": ("bad_link", 2),
    "<!--[if mso]><a href='x'<![endif]-->": ("not_closed", 1),
    "<!--[if mso]>\n<script>x</script><![endif]-->": ("script", 2),
    "x" * 300_001: ("template_too_large", 1),
}


@pytest.mark.parametrize("html", WRONG, ids=lambda html: html[:40])
def test_what_can_never_be_right_is_told_with_its_line(html: str) -> None:
    code, line = WRONG[html]
    pointer = "/variants" if code == "template_too_large" else "/variants/en/html"
    assert (pointer, code, f"line {line}") in flaws_of(a_template(html))


def test_every_flaw_of_every_part_is_told() -> None:
    wrong = a_template("{{ a | x }}\n{{ a | y }}", subject="{{ b | z }}", preheader="{% x %}", text="\n{{ }}")
    assert [
        ("/variants/en/subject", "unknown_filter", "line 1"),
        ("/variants/en/preheader", "unknown_statement", "line 1"),
        ("/variants/en/html", "unknown_filter", "line 1"),
        ("/variants/en/html", "unknown_filter", "line 2"),
        ("/variants/en/text", "syntax", "line 2"),
    ] == flaws_of(wrong)


UNSUBSCRIBE = '<a href="{{ links.unsubscribe }}">Unsubscribe</a>'
ADDRESS = "{{ site.postal_address }}"
MARKETING: dict[str, tuple[dict[str, Any], list[tuple[str, str, str]]]] = {
    "complete": ({"html": UNSUBSCRIBE + ADDRESS}, []),
    "nothing": (
        {"html": "<p>Buy\nnow</p>"},
        [("html", "missing_unsubscribe", "line 2"), ("html", "missing_postal_address", "line 2")],
    ),
    "words instead of a link": ({"html": "{{ links.unsubscribe }}" + ADDRESS}, [("html", "missing_unsubscribe", "line 1")]),
    "a link on a condition": (
        {"html": "{% if customer.x %}" + UNSUBSCRIBE + "{% endif %}" + ADDRESS},
        [("html", "missing_unsubscribe", "line 1")],
    ),
    "an address on a condition": (
        {"html": UNSUBSCRIBE + "{% for x in data.l %}" + ADDRESS + "{% endfor %}"},
        [("html", "missing_postal_address", "line 1")],
    ),
    "a text without": (
        {"html": UNSUBSCRIBE + ADDRESS, "text": "Buy"},
        [("text", "missing_unsubscribe", "line 1"), ("text", "missing_postal_address", "line 1")],
    ),
    "a text with": ({"html": UNSUBSCRIBE + ADDRESS, "text": "{{ links.unsubscribe }} " + ADDRESS}, []),
}


@pytest.mark.parametrize("what", MARKETING)
def test_a_marketing_mail_says_how_to_unsubscribe_and_where_it_comes_from(what: str) -> None:
    said, expected = MARKETING[what]
    template = a_template(purpose="marketing", **said)
    if expected:
        assert [(f"/variants/en/{part}", code, line) for part, code, line in expected] == flaws_of(template)
    else:
        assert [] == MAILS.check(template)


def test_what_is_only_odd_is_a_warning() -> None:
    html = f"<html><body>{{{{ foo.bar }}}}\n{{{{ order.totl }}}}{{% if site.x %}}{{% endif %}}{'x' * CLIPPED}</body></html>"
    warned = [(each.line, each.code, each.pointer) for each in MAILS.check(a_template(html, language="fa"))]
    pointer = "/variants/fa/html"
    assert [
        (1, "unknown_variable", pointer),
        (2, "unknown_variable", pointer),
        (2, "unknown_variable", pointer),
        (1, "no_direction", pointer),
        (1, "clipped", pointer),
    ] == warned


def test_what_a_careful_author_would_not_write_is_a_warning() -> None:
    html = """<p>
<img src="https://example.com/a.png"><img alt="" src="https://example.com/b.png">
<a href="HTTP://example.com">x</a> <img alt="x" src="{{ data.picture }}"></p>
<!--[if !mso]><!--><br><!--<![endif]-->
<!--[if mso]><table><tr><td><![endif]--><br><!--[if mso]>
</td></tr></table><a href="http://example.com">x</a><![endif]-->"""
    warned = [(each.line, each.code) for each in MAILS.check(a_template(html))]
    assert [(2, "no_alt"), (3, "insecure_link"), (6, "insecure_link")] == warned


def test_a_preview_says_which_values_were_missing_and_have_no_default() -> None:
    html = "{{ customer.a }}\n{{ customer.b | default: 'x' }}{% if customer.c %}{% endif %}{{ data.d.e }}{{ customer.there }}"
    material = Material(site=SITE, attributes={"there": "yes"})
    preview = MAILS.preview(a_template(html), "en", material)
    assert [(1, "nothing stands in customer.a"), (2, "nothing stands in data.d.e")] == [
        (each.line, each.detail) for each in preview.warnings
    ]


def with_partial(html: str, partial: Variant, *, purpose: str = "transactional", **said: Any) -> Template:
    footer = Template(template="footer", purpose=Purpose.PARTIAL, variants={"en": partial}, version=3)
    return replace(a_template(html, purpose=purpose, **said), pinned={"footer": 3}, partials={"footer": footer})


def test_a_partial_stands_where_it_is_included_in_html_and_in_text() -> None:
    footer = Variant(subject="", html="<p>Best\nwishes,</p><p>{{ site.brand }}</p>")
    html = '<p>Hello</p>{% include "footer" %}<p>End</p>'
    derived = made(with_partial(html, footer))
    assert "<p>Hello</p><p>Best wishes,</p><p>Blue Note</p><p>End</p>" in derived.html
    assert "Hello\n\nBest wishes,\n\nBlue Note\n\nEnd\n" == derived.text
    text = "Hello\n{% include 'footer' %}\nEnd"
    assert "Hello\n\nBest wishes,\n\nBlue Note\n\nEnd" == made(with_partial(html, footer, text=text)).text
    written_out = replace(footer, text='"{{ site.brand }}"\n{ {{ order.order_id }}')
    assert 'Hello\n"Blue Note"\n{ A-1001\nEnd' == made(with_partial(html, written_out, text=text)).text


def test_what_is_wrong_with_an_include_is_told_where_it_stands() -> None:
    footer = Variant(subject="", html="<p>\n\n\n</p>{{ site.brand }}")
    html = "<p>\n{% include 'footer' %}\n{% include 'absent' %}{{ x | nosuch }}</p>"
    assert [
        ("/variants/en/html", "unknown_partial", "line 3"),
        ("/variants/en/html", "unknown_filter", "line 3"),
    ] == flaws_of(with_partial(html, footer))
    persian = replace(with_partial(html, footer), variants={"fa": Variant(subject="x", html='{% include "footer" %}')})
    assert [("/variants/fa/html", "partial_language", "line 1")] == flaws_of(persian)
    nested = replace(a_template("\n{% include 'footer' %}"), purpose=Purpose.PARTIAL)
    assert [("/variants/en/html", "include_in_partial", "line 2")] == flaws_of(nested)
    odd = with_partial('{% include "footer" %}\n<a href="/x">x</a>', footer)
    assert [("/variants/en/html", "bad_link", "line 2")] == flaws_of(odd)


def test_many_includes_of_much_are_refused_before_they_are_put_together() -> None:
    footer = Variant(subject="", html="x" * 200_000)
    started = time.process_time()
    flaws = flaws_of(with_partial("{% include 'footer' %}" * 1_000, footer))
    assert {("/variants/en/html", "template_too_large", "line 1")} == set(flaws)
    assert time.process_time() - started < 1


def test_a_partial_may_say_for_a_marketing_mail_what_it_must_say() -> None:
    footer = Variant(subject="", html=UNSUBSCRIBE + ADDRESS)
    assert [] == MAILS.check(with_partial('{% include "footer" %}', footer, purpose="marketing"))
    hidden = with_partial('{% if customer.x %}{% include "footer" %}{% endif %}', footer, purpose="marketing")
    assert [
        ("/variants/en/html", "missing_unsubscribe", "line 1"),
        ("/variants/en/html", "missing_postal_address", "line 1"),
    ] == flaws_of(hidden)


def test_a_template_says_what_it_speaks_of_and_includes() -> None:
    template = with_partial(
        '{% include "footer" %}{% include "absent" %}',
        Variant(subject="", html="{% for each in cart %}{{ each.name }}{% endfor %}"),
    )
    assert frozenset({"footer", "absent"}) == MAILS.includes(template)
    assert frozenset({"cart"}) == MAILS.asks_for(
        replace(template, variants={"en": Variant(subject="x", html="{% include 'footer' %}")}), "en"
    )


def test_a_segment_decides_what_is_said_within_one_template() -> None:
    template = a_template('{% if "vip" in segments %}For you{% else %}For all{% endif %}')
    said = [MAILS.render(template, "en", Material(site=SITE, segments=segments)).text for segments in ((), ("new", "vip"))]
    assert (["For all\n", "For you\n"], []) == (said, MAILS.check(template))


R, E = "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}", "{% endfor %}" * 3
BOMBS = {
    "a loop in a loop in a loop": R + "x" + E,
    "one that prints": R + "{{ a }}" + E,
    "one that writes much": R + "x" * 50_000 + E,
    "one with filters": R + "{{ data.big | upper | lower }}" + E,
    "one over every letter": "{% for a in data.big %}{% for b in data.big %}{{ a }}{% endfor %}{% endfor %}",
    "one with dates": R + "{{ '2026-11-20T18:03:11Z' | datetime }}" + E,
    "one that compares": R + "{% if data.big == data.big2 %}{% endif %}" + E,
    "one that searches": R + "{% if 'x' in data.big %}{% endif %}" + E,
    "one that searches a list": R + "{% if data.big in data.list %}{% endif %}" + E,
    "one that joins": R + "{{ data.list | join: data.big }}" + E,
    "one that prints a list": R + "{{ data.list }}" + E,
}


@pytest.mark.parametrize("what", BOMBS)
def test_a_bomb_is_over_before_anybody_waits_for_it(what: str) -> None:
    data = {"big": "z" * 64_000, "big2": "z" * 63_999 + "y", "list": list(range(5_000))}
    bomb = a_template(BOMBS[what])
    with pytest.raises(Invalid) as first:
        made(bomb, data=data)
    assert first.value.code in {"loop_too_long", "mail_too_large"}
    started = time.process_time()
    with pytest.raises(Invalid):
        made(bomb, data=data)
    assert time.process_time() - started < 0.2


@pytest.mark.parametrize(
    "unit", ["<", "<a ", "</", "<!--", "<?", "<a b==", '<a b="', "{{ ", "{% raw %}", "<p hidden>", "&#1", "\x02"]
)
def test_no_template_is_read_in_the_square_of_its_length(unit: str) -> None:
    started = time.process_time()
    with suppress(Invalid):
        MAILS.check(a_template(unit * (200_000 // len(unit))))
    assert time.process_time() - started < 3


HOSTILE = {
    "{{7*7}}": "{{7*7}}",
    "{% raw %}": "{% raw %}",
    "<script>alert(1)</script>": "&lt;script&gt;alert(1)&lt;/script&gt;",
    '"><img src=x onerror=alert(1)>': "&quot;&gt;&lt;img src=x onerror=alert(1)&gt;",
    "' onmouseover='x": "&#x27; onmouseover=&#x27;x",
    "&#x2f; & &amp;": "&amp;#x2f; &amp; &amp;amp;",
}


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_is_never_evaluated_and_is_escaped_in_html(value: str) -> None:
    mail = made(
        a_template('<p title="{{ data.x }}">{{ data.x }}</p>', subject="{{ data.x }}", preheader="{{ data.x }}"),
        data={"x": value},
    )
    escaped = HOSTILE[value]
    assert f'<p title="{escaped}">{escaped}</p>' in mail.html
    assert (value, value, f"{value}\n") == (mail.subject, mail.preheader, mail.text)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", " java\tscript:x", "data:text/html,x", "vbscript:x", "file:///etc", "//x.y", "x"]
)
def test_a_link_that_a_value_begins_leads_to_the_web_or_the_mail_is_not_made(url: str) -> None:
    template = a_template('<p>\n<a href="{% if data.y %}{{ data.y }}{% else %}{{ data.url }}{% endif %}">x</a></p>')
    with pytest.raises(Invalid, match="html, line 2: a link of the mail begins with something other") as refused:
        made(template, data={"url": url})
    assert "unsafe_link" == refused.value.code
    with pytest.raises(Invalid, match="a link of the mail begins with something other"):
        made(a_template('<!--[if mso]><a href="{{ data.url }}">x</a><![endif]-->'), data={"url": url})
    assert '<a href="https://example.com/?a=1&amp;b=2">' in made(template, data={"url": "https://example.com/?a=1&b=2"}).html


ADDRESSES: dict[str, str] = {
    "https://example.com": "https://example.com",
    " https://{% if data.no %}fa{% else %}www{% endif %}.example.com/ ": " https://www.example.com/ ",
    "https://example.com/{{ data.path }}/{% for each in data.list %}{{ each }}-{% endfor %}": "https://example.com/@evil/a-b-",
    "https://example.com?{% if data.no %}{{ data.x }}{% else %}q={{ data.path }}{% endif %}": "https://example.com?q=@evil",
    "{{ data.url }}": "https://data.example",
    "{{ data.url }}/{{ data.path }}": "https://data.example/@evil",
    "{% if data.no %}https://example.com/{{ data.x }}{% else %}{{ data.url }}{% endif %}?a=1": "https://data.example?a=1",
    "{{ data.nothing }}": "",
    "{{ data.nothing }}//evil.example/{{ data.path }}": "#//evil.example/@evil",
    "{{ data.nothing }}?a={{ data.path }}": "#?a=@evil",
    "mailto:{{ data.path }}@example.com?subject={{ data.path }}": "mailto:@evil@example.com?subject=@evil",
    "#{{ data.path }}": "#@evil",
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_link_leads_where_its_author_says_or_one_value_or_nowhere(address: str) -> None:
    template = a_template(f'<a href="{address}">x</a>')
    MAILS.check(template)
    data = {"url": "https://data.example", "path": "@evil", "list": ["a", "b"]}
    assert f'<a href="{ADDRESSES[address]}">x</a>' in made(template, data=data).html


TAGS = "{% for each in customer.tags %}"
PERSONAL: dict[str, bool] = {
    '<a href="https://example.com/for/{{ customer.first_name | url_encode }}/x">x</a>': True,
    '<a href="{{ customer.page }}">x</a>': True,
    '<a href="{{ site.url }}/{{ data.x | default: customer.first_name }}?a=1">x</a>': True,
    '<a href="https://example.com/{{ data.names[customer.tier] }}">x</a>': True,
    f'{TAGS}<a href="https://example.com/{{{{ each }}}}">x</a>{{% endfor %}}': True,
    f'{TAGS}{{% for one in each %}}<area href="https://example.com/{{{{ one }}}}">{{% endfor %}}{{% endfor %}}': True,
    '<a href="https://example.com/{{ segments | first }}">x</a>': True,
    '<!--[if mso]><a href="https://example.com/{{ customer.first_name }}">x</a><![endif]-->': True,
    '<a href="https://example.com/{% if data.x %}?{% endif %}{{ customer.first_name }}">x</a>': True,
    '<a href="https://example.com/x?name={{ customer.first_name }}">x</a>': False,
    '<a href="https://example.com#{{ customer.first_name }}">x</a>': False,
    '<a href="https://example.com/{% if customer.first_name == "Sara" %}a{% else %}b{% endif %}">x</a>': False,
    '<a href="mailto:help@example.com?subject={{ customer.first_name }}">x</a>': False,
    '<img alt="" src="https://example.com/{{ customer.first_name }}.png">': False,
    '{% for each in products %}<a href="{{ each.url }}">{{ customer.first_name }}</a>{% endfor %}': False,
    '{% for customer in products %}<a href="https://example.com/{{ customer.sku }}">x</a>{% endfor %}': False,
    '<a href="https://example.com/{{ data.path }}/{{ language.tag }}">x</a>': False,
}
"""What of a link says something of its reader and stays in the report of a campaign, whose links nobody's erasure reaches."""


@pytest.mark.parametrize("html", PERSONAL)
def test_what_is_kept_of_a_marketing_mails_links_says_nothing_of_its_reader(html: str) -> None:
    marketing = a_template(f"<p>\n{html}{UNSUBSCRIBE}{ADDRESS}", purpose="marketing")
    if PERSONAL[html]:
        assert [("/variants/en/html", "personal_link", "line 2")] == flaws_of(marketing)
    else:
        MAILS.check(marketing)
    MAILS.check(a_template(html))


def test_a_partial_in_a_link_is_held_to_what_its_mail_is() -> None:
    each = Variant(subject="", html='<a href="https://example.com/{{ tag }}">x</a>')
    html = f"{UNSUBSCRIBE}{ADDRESS}\n{{% for tag in customer.tags %}}{{% include 'footer' %}}{{% endfor %}}"
    assert [("/variants/en/html", "personal_link", "line 2")] == flaws_of(with_partial(html, each, purpose="marketing"))
    MAILS.check(with_partial(html.replace("customer.tags", "data.tags"), each, purpose="marketing"))
    MAILS.check(replace(a_template(each.html), purpose=Purpose.PARTIAL))


@pytest.mark.parametrize(
    ("language", "subject", "mark"),
    [
        ("fa", "{{ data.x }}، تولدتان مبارک", "\u200f"),
        ("fa", "تولدتان مبارک، {{ data.x }}", ""),
        ("fa", "1001 {{ data.x }} سفارش", "\u200f"),
        ("fa", "{{ data.x }}", ""),
        ("en", "{{ data.x }}, hello", ""),
        ("en", "سارا, hello", "\u200e"),
    ],
)
def test_a_subject_is_laid_out_as_its_language_runs_whatever_name_comes_first(language: str, subject: str, mark: str) -> None:
    mail = made(a_template(language=language, subject=subject), data={"x": "Sara"})
    assert mark + subject.replace("{{ data.x }}", "Sara") == mail.subject


def test_a_subject_is_one_line_whatever_its_values_are() -> None:
    mail = made(a_template(subject="Hello\n{{ data.x }}", preheader=" {{ data.x }} "), data={"x": "a\r\nBcc: b"})
    assert ("Hello a  Bcc: b", "a  Bcc: b") == (mail.subject, mail.preheader)


def test_a_text_is_derived_with_lines_links_and_without_what_is_not_seen() -> None:
    html = """<html><head><title>No</title><style>p { color: red }</style></head><body>
<div style="display:none">hidden {% if data.x %}no{% endif %}</div>
<h1>Your   order</h1><p>Hello {{ customer.first_name }},<br>it is <b>here</b>.</p>
<table>{% for line in order.lines %}<tr><td>{{ line.sku }}</td><td>{% if loop.first %}<i>new</i>{% else %}old{% endif %}</td></tr>
{% endfor %}</table><ul><li>One</li><li>Two</li></ul><hr>
<p><a href="{{ links.order_status }}">See it</a> or <a href="https://example.com">https://example.com</a>,
<a href="mailto:a@example.com">write</a> <img src="https://example.com/a.png" alt="Logo"> &lt;3 {a}</p><!-- no --></body>"""
    expected = f"""Your order

Hello Sara <b>,
it is here.

CD-5  new
LP-1  old

- One
- Two

––––––––––––––––––––

See it: {LINKS["order_status"]} or https://example.com, write Logo <3 {{a}}
"""
    assert expected == made(a_template(html), customer={"first_name": "Sara <b>"}).text


GAPS: dict[str, tuple[str, str]] = {
    "<p>a</p>{% if data.x %}<p>b</p>{% endif %}<p>c</p>": ("a\n\nb\n\nc", "a\n\nc"),
    "a{% if data.x %}<p>b</p>{% endif %}c": ("a\n\nb\n\nc", "ac"),
    "a{% if data.x %}<br>b{% endif %}<br>c": ("a\nb\nc", "a\nc"),
    "<div>a</div>{% if data.x %}<h2>b</h2>{% endif %}<div>c</div>": ("a\n\nb\n\nc", "a\nc"),
    "{% if data.x %}<h1>b</h1>{% endif %}\n<br><p>c</p>": ("b\n\nc", "c"),
    "<p>a</p>\n{% if data.x %}{% if data.y %}b{% endif %}{% endif %}\n<table><tr><td>c</td></tr></table>": ("a\n\nc", "a\n\nc"),
    "<p>a {% if data.x %}<b>b</b> {% endif %}c</p>": ("a b c", "a c"),
    "<p>a{% if data.x %}</p><p>{% else %}<br>{% endif %}c</p>": ("a\n\nc", "a\nc"),
    "<p>a</p>{% for n in range(2) %}{% if data.x %}<p>b</p>{% endif %}{% endfor %}<p>c</p>": ("a\n\nb\n\nb\n\nc", "a\n\nc"),
    "<tr><td>a</td>{% if data.x %}<td>b</td>{% endif %}<td>c</td><td>{{ data.y }}</td></tr>": ("a  b  c", "a  c"),
    "<p>a</p><br><br><br><p>{% if data.x %}b<br><br>b{% endif %}</p>": ("a\n\nb\n\nb", "a"),
    "<p>{{ data.lines }}</p>{% if data.x %}b{% endif %}": ("1 \n\n\n 2\n\nb", "1 \n\n\n 2"),
    '<p>a</p>{% if data.x %}<p><a href="https://example.com"><br>b</a></p>{% endif %}': ("a\n\nb: https://example.com", "a"),
}
"""What a piece of HTML says in plain text with a block and without it; values are printed as they are."""


@pytest.mark.parametrize("html", GAPS)
def test_a_block_that_is_not_there_leaves_neither_a_second_blank_line_nor_none(html: str) -> None:
    texts = tuple(made(a_template(html), data={"x": x, "lines": "1 \n\n\n 2\n"}).text for x in (True, False))
    assert tuple(f"{text}\n" for text in GAPS[html]) == texts


def test_a_fragment_becomes_a_page_in_its_direction_with_its_preheader_hidden() -> None:
    html = made(a_template("<p>سلام</p>", language="fa", preheader="a & b")).html
    assert '<html lang="fa" dir="rtl">' in html
    assert '<div style="display:none;max-height:0;overflow:hidden;mso-hide:all">a &amp; b' in html


def test_a_preheader_that_the_author_places_is_not_placed_again() -> None:
    assert 1 == made(a_template("<html><body>{{ preheader }}</body></html>", preheader="Now")).html.count("Now")


@pytest.mark.parametrize(
    ("wanted", "site", "expected"),
    [
        ("fa", ("en",), "fa"),
        ("zh-Hant-TW", ("en",), "zh-Hant"),
        ("zh-TW", ("en",), "zh-Hant"),
        ("pt-BR", ("fa", "en"), "fa"),
        (None, ("xx", "en-GB"), "en"),
        (None, (), "en"),
        ("xx", ("yy",), "en"),
    ],
)
def test_a_variant_is_the_customers_then_the_sites_then_any(wanted: str | None, site: tuple[str, ...], expected: str) -> None:
    assert expected == choose(("fa", "zh-Hant", "en"), wanted, site)


@pytest.mark.parametrize(
    ("language", "direction"),
    [
        ("fa", "rtl"),
        ("fa-IR", "rtl"),
        ("ar", "rtl"),
        ("he", "rtl"),
        ("en", "ltr"),
        ("zh-Hans", "ltr"),
        ("az-Arab", "rtl"),
        ("ur-Latn", "ltr"),
    ],
)
def test_a_language_is_written_its_way(language: str, direction: str) -> None:
    assert direction == direction_of(language)


def test_the_largest_order_takes_a_part_of_the_work_that_a_mail_may_take() -> None:
    assert MOST_WORK >= 16_000
    order = sample_order(SITE)
    lines = tuple(replace(order.lines[0], line_id=str(at)) for at in range(200))
    state = replace(order.state, lines={line.line_id: order.state.lines["1"] for line in lines})
    material = Material(site=SITE, order=replace(order, lines=lines, state=state), links=LINKS)
    wordy = "{% for line in order.lines %}" + "{% if line.notes %}-{% endif %}{{ line.name | upper | trim }}" * 4 + "{% endfor %}"
    assert 200 * 4 == MAILS.render(a_template(wordy), "en", material).html.count("KIND OF BLUE")


PAGE = (ROOT / "docs/templates.md").read_text(encoding="utf-8")


def test_every_filter_is_on_the_page_and_writes_what_the_page_says() -> None:
    rows = [(code(name), code(example), result) for name, example, result in table(PAGE, "filter", "example", "writes")]
    assert ARGUMENTS.keys() == {name for name, _, _ in rows}
    assert [result for _, _, result in rows] == [written(example) for _, example, _ in rows]


TO_THE_SHOP = re.findall(r"^<a .*$", PAGE, re.MULTILINE)


def test_a_link_that_names_campaign_and_treatment_is_as_the_page_shows_it() -> None:
    (link,) = TO_THE_SHOP
    assert [] == MAILS.check(a_template(link))
    place = CampaignPlace(campaign="spring", run="1" * 32, message="all", treatment="b")
    for told, expected in ((place, "utm_campaign=spring&amp;utm_content=b"), (CampaignPlace(), "utm_campaign=&amp;utm_content=")):
        html = MAILS.render(a_template(link), "en", Material(site=SITE, campaign=told)).html
        assert f'href="https://shop.example.com/?utm_source=mail&amp;{expected}"' in html


def test_every_value_is_on_the_page() -> None:
    values = values_of(Material(site=SITE, order=sample_order(SITE), links=LINKS), "en")
    named = {found for row in table(PAGE, "value", "what it is") for found in re.findall(r"`(\w+\.\w+)`", row[0])}
    fixed = {f"{root}.{name}" for root in ("site", "order", "links", "language", "campaign") for name in values[root]}
    assert fixed == named


@pytest.mark.parametrize(("filters", "fits"), [("{{ 1 | length }}" * 2, True), ("{{ 1 | length }}" * 3, False)])
def test_a_filter_costs_something_by_itself(filters: str, fits: bool) -> None:  # noqa: FBT001 (a column of the table)
    many = a_template("{% for a in range(1000) %}" + filters + "{% endfor %}")
    if fits:
        assert [] == MAILS.check(many)
    else:
        assert [("/variants/en/html", "mail_too_large", "line 1")] == flaws_of(many)


ODD = {
    "vast": 10**400,
    "beyond": Decimal("1e999999999"),
    "tiny": Decimal("-1e-999999"),
    "first_day": "0001-01-01",
    "last_moment": "9999-12-31T23:59:59-23:00",
    "nested": [[[]]],
    "object": {"": 1},
    "fraction": 1.5,
}


@pytest.mark.parametrize("language", ["en", "fa", "de"])
@pytest.mark.parametrize("name", ODD)
def test_the_oddest_value_is_written_or_told_through_every_filter(name: str, language: str) -> None:
    arguments = {"default": ': "x"', "plural": ': "x"', "truncate": ": 3"}
    for each in ("", *(f" | {filter_}{arguments.get(filter_, '')}" for filter_ in ARGUMENTS)):
        try:
            assert isinstance(written(f"{{{{ data.value{each} }}}}", language=language, data={"value": ODD[name]}), str)
        except Invalid as told:
            assert "bad_value" == told.code  # noqa: PT017 (either is right)
