"""The colours of a site's mails: one accent that the company chose, and what can be read on it and in it."""

from collections.abc import Mapping

ACCENT = "#0a5a8a"
INK, WHITE, BLACK = "#1c2321", "#ffffff", "#000000"
GROUND = "#f1f5f3"
"""Around the card on which a mail stands, and darker than it: the links at the foot are on it."""
DARK = "#1a211e"
"""Of the card, where the reader's screen is dark; there what is around it is darker, and links are read more easily."""
LINEAR_UP_TO = 0.04045
"""The threshold of IEC 61966-2-1 in WCAG's relative luminance."""
READABLE = 4.5
"""Contrast of text and ground, as WCAG 2.2 asks for at level AA (1.4.3)."""


def colours(accent: str | None) -> Mapping[str, str]:
    """Give the accent and what goes with it: the words on it, and links in it, or in ink where its own could not be read."""
    chosen = (accent or ACCENT).lower()
    on_accent = max((WHITE, BLACK), key=lambda each: contrast(chosen, each))
    return {
        "accent": chosen,
        "on_accent": on_accent,
        "link_colour": chosen if contrast(chosen, GROUND) >= READABLE else INK,
        "dark_link_colour": chosen if contrast(chosen, DARK) >= READABLE else "#86c8f0",
    }


def contrast(one: str, other: str) -> float:
    """Give the contrast ratio of two colours, from 1 to 21 (WCAG 2.2)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= LINEAR_UP_TO else float(((channel + 0.055) / 1.055) ** 2.4)
