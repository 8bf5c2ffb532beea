"""Preferences at the door: the form of a page without script."""

from typing import Any

from ecrm.application.preferences import Choose
from ecrm.domain.attributes import day_of_any_year
from ecrm.domain.errors import Invalid
from ecrm.domain.links import Language
from ecrm.domain.preferences import Frequency

from .public import Posted

PAUSES = {"": None, "start": True, "end": False}


def chosen(posted: Posted) -> Choose:
    """Read what was chosen. Raises Invalid where that was not to be chosen."""
    frequency = posted.one("frequency")
    if frequency not in ("", *Frequency) or posted.one("pause") not in PAUSES:
        raise Invalid("nobody was offered this", code="unknown_value")
    return Choose(
        shown=frozenset(posted.fields.get("shown", ())),
        wanted=frozenset(posted.fields.get("topic", ())),
        frequency=Frequency(frequency) if frequency else None,
        pause=PAUSES[posted.one("pause")],
        attributes=_attributes(posted),
        ip=posted.ip,
    )


def _attributes(posted: Posted) -> dict[str, Any]:
    """Read language and birthday; of what is left empty nothing is said."""
    said: dict[str, Any] = {}
    if language := posted.one("language"):
        if language not in Language:
            raise Invalid("there are no pages in this language", code="unknown_value")
        said["language"] = language
    month, day = posted.one("month"), posted.one("day")
    if posted.one("birthday") == "forget":
        said["birthday"] = None
    elif month or day:
        birthday = f"--{month:0>2}-{day:0>2}"
        if day_of_any_year(birthday) is None:
            raise Invalid("a birthday has a month and a day", code="bad_date")
        said["birthday"] = birthday
    return said
