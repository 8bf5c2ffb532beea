"""Preferences at the door: the form of a page without script."""

from typing import Any

from ecrm.application.preferences import Choose
from ecrm.domain.attributes import day_of_any_year
from ecrm.domain.consent import Channel, Subject
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
    attributes, wrong_birthday = _attributes(posted)
    return Choose(
        shown=_subjects(posted, "shown"),
        wanted=_subjects(posted, "topic"),
        frequency=Frequency(frequency) if frequency else None,
        pause=PAUSES[posted.one("pause")],
        attributes=attributes,
        ip=posted.ip,
        wrong_birthday=wrong_birthday,
    )


def _subjects(posted: Posted, name: str) -> frozenset[Subject]:
    """Read topics: such as `news` by mail, `sms:news` by another channel."""
    said = (value.rpartition(":") for value in posted.fields.get(name, ()))
    named = [(channel or Channel.EMAIL, topic) for channel, _, topic in said]
    if not all(channel in Channel for channel, _ in named):
        raise Invalid("nobody was offered this", code="unknown_value")
    return frozenset(Subject(Channel(channel), topic) for channel, topic in named)


def _attributes(posted: Posted) -> tuple[dict[str, Any], tuple[str, str] | None]:
    """Read language and birthday, of what is left empty nothing; a birthday that is none comes beside, for all else is kept."""
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
            return said, (month, day)
        said["birthday"] = birthday
    return said, None
