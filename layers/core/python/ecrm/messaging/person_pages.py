"""A person's own pages: what they show is plain data, their words are beside them.

Whoever asks for one page waits for nothing of the others.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from ecrm.domain.instants import to_answer
from ecrm.domain.jobs import JobState
from ecrm.domain.links import Language
from ecrm.domain.sites import Site
from ecrm.domain.templates import choose
from ecrm.domain.topics import Topic

from . import formats
from .person_words import WORDS
from .rendering import Pages
from .words import GREGORIAN_MONTHS, choices

if TYPE_CHECKING:
    from ecrm.application.data_requests import DataFiles, DataRequest, MyData
    from ecrm.application.opt_ins import OptIn
    from ecrm.application.preferences import PreferencePage, TopicChoice
    from ecrm.application.unsubscribes import Unsubscribing


class PersonPages:
    """Each page offers the other languages at its foot."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def unsubscribe(self, page: "Unsubscribing", language: Language) -> str:
        return self._render(
            "unsubscribe",
            page.site,
            language,
            title="unsubscribed" if page.is_done else "unsubscribe_title",
            topic=name_of(page.topic, language, page.site) if page.topic else None,
            done=page.is_done,
            everything=page.is_everything,
            preferences_url=page.preferences_url,
        )

    def opt_in(self, page: "OptIn", language: Language) -> str:
        return self._render(
            "opt-in",
            page.site,
            language,
            title="confirmed" if page.is_done else "confirm_title",
            topics=[name_of(topic, language, page.site) for topic in page.topics],
            done=page.is_done,
        )

    def my_data(self, page: "MyData", language: Language) -> str:
        return self._render("my-data", page.site, language, title="my_data_title", asked=page.is_asked)

    def data_request(self, page: "DataRequest", language: Language) -> str:
        from ecrm.application.data_requests import DataKind  # noqa: PLC0415 (it is there, as the page is)

        erases = page.kind is DataKind.ERASURE
        return self._render(
            "data-request",
            page.site,
            language,
            title="erase_request_title" if erases else "copy_request_title",
            erases=erases,
            done=page.is_done,
            files_url=page.files_url,
        )

    def data_files(self, page: "DataFiles", language: Language) -> str:
        return self._render(
            "data-files",
            page.site,
            language,
            title="files_title",
            failed=page.state is JobState.FAILED,
            files=[{"name": name, "url": url} for name, url in page.files],
        )

    def preferences(self, page: "PreferencePage", language: Language) -> str:
        from ecrm.domain.preferences import Frequency  # noqa: PLC0415 (the same)

        until = page.paused_until
        zone = ZoneInfo(page.site.time_zone)
        spoken = (page.language or "").partition("-")[0]
        return self._render(
            "preferences",
            page.site,
            language,
            title="preferences_title",
            saved=page.is_saved,
            blocked=page.is_blocked,
            asked=[name_of(topic, language, page.site) for topic in page.asked],
            topics=[
                {
                    "id": each.topic.topic,
                    "name": name_of(each.topic, language, page.site),
                    "about": _about(each.topic, language, page.site),
                    "channels": list(_channels(each, WORDS[language])),
                }
                for each in page.topics
            ],
            frequencies=[
                {"id": each.value, "name": WORDS[language][each.value], "on": each is page.frequency} for each in Frequency
            ],
            paused_until={"iso": to_answer(until), "text": formats.moment(until.astimezone(zone), language)} if until else None,
            languages=[each | {"on": each["code"] == spoken} for each in choices(language)],
            has_birthday=page.has_birthday,
            wrong_birthday=page.wrong_birthday,
            months=GREGORIAN_MONTHS[language],
            days=[formats.number(day, language) for day in range(1, 32)],
            my_data_url=page.my_data_url,
        )

    def _render(self, name: str, site: Site, language: Language, *, title: str, **values: Any) -> str:
        words = WORDS[language]
        return self._pages.render(
            name,
            language,
            p=words,
            title=words[title],
            brand=site.brand,
            address=site.postal_address,
            choices=choices(language),
            **values,
        )


def name_of(topic: Topic, language: Language, site: Site) -> str:
    """Name a topic in the reader's language, else in the site's first that it has a name in."""
    return topic.names[choose(topic.names, language, site.languages)]


def _about(topic: Topic, language: Language, site: Site) -> str | None:
    told = topic.descriptions
    return told[choose(told, language, site.languages)] if told else None


def _channels(choice: "TopicChoice", words: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    if choice.is_on is not None:
        yield {"value": choice.topic.topic, "name": words["by_email"], "on": choice.is_on, "open": True, "note": None}
    for each in choice.others:
        yield {
            "value": f"{each.channel}:{choice.topic.topic}",
            "name": words[f"by_{each.channel}"],
            "on": each.is_on,
            "open": each.is_open,
            "note": words[each.note] if each.note else None,
        }
