"""Pages for people: templates beside this file, words, and one style that a hash vouches for.

minijinja renders, with every value escaped, unknown names refused and a bound on the work.
"""

import hashlib
from base64 import b64encode
from pathlib import Path
from typing import Any

from minijinja import Environment

from ecrm.application.links import PublicOrder
from ecrm.domain.links import Language

from .orders import order_view
from .words import DIRECTIONS, LABELS, TAGS

HERE = Path(__file__).parent / "pages"
MOST_WORK = 2_000_000
"""Instructions of one page; an order of 200 lines and 200 events takes about a tenth."""


def style_of(page: str) -> str:
    """Name the style that stands in a page that we made, whenever that was, as `source_of` does."""
    return source_of(page.partition("<style>")[2].partition("</style>")[0])


def source_of(style: str) -> str:
    """Name a style by its hash, as a source of a Content-Security-Policy."""
    return f"'sha256-{b64encode(hashlib.sha256(style.encode()).digest()).decode()}'"


class Pages:
    """Templates are read once per container."""

    def __init__(self) -> None:
        self._style = (HERE / "style.css").read_text(encoding="utf-8")
        self._templates = Environment(
            templates={path.name: path.read_text(encoding="utf-8") for path in HERE.glob("*.html")},
            undefined_behavior="strict",
            auto_escape_callback=lambda _: "html",
            debug=False,
            fuel=MOST_WORK,
        )

    @property
    def style_source(self) -> str:
        return source_of(self._style)

    def order(self, order: PublicOrder, language: Language) -> str:
        return self.render("order", language, **order_view(order, language))

    def notice(self, name: str, language: Language) -> str:
        """Say something in place of a page; it names no brand, because nobody knows yet whose link it is."""
        words = LABELS[language]
        return self.render("notice", language, title=words[name], detail=words[f"{name}_detail"])

    def render(self, name: str, language: Language, **values: Any) -> str:
        """Fill the template of a page; every one knows its style, its language and the labels."""
        shared = {"style": self._style, "tag": TAGS[language], "direction": DIRECTIONS[language], "w": LABELS[language]}
        return self._templates.render_template(f"{name}.html", **shared, **values)
