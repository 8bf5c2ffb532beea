"""The geometry of charts, for templates that draw them: places along the reading direction in percent, heights in pixels.

In percent a chart is as wide as its place, and its letters are as large on a phone as on a desk; a `viewBox` would shrink them.
Where people read from the right, charts begin there, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from unicodedata import east_asian_width

type Values = dict[str, Any]

HEIGHT, TOP, BOTTOM = 220, 22, 40
"""Pixels of a chart of columns, of what is kept free above them for their labels, and below for the axis."""
ASIDE = 8
"""Pixels between the chart and the numbers of its lines."""
WIDEST = 12
"""Percent that a column is wide at most: two columns alone are no walls."""
PHONE, LETTER = 245, 6.5
"""Pixels of a chart on a phone, and of a letter above its columns."""
LINES = 4
SHADES = 6
_COLUMN, _WIDE = 0.68, 2


def bar(part: float, whole: float, direction: str, colour: int = 0) -> Values:
    """Give a bar from where reading begins; `colour` numbers those that the style has."""
    width = min(1, max(0, part / whole)) * 100 if whole > 0 else 0
    return {"x": _percent(100 - width if direction == "rtl" else 0), "width": _percent(width), "part": colour}


@dataclass(frozen=True, slots=True)
class Column:
    """`parts` are stacked, the first one at the bottom; `above` stands over it, `below` under it, `second` one line lower."""

    parts: Sequence[float]
    below: str = ""
    second: str = ""
    above: str = ""
    is_open: bool = False


def columns(given: Sequence[Column], direction: str, edges: Sequence[str] = ()) -> Values:
    """Give columns side by side with round lines behind them; what is below zero is not drawn.

    `edges` stand below the borders of the columns, from before the first to behind the last one.
    """
    heights = [sum(max(0, part) for part in column.parts) for column in given]
    step = round_step(max(heights, default=0))
    top = step * LINES
    plot = HEIGHT - TOP - BOTTOM
    slot = 100 / max(1, len(given))
    width = min(WIDEST, slot * _COLUMN)
    drawn = []
    for position, column in enumerate(given):
        middle = slot * (position + 0.5)
        middle = 100 - middle if direction == "rtl" else middle
        at, parts = float(HEIGHT - BOTTOM), []
        for number, part in enumerate(column.parts):
            height = max(0, part) / top * plot if top else 0
            at -= height
            parts.append({"y": _pixels(at), "height": _pixels(height), "number": number})
        drawn.append(
            {
                "x": _percent(middle - width / 2),
                "middle": _percent(middle),
                "width": _percent(width),
                "parts": parts,
                "top": _pixels(at - 5),
                "above": column.above,
                "below": column.below,
                "second": column.second,
                "is_open": column.is_open,
            }
        )
    lines = [{"value": step * number, "y": _pixels(HEIGHT - BOTTOM - plot * number / LINES)} for number in range(LINES + 1)]
    is_mirrored = direction == "rtl"
    return {
        "height": HEIGHT,
        "columns": drawn,
        "lines": lines,
        "start": "100%" if is_mirrored else "0%",
        "aside": ASIDE if is_mirrored else -ASIDE,
        "is_crowded": _is_crowded([column.above for column in given]),
        "edges": [
            {"x": _percent(100 - slot * number if is_mirrored else slot * number), "text": text}
            for number, text in enumerate(edges)
        ],
    }


def _is_crowded(texts: Sequence[str]) -> bool:
    """Say whether two that stand beside each other would touch on a phone."""
    widths = [sum(_WIDE if east_asian_width(letter) == "W" else 1 for letter in text) * LETTER for text in texts]
    return any(one + other > 2 * PHONE / len(texts) for one, other in pairwise(widths))


def round_step(largest: float) -> float:
    """Give the least of 1, 2, 2.5 or 5 times a power of ten of which `LINES` reach as high as the largest."""
    step: float = 1
    while step * LINES < largest:
        step *= 10
    return next(each for each in (step / 10, step / 5, step / 4, step / 2, step) if each * LINES >= largest)


def shade(part: float, most: float) -> int:
    """Give the darkness of a cell, from 0 for nothing to `SHADES` − 1."""
    return min(SHADES - 1, -int(-part / most * (SHADES - 1) // 1)) if part > 0 and most > 0 else 0


def _percent(value: float) -> str:
    return f"{value:.2f}%"


def _pixels(value: float) -> str:
    return f"{value:.1f}"
