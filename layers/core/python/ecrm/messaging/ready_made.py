"""The templates that are there before anybody has written one: one layout, one body for each mail, one file of words a language.

They are put together with brackets in place of braces, so that what comes out is a template like any other: a company reads
it, changes it and stores it as its own.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from minijinja import Environment

from ecrm.domain.links import Language
from ecrm.domain.templates import READY_MADE, Purpose, Template, Variant, direction_of

_HERE = Path(__file__).parent / "mails"

_FONTS = {
    Language.ENGLISH: "-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif",
    Language.PERSIAN: "Vazirmatn,'Noto Sans Arabic','Segoe UI',Tahoma,Arial,sans-serif",
    Language.CHINESE: "'PingFang SC','Microsoft YaHei','Noto Sans SC','Noto Sans CJK SC',Arial,sans-serif",
}
_NAMED = re.compile(r"\{\{ (?:order\.order_id|site\.brand|customer\.first_name) \}\}")
"""What is written in the letters of whoever named it, and keeps its own direction among words of another."""
_PLAIN, _ISOLATED = ("subject", "preheader"), "\u2068\\g<0>\u2069"
"""The same where there is no markup (UAX 9: FSI and PDI)."""
_NUMBER = '<span dir="auto">{{ order.order_id }}</span>'
_LEFT_TO_RIGHT = "\u200e"
"""Before an order's number, for the plain text: behind Persian letters 1001-A would be read as A-1001, and who copies the number
takes no mark along that a form refuses."""


def ready_made() -> Mapping[str, Template]:
    brackets = Environment(
        templates={path.name: path.read_text(encoding="utf-8") for path in _HERE.glob("*.html")},
        undefined_behavior="strict",
        auto_escape_callback=lambda _: False,
        block_start_string="[%",
        block_end_string="%]",
        variable_start_string="[[",
        variable_end_string="]]",
        comment_start_string="[#",
        comment_end_string="#]",
        trim_blocks=True,
    )
    words = {language: tomllib.loads((_HERE / f"{language}.toml").read_text(encoding="utf-8")) for language in Language}

    def made(name: str) -> Template:
        variants = {language.value: _variant(brackets, name, language, words[language]) for language in Language}
        return Template(template=name, purpose=READY_MADE[name], variants=variants)

    partials = {name: made(name) for name, purpose in READY_MADE.items() if purpose is Purpose.PARTIAL}
    return {name: partials.get(name) or _with_partials(made(name), partials) for name in READY_MADE}


def _with_partials(template: Template, partials: Mapping[str, Template]) -> Template:
    """Give a mail with those partials that one of its variants, and so each, includes."""
    said = next(iter(template.variants.values())).html
    included = {name: partial for name, partial in partials.items() if f'{{% include "{name}" %}}' in said}
    return replace(template, pinned=dict.fromkeys(included, 0), partials=included)


def _variant(brackets: Environment, name: str, language: Language, words: Mapping[str, Mapping[str, str]]) -> Variant:
    is_marketing = READY_MADE[name] is Purpose.MARKETING
    said = {**words["all"], **({"why": words["all"]["agreed"]} if is_marketing else {}), **words.get(name, {})}
    w = {what: _NAMED.sub(r'<span dir="auto">\g<0></span>', text) for what, text in said.items()}
    is_rtl = direction_of(language) == "rtl"
    start, end = ("right", "left") if is_rtl else ("left", "right")
    page = brackets.render_template(
        f"{name}.html",
        w=w,
        is_marketing=is_marketing,
        start=start,
        end=end,
        text=f"margin:0;font-family:{_FONTS[language]};font-size:16px;line-height:26px;color:#1c2321",
        small=f"margin:0;font-family:{_FONTS[language]};font-size:14px;line-height:22px;color:#53605b",
    )
    subject, preheader = (_NAMED.sub(_ISOLATED, text) if is_rtl else text for text in (said.get(part, "") for part in _PLAIN))
    html = page.replace(_NUMBER, _LEFT_TO_RIGHT + _NUMBER) if is_rtl else page
    return Variant(subject=subject, preheader=preheader, html=html)
